// SPDX-License-Identifier: MIT OR Apache-2.0
//! Models that cannot be explored: each is refused with words that say where to look. (Files: see distribute.rs.)

use std::cell::Cell as Plain;
use std::rc::Rc;

use explorer::strategy::Strategy;
use explorer::strategy::bounded::Bounded;
use explorer::strategy::dfs::Dfs;
use explorer::strategy::dpor::Dpor;
use explorer::strategy::state_hash::StateHash;
use explorer::sync::{Cell, Mutex};
use explorer::{Config, ExploreError, FindingKind, JoinHandle, choose, explore, explore_with, spawn};

/// A model whose nth execution is given n, with which it must not do anything.
fn numbered(f: impl Fn(u32) + 'static) -> impl Fn() + 'static {
    let n = Rc::new(Plain::new(0));
    move || {
        n.set(n.get() + 1);
        f(n.get());
    }
}

fn refused<S: Strategy>(mut strategy: S, model: impl Fn() + 'static) -> String {
    match explore_with(&Config::new("bad"), &mut strategy, model, |_| true) {
        Err(e @ ExploreError::Nondeterministic(_)) => e.to_string(),
        other => panic!("{other:?}"),
    }
}

/// Two writers of x with steps of their own around it; `twist` is called with the execution's number before the
/// first one's last step.
fn writers(twist: fn(u32, Cell<u32>)) -> impl Fn() + 'static {
    numbered(move |n| {
        let (x, y) = (Cell::new("x", 0u32), Cell::new("y", 0u32));
        let a = spawn("first", move || {
            x.store(1);
            twist(n, y);
            x.store(2);
        });
        let b = spawn("second", move || x.store(3));
        a.join();
        b.join();
    })
}

fn ignore<T>(_: T) {}

#[test]
fn the_first_difference_is_named() {
    let other_op = || writers(|n, y| if n > 1 { y.store(1) } else { ignore(y.load()) });
    assert_eq!(
        refused(Dpor::new(), other_op()),
        "the model is not deterministic: at decision 2, task first is about to write y; in an earlier execution with \
         the same decisions it was about to read y"
    );
    let message = refused(StateHash::new(1), other_op());
    assert!(message.contains("task first is about to write y"), "{message}");

    let over = || {
        writers(|n, _| {
            if n > 1 {
                std::panic::resume_unwind(Box::new("ends here"))
            }
        })
    };
    for message in [
        refused(Dpor::new(), over()),
        refused(Dfs::new(), over()),
        refused(Bounded::new(2), over()),
        refused(StateHash::new(1), over()),
    ] {
        assert!(
            message.contains("the execution is over; an earlier one with the same 1 decisions"),
            "{message}"
        );
    }

    let choice = || writers(|n, y| if n > 1 { ignore(choose(2)) } else { ignore(y.load()) });
    for message in [refused(Dpor::new(), choice()), refused(StateHash::new(1), choice())] {
        assert!(message.contains("task a asks for a choice among 2"), "{message}");
    }
    let no_choice = || writers(|n, y| if n == 1 { ignore(choose(2)) } else { ignore(y.load()) });
    for message in [refused(Dpor::new(), no_choice()), refused(StateHash::new(1), no_choice())] {
        assert!(message.contains("tasks take steps (first (read y)"), "{message}");
        assert!(message.contains("a choice among 2 was asked for"), "{message}");
    }
}

#[test]
fn a_lock_that_is_held_in_some_executions_only_is_named() {
    let model = numbered(|n| {
        let (m, x) = (Mutex::new("m"), Cell::new("x", 0u32));
        let a = spawn("holder", move || {
            m.lock();
            x.store(1);
            if n == 1 {
                m.unlock();
            }
            x.store(2);
            if n > 1 {
                m.unlock();
            }
        });
        let b = spawn("waiter", move || {
            m.lock();
            x.store(3);
            m.unlock();
        });
        a.join();
        b.join();
    });
    let message = refused(Dpor::new(), model);
    assert!(message.contains("waiter (lock m) is blocked and was not"), "{message}");
}

#[test]
fn a_task_too_many_is_named() {
    let model = || (0..60).map(|_| spawn("worker", || {})).for_each(JoinHandle::join);
    let error = explore(&Config::new("many"), model).unwrap_err();
    assert_eq!(
        error.to_string(),
        "task \"worker\" of main would be task number 54: at most 53 are possible in one model"
    );
}

#[test]
fn a_task_that_never_ends_is_a_finding_and_the_search_goes_on() {
    let model = || {
        let x = Cell::new("x", 0u32);
        let spin = spawn("spinner", move || while x.load() == 0 {});
        let w = spawn("writer", move || x.store(1));
        spin.join();
        w.join();
    };
    let config = Config { max_steps: 50, max_executions: 500, ..Config::new("spin") };
    let out = explore(&config, model).unwrap();
    assert_eq!(out.findings.len(), 1);
    assert_eq!(out.findings[0].kind, FindingKind::StepBudget);
    assert!(out.findings[0].message.starts_with("no end after 50 steps"), "{}", out.findings[0].message);
    assert!(out.stats.executions > 10);
}
