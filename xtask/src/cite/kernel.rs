// SPDX-License-Identifier: GPL-2.0-only
//! Citations against the kernel's source: is the map still right, write it anew, what is still missing.

use super::check::{self, Said, coverage, summary};
use super::map::{self, KernelMap, MapEntry, MapFile, hash};
use crate::c_functions::{self, Definition};
use crate::error::XtaskError;
use crate::finding::{Finding, Outcome};
use crate::tree::Tree;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Kernel source: the text of a file by its path from the kernel's root.
pub trait Source {
    /// The text, or `None` where there is no such file.
    fn text(&self, path: &str) -> Option<String>;
}

impl Source for Path {
    fn text(&self, path: &str) -> Option<String> {
        let bytes = std::fs::read(self.join(path)).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Source for Tree {
    fn text(&self, path: &str) -> Option<String> {
        Self::text(self, path).map(str::to_owned)
    }
}

/// The version that the source stands for: the one given, or the only one that the tree cites.
pub fn version(said: &Said, given: Option<&str>) -> Result<String, XtaskError> {
    let cited = said.citations.iter().filter_map(super::Citation::version);
    let known: BTreeSet<&str> =
        cited.chain(said.map.files.iter().map(|file| file.version.as_str())).collect();
    match (given, known.len()) {
        (Some(version), _) => Ok(version.to_owned()),
        (None, 1) => Ok(known.into_iter().collect()),
        (None, 0) => {
            Err(XtaskError::usage("the tree cites no kernel version", "add --kernel-version, such as v7.3.4"))
        }
        (None, _) => {
            let known = known.into_iter().collect::<Vec<_>>().join(", ");
            let what = format!("the tree cites several kernel versions ({known})");
            Err(XtaskError::usage(what, "say with --kernel-version which of them the source is"))
        }
    }
}

/// The subcommand with `--kernel`: everything that [`check::run`] checks, and lines and hashes against the source.
pub fn run(tree: &Tree, source: &(impl Source + ?Sized), version: &str) -> Outcome {
    let said = check::read(tree);
    let (fresh, mut findings) = fresh_files(&said, source, version);
    let text = tree.text(map::PATH).unwrap_or_default();
    for file in said.map.files.iter().filter(|file| file.version == version) {
        let now = fresh.get(&file.path);
        if now.is_some_and(|now| now.functions != file.functions) {
            findings.push(stale(text, &file.path, format!("the functions of {} have changed", file.path)));
        }
        for entry in &file.cited {
            let Some(now) = now.and_then(|now| now.cited.iter().find(|e| e.name == entry.name)) else {
                continue;
            };
            if now.hash != entry.hash {
                findings.push(stale(text, &entry.name, format!("the text of {} has changed", entry.name)));
            } else if now.lines != entry.lines {
                let what = format!("{} stands at {}-{}", entry.name, now.lines.0, now.lines.1);
                findings.push(stale(text, &entry.name, what));
            }
        }
    }
    let (preface, summary) = (coverage(&said), summary(&said));
    findings.extend(check::check(tree, said));
    Outcome::of(&preface, findings, &format!("{summary}, checked against {version}"))
}

/// The map written anew for `version`, and a finding for each citation whose function is not in the source.
pub fn update(tree: &Tree, source: &(impl Source + ?Sized), version: &str) -> (String, Vec<Finding>) {
    let mut said = check::read(tree);
    // A map that does not parse is about to be replaced.
    said.findings.retain(|finding| finding.path != map::PATH);
    let (fresh, mut findings) = fresh_files(&said, source, version);
    let cited = |file: &MapFile, entry: &MapEntry| {
        let same = |c: &super::Citation| c.version() == Some(&file.version) && c.file == file.path;
        said.citations.iter().any(|c| same(c) && c.function == entry.name)
    };
    let mut files: Vec<MapFile> =
        said.map.files.iter().filter(|file| file.version != version).cloned().collect();
    for file in &mut files {
        let kept = std::mem::take(&mut file.cited);
        file.cited = kept.into_iter().filter(|entry| cited(file, entry)).collect();
    }
    files.extend(fresh.into_values());
    findings.extend(said.findings);
    (KernelMap { files }.render(), findings)
}

/// Functions of `file` that are neither cited nor left out, a line for each.
pub fn missing(
    tree: &Tree,
    source: &(impl Source + ?Sized),
    version: &str,
    file: &str,
) -> Result<Outcome, XtaskError> {
    let said = check::read(tree);
    let Some(text) = source.text(file) else {
        return Err(XtaskError::usage(
            format!("the kernel source has no {file}"),
            "name it from the kernel's root",
        ));
    };
    let mut lines: Vec<Definition> =
        c_functions::by_name(&text).into_values().filter(|d| !d.is_macro).collect();
    let all = lines.len();
    lines.sort_by_key(|definition| definition.first);
    lines.retain(|d| {
        let cited =
            |c: &super::Citation| c.version() == Some(version) && c.file == file && c.function == d.name;
        !said.citations.iter().any(cited) && !said.omissions.leaves_out(version, file, &d.name)
    });
    let mut out = String::new();
    for Definition { name, first, last, .. } in &lines {
        out += &format!("{file}:{first}: {name} ({} lines)\n", last - first + 1);
    }
    out += &format!("cite: {} of {all} functions of {file} are neither cited nor left out\n", lines.len());
    Ok(Outcome { text: out, ok: true })
}

/// The map's entries as the source has them now, for every file that is cited or spoken of in this version.
fn fresh_files(
    said: &Said,
    source: &(impl Source + ?Sized),
    version: &str,
) -> (BTreeMap<String, MapFile>, Vec<Finding>) {
    let mut findings = Vec::new();
    let citations: Vec<_> = said.citations.iter().filter(|c| c.version() == Some(version)).collect();
    let omitted = said.omissions.omitted.iter().filter(|o| o.holds_for(version)).map(|o| o.file.as_str());
    let paths: BTreeSet<&str> = citations.iter().map(|c| c.file.as_str()).chain(omitted).collect();
    let mut files = BTreeMap::new();
    for path in paths {
        let cited_here = || citations.iter().filter(|c| c.file == path);
        let Some(text) = source.text(path) else {
            findings.extend(cited_here().map(|c| {
                let what = format!("the source of {version} has no file {path}");
                Finding::new(
                    "cite",
                    &c.path,
                    c.line,
                    what,
                    "correct the path; it starts at the kernel's root",
                )
            }));
            continue;
        };
        let defined = c_functions::by_name(&text);
        let mut file = MapFile {
            version: version.to_owned(),
            path: path.to_owned(),
            count: 0,
            functions: Vec::new(),
            cited: Vec::new(),
        };
        let mut functions: Vec<&Definition> = defined.values().filter(|d| !d.is_macro).collect();
        functions.sort_by_key(|d| d.first);
        file.count = functions.len();
        if path.ends_with(".c") {
            file.functions = functions.iter().map(|d| d.name.clone()).collect();
        }
        let lines: Vec<&str> = text.lines().collect();
        for citation in cited_here() {
            match defined.get(&citation.function) {
                Some(d) if file.cited.iter().any(|entry| entry.name == d.name) => {}
                Some(d) => file.cited.push(MapEntry {
                    lines: (d.first, d.last),
                    name: d.name.clone(),
                    hash: hash(&lines[d.first - 1..d.last.min(lines.len())].join("\n")),
                }),
                None => {
                    let what = format!("{path} of {version} defines no {}", citation.function);
                    let instead = "correct the name, or cite the file that defines it";
                    findings.push(Finding::new("cite", &citation.path, citation.line, what, instead));
                }
            }
        }
        files.insert(path.to_owned(), file);
    }
    (files, findings)
}

fn stale(text: &str, word: &str, what: String) -> Finding {
    let quoted = format!("\"{word}\"");
    // The list of names comes before the entries: the entry is the last line with the name.
    let line = text
        .lines()
        .collect::<Vec<_>>()
        .iter()
        .rposition(|line| line.contains(&quoted))
        .map_or(1, |at| at + 1);
    let instead = "compare the Rust with it, then run `cargo xtask cite --kernel DIR --update`";
    Finding::new("cite", map::PATH, line, what, instead)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cite::omitted;
    use crate::tidy::expect_places;

    const RUST: &str =
        "//= linux v1 a.c f\nfn f() {}\n//= linux v1 a.h m\nfn m() {}\n//= mail x@y a.c p\nfn p() {}\n";
    const C: &str = "int f(void)\n{\n\treturn 0;\n}\n\nint g(void)\n{\n\treturn 1;\n}\n";

    fn kernel(c: &str) -> Tree {
        Tree::of(&[("a.c", c), ("a.h", "#define m(x) f()\nstatic inline int i(void) { }\n")])
    }

    fn tree(rust: &str, map: &str) -> Tree {
        Tree::of(&[("crates/a/src/a.rs", rust), (map::PATH, map)])
    }

    #[test]
    fn an_updated_map_is_right_and_stable() {
        let (map, findings) = update(&tree(RUST, ""), &kernel(C), "v1");
        assert_eq!(findings, []);
        let parsed = KernelMap::parse(&map).expect("the map reads its own writing");
        let f = &parsed.files[0].cited[0];
        assert_eq!((f.lines, parsed.files[0].count, parsed.files[1].functions.len()), ((1, 4), 2, 0));
        let tree = tree(RUST, &map);
        let outcome = run(&tree, &kernel(C), "v1");
        assert!(outcome.ok, "{}", outcome.text);
        assert!(outcome.text.ends_with("cite: 3 citations, 2 map entries, checked against v1, 0 findings\n"));
        assert_eq!(update(&tree, &kernel(C), "v1").0, map);
    }

    #[test]
    fn a_changed_kernel_is_a_finding_at_the_map() {
        let (map, _) = update(&tree(RUST, ""), &kernel(C), "v1");
        let said = |c: &str| run(&tree(RUST, &map), &kernel(c), "v1").text;
        assert!(said(&C.replace("return 0", "return 5")).contains("the text of f has changed"));
        assert!(said(&format!("\n{C}")).contains("f stands at 2-5"));
        assert!(said(&C.replace(" g(", " h(")).contains("the functions of a.c have changed"));
        assert!(said(&C.replace('\t', "    ")).contains("0 findings"), "white space is no change");
    }

    #[test]
    fn a_citation_of_nothing_is_a_finding_where_it_stands() {
        for (rust, place) in [
            ("//= linux v1 a.c gone\nfn f() {}\n", "crates/a/src/a.rs:1"),
            ("\n//= linux v1 gone.c f\nfn f() {}\n", "crates/a/src/a.rs:2"),
        ] {
            expect_places(&update(&tree(rust, ""), &kernel(C), "v1").1, &[place]);
        }
    }

    #[test]
    fn other_versions_stay_as_far_as_they_are_cited() {
        let (old, _) = update(&tree(&RUST.replace("v1", "v0"), ""), &kernel(C), "v0");
        let both = format!("{RUST}//= linux v0 a.c f\nfn f0() {{}}\n");
        let (map, findings) = update(&tree(&both, &old), &kernel(C), "v1");
        assert_eq!(findings, []);
        let parsed = KernelMap::parse(&map).expect("the map reads its own writing");
        let shown: Vec<_> =
            parsed.files.iter().map(|f| (f.version.as_str(), f.path.as_str(), f.cited.len())).collect();
        assert_eq!(shown, [("v0", "a.c", 1), ("v0", "a.h", 0), ("v1", "a.c", 1), ("v1", "a.h", 1)]);
    }

    #[test]
    fn what_is_missing_is_listed() {
        let list = |omitted: &str| {
            let tree = Tree::of(&[("crates/a/src/a.rs", RUST), (omitted::PATH, omitted)]);
            missing(&tree, &kernel(C), "v1", "a.c").expect("the file is there").text
        };
        assert_eq!(
            list(""),
            "a.c:6: g (4 lines)\ncite: 1 of 2 functions of a.c are neither cited nor left out\n"
        );
        let omitted = "[[omitted]]\nfile = \"a.c\"\nfunctions = [\"g\"]\nreason = \"r\"\n";
        assert_eq!(list(omitted), "cite: 0 of 2 functions of a.c are neither cited nor left out\n");
        assert!(missing(&tree(RUST, ""), &kernel(C), "v1", "b.c").is_err());
    }

    #[test]
    fn the_version_is_the_only_one_or_must_be_given() {
        let said = |rust: &str| check::read(&tree(rust, ""));
        assert_eq!(version(&said(RUST), None).ok().as_deref(), Some("v1"));
        assert_eq!(version(&said(RUST), Some("v2")).ok().as_deref(), Some("v2"));
        assert!(version(&said(""), None).is_err());
        let two = version(&said(&format!("{RUST}//= linux v2 a.c f\nfn g() {{}}\n")), None);
        assert!(two.expect_err("two versions").to_string().contains("v1, v2"));
    }
}
