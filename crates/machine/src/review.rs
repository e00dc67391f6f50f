// SPDX-License-Identifier: GPL-2.0-only
//! Running scenarios on revisions: exploration, verdicts, replay.

use std::collections::BTreeSet;

use explorer::{Config, ExploreError, FindingKind, Progress, Replayed, Schedule, Stats, explore_with};
use kernel_model::report::invariant_of_key;
use vfio_pci::Revision;

use crate::scenario::{Expected, Scenario, take_reached};

/// A finding of a scenario on a revision.
#[derive(Clone, Debug)]
pub struct Found {
    /// The invariant that is broken.
    pub invariant: String,
    /// What tells this finding from others of the invariant, without names of a scenario or numbers of steps.
    pub kind: String,
    /// What happened.
    pub message: String,
    /// The schedule that shows it with the fewest switches and steps.
    pub schedule: Schedule,
    /// Executions that showed it.
    pub executions: u64,
}

/// What exploring a scenario on a revision gave.
#[derive(Debug)]
pub struct Run {
    /// The scenario.
    pub scenario: &'static Scenario,
    /// The revision.
    pub revision: &'static Revision,
    /// What was done.
    pub stats: Stats,
    /// Whether every execution was covered.
    pub exhausted: bool,
    /// Distinct findings.
    pub findings: Vec<Found>,
    /// What happened in at least one execution.
    pub reached: BTreeSet<&'static str>,
}

impl Run {
    /// The invariants that were broken, sorted.
    pub fn broken(&self) -> BTreeSet<&str> {
        self.findings.iter().map(|f| f.invariant.as_str()).collect()
    }

    /// What contradicts the scenario's `Result:` line, in words; empty when nothing does.
    pub fn contradictions(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let broken = self.broken();
        let (expected, executions): (BTreeSet<&str>, u64) = match self.scenario.expected(self.revision) {
            None => return wrong,
            Some(Expected::Holds { executions }) => (BTreeSet::new(), executions),
            Some(Expected::Breaks { invariants, executions }) => {
                (invariants.iter().copied().collect(), executions)
            }
        };
        for name in broken.difference(&expected) {
            wrong.push(format!("{name} is broken, but the result line says that it holds"));
        }
        for name in expected.difference(&broken) {
            wrong.push(format!("{name} holds, but the result line says that it is broken"));
        }
        if self.exhausted && self.stats.executions != executions {
            wrong
                .push(format!("{} executions, but the result line pins {executions}", self.stats.executions));
        }
        if !self.exhausted {
            wrong.push("the search was not exhausted".to_string());
        }
        if expected.is_empty() {
            for what in self.scenario.sometimes.iter().filter(|s| !self.reached.contains(**s)) {
                wrong.push(format!("\"{what}\" never happened"));
            }
        }
        wrong
    }
}

/// The name under which a scenario on a revision is explored; its hash is in replay strings.
fn config(scenario: &Scenario, revision: &Revision) -> Config {
    Config::new(format!("{}@{}", scenario.name, revision.name))
}

fn invariant_of(kind: FindingKind, key: &str) -> String {
    match kind {
        FindingKind::Deadlock | FindingKind::Livelock => "no-deadlock".to_string(),
        FindingKind::User => invariant_of_key(key).unwrap_or("unknown").to_string(),
        FindingKind::Panic | FindingKind::StepBudget | FindingKind::DataRace | FindingKind::Assertion => {
            "simulator".to_string()
        }
    }
}

/// Explores a scenario on a revision until it is exhausted, or `observe` says stop.
///
/// # Errors
/// The model is not deterministic, or asks for something impossible: a bug of the simulator.
pub fn explore(
    scenario: &'static Scenario,
    revision: &'static Revision,
    observe: impl FnMut(&Progress) -> bool,
) -> Result<Run, ExploreError> {
    take_reached();
    let mut strategy = explorer::strategy::dpor::Dpor::new();
    let model = move || (scenario.run)(revision);
    let outcome = explore_with(&config(scenario, revision), &mut strategy, model, observe)?;
    let findings = outcome
        .findings
        .into_iter()
        .map(|f| Found {
            invariant: invariant_of(f.kind, &f.key),
            kind: f.key.split_once('\n').map_or(f.key.clone(), |(_, kind)| kind.to_string()),
            message: f.message,
            schedule: f.schedule,
            executions: f.executions,
        })
        .collect();
    tracing::debug!(
        scenario = scenario.name,
        revision = revision.name,
        executions = outcome.stats.executions,
        sleep_blocked = outcome.stats.sleep_blocked,
        steps = outcome.stats.steps,
        rounds = outcome.stats.rounds,
        exhausted = outcome.exhausted,
        "explored"
    );
    Ok(Run {
        scenario,
        revision,
        stats: outcome.stats,
        exhausted: outcome.exhausted,
        findings,
        reached: take_reached(),
    })
}

/// Replays a schedule of a scenario on a revision and records what happens.
///
/// # Errors
/// The schedule is another model's, or diverges.
pub fn replay(
    scenario: &'static Scenario,
    revision: &'static Revision,
    schedule: &Schedule,
) -> Result<Replayed, ExploreError> {
    let replayed =
        explorer::replay(&config(scenario, revision), schedule, false, move || (scenario.run)(revision))?;
    for event in &replayed.trace.events {
        let (task, at) = (&replayed.trace.tasks[event.task.index()], event.at.map(ToString::to_string));
        tracing::trace!(task, at, event = ?event.kind, held = ?event.held, "event");
    }
    Ok(replayed)
}

/// The invariant that a finding of a replay breaks.
pub fn invariant_of_finding(finding: &explorer::Finding) -> String {
    invariant_of(finding.kind, &finding.key)
}
