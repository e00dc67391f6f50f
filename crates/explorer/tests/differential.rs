// SPDX-License-Identifier: MIT OR Apache-2.0
//! The searches against the oracle: on random programs, what naive search finds must be found by every exhaustive
//! strategy. DPOR finds exactly the same Mazurkiewicz traces, each once; the state hash the same reports; the
//! preemption bound exactly the interleavings within it.
//!
//! A failing program prints its seed and its text; `DIFFERENTIAL_SEED=n` runs that one alone.
//! `DIFFERENTIAL_PROGRAMS=n` compares n programs instead of 3,000.

mod collect;
mod program;

use std::collections::BTreeSet;

use collect::Collect;
use explorer::strategy::Strategy;
use explorer::strategy::bounded::Bounded;
use explorer::strategy::dfs::Dfs;
use explorer::strategy::dpor::Dpor;
use explorer::strategy::state_hash::StateHash;
use explorer::{Config, Stats, estimate, explore_with};
use program::Program;

/// What a search found.
struct Found {
    traces: BTreeSet<u128>,
    twice: usize,
    by_preemptions: Vec<u64>,
    reports: BTreeSet<String>,
    stats: Stats,
}

/// `None` when the program is too large for the search.
fn search<S: Strategy>(program: &Program, strategy: S, cap: u64) -> Option<Found> {
    let config = Config { max_executions: cap, ..Config::new("differential") };
    let mut strategy = Collect::new(strategy);
    let model = program.clone();
    let out = explore_with(&config, &mut strategy, move || model.run(), |_| true).unwrap();
    let reports = out.findings.into_iter().map(|f| f.key).collect();
    let Collect { traces, twice, by_preemptions, .. } = strategy;
    out.exhausted.then_some(Found { traces, twice, by_preemptions, reports, stats: out.stats })
}

/// Sums over all programs.
#[derive(Default, Debug)]
struct Totals {
    naive: u64,
    dpor: u64,
    dpor_blocked: u64,
    hash: u64,
    hash_cut: u64,
    bounded: u64,
}

#[track_caller]
fn same_reports(seed: u64, program: &Program, what: &str, naive: &Found, other: &Found) {
    let missed: Vec<_> = naive.reports.difference(&other.reports).take(3).collect();
    let extra: Vec<_> = other.reports.difference(&naive.reports).take(3).collect();
    assert!(
        missed.is_empty() && extra.is_empty(),
        "seed {seed}, {what}\n{program}missed {missed:?}\nextra {extra:?}"
    );
}

/// Each trace of the oracle exactly once, and the same reports.
#[track_caller]
fn same_traces(seed: u64, program: &Program, what: &str, naive: &Found, other: &Found) {
    same_reports(seed, program, what, naive, other);
    assert!(
        naive.traces == other.traces && other.twice == 0,
        "seed {seed}, {what}\n{program}{} traces, {} missed, {} extra, {} executions of a known trace",
        naive.traces.len(),
        naive.traces.difference(&other.traces).count(),
        other.traces.difference(&naive.traces).count(),
        other.twice,
    );
}

/// Compares one program; `false` if it was too large.
fn compare(seed: u64, totals: &mut Totals) -> bool {
    const LESS: &str = "a reduced search is not larger";
    let program = Program::random(seed);
    // Most programs that are too large are known by a few probes, without 2,000 executions.
    let model = program.clone();
    let probes = estimate(&Config::new("size"), seed, 20, move || model.run()).unwrap();
    if probes.executions > 20_000.0 {
        return false;
    }
    let Some(naive) = search(&program, Dfs::new(), 2_000) else { return false };
    totals.naive += naive.stats.executions;

    let dpor = search(&program, Dpor::new(), 100_000).expect(LESS);
    same_traces(seed, &program, "DPOR", &naive, &dpor);
    totals.dpor += dpor.stats.executions;
    totals.dpor_blocked += dpor.stats.sleep_blocked;

    let hash = search(&program, StateHash::new(seed), 100_000).expect(LESS);
    same_reports(seed, &program, "state hash", &naive, &hash);
    totals.hash += hash.stats.executions;
    totals.hash_cut += hash.stats.sleep_blocked;

    // One program in four: the bounds take as long as the oracle.
    if seed.is_multiple_of(4) {
        for bound in [0, 1] {
            let bounded = search(&program, Bounded::new(bound), 100_000).expect(LESS);
            let within: u64 = naive.by_preemptions.iter().take(bound as usize + 1).sum();
            // What is promoted depends on what was run, so an inner bound may explore with fewer scheduling points.
            if bounded.stats.rounds == naive.stats.rounds {
                assert_eq!(bounded.stats.executions, within, "seed {seed}, bound {bound}\n{program}");
            }
            totals.bounded += bounded.stats.executions;
        }
        let all = search(&program, Bounded::new(u32::MAX), 100_000).expect(LESS);
        same_reports(seed, &program, "no bound", &naive, &all);
        assert_eq!(all.stats.executions, naive.stats.executions, "seed {seed}\n{program}");
    }
    true
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the length of a long run is given in the environment")]
fn every_strategy_finds_what_naive_search_finds() {
    let mut totals = Totals::default();
    if let Ok(seed) = std::env::var("DIFFERENTIAL_SEED") {
        let seed = seed.parse().expect("a number");
        println!("{}", Program::random(seed));
        println!("{:?} {totals:?}", compare(seed, &mut totals));
        return;
    }
    let wanted = std::env::var("DIFFERENTIAL_PROGRAMS").map_or(3_000, |n| n.parse().expect("a number"));
    let (mut compared, mut skipped) = (0, 0);
    for seed in 0.. {
        if compared == wanted {
            break;
        }
        if compare(seed, &mut totals) {
            compared += 1;
        } else {
            skipped += 1;
        }
    }
    println!("{compared} programs compared, {skipped} too large; {totals:?}");
    assert!(totals.naive > 5 * totals.dpor, "the reduction reduces");
    assert!(totals.dpor_blocked * 5 < totals.dpor, "less than a fifth is sleep-blocked");
}
