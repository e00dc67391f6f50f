// SPDX-License-Identifier: GPL-2.0-only
//! `dmabuf-sim`: the command line.

#![forbid(unsafe_code)]

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
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
