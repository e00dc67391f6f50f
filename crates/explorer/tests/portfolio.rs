// SPDX-License-Identifier: MIT OR Apache-2.0
//! The escalation through strategies: what ends it, what it reports, and what it finds that one strategy misses.

mod models;

use std::cell::Cell as Plain;
use std::time::Duration;

use explorer::sync::{Cell, Mutex};
use explorer::{Budget, Config, JoinHandle, Stage, portfolio, spawn};
use models::{s1, s2, s3};

fn budget(executions: u64) -> Budget<'static> {
    Budget { executions, time: None, seed: 1 }
}

#[test]
fn what_can_be_exhausted_is_and_that_ends_it() {
    let r = portfolio(&Config::new("s2"), budget(1_000), s2(1)).unwrap();
    assert!(r.exhausted && r.findings.is_empty() && r.estimate.is_none());
    assert_eq!((r.stages.len(), r.stages[0].stage, r.stages[0].stats.executions), (1, Stage::Dpor, 22));
    assert!(r.to_string().ends_with("everything is explored\n"), "{r}");
}

#[test]
fn otherwise_every_stage_has_its_share_and_the_report_says_how_far_it_came() {
    let r = portfolio(&Config::new("s1"), budget(2_000), s1(5)).unwrap();
    assert!(!r.exhausted);
    let stages: Vec<_> = r.stages.iter().map(|s| s.stage).collect();
    let all = [
        Stage::Dpor,
        Stage::Bounded(0),
        Stage::Bounded(1),
        Stage::Bounded(2),
        Stage::Random,
        Stage::Pct(1),
        Stage::Pct(2),
        Stage::Pct(3),
        Stage::Pos,
        Stage::Urw,
    ];
    assert_eq!(stages, all);
    let total: u64 = r.stages.iter().map(|s| s.stats.executions + s.stats.sleep_blocked).sum();
    let estimate = r.estimate.as_ref().unwrap();
    assert_eq!((total, estimate.probes), (2_000, r.stages[4].stats.executions));
    assert_eq!(r.stages[0].stats.executions, 1_000);
    assert_eq!((r.stages[1].exhausted, r.stages[1].stats.executions), (true, 6), "six orders of three tasks");
    // 15! / 5!^3 interleavings.
    assert!((estimate.executions - 756_756.0).abs() < 4.0 * estimate.error, "{r}");
    assert_eq!((estimate.steps, &estimate.counts[..]), (15, &[0, 5, 5, 5][..]));
    let text = r.to_string();
    assert!(text.contains("DPOR: 1000 executions, not exhausted, 0 new findings\n"), "{text}");
    assert!(text.ends_with("not everything is explored\n"), "{text}");
    let again = portfolio(&Config::new("s1"), budget(2_000), s1(5)).unwrap();
    assert_eq!(again.to_string(), text);
}

/// A deadlock between the first and the last task, behind more interleavings of others than DPOR gets to see.
fn needle() {
    let (a, b) = (Mutex::new("a"), Mutex::new("b"));
    let noise = Cell::new("noise", 0u32);
    let mut tasks = vec![spawn("ab", move || {
        a.lock();
        b.lock();
        b.unlock();
        a.unlock();
    })];
    tasks.extend((0..4).map(|_| spawn("noise", move || (0..6).for_each(|_| noise.store(1)))));
    tasks.push(spawn("ba", move || {
        b.lock();
        a.lock();
        a.unlock();
        b.unlock();
    }));
    tasks.into_iter().for_each(JoinHandle::join);
}

#[test]
fn a_later_stage_finds_what_an_earlier_one_did_not_reach() {
    let config = Config { minimise: 500, ..Config::new("needle") };
    let r = portfolio(&config, budget(4_000), needle).unwrap();
    assert_eq!((r.stages[0].new, r.stages[0].exhausted), (0, false), "{r}");
    assert_eq!(r.findings.len(), 1);
    assert_eq!((r.findings[0].schedule.switches(), r.findings[0].schedule.steps()), (1, 2), "{r}");
    let first = Config { stop_at_first: true, ..config };
    let r = portfolio(&first, budget(4_000), needle).unwrap();
    assert_eq!(r.stages.last().map(|s| s.new), Some(1));
    assert!(r.stages.len() < 10);
}

#[test]
fn tiny_budgets_are_kept() {
    let r = portfolio(&Config::new("s3"), budget(4), s3(2)).unwrap();
    let total: u64 = r.stages.iter().map(|s| s.stats.executions).sum();
    assert!(!r.exhausted && total <= 4, "{r}");
    let one = || {
        let x = Cell::new("x", 0u32);
        let t = spawn("only", move || x.store(1));
        t.join();
    };
    let r = portfolio(&Config::new("one"), budget(1), one).unwrap();
    assert!(!r.exhausted && r.stages.len() <= 1, "{r}");
}

#[test]
fn time_is_the_callers() {
    // A clock that advances by a millisecond each time that it is looked at.
    let now = Plain::new(0u64);
    let clock = || {
        now.set(now.get() + 1);
        Duration::from_millis(now.get())
    };
    let budget = Budget { executions: u64::MAX, time: Some((Duration::from_millis(1_000), &clock)), seed: 1 };
    let r = portfolio(&Config::new("s1"), budget, s1(5)).unwrap();
    assert_eq!(r.stages.len(), 10, "{r}");
    let total: u64 = r.stages.iter().map(|s| s.stats.executions).sum();
    assert!((900..1_010).contains(&total), "{total}\n{r}");
    let dpor = r.stages[0].stats.executions;
    assert!((450..=500).contains(&dpor), "{dpor}");
}
