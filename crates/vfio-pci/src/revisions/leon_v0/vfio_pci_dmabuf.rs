// SPDX-License-Identifier: GPL-2.0-only
//! Export of BARs as dma-bufs, and their revocation.
//!
//! Transcribes: drivers/vfio/pci/vfio_pci_dmabuf.c as first posted, reconstructed from a description of its text.
//!
//! Kernel file: drivers/vfio/pci/vfio_pci_dmabuf.c
//! Message-ID: cover.1753274085.git.leonro@nvidia.com
//! Parent: v7_3
//! Intent: export one range of a BAR as a dma-buf; revoke it by a flag and a notification, without waiting.
//! Functions changed: uapi_dma_buf, state_of, vfio_pci_dma_buf_attach, vfio_pci_dma_buf_detach, vfio_pci_dma_buf_done,
//! vfio_pci_dma_buf_map, vfio_pci_dma_buf_unmap, vfio_pci_core_fill_phys_vec, vfio_pci_core_get_dmabuf_phys,
//! validate_dmabuf_input, vfio_pci_core_feature_dma_buf, vfio_pci_dma_buf_move, vfio_pci_dma_buf_cleanup

use std::cell::Cell;

use dmabuf::prelude::*;
use kernel_model::list_for_each_entry_safe;
use kernel_model::prelude::*;
use pci_model::dev::{pci_resource_len, pci_resource_start};
use pci_model::dma::*;
use pci_model::iommu::PAGE_SIZE;
use pci_model::p2pdma::*;
use vfio_core::prelude::*;

use crate::core_device::*;
use crate::revision::*;

/// The argument of the feature: one range.
#[derive(Clone, Copy, Debug)]
struct VfioDeviceFeatureDmaBuf {
    region_index: u32,
    open_flags: u32,
    offset: u64,
    length: u64,
}

const SIZEOF_GET_DMA_BUF: usize = 24;

/// The bytes that a user passes. There is one range: of several, the first.
pub(super) fn uapi_dma_buf(region_index: u32, open_flags: u32, ranges: &[(u64, u64)]) -> Vec<u8> {
    let (offset, length) = ranges.first().copied().unwrap_or_default();
    let head = [region_index, open_flags].into_iter().flat_map(u32::to_le_bytes);
    head.chain([offset, length].into_iter().flat_map(u64::to_le_bytes)).collect()
}

/// An exported buffer.
#[derive(Debug)]
struct VfioPciDmaBuf {
    dmabuf: Cell<Option<Kptr<DmaBuf>>>,
    vdev: Plain<Option<Vdev>>,
    size: Cell<u64>,
    phys_vec: Cell<PhysVec>,
    provider: Cell<Option<P2pdmaProvider>>,
    revoked: Plain<bool>,
}

impl VfioPciDmaBuf {
    fn dmabuf(&self) -> Kptr<DmaBuf> {
        self.dmabuf.get().expect("set before the buffer is known to anyone")
    }
}

fn priv_of(dmabuf: Kptr<DmaBuf>) -> Kptr<VfioPciDmaBuf> {
    dmabuf.priv_().expect("a buffer of this exporter")
}

/// The IOVA state of an attachment; none: bus addresses are used.
fn state_of(attachment: Kptr<DmaBufAttachment>) -> Option<Kptr<DmaIovaState>> {
    attachment.priv_.borrow().as_ref()?.downcast_ref().copied()
}

//= mail cover.1753274085.git.leonro@nvidia.com drivers/vfio/pci/vfio_pci_dmabuf.c vfio_pci_dma_buf_attach
fn vfio_pci_dma_buf_attach(dmabuf: Kptr<DmaBuf>, attachment: Kptr<DmaBufAttachment>) -> KResult {
    let priv_ = priv_of(dmabuf);

    if !attachment.peer2peer {
        return Err(EOPNOTSUPP);
    }

    if priv_.revoked.get() {
        return Err(ENODEV);
    }

    let provider = priv_.provider.get().ok_or(EINVAL)?;
    match pci_p2pdma_map_type(provider, attachment.dev) {
        PciP2pdmaMapType::ThruHostBridge => {}
        PciP2pdmaMapType::BusAddr => {
            /* There is no need of an IOVA at all for this flow. */
            return Ok(());
        }
        PciP2pdmaMapType::NotSupported => return Err(EINVAL),
    }

    let state = kzalloc(DmaIovaState::default())?;
    *attachment.priv_.borrow_mut() = Some(Box::new(state));
    dma_iova_try_alloc(attachment.dev, &state, 0, priv_.phys_vec.get().len);
    Ok(())
}

//= mail cover.1753274085.git.leonro@nvidia.com drivers/vfio/pci/vfio_pci_dmabuf.c vfio_pci_dma_buf_detach
fn vfio_pci_dma_buf_detach(_dmabuf: Kptr<DmaBuf>, attachment: Kptr<DmaBufAttachment>) {
    if let Some(state) = state_of(attachment) {
        kfree(state);
    }
}

//= mail cover.1753274085.git.leonro@nvidia.com drivers/vfio/pci/vfio_pci_dmabuf.c vfio_pci_dma_buf_map
fn vfio_pci_dma_buf_map(attachment: Kptr<DmaBufAttachment>, dir: DmaDataDirection) -> KResult<Kptr<SgTable>> {
    let priv_ = priv_of(attachment.dmabuf);
    let provider = priv_.provider.get().ok_or(EINVAL)?;
    let phys_vec = priv_.phys_vec.get();

    dma_resv_assert_held(&priv_.dmabuf().resv);

    let sgt = sg_alloc_table(1)?;

    let ret = 'err_unmap_dma: {
        let addr = match state_of(attachment) {
            None => pci_p2pdma_bus_addr_map(provider, phys_vec.paddr),
            Some(state) if dma_use_iova(&state) => {
                let attrs = DMA_ATTR_SKIP_CPU_SYNC;
                if let Err(ret) =
                    dma_iova_link(attachment.dev, &state, phys_vec.paddr, 0, phys_vec.len, dir, attrs)
                {
                    break 'err_unmap_dma ret;
                }

                if let Err(ret) = dma_iova_sync(attachment.dev, &state, 0, phys_vec.len) {
                    break 'err_unmap_dma ret;
                }

                state.addr.get()
            }
            Some(_) => {
                match dma_map_phys(attachment.dev, phys_vec.paddr, phys_vec.len, dir, DMA_ATTR_SKIP_CPU_SYNC)
                {
                    Ok(addr) => addr,
                    Err(ret) => break 'err_unmap_dma ret,
                }
            }
        };

        sgt.sgl.borrow_mut()[0] = Scatterlist { dma_address: addr, dma_length: phys_vec.len };

        /* No CPU list is included: others detect it by orig_nents being 0. */
        sgt.orig_nents.set(0);
        return Ok(sgt);
    };
    sg_free_table(sgt);
    Err(ret)
}

//= mail cover.1753274085.git.leonro@nvidia.com drivers/vfio/pci/vfio_pci_dmabuf.c vfio_pci_dma_buf_unmap
fn vfio_pci_dma_buf_unmap(attachment: Kptr<DmaBufAttachment>, sgt: Kptr<SgTable>, dir: DmaDataDirection) {
    let priv_ = priv_of(attachment.dmabuf);
    let phys_vec = priv_.phys_vec.get();

    match state_of(attachment) {
        None => { /* Do nothing */ }
        Some(state) if dma_use_iova(&state) => {
            dma_iova_destroy(attachment.dev, &state, phys_vec.len, dir, DMA_ATTR_SKIP_CPU_SYNC);
        }
        Some(_) => {
            let sg = sgt.sgl.borrow()[0];
            dma_unmap_phys(attachment.dev, sg.dma_address, sg.dma_length, dir, DMA_ATTR_SKIP_CPU_SYNC);
        }
    }
    sg_free_table(sgt);
}

//= linux v7.3.4 drivers/vfio/pci/vfio_pci_dmabuf.c vfio_pci_dma_buf_release
fn vfio_pci_dma_buf_release(dmabuf: Kptr<DmaBuf>) {
    let priv_ = priv_of(dmabuf);

    /*
     * Either this or vfio_pci_dma_buf_cleanup() removes from the list: the reference count prevents both.
     */
    if let Some(vdev) = priv_.vdev.get() {
        down_write(&vdev.memory_lock);
        list_del_init(priv_.erase(), &vdev.dmabufs);
        up_write(&vdev.memory_lock);
        vfio_device_put_registration(&vdev.vdev);
    }
    kfree(priv_);
}

/// In C: `vfio_pci_dmabuf_ops`, drivers/vfio/pci/vfio_pci_dmabuf.c.
static VFIO_PCI_DMABUF_OPS: DmaBufOps = DmaBufOps {
    attach: Some(vfio_pci_dma_buf_attach),
    detach: Some(vfio_pci_dma_buf_detach),
    pin: None,
    unpin: None,
    map_dma_buf: vfio_pci_dma_buf_map,
    unmap_dma_buf: vfio_pci_dma_buf_unmap,
    release: vfio_pci_dma_buf_release,
};

/// Exports a range of a BAR as a dma-buf; gives its descriptor.
///
/// Context: process, from the feature ioctl. May sleep.
//= mail cover.1753274085.git.leonro@nvidia.com drivers/vfio/pci/vfio_pci_dmabuf.c vfio_pci_core_feature_dma_buf
pub(super) fn vfio_pci_core_feature_dma_buf(
    vdev: Vdev,
    flags: u32,
    arg: &UserPtr,
    argsz: usize,
) -> KResult<i32> {
    if !vfio_check_feature(flags, argsz, VFIO_DEVICE_FEATURE_GET, SIZEOF_GET_DMA_BUF)? {
        return Ok(0);
    }

    let bytes = copy_from_user::<SIZEOF_GET_DMA_BUF>(arg)?;
    let get_dma_buf = VfioDeviceFeatureDmaBuf {
        region_index: get_u32(&bytes, 0),
        open_flags: get_u32(&bytes, 4),
        offset: get_u64(&bytes, 8),
        length: get_u64(&bytes, 16),
    };

    /* For PCI the region index is the BAR number like everything else. */
    if get_dma_buf.region_index >= VFIO_PCI_ROM_REGION_INDEX {
        return Err(ENODEV);
    }

    let bar = get_dma_buf.region_index as usize;
    let phys_vec = validate_dmabuf_input(vdev, bar, &get_dma_buf)?;

    let priv_ = kzalloc(VfioPciDmaBuf {
        dmabuf: Cell::new(None),
        vdev: Plain::new("priv->vdev", None),
        size: Cell::new(0),
        phys_vec: Cell::new(phys_vec),
        provider: Cell::new(pcim_p2pdma_provider(vdev.pdev, bar)),
        revoked: Plain::new("priv->revoked", false),
    })?;

    priv_.vdev.set(Some(vdev));
    priv_.size.set(phys_vec.len);
    let ret = 'err_free_priv: {
        if !vfio_device_try_get_registration(&vdev.vdev) {
            break 'err_free_priv ENODEV;
        }

        let ret = 'err_dev_put: {
            match dma_buf_export(DmaBufExportInfo {
                ops: &VFIO_PCI_DMABUF_OPS,
                size: priv_.size.get(),
                flags: get_dma_buf.open_flags,
                priv_: Box::new(priv_),
            }) {
                Ok(dmabuf) => priv_.dmabuf.set(Some(dmabuf)),
                Err(ret) => break 'err_dev_put ret,
            }

            /* dma_buf_put() now frees priv */
            down_write(&vdev.memory_lock);
            dma_resv_lock(&priv_.dmabuf().resv);
            priv_.revoked.set(!__vfio_pci_memory_enabled(vdev));
            list_add_tail(priv_.erase(), &vdev.dmabufs);
            dma_resv_unlock(&priv_.dmabuf().resv);
            up_write(&vdev.memory_lock);

            /*
             * dma_buf_fd() consumes the reference: when the file closes the buffer is released.
             */
            return dma_buf_fd(priv_.dmabuf(), get_dma_buf.open_flags);
        };
        /* err_dev_put: */
        vfio_device_put_registration(&vdev.vdev);
        ret
    };
    /* err_free_priv: */
    kfree(priv_);
    Err(ret)
}

/// The physical range that the user names. Nothing is said of a length of zero.
//= mail cover.1753274085.git.leonro@nvidia.com drivers/vfio/pci/vfio_pci_dmabuf.c validate_dmabuf_input
fn validate_dmabuf_input(vdev: Vdev, bar: usize, get_dma_buf: &VfioDeviceFeatureDmaBuf) -> KResult<PhysVec> {
    let bar_len = pci_resource_len(vdev.pdev, bar);
    let (offset, length) = (get_dma_buf.offset, get_dma_buf.length);

    if bar_len == 0 || !offset.is_multiple_of(PAGE_SIZE) || !length.is_multiple_of(PAGE_SIZE) {
        return Err(EINVAL);
    }

    match offset.checked_add(length) {
        Some(end) if end <= bar_len => {
            Ok(PhysVec { paddr: pci_resource_start(vdev.pdev, bar) + offset, len: length })
        }
        _ => Err(EINVAL),
    }
}

/// Revokes, or restores, every buffer exported by `vdev`.
///
/// Context: process; `memory_lock` held for write. May sleep.
//= mail cover.1753274085.git.leonro@nvidia.com drivers/vfio/pci/vfio_pci_dmabuf.c vfio_pci_dma_buf_move
pub(super) fn vfio_pci_dma_buf_move(vdev: Vdev, revoked: bool) {
    lockdep_assert_held_write(&vdev.memory_lock);

    list_for_each_entry_safe!(priv_, tmp, vdev.dmabufs, VfioPciDmaBuf, {
        if get_file_active(&priv_.dmabuf().file).is_none() {
            continue;
        }

        if priv_.revoked.get() != revoked {
            dma_resv_lock(&priv_.dmabuf().resv);
            priv_.revoked.set(revoked);
            dma_buf_move_notify(priv_.dmabuf());
            dma_resv_unlock(&priv_.dmabuf().resv);
        }
        dma_buf_put(priv_.dmabuf());
    });
}

/// Parts every buffer from a device that is closed.
///
/// Context: process; may sleep.
//= mail cover.1753274085.git.leonro@nvidia.com drivers/vfio/pci/vfio_pci_dmabuf.c vfio_pci_dma_buf_cleanup
pub(super) fn vfio_pci_dma_buf_cleanup(vdev: Vdev) {
    down_write(&vdev.memory_lock);
    list_for_each_entry_safe!(priv_, tmp, vdev.dmabufs, VfioPciDmaBuf, {
        if get_file_active(&priv_.dmabuf().file).is_none() {
            continue;
        }

        dma_resv_lock(&priv_.dmabuf().resv);
        list_del_init(priv_.erase(), &vdev.dmabufs);
        priv_.vdev.set(None);
        priv_.revoked.set(true);
        dma_buf_move_notify(priv_.dmabuf());
        dma_resv_unlock(&priv_.dmabuf().resv);
        vfio_device_put_registration(&vdev.vdev);
        dma_buf_put(priv_.dmabuf());
    });
    up_write(&vdev.memory_lock);
}
