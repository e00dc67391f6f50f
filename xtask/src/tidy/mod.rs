// SPDX-License-Identifier: GPL-2.0-only
//! `cargo xtask tidy`: the house rules that a program can see.
//!
//! One rule, one file. Each has the same shape: a tree in, findings out, and tests in both directions.

pub mod banned;
pub mod dependencies;
pub mod layout;
pub mod licence;
pub mod links;
pub mod places;
pub mod revisions;
pub mod size;
pub mod unsafety;

use crate::finding::{Finding, Outcome, plural};
use crate::manifest;
use crate::tree::Tree;

/// Crates whose sources must not print, read a clock, draw lots or depend on the order of a hash.
pub const MODELLED: [&str; 10] = [
    "explorer",
    "lockdep",
    "kernel-model",
    "pci-model",
    "mm-model",
    "dmabuf",
    "vfio-core",
    "vfio-pci",
    "importers",
    "machine",
];

/// Every finding in the tree, sorted.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let (packages, mut findings) = manifest::packages(tree);
    findings.extend(dependencies::check(&packages));
    findings.extend(licence::check(tree, &packages));
    findings.extend(unsafety::check(tree, &packages));
    for rule in [size::check, banned::check, revisions::check, places::check, links::check, layout::check] {
        findings.extend(rule(tree));
    }
    findings.sort();
    findings.dedup();
    findings
}

/// The subcommand: checks and says how many files it looked at.
pub fn run(tree: &Tree) -> Outcome {
    Outcome::of("", check(tree), &format!("tidy: {} file{}", tree.len(), plural(tree.len())))
}

/// The room that a path lies in: `explorer`, `xtask`, or the empty name for the root package.
pub fn room(path: &str) -> &str {
    match path.strip_prefix("crates/") {
        Some(rest) => rest.split('/').next().unwrap_or_default(),
        None if path.starts_with("xtask/") => "xtask",
        None => "",
    }
}

/// Whether the path is a source of a modelled crate: below its `src`, and not a module of unit tests.
pub fn is_modelled_source(path: &str) -> bool {
    let Some(inside) = path.strip_prefix("crates/").and_then(|rest| rest.split_once("/src/")) else {
        return false;
    };
    let (room, file) = inside;
    let test = file.ends_with("/tests.rs") || file == "tests.rs" || format!("/{file}").contains("/tests/");
    MODELLED.contains(&room) && !test
}

/// The findings as printed, for tests.
#[cfg(test)]
pub(crate) fn printed(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

/// Asserts that exactly these places are found, as `path:line`.
#[cfg(test)]
#[track_caller]
pub(crate) fn expect_places(findings: &[Finding], places: &[&str]) {
    let found: Vec<String> = findings.iter().map(|f| format!("{}:{}", f.path, f.line)).collect();
    assert_eq!(found, places, "{:#?}", printed(findings));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_without_faults_is_one_line() {
        let tree = Tree::of(&[("src/main.rs", "// SPDX-License-Identifier: GPL-2.0-only\nfn main() {}\n")]);
        assert_eq!(run(&tree).text, "tidy: 1 file, 0 findings\n");
    }

    #[test]
    fn every_rule_is_asked() {
        let tree = Tree::of(&[
            ("Cargo.toml", "[workspace]\n"),
            (
                "crates/lockdep/Cargo.toml",
                "[package]\nname = \"lockdep\"\n[dependencies]\nexplorer = \"1\"\n",
            ),
            (
                "crates/explorer/Cargo.toml",
                "[package]\nname = \"explorer\"\nlicense = \"MIT OR Apache-2.0\"\n",
            ),
            ("crates/lockdep/src/lib.rs", &format!("fn a() {{ println!(); }} \n{}", "\n".repeat(700))),
            ("crates/vfio-pci/src/revisions/one/a.rs", "use super::two::b;\n"),
            ("crates/vfio-pci/src/revisions/two/a.rs", "// no licence\n"),
            ("README.md", "[gone](nowhere.md)\n"),
            ("notes.txt", concat!("see /ho", "me/someone/file\n")),
        ]);
        let rules: std::collections::BTreeSet<_> = check(&tree).into_iter().map(|f| f.rule).collect();
        let expected =
            ["banned", "dependencies", "layout", "licence", "links", "places", "revisions", "size", "unsafe"];
        assert_eq!(rules.into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn modelled_sources_are_those_below_src() {
        for path in ["crates/dmabuf/src/lib.rs", "crates/vfio-pci/src/revisions/v7_3/a.rs"] {
            assert!(is_modelled_source(path), "{path}");
        }
        for path in [
            "crates/dmabuf/tests/a.rs",
            "crates/dmabuf/benches/a.rs",
            "crates/dmabuf/src/poll/tests.rs",
            "crates/vfio-pci/build.rs",
            "src/main.rs",
            "xtask/src/lib.rs",
        ] {
            assert!(!is_modelled_source(path), "{path}");
        }
    }
}
