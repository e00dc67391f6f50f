// SPDX-License-Identifier: MIT OR Apache-2.0
//! PCT: random priorities that change at d − 1 random steps.
//!
//! After Burckhardt, Kothari, Musuvathi and Nagarakatte, *A Randomized Scheduler with Probabilistic Guarantees of
//! Finding Bugs*, ASPLOS 2010. The enabled task of highest priority runs; at a change point it falls below all
//! others. A bug of depth d (one that d ordering constraints force) is found by each execution with a probability of
//! at least 1 / (n · k^(d−1)), for n tasks and k steps.
//!
//! Differences: a task gets its place among the priorities when it first becomes ready, since tasks are created while
//! the execution runs; k is given by the caller (see [`crate::estimate()`]), not learnt from earlier executions, so
//! that the nth execution of a seed is always the same.

use super::random::Samples;
use super::{Divergence, Strategy, View};
use crate::op::TaskId;
use crate::rng::Rng;

/// See the module's words.
#[derive(Clone, Debug)]
pub struct Pct {
    samples: Samples,
    rng: Rng,
    depth: u32,
    steps: u64,
    step: u64,
    /// Steps before which the running task falls, in ascending order.
    changes: Vec<u64>,
    /// Tasks by priority, the highest first.
    order: Vec<TaskId>,
}

impl Pct {
    /// Executions that find bugs of depth `depth` (1: an order of tasks alone) in programs of about `steps` steps.
    ///
    /// # Panics
    /// When `depth` is 0.
    pub fn new(samples: Samples, depth: u32, steps: u64) -> Self {
        assert!(depth > 0, "a bug has at least depth 1");
        let rng = Rng::new(0);
        Pct { samples, rng, depth, steps: steps.max(1), step: 0, changes: Vec::new(), order: Vec::new() }
    }
}

impl Strategy for Pct {
    fn begin(&mut self) -> bool {
        let Some(rng) = self.samples.begin() else { return false };
        self.rng = rng;
        self.step = 0;
        self.order.clear();
        self.changes.clear();
        for _ in 1..self.depth {
            self.changes.push(self.rng.below(self.steps));
        }
        self.changes.sort_unstable();
        true
    }

    fn decide(&mut self, view: &View<'_>) -> Result<TaskId, Divergence> {
        for (_, t) in view.by_birth(view.ready) {
            if !self.order.contains(&t) {
                let at = self.rng.below(self.order.len() as u64 + 1) as usize;
                self.order.insert(at, t);
            }
        }
        let highest = |order: &[TaskId]| {
            order.iter().position(|t| view.enabled & t.bit() != 0).expect("an enabled task is ready")
        };
        while self.changes.first().is_some_and(|c| *c <= self.step) {
            self.changes.remove(0);
            let fallen = self.order.remove(highest(&self.order));
            self.order.push(fallen);
        }
        self.step += 1;
        Ok(self.order[highest(&self.order)])
    }

    fn choose(&mut self, _: TaskId, n: u32) -> Result<u32, Divergence> {
        Ok(self.rng.below(u64::from(n)) as u32)
    }

    fn end(&mut self, _: &View<'_>) {}

    fn restart(&mut self) {
        self.samples.restart();
    }

    fn samples(&self) -> bool {
        true
    }
}
