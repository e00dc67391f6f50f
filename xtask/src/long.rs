// SPDX-License-Identifier: GPL-2.0-only
//! `cargo xtask long`: runs that are too long for each change, such as hours of random schedules.
//!
//! A crate registers its own by a row in [`RUNS`].

use crate::error::XtaskError;
use crate::process::CommandLine;
use std::path::Path;

/// A long run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongRun {
    /// The name to type.
    pub name: &'static str,
    /// What it is for, in one line.
    pub about: &'static str,
    /// What it starts.
    pub command: CommandLine,
}

/// Every long run, in the order in which they are listed.
pub const RUNS: &[LongRun] = &[LongRun {
    name: "differential",
    about: "every exhaustive search against the naive one, on 100,000 random programs",
    command: CommandLine {
        environment: &[("DIFFERENTIAL_PROGRAMS", "100000")],
        words: &[
            "cargo",
            "test",
            "--release",
            "-p",
            "explorer",
            "--test",
            "differential",
            "--",
            "--nocapture",
        ],
    },
}];

/// The list as printed.
pub fn list(runs: &[LongRun]) -> String {
    if runs.is_empty() {
        return "no long runs registered\n".to_owned();
    }
    runs.iter()
        .map(|run| format!("{:<24} {}\n{:<24} {}\n", run.name, run.about, "", run.command.typed()))
        .collect()
}

/// Starts the run of that name.
pub fn run(runs: &[LongRun], root: &Path, name: &str) -> Result<(), XtaskError> {
    match runs.iter().find(|run| run.name == name) {
        Some(run) => run.command.run(root, &[]),
        None => Err(XtaskError::usage(
            format!("there is no long run `{name}`"),
            "`cargo xtask long` without a name lists them; a row of RUNS in xtask/src/long.rs adds one",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &[LongRun] = &[LongRun {
        name: "nothing",
        about: "does nothing, slowly",
        command: CommandLine { environment: &[], words: &["sh", "-c", "true"] },
    }];

    #[test]
    fn an_empty_registry_says_so() {
        assert_eq!(list(&[]), "no long runs registered\n");
    }

    #[test]
    fn a_registered_run_is_listed_and_started() {
        assert!(list(SAMPLE).starts_with("nothing                  does nothing, slowly\n"));
        assert!(run(SAMPLE, Path::new("."), "nothing").is_ok());
        assert!(run(SAMPLE, Path::new("."), "something").is_err());
    }

    #[test]
    fn names_in_the_registry_are_unique() {
        let names: std::collections::BTreeSet<_> = RUNS.iter().map(|run| run.name).collect();
        assert_eq!(names.len(), RUNS.len());
    }
}
