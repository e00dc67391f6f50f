// SPDX-License-Identifier: GPL-2.0-only
//! The house rules hold for this repository: style is a test.
#![forbid(unsafe_code)]

use std::path::Path;
use xtask::tree::{Tree, workspace_root};
use xtask::{cite, finding::Outcome, revdiff, tidy};

fn repository() -> Tree {
    let root = workspace_root(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("xtask lies in the workspace");
    Tree::read(&root).expect("the repository can be read")
}

#[track_caller]
fn expect_ok(outcome: &Outcome) {
    assert!(outcome.ok, "\n{}", outcome.text);
}

#[test]
fn the_repository_is_tidy() {
    expect_ok(&tidy::run(&repository()));
}

#[test]
fn the_citations_agree_with_the_map() {
    expect_ok(&cite::check::run(&repository()));
}

#[test]
fn the_headers_of_revisions_list_their_changes() {
    expect_ok(&revdiff::run_check(&repository()));
}
