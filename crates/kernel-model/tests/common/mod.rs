// SPDX-License-Identifier: GPL-2.0-only
//! What the tests of primitives and sanitizers share.

use std::cell::Cell;

use explorer::{Config, Outcome, explore};
use kernel_model::{boot, shutdown};

thread_local! {
    static REACHED: Cell<u32> = const { Cell::new(0) };
}

/// Explores `body` in a kernel of its own, to the end.
pub(crate) fn explored(name: &str, races: bool, body: impl Fn() + 'static) -> Outcome {
    let config = Config { report_data_races: races, ..Config::new(name) };
    let outcome = explore(&config, move || {
        boot();
        body();
        shutdown();
    })
    .unwrap();
    assert!(outcome.exhausted, "{name} is not exhausted");
    outcome
}

/// The one check: `body` finds nothing wrong, in exactly this many executions.
#[track_caller]
pub(crate) fn check(name: &str, executions: u64, body: impl Fn() + 'static) {
    let outcome = explored(name, false, body);
    let wrong: Vec<_> = outcome.findings.iter().map(|f| format!("{}: {}", f.kind, f.message)).collect();
    assert!(wrong.is_empty(), "{name}: {wrong:#?}");
    assert_eq!(outcome.stats.executions, executions, "executions of {name}");
}

/// The reverse: `body` shows a finding with these words, in exactly this many executions in all.
#[track_caller]
pub(crate) fn fires(name: &str, executions: u64, words: &str, body: impl Fn() + 'static) {
    let outcome = explored(name, false, body);
    let all: Vec<_> = outcome.findings.iter().map(|f| format!("{}: {}", f.kind, f.message)).collect();
    assert!(all.iter().any(|m| m.contains(words)), "{name}: no {words:?} in {all:#?}");
    assert_eq!(outcome.stats.executions, executions, "executions of {name}");
}

/// Notes that the `bit`th interesting thing has happened in some execution.
#[allow(dead_code, reason = "for tests whose outcome depends on the interleaving")]
pub(crate) fn reach(bit: u32) {
    REACHED.set(REACHED.get() | 1 << bit);
}

/// What has happened since the last call, one bit each.
#[allow(dead_code, reason = "see reach()")]
pub(crate) fn take_reached() -> u32 {
    REACHED.take()
}
