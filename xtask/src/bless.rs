// SPDX-License-Identifier: GPL-2.0-only
//! `cargo xtask bless`: runs the tests once more with every golden file accepted as it comes out now.
//!
//! Read `git diff` afterwards: a golden file that changed is a change of behaviour.

use crate::error::XtaskError;
use crate::process::CommandLine;
use std::path::Path;

/// The tests, with `insta` snapshots and golden files written instead of compared.
pub const COMMAND: CommandLine = CommandLine {
    environment: &[("INSTA_UPDATE", "always"), ("INSTA_FORCE_PASS", "1"), ("UPDATE_GOLDEN", "1")],
    words: &["cargo", "test"],
};

/// Runs [`COMMAND`] for the workspace, or with `more` for what these arguments of `cargo test` name.
pub fn run(root: &Path, more: &[String]) -> Result<(), XtaskError> {
    COMMAND.run(root, &arguments(more))
}

fn arguments(more: &[String]) -> Vec<String> {
    if more.is_empty() { vec!["--workspace".to_owned()] } else { more.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_workspace_unless_something_is_named() {
        assert_eq!(arguments(&[]), ["--workspace"]);
        assert_eq!(arguments(&["-p".to_owned(), "machine".to_owned()]), ["-p", "machine"]);
    }

    #[test]
    fn snapshots_are_accepted() {
        assert!(
            COMMAND.typed().contains("INSTA_UPDATE=always") && COMMAND.typed().contains("UPDATE_GOLDEN=1")
        );
    }
}
