// SPDX-License-Identifier: GPL-2.0-only
//! Every scenario on every revision gives what its result line says, in as many executions as it pins; and the reduced
//! search breaks the same invariants as the naive one.

use std::collections::BTreeSet;

use explorer::strategy::dfs::Dfs;
use explorer::{Config, FindingKind, explore_with};
use machine::scenarios::SCENARIOS;
use vfio_pci::REVISIONS;

#[test]
fn results_are_as_their_lines_say() {
    for scenario in SCENARIOS {
        for revision in REVISIONS {
            assert!(
                scenario.expected(revision).is_some(),
                "{} says nothing of {}",
                scenario.name,
                revision.name
            );
            let run = machine::explore(scenario, revision, |_| true).unwrap();
            let wrong = run.contradictions();
            assert!(wrong.is_empty(), "{} on {}: {wrong:?}", scenario.name, revision.name);
        }
    }
}

#[test]
fn the_naive_search_agrees() {
    const CAP: u64 = 60_000;
    let mut compared = 0;
    for scenario in SCENARIOS {
        for revision in REVISIONS {
            let config = Config { max_executions: CAP, ..Config::new("naive") };
            let naive =
                explore_with(&config, &mut Dfs::new(), move || (scenario.run)(revision), |_| true).unwrap();
            let invariants = |f: &explorer::Finding| match f.kind {
                FindingKind::User => kernel_model::report::invariant_of_key(&f.key).unwrap().to_string(),
                kind => kind.to_string(),
            };
            let naive_broken: BTreeSet<String> = naive.findings.iter().map(invariants).collect();
            let run = machine::explore(scenario, revision, |_| true).unwrap();
            let broken: BTreeSet<String> = run.broken().iter().map(ToString::to_string).collect();
            assert!(naive_broken.is_subset(&broken), "{} on {}", scenario.name, revision.name);
            if naive.exhausted {
                assert_eq!(naive_broken, broken, "{} on {}", scenario.name, revision.name);
                compared += 1;
            }
        }
    }
    assert!(compared >= 10, "only {compared} scenarios were small enough for the naive search");
}

#[test]
fn names_are_unique() {
    let names: BTreeSet<_> = SCENARIOS.iter().map(|s| s.name).collect();
    assert_eq!(names.len(), SCENARIOS.len());
}
