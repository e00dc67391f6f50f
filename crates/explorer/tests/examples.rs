// SPDX-License-Identifier: MIT OR Apache-2.0
//! The examples print what their documentation and the README say.

use std::path::PathBuf;
use std::process::Command;

/// Runs an example that `cargo test` has built beside the tests; what it printed.
#[track_caller]
fn output(name: &str) -> String {
    let mut path: PathBuf = std::env::current_exe().expect("a test has a path");
    path.pop();
    path.pop();
    path.push("examples");
    path.push(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if !path.exists() {
        let status =
            Command::new(env!("CARGO")).args(["build", "-p", "explorer", "--example", name]).status();
        assert!(
            status.expect("cargo runs").success(),
            "{name} is not at {} and cannot be built",
            path.display()
        );
    }
    let out = Command::new(&path).output().expect("the example runs");
    assert!(out.status.success());
    String::from_utf8(out.stdout).expect("text")
}

#[test]
fn lost_update() {
    let text = output("lost_update");
    assert!(text.starts_with("4 executions in round 2\n"), "{text}");
    assert!(
        text.contains("assertion: main at ") && text.contains("both updates count does not hold"),
        "{text}"
    );
    assert!(text.contains("data race: data race on x: "), "{text}");
    assert!(text.contains("replay v1:"), "{text}");
}

#[test]
fn ab_ba() {
    let expected = "\
3 executions, exhausted: true
deadlock: ab waits to lock b, held by ba; ba waits to lock a, held by ab
  replay v1:ea8759c2:ab
    ab: lock a
    ba: lock b
    here: ab waits to lock b, held by ba; ba waits to lock a, held by ab
";
    assert_eq!(output("ab_ba"), expected);
}

#[test]
fn reader_behind_writer() {
    let expected = "\
3 executions, exhausted: true
deadlock: reader waits to down_read s, held by reader, behind writer; writer waits to down_write s, held by reader
  replay v1:6d9748af:ab
";
    assert_eq!(output("reader_behind_writer"), expected);
}
