// SPDX-License-Identifier: GPL-2.0-only
//! Citations against the map and the list of omissions; the coverage of each C file. Needs no kernel source.

use super::map::{self, KernelMap, MapFile};
use super::omitted::{self, Omissions};
use super::{Citation, citations};
use crate::finding::{Finding, Outcome, plural};
use crate::tree::Tree;
use std::collections::BTreeSet;

/// What the tree says about itself: citations, map and omissions, and what is wrong with their form.
#[derive(Debug, Default)]
pub struct Said {
    /// The citations, sorted.
    pub citations: Vec<Citation>,
    /// The map; empty when there is none yet.
    pub map: KernelMap,
    /// The omissions; empty when there are none.
    pub omissions: Omissions,
    /// Malformed citations and files.
    pub findings: Vec<Finding>,
}

/// Reads citations, map and omissions.
pub fn read(tree: &Tree) -> Said {
    let (citations, mut findings) = citations(tree);
    let map = KernelMap::parse(tree.text(map::PATH).unwrap_or_default()).unwrap_or_else(|(line, message)| {
        let instead = "write it anew with `cargo xtask cite --kernel DIR --update`";
        findings.push(Finding::new("cite", map::PATH, line, message, instead));
        KernelMap::default()
    });
    let omissions =
        Omissions::parse(tree.text(omitted::PATH).unwrap_or_default()).unwrap_or_else(|(line, message)| {
            let instead = "mend it; xtask/src/cite/omitted.rs shows the form";
            findings.push(Finding::new("cite", omitted::PATH, line, message, instead));
            Omissions::default()
        });
    Said { citations, map, omissions, findings }
}

/// The subcommand without `--kernel`.
pub fn run(tree: &Tree) -> Outcome {
    let said = read(tree);
    let summary = summary(&said);
    Outcome::of(&coverage(&said), check(tree, said), &summary)
}

/// One line of totals, without the number of findings.
pub fn summary(said: &Said) -> String {
    let cited = said.citations.len();
    let entries: usize = said.map.files.iter().map(|file| file.cited.len()).sum();
    let ies = if entries == 1 { "entry" } else { "entries" };
    format!("cite: {cited} citation{}, {entries} map {ies}", plural(cited))
}

/// Everything that is wrong with citations, map and omissions together.
pub fn check(tree: &Tree, said: Said) -> Vec<Finding> {
    let Said { citations, map, omissions, mut findings } = said;
    for citation in &citations {
        let Some(version) = citation.version() else { continue };
        let entry = map
            .file(version, &citation.file)
            .and_then(|file| file.cited.iter().find(|entry| entry.name == citation.function));
        let at =
            |what: String, instead: &str| Finding::new("cite", &citation.path, citation.line, what, instead);
        let Citation { file, function, .. } = citation;
        if entry.is_none() {
            let what = format!("{} has no entry for {function} of {file} in {version}", map::PATH);
            findings.push(at(what, "run `cargo xtask cite --kernel DIR --update` with that kernel's source"));
        }
        if omissions.leaves_out(version, file, function) {
            let what = format!("{function} of {file} is cited here and left out by {}", omitted::PATH);
            findings
                .push(at(what, "remove one of the two; name a branch there if only a branch is left out"));
        }
    }
    let cited: BTreeSet<(&str, &str, &str)> =
        citations.iter().filter_map(|c| Some((c.version()?, c.file.as_str(), c.function.as_str()))).collect();
    let text = tree.text(map::PATH).unwrap_or_default();
    for file in &map.files {
        for entry in &file.cited {
            if !cited.contains(&(&file.version, &file.path, &entry.name)) {
                let what = format!("{} of {} in {} is cited nowhere", entry.name, file.path, file.version);
                let line = line_of(text, &file.path, &format!("name = \"{}\"", entry.name));
                let instead = "cite it above its function, or run `cargo xtask cite --kernel DIR --update`";
                findings.push(Finding::new("cite", map::PATH, line, what, instead));
            }
        }
    }
    findings.extend(stale_omissions(tree, &map, &omissions, &cited));
    findings
}

/// Omissions without a reason, of functions that do not exist, or of a branch of something that is not modelled.
fn stale_omissions(
    tree: &Tree,
    map: &KernelMap,
    omissions: &Omissions,
    cited: &BTreeSet<(&str, &str, &str)>,
) -> Vec<Finding> {
    let text = tree.text(omitted::PATH).unwrap_or_default();
    let mut findings = Vec::new();
    let mut push = |line, what: String, instead: &str| {
        findings.push(Finding::new("cite", omitted::PATH, line, what, instead));
    };
    for entry in &omissions.omitted {
        let line = line_of(
            text,
            &entry.file,
            &format!("\"{}\"", entry.functions.first().map_or("", String::as_str)),
        );
        if entry.reason.trim().is_empty() {
            push(
                line,
                format!("no reason for what is left out of {}", entry.file),
                "give one that a maintainer accepts",
            );
        }
        let known: Vec<&MapFile> = map
            .files
            .iter()
            .filter(|file| {
                file.path == entry.file && entry.holds_for(&file.version) && !file.functions.is_empty()
            })
            .collect();
        for function in &entry.functions {
            if !known.is_empty() && !known.iter().any(|file| file.functions.contains(function)) {
                push(
                    line,
                    format!("{} has no function {function}", entry.file),
                    "correct the name, or remove it",
                );
            }
            let modelled = cited.iter().any(|(version, file, name)| {
                entry.holds_for(version) && *file == entry.file && name == function
            });
            if entry.branch.is_some() && !modelled {
                let what =
                    format!("a branch of {function} is left out, but the function itself is not modelled");
                push(line, what, "remove `branch`, or cite the function where it is modelled");
            }
        }
    }
    for entry in omissions.partial.iter().filter(|entry| entry.reason.trim().is_empty()) {
        let line = line_of(text, &entry.file, "file");
        push(line, format!("no reason why {} is partial", entry.file), "give one that a maintainer accepts");
    }
    findings
}

/// The coverage table: each C file of the map, then the total of those that are modelled as a whole.
pub fn coverage(said: &Said) -> String {
    let mut text = String::new();
    let mut total = [0usize; 3];
    let counted = said.map.files.iter().filter(|file| !file.functions.is_empty());
    for file in counted {
        let names: BTreeSet<&str> = file.functions.iter().map(String::as_str).collect();
        let cited: BTreeSet<&str> = said
            .citations
            .iter()
            .filter(|c| c.version() == Some(&file.version) && c.file == file.path)
            .map(|c| c.function.as_str())
            .filter(|name| names.contains(name))
            .collect();
        let left_out = |name: &&&str| said.omissions.leaves_out(&file.version, &file.path, name);
        let omitted = names.difference(&cited).filter(left_out).count();
        let row = [cited.len(), omitted, names.len()];
        let partial = said.omissions.is_partial(&file.path);
        if !partial {
            total = [total[0] + row[0], total[1] + row[1], total[2] + row[2]];
        }
        let name = format!("{} {}", file.version, file.path);
        text += &coverage_line(&name, row, if partial { " (partial, not in the total)" } else { "" });
    }
    if total[2] > 0 {
        text += &coverage_line("total", total, "");
    }
    text
}

fn coverage_line(name: &str, [modelled, omitted, all]: [usize; 3], remark: &str) -> String {
    let missing = all - modelled - omitted;
    let percent = modelled * 100 / all.max(1);
    format!(
        "{name:<52} {modelled:>3}/{all:<3} {percent:>3} %, {omitted} omitted, {missing} missing{remark}\n"
    )
}

/// The first line with `word` behind the first line with `file`; the latter when there is none.
fn line_of(text: &str, file: &str, word: &str) -> usize {
    let quoted = format!("\"{file}\"");
    let Some(head) = text.lines().position(|line| line.contains(&quoted)) else { return 1 };
    let behind = text.lines().skip(head).position(|line| line.contains(word));
    head + behind.unwrap_or(0) + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::expect_places;

    const CITED: (&str, &str) = ("crates/dmabuf/src/a.rs", "//= linux v1 a.c f\nfn f() {}\n");
    const MAP: &str = "[[file]]\nversion = \"v1\"\npath = \"a.c\"\ncount = 3\nfunctions = [\"f\", \"g\", \"h\"]\n\
                       [[file.cited]]\nlines = \"1-2\"\nname = \"f\"\nhash = \"0\"\n";

    fn found(map: &str, omitted: &str) -> Vec<Finding> {
        let tree = Tree::of(&[CITED, (map::PATH, map), (omitted::PATH, omitted)]);
        let mut findings = check(&tree, read(&tree));
        findings.sort();
        findings
    }

    fn omission(function: &str, rest: &str) -> String {
        format!("[[omitted]]\nfile = \"a.c\"\nfunctions = [\"{function}\"]\n{rest}\n")
    }

    #[test]
    fn a_citation_and_its_entry_agree() {
        assert_eq!(found(MAP, &omission("g", "reason = \"no such machine\"")), []);
        let mail = Tree::of(&[("crates/a/src/a.rs", "//= mail a@b a.c f\nfn f() {}\n")]);
        assert_eq!(check(&mail, read(&mail)), []);
    }

    #[test]
    fn one_without_the_other_is_a_finding() {
        expect_places(&found("", ""), &["crates/dmabuf/src/a.rs:1"]);
        let more = format!("{MAP}[[file.cited]]\nlines = \"4-5\"\nname = \"g\"\nhash = \"0\"\n");
        expect_places(&found(&more, ""), &["docs/kernel-map.toml:12"]);
        expect_places(
            &found(&MAP.replace("v1", "v2"), ""),
            &["crates/dmabuf/src/a.rs:1", "docs/kernel-map.toml:8"],
        );
    }

    #[test]
    fn nothing_is_both_cited_and_left_out() {
        expect_places(&found(MAP, &omission("f", "reason = \"r\"")), &["crates/dmabuf/src/a.rs:1"]);
        assert_eq!(found(MAP, &omission("f", "branch = \"the else arm\"\nreason = \"r\"")), []);
    }

    #[test]
    fn an_omission_is_of_something_and_has_a_reason() {
        for entry in [
            omission("gone", "reason = \"r\""),
            omission("g", "reason = \" \""),
            omission("g", "branch = \"the else arm\"\nreason = \"r\""),
        ] {
            expect_places(&found(MAP, &entry), &["docs/omitted.toml:3"]);
        }
        expect_places(&found(MAP, "[[partial]]\nfile = \"a.c\"\nreason = \"\"\n"), &["docs/omitted.toml:2"]);
    }

    #[test]
    fn broken_files_are_findings() {
        expect_places(
            &found("[[file]]\nx = 1\n", ""),
            &["crates/dmabuf/src/a.rs:1", "docs/kernel-map.toml:2"],
        );
        expect_places(&found(MAP, "[[omitted]]\nfile = 1\n"), &["docs/omitted.toml:2"]);
    }

    #[test]
    fn coverage_counts_functions_of_the_file() {
        let shown = |omitted: &str| {
            let tree = Tree::of(&[CITED, (map::PATH, MAP), (omitted::PATH, omitted)]);
            let text = run(&tree).text;
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
        };
        assert_eq!(
            shown(&omission("g", "reason = \"r\"")),
            [
                "v1 a.c 1/3 33 %, 1 omitted, 1 missing",
                "total 1/3 33 %, 1 omitted, 1 missing",
                "cite: 1 citation, 1 map entry, 0 findings"
            ]
        );
        assert_eq!(
            shown("[[partial]]\nfile = \"a.c\"\nreason = \"r\"\n"),
            [
                "v1 a.c 1/3 33 %, 0 omitted, 2 missing (partial, not in the total)",
                "cite: 1 citation, 1 map entry, 0 findings"
            ]
        );
    }
}
