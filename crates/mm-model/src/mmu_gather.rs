// SPDX-License-Identifier: GPL-2.0-only
//! Collected teardown: mm/mmu_gather.c. What a walk clears is remembered; at the end one shootdown covers all of it,
//! and only then pages are freed.

use std::cell::{Cell, RefCell};

use kernel_model::prelude::*;

use crate::mm_types::*;
use crate::pgtable::Leaf;

/// A teardown that is under way.
///
/// In C: `mmu_gather`, include/asm-generic/tlb.h.
#[derive(Debug)]
pub struct MmuGather {
    /// The address space.
    pub mm: Kptr<MmStruct>,
    start: Cell<u64>,
    end: Cell<u64>,
    pages: RefCell<Vec<u64>>,
}

/// Begins a teardown.
//= linux v7.3.4 mm/mmu_gather.c tlb_gather_mmu
pub fn tlb_gather_mmu(mm: Kptr<MmStruct>) -> MmuGather {
    MmuGather { mm, start: Cell::new(u64::MAX), end: Cell::new(0), pages: RefCell::default() }
}

/// A leaf was cleared or changed: the shootdown must cover it, whole.
///
/// In C: `tlb_remove_tlb_entry`, include/asm-generic/tlb.h.
pub(crate) fn tlb_remove_tlb_entry(tlb: &MmuGather, leaf: &Leaf) {
    tlb.start.set(tlb.start.get().min(leaf.addr));
    tlb.end.set(tlb.end.get().max(leaf.addr + leaf.level.size()));
}

/// A page of memory goes when the shootdown is over.
///
/// In C: `__tlb_remove_page`, mm/mmu_gather.c.
pub(crate) fn tlb_remove_page(tlb: &MmuGather, pfn: u64) {
    tlb.pages.borrow_mut().push(pfn);
}

/// Shoots down what was collected.
//= linux v7.3.4 mm/mmu_gather.c tlb_flush_mmu
#[track_caller]
pub(crate) fn tlb_flush_mmu(tlb: &MmuGather) {
    let (start, end) = (tlb.start.replace(u64::MAX), tlb.end.replace(0));
    if start < end {
        flush_tlb_mm_range(tlb.mm, start, end);
    }
    for pfn in tlb.pages.take() {
        tlb.mm.mem.put_page(pfn);
    }
}

/// Ends a teardown: after it no CPU reaches anything that was cleared.
//= linux v7.3.4 mm/mmu_gather.c tlb_finish_mmu
#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "the teardown is over")]
pub fn tlb_finish_mmu(tlb: MmuGather) {
    tlb_flush_mmu(&tlb);
}

/// Empties the TLBs of all CPUs of a range.
//= linux v7.3.4 arch/x86/mm/tlb.c flush_tlb_mm_range
#[track_caller]
pub fn flush_tlb_mm_range(mm: Kptr<MmStruct>, start: u64, end: u64) {
    let entries = mm.mmu.shootdown(start, end);
    pr_note(|| format!("tlb shootdown of {start:#x}-{end:#x}: {entries} entries"));
}
