// SPDX-License-Identifier: MIT OR Apache-2.0
//! The validator against the definition: an inversion is reported exactly when some simple cycle is strong.
//!
//! The oracle keeps no graph of its own making: it lists dependencies by the rule of the design document, tries every
//! simple cycle of classes with every choice of kinds, and asks of each neighbouring pair whether it is strong.

use lockdep::{Acquire, ClassSpec, Config, DepKind, Lock, LockId, Mode, Report, Site, Validator};
use proptest::prelude::*;
use std::collections::BTreeSet;

const CLASSES: usize = 5;

type Take = (usize, Mode);
type Dependency = (usize, DepKind, usize);

/// Stacks of distinct classes.
fn stacks() -> impl Strategy<Value = Vec<Vec<Take>>> {
    let mode = prop_oneof![Just(Mode::Write), Just(Mode::Read), Just(Mode::RecursiveRead)];
    let classes = Just((0..CLASSES).collect::<Vec<_>>()).prop_shuffle();
    let stack = (classes, prop::collection::vec(mode, 2..=3));
    let stack = stack.prop_map(|(classes, modes)| classes.into_iter().zip(modes).collect());
    prop::collection::vec(stack, 1..7)
}

/// What was held when something was taken: all of it, or the innermost alone.
fn dependencies(stacks: &[Vec<Take>], all_held: bool) -> BTreeSet<Dependency> {
    let mut deps = BTreeSet::new();
    for stack in stacks {
        for (depth, (taken, mode)) in stack.iter().enumerate() {
            let first = if all_held { 0 } else { depth.saturating_sub(1) };
            for (held, held_mode) in &stack[first..depth] {
                deps.insert((*held, DepKind::of(*held_mode, *mode), *taken));
            }
        }
    }
    deps
}

/// Extends a simple path in every way and asks whether some closed one is strong all the way round.
fn some_strong_cycle(deps: &BTreeSet<Dependency>, path: &mut Vec<Dependency>) -> bool {
    let (start, end) = (path[0].0, path[path.len() - 1].2);
    if start == end {
        let around = path.iter().zip(path.iter().cycle().skip(1));
        return around.into_iter().all(|(a, b)| a.1.is_strong_before(b.1));
    }
    deps.iter().filter(|d| d.0 == end).any(|next| {
        let repeats = next.2 != start && path.iter().any(|d| d.0 == next.2 || d.2 == next.2);
        if repeats {
            return false;
        }
        path.push(*next);
        let found = some_strong_cycle(deps, path);
        path.pop();
        found
    })
}

fn oracle(deps: &BTreeSet<Dependency>) -> bool {
    deps.iter().any(|first| some_strong_cycle(deps, &mut vec![*first]))
}

fn reports(stacks: &[Vec<Take>], past_recursive_readers: bool) -> bool {
    let mut ld = Validator::new(Config { past_recursive_readers, ..Config::default() });
    let task = ld.add_task("task", 1);
    let site = Site::function("oracle");
    for stack in stacks {
        let mut held = Vec::new();
        for (class, mode) in stack {
            let key = ld.key(&ClassSpec::rwsem(&format!("class {class}")));
            let lock = Lock::new(LockId(*class as u64), key);
            ld.acquire(task, &Acquire::new(lock, *mode, site));
            held.push(lock);
        }
        held.into_iter().rev().for_each(|lock| _ = ld.release(task, lock, site));
    }
    ld.reports().iter().any(|r| matches!(r, Report::Circular { .. }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_report_is_a_strong_cycle_of_recorded_dependencies(stacks in stacks()) {
        prop_assert_eq!(reports(&stacks, false), oracle(&dependencies(&stacks, false)));
    }

    /// With the option, also as the design document counts dependencies: from everything that is held.
    #[test]
    fn past_recursive_readers_nothing_that_was_held_is_missed(stacks in stacks()) {
        prop_assert_eq!(reports(&stacks, true), oracle(&dependencies(&stacks, true)));
    }
}
