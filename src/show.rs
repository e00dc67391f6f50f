// SPDX-License-Identifier: GPL-2.0-only
//! Pieces of output that several commands share.

use machine::columns::{Columns, columns, render};
use machine::review::Found;
use machine::{Run, review};
use serde::Serialize;

use crate::CliError;

/// The command that replays a schedule, as the user can type it: through cargo when cargo runs this program.
pub(crate) fn replay_command(scenario: &str, revision: &str, schedule: &explorer::Schedule) -> String {
    let program = if std::env::var_os("CARGO").is_some() { "cargo run --release --" } else { "dmabuf-sim" };
    format!("{program} replay {scenario} --revision {revision} '{schedule}'")
}

/// Columns of running text.
pub(crate) const WIDTH: usize = 110;

/// How far a search came, in words.
pub(crate) fn how_far(exhausted: bool) -> &'static str {
    if exhausted { "exhausted" } else { "NOT exhausted" }
}

/// A finding's sentence, its trace if it has steps, and the command that replays it.
pub(crate) fn witness(run: &Run, found: &Found, between: &str) -> Result<String, CliError> {
    let mut out = wrap(&sentence(&found.message), "  ", WIDTH);
    out.push_str(between);
    let columns = trace_of(run, found)?;
    if columns.rows.iter().any(|row| row.step.is_some()) {
        out.push('\n');
        out.push_str(&indent(&render(&columns), "  "));
    }
    let command = replay_command(run.scenario.name, run.revision.name, &found.schedule);
    out.push_str(&format!("\n  replay: {command}\n"));
    Ok(out)
}

/// The trace of a finding, up to it.
pub(crate) fn trace_of(run: &Run, found: &Found) -> Result<Columns, CliError> {
    let replayed = review::replay(run.scenario, run.revision, &found.schedule).map_err(|error| {
        CliError::Simulator { scenario: run.scenario.name, revision: run.revision.name, error }
    })?;
    let finding = replayed.findings.iter().find(|f| f.message == found.message);
    Ok(columns(&replayed.trace, finding))
}

/// Breaks a sentence into lines of at most `width` characters, each behind `indent`. A text of several lines is laid
/// out already, and only indented.
pub(crate) fn wrap(text: &str, indent: &str, width: usize) -> String {
    if text.contains('\n') {
        return self::indent(text, indent);
    }
    let mut out = String::new();
    for paragraph in text.lines() {
        let mut line = String::from(indent);
        for word in paragraph.split(' ') {
            if line.len() + word.len() > width && line.len() > indent.len() {
                out.push_str(line.trim_end());
                out.push('\n');
                line = String::from(indent);
            }
            line.push_str(word);
            line.push(' ');
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// A message as a sentence: a capital at its beginning, a full stop at its end. A message that begins with the name of
/// a sanitizer keeps it.
pub(crate) fn sentence(message: &str) -> String {
    if message.split(' ').next().is_some_and(|word| word.ends_with(':')) {
        return message.to_string();
    }
    let mut chars = message.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    let stop = if message.ends_with('.') { "" } else { "." };
    format!("{first}{}{stop}", chars.as_str())
}

/// Puts `indent` before each line.
pub(crate) fn indent(text: &str, indent: &str) -> String {
    text.lines().map(|l| if l.is_empty() { "\n".to_string() } else { format!("{indent}{l}\n") }).collect()
}

/// A trace as JSON.
#[derive(Serialize)]
pub(crate) struct TraceJson {
    tasks: Vec<String>,
    rows: Vec<RowJson>,
}

#[derive(Serialize)]
struct RowJson {
    step: Option<u64>,
    task: String,
    event: String,
    holds: String,
}

impl From<&Columns> for TraceJson {
    fn from(c: &Columns) -> Self {
        let row = |r: &machine::columns::Row| RowJson {
            step: r.step,
            task: c.tasks[r.column].clone(),
            event: r.event.trim().to_string(),
            holds: r.holds.clone(),
        };
        TraceJson { tasks: c.tasks.clone(), rows: c.rows.iter().map(row).collect() }
    }
}

/// A JSON document with a final new line.
pub(crate) fn json(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("plain data is written as JSON");
    text.push('\n');
    text
}
