// SPDX-License-Identifier: MIT OR Apache-2.0
//! Giving a lock back, in any order, or giving up writing for reading.
//!
//! The innermost lock is just dropped. When one further out goes, everything above it is taken out and put back one
//! by one, which checks it against what is left: a lock that was serialised by a nest lock can lose it that way.

use crate::lock::{Lock, Mode, Site};
use crate::report::Report;
use crate::validator::{TaskId, Validator};

impl Validator {
    /// `task` gives `lock` back, or gives up waiting for it. Returns the number of new reports.
    ///
    /// Constant for the innermost lock, else linear in the number of locks above it times the number held.
    ///
    /// Source: linux v7.3.4 kernel/locking/lockdep.c `__lock_release`, `reacquire_held_locks`.
    ///
    /// # Panics
    ///
    /// When `task` is not of this run.
    pub fn release(&mut self, task: TaskId, lock: Lock, site: Site) -> usize {
        let class = self.known_class(lock);
        let Some(depth) = self.task(task).find(lock, class) else {
            return self.report_bad_unlock(task, lock, site);
        };
        let stack = &mut self.task_mut(task).held;
        let held = &mut stack[depth];
        if held.references > 1 {
            held.references -= 1;
            return 0;
        }
        if depth + 1 == stack.len() {
            stack.pop();
            return 0;
        }
        self.put_back(task, depth, None)
    }

    /// `task` turns its write lock into a read lock without letting go. Returns the number of new reports.
    ///
    /// Source: linux v7.3.4 kernel/locking/lockdep.c `__lock_downgrade`.
    ///
    /// # Panics
    ///
    /// When `task` is not of this run.
    pub fn downgrade(&mut self, task: TaskId, lock: Lock, site: Site) -> usize {
        let class = self.known_class(lock);
        let Some(depth) = self.task(task).find(lock, class) else {
            return self.report_bad_unlock(task, lock, site);
        };
        let mut found = 0;
        if self.task(task).held[depth].mode.is_read() {
            let (scene, lock) = (self.scene(task), self.line(&self.task(task).held[depth]));
            found = self.report(Report::DowngradeOfRead { scene, lock, site });
        }
        found + self.put_back(task, depth, Some(site))
    }

    /// Takes out the entry at `depth` and all above, and puts them back: without that entry, or with it downgraded.
    #[cold]
    fn put_back(&mut self, task: TaskId, depth: usize, downgraded_at: Option<Site>) -> usize {
        let mut above = self.task_mut(task).held.split_off(depth);
        let from = match downgraded_at {
            Some(site) => {
                (above[0].mode, above[0].site) = (Mode::Read, site);
                0
            }
            None => 1,
        };
        above[from..].iter().map(|held| self.push(task, *held)).sum()
    }

    #[cold]
    fn report_bad_unlock(&mut self, task: TaskId, lock: Lock, site: Site) -> usize {
        let lock = self.name(lock);
        self.report(Report::BadUnlock { scene: self.scene(task), lock, site })
    }
}
