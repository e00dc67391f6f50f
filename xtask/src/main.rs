// SPDX-License-Identifier: GPL-2.0-only
//! `cargo xtask`: reads the command line and hands it to the library.
#![forbid(unsafe_code)]

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    xtask::cli::main(&xtask::cli::Cli::parse())
}
