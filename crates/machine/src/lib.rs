// SPDX-License-Identifier: GPL-2.0-only
//! The world: the only place where driver, importers and hardware meet.
//!
//! Reading order: [`world`] (what there is), [`acts`] (what users and importers do), [`scenario`] (tasks made of acts,
//! with the result that is expected), [`invariants`] (what must hold), [`review`] (running them), [`columns`] (showing
//! what happened).
//!
//! ```
//! use machine::{review, scenarios};
//!
//! let scenario = scenarios::find("command-memory-against-map").unwrap();
//! let revision = vfio_pci::find_revision("v7_3").unwrap();
//! let run = review::explore(scenario, revision, |_| true).unwrap();
//! assert!(run.exhausted && run.findings.is_empty());
//! ```

#![forbid(unsafe_code)]

pub mod acts;
pub mod columns;
pub mod invariants;
pub mod review;
pub mod scenario;
pub mod scenarios;
pub mod symbols;
pub mod world;

pub use review::{Run, explore, replay};
pub use scenario::{Expected, Scenario};
