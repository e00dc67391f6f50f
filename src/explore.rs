// SPDX-License-Identifier: GPL-2.0-only
//! `explore`: one scenario on one revision.

use machine::Run;
use machine::columns::render;
use serde::Serialize;

use crate::cli::{Explore, Format};
use crate::review::{FindingJson, ScenarioJson, finding_json, run_one, scenario_json, sentence};
use crate::show::{indent, json, replay_command, trace_of, wrap};
use crate::{CliError, Outcome, names};

#[derive(Serialize)]
struct Document {
    schema: u32,
    revision: &'static str,
    scenario: ScenarioJson,
    findings: Vec<FindingJson>,
}

/// Carries the command out.
pub(crate) fn explore(args: &Explore, _terminal: bool) -> Result<Outcome, CliError> {
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
    let how_far = if run.exhausted { "exhausted" } else { "NOT exhausted" };
    let mut out = format!("{} on {}\n", run.scenario.name, run.revision.name);
    out.push_str(&wrap(run.scenario.sentence, "  ", 110));
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
        out.push_str(&wrap(&sentence(&found.message), "  ", 110));
        let columns = trace_of(run, found)?;
        if columns.rows.iter().any(|row| row.step.is_some()) {
            out.push('\n');
            out.push_str(&indent(&render(&columns), "  "));
        }
        let command = replay_command(run.scenario.name, run.revision.name, &found.schedule);
        out.push_str(&format!("\n  replay: {command}\n"));
    }
    if run.findings.is_empty() {
        out.push_str("  every invariant holds\n");
    }
    for what in run.contradictions() {
        out.push_str(&format!("CONTRADICTS the result line: {what}\n"));
    }
    Ok(out)
}
