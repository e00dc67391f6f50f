// SPDX-License-Identifier: MIT OR Apache-2.0
//! What each kind of finding says, and that taking an execution down does no harm.

mod common;

use std::cell::Cell as Plain;
use std::rc::Rc;

use common::{check, check_with, one};
use explorer::FindingKind::{Assertion, Deadlock, Livelock, Panic, StepBudget, User};
use explorer::sync::{Cell, Mutex};
use explorer::{Config, JoinHandle, Schedule, explore, model_hash, note, replay, report, spawn};

#[test]
fn a_cycle_of_owners_is_found_while_others_run() {
    let model = || {
        let (a, b, c) = (Mutex::new("a"), Mutex::new("b"), Mutex::new("c"));
        let task = |x: Mutex, y: Mutex| {
            move || {
                x.lock();
                y.lock();
                y.unlock();
                x.unlock();
            }
        };
        let x = Cell::new("x", 0u64);
        let ticks = move || {
            while !explorer::aborting() {
                x.fetch_update(|v| v + 1);
            }
        };
        let _ = [
            spawn("ab", task(a, b)),
            spawn("bc", task(b, c)),
            spawn("ca", task(c, a)),
            spawn("ticker", ticks),
        ];
    };
    // Each takes its first mutex; then the ticker runs, and never stops.
    let config = Config { max_steps: 40, ..Config::new("test") };
    let schedule = Schedule::parse(&format!("v1:{:08x}:d5abcd3", model_hash("test"))).unwrap();
    let findings = replay(&config, &schedule, false, model).unwrap().findings;
    let deadlock = findings.iter().find(|f| f.kind == Deadlock).expect("found");
    let words =
        "ab waits to lock b, held by bc; bc waits to lock c, held by ca; ca waits to lock a, held by ab";
    assert_eq!((deadlock.message.as_str(), deadlock.step), (words, 8));
    let budget = findings.iter().find(|f| f.kind == StepBudget).expect("found");
    let words = "no end after 40 steps: ticker took 37 of the last 40, now at update x";
    assert!(budget.message.starts_with(words), "{}", budget.message);
}

#[test]
fn those_behind_a_cycle_are_told_with_it() {
    let model = || {
        let (a, b) = (Mutex::new("a"), Mutex::new("b"));
        let task = |x: Mutex, y: Mutex| {
            move || {
                x.lock();
                y.lock();
                y.unlock();
                x.unlock();
            }
        };
        let third = move || {
            a.lock();
            a.unlock();
        };
        [spawn("ab", task(a, b)), spawn("ba", task(b, a)), spawn("third", third)]
            .into_iter()
            .for_each(JoinHandle::join);
    };
    let (_, findings) = check(model);
    assert_eq!(findings.len(), 1, "one cycle is one finding, whoever is behind it: {findings:?}");
    assert!(findings[0].1.starts_with("ab waits to lock b, held by ba; ba waits to lock a, held by ab"));
}

#[test]
fn a_lock_that_was_never_released_names_its_owner() {
    let model = || {
        let m = Mutex::new("m");
        spawn("forgetful", move || m.lock()).join();
        spawn("next", move || m.lock()).join();
    };
    let words = "next waits to lock m, held by forgetful (which has ended)";
    assert_eq!(check(model), one(1, Deadlock, words));
}

#[test]
fn a_task_that_never_takes_a_step_is_found() {
    let model = || {
        let x = Cell::new("x", 0);
        spawn("spinner", move || while x.get() == 0 && !explorer::aborting() {}).join();
    };
    let config = Config { max_quiet: 1_000, ..Config::new("test") };
    let (n, findings) = check_with(&config, model);
    assert_eq!((n, findings.len(), findings[0].0), (1, 1, Livelock));
    let words = "spinner spins: 1000 accesses, silent operations or choices without a step since ";
    assert!(findings[0].1.starts_with(words), "{}", findings[0].1);
}

#[test]
fn the_same_work_with_steps_in_between_is_no_livelock() {
    let model = || {
        let (x, y) = (Cell::new("x", 0), Cell::new("y", 0));
        let worker = move || {
            for _ in 0..50 {
                (0..50).for_each(|_| x.set(x.get() + 1));
                y.store(1);
            }
        };
        [spawn("worker", worker), spawn("idle", || {})].into_iter().for_each(JoinHandle::join);
    };
    let config = Config { max_quiet: 200, ..Config::new("test") };
    assert_eq!(check_with(&config, model), (1, vec![]));
}

#[test]
fn a_panic_names_task_place_and_words() {
    let model = || spawn("clumsy", || panic!("dropped the {}", "cup")).join();
    let (n, findings) = check(model);
    assert_eq!((n, findings.len(), findings[0].0), (1, 1, Panic));
    let message = &findings[0].1;
    assert!(
        message.starts_with("task clumsy panicked at ") && message.ends_with("dropped the cup"),
        "{message}"
    );
    assert!(message.contains("findings.rs"), "{message}");
}

#[test]
fn an_assertion_names_task_and_place_and_goes_on() {
    let model = || {
        let ok = spawn("checker", || {
            let held = explorer::check(1 + 1 == 3, "arithmetic");
            report("after", if held { "held" } else { "went on" });
        });
        ok.join();
    };
    let (_, findings) = check(model);
    assert_eq!(findings.len(), 2);
    assert!(findings.contains(&(User, "went on".to_string())));
    let assertion = findings.iter().find(|f| f.0 == Assertion).expect("found");
    assert!(assertion.1.starts_with("checker at ") && assertion.1.ends_with("arithmetic does not hold"));
}

/// A guard as code under test may have it: its destructor unlocks, accesses, notes and reports.
struct Guard {
    mutex: Mutex,
    cell: Cell<u32>,
    drops: Rc<Plain<u32>>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.drops.set(self.drops.get() + 1);
        assert!(self.mutex.unlock());
        note(|| "dropped".to_string());
        self.cell.fetch_update(|v| v.wrapping_sub(1));
        self.cell.set(self.cell.get());
        if explorer::aborting() {
            report("while taken down", "");
            assert!(self.mutex.trylock() && self.mutex.unlock() && self.mutex.unlock());
        }
    }
}

#[test]
fn destructors_of_a_deadlocked_execution_are_harmless() {
    let drops = Rc::new(Plain::new(0));
    let seen = Rc::clone(&drops);
    let model = move || {
        let m = [Mutex::new("a"), Mutex::new("b")];
        let cell = Cell::new("x", 0);
        let task = |x: usize, drops: Rc<Plain<u32>>| {
            move || {
                m[x].lock();
                let _first = Guard { mutex: m[x], cell, drops: Rc::clone(&drops) };
                m[1 - x].lock();
                let _second = Guard { mutex: m[1 - x], cell, drops };
            }
        };
        [spawn("ab", task(0, Rc::clone(&drops))), spawn("ba", task(1, Rc::clone(&drops)))]
            .into_iter()
            .for_each(JoinHandle::join);
    };
    let out = explore(&Config::new("test"), model).unwrap();
    let kinds: Vec<_> = out.findings.iter().map(|f| f.kind).collect();
    assert_eq!(kinds, [Deadlock], "{:?}", out.findings);
    assert!(out.exhausted && seen.get() > 4);
}

#[test]
fn destructors_of_a_panicking_task_release_what_it_held() {
    let drops = Rc::new(Plain::new(0));
    let seen = Rc::clone(&drops);
    let model = move || {
        let (mutex, cell) = (Mutex::new("m"), Cell::new("x", 0));
        let drops = Rc::clone(&drops);
        let clumsy = spawn("clumsy", move || {
            mutex.lock();
            let _guard = Guard { mutex, cell, drops };
            panic!("with the lock held");
        });
        let other = spawn("other", move || {
            mutex.lock();
            mutex.unlock();
        });
        [clumsy, other].into_iter().for_each(JoinHandle::join);
    };
    let out = explore(&Config::new("test"), model).unwrap();
    let kinds: Vec<_> = out.findings.iter().map(|f| f.kind).collect();
    assert_eq!(kinds, [Panic], "{:?}", out.findings);
    assert_eq!(seen.get(), out.stats.executions as u32 + out.stats.sleep_blocked as u32);
}

#[test]
fn outside_of_an_execution_a_primitive_says_so() {
    let panic = std::panic::catch_unwind(|| Mutex::new("m")).unwrap_err();
    let words = panic.downcast_ref::<&str>().expect("words");
    assert_eq!(*words, "an operation outside of an execution");
}
