// SPDX-License-Identifier: GPL-2.0-only
//! The arguments.

use std::ffi::OsString;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::CliError;

const EXIT_STATUS: &str = "Exit status: 0 when all that was expected held, 1 when a finding contradicts a scenario's \
                           result line, 2 for an error in the arguments, 3 when the simulator itself is at fault.";

/// Reviews the vfio-pci DMABUF subsystem: which promises a revision keeps and breaks, with replayable witnesses.
#[derive(Parser, Debug)]
#[command(name = "dmabuf-sim", version, after_help = EXIT_STATUS, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    review: Review,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Says for each revision which invariants hold, and shows each finding (the default command)
    Review(Review),
    /// Lists what there is
    List(List),
    /// Explores one scenario on one revision
    Explore(Explore),
    /// Replays one schedule of a scenario and shows what happens, step by step
    Replay(Replay),
}

/// How to print.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Format {
    /// For a reader
    #[default]
    Text,
    /// For a program: one JSON document
    Json,
}

#[derive(Args, Debug)]
pub(crate) struct Review {
    /// Only this revision, by name or catalogue id; may be repeated
    #[arg(long, value_name = "REVISION")]
    pub(crate) revision: Vec<String>,
    /// Only this scenario; may be repeated
    #[arg(long, value_name = "SCENARIO")]
    pub(crate) scenario: Vec<String>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// What can be listed.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Posted series and released kernels
    Revisions,
    /// What is run on them
    Scenarios,
    /// What must hold
    Invariants,
}

#[derive(Args, Debug)]
pub(crate) struct List {
    /// What to list
    #[arg(value_enum)]
    pub(crate) what: Kind,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Args, Debug)]
pub(crate) struct Explore {
    /// The scenario
    pub(crate) scenario: String,
    /// The revision, by name or catalogue id
    #[arg(long)]
    pub(crate) revision: String,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Args, Debug)]
pub(crate) struct Replay {
    /// The scenario
    pub(crate) scenario: String,
    /// The revision, by name or catalogue id
    #[arg(long)]
    pub(crate) revision: String,
    /// The schedule, as a finding prints it
    pub(crate) schedule: String,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// What the arguments ask for.
pub(crate) enum Parsed {
    /// Help or version: print this.
    Help(String),
    /// Run this.
    Command(Command),
}

/// Parses the arguments.
///
/// # Errors
/// What is wrong with them, in clap's words.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Parsed, CliError> {
    match Cli::try_parse_from(args) {
        Ok(cli) => Ok(Parsed::Command(cli.command.unwrap_or(Command::Review(cli.review)))),
        Err(e) if e.use_stderr() => Err(CliError::Arguments(e.to_string())),
        Err(e) => Ok(Parsed::Help(e.to_string())),
    }
}
