// SPDX-License-Identifier: GPL-2.0-only
//! `struct ww_mutex` without an acquire context: a mutex (kernel/locking/ww_mutex.h, include/linux/ww_mutex.h).

use crate::mutex::{Mutex, mutex_init, mutex_is_held, mutex_lock, mutex_trylock, mutex_unlock};

/// A wound/wait mutex.
#[derive(Debug)]
pub struct WwMutex {
    base: Mutex,
}

/// Initialises a mutex; `name` is its lock class.
//= linux v7.3.4 include/linux/ww_mutex.h ww_mutex_init
pub fn ww_mutex_init(name: &'static str) -> WwMutex {
    WwMutex { base: mutex_init(name) }
}

/// Acquires the mutex outside of any context.
///
/// In C: `ww_mutex_lock`, include/linux/ww_mutex.h.
#[track_caller]
pub fn ww_mutex_lock(lock: &WwMutex) {
    mutex_lock(&lock.base);
}

/// Tries to acquire the mutex outside of any context.
//= linux v7.3.4 kernel/locking/mutex.c ww_mutex_trylock
#[track_caller]
pub fn ww_mutex_trylock(lock: &WwMutex) -> bool {
    mutex_trylock(&lock.base)
}

/// Releases the mutex.
//= linux v7.3.4 kernel/locking/mutex.c ww_mutex_unlock
#[track_caller]
pub fn ww_mutex_unlock(lock: &WwMutex) {
    mutex_unlock(&lock.base);
}

/// Whether the current task holds the mutex: what lockdep asserts.
pub fn ww_mutex_is_locked(lock: &WwMutex) -> bool {
    mutex_is_held(&lock.base)
}
