// SPDX-License-Identifier: GPL-2.0-only
//! `struct ww_mutex` without an acquire context: a mutex (kernel/locking/ww_mutex.h, include/linux/ww_mutex.h).

use crate::dep_map::{DepMap, Kind};
use crate::preempt::might_sleep;
use crate::report::{Report, Site, report};

/// A wound/wait mutex.
#[derive(Debug)]
pub struct WwMutex {
    lock: explorer::sync::Mutex,
    dep_map: DepMap,
    name: &'static str,
}

/// Initialises a mutex; `name` is its lock class.
//= linux v7.3.4 include/linux/ww_mutex.h ww_mutex_init
pub fn ww_mutex_init(name: &'static str) -> WwMutex {
    let lock = explorer::sync::Mutex::new(name);
    WwMutex { lock, dep_map: DepMap::new(Kind::Mutex, name, lock.object()), name }
}

/// Acquires the mutex outside of any context.
///
/// In C: `ww_mutex_lock`, include/linux/ww_mutex.h.
#[track_caller]
pub fn ww_mutex_lock(lock: &WwMutex) {
    might_sleep();
    lock.dep_map.acquire();
    lock.lock.lock();
}

/// Tries to acquire the mutex outside of any context.
//= linux v7.3.4 kernel/locking/mutex.c ww_mutex_trylock
#[track_caller]
pub fn ww_mutex_trylock(lock: &WwMutex) -> bool {
    lock.dep_map.tried(lock.lock.trylock())
}

/// Releases the mutex.
//= linux v7.3.4 kernel/locking/mutex.c ww_mutex_unlock
#[track_caller]
pub fn ww_mutex_unlock(lock: &WwMutex) {
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
pub fn ww_mutex_is_locked(lock: &WwMutex) -> bool {
    explorer::holds(lock.lock.object(), None)
}
