// SPDX-License-Identifier: MIT OR Apache-2.0
//! One exploration on many threads, processes or machines; and interruption without loss.
//!
//! The guarantee: the result (distinct executions, findings with their best schedules, every counter) is a function of
//! the model and the configuration. It does not depend on the number of workers, on their speed, nor on how often the
//! exploration was interrupted.
//!
//! The mechanism: what is not explored yet is a tree of **units**, each a prefix with the alternatives known at its
//! nodes. Running a unit ([`run_unit`]) is a pure function: an engine that knows nothing of other units explores
//! what lies below the prefix, up to a budget of executions, and gives a **result**: findings, counters, the
//! alternatives that its races ask for above the prefix, and the alternatives that it left. An [`Exploration`]
//! deals out units in generations; when all of a generation have come back, their results are merged in the order
//! of the tree, never in the order of arrival. Merging a result a second time changes nothing, for its unit is no
//! longer there.
//!
//! When an execution shows that an object must become a scheduling point, the tree is dropped and a new round begins,
//! as in [`crate::explore()`].
//!
//! # On many machines
//!
//! [`Exploration`], [`Unit`] and [`UnitResult`] have a written form, JSON lines ([`mod@format`]): one line a unit,
//! so that an array job of an existing batch system can run unit i from line i of a file.
//!
//! ```text
//! split     Exploration::new, split(n)   ->  exploration.jsonl, units.jsonl (n lines)
//! run i     Unit::parse(line i), run_unit ->  result-i.jsonl
//! merge     Exploration::merge           ->  exploration.jsonl; again while it is not finished
//! ```

mod exploration;
pub mod format;
mod samples;
mod tree;
mod unit;
mod workers;

pub use exploration::{Exploration, Merged};
pub use format::FormatError;
pub use samples::explore_samples;
pub use unit::{Unit, UnitResult, run_unit};

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;

use crate::explore::{Config, ExploreError, Outcome};

/// Explores `model` exhaustively on `workers` threads. As [`crate::explore()`], but each thread runs its own clone of
/// the model.
///
/// # Errors
/// [`ExploreError::Nondeterministic`] and [`ExploreError::Model`].
pub fn explore_parallel(
    config: &Config,
    workers: NonZeroUsize,
    model: impl Fn() + Send + Sync + Clone + 'static,
) -> Result<Outcome, ExploreError> {
    let mut exploration = Exploration::new(config);
    exploration.run(config, workers, &AtomicBool::new(false), model)?;
    Ok(exploration.outcome())
}
