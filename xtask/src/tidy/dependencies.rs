// SPDX-License-Identifier: GPL-2.0-only
//! Dependencies point one way.
//!
//! The table below is the arrow diagram of ARCHITECTURE.md. What a crate may use is what its arrows reach.

use crate::finding::Finding;
use crate::manifest::{Edge, Package};
use std::collections::BTreeSet;

/// The arrows: a room and the rooms directly below it.
pub const ARROWS: [(&str, &[&str]); 12] = [
    ("", &["machine"]),
    ("machine", &["vfio-pci", "importers"]),
    ("vfio-pci", &["vfio-core"]),
    ("vfio-core", &["dmabuf", "pci-model", "mm-model"]),
    ("importers", &["dmabuf", "pci-model"]),
    ("dmabuf", &["pci-model", "mm-model"]),
    ("pci-model", &["kernel-model"]),
    ("mm-model", &["kernel-model"]),
    ("kernel-model", &["explorer", "lockdep"]),
    ("explorer", &[]),
    ("lockdep", &[]),
    ("xtask", &[]),
];

/// Crates that are the driver's side.
const DRIVERS: [&str; 2] = ["vfio-core", "vfio-pci"];
/// Crates that stand alone, even in their tests.
const ALONE: [&str; 2] = ["explorer", "lockdep"];

/// Checks each dependency against [`ARROWS`], and that only `machine` sees both a driver and an importer.
pub fn check(packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        let Some(&(_, below)) = ARROWS.iter().find(|(room, _)| *room == package.room) else {
            let what = format!("the crate `{}` has no place in the dependency table", package.room);
            findings.push(finding(
                package,
                1,
                what,
                "give it a row in ARROWS of xtask/src/tidy/dependencies.rs",
            ));
            continue;
        };
        let reach = reachable(&package.room);
        for Edge { room, line } in &package.needs {
            if !reach.contains(room.as_str()) {
                let what = format!("{} must not depend on {}", name(&package.room), name(room));
                findings.push(finding(package, *line, what, advice(&package.room, below)));
            }
        }
        if ALONE.contains(&package.room.as_str()) {
            for Edge { room, line } in &package.test_needs {
                let what = format!("the tests of `{}` must not depend on {}", package.room, name(room));
                let instead = format!("move the test to the crate that uses `{}`", package.room);
                findings.push(finding(package, *line, what, &instead));
            }
        }
        findings.extend(both_sides(package));
    }
    findings
}

/// Only `machine` sees both sides, tests of the others apart.
fn both_sides(package: &Package) -> Option<Finding> {
    let driver = package.needs.iter().find(|edge| DRIVERS.contains(&edge.room.as_str()))?;
    let importer = package.needs.iter().find(|edge| edge.room == "importers")?;
    if package.room == "machine" {
        return None;
    }
    let what = format!("{} sees both `{}` and `importers`", name(&package.room), driver.room);
    Some(finding(package, driver.line.max(importer.line), what, "reach one of them through `machine`"))
}

fn reachable(room: &str) -> BTreeSet<&'static str> {
    let mut seen = BTreeSet::new();
    let mut todo = vec![room];
    while let Some(room) = todo.pop() {
        for &below in ARROWS.iter().find(|(name, _)| *name == room).map_or(&[][..], |(_, below)| below) {
            if seen.insert(below) {
                todo.push(below);
            }
        }
    }
    seen
}

fn advice(room: &str, below: &[&str]) -> String {
    if below.is_empty() {
        format!("`{room}` depends on no crate of this workspace: move the code up")
    } else {
        format!("use only what lies below: {} and what these use", below.join(", "))
    }
}

fn name(room: &str) -> String {
    if room.is_empty() { "the root package".to_owned() } else { format!("`{room}`") }
}

fn finding(package: &Package, line: usize, what: String, instead: impl Into<String>) -> Finding {
    Finding::new("dependencies", &package.manifest, line, what, instead)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::{expect_places, printed};

    fn package(room: &str, needs: &[&str], test_needs: &[&str]) -> Package {
        let edges = |rooms: &[&str], first: usize| {
            rooms
                .iter()
                .enumerate()
                .map(|(n, room)| Edge { room: (*room).to_owned(), line: first + n })
                .collect()
        };
        Package {
            manifest: format!("crates/{room}/Cargo.toml"),
            room: room.to_owned(),
            license: None,
            roots: Vec::new(),
            needs: edges(needs, 5),
            test_needs: edges(test_needs, 50),
        }
    }

    #[test]
    fn downward_is_fine_near_and_far() {
        let fine = [
            package("", &["machine", "explorer"], &["importers", "vfio-pci"]),
            package("machine", &["vfio-pci", "importers", "mm-model"], &[]),
            package("vfio-pci", &["vfio-core", "dmabuf", "lockdep"], &["importers", "machine"]),
            package("importers", &["dmabuf", "pci-model", "kernel-model"], &[]),
            package("explorer", &[], &[]),
        ];
        assert_eq!(printed(&check(&fine)), Vec::<String>::new());
    }

    #[test]
    fn upward_sideways_and_onto_itself_are_not() {
        for (room, need) in [
            ("kernel-model", "dmabuf"),
            ("explorer", "lockdep"),
            ("pci-model", "mm-model"),
            ("importers", "vfio-core"),
            ("vfio-pci", "importers"),
            ("dmabuf", "dmabuf"),
            ("xtask", "machine"),
            ("machine", "xtask"),
        ] {
            let found = check(&[package(room, &[need], &[])]);
            assert_eq!(found.first().map(|f| f.line), Some(5), "{room} -> {need}");
        }
    }

    #[test]
    fn the_root_reaches_driver_and_importers_through_machine_only() {
        let found = check(&[package("", &["vfio-pci", "machine", "importers"], &[])]);
        expect_places(&found, &["crates//Cargo.toml:7"]);
        assert_eq!(check(&[package("", &["machine", "vfio-pci"], &[])]), []);
    }

    #[test]
    fn the_general_crates_stand_alone_even_in_tests() {
        expect_places(&check(&[package("lockdep", &[], &["explorer"])]), &["crates/lockdep/Cargo.toml:50"]);
    }

    #[test]
    fn a_crate_without_a_row_is_named() {
        let found = check(&[package("helpers", &[], &[])]);
        assert!(
            found[0].to_string().starts_with("crates/helpers/Cargo.toml:1: the crate `helpers` has no place")
        );
    }
}
