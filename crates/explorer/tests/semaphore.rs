// SPDX-License-Identifier: MIT OR Apache-2.0
//! The counting semaphore: as many in the room as there are permits; a permit that nobody gives.

mod common;

use common::{check, check_faults, check_with, clean, one};
use explorer::FindingKind::{DataRace, Deadlock};
use explorer::sync::{Cell, Semaphore};
use explorer::{Config, JoinHandle, check as assertion, spawn};

/// Three tasks in a room with `permits` places; the most at a time must not be above `most`.
fn room(permits: u32, most: u32) {
    let (s, inside) = (Semaphore::new("s", permits), Cell::new("inside", 0u32));
    let task = move || {
        s.down();
        let before = inside.fetch_update(|n| n + 1);
        assertion(before < most, "the room is not too full");
        inside.fetch_update(|n| n - 1);
        s.up();
    };
    [(); 3].map(|()| spawn("t", task)).into_iter().for_each(JoinHandle::join);
}

#[test]
fn two_permits_let_two_in() {
    assert_eq!(check(|| room(2, 2)).1, []);
}

#[test]
fn three_let_three() {
    assert_eq!(check(|| room(3, 2)).1.len(), 1);
}

#[test]
fn one_permit_is_a_mutex() {
    assert_eq!(check(|| room(1, 1)), clean(6));
}

fn given(give: bool) {
    let s = Semaphore::new("s", 0);
    let taker = spawn("taker", move || s.down());
    let giver = spawn("giver", move || {
        if give {
            s.up();
        }
    });
    [taker, giver].into_iter().for_each(JoinHandle::join);
}

#[test]
fn a_permit_that_nobody_gives_is_a_deadlock() {
    assert_eq!(check(|| given(false)), one(1, Deadlock, "taker waits to down s"));
    assert_eq!(check(|| given(true)), clean(1));
}

#[test]
fn trylock_and_signals_do_not_wait() {
    let model = || {
        let s = Semaphore::new("s", 1);
        assert!(s.down_trylock() && !s.down_trylock());
        s.up();
        let interrupted = s.down_interruptible().is_err();
        assert_eq!(s.down_trylock(), interrupted);
    };
    assert_eq!(check_faults(0, model), clean(1));
    assert_eq!(check_faults(1, model), clean(2));
}

/// What the one wrote before, or after, is read by the other.
fn ordered(before: bool) {
    let (s, x) = (Semaphore::new("s", 0), Cell::new("x", 0));
    let reader = spawn("reader", move || {
        s.down();
        x.get();
    });
    if before {
        x.set(1);
    }
    s.up();
    if !before {
        x.set(1);
    }
    reader.join();
}

#[test]
fn it_orders_what_came_before_and_nothing_else() {
    let config = Config { report_data_races: true, ..Config::new("test") };
    assert_eq!(check_with(&config, || ordered(true)).1, []);
    let findings = check_with(&config, || ordered(false)).1;
    assert!(!findings.is_empty() && findings.iter().all(|f| f.0 == DataRace), "{findings:?}");
}
