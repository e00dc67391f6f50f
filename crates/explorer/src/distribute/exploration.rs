// SPDX-License-Identifier: MIT OR Apache-2.0
//! An exploration as a value: what was found, and what is left to explore. It is its own checkpoint.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;

use super::tree::Tree;
use super::unit::{Unit, UnitResult, run_unit_until};
use super::workers;
use crate::explore::{Config, ExploreError, Outcome, Stats, keep_best};
use crate::finding::Finding;
use crate::identity::ObjectPath;
use crate::schedule::{Decision, model_hash};
use crate::strategy::dpor::Guide;

/// The units that are dealt out together. More would use more cores better, and more memory for prefixes.
const GENERATION: usize = 64;

/// Executions of a unit: few while there are few units, so that soon there are many.
const BUDGET_SMALL: u64 = 32;
const BUDGET: u64 = 1_024;

/// See the module's words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exploration {
    pub(crate) model: u32,
    pub(crate) stats: Stats,
    pub(crate) visible: Vec<ObjectPath>,
    pub(crate) findings: BTreeMap<String, Finding>,
    pub(crate) tree: Tree,
    /// Results of the generation that is being run; merged when it is complete.
    pub(crate) waiting: Vec<UnitResult>,
}

/// What became of results that were merged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Merged {
    /// Results that are in now.
    pub merged: usize,
    /// Results that were in already, or that are from another model or an earlier round.
    pub ignored: usize,
}

impl Exploration {
    /// An exploration of which nothing is done.
    pub fn new(config: &Config) -> Self {
        Exploration {
            model: model_hash(&config.name),
            stats: Stats { rounds: 1, ..Stats::default() },
            visible: Vec::new(),
            findings: BTreeMap::new(),
            tree: Tree::unexplored(),
            waiting: Vec::new(),
        }
    }

    /// Whether everything is explored.
    pub fn is_finished(&self) -> bool {
        self.tree.is_explored()
    }

    /// What was found so far; exhausted if the exploration is finished.
    pub fn outcome(&self) -> Outcome {
        Outcome {
            stats: self.stats,
            exhausted: self.is_finished(),
            findings: self.findings.values().cloned().collect(),
        }
    }

    /// All that is left, as units of at most `budget` executions each.
    pub fn units(&self, budget: u64) -> Vec<Unit> {
        self.first_units(usize::MAX, budget)
    }

    fn first_units(&self, most: usize, budget: u64) -> Vec<Unit> {
        let unit = |prefix| Unit {
            model: self.model,
            round: self.stats.rounds,
            visible: self.visible.clone(),
            prefix,
            budget,
        };
        self.tree.prefixes(most).into_iter().map(unit).collect()
    }

    /// The next generation: a function of what is left, and of nothing else.
    pub(crate) fn generation(&self) -> Vec<Unit> {
        let mut units = self.first_units(GENERATION, BUDGET);
        if units.len() < GENERATION {
            units.iter_mut().for_each(|u| u.budget = BUDGET_SMALL);
        }
        units
    }

    /// Explores on this thread until at least `n` units are left, or nothing. How many more than `n` they are depends
    /// on the tree.
    ///
    /// # Errors
    /// As for [`run_unit`](super::run_unit).
    pub fn split(
        &mut self,
        config: &Config,
        n: usize,
        model: impl Fn() + 'static,
    ) -> Result<(), ExploreError> {
        let model: Rc<dyn Fn()> = Rc::new(model);
        while !self.is_finished() && self.tree.prefixes(n).len() < n {
            for unit in self.first_units(n, BUDGET_SMALL) {
                let result = run_unit_until(config, &unit, &model, &|| false)?;
                self.merge_ordered(result);
            }
        }
        Ok(())
    }

    /// Explores on `workers` threads, each with its own clone of the model, until everything is explored, a limit of
    /// the configuration is passed, or `stop` is set. Whenever it ends the exploration can go on from there, here
    /// or from its written form, to the same result. Units that `stop` interrupts are run again.
    ///
    /// The limits ([`Config::max_executions`], [`Config::stop_at_first`]) are looked at between generations, of up to
    /// 64 units of 1,024 executions.
    ///
    /// # Errors
    /// As for [`run_unit`](super::run_unit). What was done before stays.
    pub fn run(
        &mut self,
        config: &Config,
        workers: NonZeroUsize,
        stop: &AtomicBool,
        model: impl Fn() + Send + Sync + Clone + 'static,
    ) -> Result<(), ExploreError> {
        workers::run(self, config, workers, stop, &model)
    }

    /// Whether a limit of the configuration ends the exploration here.
    pub(crate) fn past_limit(&self, config: &Config) -> bool {
        self.stats.executions + self.stats.sleep_blocked >= config.max_executions
            || (config.stop_at_first && !self.findings.is_empty())
    }

    /// Merges results that came back, in whatever order, from wherever, however often.
    pub fn merge(&mut self, results: Vec<UnitResult>) -> Merged {
        let order: BTreeMap<Vec<Decision>, usize> =
            self.tree.prefixes(usize::MAX).iter().enumerate().map(|(i, p)| (decisions(p), i)).collect();
        let total = results.len();
        let mut known: Vec<_> =
            results.into_iter().filter_map(|r| order.get(&decisions(&r.prefix)).map(|i| (*i, r))).collect();
        known.sort_by_key(|(i, _)| *i);
        let merged = self.merge_ordered(known.into_iter().map(|(_, r)| r));
        Merged { merged, ignored: total - merged }
    }

    /// Merges results that come in the order of the tree; gives how many there were.
    pub(crate) fn merge_ordered(&mut self, results: impl IntoIterator<Item = UnitResult>) -> usize {
        let mut merged = 0;
        let mut promotions = Vec::new();
        for r in results {
            if r.model != self.model || r.round != self.stats.rounds {
                continue;
            }
            if !r.promotions.is_empty() {
                promotions.extend(r.promotions);
                merged += 1;
            } else if self.tree.merge(&r.prefix, &r.additions, r.left) {
                merged += 1;
                self.stats.executions += r.stats.executions;
                self.stats.sleep_blocked += r.stats.sleep_blocked;
                self.stats.steps += r.stats.steps;
                r.findings.into_iter().for_each(|f| keep_best(&mut self.findings, f));
            }
        }
        promotions.retain(|p| !self.visible.contains(p));
        if !promotions.is_empty() {
            self.visible.extend(promotions);
            self.visible.sort();
            self.visible.dedup();
            self.tree = Tree::unexplored();
            self.findings.clear();
            self.stats = Stats { rounds: self.stats.rounds + 1, ..Stats::default() };
        }
        merged
    }
}

/// What identifies a unit within a round.
pub(crate) fn decisions(prefix: &[Guide]) -> Vec<Decision> {
    prefix.iter().map(|g| g.decision).collect()
}
