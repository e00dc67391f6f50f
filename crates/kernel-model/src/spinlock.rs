// SPDX-License-Identifier: GPL-2.0-only
//! `spinlock_t`: include/linux/spinlock.h. Its holder runs in atomic context.

use crate::irq_work::irq_work_run;
use crate::preempt::{preempt_disable, preempt_enable};
use crate::report::{Report, Site, report};
use crate::world::with_task;

/// A spinlock.
#[derive(Debug)]
pub struct SpinlockT {
    lock: explorer::sync::Mutex,
    name: &'static str,
}

/// Initialises a spinlock; `name` is its lock class.
///
/// In C: `spin_lock_init`, include/linux/spinlock.h.
pub fn spin_lock_init(name: &'static str) -> SpinlockT {
    SpinlockT { lock: explorer::sync::Mutex::new(name), name }
}

/// Acquires the lock; the caller must not sleep until it has released it.
//= linux v7.3.4 include/linux/spinlock.h spin_lock
#[track_caller]
pub fn spin_lock(lock: &SpinlockT) {
    preempt_disable();
    lock.lock.lock();
}

/// Tries to acquire the lock.
//= linux v7.3.4 include/linux/spinlock.h spin_trylock
#[track_caller]
pub fn spin_trylock(lock: &SpinlockT) -> bool {
    preempt_disable();
    let got = lock.lock.trylock();
    if !got {
        preempt_enable();
    }
    got
}

/// Releases the lock.
//= linux v7.3.4 include/linux/spinlock.h spin_unlock
#[track_caller]
pub fn spin_unlock(lock: &SpinlockT) {
    if lock.lock.unlock() {
        preempt_enable();
    } else {
        report(Report::Warning {
            what: format!("bad unlock balance detected! ({})", lock.name),
            at: Site::here(),
        });
    }
}

/// Acquires the lock with interrupts off; nests, as saved flags do.
///
/// In C: `spin_lock_irqsave`, include/linux/spinlock.h.
#[track_caller]
pub fn spin_lock_irqsave(lock: &SpinlockT) {
    local_irq_disable();
    spin_lock(lock);
}

/// Releases the lock and turns interrupts on again, if this was the outermost lock that turned them off. What came
/// meanwhile runs now.
//= linux v7.3.4 include/linux/spinlock.h spin_unlock_irqrestore
#[track_caller]
pub fn spin_unlock_irqrestore(lock: &SpinlockT) {
    spin_unlock(lock);
    local_irq_enable();
}

/// As [`spin_lock_irqsave`], for a caller that knows interrupts to be on.
//= linux v7.3.4 include/linux/spinlock.h spin_lock_irq
#[track_caller]
pub fn spin_lock_irq(lock: &SpinlockT) {
    spin_lock_irqsave(lock);
}

/// Undoes [`spin_lock_irq`].
//= linux v7.3.4 include/linux/spinlock.h spin_unlock_irq
#[track_caller]
pub fn spin_unlock_irq(lock: &SpinlockT) {
    spin_unlock_irqrestore(lock);
}

/// Turns interrupts off; nests.
#[track_caller]
fn local_irq_disable() {
    let at = Site::here();
    with_task(|t| {
        t.context.enter(at);
        t.context.irqs_disabled += 1;
    });
}

/// Turns interrupts on, if this undoes the outermost [`local_irq_disable`].
fn local_irq_enable() {
    let on = with_task(|t| {
        t.context.irqs_disabled = t.context.irqs_disabled.saturating_sub(1);
        t.context.irqs_disabled == 0
    });
    if on {
        irq_work_run();
    }
}

/// Warns unless the current task holds the lock.
///
/// In C: `lockdep_assert_held`, include/linux/lockdep.h.
#[track_caller]
pub fn lockdep_assert_held(lock: &SpinlockT) {
    if !spin_is_held(lock) {
        report(Report::Warning { what: format!("{} is not held", lock.name), at: Site::here() });
    }
}

/// Whether the current task holds the lock: what lockdep asserts.
pub fn spin_is_held(lock: &SpinlockT) -> bool {
    explorer::holds(lock.lock.object(), None)
}
