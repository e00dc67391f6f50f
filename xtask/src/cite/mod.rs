// SPDX-License-Identifier: GPL-2.0-only
//! `cargo xtask cite`: each modelled function names the kernel function that it transcribes.
//!
//! A citation is a line directly above a function:
//!
//! ```text
//! //= linux v7.3.4 drivers/vfio/pci/vfio_pci_dmabuf.c vfio_pci_dma_buf_move
//! //= mail cover.1753274085.git.leonro@nvidia.com drivers/vfio/pci/vfio_pci_dmabuf.c vfio_pci_dma_buf_move
//! ```
//!
//! `docs/kernel-map.toml` ([`map`]) says where each cited function of a released kernel stands and what its text
//! hashes to; `docs/omitted.toml` ([`omitted`]) says what was left out and why. [`check`] compares the three
//! without kernel source, [`kernel`] with it. A posting's text is not on every machine: its citations are checked
//! for form only.

pub mod check;
pub mod kernel;
pub mod map;
pub mod omitted;

use crate::finding::Finding;
use crate::tree::Tree;

/// Where a cited text comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A released kernel, such as `v7.3.4`.
    Linux(String),
    /// A posting, by its Message-ID.
    Mail(String),
}

/// A citation found in the tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Citation {
    /// The text it names.
    pub origin: Origin,
    /// The C file.
    pub file: String,
    /// The C function.
    pub function: String,
    /// The Rust file it stands in.
    pub path: String,
    /// Its line.
    pub line: usize,
}

impl Citation {
    /// The kernel version, for a citation of a released kernel.
    pub fn version(&self) -> Option<&str> {
        match &self.origin {
            Origin::Linux(version) => Some(version),
            Origin::Mail(_) => None,
        }
    }
}

const MARK: &str = "//=";
const FORM: &str =
    "write `//= linux <version> <file> <function>` or `//= mail <Message-ID> <file> <function>`";

/// Every citation in the crates and the root package, sorted, and a finding for each that is malformed or misplaced.
pub fn citations(tree: &Tree) -> (Vec<Citation>, Vec<Finding>) {
    let mut found = Vec::new();
    let mut findings = Vec::new();
    // This tool's own sources hold samples of citations; they model nothing.
    for (path, text) in tree.rust().filter(|(path, _)| !path.starts_with("xtask/")) {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate() {
            let Some(words) = line.strip_prefix(MARK) else { continue };
            match parse(words) {
                Ok((origin, file, function)) => {
                    found.push(Citation { origin, file, function, path: path.to_owned(), line: at + 1 });
                }
                Err(what) => findings.push(Finding::new("cite", path, at + 1, what, FORM)),
            }
            if !is_above_a_function(&lines[at + 1..]) {
                let what = "this citation stands above no function";
                let instead =
                    "put it directly above `fn`, below the doc comment; only attributes may come between";
                findings.push(Finding::new("cite", path, at + 1, what, instead));
            }
        }
    }
    found.sort();
    (found, findings)
}

fn parse(words: &str) -> Result<(Origin, String, String), String> {
    let words: Vec<&str> = words.split_whitespace().collect();
    let [kind, name, file, function] = words[..] else {
        return Err(format!("a citation has four words, this one {}", words.len()));
    };
    let origin = match kind {
        "linux" if is_version(name) => Origin::Linux(name.to_owned()),
        "linux" => return Err(format!("`{name}` is no kernel version such as v7.3.4")),
        "mail" if name.contains('@') => Origin::Mail(name.trim_matches(['<', '>']).to_owned()),
        "mail" => return Err(format!("`{name}` is no Message-ID")),
        _ => return Err(format!("`{kind}` is neither `linux` nor `mail`")),
    };
    if !(file.ends_with(".c") || file.ends_with(".h")) || file.starts_with('/') {
        return Err(format!("`{file}` is no C file below the kernel's root"));
    }
    if !function.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(format!("`{function}` is no function name"));
    }
    Ok((origin, file.to_owned(), function.to_owned()))
}

fn is_version(name: &str) -> bool {
    name.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Whether the first line that is neither a citation nor part of an attribute starts a function.
fn is_above_a_function(lines: &[&str]) -> bool {
    let mut brackets = 0i32;
    for line in lines {
        if brackets == 0 && line.starts_with(MARK) {
            continue;
        }
        if brackets > 0 || line.starts_with("#[") {
            brackets += line.chars().map(|c| i32::from(c == '[') - i32::from(c == ']')).sum::<i32>();
            continue;
        }
        return starts_function(line);
    }
    false
}

fn starts_function(line: &str) -> bool {
    let mut words = line.split_whitespace().skip_while(|word| {
        word.starts_with("pub")
            || word.starts_with('"')
            || matches!(*word, "const" | "unsafe" | "extern" | "async")
    });
    // `pub(in crate::x)` is two words.
    let first = words.next();
    let first = if first.is_some_and(|word| word.ends_with(')')) { words.next() } else { first };
    first == Some("fn")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::expect_places;

    fn found(text: &str) -> (Vec<Citation>, Vec<Finding>) {
        citations(&Tree::of(&[("crates/dmabuf/src/a.rs", text)]))
    }

    #[test]
    fn both_forms_are_read() {
        let (citations, findings) = found(
            "/// Words.\n//= linux v7.3.4 a/b.c one\n#[expect(\n    dead_code,\n)]\npub(crate) fn one() {}\n\
             //= mail x.1@y.org a/b.c two\n//= linux v7.3.4 a/b.h two\npub unsafe extern \"C\" fn two() {}\n",
        );
        assert_eq!(findings, []);
        let shown: Vec<_> = citations.iter().map(|c| (c.version(), c.function.as_str(), c.line)).collect();
        assert_eq!(shown, [(Some("v7.3.4"), "one", 2), (Some("v7.3.4"), "two", 8), (None, "two", 7)]);
    }

    #[test]
    fn the_samples_of_this_tool_cite_nothing() {
        assert_eq!(
            citations(&Tree::of(&[("xtask/src/a.rs", "//= linux v7.3.4 a/b.c one\n")])),
            (vec![], vec![])
        );
        assert_eq!(
            citations(&Tree::of(&[("src/a.rs", "//= linux v7.3.4 a/b.c one\nfn one() {}\n")])).0.len(),
            1
        );
    }

    #[test]
    fn a_malformed_citation_is_a_finding() {
        for words in [
            "linux v7.3.4 a/b.c",
            "linux v7.3.4 a/b.c one two",
            "linux 7.3.4 a/b.c one",
            "linux master a/b.c one",
            "mail cover.1 a/b.c one",
            "kernel v7.3.4 a/b.c one",
            "linux v7.3.4 a/b.rs one",
            "linux v7.3.4 /a/b.c one",
            "linux v7.3.4 a/b.c one()",
        ] {
            let (citations, findings) = found(&format!("//= {words}\nfn one() {{}}\n"));
            assert_eq!((citations.len(), findings.len()), (0, 1), "{words}");
        }
    }

    #[test]
    fn a_citation_belongs_to_the_function_below_it() {
        for below in
            ["", "\nfn one() {}", "/// Words.\nfn one() {}", "struct One;", "#[inline]\nstatic ONE: u8 = 1;"]
        {
            let (_, findings) = found(&format!("//= linux v7.3.4 a/b.c one\n{below}"));
            expect_places(&findings, &["crates/dmabuf/src/a.rs:1"]);
        }
        let (_, findings) = found("//= linux v7.3.4 a/b.c one\npub(in crate::x) fn one() {}");
        assert_eq!(findings, []);
    }
}
