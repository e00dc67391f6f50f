// SPDX-License-Identifier: MIT OR Apache-2.0
//! POS: partial-order sampling.
//!
//! After Yuan, Yang and Gu, *Partial Order Aware Concurrency Sampling*, CAV 2018. Each pending operation has a random
//! priority; the highest that is enabled happens; then the operations that depend on it draw new priorities. Orders
//! of independent operations cost no probability, so that partial orders are covered far more evenly than by a
//! random walk.

use super::random::Samples;
use super::{Divergence, Strategy, View};
use crate::op::{TaskId, members};
use crate::rng::Rng;

/// See the module's words.
#[derive(Clone, Debug)]
pub struct Pos {
    samples: Samples,
    rng: Rng,
    /// The priority of each task's pending operation; 0 when it has none yet.
    priority: Vec<u64>,
}

impl Pos {
    /// The executions that `samples` names.
    pub fn new(samples: Samples) -> Self {
        Pos { samples, rng: Rng::new(0), priority: Vec::new() }
    }
}

impl Strategy for Pos {
    fn begin(&mut self) -> bool {
        self.priority.clear();
        self.samples.begin().map(|rng| self.rng = rng).is_some()
    }

    fn decide(&mut self, view: &View<'_>) -> Result<TaskId, Divergence> {
        if self.priority.len() < view.pending.len() {
            self.priority.resize(view.pending.len(), 0);
        }
        for (_, t) in view.by_birth(view.ready) {
            let p = &mut self.priority[t.index()];
            if *p == 0 {
                *p = self.rng.word() | 1;
            }
        }
        let t = members(view.enabled).max_by_key(|t| self.priority[t.index()]).expect("somebody is enabled");
        let op = view.pending[t.index()];
        self.priority[t.index()] = 0;
        for q in members(view.ready) {
            if view.pending[q.index()].dependent(op) {
                self.priority[q.index()] = 0;
            }
        }
        Ok(t)
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
