// SPDX-License-Identifier: MIT OR Apache-2.0
//! What belongs to a state: cases in which leaving a part of it out loses a finding.

use std::rc::Rc;

use explorer::strategy::dpor::Dpor;
use explorer::strategy::state_hash::StateHash;
use explorer::sync::{Cell, Mutex};
use explorer::{Config, JoinHandle, explore_with, observed, report, spawn};

/// Keys of what both searches find; they must agree.
#[track_caller]
fn found(model: impl Fn() + Clone + 'static) -> Vec<String> {
    let config = Config { report_data_races: true, ..Config::new("state") };
    let dpor = explore_with(&config, &mut Dpor::new(), model.clone(), |_| true).unwrap();
    let hash = explore_with(&config, &mut StateHash::new(1), model, |_| true).unwrap();
    let keys = |f: &[explorer::Finding]| f.iter().map(|f| f.key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(&dpor.findings), keys(&hash.findings));
    keys(&hash.findings)
}

/// Both orders of the locks lead to the same values everywhere, but only one orders the accesses to x; and it is the
/// one that is explored first. The two marked cells see to it that the accesses come only after both locks, and not
/// in the way in which an execution that is cut runs to its end.
#[test]
fn the_clocks_of_accesses_that_may_still_race() {
    let model = || {
        let (m, x) = (Mutex::new("m"), Cell::new("x", 0u32));
        let (begun, ended) = (Cell::new("begun", 0u32), Cell::new("ended", 0u32));
        let reader = spawn("reader", move || {
            x.get();
            m.lock();
            m.unlock();
            begun.write_once(1);
            ended.write_once(1);
        });
        let writer = spawn("writer", move || {
            m.lock();
            m.unlock();
            if begun.read_once() == 1 && ended.read_once() == 0 {
                x.set(0);
            }
        });
        reader.join();
        writer.join();
    };
    let keys = found(model);
    assert_eq!(keys.len(), 1);
    assert!(keys[0].starts_with("race x"), "{keys:?}");
}

/// Two tasks have read different values and are about to do the same.
#[test]
fn what_a_task_has_read() {
    let model = || {
        let (x, y) = (Cell::new("x", 0u32), Cell::new("y", 0u32));
        let writer = spawn("writer", move || {
            x.store(1);
            x.store(0);
        });
        let reader = spawn("reader", move || {
            let saw = x.load();
            y.load();
            report(format!("saw {saw}"), "");
        });
        writer.join();
        reader.join();
    };
    assert_eq!(found(model), ["saw 0", "saw 1"]);
}

/// Two blind writes: who was last is in the object alone.
#[test]
fn what_an_object_holds() {
    let model = || {
        let x = Cell::new("x", 0u32);
        let tasks = [1, 2].map(|v| spawn("writer", move || x.store(v)));
        tasks.into_iter().for_each(JoinHandle::join);
        let saw = x.load();
        report(format!("last {saw}"), "");
    };
    assert_eq!(found(model), ["last 1", "last 2"]);
}

/// Memory that is no object, under a lock: seen only if it is declared.
#[test]
fn what_a_task_declares_to_have_observed() {
    let model = || {
        let (m, y) = (Mutex::new("m"), Cell::new("y", 0u32));
        let shared = Rc::new(std::cell::Cell::new(0u64));
        let tasks = [1, 2].map(|v| {
            let shared = Rc::clone(&shared);
            spawn("adder", move || {
                m.lock();
                let old = shared.get();
                observed(old);
                shared.set(old * 10 + v);
                m.unlock();
                y.load();
            })
        });
        tasks.into_iter().for_each(JoinHandle::join);
        report(format!("sum {}", shared.get()), "");
    };
    assert_eq!(found(model), ["sum 12", "sum 21"]);
}

/// Equal states are met once: n tasks that write the same value to one cell have 2^n states, not n! orders.
#[test]
fn orders_that_lead_to_the_same_state_are_merged() {
    for n in [2, 4, 6] {
        let model = move || {
            let x = Cell::new("x", 0u32);
            let tasks: Vec<_> = (0..n).map(|_| spawn("writer", move || x.store(7))).collect();
            tasks.into_iter().for_each(JoinHandle::join);
        };
        let mut hash = StateHash::new(1);
        explore_with(&Config::new("merge"), &mut hash, model, |_| true).unwrap();
        assert_eq!(hash.states(), (1 << n) - 1, "the last state is no decision");
    }
}
