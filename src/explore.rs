// SPDX-License-Identifier: GPL-2.0-only
//! `explore`: one scenario on one revision.

use machine::Run;
use serde::Serialize;

use crate::cli::{Explore, Format};
use crate::review::{FindingJson, ScenarioJson, finding_json, run_one, scenario_json};
use crate::show::{WIDTH, how_far, json, witness, wrap};
use crate::{CliError, Outcome, names};

#[derive(Serialize)]
struct Document {
    schema: u32,
    revision: &'static str,
    scenario: ScenarioJson,
    findings: Vec<FindingJson>,
}

/// Carries the command out.
pub(crate) fn explore(args: &Explore) -> Result<Outcome, CliError> {
    let scenario = names::scenario(&args.scenario)?;
    let revision = names::revision(&args.revision)?;
    let run = run_one(scenario, revision)?;
    let text = match args.format {
        Format::Text => text(&run)?,
        Format::Json => {
            let findings: Result<Vec<_>, _> = run.findings.iter().map(|f| finding_json(&run, f)).collect();
            json(&Document {
                schema: 1,
                revision: revision.name,
                scenario: scenario_json(&run),
                findings: findings?,
            })
        }
    };
    Ok(Outcome { text, code: u8::from(!run.contradictions().is_empty()) })
}

fn text(run: &Run) -> Result<String, CliError> {
    let s = run.stats;
    let how_far = how_far(run.exhausted);
    let mut out = format!("{} on {}\n", run.scenario.name, run.revision.name);
    out.push_str(&wrap(run.scenario.sentence, "  ", WIDTH));
    out.push_str(&format!(
        "  {} executions, {how_far}; {} sleep-blocked; {} steps; {} rounds\n",
        s.executions, s.sleep_blocked, s.steps, s.rounds
    ));
    for what in &run.reached {
        out.push_str(&format!("  reached: {what}\n"));
    }
    for found in &run.findings {
        out.push_str(&format!(
            "\n{} is violated, in {} of {} executions\n",
            found.invariant,
            found.executions,
            s.executions + s.sleep_blocked
        ));
        out.push_str(&witness(run, found, "")?);
    }
    if run.findings.is_empty() {
        out.push_str("  every invariant holds\n");
    }
    for what in run.contradictions() {
        out.push_str(&format!("CONTRADICTS the result line: {what}\n"));
    }
    Ok(out)
}
