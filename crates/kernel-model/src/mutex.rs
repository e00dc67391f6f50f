// SPDX-License-Identifier: GPL-2.0-only
//! `struct mutex`: kernel/locking/mutex.c, include/linux/mutex.h.

use crate::report::{Report, Site, report};

/// A mutex.
#[derive(Debug)]
pub struct Mutex {
    lock: explorer::sync::Mutex,
    name: &'static str,
}

/// Initialises a mutex; `name` is its lock class.
//= linux v7.3.4 include/linux/mutex.h mutex_init
pub fn mutex_init(name: &'static str) -> Mutex {
    Mutex { lock: explorer::sync::Mutex::new(name), name }
}

/// Acquires the mutex.
//= linux v7.3.4 kernel/locking/mutex.c mutex_lock
#[track_caller]
pub fn mutex_lock(lock: &Mutex) {
    lock.lock.lock();
}

/// Tries to acquire the mutex.
//= linux v7.3.4 kernel/locking/mutex.c mutex_trylock
#[track_caller]
pub fn mutex_trylock(lock: &Mutex) -> bool {
    lock.lock.trylock()
}

/// Releases the mutex.
//= linux v7.3.4 kernel/locking/mutex.c mutex_unlock
#[track_caller]
pub fn mutex_unlock(lock: &Mutex) {
    if !lock.lock.unlock() {
        report(Report::Warning {
            what: format!("bad unlock balance detected! ({})", lock.name),
            at: Site::here(),
        });
    }
}
