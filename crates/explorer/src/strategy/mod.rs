// SPDX-License-Identifier: MIT OR Apache-2.0
//! Search strategies: one file each, behind one trait.
//!
//! Exhaustive, in reading order: [`dfs`] (everything, no reduction: the oracle of the others), [`dpor`] (one
//! execution a Mazurkiewicz trace), [`bounded`] (everything up to a number of preemptions), [`state_hash`] (no state
//! twice). Sampling, for what cannot be exhausted: [`random`], [`pct`], [`pos`], [`urw`]. And [`replay`], one given
//! schedule.

pub mod bounded;
pub mod dfs;
mod divergence;
pub mod dpor;
mod past;
pub mod pct;
pub mod pos;
pub mod random;
pub mod replay;
pub mod state_hash;
pub mod urw;

pub use divergence::Divergence;

use std::fmt;

use crate::engine::{Engine, SyncEvent};
use crate::op::{Op, TaskId, TaskSet, members};

/// What a strategy sees when it must decide.
#[derive(Debug)]
pub struct View<'a> {
    /// The pending operation of each task; meaningful for members of `ready`.
    pub pending: &'a [Op],
    /// Tasks that wait with a pending operation.
    pub ready: TaskSet,
    /// Those of them whose operation may happen now; never empty when a decision is asked for.
    pub enabled: TaskSet,
    /// What the last step did without being scheduled: releases, spawns, joins, in order.
    pub log: &'a [SyncEvent],
    /// The tasks of this execution in the order of their creation; a task's place is its letter in a schedule.
    pub births: &'a [TaskId],
    pub(crate) world: World<'a>,
}

/// The rest of the engine, for what a strategy seldom asks.
#[derive(Clone, Copy)]
pub(crate) struct World<'a>(pub(crate) &'a Engine);

impl fmt::Debug for World<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

impl View<'_> {
    /// A 128-bit hash of the state: objects, pending operations, and what each task has observed so far. Two equal
    /// hashes mean the same future, but for collisions. Needs [`Strategy::observes`]; O(tasks + objects).
    pub fn fingerprint(&self, seed: u64) -> u128 {
        crate::fingerprint::state(self.world.0, seed)
    }

    /// The members of a set in the order of their creation, each with its place in that order. Unlike the order of
    /// their numbers it depends on this execution alone.
    pub fn by_birth(&self, set: TaskSet) -> impl Iterator<Item = (usize, TaskId)> + '_ {
        self.births.iter().copied().enumerate().filter(move |(_, t)| set & t.bit() != 0)
    }

    /// Words for an operation, e.g. `lock resv`.
    pub fn describe(&self, op: Op) -> String {
        match self.world.0.slots.get(op.object.index()) {
            Some(slot) => match slot.class.ops.get(op.kind as usize) {
                Some(info) => format!("{} {}", info.name, slot.name),
                None => format!("operation {} of {}", op.kind, slot.name),
            },
            None => "an operation on an object that does not exist".into(),
        }
    }

    /// The task's name.
    pub fn name(&self, t: TaskId) -> &str {
        self.world.0.tasks.get(t.index()).map_or("?", |t| &t.name)
    }

    /// Words for what the tasks of a set are about to do, e.g. `mapper (lock resv), faulter (read x)`.
    pub fn describe_all(&self, set: TaskSet) -> String {
        let words: Vec<String> = members(set & self.ready)
            .map(|t| format!("{} ({})", self.name(t), self.describe(self.pending[t.index()])))
            .collect();
        if words.is_empty() { "nobody".into() } else { words.join(", ") }
    }
}

/// A search strategy.
///
/// The explorer calls [`begin`](Self::begin) before each execution, [`decide`](Self::decide) at each step,
/// [`choose`](Self::choose) at each choice and [`end`](Self::end) after the last step.
pub trait Strategy {
    /// Prepares the next execution; `false` when there is none.
    fn begin(&mut self) -> bool;

    /// How many leading decisions of the next execution are those of the last one. They are repeated without asking:
    /// neither [`decide`](Self::decide) nor [`choose`](Self::choose) is called for them. Called once after each
    /// [`begin`](Self::begin); a strategy that does not remember executions, or a wrapper that must see all decisions,
    /// leaves it at 0.
    fn repeats(&mut self) -> usize {
        0
    }

    /// The task that takes the next step: a member of `view.enabled`.
    ///
    /// # Errors
    /// The model did not behave as before: what differs.
    fn decide(&mut self, view: &View<'_>) -> Result<TaskId, Divergence>;

    /// A value below `n` for the choice that `task` makes now.
    ///
    /// # Errors
    /// As for [`decide`](Self::decide).
    fn choose(&mut self, task: TaskId, n: u32) -> Result<u32, Divergence>;

    /// The execution is over; `view.ready` are the tasks that are blocked for good.
    fn end(&mut self, view: &View<'_>);

    /// Whether the execution that runs brings nothing new (sleep-blocked) and is not to be counted.
    fn redundant(&self) -> bool {
        false
    }

    /// Forgets all progress: what is a scheduling point has changed.
    fn restart(&mut self);

    /// Whether the strategy asks for [`View::fingerprint`]: tasks' observations are then hashed as they are made.
    fn observes(&self) -> bool {
        false
    }

    /// Whether executions are drawn at random: then running out of them exhausts nothing.
    fn samples(&self) -> bool {
        false
    }

    /// Asked after [`end`](Self::end): the execution was over before an earlier one with the same decisions.
    fn fault(&mut self) -> Option<Divergence> {
        None
    }
}
