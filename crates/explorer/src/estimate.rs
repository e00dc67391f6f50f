// SPDX-License-Identifier: MIT OR Apache-2.0
//! How large is the tree? Knuth's probes, and a profile of the model as a by-product.
//!
//! A probe walks from the root to a leaf, each alternative equally likely, and multiplies the numbers of alternatives
//! on its way. The product is an unbiased estimate of the number of leaves (Knuth, *Estimating the Efficiency of
//! Backtrack Programs*, Mathematics of Computation 1975): the number of all interleavings, as naive search would
//! count them. Its variance is large when the tree is uneven; see [`Estimate::error`].

use crate::explore::{Config, ExploreError, explore_with};
use crate::op::TaskId;
use crate::rng::Rng;
use crate::strategy::random::{Samples, pick};
use crate::strategy::{Divergence, Strategy, View};

/// What probes tell about a model.
#[derive(Clone, PartialEq, Debug)]
pub struct Estimate {
    /// Probes made.
    pub probes: u64,
    /// The estimated number of interleavings (executions of naive search).
    pub executions: f64,
    /// The standard error of `executions`, estimated from the probes' spread; unreliable below some tens of probes.
    pub error: f64,
    /// The most steps that a probe took.
    pub steps: u64,
    /// For each task, in the order of creation (0 is the root), the most steps that it took in a probe.
    pub counts: Vec<u32>,
}

/// The strategy that makes the probes.
#[derive(Debug)]
pub(crate) struct Probe {
    samples: Samples,
    rng: Rng,
    product: f64,
    done: Vec<u32>,
    n: u64,
    mean: f64,
    squares: f64,
    steps: u64,
    counts: Vec<u32>,
}

impl Probe {
    pub(crate) fn new(samples: Samples) -> Self {
        Probe {
            samples,
            rng: Rng::new(0),
            product: 1.0,
            done: Vec::new(),
            n: 0,
            mean: 0.0,
            squares: 0.0,
            steps: 0,
            counts: Vec::new(),
        }
    }

    pub(crate) fn estimate(&self) -> Estimate {
        let n = self.n as f64;
        let error = if self.n > 1 { (self.squares / (n - 1.0) / n).sqrt() } else { f64::INFINITY };
        Estimate {
            probes: self.n,
            executions: self.mean,
            error,
            steps: self.steps,
            counts: self.counts.clone(),
        }
    }
}

impl Strategy for Probe {
    fn begin(&mut self) -> bool {
        self.product = 1.0;
        self.done.clear();
        self.samples.begin().map(|rng| self.rng = rng).is_some()
    }

    fn decide(&mut self, view: &View<'_>) -> Result<TaskId, Divergence> {
        self.product *= f64::from(view.enabled.count_ones());
        let (birth, t) = pick(&mut self.rng, view);
        if self.done.len() <= birth {
            self.done.resize(birth + 1, 0);
        }
        self.done[birth] += 1;
        Ok(t)
    }

    fn choose(&mut self, _: TaskId, n: u32) -> Result<u32, Divergence> {
        self.product *= f64::from(n);
        Ok(self.rng.below(u64::from(n)) as u32)
    }

    fn end(&mut self, _: &View<'_>) {
        // Welford's running mean and sum of squared distances.
        self.n += 1;
        let distance = self.product - self.mean;
        self.mean += distance / self.n as f64;
        self.squares += distance * (self.product - self.mean);
        self.steps = self.steps.max(self.done.iter().map(|d| u64::from(*d)).sum());
        if self.counts.len() < self.done.len() {
            self.counts.resize(self.done.len(), 0);
        }
        for (most, done) in self.counts.iter_mut().zip(&self.done) {
            *most = (*most).max(*done);
        }
    }

    fn restart(&mut self) {
        self.samples.restart();
        *self = Probe::new(self.samples.clone());
    }

    fn samples(&self) -> bool {
        true
    }
}

/// Makes `probes` random walks through `model` and estimates its size. What they find is dropped.
///
/// # Errors
/// [`ExploreError::Model`].
pub fn estimate(
    config: &Config,
    seed: u64,
    probes: u64,
    model: impl Fn() + 'static,
) -> Result<Estimate, ExploreError> {
    let mut probe = Probe::new(Samples::new(seed, 0..probes));
    let config = Config { stop_at_first: false, max_executions: u64::MAX, ..config.clone() };
    explore_with(&config, &mut probe, model, |_| true)?;
    Ok(probe.estimate())
}
