// SPDX-License-Identifier: GPL-2.0-only
//! `struct sg_table` as dma-buf uses it: a list of DMA addresses without pages (include/linux/scatterlist.h).

use std::cell::{Cell, RefCell};

use kernel_model::prelude::*;

use crate::dma_buf_mapping::DmaBufDma;

/// One segment: DMA address and length.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Scatterlist {
    /// `sg_dma_address()`.
    pub dma_address: u64,
    /// `sg_dma_len()`.
    pub dma_length: u64,
}

/// A table of segments.
#[derive(Debug)]
pub struct SgTable {
    /// The segments.
    pub sgl: RefCell<Vec<Scatterlist>>,
    /// Segments that are in use for the device.
    pub nents: Cell<u32>,
    /// Segments that have pages: none, for MMIO.
    pub orig_nents: Cell<u32>,
    /// What `container_of` finds: the structure that the C embeds the table in.
    pub container: Cell<Option<Kptr<DmaBufDma>>>,
}

/// The most bytes that one segment describes.
///
/// In C: `MAX_SG_ENT_SZ`, drivers/dma-buf/dma-buf-mapping.c.
pub const MAX_SG_ENT_SZ: u64 = u32::MAX as u64 / 4096 * 4096;

/// A table of `nents` empty segments.
///
/// # Errors
/// `EINVAL` for no segments, `ENOMEM`.
///
/// In C: `sg_alloc_table`, lib/scatterlist.c.
#[track_caller]
pub fn sg_alloc_table(nents: u32) -> KResult<Kptr<SgTable>> {
    if nents == 0 {
        return Err(EINVAL);
    }
    kzalloc(SgTable {
        sgl: RefCell::new(vec![Scatterlist::default(); nents as usize]),
        nents: Cell::new(nents),
        orig_nents: Cell::new(nents),
        container: Cell::new(None),
    })
}

/// Frees a table.
///
/// In C: `sg_free_table`, lib/scatterlist.c.
#[track_caller]
pub fn sg_free_table(table: Kptr<SgTable>) {
    kfree(table);
}
