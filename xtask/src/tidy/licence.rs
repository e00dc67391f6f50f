// SPDX-License-Identifier: GPL-2.0-only
//! Each Rust file and manifest names the licence that its place demands.

use crate::finding::Finding;
use crate::manifest::Package;
use crate::tidy::room;
use crate::tree::Tree;

const PERMISSIVE: &str = "MIT OR Apache-2.0";
const COPYLEFT: &str = "GPL-2.0-only";

/// The licence of a room: the two general crates are free for all, the others derive from kernel text.
pub fn licence_of(room: &str) -> &'static str {
    if matches!(room, "explorer" | "lockdep") { PERMISSIVE } else { COPYLEFT }
}

/// Checks the SPDX line of each Rust file and the licence of each manifest.
pub fn check(tree: &Tree, packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.rust() {
        let expected = format!("// SPDX-License-Identifier: {}", licence_of(room(path)));
        if text.lines().next() != Some(expected.as_str()) {
            let instead = format!("make line 1 `{expected}`");
            findings.push(Finding::new(
                "licence",
                path,
                1,
                "no SPDX line with this place's licence",
                instead,
            ));
        }
    }
    for package in packages {
        let expected = licence_of(&package.room);
        if package.license.as_deref() != Some(expected) {
            let found = package.license.as_deref().unwrap_or("missing");
            let what = format!("the package's licence is {found}");
            let text = tree.text(&package.manifest).unwrap_or_default();
            let line = text.lines().position(|line| line.starts_with("license")).map_or(1, |at| at + 1);
            let instead = format!("write `license = \"{expected}\"`");
            findings.push(Finding::new("licence", &package.manifest, line, what, instead));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest;
    use crate::tidy::expect_places;

    const GPL: &str = "// SPDX-License-Identifier: GPL-2.0-only\n";
    const MIT: &str = "// SPDX-License-Identifier: MIT OR Apache-2.0\n";

    fn found(files: &[(&str, &str)]) -> Vec<Finding> {
        let tree = Tree::of(files);
        let (packages, _) = manifest::packages(&tree);
        check(&tree, &packages)
    }

    #[test]
    fn each_place_has_its_licence() {
        let fine = found(&[
            ("crates/explorer/src/a.rs", MIT),
            ("crates/dmabuf/src/a.rs", GPL),
            ("src/main.rs", GPL),
        ]);
        assert_eq!(fine, []);
        expect_places(
            &found(&[
                ("crates/dmabuf/src/a.rs", MIT),
                ("crates/lockdep/tests/a.rs", GPL),
                ("src/main.rs", &format!("//! Words first\n{GPL}")),
                ("xtask/src/empty.rs", ""),
            ]),
            &[
                "crates/dmabuf/src/a.rs:1",
                "crates/lockdep/tests/a.rs:1",
                "src/main.rs:1",
                "xtask/src/empty.rs:1",
            ],
        );
    }

    #[test]
    fn the_manifest_agrees() {
        let fine = "[package]\nname = \"lockdep\"\nlicense = \"MIT OR Apache-2.0\"\n";
        assert_eq!(found(&[("crates/lockdep/Cargo.toml", fine)]), []);
        expect_places(&found(&[("crates/dmabuf/Cargo.toml", fine)]), &["crates/dmabuf/Cargo.toml:3"]);
        expect_places(
            &found(&[("xtask/Cargo.toml", "[package]\nname = \"xtask\"\n")]),
            &["xtask/Cargo.toml:1"],
        );
    }
}
