// SPDX-License-Identifier: MIT OR Apache-2.0
//! What one acquisition costs, in nanoseconds, for the cases that a modelled program runs through all the time.
//!
//! Prints one line per case: the smallest of several rounds, which is the one least disturbed by the machine.

#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "a benchmark measures time")]

use lockdep::{Acquire, ClassSpec, Config, Lock, LockId, Site, TaskId, Validator};
use std::hint::black_box;
use std::time::Instant;

const ROUNDS: u32 = 15;
const REPEATS: u32 = 20_000;
const SITE: Site = Site::function("bench");

/// A validator with `n` mutexes of `n` classes and one task.
fn rig(n: u64) -> (Validator, Vec<Lock>, TaskId) {
    let mut ld = Validator::new(Config::default());
    let lock = |i: u64, ld: &mut Validator| {
        let name = format!("&object->lock_{i}");
        Lock::new(LockId(0x1000 + i), ld.key(&ClassSpec::mutex(&name)))
    };
    let locks = (0..n).map(|i| lock(i, &mut ld)).collect();
    let task = ld.add_task("bench", 1);
    (ld, locks, task)
}

/// Runs `body` often and prints what each of its `ops` operations took.
fn measure(name: &str, ops: u32, mut body: impl FnMut()) {
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..REPEATS {
            body();
        }
        let ns = start.elapsed().as_secs_f64() * 1e9 / f64::from(REPEATS) / f64::from(ops);
        best = best.min(ns);
    }
    println!("{name:<58} {best:8.1} ns");
}

/// Takes all locks in order and releases them innermost first.
fn stack(ld: &mut Validator, task: TaskId, locks: &[Lock]) {
    for lock in locks {
        black_box(ld.acquire(task, &Acquire::write(*lock, SITE)));
    }
    for lock in locks.iter().rev() {
        black_box(ld.release(task, *lock, SITE));
    }
}

fn main() {
    for depth in [1_usize, 3, 6, 12] {
        let (mut ld, locks, task) = rig(64);
        let name = format!("acquire + release, known order, depth {depth}");
        measure(&name, depth as u32, || stack(&mut ld, task, &locks[..depth]));
    }

    let (mut ld, locks, task) = rig(3);
    measure("acquire + release, innermost not first out, depth 3", 3, || {
        for lock in &locks {
            black_box(ld.acquire(task, &Acquire::write(*lock, SITE)));
        }
        for lock in &locks {
            black_box(ld.release(task, *lock, SITE));
        }
    });

    let (mut ld, locks, _) = rig(8);
    measure("a whole run: begin, 2 tasks, 8 new classes deep, per lock", 16, || {
        ld.begin_run();
        let (a, b) = (ld.add_task("a", 1), ld.add_task("b", 2));
        stack(&mut ld, a, &locks);
        stack(&mut ld, b, &locks);
    });

    let (mut ld, locks, _) = rig(60);
    measure("a whole run: 59 new dependencies, each with its search, per lock", 60, || {
        ld.begin_run();
        let task = ld.add_task("a", 1);
        for pair in locks.windows(2).rev() {
            stack(&mut ld, task, pair);
        }
    });

    let (mut ld, locks, task) = rig(8);
    stack(&mut ld, task, &locks);
    let mut all = ld.graph().clone();
    measure("merge of a known graph of 8 classes, 7 dependencies", 1, || all.merge(black_box(ld.graph())));

    let (mut ld, locks, task) = rig(3);
    for lock in &locks {
        ld.acquire(task, &Acquire::write(*lock, SITE));
    }
    measure("assert_held_write, outermost of 3 held", 1, || {
        black_box(ld.assert_held_write(task, locks[0], SITE));
    });
    measure("assert_held_write, innermost of 3 held", 1, || {
        black_box(ld.assert_held_write(task, locks[2], SITE));
    });
}
