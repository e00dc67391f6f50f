// SPDX-License-Identifier: GPL-2.0-only
//! The workspace's manifests, as far as the rules ask: who depends on whom, under which licence, from which roots.

use crate::finding::Finding;
use crate::tree::Tree;
use std::collections::BTreeMap;
use toml::{Table, Value};

/// One package of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Path of its `Cargo.toml`.
    pub manifest: String,
    /// Its room: `explorer` for `crates/explorer`, `xtask`, and the empty name for the root package.
    pub room: String,
    /// Its licence, with `license.workspace = true` resolved.
    pub license: Option<String>,
    /// Sources that are roots of a library or program, as far as they exist.
    pub roots: Vec<String>,
    /// Rooms that it needs to be built, with the line of the manifest that says so.
    pub needs: Vec<Edge>,
    /// Rooms that only its tests and benches need.
    pub test_needs: Vec<Edge>,
}

/// A dependency on another package of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The room it points to.
    pub room: String,
    /// The line of the manifest.
    pub line: usize,
}

/// Reads all manifests: packages sorted by room, and a finding for each manifest that is no TOML.
pub fn packages(tree: &Tree) -> (Vec<Package>, Vec<Finding>) {
    let mut findings = Vec::new();
    let mut tables = BTreeMap::new();
    for (path, text) in tree.texts().filter(|(path, _)| room_of(path).is_some()) {
        match text.parse::<Table>() {
            Ok(table) => {
                tables.insert(path, table);
            }
            Err(error) => {
                let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
                let what = format!("the manifest is no TOML ({})", error.message());
                findings.push(Finding::new("manifest", path, line, what, "mend it at this place"));
            }
        }
    }
    let workspace = tables.get("Cargo.toml").cloned().unwrap_or_default();
    let names: BTreeMap<String, String> = tables
        .iter()
        .filter_map(|(path, table)| Some((string(table, &["package", "name"])?, room_of(path)?)))
        .collect();
    let mut found: Vec<Package> = tables
        .iter()
        .filter(|(_, table)| table.contains_key("package"))
        .filter_map(|(path, table)| package(tree, path, table, &workspace, &names))
        .collect();
    found.sort_by(|a, b| a.room.cmp(&b.room));
    (found, findings)
}

/// The room of a manifest: `None` for a file that is not one of the workspace's manifests.
fn room_of(path: &str) -> Option<String> {
    let folder = path.strip_suffix("Cargo.toml")?.trim_end_matches('/');
    match folder.strip_prefix("crates/") {
        Some(room) if !room.contains('/') => Some(room.to_owned()),
        None if folder.is_empty() || folder == "xtask" => Some(folder.to_owned()),
        _ => None,
    }
}

fn package(
    tree: &Tree,
    path: &str,
    table: &Table,
    workspace: &Table,
    names: &BTreeMap<String, String>,
) -> Option<Package> {
    let room = room_of(path)?;
    let inherits = get(table, &["package", "license", "workspace"]).and_then(Value::as_bool) == Some(true);
    let license = if inherits {
        string(workspace, &["workspace", "package", "license"])
    } else {
        string(table, &["package", "license"])
    };
    let folder = path.strip_suffix("Cargo.toml").unwrap_or_default();
    let text = tree.text(path).unwrap_or_default();
    let edges = |sections: &[&str]| {
        let mut found = Vec::new();
        for (name, spec) in dependencies(table, sections) {
            let real = real_name(&name, spec, workspace);
            if let Some(target) = names.get(&real) {
                found.push(Edge { room: target.clone(), line: line_of(text, sections, &name) });
            }
        }
        found
    };
    Some(Package {
        manifest: path.to_owned(),
        room,
        license,
        roots: roots(tree, folder, table),
        needs: edges(&["dependencies", "build-dependencies"]),
        test_needs: edges(&["dev-dependencies"]),
    })
}

/// The entries of the named sections, those under `[target.…]` included.
fn dependencies<'t>(table: &'t Table, sections: &[&str]) -> Vec<(String, &'t Value)> {
    let targets = table.get("target").and_then(Value::as_table);
    let places = std::iter::once(table)
        .chain(targets.into_iter().flat_map(|t| t.values()).filter_map(Value::as_table));
    let mut found = Vec::new();
    for place in places {
        for section in sections {
            if let Some(entries) = place.get(*section).and_then(Value::as_table) {
                found.extend(entries.iter().map(|(name, spec)| (name.clone(), spec)));
            }
        }
    }
    found
}

/// The package's own name, where `package = "…"` renames the dependency here or in the workspace table.
fn real_name(name: &str, spec: &Value, workspace: &Table) -> String {
    let renamed = |spec: &Value| spec.get("package").and_then(Value::as_str).map(str::to_owned);
    let shared = || get(workspace, &["workspace", "dependencies", name]).and_then(renamed);
    renamed(spec).or_else(shared).unwrap_or_else(|| name.to_owned())
}

/// First line below one of the section heads that starts with the name; 1 when the manifest is unusual.
fn line_of(text: &str, sections: &[&str], name: &str) -> usize {
    let mut inside = false;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            let head = line.trim_matches(['[', ']']);
            inside = sections.iter().any(|s| {
                head == *s || head.ends_with(&format!(".{s}")) || head.starts_with(&format!("{s}.{name}"))
            });
            if inside && head.ends_with(&format!(".{name}")) {
                return at + 1;
            }
        } else if inside {
            let rest = line.trim_start_matches('"').strip_prefix(name);
            if rest.is_some_and(|rest| rest.starts_with([' ', '=', '.', '"'])) {
                return at + 1;
            }
        }
    }
    1
}

/// Library and program roots: the usual places, `src/bin`, and paths that the manifest names.
fn roots(tree: &Tree, folder: &str, table: &Table) -> Vec<String> {
    let mut found = vec![format!("{folder}src/lib.rs"), format!("{folder}src/main.rs")];
    let bins = format!("{folder}src/bin/");
    found.extend(tree.rust().filter(|(path, _)| path.starts_with(&bins)).map(|(path, _)| path.to_owned()));
    found.extend(string(table, &["lib", "path"]).map(|path| format!("{folder}{path}")));
    let declared = table.get("bin").and_then(Value::as_array).into_iter().flatten();
    found.extend(
        declared
            .filter_map(|bin| bin.get("path").and_then(Value::as_str).map(|path| format!("{folder}{path}"))),
    );
    found.retain(|path| tree.text(path).is_some());
    found.sort();
    found.dedup();
    found
}

fn get<'t>(table: &'t Table, path: &[&str]) -> Option<&'t Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(table.get(*first)?, |value, key| value.get(*key))
}

fn string(table: &Table, path: &[&str]) -> Option<String> {
    get(table, path).and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "[workspace]\n[workspace.package]\nlicense = \"GPL-2.0-only\"\n\
                        [workspace.dependencies]\nbuf = { package = \"dmabuf\", path = \"crates/dmabuf\" }\n";

    fn read(manifest: &str) -> Package {
        let tree = Tree::of(&[
            ("Cargo.toml", ROOT),
            ("crates/dmabuf/Cargo.toml", "[package]\nname = \"dmabuf\"\n"),
            ("crates/vfio-pci/Cargo.toml", manifest),
            ("crates/vfio-pci/src/lib.rs", ""),
        ]);
        let (packages, findings) = packages(&tree);
        assert_eq!(findings, []);
        packages.into_iter().find(|p| p.room == "vfio-pci").expect("the package is there")
    }

    #[test]
    fn an_edge_is_found_however_it_is_written() {
        for (manifest, line) in [
            ("[package]\nname = \"vfio-pci\"\n[dependencies]\ndmabuf.path = \"../dmabuf\"\n", 4),
            ("[package]\nname = \"vfio-pci\"\n[dependencies]\nbuf.workspace = true\n", 4),
            ("[package]\nname = \"vfio-pci\"\n\n[dependencies.b]\npackage = \"dmabuf\"\npath = \"x\"\n", 4),
            ("[package]\nname = \"vfio-pci\"\n[build-dependencies]\ndmabuf = { path = \"x\" }\n", 4),
            (
                "[package]\nname = \"vfio-pci\"\n[target.'cfg(unix)'.dependencies]\ndmabuf = { path = \"x\" }\n",
                4,
            ),
        ] {
            assert_eq!(read(manifest).needs, [Edge { room: "dmabuf".to_owned(), line }], "{manifest}");
        }
    }

    #[test]
    fn other_crates_and_test_needs_are_no_edges() {
        let package = read(
            "[package]\nname = \"vfio-pci\"\n[dependencies]\nslab = \"1\"\n[dev-dependencies]\ndmabuf = \"1\"\n",
        );
        assert_eq!(package.needs, []);
        assert_eq!(package.test_needs, [Edge { room: "dmabuf".to_owned(), line: 6 }]);
    }

    #[test]
    fn an_inherited_licence_is_resolved() {
        let package = read("[package]\nname = \"vfio-pci\"\nlicense.workspace = true\n");
        assert_eq!(package.license.as_deref(), Some("GPL-2.0-only"));
        assert_eq!(package.roots, ["crates/vfio-pci/src/lib.rs"]);
    }

    #[test]
    fn a_broken_manifest_is_a_finding_at_its_line() {
        let (_, findings) = packages(&Tree::of(&[("crates/x/Cargo.toml", "[package]\nname = = 1\n")]));
        assert_eq!((findings[0].path.as_str(), findings[0].line), ("crates/x/Cargo.toml", 2));
    }
}
