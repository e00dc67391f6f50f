// SPDX-License-Identifier: GPL-2.0-only
//! `review`: every scenario on every revision, the verdict of each invariant, and each finding.

use indicatif::{ProgressBar, ProgressStyle};
use machine::invariants::INVARIANTS;
use machine::review::Found;
use machine::scenarios::SCENARIOS;
use machine::{Run, Scenario};
use serde::Serialize;
use vfio_pci::{REVISIONS, Revision};

use crate::cli::{Format, Review};
use crate::show::{TraceJson, WIDTH, how_far, json, replay_command, trace_of, witness, wrap};
use crate::{CliError, Outcome, names};

/// Runs one scenario on one revision.
pub(crate) fn run_one(scenario: &'static Scenario, revision: &'static Revision) -> Result<Run, CliError> {
    machine::explore(scenario, revision, |_| true).map_err(|error| CliError::Simulator {
        scenario: scenario.name,
        revision: revision.name,
        error,
    })
}

/// All runs on one revision.
struct Reviewed {
    revision: &'static Revision,
    runs: Vec<Run>,
}

/// One finding, and the other scenarios that show the same.
struct Group<'a> {
    run: &'a Run,
    found: &'a Found,
    also: Vec<(&'a Run, &'a Found)>,
}

impl Reviewed {
    /// Findings that are the same but for their scenario, the shortest witness first; in the order of invariants.
    fn groups(&self) -> Vec<Group<'_>> {
        let mut all: Vec<(&Run, &Found)> =
            self.runs.iter().flat_map(|r| r.findings.iter().map(move |f| (r, f))).collect();
        let rank = |f: &Found| INVARIANTS.iter().position(|i| i.name == f.invariant).unwrap_or(usize::MAX);
        all.sort_by_key(|(_, f)| (rank(f), f.schedule.switches(), f.schedule.steps()));
        let mut groups: Vec<Group<'_>> = Vec::new();
        for (run, found) in all {
            let same =
                |g: &&mut Group<'_>| g.found.invariant == found.invariant && g.found.kind == found.kind;
            match groups.iter_mut().find(same) {
                Some(group) => group.also.push((run, found)),
                None => groups.push(Group { run, found, also: Vec::new() }),
            }
        }
        groups
    }

    fn executions(&self) -> u64 {
        self.runs.iter().map(|r| r.stats.executions).sum()
    }

    fn exhausted(&self) -> bool {
        self.runs.iter().all(|r| r.exhausted)
    }

    /// Scenarios that break an invariant.
    fn broken_in(&self, invariant: &str) -> Vec<&'static str> {
        self.runs.iter().filter(|r| r.broken().contains(invariant)).map(|r| r.scenario.name).collect()
    }

    /// Invariants by name, those of the simulator's own last.
    fn invariants(&self) -> Vec<&str> {
        let mut names: Vec<&str> = INVARIANTS.iter().map(|i| i.name).collect();
        for name in self.runs.iter().flat_map(Run::broken) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

fn progress(terminal: bool, len: usize) -> ProgressBar {
    if !terminal {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}").expect("a fixed template");
    ProgressBar::new(len as u64).with_style(style)
}

/// Carries the command out.
pub(crate) fn review(args: &Review, terminal: bool) -> Result<Outcome, CliError> {
    let revisions = names::all_or(&args.revision, REVISIONS, names::revision)?;
    let scenarios = names::all_or(&args.scenario, SCENARIOS, names::scenario)?;
    let bar = progress(terminal, revisions.len() * scenarios.len());
    let mut reviewed = Vec::new();
    for revision in revisions {
        let mut runs = Vec::new();
        for scenario in &scenarios {
            bar.set_message(format!("{} on {}", scenario.name, revision.name));
            runs.push(run_one(scenario, revision)?);
            bar.inc(1);
        }
        reviewed.push(Reviewed { revision, runs });
    }
    bar.finish_and_clear();
    let wrong = reviewed.iter().flat_map(|r| &r.runs).any(|r| !r.contradictions().is_empty());
    let text = match args.format {
        Format::Text => text(&reviewed)?,
        Format::Json => json(&document(&reviewed)?),
    };
    Ok(Outcome { text, code: u8::from(wrong) })
}

fn text(reviewed: &[Reviewed]) -> Result<String, CliError> {
    let mut out = String::new();
    for r in reviewed {
        out.push_str(&format!("{} ({})  {}\n", r.revision.name, r.revision.id, r.revision.title));
        let how_far = how_far(r.exhausted());
        for name in r.invariants() {
            let broken = r.broken_in(name);
            let verdict = if broken.is_empty() {
                format!("holds     {} executions of {} scenarios, {how_far}", r.executions(), r.runs.len())
            } else {
                format!("VIOLATED  in {} of {} scenarios", broken.len(), r.runs.len())
            };
            out.push_str(&format!("  {name:<24}{verdict}\n"));
        }
        out.push('\n');
    }
    for r in reviewed {
        for (i, group) in r.groups().iter().enumerate() {
            out.push_str(&finding(r.revision, i + 1, group)?);
        }
    }
    for run in reviewed.iter().flat_map(|r| &r.runs) {
        for what in run.contradictions() {
            let place = format!("{} on {}", run.scenario.name, run.revision.name);
            out.push_str(&format!("CONTRADICTS the result line of {place}: {what}\n"));
        }
    }
    Ok(out)
}

fn finding(revision: &Revision, number: usize, group: &Group<'_>) -> Result<String, CliError> {
    let Group { run, found, also } = group;
    let mut out = format!("{} finding {number}: {} is violated\n", revision.name, found.invariant);
    let scenario = format!("Scenario {}: {}", run.scenario.name, run.scenario.sentence);
    out.push_str(&witness(run, found, &wrap(&scenario, "  ", WIDTH))?);
    for (run, found) in also {
        out.push_str(&format!(
            "  also:   {}\n",
            replay_command(run.scenario.name, revision.name, &found.schedule)
        ));
    }
    out.push('\n');
    Ok(out)
}

#[derive(Serialize)]
struct Document {
    schema: u32,
    revisions: Vec<RevisionJson>,
}

#[derive(Serialize)]
struct RevisionJson {
    name: &'static str,
    id: &'static str,
    title: &'static str,
    invariants: Vec<InvariantJson>,
    scenarios: Vec<ScenarioJson>,
    findings: Vec<FindingJson>,
}

#[derive(Serialize)]
struct InvariantJson {
    name: String,
    holds: bool,
    executions: u64,
    exhausted: bool,
    violated_in: Vec<&'static str>,
}

/// What a run did, and whether it agrees with its result line.
#[derive(Serialize)]
pub(crate) struct ScenarioJson {
    name: &'static str,
    sentence: &'static str,
    executions: u64,
    sleep_blocked: u64,
    steps: u64,
    exhausted: bool,
    contradictions: Vec<String>,
}

/// A finding with its trace.
#[derive(Serialize)]
pub(crate) struct FindingJson {
    invariant: String,
    scenario: &'static str,
    message: String,
    executions: u64,
    schedule: String,
    replay: String,
    trace: TraceJson,
}

/// A run as JSON.
pub(crate) fn scenario_json(run: &Run) -> ScenarioJson {
    ScenarioJson {
        name: run.scenario.name,
        sentence: run.scenario.sentence,
        executions: run.stats.executions,
        sleep_blocked: run.stats.sleep_blocked,
        steps: run.stats.steps,
        exhausted: run.exhausted,
        contradictions: run.contradictions(),
    }
}

/// A finding as JSON.
pub(crate) fn finding_json(run: &Run, found: &Found) -> Result<FindingJson, CliError> {
    Ok(FindingJson {
        invariant: found.invariant.clone(),
        scenario: run.scenario.name,
        message: found.message.clone(),
        executions: found.executions,
        schedule: found.schedule.to_string(),
        replay: replay_command(run.scenario.name, run.revision.name, &found.schedule),
        trace: TraceJson::from(&trace_of(run, found)?),
    })
}

fn document(reviewed: &[Reviewed]) -> Result<Document, CliError> {
    let mut revisions = Vec::new();
    for r in reviewed {
        let invariant = |name: &str| {
            let violated_in = r.broken_in(name);
            InvariantJson {
                name: name.to_string(),
                holds: violated_in.is_empty(),
                executions: r.executions(),
                exhausted: r.exhausted(),
                violated_in,
            }
        };
        let mut findings = Vec::new();
        for run in &r.runs {
            for found in &run.findings {
                findings.push(finding_json(run, found)?);
            }
        }
        revisions.push(RevisionJson {
            name: r.revision.name,
            id: r.revision.id,
            title: r.revision.title,
            invariants: r.invariants().into_iter().map(invariant).collect(),
            scenarios: r.runs.iter().map(scenario_json).collect(),
            findings,
        });
    }
    Ok(Document { schema: 1, revisions })
}
