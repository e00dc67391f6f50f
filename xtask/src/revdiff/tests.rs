// SPDX-License-Identifier: GPL-2.0-only
//! Both directions of `revdiff`, on two or three revisions of a few lines.

use super::*;
use crate::tidy::printed;

const BASE: &str = "//! Kernel file: a.c\n//! Version: v7.3.4\n//! Parent: none\n//! Intent: as released.\n\
                    fn f() {\n    g(true);\n}\nfn g(x: bool) {}\nstruct S;\n";

fn child(list: &str, code: &str) -> String {
    format!(
        "//! Kernel file: a.c\n//! Message-ID: <x@y>\n//! Parent: base\n//! Intent: to try.\n\
         //! Functions changed: {list}\n{code}"
    )
}

fn tree(child: &str) -> Tree {
    Tree::of(&[
        (&format!("{FOLDER}base/a.rs"), BASE),
        (&format!("{FOLDER}base/b.rs"), &BASE.replace("fn f", "fn only_in_b")),
        (&format!("{FOLDER}base/mod.rs"), "pub mod a;\npub mod b;\n"),
        (&format!("{FOLDER}child/a.rs"), child),
    ])
}

fn found(list: &str, code: &str) -> Vec<String> {
    printed(&check(&tree(&child(list, code))))
}

#[test]
fn a_header_that_lists_exactly_the_change_passes() {
    assert_eq!(found("f", "fn f() {\n    g(false);\n}\nfn g(x: bool) {}\nstruct S;\n"), Vec::<String>::new());
    assert_eq!(
        found("none", "/// New words.\nfn f() { g(true); }\nfn g(x: bool,) {}\nstruct S;"),
        Vec::<String>::new()
    );
    assert_eq!(found("f, g, h", "fn f() {}\nfn h() {}\nstruct S;"), Vec::<String>::new());
}

#[test]
fn a_change_that_is_not_listed_is_named() {
    let said = found("none", "fn f() {\n    g(false);\n}\nstruct S;\nfn h() {}\n");
    let place = "crates/vfio-pci/src/revisions/child/a.rs:5: ";
    let rest = "against base, and the header does not list it; add it to `Functions changed:`, or take the change back";
    assert_eq!(
        said,
        ["f is changed", "g is removed", "h is added"].map(|what| format!("{place}{what} {rest} [revdiff]"))
    );
}

#[test]
fn a_listed_function_that_is_the_same_is_named() {
    let said = found("f, g", "fn f() { g(false); }\nfn g(x: bool) {}\nstruct S;");
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("the header lists g, which is the same in base"), "{said:?}");
}

#[test]
fn types_may_be_listed_and_need_not() {
    let code = "fn f() { g(true); }\nfn g(x: bool) {}\nstruct S { x: u8 }\nimpl S { fn m() {} }\n";
    assert_eq!(found("m", code), Vec::<String>::new());
    assert_eq!(found("S::m, S", code), Vec::<String>::new());
    assert_eq!(found("S", code).len(), 1);
}

#[test]
fn a_parent_must_exist_and_be_another() {
    for parent in ["gone", "child"] {
        let text = child("none", "fn f() {}").replace("Parent: base", &format!("Parent: {parent}"));
        let said = printed(&check(&tree(&text)));
        assert!(said.len() == 1 && said[0].contains("a.rs:3: the parent"), "{said:?}");
    }
}

#[test]
fn a_header_is_whole() {
    let said = printed(&check(&tree(&child("none", "").replace("//! Intent: to try.\n", ""))));
    assert!(said[0].contains("a.rs:1: the header has no `Intent: …` line"), "{said:?}");
}

#[test]
fn an_untouched_file_comes_from_the_forebear_with_one() {
    let grandchild = BASE
        .replace("Parent: none", "Parent: child\n//! Functions changed: g")
        .replace("fn f", "fn only_in_b")
        .replace("g(x: bool)", "g(y: bool)");
    let mut files = vec![
        (format!("{FOLDER}base/a.rs"), BASE.to_owned()),
        (format!("{FOLDER}base/b.rs"), BASE.replace("fn f", "fn only_in_b")),
        (format!("{FOLDER}child/a.rs"), child("none", &BASE[BASE.find("fn f").unwrap_or(0)..])),
        (format!("{FOLDER}grandchild/b.rs"), grandchild),
    ];
    let read = |files: &[(String, String)]| {
        let pairs: Vec<_> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        printed(&check(&Tree::of(&pairs)))
    };
    assert_eq!(read(&files), Vec::<String>::new());
    // Parents in a circle are survived; what no forebear has is new.
    files[0].1 = files[0].1.replace("Parent: none", "Parent: child\n//! Functions changed: none");
    files.remove(1);
    assert!(
        read(&files).iter().any(|line| line.contains("only_in_b is added against child")),
        "{:?}",
        read(&files)
    );
}

#[test]
fn a_file_that_is_not_rust_is_said_so() {
    let said = found("none", "fn f( {}\n");
    assert!(said.len() == 1 && said[0].contains("is no Rust"), "{said:?}");
}

#[test]
fn the_diff_is_unified_and_by_function() {
    let tree = tree(&child("f", "fn f() {\n    g(false);\n}\nfn g(x: bool) {}\nstruct S;\n"));
    let diff =
        compare(&tree, "base", &format!("{FOLDER}child/"), false).expect("both revisions are there").text;
    assert_eq!(
        diff,
        "--- base/a.rs f\n+++ child/a.rs f\n@@ -1,3 +1,3 @@\n fn f() {\n-    g(true);\n+    g(false);\n }\n\
         revdiff: 1 item differing between base and child\n"
    );
    let list = compare(&tree, "base", "child", true).expect("both revisions are there").text;
    assert_eq!(list, "a.rs: f (changed)\nrevdiff: 1 item differing between base and child\n");
    let error = compare(&tree, "base", "chidl", true).expect_err("no such revision").to_string();
    assert!(error.ends_with("there are: base, child"), "{error}");
}
