// SPDX-License-Identifier: MIT OR Apache-2.0
//! Random walk: at each step every enabled task is equally likely.
//!
//! Cheap and unbiased towards nothing in particular; interleavings with few alternatives are far more likely than
//! others, which is what [`super::pos`] and [`super::urw`] correct.

use super::{Divergence, Strategy, View};
use crate::op::TaskId;
use crate::rng::Rng;

/// Which executions of a seed a sampling strategy makes: the half-open range `next..end`.
///
/// The nth execution of a seed does not depend on the others, so that ranges can be given to different machines.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Samples {
    seed: u64,
    from: u64,
    next: u64,
    end: u64,
}

impl Samples {
    /// The executions `range` of a seed.
    pub fn new(seed: u64, range: std::ops::Range<u64>) -> Self {
        Samples { seed, from: range.start, next: range.start, end: range.end }
    }

    /// The same executions in parts of at most `most` each.
    ///
    /// # Panics
    /// When `most` is 0.
    pub fn shards(&self, most: u64) -> Vec<Samples> {
        assert!(most > 0, "parts of nothing");
        let mut list = Vec::new();
        let mut from = self.from;
        while from < self.end {
            let end = self.end.min(from.saturating_add(most));
            list.push(Samples::new(self.seed, from..end));
            from = end;
        }
        list
    }

    /// The numbers of the next execution; `None` after the last.
    pub(crate) fn begin(&mut self) -> Option<Rng> {
        if self.next >= self.end {
            return None;
        }
        self.next += 1;
        Some(Rng::of_execution(self.seed, self.next - 1))
    }

    pub(crate) fn restart(&mut self) {
        self.next = self.from;
    }
}

/// One of the enabled tasks and its place in the order of creation, each equally likely.
#[inline]
pub(crate) fn pick(rng: &mut Rng, view: &View<'_>) -> (usize, TaskId) {
    let n = rng.below(u64::from(view.enabled.count_ones()));
    view.by_birth(view.enabled).nth(n as usize).expect("enabled tasks were created")
}

/// See the module's words.
#[derive(Clone, Debug)]
pub struct Random {
    samples: Samples,
    rng: Rng,
}

impl Random {
    /// The walks that `samples` names.
    pub fn new(samples: Samples) -> Self {
        Random { samples, rng: Rng::new(0) }
    }
}

impl Strategy for Random {
    fn begin(&mut self) -> bool {
        self.samples.begin().map(|rng| self.rng = rng).is_some()
    }

    fn decide(&mut self, view: &View<'_>) -> Result<TaskId, Divergence> {
        Ok(pick(&mut self.rng, view).1)
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
