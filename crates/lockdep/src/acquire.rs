// SPDX-License-Identifier: MIT OR Apache-2.0
//! Taking a lock: the checks in their order, and the dependencies that it adds.
//!
//! 1. A lock of the class on top of the stack, under a nest lock, joins that entry and needs no check.
//! 2. *Wait context*: a blocking lock must not wait in a way that the held locks forbid.
//! 3. *Nest lock*: the lock that is named as nest lock must be held.
//! 4. *Recursion*: no other lock of the class may be held, unless both are readers and the new one may recurse, or
//!    the nest lock lies below the other one.
//! 5. *Order*: each new dependency must not close a strong cycle.
//!
//! A trylock passes 4 and 5 unchecked, since it did not wait. A dependency is recorded whether or not it is reported,
//! so that the graph of a run does not depend on what was reported before.

use crate::class::{ClassId, WAIT_MAX, WaitType};
use crate::dep::DepKind;
use crate::graph::Witness;
use crate::held::{Held, MAX_LOCK_DEPTH};
use crate::lock::{Acquire, Lock, Mode};
use crate::report::{Link, Report};
use crate::search::Step;
use crate::validator::{TaskId, Validator};

/// What the stack of held locks says about one more lock of some class.
enum Nesting {
    /// No lock of the class is in the way.
    Free,
    /// A lock of the class is held, and the nest lock below it serialises the two.
    Serialised,
    /// The lock at this depth would deadlock with the new one.
    Recursion(usize),
}

impl Validator {
    /// `task` takes, or is about to wait for, a lock. Returns the number of new reports.
    ///
    /// With known dependencies the cost is linear in the number of locks held; a search of the graph is made only
    /// when a dependency of a new kind appears.
    ///
    /// Source: linux v7.3.4 kernel/locking/lockdep.c `lock_acquire`, `__lock_acquire`.
    ///
    /// # Panics
    ///
    /// When `task` is not of this run, or the lock's key is not of this validator.
    pub fn acquire(&mut self, task: TaskId, acquire: &Acquire) -> usize {
        let held = self.held_for(acquire);
        if self.config.cross_release {
            self.remember(task, &held);
        }
        self.push(task, held)
    }

    /// `task` waits for a lock without keeping it: takes it and releases it at once, as `might_lock()` does.
    ///
    /// Source: linux v7.3.4 include/linux/lockdep.h `might_lock`.
    ///
    /// # Panics
    ///
    /// As [`acquire`](Self::acquire).
    pub fn might_lock(&mut self, task: TaskId, acquire: &Acquire) -> usize {
        self.acquire(task, acquire) + self.release(task, acquire.lock, acquire.site)
    }

    /// `task` waits until nobody holds the lock: every check of [`acquire`](Self::acquire), and nothing is held after.
    ///
    /// Source: linux v7.3.4 kernel/locking/lockdep.c `lock_sync`.
    ///
    /// # Panics
    ///
    /// As [`acquire`](Self::acquire).
    pub fn sync(&mut self, task: TaskId, acquire: &Acquire) -> usize {
        let mut held = self.held_for(acquire);
        self.graph.mark_used(held.class, held.mode, false);
        self.validate(task, &mut held)
    }

    pub(crate) fn held_for(&mut self, acquire: &Acquire) -> Held {
        let Acquire { lock, subclass, mode, trylock, check, nest, site } = *acquire;
        let (class, validate) = self.class_of(lock, subclass);
        Held {
            lock,
            nest,
            site,
            class,
            references: 0,
            mode,
            context: WAIT_MAX,
            trylock,
            check: check && validate,
            reported: false,
        }
    }

    /// Checks a lock and puts it on the stack of `task`. Also used for the locks above one that was taken out.
    pub(crate) fn push(&mut self, task: TaskId, mut held: Held) -> usize {
        if held.nest.is_some() && self.join_top(task, &held) {
            return 0;
        }
        self.graph.mark_used(held.class, held.mode, held.check);
        let found = self.validate(task, &mut held);
        held.context = self.narrowed_context(task, held.class);
        let stack = &mut self.task_mut(task).held;
        stack.push(held);
        if stack.len() == MAX_LOCK_DEPTH { found + self.report_depth(task) } else { found }
    }

    /// Counts the lock on the top entry when that is of its class; a nest lock makes them interchangeable.
    fn join_top(&mut self, task: TaskId, held: &Held) -> bool {
        match self.task_mut(task).held.last_mut() {
            Some(top) if top.class == held.class => {
                top.references = top.references.max(1) + held.references.max(1);
                true
            }
            _ => false,
        }
    }

    fn narrowed_context(&self, task: TaskId, class: ClassId) -> u8 {
        let context = self.task(task).context();
        let key = &self.graph.class(class).key;
        match key.inner {
            WaitType::Unchecked => context,
            inner if key.wait_override => inner as u8,
            inner => context.min(inner as u8),
        }
    }

    fn validate(&mut self, task: TaskId, held: &mut Held) -> usize {
        if held.reported {
            return 0;
        }
        let mut found = self.check_wait_context(task, held);
        if let Some(nest) = held.nest
            && !self.holds(task, nest)
        {
            found += self.report_nest(task, held, nest);
        } else if held.check && !held.trylock {
            found += match self.nesting(task, held) {
                Nesting::Free => self.check_order(task, held),
                Nesting::Serialised => 0,
                Nesting::Recursion(depth) => self.report_recursion(task, held, depth),
            };
        }
        held.reported = found > 0;
        found
    }

    /// Source: linux v7.3.4 kernel/locking/lockdep.c `check_wait_context`.
    fn check_wait_context(&mut self, task: TaskId, held: &Held) -> usize {
        let key = &self.graph.class(held.class).key;
        if held.trylock || key.inner == WaitType::Unchecked {
            return 0;
        }
        let outer = if key.outer == WaitType::Unchecked { key.inner } else { key.outer };
        if outer as u8 > self.task(task).context() { self.report_wait_context(task, held) } else { 0 }
    }

    fn holds(&self, task: TaskId, lock: Lock) -> bool {
        self.task(task).find(lock, self.known_class(lock)).is_some()
    }

    /// Source: linux v7.3.4 kernel/locking/lockdep.c `check_deadlock`.
    fn nesting(&self, task: TaskId, held: &Held) -> Nesting {
        let nest = held.nest.map(|n| n.id);
        let mut nest_seen = false;
        for (depth, prev) in self.task(task).held.iter().enumerate() {
            nest_seen |= nest == Some(prev.lock.id);
            if prev.class != held.class || (held.mode == Mode::RecursiveRead && prev.mode.is_read()) {
                continue;
            }
            return if nest_seen { Nesting::Serialised } else { Nesting::Recursion(depth) };
        }
        Nesting::Free
    }

    /// Adds the dependencies from the held locks that no recorded dependency stands for yet.
    ///
    /// From the innermost outwards these are all trylocks and the first lock that was waited for: that one brought the
    /// dependencies from everything further out when it was taken itself.
    ///
    /// Source: linux v7.3.4 kernel/locking/lockdep.c `check_prevs_add`.
    fn check_order(&mut self, task: TaskId, held: &Held) -> usize {
        let mut found = 0;
        for depth in (0..self.task(task).held.len()).rev() {
            let prev = &self.task(task).held[depth];
            if !prev.check {
                continue;
            }
            let passes =
                prev.trylock || (self.config.past_recursive_readers && prev.mode == Mode::RecursiveRead);
            if prev.class != held.class {
                let kind = DepKind::of(prev.mode, held.mode);
                if !self.graph.kinds(prev.class, held.class).contains(kind) {
                    let prev = *prev;
                    found += self.depend(task, &prev, held);
                }
            }
            if !passes {
                break;
            }
        }
        found
    }

    /// Records a new dependency from `prev` to `next` and reports it if it closes a strong cycle.
    ///
    /// A kind that a stronger kind of the same pair implies closes no cycle of its own.
    ///
    /// Source: linux v7.3.4 kernel/locking/lockdep.c `check_prev_add`.
    #[cold]
    pub(crate) fn depend(&mut self, task: TaskId, prev: &Held, next: &Held) -> usize {
        let kind = DepKind::of(prev.mode, next.mode);
        let mut found = 0;
        if !self.graph.kinds(prev.class, next.class).implies(kind)
            && let Some(path) = self.graph.strong_path(next.class, prev.class, kind)
        {
            found = self.report_circular(task, prev, next, &path);
        }
        let (comm, pid) = self.comm(task);
        let (held_at, held_mode, taken_at, taken_mode) = (prev.site, prev.mode, next.site, next.mode);
        let witness = Witness { comm, pid, held_at, held_mode, taken_at, taken_mode };
        self.graph.add(prev.class, next.class, kind, &witness);
        found
    }

    fn report_circular(&mut self, task: TaskId, prev: &Held, next: &Held, path: &[Step]) -> usize {
        let chain: Vec<Link> = path.iter().map(|step| self.graph.link(*step)).collect();
        let (wanted, held) = (self.line(next), self.line(prev));
        self.report(Report::Circular { scene: self.scene(task), wanted, held, chain })
    }

    #[cold]
    fn report_recursion(&mut self, task: TaskId, held: &Held, depth: usize) -> usize {
        let prev = self.line(&self.task(task).held[depth]);
        self.report(Report::Recursive { scene: self.scene(task), wanted: self.line(held), held: prev })
    }

    #[cold]
    fn report_nest(&mut self, task: TaskId, held: &Held, nest: Lock) -> usize {
        let nest = self.name(nest);
        self.report(Report::NestLockNotHeld { scene: self.scene(task), wanted: self.line(held), nest })
    }

    #[cold]
    fn report_wait_context(&mut self, task: TaskId, held: &Held) -> usize {
        let context = self.task(task).context();
        self.report(Report::InvalidWaitContext { scene: self.scene(task), wanted: self.line(held), context })
    }

    #[cold]
    fn report_depth(&mut self, task: TaskId) -> usize {
        self.report(Report::TooDeep { scene: self.scene(task) })
    }
}
