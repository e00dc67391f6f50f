// SPDX-License-Identifier: MIT OR Apache-2.0
//! Search strategies: one file each, behind one trait.
//!
//! Reading order: [`dfs`] (everything, no reduction: the oracle of the others), [`dpor`] (one execution a
//! Mazurkiewicz trace), [`replay`] (one given schedule).

pub mod dfs;
pub mod dpor;
mod past;
pub mod replay;

use crate::engine::SyncEvent;
use crate::op::{Op, TaskId, TaskSet};

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
}

/// A prefix could not be replayed: the model is not deterministic, or the schedule is another model's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Divergence {
    /// The decision, counted from 1, at which it was noticed; 0 for what concerns the whole schedule.
    pub decision: usize,
    /// What was expected and what was found.
    pub what: String,
}
