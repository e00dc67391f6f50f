// SPDX-License-Identifier: MIT OR Apache-2.0
//! Many workers, many machines, interruptions: the result is always the same.

mod models;
mod program;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use explorer::distribute::{
    Exploration, Merged, Unit, UnitResult, explore_parallel, explore_samples, run_unit,
};
use explorer::strategy::pos::Pos;
use explorer::strategy::random::{Random, Samples};
use explorer::strategy::urw::Urw;
use explorer::{Config, ExploreError, Finding, Outcome, explore};
use models::{readers, s1, s2, s3};

fn workers(n: usize) -> NonZeroUsize {
    NonZeroUsize::new(n).expect("not 0")
}

/// Explores with 1, 2 and 3 workers and compares everything; and with one search what a cut tree may not change.
#[track_caller]
fn same(name: &str, model: impl Fn() + Send + Sync + Clone + 'static) -> Outcome {
    let config = Config::new(name);
    let alone = explore(&config, model.clone()).unwrap();
    let outs = [1, 2, 3].map(|n| explore_parallel(&config, workers(n), model.clone()).unwrap());
    let all = |o: &Outcome| (o.stats, o.exhausted, o.findings.clone());
    assert_eq!(all(&outs[0]), all(&outs[1]), "{name}");
    assert_eq!(all(&outs[0]), all(&outs[2]), "{name}");
    assert!(outs[0].exhausted);
    assert_eq!(outs[0].stats.executions, alone.stats.executions, "{name}");
    let keys = |o: &Outcome| o.findings.iter().map(|f| f.key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(&outs[0]), keys(&alone), "{name}");
    let [out, ..] = outs;
    out
}

#[test]
fn the_result_does_not_depend_on_the_number_of_workers() {
    for (k, n) in [(1, 6), (2, 90), (3, 1_680), (4, 34_650)] {
        assert_eq!(same("s1", s1(k)).stats.executions, n);
    }
    for (more, n) in [(0, 6), (1, 22), (2, 55)] {
        assert_eq!(same("s2", s2(more)).stats.executions, n);
    }
    for n in [2, 4, 8] {
        assert_eq!(same("s3", s3(n)).stats.executions, 3);
    }
    for n in [1, 2, 5, 10] {
        assert_eq!(same("readers", readers(n)).stats.executions, 1 << n);
    }
}

#[test]
fn nor_on_random_programs() {
    let (mut executions, mut blocked, mut alone) = (0, 0, 0);
    for seed in 0..200 {
        let program = |seed| move || program::Program::random(seed).run();
        let config = Config { max_executions: 3_000, ..Config::new("random") };
        let one = explore(&config, program(seed)).unwrap();
        if !one.exhausted {
            continue;
        }
        let out = same(&format!("seed {seed}"), program(seed));
        executions += out.stats.executions;
        blocked += out.stats.sleep_blocked;
        alone += one.stats.sleep_blocked;
    }
    println!("{executions} executions, {blocked} sleep-blocked, {alone} in one search");
    assert!(executions > 5_000, "{executions}");
    // Two units may ask for different alternatives where a single search would have seen that one serves both.
    assert!(blocked <= alone + alone / 5, "{blocked} of {executions} sleep-blocked, {alone} in one search");
}

#[test]
fn an_interrupted_exploration_goes_on_from_its_written_form() {
    let config = Config::new("s1");
    let whole = explore_parallel(&config, workers(2), s1(4)).unwrap();
    for every in [1_500, 5_000] {
        let mut exploration = Exploration::new(&config);
        let mut interruptions = 0;
        while !exploration.is_finished() {
            let stop = Arc::new(AtomicBool::new(false));
            let made = Arc::new(AtomicU64::new(0));
            let (flag, model) = (Arc::clone(&stop), s1(4));
            let counted = move || {
                if made.fetch_add(1, Ordering::Relaxed) == every {
                    flag.store(true, Ordering::Relaxed);
                }
                model();
            };
            exploration.run(&config, workers(2), &stop, counted).unwrap();
            interruptions += 1;
            assert!(interruptions < 200, "it does not come to an end");
            let text = exploration.to_string();
            let read = Exploration::parse(&text).unwrap();
            assert_eq!(read, exploration);
            exploration = read;
        }
        assert!(interruptions > 3, "{interruptions}");
        let out = exploration.outcome();
        assert_eq!((out.stats, &out.findings), (whole.stats, &whole.findings));
    }
}

#[test]
fn limits_of_the_configuration_end_a_run_that_can_go_on() {
    let config = Config { max_executions: 2_000, ..Config::new("s1") };
    let mut exploration = Exploration::new(&config);
    exploration.run(&config, workers(2), &AtomicBool::new(false), s1(4)).unwrap();
    let n = exploration.outcome().stats.executions;
    assert!((2_000..34_650).contains(&n) && !exploration.outcome().exhausted);
    exploration.run(&Config::new("s1"), workers(2), &AtomicBool::new(false), s1(4)).unwrap();
    assert_eq!(exploration.outcome().stats.executions, 34_650);

    let config = Config { stop_at_first: true, ..Config::new("s3") };
    let out = explore_parallel(&config, workers(2), s3(4)).unwrap();
    assert_eq!((out.findings.len(), out.exhausted), (1, false));
}

/// Runs an exploration as an array job would: units and results only meet as text. `shuffle` disturbs the order of
/// arrival and brings some results twice.
fn on_many_machines(config: &Config, shuffle: bool, model: impl Fn() + Clone + 'static) -> (Outcome, usize) {
    let mut exploration = Exploration::new(config);
    let mut rounds = 0;
    while !exploration.is_finished() {
        exploration.split(config, 8, model.clone()).unwrap();
        let file: Vec<String> = exploration.units(200).iter().map(Unit::to_line).collect();
        let mut results: Vec<String> = Vec::new();
        for (i, line) in file.iter().enumerate() {
            let unit = Unit::parse(i + 1, line).unwrap();
            assert_eq!(unit.to_line(), *line);
            let result = run_unit(config, &unit, model.clone()).unwrap();
            results.push(result.to_line());
        }
        if shuffle {
            results.reverse();
            results.extend_from_within(..results.len() / 2);
        }
        let text = results.join("\n");
        let (results, bad) = UnitResult::parse_all(&text);
        assert_eq!((results.len(), bad.len()), (text.lines().count(), 0));
        exploration = Exploration::parse(&exploration.to_string()).unwrap();
        let merged = exploration.merge(results.clone());
        let unique = file.len();
        if !shuffle {
            assert_eq!(merged, Merged { merged: unique, ignored: 0 });
        }
        let again = exploration.clone();
        assert_eq!(exploration.merge(results).merged, 0, "a second time it does nothing");
        assert_eq!(exploration, again);
        rounds += 1;
    }
    (exploration.outcome(), rounds)
}

#[test]
fn units_and_results_travel_as_text() {
    for shuffle in [false, true] {
        let (out, rounds) = on_many_machines(&Config::new("s1"), shuffle, s1(3));
        assert_eq!((out.stats.executions, out.findings.len()), (1_680, 0));
        assert!(rounds > 1, "{rounds}");
        let (out, _) = on_many_machines(&Config::new("s3"), shuffle, s3(4));
        assert_eq!((out.stats.executions, out.findings.len()), (3, 1));
    }
    let all = |o: Outcome| (o.stats, o.findings);
    let one = |shuffle, seed| {
        on_many_machines(&Config::new("r"), shuffle, move || program::Program::random(seed).run()).0
    };
    let small = |seed: &u64| {
        let (config, seed) = (Config { max_executions: 400, ..Config::new("r") }, *seed);
        explore(&config, move || program::Program::random(seed).run()).unwrap().exhausted
    };
    for seed in (0..60).filter(small).take(25) {
        assert_eq!(all(one(false, seed)), all(one(true, seed)), "seed {seed}");
    }
}

#[test]
fn a_lost_unit_is_noticed() {
    let config = Config::new("s1");
    let mut exploration = Exploration::new(&config);
    exploration.split(&config, 4, s1(3)).unwrap();
    let units = exploration.units(u64::MAX);
    let results = units[1..].iter().map(|u| run_unit(&config, u, s1(3)).unwrap()).collect();
    exploration.merge(results);
    assert!(!exploration.is_finished());
    exploration.run(&config, workers(1), &AtomicBool::new(false), s1(3)).unwrap();
    assert_eq!(exploration.outcome().stats.executions, 1_680);
}

#[test]
fn damaged_files_are_refused_with_the_line_and_what_was_expected() {
    let config = Config::new("s3");
    let mut exploration = Exploration::new(&config);
    exploration.split(&config, 1, s3(2)).unwrap();
    let mut exploration = {
        let results = exploration.units(1).iter().map(|u| run_unit(&config, u, s3(2)).unwrap()).collect();
        exploration.merge(results);
        exploration
    };
    let text = exploration.to_string();
    let lines: Vec<&str> = text.lines().collect();
    let error = |text: &str| Exploration::parse(text).unwrap_err().to_string();

    assert_eq!(error(""), "line 1: expected the first line of an exploration, found the end of the file");
    assert!(error("hello").starts_with("line 1: expected a JSON object ("), "{}", error("hello"));
    let short = lines[..lines.len() - 1].join("\n");
    assert!(error(&short).contains("found the end of the file"), "{}", error(&short));
    let long = format!("{text}x\n");
    assert!(error(&long).ends_with("expected the end of the file, found `x`"), "{}", error(&long));
    // Every changed byte of every line is noticed.
    for (n, line) in lines.iter().enumerate() {
        for at in (0..line.len()).step_by(7) {
            let mut bytes = line.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'7' { b'8' } else { b'7' };
            let mut all = lines.clone();
            let damaged = String::from_utf8_lossy(&bytes).to_string();
            all[n] = &damaged;
            let e = Exploration::parse(&all.join("\n")).unwrap_err();
            assert_eq!(e.line, n + 1, "{e}");
        }
    }
    let unit = &exploration.units(1)[0];
    assert!(exploration.clone().merge(vec![run_unit(&config, unit, s3(2)).unwrap()]).merged == 1);

    // Of results, those that can be read are kept.
    let good = run_unit(&config, unit, s3(2)).unwrap().to_line();
    let (results, bad) = UnitResult::parse_all(&format!("{good}\n{}\n", &good[..good.len() / 2]));
    assert_eq!((results.len(), bad.len(), bad[0].line), (1, 1, 2));
    assert_eq!(exploration.merge(results).merged, 1);
}

#[test]
fn units_of_another_model_are_refused() {
    let config = Config::new("s3");
    let mut exploration = Exploration::new(&config);
    exploration.split(&config, 1, s3(2)).unwrap();
    let unit = exploration.units(9).remove(0);
    let other = Config::new("other");
    assert!(matches!(run_unit(&other, &unit, s3(2)), Err(ExploreError::OtherModel(..))));
    // The same name, but another program: the prefix does not fit.
    let mut exploration = Exploration::new(&config);
    let results = exploration.units(1).iter().map(|u| run_unit(&config, u, s3(4)).unwrap()).collect();
    exploration.merge(results);
    let unit = exploration.units(9).remove(0);
    let error = run_unit(&config, &unit, readers(1)).unwrap_err();
    assert!(matches!(error, ExploreError::Diverged(_)), "{error}");
}

#[test]
fn errors_of_the_model_end_all_workers_and_keep_what_was_done() {
    let config = Config::new("s1");
    let mut exploration = Exploration::new(&config);
    let made = Arc::new(AtomicU64::new(0));
    let model = s1(4);
    let error = exploration.run(&config, workers(2), &AtomicBool::new(false), move || {
        if made.fetch_add(1, Ordering::Relaxed) > 10_000 {
            (0..100).for_each(|_| {
                let _ = explorer::spawn("one more", || {});
            });
        }
        model();
    });
    assert!(error.unwrap_err().to_string().contains("at most 53"));
    let text = exploration.to_string();
    assert!(text.matches("\"is\":\"result\"").count() > 2, "units that were done");
    exploration.run(&config, workers(1), &AtomicBool::new(false), s1(4)).unwrap();
    assert_eq!(exploration.outcome().stats.executions, 34_650);
}

#[test]
fn samples_can_be_shared_out() {
    for seed in 0..20 {
        let model = move || program::Program::random(seed).run();
        let config = Config { report_data_races: true, ..Config::new("samples") };
        let samples = Samples::new(seed, 0..700);
        let run = |n| {
            let out = [
                explore_samples(&config, &samples, workers(n), Random::new, model).unwrap(),
                explore_samples(&config, &samples, workers(n), Pos::new, model).unwrap(),
                explore_samples(&config, &samples, workers(n), |s| Urw::new(s, vec![0, 5, 5]), model)
                    .unwrap(),
            ];
            out.map(|o| (o.stats, o.findings))
        };
        let one = run(1);
        assert!(one.iter().all(|o| o.0.executions == 700));
        assert_eq!(one, run(2), "seed {seed}");
        assert_eq!(one, run(3), "seed {seed}");
    }
}

#[test]
fn findings_are_the_same_value_wherever_they_come_from() {
    let found: Mutex<Vec<Finding>> = Mutex::new(Vec::new());
    for n in [1, 3] {
        found
            .lock()
            .unwrap()
            .extend(explore_parallel(&Config::new("s3"), workers(n), s3(8)).unwrap().findings);
    }
    let found = found.into_inner().unwrap();
    assert_eq!((found.len(), &found[0]), (2, &found[1]));
}
