// SPDX-License-Identifier: GPL-2.0-only
//! Errors of the command line: what, where, what to do.

use explorer::{ExploreError, ScheduleError};

/// An error that ends the command.
#[derive(thiserror::Error, Debug)]
pub enum CliError {
    /// The arguments do not parse.
    #[error("{0}")]
    Arguments(String),
    /// A name that nothing has.
    #[error(
        "error: there is no {kind} named '{name}'\n\n  nearest: {nearest}\n  all of them: dmabuf-sim list {kind}s\n"
    )]
    Unknown {
        /// `revision` or `scenario`.
        kind: &'static str,
        /// The name.
        name: String,
        /// The nearest names.
        nearest: String,
    },
    /// A replay string that does not parse.
    #[error("error: the schedule does not parse: {error}\n\n  {text}\n  {pointer}\n")]
    Schedule {
        /// What is wrong.
        error: ScheduleError,
        /// The string.
        text: String,
        /// A caret under the character.
        pointer: String,
    },
    /// A replay string that does not fit the scenario and revision.
    #[error("error: {error}\n\n  {hint}\n")]
    Replay {
        /// What does not fit.
        error: ExploreError,
        /// What to do.
        hint: &'static str,
    },
    /// The simulator is at fault.
    #[error("bug in the simulator: {scenario} on {revision}: {error}\n")]
    Simulator {
        /// The scenario.
        scenario: &'static str,
        /// The revision.
        revision: &'static str,
        /// What happened.
        error: ExploreError,
    },
}

impl CliError {
    /// The exit status.
    pub fn code(&self) -> u8 {
        match self {
            CliError::Simulator { .. } => 3,
            _ => 2,
        }
    }
}
