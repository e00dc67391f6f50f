// SPDX-License-Identifier: GPL-2.0-only
//! What users and importers do, as clauses that scenarios are made of. Each is one system call or one act of a
//! device.

use importers::PeerImporter;
use importers::peer::*;
use kernel_model::prelude::*;
use pci_model::dma::DmaRead;
use pci_model::regs::*;
use vfio_core::prelude::*;
use vfio_pci::revision::*;

use crate::scenario::reach;
use crate::world::World;

pub use kernel_model::task::syscall;

/// Offset of the PCIe capability in the config space of the exporter.
const EXP_CAP: usize = 0x40;
/// Offset of the Advanced Features capability.
const AF_CAP: usize = 0x80;

fn write_config(w: World, name: &'static str, pos: usize, bytes: &[u8]) {
    syscall(name, || {
        let mut bytes = bytes.to_vec();
        let written = vfio_pci_config_rw(w.vdev, &mut bytes, pos, true);
        assert!(written == Ok(bytes.len()), "the config space of an open device can be written");
    });
}

/// The user exports BAR 0, whole, as a dma-buf.
///
/// # Errors
/// As the revision says.
pub fn the_user_exports_bar_0(w: World) -> KResult<i32> {
    syscall("ioctl(VFIO_DEVICE_FEATURE_DMA_BUF)", || {
        let arg = uapi_dma_buf(0, O_CLOEXEC, &[(0, w.pdev.resource[0].len)]);
        vfio_pci_core_feature_dma_buf(w.vdev, VFIO_DEVICE_FEATURE_GET, &UserPtr::to(&arg), arg.len())
    })
}

/// The user clears Memory Space Enable in the command register.
pub fn the_user_clears_command_mem(w: World) {
    write_config(w, "pwrite(PCI_COMMAND, memory off)", PCI_COMMAND, &0u16.to_le_bytes());
}

/// The user sets Memory Space Enable in the command register.
pub fn the_user_sets_command_mem(w: World) {
    write_config(w, "pwrite(PCI_COMMAND, memory on)", PCI_COMMAND, &PCI_COMMAND_MEMORY.to_le_bytes());
}

/// The user starts a function level reset through the PCIe capability.
pub fn the_user_starts_a_pcie_flr(w: World) {
    let mut ctl = [0; 2];
    let pos = EXP_CAP + PCI_EXP_DEVCTL;
    let read = vfio_pci_config_rw(w.vdev, &mut ctl, pos, false);
    assert!(read == Ok(2), "the config space of an open device can be read");
    let ctl = u16::from_le_bytes(ctl) | PCI_EXP_DEVCTL_BCR_FLR;
    write_config(w, "pwrite(PCI_EXP_DEVCTL, FLR)", pos, &ctl.to_le_bytes());
}

/// The user starts a function level reset through the Advanced Features capability.
pub fn the_user_starts_an_af_flr(w: World) {
    write_config(w, "pwrite(PCI_AF_CTRL, FLR)", AF_CAP + PCI_AF_CTRL, &[PCI_AF_CTRL_FLR]);
}

/// The user resets the device.
///
/// # Errors
/// `EINVAL` when resets do not work, `EAGAIN` when the device lock is taken.
pub fn the_user_resets_the_device(w: World) -> KResult {
    syscall("ioctl(VFIO_DEVICE_RESET)", || vfio_pci_ioctl_reset(w.vdev))
}

/// The user closes a descriptor.
pub fn the_user_closes(fd: i32) {
    syscall("close(dma-buf)", || close_fd(fd));
}

/// The user closes the device: the last close.
pub fn the_user_closes_the_device(w: World) {
    syscall("close(vfio device)", || {
        mutex_lock(&w.vdev.vdev.dev_set.lock);
        vfio_pci_core_close_device(w.vdev);
        mutex_unlock(&w.vdev.vdev.dev_set.lock);
        vfio_device_put_registration(&w.vdev.vdev);
    });
}

/// The importer attaches to the buffer.
///
/// # Errors
/// Those of `dma_buf_get()` and of the exporter.
pub fn the_importer_attaches(importer: Kptr<PeerImporter>, fd: i32) -> KResult {
    syscall("importer attaches", || peer_attach(importer, fd))
}

/// The importer maps the buffer.
///
/// # Errors
/// What the exporter says.
pub fn the_importer_maps(importer: Kptr<PeerImporter>) -> KResult {
    let ret = syscall("importer maps", || peer_map(importer));
    reach(if ret.is_ok() { "the importer maps" } else { "the map is refused" });
    ret
}

/// The importer's device reads through the mapping that it was given.
pub fn the_importer_reads(importer: Kptr<PeerImporter>) {
    match peer_read(importer) {
        DmaRead::Value(_) => reach("the device reads data"),
        DmaRead::Fault => reach("the IOMMU refuses the read"),
        DmaRead::Dead(_) => {}
    }
}

/// The importer unmaps, if it is still mapped.
pub fn the_importer_unmaps(importer: Kptr<PeerImporter>) {
    syscall("importer unmaps", || peer_unmap(importer));
}

/// The importer detaches.
pub fn the_importer_detaches(importer: Kptr<PeerImporter>) {
    syscall("importer detaches", || peer_detach(importer));
}

/// The importer maps, reads through its mapping and unmaps.
pub fn the_importer_maps_reads_and_unmaps(importer: Kptr<PeerImporter>) {
    if the_importer_maps(importer).is_ok() {
        the_importer_reads(importer);
        the_importer_unmaps(importer);
    }
}
