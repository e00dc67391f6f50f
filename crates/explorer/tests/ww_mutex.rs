// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ww-mutex: two orders without a deadlock, and what is reported when its rules are broken.

mod common;

use common::{check, check_faults, clean};
use explorer::FindingKind::{Assertion, Deadlock, User};
use explorer::sync::{WwClass, WwError, WwMutex, WwPolicy};
use explorer::{JoinHandle, check as assertion, report, spawn};

/// What a task does after it was told to give way.
#[derive(Clone, Copy)]
enum After {
    /// Drops what it holds, waits for the contended lock, goes on.
    BackOff,
    /// Waits for the contended lock with the other one held.
    KeepHolding,
}

/// Takes both locks of `order` under a context, as the documentation says or not.
fn take_both(class: WwClass, order: [WwMutex; 2], after: After) {
    let ctx = class.acquire_init("ctx");
    let [mut x, mut y] = order;
    assert_eq!(x.lock(ctx), Ok(()), "nobody gives way with nothing held");
    while let Err(e) = y.lock(ctx) {
        if explorer::aborting() {
            return;
        }
        assert_eq!(e, WwError::Deadlock);
        report("back-off", "a context was told to give way");
        if let After::BackOff = after {
            x.unlock();
        }
        y.lock_slow(ctx);
        if let After::KeepHolding = after {
            break;
        }
        (x, y) = (y, x);
    }
    x.unlock();
    y.unlock();
    assertion(ctx.acquire_fini(), "nothing is held");
}

fn two_orders(policy: WwPolicy, after: After) {
    let class = WwClass::new("class", policy);
    let (a, b) = (WwMutex::new("a", class), WwMutex::new("b", class));
    let tasks = [
        spawn("ab", move || take_both(class, [a, b], after)),
        spawn("ba", move || take_both(class, [b, a], after)),
    ];
    tasks.into_iter().for_each(JoinHandle::join);
}

#[test]
fn two_orders_do_not_deadlock() {
    for (policy, executions) in [(WwPolicy::WaitDie, 8), (WwPolicy::WaitWound, 428)] {
        let model = match policy {
            WwPolicy::WaitDie => || two_orders(WwPolicy::WaitDie, After::BackOff),
            WwPolicy::WaitWound => || two_orders(WwPolicy::WaitWound, After::BackOff),
        };
        let (n, findings) = check(model);
        assert_eq!(findings, [(User, "a context was told to give way".to_string())], "{policy:?}");
        assert_eq!(n, executions, "{policy:?}");
    }
}

#[test]
fn the_slow_path_with_a_lock_held_is_reported() {
    for findings in [
        check(|| two_orders(WwPolicy::WaitDie, After::KeepHolding)).1,
        check(|| two_orders(WwPolicy::WaitWound, After::KeepHolding)).1,
    ] {
        let rule = "ww_mutex_lock_slow: everything held was dropped does not hold";
        assert!(findings.iter().any(|f| f.0 == Assertion && f.1.ends_with(rule)), "{findings:?}");
    }
}

#[test]
fn without_contexts_two_orders_deadlock() {
    let model = || {
        let class = WwClass::new("class", WwPolicy::WaitDie);
        let m = [WwMutex::new("a", class), WwMutex::new("b", class)];
        let task = move |x: usize| {
            move || {
                m[x].lock_without_context();
                m[1 - x].lock_without_context();
                m[1 - x].unlock();
                m[x].unlock();
            }
        };
        [spawn("ab", task(0)), spawn("ba", task(1))].into_iter().for_each(JoinHandle::join);
    };
    let (_, findings) = check(model);
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].0, Deadlock);
}

#[test]
fn a_lock_of_ones_own_is_told() {
    let model = || {
        let class = WwClass::new("class", WwPolicy::WaitDie);
        let m = WwMutex::new("m", class);
        let ctx = class.acquire_init("ctx");
        assert_eq!(m.lock(ctx), Ok(()));
        assert_eq!(m.lock(ctx), Err(WwError::Already));
        assert!(!m.trylock(Some(ctx)));
        assert!(!ctx.acquire_fini(), "a lock is held");
        assert!(m.unlock() && !m.unlock() && ctx.acquire_fini());
    };
    let (n, findings) = check(model);
    assert_eq!((n, findings.len()), (1, 1));
    assert!(findings[0].1.ends_with("ww_acquire_fini: the context holds no lock does not hold"));
}

#[test]
fn another_lock_before_the_contended_one_is_reported() {
    let model = || {
        let class = WwClass::new("class", WwPolicy::WaitDie);
        let m = [WwMutex::new("a", class), WwMutex::new("b", class), WwMutex::new("c", class)];
        let older = class.acquire_init("older");
        assert_eq!(m[0].lock(older), Ok(()));
        let younger = spawn("younger", move || {
            let ctx = class.acquire_init("younger");
            let _ = m[1].lock(ctx);
            if m[0].lock(ctx) == Err(WwError::Deadlock) {
                m[1].unlock();
                let _ = m[2].lock(ctx);
                m[2].unlock();
            } else {
                m[0].unlock();
                m[1].unlock();
            }
        });
        m[0].unlock();
        younger.join();
    };
    let (_, findings) = check(model);
    let rule = "younger locks c: after -EDEADLK everything is dropped, and the contended lock is taken first";
    assert_eq!(findings, [(User, rule.to_string())]);
}

/// Two classes, nested in opposite orders: a wound of one class must not cut a wait of the other short.
#[test]
fn classes_do_not_know_of_each_other() {
    let model = || {
        let die = WwClass::new("die", WwPolicy::WaitDie);
        let wound = WwClass::new("wound", WwPolicy::WaitWound);
        let m = [WwMutex::new("d", die), WwMutex::new("w", wound)];
        let task = move |first: usize| {
            move || {
                let class = [die, wound];
                let ctx = [class[first].acquire_init("outer"), class[1 - first].acquire_init("inner")];
                assert_eq!(m[first].lock(ctx[0]), Ok(()));
                assert_eq!(
                    m[1 - first].lock(ctx[1]),
                    Ok(()),
                    "with nothing held in its class a context waits"
                );
                m[1 - first].unlock();
                m[first].unlock();
            }
        };
        [spawn("dw", task(0)), spawn("wd", task(1))].into_iter().for_each(JoinHandle::join);
    };
    let (_, findings) = check(model);
    assert!(!findings.is_empty() && findings.iter().all(|f| f.0 == Deadlock), "{findings:?}");
}

#[test]
fn signals() {
    let model = || {
        let class = WwClass::new("class", WwPolicy::WaitWound);
        let m = WwMutex::new("m", class);
        let ctx = class.acquire_init("ctx");
        match m.lock_interruptible(ctx) {
            Ok(()) => assert!(m.unlock()),
            Err(e) => assert_eq!(e, WwError::Interrupted),
        }
        if m.lock_slow_interruptible(ctx).is_ok() {
            m.unlock();
        }
        assert!(ctx.acquire_fini());
    };
    assert_eq!(check_faults(0, model), clean(1));
    assert_eq!(check_faults(1, model), clean(3));
    assert_eq!(check_faults(2, model), clean(4));
}
