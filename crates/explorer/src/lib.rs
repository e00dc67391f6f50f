// SPDX-License-Identifier: MIT OR Apache-2.0
//! A controlled scheduler and exhaustive explorer for programs built on blocking primitives.

mod api;
mod birth;
mod clock;
mod deadlock;
pub mod distribute;
mod effect;
mod engine;
mod estimate;
mod explore;
mod finding;
mod fingerprint;
mod identity;
mod minimise;
mod op;
mod portfolio;
mod race;
pub mod rng;
mod schedule;
pub mod strategy;
pub mod sync;
mod task;
mod trace;

pub use api::*;
pub use effect::{Effect, perform, perform_quietly, release};
pub use engine::{Mode, SyncEvent};
pub use estimate::{Estimate, estimate};
pub use explore::{Config, ExploreError, Outcome, Progress, Replayed, Stats, explore, explore_with, replay};
pub use finding::{Finding, FindingKind};
pub use minimise::{Merit, Minimised, minimise};
pub use op::{MAX_TASKS, Object, ObjectClass, Op, OpInfo, State, TaskId, TaskSet, kinds};
pub use portfolio::{Budget, Clock, PortfolioReport, Stage, StageReport, portfolio};
pub use schedule::{Decision, Schedule, ScheduleError, model_hash};
pub use trace::{EventKind, Trace, TraceEvent};
