// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sampling on many threads: each takes a part of the executions of a seed.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::rc::Rc;

use parking_lot::Mutex;

use crate::engine::with;
use crate::explore::{Config, ExploreError, Outcome, Stats, collect, execute, keep_best, prepare};
use crate::finding::Finding;
use crate::identity::{ObjectPath, preset, promotions};
use crate::strategy::Strategy;
use crate::strategy::random::Samples;

/// Executions of a shard; a shard is what a thread takes at a time.
const SHARD: u64 = 256;

/// What a shard gives.
type Shard = (Stats, BTreeMap<String, Finding>, Vec<ObjectPath>);

/// Makes the executions that `samples` names, with the strategy that `make` builds for a part of them, on `workers`
/// threads. The result does not depend on the number of workers: a round makes all executions, collects all objects
/// that must become scheduling points, and is made again if there are new ones.
///
/// # Errors
/// [`ExploreError::Model`], and whatever the strategy itself refuses, as [`ExploreError::Nondeterministic`].
#[expect(clippy::disallowed_methods, reason = "one explorer a core: the workers are no modelled tasks")]
pub fn explore_samples<S: Strategy>(
    config: &Config,
    samples: &Samples,
    workers: NonZeroUsize,
    make: impl Fn(Samples) -> S + Sync,
    model: impl Fn() + Send + Sync + Clone + 'static,
) -> Result<Outcome, ExploreError> {
    let mut visible: Vec<ObjectPath> = Vec::new();
    let mut stats = Stats { rounds: 1, ..Stats::default() };
    loop {
        let shards = samples.shards(SHARD);
        let results: Mutex<BTreeMap<usize, Result<Shard, ExploreError>>> = Mutex::new(BTreeMap::new());
        let next = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..workers.get() {
                scope.spawn(|| {
                    let model: Rc<dyn Fn()> = Rc::new(model.clone());
                    loop {
                        let i = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        let Some(shard) = shards.get(i) else { return };
                        let result = run(config, make(shard.clone()), &visible, &model);
                        results.lock().insert(i, result);
                    }
                });
            }
        });
        let mut findings = BTreeMap::new();
        let known = visible.len();
        for result in results.into_inner().into_values() {
            let (s, found, new) = result?;
            stats.executions += s.executions;
            stats.steps += s.steps;
            found.into_values().for_each(|f| keep_best(&mut findings, f));
            visible.extend(new);
        }
        visible.sort();
        visible.dedup();
        if visible.len() == known {
            let findings = findings.into_values().collect();
            return Ok(Outcome { stats, exhausted: false, findings });
        }
        stats = Stats { rounds: stats.rounds + 1, ..Stats::default() };
    }
}

/// Makes the executions of one shard.
fn run<S: Strategy>(
    config: &Config,
    mut strategy: S,
    visible: &[ObjectPath],
    model: &Rc<dyn Fn()>,
) -> Result<Shard, ExploreError> {
    let _lease = prepare(config);
    with(|e| preset(e, visible)).map_err(ExploreError::Model)?;
    let (mut stats, mut findings, mut new) = (Stats::default(), BTreeMap::new(), Vec::new());
    while strategy.begin() {
        execute(&mut strategy, model).map_err(ExploreError::Nondeterministic)?;
        if let Some(fatal) = with(|e| e.fatal.take()) {
            return Err(ExploreError::Model(fatal));
        }
        stats.executions += 1;
        stats.steps += with(|e| e.steps);
        with(|e| collect(e, config, &mut findings));
        new.extend(with(promotions));
    }
    new.sort();
    new.dedup();
    Ok((stats, findings, new))
}
