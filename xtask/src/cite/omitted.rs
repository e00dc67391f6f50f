// SPDX-License-Identifier: GPL-2.0-only
//! `docs/omitted.toml`: what is left out of the model, and why.
//!
//! ```toml
//! [[omitted]]
//! version = "v7.3.4"                      # left out: holds for every version
//! file = "drivers/vfio/pci/vfio_pci_core.c"
//! functions = ["vfio_pci_eeh_open"]
//! branch = "the IS_ENABLED(CONFIG_EEH) arm"  # only this branch of a function that is modelled
//! reason = "no platform with EEH has dma-buf"
//!
//! [[partial]]                             # a file of which only the cited functions are wanted
//! file = "kernel/locking/rwsem.c"
//! reason = "the model implements the contract, not the text"
//! ```

use serde::Deserialize;

/// Path of the list.
pub const PATH: &str = "docs/omitted.toml";

/// The whole list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Omissions {
    /// Functions and branches left out.
    #[serde(default)]
    pub omitted: Vec<Omission>,
    /// Files that are no aim as a whole.
    #[serde(default)]
    pub partial: Vec<Partial>,
}

/// Functions, or one branch of them, left out for a reason.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Omission {
    /// The kernel version; none for every version.
    pub version: Option<String>,
    /// The C file.
    pub file: String,
    /// The functions.
    pub functions: Vec<String>,
    /// Words that name the branch, when the rest of the function is modelled.
    pub branch: Option<String>,
    /// Why.
    pub reason: String,
}

/// A file that is kept out of the coverage total.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partial {
    /// The C file.
    pub file: String,
    /// Why.
    pub reason: String,
}

impl Omissions {
    /// Reads the list; the error says at which line it is wrong.
    pub fn parse(text: &str) -> Result<Self, (usize, String)> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            (line, error.message().to_owned())
        })
    }

    /// Whether the whole function is left out.
    pub fn leaves_out(&self, version: &str, file: &str, function: &str) -> bool {
        let names = |o: &&Omission| o.branch.is_none() && o.functions.iter().any(|name| name == function);
        self.omitted.iter().filter(|o| o.file == file && o.holds_for(version)).any(|o| names(&o))
    }

    /// Whether the file is no aim as a whole.
    pub fn is_partial(&self, file: &str) -> bool {
        self.partial.iter().any(|partial| partial.file == file)
    }
}

impl Omission {
    /// Whether it speaks of this version.
    pub fn holds_for(&self, version: &str) -> bool {
        self.version.as_deref().is_none_or(|own| own == version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_left_out_where_the_list_says_so() {
        let list = Omissions::parse(
            "[[omitted]]\nversion = \"v1\"\nfile = \"a.c\"\nfunctions = [\"f\"]\nreason = \"r\"\n\
             [[omitted]]\nfile = \"a.c\"\nfunctions = [\"g\"]\nbranch = \"the else arm\"\nreason = \"r\"\n\
             [[partial]]\nfile = \"p.c\"\nreason = \"r\"\n",
        )
        .expect("the sample is a list");
        assert!(list.leaves_out("v1", "a.c", "f") && list.is_partial("p.c"));
        assert!(!list.leaves_out("v2", "a.c", "f"), "another version");
        assert!(!list.leaves_out("v1", "b.c", "f"), "another file");
        assert!(!list.leaves_out("v1", "a.c", "g"), "a branch only");
        assert!(!list.is_partial("a.c"));
    }

    #[test]
    fn an_entry_without_a_reason_or_with_unknown_words_is_refused() {
        assert_eq!(
            Omissions::parse("\n[[omitted]]\nfile = \"a.c\"\nfunctions = []\n").expect_err("no reason").0,
            2
        );
        assert_eq!(
            Omissions::parse("[[partial]]\nfile = \"a\"\nwhy = \"b\"\n").expect_err("no such word").0,
            3
        );
    }
}
