// SPDX-License-Identifier: GPL-2.0-only
//! PCI functions, their resets, peer-to-peer DMA and the IOMMU: hardware that answers honestly, and the kernel's
//! functions that drive it.
//!
//! The oracle of the simulator is here: a device access that reaches a BAR which does not decode is a finding,
//! whatever any driver's flags say (see [`function::Function::access`]).
//!
//! Reading order: [`regs`], [`spec`] (what a function is like), [`resets`] (what resets do to it), [`function`] (the
//! hardware), [`topology`] (buses), [`dev`] (`struct pci_dev`), [`access`] (config accessors), [`reset`], [`power`],
//! [`rpm`], [`resource`], [`quirks`], [`driver`], then [`p2pdma`], [`iommu`], [`dma`], and [`engine`] (a device that
//! acts).

#![forbid(unsafe_code)]

pub mod access;
pub mod dev;
pub mod dma;
pub mod driver;
pub mod engine;
pub mod function;
pub mod iommu;
pub mod p2pdma;
pub mod power;
pub mod quirks;
pub mod regs;
pub mod reset;
pub mod resets;
pub mod resource;
pub mod rpm;
pub mod spec;
pub mod topology;

pub use dev::{FunctionSpec, PciDev, pci_register_function};
pub use function::Dead;

/// Where the text of the modelled functions is, so that traces can name the function of a place.
pub const SOURCES: &[(&str, &str)] = &[
    ("pci-model/src/access.rs", include_str!("access.rs")),
    ("pci-model/src/dma.rs", include_str!("dma.rs")),
    ("pci-model/src/driver.rs", include_str!("driver.rs")),
    ("pci-model/src/p2pdma.rs", include_str!("p2pdma.rs")),
    ("pci-model/src/power.rs", include_str!("power.rs")),
    ("pci-model/src/reset.rs", include_str!("reset.rs")),
    ("pci-model/src/resource.rs", include_str!("resource.rs")),
    ("pci-model/src/rpm.rs", include_str!("rpm.rs")),
];
