// SPDX-License-Identifier: MIT OR Apache-2.0
//! Checks at a point of the program: assertions, freed memory, the way back to user space, the end of a task.

use crate::lock::{Lock, LockId, Site};
use crate::report::{Assertion, Report};
use crate::validator::{TaskId, Validator};

impl Validator {
    /// Whether `task` holds `lock`, in any mode. Linear in the number of locks held.
    ///
    /// Source: linux v7.3.4 kernel/locking/lockdep.c `__lock_is_held`.
    ///
    /// # Panics
    ///
    /// When `task` is not of this run.
    pub fn is_held(&self, task: TaskId, lock: Lock) -> bool {
        self.task(task).find_outermost(lock, self.known_class(lock)).is_some()
    }

    /// Whether `task` holds `lock` for reading (`read`) or for writing. Linear in the number of locks held.
    ///
    /// Source: linux v7.3.4 kernel/locking/lockdep.c `__lock_is_held`.
    ///
    /// # Panics
    ///
    /// When `task` is not of this run.
    pub fn is_held_type(&self, task: TaskId, lock: Lock, read: bool) -> bool {
        let held = self.task(task).find_outermost(lock, self.known_class(lock));
        held.is_some_and(|held| held.mode.is_read() == read)
    }

    /// `lockdep_assert_held()`. Returns the number of new reports, as all checks do.
    ///
    /// Source: linux v7.3.4 include/linux/lockdep.h `lockdep_assert_held`.
    ///
    /// # Panics
    ///
    /// When `task` is not of this run.
    pub fn assert_held(&mut self, task: TaskId, lock: Lock, site: Site) -> usize {
        let holds = self.is_held(task, lock);
        self.assert(holds, task, Assertion::Held, Some(lock), site)
    }

    /// `lockdep_assert_held_write()`.
    ///
    /// Source: linux v7.3.4 include/linux/lockdep.h `lockdep_assert_held_write`.
    ///
    /// # Panics
    ///
    /// When `task` is not of this run.
    pub fn assert_held_write(&mut self, task: TaskId, lock: Lock, site: Site) -> usize {
        let holds = self.is_held_type(task, lock, false);
        self.assert(holds, task, Assertion::HeldWrite, Some(lock), site)
    }

    /// `lockdep_assert_held_read()`. A writer fails it.
    ///
    /// Source: linux v7.3.4 include/linux/lockdep.h `lockdep_assert_held_read`.
    ///
    /// # Panics
    ///
    /// When `task` is not of this run.
    pub fn assert_held_read(&mut self, task: TaskId, lock: Lock, site: Site) -> usize {
        let holds = self.is_held_type(task, lock, true);
        self.assert(holds, task, Assertion::HeldRead, Some(lock), site)
    }

    /// `lockdep_assert_not_held()`.
    ///
    /// Source: linux v7.3.4 include/linux/lockdep.h `lockdep_assert_not_held`.
    ///
    /// # Panics
    ///
    /// When `task` is not of this run.
    pub fn assert_not_held(&mut self, task: TaskId, lock: Lock, site: Site) -> usize {
        let holds = !self.is_held(task, lock);
        self.assert(holds, task, Assertion::NotHeld, Some(lock), site)
    }

    /// `lockdep_assert_none_held_once()`, at every call.
    ///
    /// Source: linux v7.3.4 include/linux/lockdep.h `lockdep_assert_none_held_once`.
    ///
    /// # Panics
    ///
    /// When `task` is not of this run.
    pub fn assert_none_held(&mut self, task: TaskId, site: Site) -> usize {
        let holds = self.task(task).held.is_empty();
        self.assert(holds, task, Assertion::NoneHeld, None, site)
    }

    fn assert(
        &mut self,
        holds: bool,
        task: TaskId,
        what: Assertion,
        lock: Option<Lock>,
        site: Site,
    ) -> usize {
        if holds {
            return 0;
        }
        let lock = lock.map_or_else(String::new, |lock| self.name(lock));
        self.report(Report::AssertFailed { scene: self.scene(task), assertion: what, lock, site })
    }

    /// `task` frees the memory from address `from` up to, not including, `to`. No lock that it holds may lie there.
    ///
    /// Only the locks of that task are looked at, and the outermost is reported, as in the kernel; a lock that another
    /// task holds is a use after free, which is another sanitizer's to find. Linear in the number of locks held.
    ///
    /// Source: linux v7.3.4 kernel/locking/lockdep.c `debug_check_no_locks_freed`.
    ///
    /// # Panics
    ///
    /// When `task` is not of this run.
    pub fn memory_freed(&mut self, task: TaskId, from: u64, to: u64, site: Site) -> usize {
        let inside = |id: LockId| from <= id.0 && id.0 < to;
        let Some(held) = self.task(task).held.iter().find(|held| inside(held.lock.id)).copied() else {
            return 0;
        };
        let lock = self.line(&held);
        self.report(Report::HeldLockFreed { scene: self.scene(task), from, to, lock, site })
    }

    /// `task` initialises `lock` anew, which frees what it was before: `mutex_init()` of a held mutex is a report.
    ///
    /// Source: linux v7.3.4 kernel/locking/mutex-debug.c `debug_mutex_init`, and the like for other lock types.
    ///
    /// # Panics
    ///
    /// When `task` is not of this run.
    pub fn lock_initialised(&mut self, task: TaskId, lock: Lock, site: Site) -> usize {
        self.memory_freed(task, lock.id.0, lock.id.0 + 1, site)
    }

    /// `task` goes back to user space; it must hold nothing. Constant.
    ///
    /// Source: linux v7.3.4 kernel/locking/lockdep.c `lockdep_sys_exit`.
    ///
    /// # Panics
    ///
    /// When `task` is not of this run.
    pub fn return_to_user(&mut self, task: TaskId) -> usize {
        self.forget_history(task);
        if self.task(task).held.is_empty() {
            return 0;
        }
        self.report(Report::HeldOnReturnToUser { scene: self.scene(task) })
    }

    /// `task` exits, or is frozen; it must hold nothing. Constant.
    ///
    /// Source: linux v7.3.4 kernel/locking/lockdep.c `debug_check_no_locks_held`.
    ///
    /// # Panics
    ///
    /// When `task` is not of this run.
    pub fn task_exit(&mut self, task: TaskId) -> usize {
        self.forget_history(task);
        if self.task(task).held.is_empty() {
            return 0;
        }
        self.report(Report::StillHeld { scene: self.scene(task) })
    }
}
