// SPDX-License-Identifier: GPL-2.0-only
//! The command line: the only place that prints and that turns an answer into an exit status.

use crate::error::XtaskError;
use crate::finding::Outcome;
use crate::tree::{self, Tree};
use crate::{bless, ci, cite, long, revdiff, tidy};
use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
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
    /// Run every check beside the tests: format, tidy, cite, revdiff, clippy, rustdoc
    Ci,
    /// Check the house rules that a program can see: dependencies, licences, banned names, links, layout
    Tidy,
    /// Check citations of kernel functions against docs/kernel-map.toml and docs/omitted.toml; print the coverage
    Cite(CiteArguments),
    /// Compare two revisions function by function, or check that each header lists what it changes
    Revdiff(RevdiffArguments),
    /// Rerun the tests and accept every snapshot and golden file as it comes out; read `git diff` afterwards
    Bless {
        /// Arguments of `cargo test` that narrow it down, such as `-p machine`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        tests: Vec<String>,
    },
    /// List the long runs, or start one
    Long {
        /// The run to start
        name: Option<String>,
    },
}

/// Arguments of `revdiff`.
#[derive(Debug, clap::Args)]
pub struct RevdiffArguments {
    /// The older revision: its name or its folder
    #[arg(required_unless_present = "check", requires = "new")]
    pub old: Option<String>,
    /// The newer revision
    pub new: Option<String>,
    /// List the functions that differ instead of printing their diffs
    #[arg(long)]
    pub functions: bool,
    /// Check that each file's header lists exactly the functions that differ from its parent's file
    #[arg(long, conflicts_with_all = ["old", "functions"])]
    pub check: bool,
}

/// Arguments of `cite`.
#[derive(Debug, clap::Args)]
pub struct CiteArguments {
    /// The root of a kernel source tree, to check lines and hashes against
    #[arg(long, value_name = "DIR")]
    pub kernel: Option<PathBuf>,
    /// Which version that source is; may be left out while the tree cites only one
    #[arg(long, value_name = "VERSION", requires = "kernel")]
    pub kernel_version: Option<String>,
    /// Write docs/kernel-map.toml anew from the citations in the tree
    #[arg(long, requires = "kernel", conflicts_with = "missing")]
    pub update: bool,
    /// List the functions of this C file that are neither cited nor left out
    #[arg(long, value_name = "FILE.c", requires = "kernel")]
    pub missing: Option<String>,
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
    let silent = |ok| Outcome { text: String::new(), ok };
    match &cli.command {
        Command::Ci => ci::run(&ci::STEPS, &root, &mut |words| print!("{words}")).map(silent),
        Command::Tidy => Ok(tidy::run(&Tree::read(&root)?)),
        Command::Cite(arguments) => run_cite(&root, arguments),
        Command::Revdiff(RevdiffArguments { old: Some(old), new: Some(new), functions, .. }) => {
            revdiff::compare(&Tree::read(&root)?, old, new, *functions)
        }
        Command::Bless { tests } => bless::run(&root, tests).map(|()| silent(true)),
        Command::Long { name: Some(name) } => long::run(long::RUNS, &root, name).map(|()| silent(true)),
        Command::Long { name: None } => Ok(Outcome { text: long::list(long::RUNS), ok: true }),
        Command::Revdiff(_) => Ok(revdiff::run_check(&Tree::read(&root)?)),
    }
}

fn run_cite(root: &Path, arguments: &CiteArguments) -> Result<Outcome, XtaskError> {
    let tree = Tree::read(root)?;
    let Some(kernel) = arguments.kernel.as_deref() else { return Ok(cite::check::run(&tree)) };
    if !kernel.is_dir() {
        let what = format!("--kernel {} is no folder", kernel.display());
        return Err(XtaskError::usage(what, "give the root of a kernel source tree"));
    }
    let version = cite::kernel::version(&cite::check::read(&tree), arguments.kernel_version.as_deref())?;
    if let Some(file) = &arguments.missing {
        return cite::kernel::missing(&tree, kernel, &version, file);
    }
    if !arguments.update {
        return Ok(cite::kernel::run(&tree, kernel, &version));
    }
    let (map, findings) = cite::kernel::update(&tree, kernel, &version);
    let path = root.join(cite::map::PATH);
    let written = std::fs::create_dir_all(root.join("docs")).and_then(|()| std::fs::write(&path, map));
    written.map_err(|source| XtaskError::Write { path, source })?;
    Ok(Outcome::of("", findings, &format!("cite: {} written for {version}", cite::map::PATH)))
}
