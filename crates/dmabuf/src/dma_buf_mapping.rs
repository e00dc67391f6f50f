// SPDX-License-Identifier: GPL-2.0-only
//! DMA-BUF mapping helpers.
//!
//! Transcribes: drivers/dma-buf/dma-buf-mapping.c, linux v7.3.4, whole.

use std::cell::Cell;

use kernel_model::prelude::*;
use pci_model::dma::*;
use pci_model::p2pdma::*;

use crate::dma_buf::DmaBufAttachment;
use crate::dma_resv::dma_resv_assert_held;
use crate::scatterlist::*;

/// A range of physical addresses.
///
/// In C: `phys_vec`, include/linux/types.h.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PhysVec {
    /// First address.
    pub paddr: u64,
    /// Length in bytes.
    pub len: u64,
}

/// Writes one range into the table, in segments of at most [`MAX_SG_ENT_SZ`]; gives the index of the next segment.
//= linux v7.3.4 drivers/dma-buf/dma-buf-mapping.c fill_sg_entry
fn fill_sg_entry(sgt: &SgTable, mut sgl: usize, mut length: u64, mut addr: u64) -> usize {
    while length != 0 {
        let len = length.min(MAX_SG_ENT_SZ);
        length -= len;
        if let Some(sg) = sgt.sgl.borrow_mut().get_mut(sgl) {
            *sg = Scatterlist { dma_address: addr, dma_length: len };
        }
        addr += len;
        /* Unconditionally advance: past the last segment this is the end of the table. */
        sgl += 1;
    }

    sgl
}

/// Segments that the ranges need; 0 if that does not fit the counter.
//= linux v7.3.4 drivers/dma-buf/dma-buf-mapping.c calc_sg_nents
fn calc_sg_nents(state: Option<Kptr<DmaIovaState>>, phys_vec: &[PhysVec], size: u64) -> u32 {
    let mut nents: u32 = 0;

    match state {
        Some(state) if dma_use_iova(&state) => {
            /* One range spans the whole IOVA space, but a segment has its limit. */
            nents = size.div_ceil(MAX_SG_ENT_SZ) as u32;
        }
        _ => {
            for vec in phys_vec {
                let added = vec.len.div_ceil(MAX_SG_ENT_SZ) as u32;

                match nents.checked_add(added) {
                    Some(sum) => nents = sum,
                    None => return 0,
                }
            }
        }
    }

    nents
}

/// What is to be undone when a mapping is.
///
/// In C: `dma_buf_dma`, drivers/dma-buf/dma-buf-mapping.c.
#[derive(Debug)]
pub struct DmaBufDma {
    /// The table; the C embeds it.
    pub sgt: Cell<Option<Kptr<SgTable>>>,
    /// State of an IOVA-based mapping; none for bus addresses.
    pub state: Cell<Option<Kptr<DmaIovaState>>>,
    /// Total size in bytes.
    pub size: Cell<u64>,
}

/// Maps ranges of MMIO for the device of an attachment; undone by [`dma_buf_free_sgt`].
///
/// Context: the reservation lock is held.
///
/// # Errors
/// `EINVAL` without a provider or a route, `ENOMEM`, and what the DMA API gives.
//= linux v7.3.4 drivers/dma-buf/dma-buf-mapping.c dma_buf_phys_vec_to_sgt
pub fn dma_buf_phys_vec_to_sgt(
    attach: Kptr<DmaBufAttachment>,
    provider: Option<P2pdmaProvider>,
    phys_vec: &[PhysVec],
    size: u64,
    dir: DmaDataDirection,
) -> KResult<Kptr<SgTable>> {
    let mut mapped_len: u64 = 0;

    dma_resv_assert_held(&attach.dmabuf.resv);

    if WARN_ON(provider.is_none(), "dma_buf_phys_vec_to_sgt() without a provider") {
        /* This function is supposed to work on MMIO memory only. */
        return Err(EINVAL);
    }
    let provider = provider.ok_or(EINVAL)?;

    let dma = kzalloc(DmaBufDma { sgt: Cell::new(None), state: Cell::new(None), size: Cell::new(0) })?;

    let mut i = 0;
    let ret = 'err_free_dma: {
        match pci_p2pdma_map_type(provider, attach.dev) {
            PciP2pdmaMapType::BusAddr => { /* There is no need of an IOVA at all for this flow. */ }
            PciP2pdmaMapType::ThruHostBridge => {
                let state = match kzalloc(DmaIovaState::default()) {
                    Ok(state) => state,
                    Err(ret) => break 'err_free_dma ret,
                };
                dma.state.set(Some(state));

                dma_iova_try_alloc(attach.dev, &state, 0, size);
            }
            PciP2pdmaMapType::NotSupported => break 'err_free_dma EINVAL,
        }

        let ret = 'err_free_state: {
            let nents = calc_sg_nents(dma.state.get(), phys_vec, size);

            /* sg_alloc_table fails with EINVAL if nents is 0. */
            let sgt = match sg_alloc_table(nents) {
                Ok(sgt) => sgt,
                Err(ret) => break 'err_free_state ret,
            };
            sgt.container.set(Some(dma));
            dma.sgt.set(Some(sgt));

            let mut sgl = 0;

            let ret = 'err_unmap_dma: {
                while i < phys_vec.len() {
                    let mut addr = 0;
                    match dma.state.get() {
                        None => addr = pci_p2pdma_bus_addr_map(provider, phys_vec[i].paddr),
                        Some(state) if dma_use_iova(&state) => {
                            let linked = dma_iova_link(
                                attach.dev,
                                &state,
                                phys_vec[i].paddr,
                                0,
                                phys_vec[i].len,
                                dir,
                                DMA_ATTR_MMIO,
                            );
                            if let Err(ret) = linked {
                                break 'err_unmap_dma ret;
                            }

                            mapped_len += phys_vec[i].len;
                        }
                        Some(_) => {
                            match dma_map_phys(
                                attach.dev,
                                phys_vec[i].paddr,
                                phys_vec[i].len,
                                dir,
                                DMA_ATTR_MMIO,
                            ) {
                                Ok(mapped) => addr = mapped,
                                Err(ret) => break 'err_unmap_dma ret,
                            }
                        }
                    }

                    if !dma.state.get().is_some_and(|state| dma_use_iova(&state)) {
                        sgl = fill_sg_entry(&sgt, sgl, phys_vec[i].len, addr);
                    }
                    i += 1;
                }

                if let Some(state) = dma.state.get().filter(|state| dma_use_iova(state)) {
                    WARN_ON_ONCE(mapped_len != size, "mapped_len != size");
                    if let Err(ret) = dma_iova_sync(attach.dev, &state, 0, mapped_len) {
                        break 'err_unmap_dma ret;
                    }

                    sgl = fill_sg_entry(&sgt, sgl, mapped_len, state.addr.get());
                }

                dma.size.set(size);

                /* No CPU list is included: others detect it by orig_nents being 0. */
                sgt.orig_nents.set(0);

                /* All segments were filled: sg_alloc_table got the right number. */
                WARN_ON_ONCE(sgl != sgt.sgl.borrow().len(), "sgl is not NULL");
                return Ok(sgt);
            };
            /* err_unmap_dma: */
            match dma.state.get() {
                _ if i == 0 => { /* Do nothing */ }
                None => { /* Do nothing */ }
                Some(state) if dma_use_iova(&state) => {
                    dma_iova_destroy(attach.dev, &state, mapped_len, dir, DMA_ATTR_MMIO);
                }
                Some(_) => unmap_segments(attach, &sgt, dir),
            }
            sg_free_table(sgt);
            ret
        };
        /* err_free_state: */
        if let Some(state) = dma.state.get() {
            kfree(state);
        }
        ret
    };
    /* err_free_dma: */
    kfree(dma);
    Err(ret)
}

/// The body of the C's two loops over all segments of a table.
fn unmap_segments(attach: Kptr<DmaBufAttachment>, sgt: &SgTable, dir: DmaDataDirection) {
    let segments = sgt.sgl.borrow().clone();
    for sg in segments {
        dma_unmap_phys(attach.dev, sg.dma_address, sg.dma_length, dir, DMA_ATTR_MMIO);
    }
}

/// Undoes [`dma_buf_phys_vec_to_sgt`].
///
/// Context: the reservation lock is held.
//= linux v7.3.4 drivers/dma-buf/dma-buf-mapping.c dma_buf_free_sgt
pub fn dma_buf_free_sgt(attach: Kptr<DmaBufAttachment>, sgt: Kptr<SgTable>, dir: DmaDataDirection) {
    let dma = sgt.container.get().expect("a table of dma_buf_phys_vec_to_sgt()");

    dma_resv_assert_held(&attach.dmabuf.resv);

    match dma.state.get() {
        None => { /* Do nothing */ }
        Some(state) if dma_use_iova(&state) => {
            dma_iova_destroy(attach.dev, &state, dma.size.get(), dir, DMA_ATTR_MMIO);
        }
        Some(_) => unmap_segments(attach, &sgt, dir),
    }

    sg_free_table(sgt);
    if let Some(state) = dma.state.get() {
        kfree(state);
    }
    kfree(dma);
}
