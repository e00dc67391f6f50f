// SPDX-License-Identifier: MIT OR Apache-2.0
//! Execution counts that are known from the literature's tools and from other explorers, for every exhaustive
//! strategy.

mod models;

use explorer::strategy::Strategy;
use explorer::strategy::bounded::Bounded;
use explorer::strategy::dfs::Dfs;
use explorer::strategy::dpor::Dpor;
use explorer::strategy::state_hash::StateHash;
use explorer::{Config, FindingKind, Outcome, explore_with};
use models::{readers, s1, s2, s2_unannounced, s3};

fn run<S: Strategy>(strategy: &mut S, model: impl Fn() + 'static) -> Outcome {
    let out = explore_with(&Config::new("golden"), strategy, model, |_| true).unwrap();
    assert!(out.exhausted);
    out
}

/// Executions that were distinct, and that brought nothing new.
fn counts<S: Strategy>(mut strategy: S, model: impl Fn() + 'static) -> (u64, u64) {
    let out = run(&mut strategy, model);
    (out.stats.executions, out.stats.sleep_blocked)
}

fn dpor(model: impl Fn() + 'static) -> (u64, u64) {
    counts(Dpor::new(), model)
}

fn hashed(model: impl Fn() + 'static) -> (u64, u64) {
    counts(StateHash::new(1), model)
}

#[test]
fn s1_counts() {
    for (k, n) in [(1, 6), (2, 90), (3, 1_680), (4, 34_650)] {
        assert_eq!(dpor(s1(k)), (n, 0), "k = {k}");
    }
    for (k, n) in [(1, 6), (2, 90), (3, 1_680)] {
        assert_eq!(counts(Dfs::new(), s1(k)), (n, 0), "k = {k}");
        assert_eq!(hashed(s1(k)), (n, 0), "k = {k}");
        assert_eq!(counts(Bounded::new(u32::MAX), s1(k)), (n, 0), "k = {k}");
    }
}

#[test]
fn s2_counts() {
    assert_eq!(dpor(s2(0)), (6, 0));
    assert_eq!(dpor(s2(1)), (22, 0));
    assert_eq!(counts(Dfs::new(), s2(0)), (452, 0));
    assert_eq!(hashed(s2(0)), (6, 21));
    assert_eq!(hashed(s2(1)), (22, 102));
    // The figures of other tools are for writers that do not announce themselves: 107 and 8,128 interleavings,
    // 17 and 104 executions with a state hash.
    assert_eq!(counts(Dfs::new(), s2_unannounced(0)), (107, 0));
    assert_eq!(counts(Dfs::new(), s2_unannounced(1)), (8_128, 0));
    assert_eq!(dpor(s2_unannounced(0)), (6, 0));
    assert_eq!(dpor(s2_unannounced(1)), (22, 0));
    assert_eq!(hashed(s2_unannounced(0)), (6, 17 - 6));
    assert_eq!(hashed(s2_unannounced(1)), (22, 104 - 22));
}

#[test]
fn s3_counts() {
    for n in [2, 4, 8, 16, 32] {
        let out = run(&mut Dpor::new(), s3(n));
        assert_eq!((out.stats.executions, out.findings.len()), (3, 1), "n = {n}");
        let f = &out.findings[0];
        assert_eq!(f.kind, FindingKind::Deadlock);
        assert_eq!(f.message, "ab waits to lock b, held by ba; ba waits to lock a, held by ab");
    }
    for (n, executions) in [(2, 50), (4, 672)] {
        assert_eq!(counts(Dfs::new(), s3(n)), (executions, 0));
    }
    for n in [2, 4, 8] {
        assert_eq!(hashed(s3(n)), (3, n as u64), "n = {n}");
    }
}

#[test]
fn readers_counts() {
    for n in 1..=10 {
        assert_eq!(dpor(readers(n)), (1 << n, 0), "n = {n}");
    }
    for n in 1..=6 {
        assert_eq!(hashed(readers(n)).0, 1 << n, "n = {n}");
    }
}
