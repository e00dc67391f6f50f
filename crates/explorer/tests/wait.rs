// SPDX-License-Identifier: MIT OR Apache-2.0
//! Wait queues and condition variables: the lost wake-up, with the look at the condition before and after joining.

mod common;

use common::{check, check_faults, clean};
use explorer::FindingKind::Deadlock;
use explorer::sync::{Cell, CondVar, Mutex, WaitQueue};
use explorer::{JoinHandle, spawn};

/// A sleeper that looks before it joins the queue, or after.
fn sleeper(join_first: bool) {
    let (q, flag) = (WaitQueue::new("q"), Cell::new("flag", false));
    let sleeper = spawn("sleeper", move || {
        if join_first {
            return q.wait_event(|| flag.load());
        }
        if !flag.load() {
            q.prepare();
            q.sleep();
        }
    });
    let waker = spawn("waker", move || {
        flag.store(true);
        q.wake_all();
    });
    [sleeper, waker].into_iter().for_each(JoinHandle::join);
}

#[test]
fn a_look_before_joining_loses_the_wake_up() {
    let (n, findings) = check(|| sleeper(false));
    assert_eq!((n, findings), (3, vec![(Deadlock, "sleeper waits to sleep q".to_string())]));
}

#[test]
fn a_look_after_joining_does_not() {
    assert_eq!(check(|| sleeper(true)), clean(4));
}

/// A consumer waits under a mutex; the producer changes the condition under it, or without it.
fn consumer(locked: bool) {
    let (m, v, flag) = (Mutex::new("m"), CondVar::new("v"), Cell::new("flag", false));
    let consumer = spawn("consumer", move || {
        m.lock();
        v.wait_while(m, || !flag.load());
        m.unlock();
    });
    let producer = spawn("producer", move || {
        if locked {
            m.lock();
        }
        flag.store(true);
        if locked {
            m.unlock();
        }
        v.notify_one();
    });
    [consumer, producer].into_iter().for_each(JoinHandle::join);
}

#[test]
fn a_condition_changed_without_the_mutex_loses_the_wake_up() {
    let findings = check(|| consumer(false)).1;
    assert_eq!(findings, [(Deadlock, "consumer waits to sleep v".to_string())]);
}

#[test]
fn under_the_mutex_it_does_not() {
    assert_eq!(check(|| consumer(true)), clean(2));
}

/// Two sleepers, one wake-up or a wake-up of all.
fn two(all: bool) {
    let (q, ready) = (WaitQueue::new("q"), Cell::new("ready", 0));
    let sleeper = move || {
        q.prepare();
        ready.fetch_update(|n| n + 1);
        q.sleep();
    };
    let tasks = [spawn("a", sleeper), spawn("b", sleeper)];
    ready.wait_until(2);
    if all {
        assert_eq!(q.wake_all(), 2);
    } else {
        assert!(q.wake_one());
    }
    tasks.into_iter().for_each(JoinHandle::join);
}

#[test]
fn one_wake_up_wakes_one_of_them_any() {
    let words = |t: &str| (Deadlock, format!("{t} waits to sleep q"));
    assert_eq!(check(|| two(false)).1, [words("a"), words("b")]);
    assert_eq!(check(|| two(true)).1, []);
}

#[test]
fn nobody_to_wake() {
    let model = || {
        let q = WaitQueue::new("q");
        assert!(!q.wake_one() && q.wake_all() == 0);
        q.prepare();
        assert!(q.wake_one());
        assert!(q.sleep_interruptible().is_ok() || !q.wake_one());
    };
    assert_eq!(check(model), clean(1));
    assert_eq!(check_faults(1, model), clean(2));
}
