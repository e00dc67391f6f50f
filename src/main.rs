// SPDX-License-Identifier: GPL-2.0-only
//! `dmabuf-sim`: the command line.

#![forbid(unsafe_code)]

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    // RUST_LOG=machine=debug tells what was explored, machine=trace each event of a replay; nothing without it.
    if std::env::var_os("RUST_LOG").is_some() {
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        tracing_subscriber::fmt().with_env_filter(filter).without_time().with_writer(std::io::stderr).init();
    }
    let terminal = std::io::stderr().is_terminal();
    let (text, code) = match dmabuf_sim::run(std::env::args_os(), terminal) {
        Ok(outcome) => (outcome.text, outcome.code),
        Err(error) => {
            eprint!("{error}");
            return ExitCode::from(error.code());
        }
    };
    // A reader that goes away early, as `head` does, is no error.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    ExitCode::from(code)
}
