// SPDX-License-Identifier: GPL-2.0-only
//! A trace in columns, one a task: step, event, locks held.

use explorer::{EventKind, Finding, Mode, Trace, TraceEvent};

use crate::symbols::function_at;

/// A row: the step's number if it is one, the task's column, the event, the locks that the task holds after it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Number of the step, from 1; `None` for what happens within a step.
    pub step: Option<u64>,
    /// Index into the columns.
    pub column: usize,
    /// The event in words.
    pub event: String,
    /// Locks held after it, e.g. `memory_lock(W) resv`.
    pub holds: String,
}

/// A trace made ready to be shown: up to the finding, without what came before the tasks existed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Columns {
    /// Names of the tasks that have a column.
    pub tasks: Vec<String>,
    /// The rows, in order.
    pub rows: Vec<Row>,
}

fn holds(event: &TraceEvent) -> String {
    let lock = |(name, mode): &(String, Mode)| {
        let short = name.rsplit("->").next().unwrap_or(name);
        let mode = if *mode == Mode::Shared { "(R)" } else { "" };
        format!("{short}{mode}")
    };
    event.held.iter().map(lock).collect::<Vec<_>>().join(" ")
}

/// Lays a trace out; `until` is the finding at which it ends, if it is to end at one.
pub fn columns(trace: &Trace, until: Option<&Finding>) -> Columns {
    let begin = trace.events.iter().position(|e| matches!(e.kind, EventKind::Step { step, .. } if step > 0));
    let begin = begin.unwrap_or(0);
    let end = until
        .and_then(|f| trace.events.iter().position(|e| e.kind == EventKind::Finding(f.message.clone())))
        .map_or(trace.events.len(), |i| i + 1);
    let events = &trace.events[begin.min(end)..end];
    let mut order: Vec<usize> = events.iter().map(|e| e.task.index()).collect();
    order.sort_unstable();
    order.dedup();
    // The root closes the scenario: it comes last.
    order.sort_by_key(|t| if *t == 0 { usize::MAX } else { *t });
    let mut last_function = vec![None; order.len()];
    let mut rows = Vec::new();
    for event in events {
        let column = order.iter().position(|t| *t == event.task.index()).expect("listed above");
        let function = event.at.and_then(function_at);
        if let Some(name) = function
            && last_function[column] != function
        {
            last_function[column] = function;
            rows.push(Row { step: None, column, event: format!("{name}()"), holds: String::new() });
        }
        let (step, text) = match &event.kind {
            EventKind::Step { step, operation, object } => (Some(*step), format!("  {operation} {object}")),
            EventKind::Silent { operation, object } => (None, format!("  {operation} {object}")),
            EventKind::Note(text) => (None, format!("  · {text}")),
            EventKind::Finding(_) => (None, "  ! the finding".to_string()),
        };
        rows.push(Row { step: step.filter(|s| *s > 0), column, event: text, holds: holds(event) });
    }
    let tasks = order.iter().map(|t| trace.tasks[*t].clone()).collect();
    Columns { tasks, rows }
}

/// Renders columns as text, at most about 110 characters wide; long events are not cut.
pub fn render(columns: &Columns) -> String {
    let n = columns.tasks.len();
    let mut width = vec![0; n];
    let mut held = vec![0; n];
    for (i, task) in columns.tasks.iter().enumerate() {
        width[i] = task.chars().count();
    }
    for row in &columns.rows {
        width[row.column] = width[row.column].max(row.event.chars().count());
        held[row.column] = held[row.column].max(row.holds.chars().count());
    }
    for h in &mut held {
        *h = (*h).max(5);
    }
    let mut out = String::from(" step");
    for (i, task) in columns.tasks.iter().enumerate() {
        out.push_str(&format!("  {task:<w$}  {:<h$}", "holds", w = width[i], h = held[i]));
    }
    trim_end(&mut out);
    for row in &columns.rows {
        let step = row.step.map_or(String::new(), |s| s.to_string());
        out.push_str(&format!("{step:>5}"));
        for i in 0..n {
            let (event, holds) =
                if i == row.column { (row.event.as_str(), row.holds.as_str()) } else { ("", "") };
            out.push_str(&format!("  {event:<w$}  {holds:<h$}", w = width[i], h = held[i]));
        }
        trim_end(&mut out);
    }
    out
}

fn trim_end(out: &mut String) {
    out.truncate(out.trim_end_matches(' ').len());
    out.push('\n');
}
