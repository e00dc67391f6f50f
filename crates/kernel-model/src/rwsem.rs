// SPDX-License-Identifier: GPL-2.0-only
//! `struct rw_semaphore`: kernel/locking/rwsem.c, include/linux/rwsem.h.
//!
//! A queued writer blocks new readers (the explorer's announced writer). Which waiter is next is free, as the
//! kernel's optimistic spinning and lock stealing leave it.

use explorer::{Mode, holds};

use crate::dep_map::{DepMap, Kind};
use crate::errno::{EINTR, KResult};
use crate::preempt::might_sleep;
use crate::report::{Report, Site, report};
use crate::task::fault;

/// A reader-writer semaphore.
#[derive(Debug)]
pub struct RwSemaphore {
    sem: explorer::sync::RwSem,
    dep_map: DepMap,
    name: &'static str,
}

/// Initialises a semaphore; `name` is its lock class.
//= linux v7.3.4 include/linux/rwsem.h init_rwsem
pub fn init_rwsem(name: &'static str) -> RwSemaphore {
    let sem = explorer::sync::RwSem::new(name);
    RwSemaphore { sem, dep_map: DepMap::new(Kind::RwSem, name, sem.object()), name }
}

/// Locks for reading.
//= linux v7.3.4 kernel/locking/rwsem.c down_read
#[track_caller]
pub fn down_read(sem: &RwSemaphore) {
    might_sleep();
    sem.dep_map.acquire_read();
    sem.sem.down_read();
}

/// Locks for reading, unless a signal comes while it waits.
///
/// # Errors
/// `EINTR`: the fault budget had one come while the semaphore was not free.
//= linux v7.3.4 kernel/locking/rwsem.c down_read_interruptible
#[track_caller]
pub fn down_read_interruptible(sem: &RwSemaphore) -> KResult {
    might_sleep();
    if !fault("signal") {
        sem.dep_map.acquire_read();
        sem.sem.down_read();
    } else if !sem.dep_map.tried_read(sem.sem.down_read_trylock()) {
        return Err(EINTR);
    }
    Ok(())
}

/// Locks for reading, unless a fatal signal comes while it waits.
///
/// # Errors
/// `EINTR`: the fault budget had one come while the semaphore was not free.
//= linux v7.3.4 kernel/locking/rwsem.c down_read_killable
#[track_caller]
pub fn down_read_killable(sem: &RwSemaphore) -> KResult {
    down_read_interruptible(sem)
}

/// Tries to lock for reading.
//= linux v7.3.4 kernel/locking/rwsem.c down_read_trylock
#[track_caller]
pub fn down_read_trylock(sem: &RwSemaphore) -> bool {
    sem.dep_map.tried_read(sem.sem.down_read_trylock())
}

/// Locks for writing.
//= linux v7.3.4 kernel/locking/rwsem.c down_write
#[track_caller]
pub fn down_write(sem: &RwSemaphore) {
    might_sleep();
    sem.dep_map.acquire();
    sem.sem.down_write();
}

/// For the second of two locks of one class: `subclass` tells it apart.
pub const SINGLE_DEPTH_NESTING: u8 = 1;

/// Locks for writing inside another lock of the same class.
//= linux v7.3.4 kernel/locking/rwsem.c down_write_nested
#[track_caller]
pub fn down_write_nested(sem: &RwSemaphore, subclass: u8) {
    might_sleep();
    sem.dep_map.acquire_nested(subclass);
    sem.sem.down_write();
}

/// Locks for writing, unless a fatal signal comes while it waits.
///
/// # Errors
/// `EINTR`: the fault budget had one come while the semaphore was not free.
//= linux v7.3.4 kernel/locking/rwsem.c down_write_killable
#[track_caller]
pub fn down_write_killable(sem: &RwSemaphore) -> KResult {
    might_sleep();
    if !fault("signal") {
        sem.dep_map.acquire();
        sem.sem.down_write();
    } else if !sem.dep_map.tried(sem.sem.down_write_trylock()) {
        return Err(EINTR);
    }
    Ok(())
}

/// Tries to lock for writing.
//= linux v7.3.4 kernel/locking/rwsem.c down_write_trylock
#[track_caller]
pub fn down_write_trylock(sem: &RwSemaphore) -> bool {
    sem.dep_map.tried(sem.sem.down_write_trylock())
}

/// Releases a read lock.
//= linux v7.3.4 kernel/locking/rwsem.c up_read
#[track_caller]
pub fn up_read(sem: &RwSemaphore) {
    if sem.sem.up_read() {
        sem.dep_map.release();
    } else {
        unbalanced(sem);
    }
}

/// Releases a write lock.
//= linux v7.3.4 kernel/locking/rwsem.c up_write
#[track_caller]
pub fn up_write(sem: &RwSemaphore) {
    if sem.sem.up_write() {
        sem.dep_map.release();
    } else {
        unbalanced(sem);
    }
}

/// Turns a write lock into a read lock.
//= linux v7.3.4 kernel/locking/rwsem.c downgrade_write
#[track_caller]
pub fn downgrade_write(sem: &RwSemaphore) {
    if sem.sem.downgrade_write() {
        sem.dep_map.downgrade();
    } else {
        unbalanced(sem);
    }
}

#[track_caller]
fn unbalanced(sem: &RwSemaphore) {
    report(Report::Warning {
        what: format!("bad unlock balance detected! ({})", sem.name),
        at: Site::here(),
    });
}

/// Warns unless the current task holds the semaphore for writing.
//= linux v7.3.4 include/linux/lockdep.h lockdep_assert_held_write
#[track_caller]
pub fn lockdep_assert_held_write(sem: &RwSemaphore) {
    if !holds(sem.sem.object(), Some(Mode::Exclusive)) {
        report(Report::Warning { what: format!("{} is not held for write", sem.name), at: Site::here() });
    }
}

/// Warns unless the current task holds the semaphore for reading.
//= linux v7.3.4 include/linux/lockdep.h lockdep_assert_held_read
#[track_caller]
pub fn lockdep_assert_held_read(sem: &RwSemaphore) {
    if !holds(sem.sem.object(), Some(Mode::Shared)) {
        report(Report::Warning { what: format!("{} is not held for read", sem.name), at: Site::here() });
    }
}
