// SPDX-License-Identifier: GPL-2.0-only
//! Teardown of mappings: the zap half of mm/memory.c, in the order of the C.
//!
//! The guarantee of [`unmap_mapping_range`]: when it returns, no CPU of any process reaches the range through a
//! mapping that existed when it was called, and no access through one is still under way. It does not keep new faults
//! out; that is the caller's, by a lock that its fault handler takes.

use kernel_model::prelude::*;

use crate::interval_tree::*;
use crate::mm_types::*;
use crate::mmu_gather::*;
use crate::pgprot::*;
use crate::pgtable::*;

/// What a zap leaves alone.
///
/// In C: `zap_details`, include/linux/mm.h.
#[derive(Clone, Copy, Default, Debug)]
pub struct ZapDetails {
    /// Pages that copy on write made stay.
    pub skip_cows: bool,
}

//= linux v7.3.4 mm/memory.c should_zap_cows
fn should_zap_cows(details: Option<&ZapDetails>) -> bool {
    details.is_none_or(|d| !d.skip_cows)
}

/// Clears the entries of a range of a VMA. The walk of the C, level by level, is one of the page table here, and takes
/// the page-table lock once.
//= linux v7.3.4 mm/memory.c __zap_vma_range
#[track_caller]
fn __zap_vma_range(
    tlb: &MmuGather,
    vma: Kptr<VmAreaStruct>,
    start: u64,
    end: u64,
    details: Option<&ZapDetails>,
) {
    let mm = vma.vm_mm;
    WARN_ON_ONCE(start >= end, "zap of an empty range");

    mutex_lock(&mm.page_table_lock);
    mm.mmu.change(start, end, |leaf| {
        if leaf.entry & _PAGE_ANON != 0 && !should_zap_cows(details) {
            return leaf.entry;
        }
        tlb_remove_tlb_entry(tlb, leaf);
        if leaf.entry & _PAGE_SPECIAL == 0 {
            tlb_remove_page(tlb, leaf.pfn());
        }
        0
    });
    mutex_unlock(&mm.page_table_lock);
}

/// Clears the entries of a range of a VMA; the shootdown comes with the end of the teardown.
//= linux v7.3.4 mm/memory.c zap_vma_range_batched
#[track_caller]
pub fn zap_vma_range_batched(
    tlb: &MmuGather,
    vma: Kptr<VmAreaStruct>,
    address: u64,
    size: u64,
    details: Option<&ZapDetails>,
) {
    WARN_ON_ONCE(tlb.mm != vma.vm_mm, "zap of another address space");
    if size == 0 {
        return;
    }
    __zap_vma_range(tlb, vma, address, address + size, details);
}

/// Clears the entries of a range of a VMA, TLBs included.
//= linux v7.3.4 mm/memory.c zap_vma_range
#[track_caller]
pub fn zap_vma_range(vma: Kptr<VmAreaStruct>, address: u64, size: u64) {
    let tlb = tlb_gather_mmu(vma.vm_mm);
    zap_vma_range_batched(&tlb, vma, address, size, None);
    tlb_finish_mmu(tlb);
}

/// As [`zap_vma_range`] for VMAs of frames; does nothing when the range is not wholly inside such a VMA.
//= linux v7.3.4 mm/memory.c zap_special_vma_range
#[track_caller]
pub fn zap_special_vma_range(vma: Kptr<VmAreaStruct>, address: u64, size: u64) {
    let inside = address >= vma.vm_start.get() && address + size <= vma.vm_end.get();
    if !inside || vma.vm_flags.get() & (VM_PFNMAP | VM_MIXEDMAP) == 0 {
        return;
    }
    zap_vma_range(vma, address, size);
}

//= linux v7.3.4 mm/memory.c unmap_mapping_range_tree
#[track_caller]
fn unmap_mapping_range_tree(
    mapping: Kptr<AddressSpace>,
    first_index: u64,
    last_index: u64,
    details: &ZapDetails,
) {
    for vma in mapping_rmap_tree_foreach(mapping, first_index, last_index) {
        let start_idx = first_index.max(vma_start_pgoff(vma));
        let end_idx = last_index.min(vma_last_pgoff(vma)) + 1;
        let offset = start_idx - vma_start_pgoff(vma);
        let start = vma.vm_start.get() + (offset << PAGE_SHIFT);
        let size = (end_idx - start_idx) << PAGE_SHIFT;

        let tlb = tlb_gather_mmu(vma.vm_mm);
        zap_vma_range_batched(&tlb, vma, start, size, Some(details));
        tlb_finish_mmu(tlb);
    }
}

/// Unmaps `nr` pages of a file from all address spaces, from page `start` on; 0: to the end.
///
/// Context: process. Takes `i_mmap_rwsem`. May sleep.
//= linux v7.3.4 mm/memory.c unmap_mapping_pages
#[track_caller]
pub fn unmap_mapping_pages(mapping: Kptr<AddressSpace>, start: u64, nr: u64, even_cows: bool) {
    let details = ZapDetails { skip_cows: !even_cows };
    let first_index = start;
    let mut last_index = start.wrapping_add(nr).wrapping_sub(1);
    if last_index < first_index {
        last_index = u64::MAX;
    }

    down_read(&mapping.i_mmap_rwsem);
    if mapping_mapped(mapping) {
        unmap_mapping_range_tree(mapping, first_index, last_index, &details);
    }
    up_read(&mapping.i_mmap_rwsem);
}

/// Unmaps a range of bytes of a file from all address spaces; a length of 0 means to the end. `even_cows`: also the
/// pages that private mappings made of it.
//= linux v7.3.4 mm/memory.c unmap_mapping_range
#[track_caller]
pub fn unmap_mapping_range(mapping: Kptr<AddressSpace>, holebegin: u64, holelen: u64, even_cows: bool) {
    let hba = holebegin >> PAGE_SHIFT;
    let hlen = holelen.saturating_add(PAGE_SIZE - 1) >> PAGE_SHIFT;

    unmap_mapping_pages(mapping, hba, hlen, even_cows);
}
