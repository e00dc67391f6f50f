// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a task holds: its stack of held locks.

use crate::class::{ClassId, WAIT_MAX};
use crate::lock::{Lock, Mode, Site};
use crate::report::TaskName;

/// How many locks a task can hold in the kernel before lockdep gives up.
///
/// Source: linux v7.3.4 include/linux/sched.h `MAX_LOCK_DEPTH`.
pub const MAX_LOCK_DEPTH: usize = 48;

/// One entry of the stack: a lock, or several locks of one class that share a nest lock.
///
/// Source: linux v7.3.4 include/linux/lockdep_types.h `struct held_lock`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) lock: Lock,
    pub(crate) nest: Option<Lock>,
    pub(crate) site: Site,
    pub(crate) class: ClassId,
    /// How many locks the entry stands for; 0 means one lock that never shared its entry.
    pub(crate) references: u32,
    pub(crate) mode: Mode,
    /// invariant: the wait type left to the task by this entry and all below it, never above [`WAIT_MAX`].
    pub(crate) context: u8,
    pub(crate) trylock: bool,
    pub(crate) check: bool,
    /// A report was made when it was taken; it is not checked again when locks below it are released.
    pub(crate) reported: bool,
}

/// A task with its name and its stack of held locks, outermost first.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) name: TaskName,
    pub(crate) held: Vec<Held>,
}

impl Task {
    pub(crate) fn new(name: TaskName) -> Self {
        Task { name, held: Vec::with_capacity(8) }
    }

    /// Makes this the task of another run.
    pub(crate) fn reuse(&mut self, comm: &str, pid: u32) {
        self.held.clear();
        self.name.pid = pid;
        if *self.name.comm != *comm {
            self.name.comm = comm.into();
        }
    }

    /// The wait type that the held locks leave to the task.
    #[inline]
    pub(crate) fn context(&self) -> u8 {
        self.held.last().map_or(WAIT_MAX, |top| top.context)
    }

    /// The innermost entry that stands for `lock`, whose class is `class` if it was ever used.
    ///
    /// An entry that stands for several locks of one class matches every lock of that class.
    ///
    /// Source: linux v7.3.4 kernel/locking/lockdep.c `match_held_lock`, `find_held_lock`.
    pub(crate) fn find(&self, lock: Lock, class: Option<ClassId>) -> Option<usize> {
        self.held
            .iter()
            .rposition(|held| held.lock.id == lock.id || (held.references > 0 && class == Some(held.class)))
    }

    /// As [`find`](Self::find), but the outermost entry: the order in which assertions look.
    ///
    /// Source: linux v7.3.4 kernel/locking/lockdep.c `__lock_is_held`.
    pub(crate) fn find_outermost(&self, lock: Lock, class: Option<ClassId>) -> Option<&Held> {
        self.held
            .iter()
            .find(|held| held.lock.id == lock.id || (held.references > 0 && class == Some(held.class)))
    }
}
