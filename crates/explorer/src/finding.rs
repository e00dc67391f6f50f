// SPDX-License-Identifier: MIT OR Apache-2.0
//! Findings are values: what was wrong in an execution, and the schedule that shows it again.

use std::fmt;

use crate::schedule::Schedule;

/// The kinds of finding that the explorer itself knows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum FindingKind {
    /// Tasks wait for each other in a cycle, or nobody can go on and somebody has not finished.
    Deadlock,
    /// Two accesses to a cell, neither ordered before the other.
    DataRace,
    /// A task goes on for ever without taking a step.
    Livelock,
    /// A task panicked.
    Panic,
    /// An execution passed the step budget.
    StepBudget,
    /// A condition that the program under test asserted does not hold, see [`crate::check`].
    Assertion,
    /// Reported by the program under test, see [`crate::report`].
    User,
}

impl FindingKind {
    /// Every kind, for reading their written form.
    pub(crate) const ALL: [FindingKind; 7] = [
        FindingKind::Deadlock,
        FindingKind::DataRace,
        FindingKind::Livelock,
        FindingKind::Panic,
        FindingKind::StepBudget,
        FindingKind::Assertion,
        FindingKind::User,
    ];
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FindingKind::Deadlock => "deadlock",
            FindingKind::DataRace => "data race",
            FindingKind::Livelock => "livelock",
            FindingKind::Panic => "panic",
            FindingKind::StepBudget => "step budget",
            FindingKind::Assertion => "assertion",
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
    /// Decisions made before it was reported.
    pub(crate) decisions: usize,
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
