// SPDX-License-Identifier: MIT OR Apache-2.0
//! Cells: the lost update in its three forms, and waiting for a value.

mod common;

use common::{check, check_with, clean, one};
use explorer::FindingKind::{DataRace, Deadlock};
use explorer::sync::Cell;
use explorer::{Config, JoinHandle, check as assertion, spawn};

/// Two tasks add one.
fn add(step: fn(Cell<u32>)) {
    let x = Cell::new("x", 0);
    [(); 2].map(|()| spawn("t", move || step(x))).into_iter().for_each(JoinHandle::join);
    assertion(x.load() == 2, "no update is lost");
}

#[test]
fn plain_updates_are_lost_and_race() {
    let findings = check(|| add(|x| x.set(x.get() + 1))).1;
    assert_eq!(findings.len(), 1);
    let config = Config { report_data_races: true, ..Config::new("test") };
    let findings = check_with(&config, || add(|x| x.set(x.get() + 1))).1;
    assert!(findings.iter().filter(|f| f.0 == DataRace).count() >= 2, "{findings:?}");
}

#[test]
fn marked_updates_are_lost_and_do_not_race() {
    let config = Config { report_data_races: true, ..Config::new("test") };
    let (n, findings) = check_with(&config, || add(|x| x.write_once(x.read_once() + 1)));
    assert_eq!((n, findings.len()), (4, 1));
}

#[test]
fn atomic_updates_are_neither() {
    let model = || {
        add(|x| {
            x.fetch_update(|v| v + 1);
        });
    };
    assert_eq!(check(model), clean(2));
    // The value is compared when it is written, so it does not matter when it was read.
    let model = || {
        add(|x| {
            let mut seen = x.read_once();
            while let Err(now) = x.compare_exchange(seen, seen + 1) {
                seen = now;
            }
        });
    };
    assert_eq!(check(model).1, []);
}

fn waits(store: u8) {
    let x = Cell::new("x", 0u8);
    let t = spawn("t", move || x.wait_until(1));
    x.store(store);
    t.join();
}

#[test]
fn waiting_for_a_value() {
    assert_eq!(check(|| waits(1)), clean(1));
    assert_eq!(check(|| waits(2)), one(1, Deadlock, "t waits to wait x"));
}
