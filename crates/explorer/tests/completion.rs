// SPDX-License-Identifier: MIT OR Apache-2.0
//! Completions: an event that never happens, one event for two, all events, timeouts.

mod common;

use common::{check, check_faults, check_with, clean, one};
use explorer::FindingKind::{DataRace, Deadlock};
use explorer::sync::{Cell, Completion};
use explorer::{Config, JoinHandle, spawn};

/// Two tasks wait; another completes once, or all.
fn two(all: bool) {
    let c = Completion::new("done");
    let tasks = [spawn("a", move || c.wait()), spawn("b", move || c.wait())];
    if all {
        c.complete_all();
    } else {
        c.complete();
    }
    tasks.into_iter().for_each(JoinHandle::join);
}

#[test]
fn one_event_is_for_one() {
    let words = |t: &str| (Deadlock, format!("{t} waits to wait_for_completion done"));
    assert_eq!(check(|| two(false)), (2, vec![words("a"), words("b")]));
    assert_eq!(check(|| two(true)).1, []);
}

#[test]
fn an_event_that_is_forgotten_never_comes() {
    let model = || {
        let c = Completion::new("done");
        c.complete();
        assert!(c.done());
        c.reinit();
        spawn("t", move || c.wait()).join();
    };
    assert_eq!(check(model), one(1, Deadlock, "t waits to wait_for_completion done"));
}

#[test]
fn timeouts_and_signals_are_faults() {
    let model = || {
        let c = Completion::new("done");
        let t = spawn("t", move || {
            let _ = c.wait_timeout();
            let _ = c.wait_interruptible();
        });
        c.complete_all();
        t.join();
    };
    assert_eq!(check_faults(0, model), clean(1));
    assert!(check_faults(2, model).0 > 1);
}

/// What the one wrote before, or after, is read by the other.
fn ordered(before: bool) {
    let (s, x) = (Completion::new("s"), Cell::new("x", 0));
    let reader = spawn("reader", move || {
        s.wait();
        x.get();
    });
    if before {
        x.set(1);
    }
    s.complete();
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
