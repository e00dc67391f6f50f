// SPDX-License-Identifier: GPL-2.0-only
//! Each primitive in both directions: a use that is right in all interleavings, and a misuse that some interleaving
//! shows.

mod common;

use common::*;
use explorer::JoinHandle;
use kernel_model::prelude::*;
use kernel_model::{wait_event, wait_event_interruptible};

fn join<const N: usize>(tasks: [JoinHandle; N]) {
    tasks.into_iter().for_each(JoinHandle::join);
}

// Atomic context.

#[test]
fn a_spinlock_excludes() {
    check("spinlock", 2, || {
        let (lock, n) = (kstack(spin_lock_init("lock")), kstack(Plain::new("n", 0u32)));
        let add = move || {
            spin_lock(&lock);
            n.set(n.get() + 1);
            spin_unlock(&lock);
        };
        join([explorer::spawn("a", add), explorer::spawn("b", add)]);
        assert_eq!(n.get(), 2);
    });
}

#[test]
fn sleeping_is_reported_in_each_kind_of_atomic_context() {
    let m = || kstack(mutex_init("m"));
    fires("under a spinlock", 1, "BUG: sleeping function called from invalid context", move || {
        let (lock, m) = (kstack(spin_lock_init("lock")), m());
        spin_lock(&lock);
        mutex_lock(&m);
        mutex_unlock(&m);
        spin_unlock(&lock);
    });
    fires("in a read section", 1, "RCU nest depth: 1", move || {
        let m = m();
        rcu_read_lock();
        mutex_lock(&m);
        mutex_unlock(&m);
        rcu_read_unlock();
    });
    fires("preemption disabled", 1, "BUG: scheduling while atomic", || {
        preempt_disable();
        schedule();
        preempt_enable();
    });
    check("none of them", 1, move || {
        let (lock, m) = (kstack(spin_lock_init("lock")), m());
        spin_lock(&lock);
        assert!(in_atomic());
        spin_unlock(&lock);
        assert!(!in_atomic());
        mutex_lock(&m);
        mutex_unlock(&m);
    });
}

#[test]
fn interrupt_work_waits_for_interrupts() {
    check("irq_work", 1, || {
        let (lock, ran) = (kstack(spin_lock_init("lock")), kstack(Plain::new("ran", false)));
        spin_lock_irqsave(&lock);
        irq_work_queue(move || ran.set(true));
        assert!(!ran.get());
        spin_unlock_irqrestore(&lock);
        assert!(ran.get());
    });
}

#[test]
fn a_lock_that_is_not_held_cannot_be_released() {
    fires("spin_unlock", 1, "bad unlock balance detected! (lock)", || {
        spin_unlock(&kstack(spin_lock_init("lock")));
    });
    fires("rcu_read_unlock", 1, "bad unlock balance detected! (rcu_read_lock)", rcu_read_unlock);
    fires("lockdep_assert_held", 1, "WARNING: lock is not held", || {
        lockdep_assert_held(&kstack(spin_lock_init("lock")));
    });
}

// Wait queues.

#[derive(Debug)]
struct Door {
    wq: WaitQueueHead,
    open: Plain<bool>,
}

fn door() -> Kptr<Door> {
    kstack(Door { wq: init_waitqueue_head("wq"), open: Plain::new("open", false) })
}

fn opener(door: Kptr<Door>) -> JoinHandle {
    explorer::spawn("opener", move || {
        WRITE_ONCE(&door.open, true);
        wake_up(&door.wq);
    })
}

#[test]
fn wait_event_loses_no_wake_up() {
    check("wait_event", 6, || {
        let door = door();
        let opener = opener(door);
        wait_event!(&door.wq, READ_ONCE(&door.open));
        opener.join();
    });
}

#[test]
fn a_test_before_the_state_is_set_loses_a_wake_up() {
    fires("lost wake-up", 3, "deadlock: main waits to schedule", || {
        let door = door();
        let opener = opener(door);
        if !READ_ONCE(&door.open) {
            prepare_to_wait(&door.wq, TASK_UNINTERRUPTIBLE);
            schedule();
            finish_wait(&door.wq);
        }
        opener.join();
    });
}

#[test]
fn one_wake_up_wakes_one_exclusive_waiter() {
    fires("exclusive waiters", 8, "waits to schedule", || {
        let wq = kstack(init_waitqueue_head("wq"));
        let waiter = |name| {
            explorer::spawn(name, move || {
                prepare_to_wait_exclusive(&wq, TASK_UNINTERRUPTIBLE);
                schedule();
                finish_wait(&wq);
            })
        };
        let tasks = [waiter("a"), waiter("b")];
        wake_up(&wq);
        join(tasks);
    });
}

#[test]
fn a_signal_ends_an_interruptible_wait() {
    take_reached();
    check("interruptible", 11, || {
        let door = door();
        kernel_model::task::set_fault_budget(1);
        let opener = opener(door);
        match wait_event_interruptible!(&door.wq, READ_ONCE(&door.open)) {
            Ok(()) => reach(0),
            Err(err) => {
                assert_eq!(err, ERESTARTSYS);
                reach(1);
            }
        }
        opener.join();
    });
    assert_eq!(take_reached(), 0b11);
}

#[test]
fn interruptible_locks_give_up_for_a_signal_only_while_they_wait() {
    take_reached();
    check("mutex_lock_interruptible", 5, || {
        let m = kstack(mutex_init("m"));
        kernel_model::task::set_fault_budget(1);
        let holder = explorer::spawn("holder", move || {
            mutex_lock(&m);
            mutex_unlock(&m);
        });
        match mutex_lock_interruptible(&m) {
            Ok(()) => {
                reach(0);
                mutex_unlock(&m);
            }
            Err(err) => {
                assert_eq!(err, EINTR);
                reach(1);
            }
        }
        holder.join();
    });
    assert_eq!(take_reached(), 0b11);
}

#[test]
fn allocations_fail_within_the_budget_only() {
    take_reached();
    check("kzalloc", 3, || {
        kernel_model::task::set_fault_budget(1);
        for bit in 0..2 {
            match kzalloc(0u8) {
                Ok(p) => kfree(p),
                Err(err) => {
                    assert_eq!(err, ENOMEM);
                    reach(bit);
                }
            }
        }
    });
    assert_eq!(take_reached(), 0b11);
}

// RCU.

struct Shared {
    p: RcuPtr<Option<Kptr<Plain<u32>>>>,
}

fn shared() -> Kptr<Shared> {
    let object = kzalloc(Plain::new("object->value", 7)).expect("memory");
    kstack(Shared { p: RcuPtr::new("p", Some(object)) })
}

fn reader(s: Kptr<Shared>) -> JoinHandle {
    explorer::spawn("reader", move || {
        rcu_read_lock();
        if let Some(object) = rcu_dereference(&s.p) {
            assert_eq!(READ_ONCE(&object), 7);
            reach(0);
        } else {
            reach(1);
        }
        rcu_read_unlock();
    })
}

/// How an updater gets rid of an object.
fn rcu_case(name: &str, dispose: fn(Kptr<Plain<u32>>)) -> impl Fn() + 'static {
    let _ = name;
    move || {
        let s = shared();
        let reader = reader(s);
        let old = rcu_dereference(&s.p).expect("set above");
        rcu_assign_pointer(&s.p, None);
        dispose(old);
        reader.join();
    }
}

#[test]
fn readers_are_waited_for() {
    for (name, executions, dispose) in [
        (
            "synchronize_rcu",
            3,
            (|p| {
                synchronize_rcu();
                kfree(p);
            }) as fn(Kptr<Plain<u32>>),
        ),
        ("call_rcu", 3, |p| call_rcu(move || kfree(p))),
        ("kfree_rcu", 3, |p| kfree_rcu(p)),
    ] {
        take_reached();
        check(name, executions, rcu_case(name, dispose));
        assert_eq!(take_reached(), 0b11, "{name}");
    }
}

#[test]
fn who_was_inside_has_left_when_synchronize_rcu_returns() {
    take_reached();
    check("inside", 3, || {
        let inside = kstack(Plain::new("inside", false));
        let reader = explorer::spawn("reader", move || {
            rcu_read_lock();
            WRITE_ONCE(&inside, true);
            WRITE_ONCE(&inside, false);
            rcu_read_unlock();
        });
        if READ_ONCE(&inside) {
            synchronize_rcu();
            assert!(!READ_ONCE(&inside), "the reader is still inside");
            reach(0);
        }
        reader.join();
    });
    assert_eq!(take_reached(), 1);
}

#[test]
fn an_object_that_can_be_found_after_the_grace_period_began_is_caught() {
    fires("unpublished too late", 4, "BUG: KASAN: slab-use-after-free", || {
        let s = shared();
        let reader = reader(s);
        synchronize_rcu();
        let old = rcu_dereference(&s.p).expect("set above");
        rcu_assign_pointer(&s.p, None);
        kfree(old);
        reader.join();
    });
}

#[test]
fn a_free_without_a_grace_period_is_caught() {
    let words = "BUG: KASAN: slab-use-after-free";
    fires(
        "kfree at once",
        3,
        words,
        rcu_case("kfree", |p| {
            explorer::choose(1);
            kfree(p);
        }),
    );
}

#[test]
fn a_reader_who_comes_later_is_not_waited_for() {
    fires("kept past the section", 1, "BUG: KASAN: slab-use-after-free", || {
        let s = shared();
        rcu_read_lock();
        let kept = rcu_dereference(&s.p).expect("set above");
        rcu_read_unlock();
        kfree_rcu(kept);
        rcu_read_lock();
        kept.get();
        rcu_read_unlock();
    });
}

#[test]
fn synchronize_rcu_inside_of_a_read_section_waits_for_itself() {
    fires("self", 1, "deadlock: main waits to synchronize_rcu", || {
        rcu_read_lock();
        synchronize_rcu();
        rcu_read_unlock();
    });
}

// refcount_t: every warning.

#[test]
fn refcount_warns_as_the_kernel_does() {
    let r = |n| kstack(refcount_set("r", n));
    check("refcount", 1, move || {
        let r = r(1);
        refcount_inc(&r);
        refcount_dec(&r);
        assert!(refcount_inc_not_zero(&r) && !refcount_dec_and_test(&r) && refcount_dec_and_test(&r));
        assert!(!refcount_inc_not_zero(&r));
    });
    fires("add overflow", 1, "refcount_t: saturated; leaking memory.", move || refcount_inc(&r(i32::MAX)));
    fires("add not zero overflow", 1, "refcount_t: saturated; leaking memory.", move || {
        let r = r(i32::MAX);
        refcount_inc_not_zero(&r);
        assert_eq!(refcount_read(&r), REFCOUNT_SATURATED);
    });
    fires("add on 0", 1, "refcount_t: addition on 0; use-after-free.", move || {
        let r = r(0);
        refcount_inc(&r);
        assert_eq!(refcount_read(&r), REFCOUNT_SATURATED, "saturated, not live again");
    });
    fires("underflow", 1, "refcount_t: underflow; use-after-free.", move || {
        assert!(!refcount_dec_and_test(&r(0)), "not the last");
    });
    fires("underflow by 2", 1, "refcount_t: underflow; use-after-free.", move || {
        assert!(!refcount_sub_and_test(2, &r(1)));
    });
    fires("dec_not_one", 1, "refcount_t: underflow; use-after-free.", move || {
        refcount_dec_not_one(&r(0));
    });
    fires("dec to 0", 1, "refcount_t: decrement hit 0; leaking memory.", move || refcount_dec(&r(1)));
}
