// SPDX-License-Identifier: GPL-2.0-only
//! What can go wrong with the command itself, as opposed to what it finds in the tree.
//!
//! Each message says what failed, where, and what to do. The exit status is 2; findings exit with 1.

use std::path::PathBuf;

/// A mistake of the caller, or of the machine. Never a finding about the tree.
#[derive(Debug, thiserror::Error)]
pub enum XtaskError {
    /// A file that has to be there cannot be read.
    #[error("cannot read {}: {source}; check that the file is there and readable", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source}; check the permissions of its folder", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A program cannot be started.
    #[error("cannot start `{command}`: {source}; check that it is installed and on PATH")]
    Start {
        /// The command line.
        command: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A program ran and failed.
    #[error("`{command}` failed; its own output above says why")]
    Failed {
        /// The command line.
        command: String,
    },
    /// The command was started outside the repository.
    #[error("no Cargo.toml with [workspace] in {} or above it; run inside the repository", .0.display())]
    NoWorkspace(PathBuf),
    /// The command line asks for something that does not exist.
    #[error("{what}; {instead}")]
    Usage {
        /// What is wrong.
        what: String,
        /// What to do.
        instead: String,
    },
}

impl XtaskError {
    /// A mistake in the command line: what is wrong and what to do.
    pub fn usage(what: impl Into<String>, instead: impl Into<String>) -> Self {
        Self::Usage { what: what.into(), instead: instead.into() }
    }
}
