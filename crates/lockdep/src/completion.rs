// SPDX-License-Identifier: MIT OR Apache-2.0
//! Cross-release: completions as locks that one task waits for and another gives.
//!
//! A task that holds `A` and waits for a completion `C` depends on whatever the completing task must take first. If
//! that is `A`, both hang. Seen as a lock, `C` is taken by the waiter when the wait begins and released by the
//! completer; every lock that the completer takes in between is taken while `C` is held, on its behalf:
//!
//! * the wait adds `A -> C` for the locks that the waiter holds,
//! * [`complete`](Validator::complete) adds `C -> L` for each lock that the completer waited for since that wait began.
//!
//! What the completer took before the wait began, or before its own history started anew, is not its doing for this
//! completion and adds nothing. A history starts anew at the return to user space and with each work item.
//!
//! The kernel had such a check for a short time and removed it for its false positives; completions are without
//! annotation there. It is off unless [`Config::cross_release`](crate::Config) asks for it, and then an inversion
//! appears in an ordinary circular report in which the completion is one of the locks.

use crate::class::ClassId;
use crate::held::Held;
use crate::lock::{Acquire, Lock, Site};
use crate::validator::{TaskId, Validator};

/// Waits that are going on, and what each task has taken of late.
#[derive(Clone, Debug, Default)]
pub(crate) struct CrossRelease {
    /// Counts the events that matter to the order of waits and acquisitions.
    clock: u64,
    waits: Vec<Wait>,
    /// By task. invariant: no longer than the tasks; entries are in the order of `at`.
    history: Vec<Vec<Past>>,
}

#[derive(Clone, Debug)]
struct Wait {
    task: TaskId,
    held: Held,
    since: u64,
}

#[derive(Clone, Debug)]
struct Past {
    held: Held,
    at: u64,
}

impl Validator {
    /// `task` begins to wait for `completion`, whose class is best made with [`ClassSpec::map`](crate::ClassSpec::map).
    ///
    /// Does nothing unless [`Config::cross_release`](crate::Config) is on. Returns the number of new reports.
    ///
    /// # Panics
    ///
    /// When `task` is not of this run.
    pub fn wait_for_completion(&mut self, task: TaskId, completion: Lock, site: Site) -> usize {
        if !self.config.cross_release {
            return 0;
        }
        let acquire = Acquire::write(completion, site);
        let held = self.held_for(&acquire);
        self.cross.clock += 1;
        let since = self.cross.clock;
        self.cross.waits.push(Wait { task, held, since });
        self.sync(task, &acquire)
    }

    /// `task` no longer waits for `completion`: it was completed, or the wait timed out or was interrupted.
    ///
    /// # Panics
    ///
    /// Never.
    pub fn wait_ended(&mut self, task: TaskId, completion: Lock) {
        self.cross.waits.retain(|wait| wait.task != task || wait.held.lock != completion);
    }

    /// `task` completes `completion`. Returns the number of new reports.
    ///
    /// Linear in the history of the task times the number of waits; nothing when nobody waits.
    ///
    /// # Panics
    ///
    /// When `task` is not of this run.
    pub fn complete(&mut self, task: TaskId, completion: Lock, _site: Site) -> usize {
        let ours = self.cross.waits.iter().filter(|wait| wait.held.lock == completion);
        let Some(wait) = ours.min_by_key(|wait| wait.since).cloned() else { return 0 };
        let history = self.cross.history.get(task.0 as usize);
        let taken: Vec<Held> =
            history.into_iter().flatten().filter(|p| p.at > wait.since).map(|p| p.held).collect();
        taken.iter().map(|next| self.depend_on_completion(task, &wait.held, next)).sum()
    }

    /// `task` starts on something new, such as the next work item: what it took so far no longer counts.
    ///
    /// # Panics
    ///
    /// Never.
    pub fn forget_history(&mut self, task: TaskId) {
        if let Some(history) = self.cross.history.get_mut(task.0 as usize) {
            history.clear();
        }
    }

    /// Remembers an acquisition that could have waited.
    #[cold]
    pub(crate) fn remember(&mut self, task: TaskId, held: &Held) {
        if held.trylock || !held.check {
            return;
        }
        let index = task.0 as usize;
        if self.cross.history.len() <= index {
            self.cross.history.resize_with(index + 1, Vec::new);
        }
        self.cross.clock += 1;
        let at = self.cross.clock;
        self.cross.history[index].push(Past { held: *held, at });
    }

    fn depend_on_completion(&mut self, task: TaskId, completion: &Held, next: &Held) -> usize {
        let (from, to): (ClassId, ClassId) = (completion.class, next.class);
        let kind = crate::DepKind::of(completion.mode, next.mode);
        if from == to || self.graph.kinds(from, to).contains(kind) {
            return 0;
        }
        self.depend(task, completion, next)
    }
}
