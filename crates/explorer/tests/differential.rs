// SPDX-License-Identifier: MIT OR Apache-2.0
//! The reduction against the oracle: on random programs, DPOR must find exactly the Mazurkiewicz traces, the
//! deadlocks and the final states that the naive search finds, and no trace twice.
//!
//! A failing program prints its seed and its text; `DIFFERENTIAL_SEED=n` runs that one alone.

mod program;

use std::collections::BTreeSet;
use std::fmt::Debug;

use explorer::strategy::dfs::Dfs;
use explorer::strategy::dpor::Dpor;
use explorer::strategy::{Divergence, Strategy, View};
use explorer::{Config, Op, TaskId, explore_with};
use program::Program;

/// An event: the task and its how-manieth.
type Event = (u8, u32);

/// A trace: the ordered pairs of dependent events, and the values chosen.
type Trace = (BTreeSet<(Event, Event)>, Vec<u32>);

/// Wraps a strategy and collects the traces of its executions.
struct Collect<S> {
    inner: S,
    events: Vec<(Event, Op)>,
    choices: Vec<(u8, u32)>,
    traces: BTreeSet<Trace>,
    twice: usize,
}

impl<S: Strategy> Collect<S> {
    fn new(inner: S) -> Self {
        Collect { inner, events: Vec::new(), choices: Vec::new(), traces: BTreeSet::new(), twice: 0 }
    }

    fn trace(&self) -> Trace {
        let mut pairs = BTreeSet::new();
        for (i, (b, later)) in self.events.iter().enumerate() {
            for (a, earlier) in &self.events[..i] {
                if a.0 != b.0 && later.dependent(*earlier) {
                    pairs.insert((*a, *b));
                }
            }
            // So that traces that differ only in independent events that happened or not are told apart.
            pairs.insert((*b, *b));
        }
        let mut choices = self.choices.clone();
        // Stable: the choices of one task stay in their order.
        choices.sort_by_key(|c| c.0);
        (pairs, choices.into_iter().map(|c| c.1).collect())
    }
}

impl<S: Strategy> Strategy for Collect<S> {
    fn begin(&mut self) -> bool {
        self.events.clear();
        self.choices.clear();
        self.inner.begin()
    }
    fn decide(&mut self, view: &View<'_>) -> Result<TaskId, Divergence> {
        let t = self.inner.decide(view)?;
        let nth = self.events.iter().filter(|e| e.0.0 == t.0).count() as u32;
        self.events.push(((t.0, nth), view.pending[t.index()]));
        Ok(t)
    }
    fn choose(&mut self, task: TaskId, n: u32) -> Result<u32, Divergence> {
        let v = self.inner.choose(task, n)?;
        self.choices.push((task.0, v));
        Ok(v)
    }
    fn end(&mut self, view: &View<'_>) {
        self.inner.end(view);
        if !self.inner.redundant() && !self.traces.insert(self.trace()) {
            self.twice += 1;
        }
    }
    fn redundant(&self) -> bool {
        self.inner.redundant()
    }
    fn restart(&mut self) {
        self.traces.clear();
        self.twice = 0;
        self.inner.restart();
    }
}

/// What a search found, as far as it must not depend on the strategy.
#[derive(PartialEq, Eq)]
struct Found {
    traces: BTreeSet<Trace>,
    reports: BTreeSet<String>,
}

/// `None` when the program is too large for the naive search.
fn search<S: Strategy>(program: &Program, strategy: S, cap: u64) -> Option<(Found, usize, u64, u64)> {
    let config = Config { max_executions: cap, ..Config::new("differential") };
    let mut strategy = Collect::new(strategy);
    let model = program.clone();
    let out = explore_with(&config, &mut strategy, move || model.run(), |_| true).unwrap();
    let reports = out.findings.into_iter().map(|f| f.key).collect();
    let found = Found { traces: strategy.traces, reports };
    out.exhausted.then_some((found, strategy.twice, out.stats.executions, out.stats.sleep_blocked))
}

fn diff<T: Ord + Debug>(what: &str, naive: &BTreeSet<T>, reduced: &BTreeSet<T>) -> String {
    let missed: Vec<_> = naive.difference(reduced).take(2).collect();
    let extra: Vec<_> = reduced.difference(naive).take(2).collect();
    format!("{what}: {} against {}\n  missed {missed:?}\n  extra {extra:?}\n", naive.len(), reduced.len())
}

/// Compares one program; `None` if it was too large. Gives the executions of both searches and the blocked ones.
fn compare(seed: u64) -> Option<(u64, u64, u64)> {
    let program = Program::random(seed);
    let (naive, _, n, _) = search(&program, Dfs::new(), 4_000)?;
    let (reduced, twice, m, blocked) = search(&program, Dpor::new(), 100_000).expect("reduced is not larger");
    assert!(
        naive == reduced && twice == 0,
        "seed {seed}\n{program}{}{}traces explored twice: {twice}",
        diff("traces", &naive.traces, &reduced.traces),
        diff("reports", &naive.reports, &reduced.reports),
    );
    Some((n, m, blocked))
}

#[test]
fn dpor_finds_what_naive_search_finds() {
    if let Ok(seed) = std::env::var("DIFFERENTIAL_SEED") {
        let seed = seed.parse().expect("a number");
        println!("{}", Program::random(seed));
        println!("{:?}", compare(seed));
        return;
    }
    let wanted = std::env::var("DIFFERENTIAL_PROGRAMS").map_or(3_000, |n| n.parse().expect("a number"));
    let (mut compared, mut skipped, mut naive, mut reduced, mut blocked) = (0, 0, 0, 0, 0);
    for seed in 0.. {
        if compared == wanted {
            break;
        }
        match compare(seed) {
            Some((n, m, b)) => {
                compared += 1;
                naive += n;
                reduced += m;
                blocked += b;
            }
            None => skipped += 1,
        }
    }
    println!(
        "{compared} programs compared, {skipped} too large; naive {naive} executions, DPOR {reduced} + {blocked} sleep-blocked"
    );
    assert!(naive > 5 * reduced, "the reduction reduces");
}
