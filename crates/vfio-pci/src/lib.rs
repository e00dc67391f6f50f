// SPDX-License-Identifier: GPL-2.0-only
//! drivers/vfio/pci: the code under study.
//!
//! A revision is a folder below [`revisions`] with one whole file for each C file that the series touches. What no
//! revision touches is beside it: [`core_device`] (structures), [`config_perms`] (tables).
//!
//! **Architecture invariant:** calls that cross from one file of a revision to another go through its
//! [`RevisionOps`](revision::RevisionOps) and are reached by free functions with the C names, so that the text of a
//! file reads as in C and does not know which revision it belongs to.

#![forbid(unsafe_code)]

pub mod config_perms;
pub mod core_device;
pub mod revision;
pub mod revisions;

pub use revision::{REVISIONS, Revision, find_revision};

/// Where the text of the modelled functions is, so that traces can name the function of a place.
pub const SOURCES: &[(&str, &str)] = &[
    ("vfio-pci/src/config_perms.rs", include_str!("config_perms.rs")),
    ("vfio-pci/src/core_device.rs", include_str!("core_device.rs")),
    ("revisions/v7_3/vfio_pci_config.rs", include_str!("revisions/v7_3/vfio_pci_config.rs")),
    ("revisions/v7_3/vfio_pci_core.rs", include_str!("revisions/v7_3/vfio_pci_core.rs")),
    ("revisions/v7_3/vfio_pci_dmabuf.rs", include_str!("revisions/v7_3/vfio_pci_dmabuf.rs")),
    ("revisions/leon_v0/vfio_pci_config.rs", include_str!("revisions/leon_v0/vfio_pci_config.rs")),
    ("revisions/leon_v0/vfio_pci_core.rs", include_str!("revisions/leon_v0/vfio_pci_core.rs")),
    ("revisions/leon_v0/vfio_pci_dmabuf.rs", include_str!("revisions/leon_v0/vfio_pci_dmabuf.rs")),
];
