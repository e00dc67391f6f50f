// SPDX-License-Identifier: GPL-2.0-only
//! `unsafe` lives in `explorer` and in one file of `kernel-model`, each time with its argument.

use crate::finding::Finding;
use crate::manifest::Package;
use crate::rust_text::{self, Token};
use crate::tidy::room;
use crate::tree::Tree;
use std::collections::BTreeSet;

const FORBID: &str = "#![forbid(unsafe_code)]";
/// How far above `unsafe` the start of its statement is looked for.
const STATEMENT_LINES: usize = 6;

/// Checks the crate roots for `forbid`, and each `unsafe` for its place and its SAFETY comment.
pub fn check(tree: &Tree, packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages.iter().filter(|p| !matches!(p.room.as_str(), "explorer" | "kernel-model")) {
        for root in &package.roots {
            if !tree.text(root).is_some_and(|text| text.lines().any(|line| line.trim() == FORBID)) {
                let what = "this crate root does not forbid unsafe code";
                findings.push(Finding::new(
                    "unsafe",
                    root,
                    1,
                    what,
                    format!("add `{FORBID}` below its header"),
                ));
            }
        }
    }
    let mut arenas = BTreeSet::new();
    for (path, text) in tree.rust().filter(|(_, text)| text.contains("unsafe")) {
        let uses = match rust_text::tokens(text) {
            Ok(tokens) => unsafe_lines(&tokens),
            Err(error) => {
                let what = format!("cannot be cut into tokens ({})", error.message);
                findings.push(Finding::new(
                    "unsafe",
                    path,
                    error.line,
                    what,
                    "mend it; `cargo check` says more",
                ));
                continue;
            }
        };
        let Some(&first) = uses.first() else { continue };
        match room(path) {
            "explorer" => {}
            "kernel-model" => {
                if arenas.insert(path) && arenas.len() > 1 {
                    let what = "a second file of kernel-model has unsafe code";
                    let one = arenas.iter().find(|other| **other != path).unwrap_or(&path);
                    findings.push(Finding::new("unsafe", path, first, what, format!("move it to {one}")));
                }
            }
            _ => {
                let what = "unsafe code outside explorer and kernel-model";
                let instead = "write it without, or ask for a safe function of one of these two crates";
                findings.push(Finding::new("unsafe", path, first, what, instead));
            }
        }
        let lines: Vec<&str> = text.lines().collect();
        for line in uses.into_iter().filter(|&line| !is_argued(&lines, line)) {
            let what = "unsafe without its argument";
            let instead = "say above it, after `// SAFETY:`, why it is sound";
            findings.push(Finding::new("unsafe", path, line, what, instead));
        }
    }
    findings
}

/// Lines with an `unsafe` block, function, impl or attribute; function pointer types need no argument.
fn unsafe_lines(tokens: &[Token]) -> Vec<usize> {
    let mut lines = Vec::new();
    for (at, token) in tokens.iter().enumerate().filter(|(_, token)| token.is_ident("unsafe")) {
        let mut next = at + 1;
        if tokens.get(next).is_some_and(|t| t.is_ident("extern")) {
            next += 1 + usize::from(tokens.get(next + 1).is_some_and(|t| t.text.starts_with('"')));
        }
        let pointer_type = tokens.get(next).is_some_and(|t| t.is_ident("fn"))
            && tokens.get(next + 1).is_some_and(|t| t.is("("));
        if !pointer_type {
            lines.push(token.line);
        }
    }
    lines.dedup();
    lines
}

/// Whether a SAFETY comment, or a `# Safety` section, stands on the line or above its statement.
fn is_argued(lines: &[&str], line: usize) -> bool {
    let argues = |text: &str| {
        text.split_once("//").is_some_and(|(_, c)| c.contains("SAFETY:") || c.contains("# Safety"))
    };
    let mut at = line - 1;
    if argues(lines[at]) {
        return true;
    }
    let mut code_lines = 0;
    while at > 0 {
        at -= 1;
        let text = lines[at].trim();
        if argues(text) {
            return true;
        }
        if text.starts_with("//") || text.starts_with("#[") {
            continue;
        }
        code_lines += 1;
        if text.is_empty() || text.ends_with([';', '{', '}']) || code_lines > STATEMENT_LINES {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest;
    use crate::tidy::expect_places;

    fn found(files: &[(&str, &str)]) -> Vec<Finding> {
        let tree = Tree::of(files);
        let (packages, _) = manifest::packages(&tree);
        check(&tree, &packages)
    }

    #[test]
    fn crate_roots_forbid_it() {
        let manifest = ("crates/dmabuf/Cargo.toml", "[package]\nname = \"dmabuf\"\n");
        assert_eq!(
            found(&[manifest, ("crates/dmabuf/src/lib.rs", "//! Words.\n#![forbid(unsafe_code)]\n")]),
            []
        );
        expect_places(
            &found(&[manifest, ("crates/dmabuf/src/lib.rs", "// #![forbid(unsafe_code)]\n")]),
            &["crates/dmabuf/src/lib.rs:1"],
        );
        let explorer = ("crates/explorer/Cargo.toml", "[package]\nname = \"explorer\"\n");
        assert_eq!(found(&[explorer, ("crates/explorer/src/lib.rs", "")]), []);
    }

    #[test]
    fn it_has_two_homes_only() {
        let argued = "// SAFETY: nothing is read.\nunsafe fn a() {}\n";
        assert_eq!(
            found(&[("crates/explorer/src/a.rs", argued), ("crates/kernel-model/src/a.rs", argued)]),
            []
        );
        expect_places(
            &found(&[
                ("crates/kernel-model/src/a.rs", argued),
                ("crates/kernel-model/src/b.rs", argued),
                ("crates/machine/src/a.rs", argued),
                ("tests/a.rs", argued),
            ]),
            &["crates/kernel-model/src/b.rs:2", "crates/machine/src/a.rs:2", "tests/a.rs:2"],
        );
    }

    #[test]
    fn words_and_pointer_types_are_not_it() {
        let text = "// unsafe\nconst S: &str = \"unsafe\";\ntype F = unsafe extern \"C\" fn(usize);\n";
        assert_eq!(found(&[("crates/machine/src/a.rs", text)]), []);
    }

    #[test]
    fn each_use_is_argued_where_it_stands() {
        let fine = "fn a() {\n    // SAFETY: it is ours.\n    let x =\n        unsafe { b() };\n}\n\
                    /// Words.\n///\n/// # Safety\n/// Do not.\n#[inline]\npub unsafe fn c() {}\n\
                    unsafe impl Send for A {} // SAFETY: one thread.\n";
        assert_eq!(found(&[("crates/explorer/src/a.rs", fine)]), []);
        let bare = "// SAFETY: this is for x.\nlet x = 1;\nunsafe { b() };\n\nunsafe impl Send for A {}\n";
        let bare = format!("fn a() {{\n{bare}}}\n");
        expect_places(
            &found(&[("crates/explorer/src/a.rs", &bare)]),
            &["crates/explorer/src/a.rs:4", "crates/explorer/src/a.rs:6"],
        );
    }

    #[test]
    fn a_file_that_is_not_rust_is_said_so() {
        expect_places(&found(&[("src/a.rs", "unsafe {\n")]), &["src/a.rs:1"]);
    }
}
