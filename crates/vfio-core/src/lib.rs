// SPDX-License-Identifier: GPL-2.0-only
//! drivers/vfio: devices, their registration, feature checks.
//!
//! Kernel dialect: C names, C order, explicit locks.

#![forbid(unsafe_code)]

pub mod vfio_main;

/// Everything that drivers call, under its C name.
pub mod prelude {
    pub use crate::vfio_main::*;
}

/// Where the text of the modelled functions is, so that traces can name the function of a place.
pub const SOURCES: &[(&str, &str)] = &[("vfio-core/src/vfio_main.rs", include_str!("vfio_main.rs"))];
