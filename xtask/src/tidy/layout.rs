// SPDX-License-Identifier: GPL-2.0-only
//! White space and width: what rustfmt leaves alone, and what it never sees.

use crate::finding::Finding;
use crate::tree::Tree;

/// The widest that a line of Rust may be. rustfmt wraps at 110; a string or a comment gets a little more.
pub const MAX_COLUMNS: usize = 120;

/// Finds trailing white space, missing final line breaks, tabs and lines that are too wide.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts().filter(|(path, _)| !is_verbatim(path)) {
        let rust = path.ends_with(".rs");
        let mut push = |line: usize, what: String, instead: &str| {
            findings.push(Finding::new("layout", path, line, what, instead));
        };
        for (at, line) in text.lines().enumerate() {
            if line.ends_with(char::is_whitespace) {
                push(at + 1, "white space at the end of the line".to_owned(), "remove it");
            }
            if rust && line.contains('\t') {
                push(at + 1, "a tab".to_owned(), "indent with spaces; write \\t inside a string");
            }
            let columns = line.chars().count();
            if rust && columns > MAX_COLUMNS {
                push(at + 1, format!("{columns} columns, more than {MAX_COLUMNS}"), "break the line");
            }
        }
        if !text.is_empty() && !text.ends_with('\n') {
            push(text.lines().count(), "no line break at the end of the file".to_owned(), "add one");
        } else if text.ends_with("\n\n") {
            push(text.lines().count(), "empty lines at the end of the file".to_owned(), "remove them");
        }
    }
    findings
}

/// Texts that are compared byte for byte, or that are another's words: diffs, golden files, licences.
fn is_verbatim(path: &str) -> bool {
    let extension = [".patch", ".diff", ".snap"].iter().any(|end| path.ends_with(end));
    let folder = path.split('/').any(|part| matches!(part, "golden" | "snapshots"));
    extension || folder || path.starts_with("LICENSE-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::expect_places;

    fn found(path: &str, text: &str) -> Vec<Finding> {
        check(&Tree::of(&[(path, text)]))
    }

    #[test]
    fn clean_text_passes() {
        assert_eq!(found("a.rs", &format!("fn a() {{}}\n{}\n", "é".repeat(120))), []);
        assert_eq!(found("Makefile", "all:\n\ttrue\n"), []);
        assert_eq!(found("a.md", &format!("{}\n", "x".repeat(300))), []);
        assert_eq!(found("empty.rs", ""), []);
    }

    #[test]
    fn each_fault_fires_at_its_line() {
        expect_places(&found("a.rs", "fn a() {}\nfn b() {} \n"), &["a.rs:2"]);
        expect_places(&found("a.toml", "a = 1\t\n"), &["a.toml:1"]);
        expect_places(&found("a.rs", "\n\tfn b() {}\n"), &["a.rs:2"]);
        expect_places(&found("a.rs", &format!("\n{}\n", "x".repeat(121))), &["a.rs:2"]);
        expect_places(&found("a.md", "one\ntwo"), &["a.md:2"]);
        expect_places(&found("a.md", "one\n\n\n"), &["a.md:3"]);
    }

    #[test]
    fn what_must_stay_byte_for_byte_is_left_alone() {
        for path in
            ["crates/vfio-pci/mutants/a.patch", "tests/golden/a.txt", "tests/snapshots/a.snap", "LICENSE-MIT"]
        {
            assert_eq!(found(path, "a \n \nb"), [], "{path}");
        }
    }
}
