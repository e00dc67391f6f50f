// SPDX-License-Identifier: GPL-2.0-only
//! Everything that attaches to a dma-buf.
//!
//! Kernel dialect: C names, C order, explicit locks.

#![forbid(unsafe_code)]

pub mod peer;

pub use peer::{OnInvalidate, PeerImporter};

/// Where the text of the modelled functions is, so that traces can name the function of a place.
pub const SOURCES: &[(&str, &str)] = &[("importers/src/peer.rs", include_str!("peer.rs"))];
