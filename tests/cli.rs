// SPDX-License-Identifier: GPL-2.0-only
//! The command line as a user meets it: output, exit status, errors.

use std::ffi::OsString;
use std::process::Command;

use dmabuf_sim::{CliError, Outcome, run};

fn cli(args: &[&str]) -> Result<Outcome, CliError> {
    run(["dmabuf-sim"].iter().chain(args).map(OsString::from), false)
}

#[track_caller]
fn ok(args: &[&str]) -> String {
    let outcome = cli(args).unwrap_or_else(|e| panic!("{args:?}: {e}"));
    assert_eq!(outcome.code, 0, "{args:?}\n{}", outcome.text);
    outcome.text
}

#[track_caller]
fn error(args: &[&str], expected: &[&str]) {
    let error = cli(args).expect_err("an error of the user");
    assert_eq!(error.code(), 2);
    let text = error.to_string();
    for part in expected {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

/// Compares with `tests/golden/NAME`, or rewrites it when UPDATE_GOLDEN is set.
#[track_caller]
fn golden(name: &str, text: &str) {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    // Under cargo the replay command names cargo; the golden file holds the plain form.
    let text = text.replace("cargo run --release --", "dmabuf-sim");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(std::path::Path::new(&path).parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        return;
    }
    let old = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(old == text, "{name} differs; `cargo xtask bless` accepts the new output:\n{text}");
}

#[test]
fn the_review_is_as_blessed_and_the_same_each_time() {
    let text = ok(&[]);
    assert_eq!(text, ok(&["review"]));
    golden("review.txt", &text);
}

#[test]
fn the_posted_patch_breaks_what_the_release_keeps() {
    let text = ok(&["review", "--revision", "L0"]);
    assert!(text.contains("the buffer is still revoked: a new importer's"), "{text}");
    assert!(text.contains("could still be mapped afterwards"), "{text}");
    let text = ok(&["review", "--revision", "v7_3"]);
    assert!(!text.contains("VIOLATED") && !text.contains("NOT exhausted"), "{text}");
}

#[test]
fn names_and_catalogue_ids_are_the_same_revision() {
    assert_eq!(ok(&["review", "--revision", "v7_3"]), ok(&["review", "--revision", "M734"]));
}

#[test]
fn lists_name_everything() {
    for what in ["revisions", "scenarios", "invariants"] {
        golden(&format!("list_{what}.txt"), &ok(&["list", what]));
        let json: serde_json::Value = serde_json::from_str(&ok(&["list", what, "--format", "json"])).unwrap();
        assert!(!json.as_array().unwrap().is_empty());
    }
}

/// The replay command of the first finding of a scenario, from the review's JSON.
fn schedule_of(scenario: &str, revision: &str) -> String {
    let text = ok(&["review", "--revision", revision, "--scenario", scenario, "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    json["revisions"][0]["findings"][0]["schedule"].as_str().unwrap().to_string()
}

#[test]
fn every_replay_command_of_the_review_shows_its_finding_byte_for_byte_each_time() {
    let json: serde_json::Value = serde_json::from_str(&ok(&["review", "--format", "json"])).unwrap();
    let mut replayed = 0;
    for revision in json["revisions"].as_array().unwrap() {
        let name = revision["name"].as_str().unwrap();
        for finding in revision["findings"].as_array().unwrap() {
            let (scenario, schedule) =
                (finding["scenario"].as_str().unwrap(), finding["schedule"].as_str().unwrap());
            let args = ["replay", scenario, "--revision", name, schedule];
            let text = ok(&args);
            assert_eq!(text, ok(&args));
            let invariant = finding["invariant"].as_str().unwrap();
            assert!(text.contains(&format!("{invariant} is violated")), "{args:?}\n{text}");
            replayed += 1;
        }
    }
    assert!(replayed >= 9, "{replayed}");
}

#[test]
fn a_schedule_with_one_character_changed_is_an_error_or_a_divergence() {
    let scenario = "command-memory-against-map";
    let schedule = schedule_of(scenario, "leon_v0");
    for (i, old) in schedule.char_indices() {
        for new in ['0', '9', 'z', '!', ':', 'é', '+'].into_iter().filter(|c| *c != old) {
            let changed: String =
                schedule.char_indices().map(|(j, c)| if i == j { new } else { c }).collect();
            match cli(&["replay", scenario, "--revision", "leon_v0", &changed]) {
                Ok(outcome) => {
                    assert!(outcome.text.contains("The schedule diverges"), "{changed}: {}", outcome.text);
                }
                Err(e) => {
                    assert!(
                        e.code() == 2 && e.to_string().starts_with("error: the schedule"),
                        "{changed}: {e}"
                    );
                }
            }
        }
    }
}

#[test]
fn errors_say_what_where_and_what_to_do() {
    let (scenario, revision) = ("pcie-flr-against-map", "leon_v0");
    error(
        &["review", "--revision", "v7_4"],
        &["no revision named 'v7_4'", "nearest: v7_3", "list revisions"],
    );
    error(&["explore", "pcie-flr", "--revision", revision], &["nearest: pcie-flr-against-map"]);
    error(
        &["replay", scenario, "--revision", revision, "v1:xyz"],
        &["character 4: expected a hexadecimal digit", "   ^"],
    );
    error(&["replay", scenario, "--revision", revision, "v1:00000000:a"], &["recorded on another model"]);
    let schedule = schedule_of(scenario, revision);
    let longer = format!("{schedule}z");
    error(&["replay", scenario, "--revision", revision, &longer], &["diverges at decision", "explore again"]);
    error(&["explore", scenario], &["--revision"]);
    error(&["frobnicate"], &["unrecognized subcommand"]);
    error(&["list", "bugs"], &["revisions", "scenarios", "invariants"]);
}

#[test]
fn help_is_no_error() {
    assert!(ok(&["--help"]).contains("Exit status"));
    assert!(ok(&["--version"]).starts_with("dmabuf-sim "));
}

#[test]
fn the_program_has_the_documented_exit_status() {
    let status = |args: &[&str]| {
        let out = Command::new(env!("CARGO_BIN_EXE_dmabuf-sim")).args(args).output().unwrap();
        (out.status.code(), out.stdout.is_empty(), out.stderr.is_empty())
    };
    assert_eq!(status(&["review", "--scenario", "two-closes"]), (Some(0), false, true));
    assert_eq!(status(&["review", "--revision", "nothing"]), (Some(2), true, false));
    assert_eq!(status(&["--nonsense"]), (Some(2), true, false));
}

#[test]
fn the_documents_show_real_output() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let review = ok(&[]).replace("cargo run --release --", "dmabuf-sim");
    let blocks: Vec<&str> =
        readme.split("```console\n").skip(1).map(|b| b.split("```").next().unwrap()).collect();
    let verdicts = blocks[0].strip_prefix("$ cargo run --release\n").expect("the command comes first");
    assert!(review.starts_with(verdicts), "the verdicts of README.md are not those of the review");
    assert!(review.contains(blocks[1]), "the finding of README.md is not in the review");
    let trace =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reading-a-trace.md")).unwrap();
    let string = trace.lines().find(|l| l.starts_with("v1:")).expect("a replay string");
    assert!(
        review.contains(&format!("'{string}'")),
        "{string} of docs/reading-a-trace.md is not in the review"
    );
}
