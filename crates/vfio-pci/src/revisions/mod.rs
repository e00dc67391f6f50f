// SPDX-License-Identifier: GPL-2.0-only
//! The revisions: a folder each.
//!
//! **Architecture invariant:** a revision never imports another, and its code never asks which revision it is.

pub mod leon_v0;
pub mod v7_3;
