// SPDX-License-Identifier: GPL-2.0-only
//! A revision knows neither its siblings nor its own name, so that `diff -u` of two revisions is the patch.
//!
//! Names may stand in comments, where a header says what the parent is, and the string of a revision's own name may
//! stand in its `mod.rs`, which describes it to the command line.

use crate::finding::Finding;
use crate::rust_text::{self, Kind};
use crate::tree::Tree;
use std::collections::BTreeSet;

/// Folder of the revisions.
pub const FOLDER: &str = "crates/vfio-pci/src/revisions/";

/// The revision and the file inside it, for a path below [`FOLDER`].
pub fn split(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix(FOLDER)?.split_once('/')
}

/// Finds revision names in the code of revisions.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let names: BTreeSet<&str> = tree.rust().filter_map(|(path, _)| Some(split(path)?.0)).collect();
    let mut findings = Vec::new();
    for (path, text) in tree.rust() {
        let Some((own, file)) = split(path) else { continue };
        // A file that does not lex is no finding of this rule: it does not compile either.
        let Ok(tokens) = rust_text::tokens(text) else { continue };
        for token in rust_text::without_tests(&tokens) {
            let word = token.text.trim_matches('"');
            if !names.contains(word) {
                continue;
            }
            let (what, instead) = match token.kind {
                Kind::Ident if word == own => (
                    format!("the revision `{own}` names itself"),
                    "write `super::`, so that the text is the same in its children",
                ),
                Kind::Ident => (
                    format!("the revision `{own}` reaches into the revision `{word}`"),
                    "call through the revision's table (`RevisionOps`), or copy the whole file",
                ),
                Kind::Literal if file != "mod.rs" || word != own => (
                    format!("modelled code holds the revision name \"{word}\""),
                    "let the difference be text of the revision, never a question which revision it is",
                ),
                _ => continue,
            };
            findings.push(Finding::new("revisions", path, token.line, what, instead));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::expect_places;

    fn found(file: &str, text: &str) -> Vec<Finding> {
        check(&Tree::of(&[
            (&format!("{FOLDER}{file}"), text),
            (&format!("{FOLDER}v7_3/z.rs"), ""),
            (&format!("{FOLDER}leon_v0/z.rs"), ""),
            (&format!("{FOLDER}mod.rs"), "pub mod leon_v0;\npub mod v7_3;\n"),
        ]))
    }

    #[test]
    fn a_sibling_is_out_of_reach() {
        for text in
            ["use super::super::v7_3::z;", "use crate::revisions::{v7_3, x};", "fn a() { v7_3::z(); }"]
        {
            expect_places(&found("leon_v0/a.rs", text), &["crates/vfio-pci/src/revisions/leon_v0/a.rs:1"]);
        }
        expect_places(
            &found("leon_v0/mod.rs", "\nuse super::v7_3;"),
            &["crates/vfio-pci/src/revisions/leon_v0/mod.rs:2"],
        );
    }

    #[test]
    fn the_message_tells_a_sibling_from_itself() {
        assert!(
            found("leon_v0/a.rs", "use crate::revisions::v7_3;")[0]
                .what
                .ends_with("into the revision `v7_3`")
        );
        assert!(found("v7_3/a.rs", "use crate::revisions::v7_3;")[0].what.ends_with("`v7_3` names itself"));
    }

    #[test]
    fn nobody_asks_which_revision_it_is() {
        expect_places(
            &found(
                "v7_3/a.rs",
                "fn a() {\n    if name() == \"leon_v0\" {}\n    crate::revisions::v7_3::b();\n}",
            ),
            &["crates/vfio-pci/src/revisions/v7_3/a.rs:2", "crates/vfio-pci/src/revisions/v7_3/a.rs:3"],
        );
        assert_eq!(found("v7_3/a.rs", "fn a() { if name() == \"v7_3\" {} }").len(), 1);
    }

    #[test]
    fn headers_tests_and_the_own_description_may() {
        assert_eq!(
            found("leon_v0/a.rs", "//! Parent: v7_3\nuse super::b;\nfn a() { b(\"v7_3 and more\"); }"),
            []
        );
        assert_eq!(found("leon_v0/mod.rs", "pub const NAME: &str = \"leon_v0\";"), []);
        assert_eq!(found("leon_v0/a.rs", "#[cfg(test)] mod tests { use crate::revisions::v7_3; }"), []);
    }
}
