// SPDX-License-Identifier: MIT OR Apache-2.0
//! Findings are values: what was wrong in an execution, and the schedule that shows it again.

use std::fmt;
use std::panic::Location;

use crate::schedule::Schedule;

/// The kinds of finding that the explorer itself knows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum FindingKind {
    /// Nobody can go on, and somebody has not finished.
    Deadlock,
    /// Two accesses to a cell, neither ordered before the other.
    DataRace,
    /// A task panicked.
    Panic,
    /// An execution passed the step budget.
    StepBudget,
    /// Reported by the program under test, see [`crate::report`].
    User,
}

impl FindingKind {
    /// Every kind, for reading their written form.
    pub(crate) const ALL: [FindingKind; 5] = [
        FindingKind::Deadlock,
        FindingKind::DataRace,
        FindingKind::Panic,
        FindingKind::StepBudget,
        FindingKind::User,
    ];
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FindingKind::Deadlock => "deadlock",
            FindingKind::DataRace => "data race",
            FindingKind::Panic => "panic",
            FindingKind::StepBudget => "step budget",
            FindingKind::User => "report",
        })
    }
}

/// A finding of one execution, before the exploration gives it a schedule.
#[derive(Clone, Debug)]
pub(crate) struct RawFinding {
    pub(crate) kind: FindingKind,
    pub(crate) key: String,
    pub(crate) message: String,
    pub(crate) step: u64,
}

/// A task that cannot go on.
#[derive(Clone, Debug)]
pub(crate) struct Wait {
    pub(crate) task: String,
    pub(crate) operation: &'static str,
    pub(crate) object: String,
    pub(crate) holders: Vec<String>,
    pub(crate) at: &'static Location<'static>,
}

impl Wait {
    /// What makes two waits the same: the place in the source is part of it.
    pub(crate) fn key(&self) -> String {
        format!("{self} at {}", self.at)
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} waits to {} {}", self.task, self.operation, self.object)?;
        if !self.holders.is_empty() {
            write!(f, ", held by {}", self.holders.join(" and "))?;
        }
        Ok(())
    }
}

/// Something wrong that at least one execution showed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What kind of finding.
    pub kind: FindingKind,
    /// What makes two findings the same: an exploration keeps one finding, with its best schedule, a key.
    pub key: String,
    /// One sentence, or several lines, for a reader.
    pub message: String,
    /// The best schedule seen that shows it: fewest preemptions, then switches, then steps, then least.
    pub schedule: Schedule,
    /// The step, counted from 1, at which it was reported.
    pub step: u64,
    /// Executions that showed it.
    pub executions: u64,
}
