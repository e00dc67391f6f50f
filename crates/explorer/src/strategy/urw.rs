// SPDX-License-Identifier: MIT OR Apache-2.0
//! URW: uniform random walk over interleavings.
//!
//! After Zhao, Wolff, Mathur and Roychoudhury, *Selectively Uniform Concurrency Testing*, ASPLOS 2025. Of tasks with
//! r₁, r₂, ... steps left, exactly the fraction rᵢ / Σr of all interleavings goes on with task i; a walk that chooses
//! with those weights makes every interleaving equally likely. The counts come from the caller, as measured by
//! [`crate::estimate()`].
//!
//! Exactly uniform when counts are exact and tasks neither block nor are created along the way; an approximation
//! otherwise: a blocked task has weight 0 while it is blocked, a task that outlives its count has weight 1.

use super::random::Samples;
use super::{Divergence, Strategy, View};
use crate::op::TaskId;
use crate::rng::Rng;

/// See the module's words.
#[derive(Clone, Debug)]
pub struct Urw {
    samples: Samples,
    rng: Rng,
    counts: Vec<u32>,
    left: Vec<u32>,
}

impl Urw {
    /// Executions of a program whose ith task, in the order of creation, takes about `counts[i]` steps (0 is the root).
    pub fn new(samples: Samples, counts: Vec<u32>) -> Self {
        Urw { samples, rng: Rng::new(0), counts, left: Vec::new() }
    }

    fn weight(&self, birth: usize) -> u64 {
        u64::from(self.left.get(birth).copied().unwrap_or(0)).max(1)
    }
}

impl Strategy for Urw {
    fn begin(&mut self) -> bool {
        self.left.clone_from(&self.counts);
        self.samples.begin().map(|rng| self.rng = rng).is_some()
    }

    fn decide(&mut self, view: &View<'_>) -> Result<TaskId, Divergence> {
        let sum = view.by_birth(view.enabled).map(|(birth, _)| self.weight(birth)).sum();
        let mut at = self.rng.below(sum);
        for (birth, t) in view.by_birth(view.enabled) {
            let weight = self.weight(birth);
            if at < weight {
                if let Some(left) = self.left.get_mut(birth) {
                    *left = left.saturating_sub(1);
                }
                return Ok(t);
            }
            at -= weight;
        }
        unreachable!("the number is below the sum of the weights")
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
