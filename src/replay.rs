// SPDX-License-Identifier: GPL-2.0-only
//! `replay`: one schedule, step by step.

use explorer::{ExploreError, Schedule};
use machine::columns::{columns, render};
use machine::review;
use serde::Serialize;

use crate::cli::{Format, Replay};
use crate::show::{TraceJson, WIDTH, json, sentence, wrap};
use crate::{CliError, Outcome, names};

#[derive(Serialize)]
struct Document {
    schema: u32,
    scenario: &'static str,
    revision: &'static str,
    schedule: String,
    divergence: Option<String>,
    findings: Vec<(String, String)>,
    trace: TraceJson,
}

/// Carries the command out.
pub(crate) fn replay(args: &Replay) -> Result<Outcome, CliError> {
    let scenario = names::scenario(&args.scenario)?;
    let revision = names::revision(&args.revision)?;
    let schedule = Schedule::parse(&args.schedule).map_err(|error| {
        let pointer = format!("{}^", " ".repeat(args.schedule[..error.at].chars().count()));
        CliError::Schedule { error, text: args.schedule.clone(), pointer }
    })?;
    let replayed = review::replay(scenario, revision, &schedule).map_err(|error| match error {
        ExploreError::OtherModel(..) => CliError::Replay {
            error,
            hint: "a schedule fits the one scenario and revision that printed it: check both names",
        },
        ExploreError::Diverged(_) => CliError::Replay {
            error,
            hint: "the schedule was changed, or the model has changed since it was recorded: explore again",
        },
        error => CliError::Simulator { scenario: scenario.name, revision: revision.name, error },
    })?;
    let findings: Vec<(String, String)> =
        replayed.findings.iter().map(|f| (review::invariant_of_finding(f), f.message.clone())).collect();
    let columns = columns(&replayed.trace, replayed.findings.first());
    let given = schedule.decisions.len();
    let early = (replayed.schedule.decisions.len() > given).then(|| {
        format!(
            "the schedule diverges: it is over after decision {given}, the execution is not; what follows was decided \
             by the default policy (the last task while it can, else the least)"
        )
    });
    let text = match args.format {
        Format::Json => json(&Document {
            schema: 1,
            scenario: scenario.name,
            revision: revision.name,
            schedule: schedule.to_string(),
            divergence: early,
            findings,
            trace: TraceJson::from(&columns),
        }),
        Format::Text => {
            let mut out = format!("{} on {}: {}\n\n", scenario.name, revision.name, scenario.sentence);
            out.push_str(&render(&columns));
            out.push('\n');
            if let Some(early) = early {
                out.push_str(&wrap(&sentence(&early), "", WIDTH));
            }
            if findings.is_empty() {
                out.push_str("no finding: every invariant holds in this execution\n");
            }
            for (invariant, message) in &findings {
                out.push_str(&format!("{invariant} is violated\n"));
                out.push_str(&wrap(&sentence(message), "  ", WIDTH));
            }
            out
        }
    };
    Ok(Outcome { text, code: 0 })
}
