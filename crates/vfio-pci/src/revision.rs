// SPDX-License-Identifier: GPL-2.0-only
//! The seam between the files of a revision: one table of functions each, reached by the C names.

use std::cell::Cell;

use kernel_model::prelude::*;

use crate::core_device::VfioPciCoreDevice;
use crate::revisions::{leon_v0, v7_3};

/// A handle on the device, as functions take it.
pub type Vdev = Kptr<VfioPciCoreDevice>;

/// The functions of a revision that are called from another of its files, or from the outside.
#[derive(Clone, Copy)]
pub struct RevisionOps {
    /// vfio_pci_dmabuf.c: revokes, or restores, every buffer of a device.
    pub vfio_pci_dma_buf_move: fn(Vdev, bool),
    /// vfio_pci_dmabuf.c: parts every buffer from a device that is closed.
    pub vfio_pci_dma_buf_cleanup: fn(Vdev),
    /// vfio_pci_dmabuf.c: the feature that exports a buffer.
    pub vfio_pci_core_feature_dma_buf: fn(Vdev, u32, &UserPtr, usize) -> KResult<i32>,
    /// vfio_pci_config.c: is memory space enabled?
    pub __vfio_pci_memory_enabled: fn(Vdev) -> bool,
    /// vfio_pci_config.c: sets up the virtual config space.
    pub vfio_config_init: fn(Vdev) -> KResult,
    /// vfio_pci_config.c: tears it down.
    pub vfio_config_free: fn(Vdev),
    /// vfio_pci_config.c: reads (`None`) or writes the config space.
    pub vfio_pci_config_rw: fn(Vdev, &mut [u8], usize, bool) -> KResult<usize>,
    /// vfio_pci_core.c: takes the memory lock and ends CPU mappings.
    pub vfio_pci_zap_and_down_write_memory_lock: fn(Vdev),
    /// vfio_pci_core.c: makes the structure.
    pub vfio_pci_core_init_dev: fn(Kptr<pci_model::PciDev>) -> KResult<Vdev>,
    /// vfio_pci_core.c: the first open.
    pub vfio_pci_core_enable: fn(Vdev) -> KResult,
    /// vfio_pci_core.c: the last close.
    pub vfio_pci_core_close_device: fn(Vdev),
    /// vfio_pci_core.c: `VFIO_DEVICE_RESET`.
    pub vfio_pci_ioctl_reset: fn(Vdev) -> KResult,
    /// The argument of the export feature, as this revision's header lays it out: region, open flags, ranges of
    /// offset and length.
    pub uapi_dma_buf: fn(u32, u32, &[(u64, u64)]) -> Vec<u8>,
}

/// A revision: a posted series or a released kernel.
pub struct Revision {
    /// Its name, e.g. `v7_3`; also the name of its folder.
    pub name: &'static str,
    /// Its identifier in the catalogue, e.g. `M734`.
    pub id: &'static str,
    /// One line: what it is.
    pub title: &'static str,
    /// Its functions.
    pub ops: RevisionOps,
}

impl std::fmt::Debug for Revision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Revision({})", self.name)
    }
}

/// All revisions, oldest first.
pub static REVISIONS: &[&Revision] = &[&leon_v0::REVISION, &v7_3::REVISION];

/// The revision of that name or catalogue identifier.
pub fn find_revision(name: &str) -> Option<&'static Revision> {
    REVISIONS.iter().copied().find(|r| r.name == name || r.id == name)
}

thread_local! {
    static CURRENT: Cell<Option<&'static Revision>> = const { Cell::new(None) };
}

/// Chooses the revision that the free functions below reach, for the execution that begins on this thread.
pub fn select_revision(revision: &'static Revision) {
    CURRENT.set(Some(revision));
}

fn ops() -> &'static RevisionOps {
    &CURRENT.get().expect("a revision was selected").ops
}

/// Revokes (`true`) or restores (`false`) every buffer of a device.
pub fn vfio_pci_dma_buf_move(vdev: Vdev, revoked: bool) {
    (ops().vfio_pci_dma_buf_move)(vdev, revoked);
}

/// Parts every buffer from a device that is closed.
pub fn vfio_pci_dma_buf_cleanup(vdev: Vdev) {
    (ops().vfio_pci_dma_buf_cleanup)(vdev);
}

/// The feature that exports a buffer; gives the descriptor.
///
/// # Errors
/// As the revision says.
pub fn vfio_pci_core_feature_dma_buf(vdev: Vdev, flags: u32, arg: &UserPtr, argsz: usize) -> KResult<i32> {
    (ops().vfio_pci_core_feature_dma_buf)(vdev, flags, arg, argsz)
}

/// Is memory space enabled? The caller holds `memory_lock`.
pub fn __vfio_pci_memory_enabled(vdev: Vdev) -> bool {
    (ops().__vfio_pci_memory_enabled)(vdev)
}

/// Sets up the virtual config space.
///
/// # Errors
/// `ENOMEM`.
pub fn vfio_config_init(vdev: Vdev) -> KResult {
    (ops().vfio_config_init)(vdev)
}

/// Tears the virtual config space down.
pub fn vfio_config_free(vdev: Vdev) {
    (ops().vfio_config_free)(vdev);
}

/// Reads or writes the config space at `pos`; gives the number of bytes.
///
/// # Errors
/// `EFAULT` past its end.
pub fn vfio_pci_config_rw(vdev: Vdev, buf: &mut [u8], pos: usize, iswrite: bool) -> KResult<usize> {
    (ops().vfio_pci_config_rw)(vdev, buf, pos, iswrite)
}

/// Takes `memory_lock` for write and ends CPU mappings of the BARs.
pub fn vfio_pci_zap_and_down_write_memory_lock(vdev: Vdev) {
    (ops().vfio_pci_zap_and_down_write_memory_lock)(vdev);
}

/// Makes the structure for a PCI device.
///
/// # Errors
/// `ENOMEM`.
pub fn vfio_pci_core_init_dev(pdev: Kptr<pci_model::PciDev>) -> KResult<Vdev> {
    (ops().vfio_pci_core_init_dev)(pdev)
}

/// The first open of a device.
///
/// # Errors
/// `EAGAIN` when the device lock is taken, `ENOMEM`.
pub fn vfio_pci_core_enable(vdev: Vdev) -> KResult {
    (ops().vfio_pci_core_enable)(vdev)
}

/// The last close of a device.
pub fn vfio_pci_core_close_device(vdev: Vdev) {
    (ops().vfio_pci_core_close_device)(vdev);
}

/// `VFIO_DEVICE_RESET`.
///
/// # Errors
/// `EINVAL` when resets do not work, `EAGAIN` when the device lock is taken.
pub fn vfio_pci_ioctl_reset(vdev: Vdev) -> KResult {
    (ops().vfio_pci_ioctl_reset)(vdev)
}

/// The argument of the export feature.
pub fn uapi_dma_buf(region_index: u32, open_flags: u32, ranges: &[(u64, u64)]) -> Vec<u8> {
    (ops().uapi_dma_buf)(region_index, open_flags, ranges)
}
