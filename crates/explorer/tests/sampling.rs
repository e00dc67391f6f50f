// SPDX-License-Identifier: MIT OR Apache-2.0
//! The sampling strategies: the same seed gives the same executions, ranges of a seed can be split, and each finds
//! what it is meant to find. And the estimate of a tree's size.

mod models;

use explorer::strategy::Strategy;
use explorer::strategy::pct::Pct;
use explorer::strategy::pos::Pos;
use explorer::strategy::random::{Random, Samples};
use explorer::strategy::urw::Urw;
use explorer::sync::Cell;
use explorer::{Config, Finding, JoinHandle, estimate, explore_with, spawn};
use models::{s1, s2, s3};

fn findings<S: Strategy>(mut strategy: S, model: impl Fn() + 'static) -> (u64, Vec<Finding>) {
    let out = explore_with(&Config::new("sampling"), &mut strategy, model, |_| true).unwrap();
    assert!(!out.exhausted, "samples exhaust nothing");
    (out.stats.executions, out.findings)
}

#[test]
fn a_seed_decides_all_and_ranges_can_be_split() {
    fn check<S: Strategy>(make: impl Fn(Samples) -> S) {
        let run = |range| findings(make(Samples::new(42, range)), s3(4));
        let (n, whole) = run(0..200);
        assert_eq!((n, &whole), (200, &run(0..200).1));
        let parts = [run(0..77).1, run(77..200).1].concat();
        assert_eq!(whole[0].executions, parts.iter().map(|f| f.executions).sum::<u64>());
        let best =
            parts.iter().min_by_key(|f| (f.schedule.switches(), f.schedule.steps(), f.schedule.clone()));
        assert_eq!(whole[0].schedule, best.unwrap().schedule);
    }
    check(Random::new);
    check(Pos::new);
    check(|s| Pct::new(s, 2, 12));
    check(|s| Urw::new(s, vec![0, 6, 6]));
}

/// Two tasks that read, then write; an update is lost if one reads between the other's two steps.
fn lost_update(steps: u32) -> impl Fn() + 'static {
    move || {
        let (x, own) = (Cell::new("x", 0u32), Cell::new("own", 0u32));
        let t = [0, 1].map(|_| {
            spawn("t", move || {
                let old = x.load();
                (0..steps).for_each(|_| {
                    own.load();
                });
                x.store(old + 1);
            })
        });
        t.into_iter().for_each(JoinHandle::join);
        assert_eq!(x.load(), 2, "an update was lost");
    }
}

#[test]
fn pct_finds_a_bug_of_depth_two_as_often_as_it_promises() {
    // n = 2 tasks and k = 12 steps: at least one execution in 24.
    let (n, found) = findings(Pct::new(Samples::new(1, 0..2_000), 2, 12), lost_update(4));
    let times = found.first().map_or(0, |f| f.executions);
    assert!(times * 24 >= n, "{times} of {n}");
    let (_, none) = findings(Pct::new(Samples::new(1, 0..500), 1, 12), lost_update(4));
    assert!(none.is_empty(), "without a change point no task is interrupted");
}

/// Two tasks of five independent steps have C(10, 5) = 252 interleavings.
fn independent() -> impl Fn() + 'static {
    || {
        let t = [0, 1].map(|_| {
            spawn("t", || {
                let own = Cell::new("own", 0u32);
                (0..5).for_each(|_| own.store(1));
            })
        });
        t.into_iter().for_each(JoinHandle::join);
    }
}

/// Executions by their schedule.
fn spread<S: Strategy>(strategy: S, model: impl Fn() + 'static) -> Vec<u64> {
    struct Record<S>(S, String, std::collections::BTreeMap<String, u64>);
    impl<S: Strategy> Strategy for Record<S> {
        fn begin(&mut self) -> bool {
            self.1.clear();
            self.0.begin()
        }
        fn decide(
            &mut self,
            view: &explorer::strategy::View<'_>,
        ) -> Result<explorer::TaskId, explorer::strategy::Divergence> {
            let t = self.0.decide(view)?;
            self.1.push(t.letter());
            Ok(t)
        }
        fn choose(&mut self, t: explorer::TaskId, n: u32) -> Result<u32, explorer::strategy::Divergence> {
            self.0.choose(t, n)
        }
        fn end(&mut self, _: &explorer::strategy::View<'_>) {
            *self.2.entry(self.1.clone()).or_default() += 1;
        }
        fn restart(&mut self) {
            self.0.restart();
        }
    }
    let mut record = Record(strategy, String::new(), std::collections::BTreeMap::new());
    explore_with(&Config::new("spread"), &mut record, model, |_| true).unwrap();
    record.2.into_values().collect()
}

#[test]
fn urw_is_uniform_over_interleavings_and_a_random_walk_is_not() {
    let n = 25_200;
    let urw = spread(Urw::new(Samples::new(3, 0..n), vec![0, 5, 5]), independent());
    assert_eq!(urw.len(), 252, "all of them");
    // Chi-square with 251 degrees of freedom: mean 251, standard deviation 22.4.
    let chi = |counts: &[u64]| counts.iter().map(|c| (*c as f64 - 100.0).powi(2) / 100.0).sum::<f64>();
    assert!(chi(&urw) < 251.0 + 5.0 * 22.4, "{}", chi(&urw));
    let random = spread(Random::new(Samples::new(3, 0..n)), independent());
    assert!(chi(&random) > 5_000.0, "{}", chi(&random));
}

#[test]
fn pos_spends_nothing_on_the_order_of_independent_steps() {
    // One task of 20 steps on its own, then a read of x; the other writes x at once. A random walk reads before the
    // write only if it goes 20 times in a row to the first task; partial-order sampling tosses a coin.
    let model = || {
        let x = Cell::new("x", 0u32);
        let late = spread_task(x);
        let writer = spawn("writer", move || x.store(1));
        late.join();
        writer.join();
    };
    fn spread_task(x: Cell<u32>) -> JoinHandle {
        spawn("late", move || {
            let own = Cell::new("own", 0u32);
            (0..20).for_each(|_| own.store(1));
            assert_eq!(x.load(), 1, "the read came first");
        })
    }
    let times = |f: Vec<Finding>| f.first().map_or(0, |f| f.executions);
    assert_eq!(times(findings(Random::new(Samples::new(5, 0..1_000)), model).1), 0);
    let pos = times(findings(Pos::new(Samples::new(5, 0..1_000)), model).1);
    assert!(pos > 20, "{pos} of 1000");
}

#[test]
fn pos_draws_again_after_a_dependent_step() {
    // A read against three writes of another task: each write comes before it with a probability of one half, anew
    // each time. If the read kept its priority it would be last in one execution of four, not of eight.
    let model = || {
        let x = Cell::new("x", 0u32);
        let writer = spawn("writer", move || (1..=3).for_each(|v| x.store(v)));
        let reader = spawn("reader", move || {
            let saw = x.load();
            explorer::report(format!("saw {saw}"), "");
        });
        writer.join();
        reader.join();
    };
    let (_, found) = findings(Pos::new(Samples::new(2, 0..8_000)), model);
    let times: Vec<u64> = found.iter().map(|f| f.executions).collect();
    for (times, expected) in times.iter().zip([4_000, 2_000, 1_000, 1_000u64]) {
        assert!(times.abs_diff(expected) < 150, "{times} times, not {expected}");
    }
}

#[test]
fn the_estimate_is_unbiased() {
    type Model = Box<dyn Fn()>;
    let cases: [(&str, u32, Model); 4] = [
        ("s1", 90, Box::new(s1(2))),
        ("s2", 452, Box::new(s2(0))),
        ("s3", 672, Box::new(s3(4))),
        ("independent", 252, Box::new(independent())),
    ];
    for (name, executions, model) in cases {
        let e = estimate(&Config::new(name), 11, 20_000, model).unwrap();
        let distance = (e.executions - f64::from(executions)).abs();
        assert!(distance < 4.0 * e.error, "{name}: {} ± {}, not {executions}", e.executions, e.error);
        assert!(e.error < 0.05 * e.executions, "{name}: {} ± {}", e.executions, e.error);
    }
    let e = estimate(&Config::new("profile"), 1, 10, independent()).unwrap();
    assert_eq!((e.probes, e.steps, e.counts), (10, 10, vec![0, 5, 5]));
}
