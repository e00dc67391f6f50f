// SPDX-License-Identifier: GPL-2.0-only
//! The command line `dmabuf-sim`: argument parsing and rendering. What it shows comes from [`machine`].
//!
//! Exit status: 0 when all that was expected held; 1 when a finding contradicts a scenario's `Result:` line;
//! 2 for an error of the user; 3 when the simulator itself is at fault.

#![forbid(unsafe_code)]

mod cli;
mod error;
mod explore;
mod list;
mod names;
mod replay;
mod review;
mod show;

use std::ffi::OsString;

pub use error::CliError;

/// What a command prints to standard output, and its exit status.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// The output.
    pub text: String,
    /// 0 or 1.
    pub code: u8,
}

/// Runs the command that the arguments ask for; the first is the program's name. With `terminal`, progress goes to
/// standard error.
///
/// # Errors
/// What is wrong with the arguments, or with the simulator.
pub fn run(args: impl IntoIterator<Item = OsString>, terminal: bool) -> Result<Outcome, CliError> {
    let command = match cli::parse(args)? {
        cli::Parsed::Help(text) => return Ok(Outcome { text, code: 0 }),
        cli::Parsed::Command(command) => command,
    };
    match command {
        cli::Command::Review(args) => review::review(&args, terminal),
        cli::Command::List(args) => list::list(&args),
        cli::Command::Explore(args) => explore::explore(&args),
        cli::Command::Replay(args) => replay::replay(&args),
    }
}
