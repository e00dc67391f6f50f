// SPDX-License-Identifier: GPL-2.0-only
//! No path of one machine and no registry host in a tracked text: the repository works wherever it is cloned.

use crate::finding::Finding;
use crate::tree::Tree;

/// Top folders that belong to one machine, without their slashes so that this file does not find itself.
const FOLDERS: [&str; 5] = ["root", "home", "work", "tmp", "Users"];
/// Hosts of package registries, cut in two for the same reason.
const HOSTS: [(&str, &str); 8] = [
    ("static.", "crates.io"),
    ("index.", "crates.io"),
    ("://", "crates.io"),
    ("pypi.", "org"),
    ("files.", "pythonhosted.org"),
    ("registry.", "npmjs.org"),
    ("proxy.", "golang.org"),
    ("://", "rubygems.org"),
];

/// Finds machine paths and registry hosts in every text file.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts() {
        for (at, line) in text.lines().enumerate() {
            if let Some(found) = machine_path(line) {
                let instead = "write it relative to the repository, or take it as an argument";
                let what = format!("the path {found} exists on one machine only");
                findings.push(Finding::new("places", path, at + 1, what, instead));
            }
            if let Some(host) = registry(line) {
                let instead = "leave the host to the package manager's own configuration";
                findings.push(Finding::new(
                    "places",
                    path,
                    at + 1,
                    format!("names the registry {host}"),
                    instead,
                ));
            }
        }
    }
    findings
}

/// The first absolute path of one machine: one of [`FOLDERS`] at the start of a word, and something below it.
fn machine_path(line: &str) -> Option<String> {
    let starts = |before: &str| {
        before.ends_with("file://")
            || !before.ends_with(|c: char| c.is_alphanumeric() || "/._-~$}*]".contains(c))
    };
    FOLDERS.iter().find_map(|folder| {
        let whole = format!("/{folder}/");
        let at = line.match_indices(&whole).find(|(at, _)| starts(&line[..*at]))?.0;
        let end = line[at..].find(|c: char| c.is_whitespace() || "\"'`)>,;".contains(c));
        Some(line[at..end.map_or(line.len(), |end| at + end)].to_owned())
    })
}

fn registry(line: &str) -> Option<String> {
    HOSTS.iter().find_map(|(head, tail)| {
        let host = format!("{head}{tail}");
        let mut hits = line.match_indices(&host);
        // `https://host.of.others.org` and `pypi.orgchart` are other hosts.
        let whole = |at: usize| {
            let before = head.starts_with("://") || !line[..at].ends_with(char::is_alphanumeric);
            before && !line[at + host.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '-')
        };
        hits.any(|(at, _)| whole(at)).then(|| host.trim_start_matches("://").to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::expect_places;

    fn found(line: &str) -> usize {
        check(&Tree::of(&[("a.md", line)])).len()
    }

    #[test]
    fn a_path_of_one_machine_fires() {
        for folder in FOLDERS {
            for (before, after) in
                [("see ", "x"), ("`", "x`"), ("\"", "a b\""), ("file://", "x"), ("=", ""), ("", "x")]
            {
                let line = format!("{before}/{folder}/{after}");
                assert_eq!(found(&line), 1, "{line}");
            }
        }
    }

    #[test]
    fn a_path_inside_another_does_not() {
        for line in [
            "https://kernel.org/home/index",
            "crates/work/src",
            "../tmp/x",
            "$DIR/tmp/x",
            "~/work/x",
            "the home/work balance",
            "/dev/vfio/devices",
            "/sys/kernel",
            "/homes/x",
        ] {
            assert_eq!(found(line), 0, "{line}");
        }
    }

    #[test]
    fn registry_hosts_fire_and_the_plain_name_does_not() {
        for (head, tail) in HOSTS {
            let line = format!("curl {}{head}{tail}/x", if head == "://" { "https" } else { "" });
            assert_eq!(found(&line), 1, "{line}");
        }
        for line in [
            "published on crates.io",
            "https://github.com/rust-lang/crates.io-index",
            "https://blog.example.org/crates.io",
        ] {
            assert_eq!(found(line), 0, "{line}");
        }
    }

    #[test]
    fn any_text_file_is_asked_and_the_path_is_named() {
        let line = format!("a\nb /{}/x/y.c, c\n", FOLDERS[0]);
        let findings = check(&Tree::of(&[("docs/a.toml", &line)]));
        expect_places(&findings, &["docs/a.toml:2"]);
        assert!(findings[0].what.contains("/x/y.c exists"), "{}", findings[0].what);
    }
}
