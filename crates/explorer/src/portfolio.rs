// SPDX-License-Identifier: MIT OR Apache-2.0
//! All strategies in turn under one budget, for models that may be too large to exhaust.
//!
//! First DPOR, which ends the matter if it finishes; then every interleaving with 0, 1 and 2 preemptions; then
//! samples: random, PCT of depth 1 to 3, POS, URW. Each stage may go on until its share of the budget *from the
//! beginning* is used, so that what one leaves goes to the next. The report says what each stage did and whether it
//! was exhausted, and how large the tree is estimated to be.
//!
//! This crate reads no clock: a time limit comes with a [`Clock`] of the caller's.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use crate::estimate::{Estimate, Probe};
use crate::explore::{Config, ExploreError, Outcome, Stats, explore_with, keep_best};
use crate::finding::Finding;
use crate::minimise::minimise_shared;
use crate::strategy::Strategy;
use crate::strategy::bounded::Bounded;
use crate::strategy::dpor::Dpor;
use crate::strategy::pct::Pct;
use crate::strategy::pos::Pos;
use crate::strategy::random::Samples;
use crate::strategy::urw::Urw;

/// What tells the time to a search with a time limit.
pub trait Clock {
    /// The time since some fixed moment; never less than before.
    fn elapsed(&self) -> Duration;
}

impl<F: Fn() -> Duration> Clock for F {
    fn elapsed(&self) -> Duration {
        self()
    }
}

/// What a portfolio may use. The first limit that is passed ends it.
#[derive(Clone, Copy)]
pub struct Budget<'a> {
    /// Executions of all stages together, those that bring nothing new included.
    pub executions: u64,
    /// How long, and by which clock; looked at after each execution.
    pub time: Option<(Duration, &'a dyn Clock)>,
    /// Seed of the samples.
    pub seed: u64,
}

impl fmt::Debug for Budget<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.time.map(|(limit, _)| limit);
        f.debug_struct("Budget")
            .field("executions", &self.executions)
            .field("time", &time)
            .field("seed", &self.seed)
            .finish()
    }
}

/// A strategy of the portfolio.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// [`Dpor`]: every Mazurkiewicz trace.
    Dpor,
    /// [`Bounded`]: every interleaving with at most that many preemptions.
    Bounded(u32),
    /// [`Random`](crate::strategy::random::Random) walks, which are also the probes for the estimate.
    Random,
    /// [`Pct`] of that depth.
    Pct(u32),
    /// [`Pos`].
    Pos,
    /// [`Urw`].
    Urw,
}

/// The stages, and each one's part of the budget in hundredths.
const STAGES: [(Stage, u32); 10] = [
    (Stage::Dpor, 50),
    (Stage::Bounded(0), 4),
    (Stage::Bounded(1), 8),
    (Stage::Bounded(2), 12),
    (Stage::Random, 4),
    (Stage::Pct(1), 2),
    (Stage::Pct(2), 5),
    (Stage::Pct(3), 5),
    (Stage::Pos, 5),
    (Stage::Urw, 5),
];

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stage::Dpor => f.write_str("DPOR"),
            Stage::Bounded(b) => write!(f, "preemption bound {b}"),
            Stage::Random => f.write_str("random"),
            Stage::Pct(d) => write!(f, "PCT, depth {d}"),
            Stage::Pos => f.write_str("POS"),
            Stage::Urw => f.write_str("URW"),
        }
    }
}

/// What a stage did.
#[derive(Clone, Debug)]
pub struct StageReport {
    /// The strategy.
    pub stage: Stage,
    /// What was done.
    pub stats: Stats,
    /// Whether the stage covered all that it promises to cover.
    pub exhausted: bool,
    /// Findings that no stage before it had.
    pub new: usize,
}

/// What a portfolio did, and found.
#[derive(Clone, Debug)]
pub struct PortfolioReport {
    /// The stages that were begun, in order.
    pub stages: Vec<StageReport>,
    /// The size of the whole tree of interleavings, from the random walks. It is to be compared with the executions
    /// of naive search, not of DPOR.
    pub estimate: Option<Estimate>,
    /// Whether everything is explored: by DPOR, or by a preemption bound that excluded nothing.
    pub exhausted: bool,
    /// Distinct findings, by key, each with the best schedule that any stage saw.
    pub findings: Vec<Finding>,
}

impl fmt::Display for PortfolioReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for s in &self.stages {
            let end = if s.exhausted { "exhausted" } else { "not exhausted" };
            let (n, blocked) = (s.stats.executions, s.stats.sleep_blocked);
            write!(f, "{}: {n} executions", s.stage)?;
            if blocked > 0 {
                write!(f, " and {blocked} that brought nothing new")?;
            }
            writeln!(f, ", {end}, {} new findings", s.new)?;
        }
        if let Some(e) = &self.estimate {
            writeln!(
                f,
                "the tree has about {:.3e} ± {:.1e} interleavings ({} probes)",
                e.executions, e.error, e.probes
            )?;
        }
        writeln!(
            f,
            "{}",
            if self.exhausted { "everything is explored" } else { "not everything is explored" }
        )
    }
}

struct Run<'a, M> {
    config: Config,
    budget: Budget<'a>,
    start: Duration,
    used: u64,
    model: M,
    findings: BTreeMap<String, Finding>,
}

impl<M: Fn() + Clone + 'static> Run<'_, M> {
    fn elapsed(&self) -> Duration {
        self.budget.time.map_or(Duration::ZERO, |(_, clock)| clock.elapsed().saturating_sub(self.start))
    }

    /// Executions that may still be made before `part` hundredths of the budget are used.
    fn left(&self, part: u32) -> u64 {
        let whole = u128::from(self.budget.executions) * u128::from(part) / 100;
        (whole as u64).saturating_sub(self.used)
    }

    /// Whether that part of the time is over.
    fn late(&self, part: u32) -> bool {
        self.budget.time.is_some_and(|(limit, _)| self.elapsed() * 100 >= limit * part)
    }

    /// Runs one strategy until `part` hundredths of the budget are used.
    fn stage<S: Strategy>(&mut self, part: u32, strategy: &mut S) -> Result<Outcome, ExploreError> {
        let config = Config { max_executions: self.left(part), ..self.config.clone() };
        let mut made = 0;
        let (this, deadline) = (&*self, part);
        let outcome = explore_with(&config, strategy, this.model.clone(), |_| {
            made += 1;
            // A round that starts again counts nothing of what was before; the budget does.
            made < config.max_executions && !this.late(deadline)
        })?;
        self.used += made;
        Ok(outcome)
    }

    fn report(&mut self, stage: Stage, outcome: Outcome, exhausted: bool) -> StageReport {
        let before = self.findings.len();
        outcome.findings.into_iter().for_each(|f| keep_best(&mut self.findings, f));
        StageReport { stage, stats: outcome.stats, exhausted, new: self.findings.len() - before }
    }
}

/// Explores `model` with one strategy after the other until everything is explored or the budget is used.
///
/// [`Config::max_executions`] is not looked at; [`Config::stop_at_first`] ends it after the stage's first finding.
/// Deterministic for a given budget of executions, not for one of time.
///
/// # Errors
/// [`ExploreError::Nondeterministic`] and [`ExploreError::Model`].
pub fn portfolio(
    config: &Config,
    budget: Budget<'_>,
    model: impl Fn() + Clone + 'static,
) -> Result<PortfolioReport, ExploreError> {
    let start = budget.time.map_or(Duration::ZERO, |(_, clock)| clock.elapsed());
    let inner = Config { minimise: 0, ..config.clone() };
    let mut run = Run { config: inner, budget, start, used: 0, model, findings: BTreeMap::new() };
    let mut report =
        PortfolioReport { stages: Vec::new(), estimate: None, exhausted: false, findings: Vec::new() };
    let mut part = 0;
    for (stage, share) in STAGES {
        part += share;
        if run.left(part) == 0 || run.late(part) {
            continue;
        }
        let samples = Samples::new(budget.seed, 0..run.left(part));
        let mut whole = false;
        let outcome = match stage {
            Stage::Dpor => run.stage(part, &mut Dpor::new()).inspect(|o| whole = o.exhausted),
            Stage::Bounded(b) => {
                let mut bounded = Bounded::new(b);
                run.stage(part, &mut bounded).inspect(|o| whole = o.exhausted && !bounded.cut())
            }
            Stage::Random => {
                let mut probe = Probe::new(samples);
                run.stage(part, &mut probe).inspect(|_| report.estimate = Some(probe.estimate()))
            }
            Stage::Pct(d) => {
                let steps = report.estimate.as_ref().map_or(1, |e| e.steps);
                run.stage(part, &mut Pct::new(samples, d, steps))
            }
            Stage::Pos => run.stage(part, &mut Pos::new(samples)),
            Stage::Urw => {
                let counts = report.estimate.as_ref().map_or(Vec::new(), |e| e.counts.clone());
                run.stage(part, &mut Urw::new(samples, counts))
            }
        }?;
        let exhausted = outcome.exhausted;
        report.stages.push(run.report(stage, outcome, exhausted));
        report.exhausted |= whole;
        if whole || (config.stop_at_first && !run.findings.is_empty()) {
            break;
        }
    }
    let model: Rc<dyn Fn()> = Rc::new(run.model);
    for f in run.findings.into_values() {
        report.findings.push(match config.minimise {
            0 => f,
            limit => minimise_shared(config, &f, limit, &model)?.finding,
        });
    }
    Ok(report)
}
