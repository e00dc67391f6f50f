// SPDX-License-Identifier: GPL-2.0-only
//! The command line: the only place that prints and that turns an answer into an exit status.

use crate::cite;
use crate::error::XtaskError;
use crate::finding::Outcome;
use crate::tidy;
use crate::tree::{self, Tree};
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
    /// Check the house rules that a program can see: dependencies, licences, banned names, links, layout
    Tidy,
    /// Check citations of kernel functions against docs/kernel-map.toml and docs/omitted.toml; print the coverage
    Cite(CiteArguments),
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
    match &cli.command {
        Command::Tidy => Ok(tidy::run(&Tree::read(&root)?)),
        Command::Cite(arguments) => run_cite(&root, arguments),
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
