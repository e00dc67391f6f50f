// SPDX-License-Identifier: MIT OR Apache-2.0
//! The graph as a value: union in any order and grouping gives the same graph, the same text and the same reports.

use lockdep::{Acquire, ClassSpec, Config, Graph, Lock, LockId, Mode, Report, Site, Validator};
use proptest::prelude::*;

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const SITES: [&str; 4] = ["open", "read", "mmap", "close"];

/// One acquisition of a run: which lock, how, by trylock, and where.
type Take = (usize, Mode, bool, usize);

/// A run is what its tasks take one inside the other, task by task.
type Run = Vec<Vec<Take>>;

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::Write), Just(Mode::Read), Just(Mode::RecursiveRead)]
}

fn run() -> impl Strategy<Value = Run> {
    let take = (0..NAMES.len(), mode(), prop::bool::weighted(0.2), 0..SITES.len());
    prop::collection::vec(prop::collection::vec(take, 1..4), 1..4)
}

fn runs() -> impl Strategy<Value = Vec<Run>> {
    prop::collection::vec(run(), 1..6)
}

/// The same runs twice, the second time in another order.
fn in_two_orders() -> impl Strategy<Value = (Vec<Run>, Vec<Run>)> {
    runs().prop_flat_map(|runs| (Just(runs.clone()), Just(runs).prop_shuffle()))
}

/// Plays a run on a validator that may have been used before.
fn play(ld: &mut Validator, run: &Run) {
    for (number, stack) in run.iter().enumerate() {
        let task = ld.add_task("task", 100 + number as u32);
        let mut held = Vec::new();
        for (lock, mode, trylock, site) in stack {
            // Registered on first use, so that ids differ from run to run.
            let key = ld.key(&ClassSpec::rwsem(NAMES[*lock]));
            let lock = Lock::new(LockId(*lock as u64), key);
            let acquire = Acquire::new(lock, *mode, Site::function(SITES[*site]));
            ld.acquire(task, &if *trylock { acquire.trylock() } else { acquire });
            held.push(lock);
        }
        for lock in held.into_iter().rev() {
            ld.release(task, lock, Site::function("release"));
        }
    }
}

fn graph_of(run: &Run) -> Graph {
    let mut ld = Validator::new(Config::default());
    play(&mut ld, run);
    ld.graph().clone()
}

fn union<'a>(graphs: impl IntoIterator<Item = &'a Graph>) -> Graph {
    let mut all = Graph::new();
    graphs.into_iter().for_each(|g| all.merge(g));
    all
}

/// Everything that leaves a graph.
fn seen(graph: &Graph) -> (String, String, Vec<Report>) {
    (graph.to_text(), graph.to_dot(), graph.inversions())
}

proptest! {
    #[test]
    fn merging_is_commutative_associative_and_idempotent((runs, shuffled) in in_two_orders(), split in 0_usize..6) {
        let graphs: Vec<Graph> = runs.iter().map(graph_of).collect();
        let all = union(&graphs);

        let other = union(&shuffled.iter().map(graph_of).collect::<Vec<_>>());
        prop_assert_eq!(&other, &all);
        prop_assert_eq!(seen(&other), seen(&all));

        let (left, right) = graphs.split_at(split.min(graphs.len()));
        let mut grouped = union(right);
        grouped.merge(&union(left));
        prop_assert_eq!(&grouped, &all);

        let mut twice = all.clone();
        twice.merge(&all);
        graphs.iter().for_each(|g| twice.merge(g));
        prop_assert_eq!(&twice, &all);
        prop_assert_eq!(seen(&twice), seen(&all));
    }

    #[test]
    fn a_used_validator_gives_the_same_run_as_a_new_one(before in run(), run in run()) {
        let mut fresh = Validator::new(Config::default());
        play(&mut fresh, &run);
        let mut used = Validator::new(Config::default());
        play(&mut used, &before);
        used.begin_run();
        play(&mut used, &run);
        prop_assert_eq!(used.graph(), fresh.graph());
        prop_assert_eq!(used.reports(), fresh.reports());
    }

    /// An inversion that a run reports is in its graph, and a graph without inversions comes from silent runs.
    #[test]
    fn the_graph_knows_of_every_inversion_that_a_run_reports(run in run()) {
        let mut ld = Validator::new(Config::default());
        play(&mut ld, &run);
        let online = ld.reports().iter().any(|r| matches!(r, Report::Circular { .. }));
        prop_assert_eq!(online, !ld.graph().inversions().is_empty());
    }

    /// Reports of a smaller set of runs do not vanish: some cycle is left however much is merged.
    #[test]
    fn merging_never_hides_an_inversion(runs in runs()) {
        let graphs: Vec<Graph> = runs.iter().map(graph_of).collect();
        let some = graphs.iter().any(|g| !g.inversions().is_empty());
        prop_assert!(!some || !union(&graphs).inversions().is_empty());
    }
}

/// Workers keep a validator each and send their graphs around.
#[test]
fn all_of_it_may_be_sent_and_shared() {
    fn check<T: Send + Sync + Clone>() {}
    check::<Validator>();
    check::<Graph>();
    check::<Report>();
}

#[test]
fn two_runs_that_never_met_show_an_inversion_together() {
    let order = |a, b| vec![vec![(a, Mode::Write, false, 0), (b, Mode::Write, false, 1)]];
    let (one, two) = (graph_of(&order(0, 1)), graph_of(&order(1, 0)));
    assert!(one.inversions().is_empty() && two.inversions().is_empty());
    assert_eq!(union([&one, &two]).inversions().len(), 1);
    assert_ne!(one, two);
    assert_eq!(union([&one, &one]), one);
}

#[test]
fn readers_that_may_recurse_make_no_inversion_across_runs() {
    let order = |a, b| vec![vec![(a, Mode::RecursiveRead, false, 0), (b, Mode::RecursiveRead, false, 1)]];
    assert!(union([&graph_of(&order(0, 1)), &graph_of(&order(1, 0))]).inversions().is_empty());
}

#[test]
fn one_cycle_is_reported_once_however_many_kinds_it_was_seen_in() {
    let order = |a, mode, b| vec![vec![(a, mode, false, 0), (b, Mode::Write, false, 1)]];
    let runs = [
        order(0, Mode::Read, 1),
        order(0, Mode::Write, 1),
        order(1, Mode::Read, 0),
        order(1, Mode::Write, 0),
    ];
    let graphs: Vec<Graph> = runs.iter().map(graph_of).collect();
    assert_eq!(union(&graphs).inversions().len(), 1);
    assert_eq!(union(&graphs[..2]).inversions().len(), 0);
}
