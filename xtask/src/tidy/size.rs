// SPDX-License-Identifier: GPL-2.0-only
//! No Rust file above 600 lines, except whole transcribed files, which are as long as their C.

use crate::finding::Finding;
use crate::tree::Tree;

/// The longest that a file of our own may be.
pub const MAX_LINES: usize = 600;
/// The header line of a file that transcribes a whole C file outside `revisions/`.
pub const TRANSCRIBED: &str = "//! Transcribes:";

/// Finds files that are too long.
pub fn check(tree: &Tree) -> Vec<Finding> {
    tree.rust()
        .filter(|(path, text)| text.lines().count() > MAX_LINES && !is_transcribed(path, text))
        .map(|(path, text)| {
            let what = format!("{} lines, more than {MAX_LINES}", text.lines().count());
            let instead =
                format!("split it by what it does; a whole transcribed file says `{TRANSCRIBED} <C file>`");
            Finding::new("size", path, MAX_LINES + 1, what, instead)
        })
        .collect()
}

fn is_transcribed(path: &str, text: &str) -> bool {
    path.contains("/revisions/")
        || text.lines().take_while(|line| line.starts_with("//")).any(|line| line.starts_with(TRANSCRIBED))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::expect_places;

    fn lines(head: &str, n: usize) -> String {
        format!("{head}\n{}", "\n".repeat(n - 1))
    }

    #[test]
    fn the_limit_is_600() {
        let tree = Tree::of(&[("src/a.rs", &lines("", 600)), ("src/b.rs", &lines("", 601))]);
        expect_places(&check(&tree), &["src/b.rs:601"]);
    }

    #[test]
    fn transcribed_files_are_as_long_as_their_c() {
        let tree = Tree::of(&[
            ("crates/vfio-pci/src/revisions/v7_3/vfio_pci_core.rs", &lines("", 2000)),
            ("crates/dmabuf/src/dma_buf.rs", &lines("//! Transcribes: drivers/dma-buf/dma-buf.c", 2000)),
            ("crates/dmabuf/src/late.rs", &lines("fn a() {}\n//! Transcribes: x.c", 2000)),
            ("docs/long.md", &lines("", 2000)),
        ]);
        expect_places(&check(&tree), &["crates/dmabuf/src/late.rs:601"]);
    }
}
