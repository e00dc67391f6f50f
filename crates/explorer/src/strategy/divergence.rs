// SPDX-License-Identifier: MIT OR Apache-2.0
//! The first difference between two executions with the same decisions, in words.

use super::View;
use crate::op::{Op, TaskId, TaskSet};

/// A prefix could not be replayed: the model is not deterministic, or the schedule is another model's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Divergence {
    /// The decision, counted from 1, at which it was noticed; 0 for what concerns the whole schedule.
    pub decision: usize,
    /// What was expected and what was found.
    pub what: String,
}

impl Divergence {
    /// Task `t` was about to do `before`, and is about to do something else.
    pub(crate) fn other_op(decision: usize, view: &View<'_>, t: TaskId, before: Op) -> Self {
        let now = view.pending[t.index()];
        let what = if view.describe(now) == view.describe(before) {
            format!(
                "task {} is about to {} with argument {}; in an earlier execution with the same decisions it was {}",
                view.name(t),
                view.describe(now),
                now.arg,
                before.arg
            )
        } else {
            format!(
                "task {} is about to {}; in an earlier execution with the same decisions it was about to {}",
                view.name(t),
                view.describe(now),
                view.describe(before)
            )
        };
        Divergence { decision, what }
    }

    /// Task `t` could do `before`, and cannot go on.
    pub(crate) fn blocked(decision: usize, view: &View<'_>, t: TaskId, before: Op) -> Self {
        let now = if view.ready & t.bit() != 0 {
            format!("waits to {}", view.describe(view.pending[t.index()]))
        } else {
            "has nothing to do".into()
        };
        let what = format!(
            "task {} {now}; in an earlier execution with the same decisions it could {}",
            view.name(t),
            view.describe(before)
        );
        Divergence { decision, what }
    }

    /// Others can go on than before.
    pub(crate) fn other_enabled(decision: usize, view: &View<'_>, before: TaskSet) -> Self {
        let (gone, new) = (before & !view.enabled, view.enabled & !before);
        let names =
            |set| crate::op::members(set).map(|t| view.name(t).to_string()).collect::<Vec<_>>().join(", ");
        let mut parts = Vec::new();
        if new != 0 {
            parts.push(format!("{} can go on and could not", view.describe_all(new)));
        }
        if gone & view.ready != 0 {
            parts.push(format!("{} is blocked and was not", view.describe_all(gone)));
        }
        if gone & !view.ready != 0 {
            parts.push(format!("{} has nothing to do and had", names(gone & !view.ready)));
        }
        let what = format!("{} in an earlier execution with the same decisions", parts.join("; "));
        Divergence { decision, what }
    }

    /// A choice was asked for before; now a step is.
    pub(crate) fn no_choice(decision: usize, view: &View<'_>, n: u32) -> Self {
        let what = format!(
            "tasks take steps ({}); in an earlier execution with the same decisions a choice among {n} was asked for",
            view.describe_all(view.enabled)
        );
        Divergence { decision, what }
    }

    /// A choice is asked for; before it was a step, or another choice.
    pub(crate) fn other_choice(decision: usize, t: TaskId, n: u32) -> Self {
        let what = format!(
            "task {} asks for a choice among {n}; in an earlier execution with the same decisions it did not",
            t.letter()
        );
        Divergence { decision, what }
    }

    /// The execution is over where an earlier one went on.
    pub(crate) fn early(decisions: usize) -> Self {
        let what = format!(
            "the execution is over; an earlier one with the same {decisions} decisions went on from here"
        );
        Divergence { decision: decisions + 1, what }
    }
}
