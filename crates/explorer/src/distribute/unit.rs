// SPDX-License-Identifier: MIT OR Apache-2.0
//! A unit of work, and what comes of it.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::engine::with;
use crate::explore::{Config, ExploreError, Stats, collect, execute, prepare};
use crate::finding::Finding;
use crate::identity::{ObjectPath, preset, promotions};
use crate::op::TaskId;
use crate::schedule::model_hash;
use crate::strategy::Strategy;
use crate::strategy::dpor::{Dpor, Guide, Left};

/// A part of an exploration that can be run alone: what lies below a prefix, up to a number of executions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unit {
    /// Hash of the model's name.
    pub(crate) model: u32,
    pub(crate) round: u32,
    /// Objects that are known to be scheduling points.
    pub(crate) visible: Vec<ObjectPath>,
    pub(crate) prefix: Vec<Guide>,
    pub(crate) budget: u64,
}

/// What [`run_unit`] gives: to be merged into the [`Exploration`](super::Exploration) that the unit is from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnitResult {
    pub(crate) model: u32,
    pub(crate) round: u32,
    /// The unit's.
    pub(crate) prefix: Vec<Guide>,
    pub(crate) stats: Stats,
    pub(crate) findings: Vec<Finding>,
    /// Alternatives at nodes of the prefix that races ask for.
    pub(crate) additions: Vec<(usize, TaskId)>,
    /// What the budget was too small for.
    pub(crate) left: Vec<Left>,
    /// Objects that must become scheduling points: then there is nothing else in the result.
    pub(crate) promotions: Vec<ObjectPath>,
}

impl Unit {
    /// The most executions that the unit may take.
    pub fn budget(&self) -> u64 {
        self.budget
    }

    /// The number of decisions of its prefix.
    pub fn depth(&self) -> usize {
        self.prefix.len()
    }
}

impl UnitResult {
    /// Executions made.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// What they showed.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

/// Runs a unit on this thread.
///
/// # Errors
/// [`ExploreError::OtherModel`] and [`ExploreError::Diverged`] when the unit is not this model's, and
/// [`ExploreError::Nondeterministic`] and [`ExploreError::Model`].
pub fn run_unit(
    config: &Config,
    unit: &Unit,
    model: impl Fn() + 'static,
) -> Result<UnitResult, ExploreError> {
    let model: Rc<dyn Fn()> = Rc::new(model);
    run_unit_until(config, unit, &model, &|| false).map(|r| r.expect("nobody stops it"))
}

/// As above; `None` when `stop` said so, and then nothing is lost but the time.
pub(crate) fn run_unit_until(
    config: &Config,
    unit: &Unit,
    model: &Rc<dyn Fn()>,
    stop: &dyn Fn() -> bool,
) -> Result<Option<UnitResult>, ExploreError> {
    let hash = model_hash(&config.name);
    if unit.model != hash {
        return Err(ExploreError::OtherModel(unit.model, hash));
    }
    let _lease = prepare(config);
    with(|e| preset(e, &unit.visible)).map_err(ExploreError::Model)?;
    let mut search = Dpor::below(unit.prefix.clone());
    let mut result = UnitResult {
        model: hash,
        round: unit.round,
        prefix: unit.prefix.clone(),
        stats: Stats { rounds: unit.round, ..Stats::default() },
        findings: Vec::new(),
        additions: Vec::new(),
        left: Vec::new(),
        promotions: Vec::new(),
    };
    let mut findings: BTreeMap<String, Finding> = BTreeMap::new();
    let mut done = 0;
    while search.begin() {
        if stop() {
            return Ok(None);
        }
        execute(&mut search, model).map_err(|d| match done {
            0 => ExploreError::Diverged(d),
            _ => ExploreError::Nondeterministic(d),
        })?;
        if let Some(fatal) = with(|e| e.fatal.take()) {
            return Err(ExploreError::Model(fatal));
        }
        let new = with(promotions);
        if !new.is_empty() {
            let stats = Stats { rounds: unit.round, ..Stats::default() };
            let (additions, left) = (Vec::new(), Vec::new());
            return Ok(Some(UnitResult { promotions: new, stats, additions, left, ..result }));
        }
        result.stats.steps += with(|e| e.steps);
        if search.redundant() {
            result.stats.sleep_blocked += 1;
        } else {
            result.stats.executions += 1;
        }
        with(|e| collect(e, config, &mut findings));
        done += 1;
        if done >= unit.budget || (config.stop_at_first && !findings.is_empty()) {
            result.left = with(|e| search.left(&e.births));
            break;
        }
    }
    result.additions = with(|e| search.additions(&e.births));
    result.findings = findings.into_values().collect();
    Ok(Some(result))
}
