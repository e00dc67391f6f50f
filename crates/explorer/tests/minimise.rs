// SPDX-License-Identifier: MIT OR Apache-2.0
//! Schedules made simpler: how far, how fast, and that the result still shows the finding.

mod models;
mod program;

use explorer::strategy::random::{Random, Samples};
use explorer::sync::{Cell, Mutex};
use explorer::{Config, Finding, JoinHandle, Schedule, choose, explore_with, minimise, replay, spawn};
use models::s3;

/// The worst schedule of the first finding that random walks meet.
fn random_finding(config: &Config, seed: u64, model: impl Fn() + 'static) -> Finding {
    let config = Config { stop_at_first: true, ..config.clone() };
    let mut random = Random::new(Samples::new(seed, 0..10_000));
    explore_with(&config, &mut random, model, |_| true).unwrap().findings.remove(0)
}

#[test]
fn a_deadlock_needs_one_preemption() {
    let config = Config::new("s3");
    for seed in 0..20 {
        let f = random_finding(&config, seed, s3(8));
        let min = minimise(&config, &f, 1_000, s3(8)).unwrap();
        let merit = min.merit.unwrap();
        assert_eq!(
            (merit.tasks, merit.preemptions, merit.switches, merit.steps),
            (2, 1, 1, 18),
            "seed {seed}"
        );
        assert!(min.executions < 200, "{}", min.executions);
        let again = replay(&config, &min.finding.schedule, false, s3(8)).unwrap();
        assert_eq!(again.findings[0].key, f.key);
        assert_eq!(again.preemptions, 1);
    }
}

/// An update is lost between two tasks; three more tasks and a choice have nothing to do with it.
fn noisy() {
    let (x, m) = (Cell::new("x", 0u32), Mutex::new("m"));
    let mut tasks: Vec<_> = (0..3)
        .map(|_| {
            spawn("noise", move || {
                let own = Cell::new("own", 0u32);
                for _ in 0..10 {
                    m.lock();
                    own.store(choose(3));
                    m.unlock();
                }
            })
        })
        .collect();
    tasks.extend((0..2).map(|_| {
        spawn("worker", move || {
            let old = x.load();
            x.store(old + 1);
            if choose(2) == 0 {
                explorer::report("early", "reported before the end");
            }
        })
    }));
    tasks.into_iter().for_each(JoinHandle::join);
    assert_eq!(x.load(), 2, "an update was lost");
}

#[test]
fn what_has_nothing_to_do_with_it_goes() {
    let config = Config::new("noisy");
    let mut random = Random::new(Samples::new(1, 0..200));
    let found = explore_with(&config, &mut random, noisy, |_| true).unwrap().findings;
    let lost = found.iter().find(|f| f.message.contains("lost")).unwrap();
    let min = minimise(&config, lost, 5_000, noisy).unwrap();
    let merit = min.merit.unwrap();
    // The noise has to run to its end, since the root joins it; but nobody is preempted for it.
    assert_eq!((merit.preemptions, merit.steps), (1, 64));
    assert!(merit.switches <= 6, "{}", min.finding.schedule);
    assert!(lost.schedule.switches() > 15);

    // The other finding does not need them at all: it is reported before anybody waits for them.
    let early = found.iter().find(|f| f.key == "early").unwrap();
    let min = minimise(&config, early, 5_000, noisy).unwrap();
    let merit = min.merit.unwrap();
    assert_eq!((merit.tasks, merit.preemptions, merit.switches, merit.steps), (1, 0, 0, 2));
    assert_eq!(min.finding.executions, early.executions, "the count of the search stays");
}

#[test]
fn the_limit_holds_and_the_result_is_the_same_each_time() {
    let config = Config::new("s3");
    let f = random_finding(&config, 3, s3(8));
    for limit in [0, 1, 2, 7, 50] {
        let min = minimise(&config, &f, limit, s3(8)).unwrap();
        // The first execution is always made, and an improvement is checked by one more.
        assert!(min.executions <= limit.max(1) + 1, "{} of {limit}", min.executions);
        assert_eq!(min, minimise(&config, &f, limit, s3(8)).unwrap());
    }
}

#[test]
fn a_finding_that_does_not_reproduce_stays_as_it_was() {
    let config = Config::new("s3");
    let mut f = random_finding(&config, 3, s3(2));
    f.schedule = Schedule::parse(&format!("v1:{:08x}:zz", f.schedule.model)).unwrap();
    let min = minimise(&config, &f, 100, s3(2)).unwrap();
    assert_eq!((min.finding, min.merit, min.executions), (f, None, 1));
}

#[test]
fn minimised_findings_of_random_programs_still_show() {
    let config = Config { max_executions: 50, ..Config::new("random") };
    let mut minimised = 0;
    for seed in 0..150 {
        let program = program::Program::random(seed);
        let model = move || program.run();
        let mut random = Random::new(Samples::new(seed, 0..20));
        let found = explore_with(&config, &mut random, model.clone(), |_| true).unwrap().findings;
        for f in found.iter().take(3) {
            let min = minimise(&config, f, 300, model.clone()).unwrap();
            let merit = min.merit.expect("it reproduces");
            let before = replay(&config, &f.schedule, false, model.clone()).unwrap();
            assert!(merit.preemptions <= before.preemptions, "seed {seed}: {}", f.key);
            let again = replay(&config, &min.finding.schedule, false, model.clone()).unwrap();
            assert!(again.findings.iter().any(|g| g.key == f.key), "seed {seed}: {}", f.key);
            minimised += 1;
        }
    }
    assert!(minimised > 300, "{minimised}");
}

#[test]
fn an_exploration_minimises_when_asked() {
    let config = Config { minimise: 500, ..Config::new("s3") };
    let out = explorer::explore(&config, s3(4)).unwrap();
    assert_eq!((out.findings[0].schedule.switches(), out.stats.executions), (1, 3));
}
