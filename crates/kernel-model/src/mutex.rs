// SPDX-License-Identifier: GPL-2.0-only
//! `struct mutex`: kernel/locking/mutex.c, include/linux/mutex.h.

use crate::dep_map::{DepMap, Kind};
use crate::errno::{EINTR, KResult};
use crate::preempt::might_sleep;
use crate::report::{Report, Site, report};
use crate::task::fault;

/// A mutex.
#[derive(Debug)]
pub struct Mutex {
    lock: explorer::sync::Mutex,
    dep_map: DepMap,
    name: &'static str,
}

/// Initialises a mutex; `name` is its lock class.
//= linux v7.3.4 include/linux/mutex.h mutex_init
pub fn mutex_init(name: &'static str) -> Mutex {
    let lock = explorer::sync::Mutex::new(name);
    Mutex { lock, dep_map: DepMap::new(Kind::Mutex, name, lock.object()), name }
}

/// Acquires the mutex.
//= linux v7.3.4 kernel/locking/mutex.c mutex_lock
#[track_caller]
pub fn mutex_lock(lock: &Mutex) {
    might_sleep();
    lock.dep_map.acquire();
    lock.lock.lock();
}

/// Acquires the mutex inside another of the same class.
///
/// In C: `mutex_lock_nested`, kernel/locking/mutex.c.
#[track_caller]
pub fn mutex_lock_nested(lock: &Mutex, subclass: u8) {
    might_sleep();
    lock.dep_map.acquire_nested(subclass);
    lock.lock.lock();
}

/// Acquires the mutex, unless a signal comes while it waits.
///
/// # Errors
/// `EINTR`: the fault budget had a signal come while the mutex was not free.
//= linux v7.3.4 kernel/locking/mutex.c mutex_lock_interruptible
#[track_caller]
pub fn mutex_lock_interruptible(lock: &Mutex) -> KResult {
    might_sleep();
    if !fault("signal") {
        lock.dep_map.acquire();
        lock.lock.lock();
    } else if !lock.dep_map.tried(lock.lock.trylock()) {
        return Err(EINTR);
    }
    Ok(())
}

/// As [`mutex_lock_interruptible`], for fatal signals only.
///
/// # Errors
/// `EINTR`.
//= linux v7.3.4 kernel/locking/mutex.c mutex_lock_killable
#[track_caller]
pub fn mutex_lock_killable(lock: &Mutex) -> KResult {
    mutex_lock_interruptible(lock)
}

/// Tries to acquire the mutex.
//= linux v7.3.4 kernel/locking/mutex.c mutex_trylock
#[track_caller]
pub fn mutex_trylock(lock: &Mutex) -> bool {
    lock.dep_map.tried(lock.lock.trylock())
}

/// Releases the mutex.
//= linux v7.3.4 kernel/locking/mutex.c mutex_unlock
#[track_caller]
pub fn mutex_unlock(lock: &Mutex) {
    if lock.lock.unlock() {
        lock.dep_map.release();
    } else {
        report(Report::Warning {
            what: format!("bad unlock balance detected! ({})", lock.name),
            at: Site::here(),
        });
    }
}

/// Whether the current task holds the mutex: what lockdep asserts.
pub(crate) fn mutex_is_held(lock: &Mutex) -> bool {
    explorer::holds(lock.lock.object(), None)
}
