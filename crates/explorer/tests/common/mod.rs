// SPDX-License-Identifier: MIT OR Apache-2.0
//! The one helper through which the tests of primitives explore: the model, its executions, its findings.

#![allow(dead_code, reason = "each test file uses some of it")]

use explorer::{Config, Finding, FindingKind, explore, replay};

/// Explores `model` exhaustively; the number of executions, and the findings as kind and message. Each finding's
/// schedule must show it again.
#[track_caller]
pub(crate) fn check(model: fn()) -> (u64, Vec<(FindingKind, String)>) {
    check_with(&Config::new("test"), model)
}

/// As [`check`], with a budget of faults.
#[track_caller]
pub(crate) fn check_faults(faults: u32, model: fn()) -> (u64, Vec<(FindingKind, String)>) {
    check_with(&Config { fault_budget: faults, ..Config::new("test") }, model)
}

/// As [`check`], with a configuration.
#[track_caller]
pub(crate) fn check_with(config: &Config, model: fn()) -> (u64, Vec<(FindingKind, String)>) {
    let out = explore(config, model).expect("the model is well-formed");
    assert!(out.exhausted, "the model is small");
    for f in &out.findings {
        let again = replay(config, &f.schedule, false, model).expect("a finding's schedule fits");
        assert!(
            again.findings.iter().any(|g: &Finding| g.key == f.key),
            "{} is not shown by {}",
            f.key,
            f.schedule
        );
    }
    (out.stats.executions, out.findings.into_iter().map(|f| (f.kind, f.message)).collect())
}

/// A result without findings.
pub(crate) fn clean(executions: u64) -> (u64, Vec<(FindingKind, String)>) {
    (executions, Vec::new())
}

/// A result with one finding.
pub(crate) fn one(executions: u64, kind: FindingKind, message: &str) -> (u64, Vec<(FindingKind, String)>) {
    (executions, vec![(kind, message.to_string())])
}
