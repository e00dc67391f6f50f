// SPDX-License-Identifier: GPL-2.0-only
//! Export of BARs as dma-bufs, and their revocation.
//!
//! Transcribes: drivers/vfio/pci/vfio_pci_dmabuf.c, linux v7.3.4, all but the private connection to iommufd.
//!
//! Kernel file: drivers/vfio/pci/vfio_pci_dmabuf.c
//! Version: v7.3.4
//! Parent: none
//! Intent: export a BAR as a dma-buf and take it back, waiting until importers have let go.

use std::cell::{Cell, RefCell};

use dmabuf::prelude::*;
use kernel_model::list_for_each_entry_safe;
use kernel_model::prelude::*;
use pci_model::PciDev;
use pci_model::dev::{pci_resource_len, pci_resource_start};
use pci_model::dma::{DMA_IOVA_USE_SWIOTLB, DmaDataDirection};
use pci_model::iommu::PAGE_SIZE;
use pci_model::p2pdma::{P2pdmaProvider, pcim_p2pdma_provider};
use vfio_core::prelude::*;

use crate::core_device::*;
use crate::revision::*;

/// One range of a BAR, as the user names it.
///
/// In C: `vfio_region_dma_range`, include/uapi/linux/vfio.h.
#[derive(Clone, Copy, Debug)]
struct VfioRegionDmaRange {
    offset: u64,
    length: u64,
}

/// The argument of the feature; its ranges follow.
///
/// In C: `vfio_device_feature_dma_buf`, include/uapi/linux/vfio.h.
#[derive(Clone, Copy, Debug)]
struct VfioDeviceFeatureDmaBuf {
    region_index: u32,
    open_flags: u32,
    flags: u32,
    nr_ranges: u32,
}

const SIZEOF_GET_DMA_BUF: usize = 16;
const SIZEOF_DMA_RANGE: usize = 16;

/// The bytes that a user passes.
pub(super) fn uapi_dma_buf(region_index: u32, open_flags: u32, ranges: &[(u64, u64)]) -> Vec<u8> {
    let head = [region_index, open_flags, 0, ranges.len() as u32];
    let ranges = ranges.iter().flat_map(|(offset, length)| [*offset, *length]);
    head.into_iter().flat_map(u32::to_le_bytes).chain(ranges.flat_map(u64::to_le_bytes)).collect()
}

/// An exported buffer.
///
/// In C: `vfio_pci_dma_buf`, drivers/vfio/pci/vfio_pci_dmabuf.c.
#[derive(Debug)]
struct VfioPciDmaBuf {
    dmabuf: Cell<Option<Kptr<DmaBuf>>>,
    vdev: Plain<Option<Vdev>>,
    size: Cell<u64>,
    phys_vec: RefCell<Vec<PhysVec>>,
    provider: Cell<Option<P2pdmaProvider>>,
    nr_ranges: Cell<u32>,
    kref: Kref,
    comp: Completion,
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

//= linux v7.3.4 drivers/vfio/pci/vfio_pci_dmabuf.c vfio_pci_dma_buf_attach
fn vfio_pci_dma_buf_attach(dmabuf: Kptr<DmaBuf>, attachment: Kptr<DmaBufAttachment>) -> KResult {
    let priv_ = priv_of(dmabuf);

    if !attachment.peer2peer {
        return Err(EOPNOTSUPP);
    }

    if priv_.revoked.get() {
        return Err(ENODEV);
    }

    if !dma_buf_attach_revocable(attachment) {
        return Err(EOPNOTSUPP);
    }

    Ok(())
}

//= linux v7.3.4 drivers/vfio/pci/vfio_pci_dmabuf.c vfio_pci_dma_buf_done
fn vfio_pci_dma_buf_done(priv_: Kptr<VfioPciDmaBuf>) {
    complete(&priv_.comp);
}

//= linux v7.3.4 drivers/vfio/pci/vfio_pci_dmabuf.c vfio_pci_dma_buf_map
fn vfio_pci_dma_buf_map(attachment: Kptr<DmaBufAttachment>, dir: DmaDataDirection) -> KResult<Kptr<SgTable>> {
    let priv_ = priv_of(attachment.dmabuf);

    dma_resv_assert_held(&priv_.dmabuf().resv);

    if priv_.revoked.get() {
        return Err(ENODEV);
    }

    let phys_vec = priv_.phys_vec.borrow().clone();
    let ret = dma_buf_phys_vec_to_sgt(attachment, priv_.provider.get(), &phys_vec, priv_.size.get(), dir)?;

    kref_get(&priv_.kref);
    Ok(ret)
}

//= linux v7.3.4 drivers/vfio/pci/vfio_pci_dmabuf.c vfio_pci_dma_buf_unmap
fn vfio_pci_dma_buf_unmap(attachment: Kptr<DmaBufAttachment>, sgt: Kptr<SgTable>, dir: DmaDataDirection) {
    let priv_ = priv_of(attachment.dmabuf);

    dma_resv_assert_held(&priv_.dmabuf().resv);

    dma_buf_free_sgt(attachment, sgt, dir);
    kref_put(&priv_.kref, || vfio_pci_dma_buf_done(priv_));
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
    detach: None,
    pin: None,
    unpin: None,
    map_dma_buf: vfio_pci_dma_buf_map,
    unmap_dma_buf: vfio_pci_dma_buf_unmap,
    release: vfio_pci_dma_buf_release,
};

//= linux v7.3.4 drivers/vfio/pci/vfio_pci_dmabuf.c vfio_pci_core_fill_phys_vec
fn vfio_pci_core_fill_phys_vec(
    phys_vec: &mut [PhysVec],
    dma_ranges: &[VfioRegionDmaRange],
    start: u64,
    len: u64,
) -> KResult {
    let max_addr = start.wrapping_add(len);
    for (vec, range) in phys_vec.iter_mut().zip(dma_ranges) {
        if range.length == 0 {
            return Err(EINVAL);
        }

        let Some(paddr) = start.checked_add(range.offset) else { return Err(EOVERFLOW) };
        vec.paddr = paddr;
        let Some(end) = paddr.checked_add(range.length) else { return Err(EOVERFLOW) };
        if end > max_addr {
            return Err(EINVAL);
        }

        vec.len = range.length;
    }
    Ok(())
}

//= linux v7.3.4 drivers/vfio/pci/vfio_pci_dmabuf.c vfio_pci_core_get_dmabuf_phys
fn vfio_pci_core_get_dmabuf_phys(
    vdev: Vdev,
    provider: &Cell<Option<P2pdmaProvider>>,
    region_index: u32,
    phys_vec: &mut [PhysVec],
    dma_ranges: &[VfioRegionDmaRange],
) -> KResult {
    let pdev: Kptr<PciDev> = vdev.pdev;
    let bar = region_index as usize;

    provider.set(pcim_p2pdma_provider(pdev, bar));
    if provider.get().is_none() {
        return Err(EINVAL);
    }

    vfio_pci_core_fill_phys_vec(
        phys_vec,
        dma_ranges,
        pci_resource_start(pdev, bar),
        pci_resource_len(pdev, bar),
    )
}

//= linux v7.3.4 drivers/vfio/pci/vfio_pci_dmabuf.c validate_dmabuf_input
fn validate_dmabuf_input(dma_ranges: &[VfioRegionDmaRange]) -> KResult<u64> {
    let mut length: u64 = 0;

    for range in dma_ranges {
        let (offset, len) = (range.offset, range.length);

        if len == 0 || !offset.is_multiple_of(PAGE_SIZE) || !len.is_multiple_of(PAGE_SIZE) {
            return Err(EINVAL);
        }

        match length.checked_add(len) {
            Some(sum) => length = sum,
            None => return Err(EINVAL),
        }
    }

    /*
     * dma_iova_try_alloc() warns if user space proposes a size that is too big, e.g. with lots of ranges.
     */
    if length & DMA_IOVA_USE_SWIOTLB != 0 {
        return Err(EINVAL);
    }

    Ok(length)
}

/// Exports ranges of a BAR as a dma-buf; gives its descriptor.
///
/// Context: process, from the feature ioctl. May sleep.
//= linux v7.3.4 drivers/vfio/pci/vfio_pci_dmabuf.c vfio_pci_core_feature_dma_buf
pub(super) fn vfio_pci_core_feature_dma_buf(
    vdev: Vdev,
    flags: u32,
    arg: &UserPtr,
    argsz: usize,
) -> KResult<i32> {
    if !vdev.pci_ops.is_some_and(|ops| ops.get_dmabuf_phys) {
        return Err(EOPNOTSUPP);
    }

    if !vfio_check_feature(flags, argsz, VFIO_DEVICE_FEATURE_GET, SIZEOF_GET_DMA_BUF)? {
        return Ok(0);
    }

    let bytes = copy_from_user::<SIZEOF_GET_DMA_BUF>(arg)?;
    let get_dma_buf = VfioDeviceFeatureDmaBuf {
        region_index: get_u32(&bytes, 0),
        open_flags: get_u32(&bytes, 4),
        flags: get_u32(&bytes, 8),
        nr_ranges: get_u32(&bytes, 12),
    };

    if get_dma_buf.nr_ranges == 0 || get_dma_buf.flags != 0 {
        return Err(EINVAL);
    }

    /*
     * For PCI the region index is the BAR number like everything else. PCI resources must have been claimed for it.
     */
    if get_dma_buf.region_index >= VFIO_PCI_ROM_REGION_INDEX
        || vfio_pci_core_get_iomap(vdev, get_dma_buf.region_index).is_err()
    {
        return Err(ENODEV);
    }

    let nr_ranges = get_dma_buf.nr_ranges as usize;
    let dma_ranges = memdup_array_user::<SIZEOF_DMA_RANGE>(&arg.offset(SIZEOF_GET_DMA_BUF), nr_ranges)?;
    let dma_ranges: Vec<_> = dma_ranges
        .iter()
        .map(|r| VfioRegionDmaRange { offset: get_u64(r, 0), length: get_u64(r, 8) })
        .collect();

    let length = validate_dmabuf_input(&dma_ranges)?;

    let priv_ = kzalloc(VfioPciDmaBuf {
        dmabuf: Cell::new(None),
        vdev: Plain::new("priv->vdev", None),
        size: Cell::new(0),
        phys_vec: RefCell::new(Vec::new()),
        provider: Cell::new(None),
        nr_ranges: Cell::new(0),
        kref: Kref::zeroed("priv->kref"),
        comp: init_completion("priv->comp"),
        revoked: Plain::new("priv->revoked", false),
    })?;
    let mut phys_vec = vec![PhysVec::default(); nr_ranges];

    priv_.vdev.set(Some(vdev));
    priv_.nr_ranges.set(get_dma_buf.nr_ranges);
    priv_.size.set(length);
    let ret = 'err_free_phys: {
        if let Err(ret) = vfio_pci_core_get_dmabuf_phys(
            vdev,
            &priv_.provider,
            get_dma_buf.region_index,
            &mut phys_vec,
            &dma_ranges,
        ) {
            break 'err_free_phys ret;
        }
        *priv_.phys_vec.borrow_mut() = phys_vec;

        drop(dma_ranges);

        if !vfio_device_try_get_registration(&vdev.vdev) {
            break 'err_free_phys ENODEV;
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

            /* The completion was initialised with the structure. */
            kref_init(&priv_.kref);

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
            let ret = dma_buf_fd(priv_.dmabuf(), get_dma_buf.open_flags);
            if ret.is_err() {
                dma_buf_put(priv_.dmabuf());
            }

            return ret;
        };
        /* err_dev_put: */
        vfio_device_put_registration(&vdev.vdev);
        ret
    };
    /* err_free_phys: err_free_priv: err_free_ranges: */
    kfree(priv_);
    Err(ret)
}

/// Revokes, or restores, every buffer exported by `vdev`.
///
/// Context: process; `memory_lock` held for write. May sleep: it waits for fences and, when it revokes, until every
/// importer has unmapped.
//= linux v7.3.4 drivers/vfio/pci/vfio_pci_dmabuf.c vfio_pci_dma_buf_move
pub(super) fn vfio_pci_dma_buf_move(vdev: Vdev, revoked: bool) {
    lockdep_assert_held_write(&vdev.memory_lock);

    list_for_each_entry_safe!(priv_, tmp, vdev.dmabufs, VfioPciDmaBuf, {
        let Some(file) = get_file_active(&priv_.dmabuf().file) else { continue };

        if priv_.revoked.get() != revoked {
            dma_resv_lock(&priv_.dmabuf().resv);
            if revoked {
                priv_.revoked.set(true);
            }
            dma_buf_invalidate_mappings(priv_.dmabuf());
            let _ = dma_resv_wait_timeout(
                &priv_.dmabuf().resv,
                DmaResvUsage::Bookkeep,
                false,
                MAX_SCHEDULE_TIMEOUT,
            );
            dma_resv_unlock(&priv_.dmabuf().resv);
            if revoked {
                kref_put(&priv_.kref, || vfio_pci_dma_buf_done(priv_));
                wait_for_completion(&priv_.comp);
                /*
                 * The registered reference and the completion are armed again, so that the state after a revoke
                 * is that after creation: a mapping after an un-revoke needs a reference count that is not zero,
                 * and vfio_pci_dma_buf_cleanup() revokes buffers that may be revoked already.
                 */
                kref_init(&priv_.kref);
                reinit_completion(&priv_.comp);
            } else {
                dma_resv_lock(&priv_.dmabuf().resv);
                priv_.revoked.set(false);
                dma_resv_unlock(&priv_.dmabuf().resv);
            }
        }
        fput(file);
    });
}

/// Parts every buffer from a device that is closed.
///
/// Context: process; may sleep.
//= linux v7.3.4 drivers/vfio/pci/vfio_pci_dmabuf.c vfio_pci_dma_buf_cleanup
pub(super) fn vfio_pci_dma_buf_cleanup(vdev: Vdev) {
    down_write(&vdev.memory_lock);

    /*
     * Active mappings are drained by the revoke path, which changes nothing for buffers that are revoked already
     * and leaves every one armed: nothing is left to do for the reference counts here.
     */
    vfio_pci_dma_buf_move(vdev, true);

    list_for_each_entry_safe!(priv_, tmp, vdev.dmabufs, VfioPciDmaBuf, {
        let Some(file) = get_file_active(&priv_.dmabuf().file) else { continue };

        list_del_init(priv_.erase(), &vdev.dmabufs);
        priv_.vdev.set(None);
        vfio_device_put_registration(&vdev.vdev);
        fput(file);
    });
    up_write(&vdev.memory_lock);
}
