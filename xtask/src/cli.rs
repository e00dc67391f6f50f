// SPDX-License-Identifier: GPL-2.0-only
//! The command line: the only place that prints and that turns an answer into an exit status.

use crate::error::XtaskError;
use crate::finding::Outcome;
use crate::tidy;
use crate::tree::{self, Tree};
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// The house rules as programs.
///
/// Exit status: 0 when all is well, 1 with findings, 2 when the command itself could not be carried out.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check the house rules that a program can see: dependencies, licences, banned names, links, layout
    Tidy,
}

/// Runs the command and prints what it says.
pub fn main(cli: &Cli) -> ExitCode {
    match run(cli) {
        Ok(outcome) => {
            print!("{}", outcome.text);
            if outcome.ok { ExitCode::SUCCESS } else { ExitCode::from(1) }
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(cli: &Cli) -> Result<Outcome, XtaskError> {
    let here = std::env::current_dir().map_err(|source| XtaskError::Read { path: ".".into(), source })?;
    let root = tree::workspace_root(&here)?;
    match cli.command {
        Command::Tidy => Ok(tidy::run(&Tree::read(&root)?)),
    }
}
