// SPDX-License-Identifier: MIT OR Apache-2.0
//! The reader-writer semaphore: a reader behind a waiting writer, downgrade, hand-off, a writer that gives up.

mod common;

use common::{check, check_faults, check_with, clean, one};
use explorer::FindingKind::{DataRace, Deadlock};
use explorer::sync::{Cell, Next, RwSem};
use explorer::{Config, JoinHandle, check as assertion, spawn};

/// A reader that reads twice, nested, and a writer.
fn nested(next: Next, nested: bool) {
    let s = RwSem::with_next("s", next);
    let reader = move || {
        s.down_read();
        if !nested {
            s.up_read();
        }
        s.down_read();
        s.up_read();
        if nested {
            s.up_read();
        }
    };
    let writer = move || {
        s.down_write();
        s.up_write();
    };
    [spawn("reader", reader), spawn("writer", writer)].into_iter().for_each(JoinHandle::join);
}

#[test]
fn a_nested_reader_behind_a_writer_deadlocks() {
    let words = "reader waits to down_read s, held by reader, behind writer; \
                 writer waits to down_write s, held by reader";
    assert_eq!(check(|| nested(Next::Any, true)), one(3, Deadlock, words));
}

#[test]
fn with_hand_off_too() {
    let (_, findings) = check(|| nested(Next::First, true));
    assert_eq!(findings.len(), 1);
    assert!(findings[0].1.starts_with("reader waits to down_read s, held by reader"), "{}", findings[0].1);
}

#[test]
fn one_read_after_the_other_does_not() {
    assert_eq!(check(|| nested(Next::Any, false)), clean(3));
    assert_eq!(check(|| nested(Next::First, false)).1, []);
}

/// Two writers behind a holder.
fn writers(next: Next) {
    let (s, order) = (RwSem::with_next("s", next), Cell::new("order", 0u32));
    s.down_write();
    let writer = move |n: u32| {
        move || {
            s.down_write();
            order.fetch_update(|o| o * 10 + n);
            s.up_write();
        }
    };
    let (a, b) = (spawn("first", writer(1)), spawn("second", writer(2)));
    s.up_write();
    a.join();
    b.join();
    if order.load() == 21 {
        explorer::report("overtaken", "the second writer came first");
    }
}

#[test]
fn any_writer_may_be_next() {
    assert_eq!(check(|| writers(Next::Any)).1.len(), 1);
}

/// A task that queues after another never overtakes it: the order of announcements is the order of holds.
fn in_turn(next: Next) {
    let (s, said, got) = (RwSem::with_next("s", next), Cell::new("said", 0u32), Cell::new("got", 0u32));
    let writer = move |n: u32| {
        move || {
            said.fetch_update(|o| o * 10 + n);
            s.down_write();
            got.fetch_update(|o| o * 10 + n);
            s.up_write();
        }
    };
    [spawn("a", writer(1)), spawn("b", writer(2))].into_iter().for_each(JoinHandle::join);
    assertion(got.load() == 12 || got.load() == 21, "both got it");
}

#[test]
fn hand_off_has_fewer_orders() {
    let (any, first) = (check(|| in_turn(Next::Any)), check(|| in_turn(Next::First)));
    assert_eq!((any.1, first.1), (vec![], vec![]));
    assert_eq!((any.0, first.0), (4, 4));
}

/// A writer that gives up on a signal, and a reader that it held up.
fn gives_up(next: Next) {
    let s = RwSem::with_next("s", next);
    let holder = move || {
        s.down_read();
        s.up_read();
    };
    let writer = move || {
        if s.down_write_killable().is_ok() {
            s.up_write();
        }
    };
    [spawn("r1", holder), spawn("w", writer), spawn("r2", holder)].into_iter().for_each(JoinHandle::join);
    assertion(!s.is_contended(), "no announcement is left behind");
}

#[test]
fn an_interrupted_writer_takes_its_announcement_back() {
    for (next, without, with) in [(Next::Any, 0, 1), (Next::First, 0, 1)] {
        let model = if next == Next::Any { || gives_up(Next::Any) } else { || gives_up(Next::First) };
        let (n, m) = (check_faults(without, model), check_faults(with, model));
        assert_eq!((n.1, m.1), (vec![], vec![]));
        assert!(m.0 > n.0);
    }
}

/// The write hold becomes a read hold; what the writer wrote is before what other readers read.
fn downgrade(keep: bool) {
    let (s, x) = (RwSem::new("s"), Cell::new("x", 0));
    let writer = move || {
        s.down_write();
        x.set(1);
        s.downgrade_write();
        if !keep {
            x.set(2);
        }
        s.up_read();
    };
    let reader = move || {
        s.down_read();
        x.get();
        s.up_read();
    };
    [spawn("writer", writer), spawn("reader", reader)].into_iter().for_each(JoinHandle::join);
}

#[test]
fn a_write_after_the_downgrade_is_a_race() {
    let config = Config { report_data_races: true, ..Config::new("test") };
    assert_eq!(check_with(&config, || downgrade(true)).1, []);
    let findings = check_with(&config, || downgrade(false)).1;
    assert!(!findings.is_empty() && findings.iter().all(|f| f.0 == DataRace), "{findings:?}");
}
