// SPDX-License-Identifier: MIT OR Apache-2.0
//! The mutex: order of two locks, a second lock by the holder, trylock, interruption.

mod common;

use common::{check, check_faults, clean, one};
use explorer::FindingKind::{Assertion, Deadlock};
use explorer::sync::{Cell, Mutex};
use explorer::{JoinHandle, check as assertion, spawn};

/// Two tasks, each takes two mutexes; `second` says in which order the second task does.
fn two_orders(second: [usize; 2]) {
    let m = [Mutex::new("a"), Mutex::new("b")];
    let task = move |[x, y]: [usize; 2]| {
        move || {
            m[x].lock();
            m[y].lock();
            m[y].unlock();
            m[x].unlock();
        }
    };
    [spawn("ab", task([0, 1])), spawn("ba", task(second))].into_iter().for_each(JoinHandle::join);
}

#[test]
fn opposite_orders_deadlock() {
    let words = "ab waits to lock b, held by ba; ba waits to lock a, held by ab";
    assert_eq!(check(|| two_orders([1, 0])), one(3, Deadlock, words));
}

#[test]
fn one_order_does_not() {
    assert_eq!(check(|| two_orders([0, 1])), clean(2));
}

#[test]
fn a_second_lock_by_the_holder_deadlocks() {
    let model = || {
        let m = Mutex::new("m");
        spawn("t", move || {
            m.lock();
            m.lock();
        })
        .join();
    };
    assert_eq!(check(model), one(1, Deadlock, "t waits to lock m, held by t"));
}

#[test]
fn unlock_by_a_stranger_changes_nothing() {
    let model = || {
        let m = Mutex::new("m");
        m.lock();
        spawn("t", move || assert!(!m.unlock())).join();
        assert!(m.unlock() && !m.unlock());
    };
    assert_eq!(check(model), clean(1));
}

/// Both add to a cell, if they get the mutex; with `force` also if they do not.
fn add(force: bool) {
    let (m, x) = (Mutex::new("m"), Cell::new("x", 0));
    let task = move || {
        let got = m.trylock();
        if got || force {
            x.write_once(x.read_once() + 1);
        }
        m.unlock();
        if got { 1 } else { 0 }
    };
    let n = Cell::new("n", 0);
    let count = move || {
        let got = task();
        n.fetch_update(|v| v + got);
    };
    [spawn("a", count), spawn("b", count)].into_iter().for_each(JoinHandle::join);
    assertion(x.load() >= n.load(), "no update is lost");
}

#[test]
fn what_trylock_guards_is_not_lost() {
    assert_eq!(check(|| add(false)).1, []);
}

#[test]
fn what_it_does_not_guard_is() {
    let findings = check(|| add(true)).1;
    assert!(findings.is_empty() || findings[0].0 == Assertion);
    // A holder's update is overwritten by a task that went on without the mutex.
    let lost = || {
        let (m, x) = (Mutex::new("m"), Cell::new("x", 0));
        let task = move || {
            m.trylock();
            x.write_once(x.read_once() + 1);
            m.unlock();
        };
        [spawn("a", task), spawn("b", task)].into_iter().for_each(JoinHandle::join);
        assertion(x.load() == 2, "no update is lost");
    };
    let findings = check(lost).1;
    assert_eq!(findings.len(), 1);
    assert!(
        findings[0].1.starts_with("main at ") && findings[0].1.ends_with("no update is lost does not hold")
    );
}

/// Two orders again, where the second lock may be given up on a signal.
fn interruptible() {
    let m = [Mutex::new("a"), Mutex::new("b")];
    let task = move |x: usize| {
        move || {
            m[x].lock();
            if m[1 - x].lock_interruptible().is_ok() {
                m[1 - x].unlock();
            }
            m[x].unlock();
        }
    };
    [spawn("ab", task(0)), spawn("ba", task(1))].into_iter().for_each(JoinHandle::join);
}

#[test]
fn signals_come_only_out_of_the_budget() {
    let deadlock = "ab waits to lock b, held by ba; ba waits to lock a, held by ab";
    assert_eq!(check_faults(0, interruptible), one(3, Deadlock, deadlock));
    let (one_fault, two_faults) = (check_faults(1, interruptible), check_faults(2, interruptible));
    assert_eq!((one_fault.1.len(), two_faults.1.len()), (1, 1));
    assert!(3 < one_fault.0 && one_fault.0 < two_faults.0, "{} {}", one_fault.0, two_faults.0);
}
