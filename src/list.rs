// SPDX-License-Identifier: GPL-2.0-only
//! `list`: revisions, scenarios, invariants.

use machine::invariants::INVARIANTS;
use machine::scenarios::SCENARIOS;
use machine::{Expected, Scenario};
use serde::Serialize;
use vfio_pci::REVISIONS;

use crate::cli::{Format, Kind, List};
use crate::show::json;
use crate::{CliError, Outcome};

/// Something that has a name and a sentence; further facts by name.
#[derive(Serialize)]
struct Entry {
    name: String,
    text: String,
    facts: Vec<(String, String)>,
}

fn entry(name: &str, text: &str, facts: Vec<(String, String)>) -> Entry {
    Entry { name: name.to_string(), text: text.to_string(), facts }
}

fn result_lines(scenario: &Scenario) -> Vec<(String, String)> {
    let line = |(revision, expected): &(&str, Expected)| {
        let text = match expected {
            Expected::Holds { executions } => format!("holds, {executions} executions"),
            Expected::Breaks { invariants, executions } => {
                format!("breaks {}, {executions} executions", invariants.join(", "))
            }
        };
        (format!("Result on {revision}"), text)
    };
    scenario.results.iter().map(line).collect()
}

fn entries(what: Kind) -> Vec<Entry> {
    match what {
        Kind::Revisions => {
            REVISIONS.iter().map(|r| entry(r.name, r.title, vec![("id".into(), r.id.into())])).collect()
        }
        Kind::Scenarios => SCENARIOS.iter().map(|s| entry(s.name, s.sentence, result_lines(s))).collect(),
        Kind::Invariants => INVARIANTS
            .iter()
            .map(|i| {
                let facts =
                    [("why", i.why), ("rule", i.rule), ("checked", i.checked), ("broken by", i.broken_by)];
                entry(i.name, i.statement, facts.map(|(k, v)| (k.to_string(), v.to_string())).to_vec())
            })
            .collect(),
    }
}

/// Carries the command out.
pub(crate) fn list(args: &List) -> Result<Outcome, CliError> {
    let entries = entries(args.what);
    let text = match args.format {
        Format::Json => json(&entries),
        Format::Text => entries
            .iter()
            .map(|e| {
                let facts: String = e.facts.iter().map(|(k, v)| format!("    {k}: {v}\n")).collect();
                format!("{}\n  {}\n{facts}", e.name, e.text)
            })
            .collect::<Vec<_>>()
            .join("\n"),
    };
    Ok(Outcome { text, code: 0 })
}
