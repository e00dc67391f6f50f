// SPDX-License-Identifier: GPL-2.0-only
//! Large leaves: what mm/huge_memory.c does for mappings of frames. Large pages of memory are not modelled.

use kernel_model::prelude::*;

use crate::memory::*;
use crate::mm_types::*;
use crate::mmu_gather::*;
use crate::pgprot::*;
use crate::pgtable::*;

/// Whether a fault may try large leaves: a driver that has `huge_fault` knows what it does.
///
/// In C: `thp_vma_allowable_order`, include/linux/huge_mm.h.
pub(crate) fn thp_vma_allowable_order(vma: Kptr<VmAreaStruct>) -> bool {
    vma.vm_ops.get().is_some_and(|ops| ops.huge_fault.is_some())
}

/// Installs a leaf of a level, unless something stands there. A table in the way is what an earlier fault of smaller
/// pages left: the entry is not none, and nothing is done.
#[track_caller]
fn insert_leaf(vma: Kptr<VmAreaStruct>, level: Level, addr: u64, pfn: u64, write: bool) -> VmFaultT {
    let mm = vma.vm_mm;
    if addr < vma.vm_start.get() || addr >= vma.vm_end.get() {
        return VM_FAULT_SIGBUS;
    }

    mutex_lock(&mm.page_table_lock);
    let slot = mm.mmu.table().slot(addr, level);
    let more = if write { _PAGE_ACCESSED | _PAGE_DIRTY | _PAGE_RW } else { 0 };
    match slot {
        Slot::None => {
            let prot = vma.vm_page_prot.get() | _PAGE_SPECIAL | more;
            let set = mm.mmu.set(addr, level, mk_entry(level, pfn, prot));
            WARN_ON(set.is_err(), "an empty entry cannot be set");
        }
        Slot::Leaf(leaf) if write && !WARN_ON_ONCE(leaf.pfn() != pfn, "insertion of another frame") => {
            let _ = mm.mmu.set(addr, level, leaf.entry | more);
        }
        _ => {}
    }
    mutex_unlock(&mm.page_table_lock);
    VM_FAULT_NOPAGE
}

//= linux v7.3.4 mm/huge_memory.c insert_pmd
#[track_caller]
fn insert_pmd(vma: Kptr<VmAreaStruct>, addr: u64, pfn: u64, write: bool) -> VmFaultT {
    insert_leaf(vma, Level::Pmd, addr, pfn, write)
}

/// Installs a 2 MiB leaf to frames from `pfn` on.
//= linux v7.3.4 mm/huge_memory.c vmf_insert_pfn_pmd
#[track_caller]
pub fn vmf_insert_pfn_pmd(vmf: &VmFault, pfn: u64, write: bool) -> VmFaultT {
    let addr = Level::Pmd.base(vmf.address);
    if !pfnmap_checks(vmf.vma, "vmf_insert_pfn_pmd()") {
        return VM_FAULT_SIGBUS;
    }
    insert_pmd(vmf.vma, addr, pfn, write)
}

//= linux v7.3.4 mm/huge_memory.c insert_pud
#[track_caller]
fn insert_pud(vma: Kptr<VmAreaStruct>, addr: u64, pfn: u64, write: bool) -> VmFaultT {
    insert_leaf(vma, Level::Pud, addr, pfn, write)
}

/// Installs a 1 GiB leaf to frames from `pfn` on.
//= linux v7.3.4 mm/huge_memory.c vmf_insert_pfn_pud
#[track_caller]
pub fn vmf_insert_pfn_pud(vmf: &VmFault, pfn: u64, write: bool) -> VmFaultT {
    let addr = Level::Pud.base(vmf.address);
    if !pfnmap_checks(vmf.vma, "vmf_insert_pfn_pud()") {
        return VM_FAULT_SIGBUS;
    }
    insert_pud(vmf.vma, addr, pfn, write)
}

/// A write to a read-only large leaf of frames: a driver with `huge_fault` is asked; if it falls back, the leaf goes
/// and small pages are faulted.
///
/// In C: `wp_huge_pmd` and `wp_huge_pud`, mm/memory.c.
#[track_caller]
pub(crate) fn wp_huge_leaf(vmf: &VmFault, leaf: &Leaf) -> VmFaultT {
    let vma = vmf.vma;
    let mm = vma.vm_mm;

    if vma.vm_flags.get() & (VM_SHARED | VM_MAYSHARE) != 0
        && let Some(huge_fault) = vma.vm_ops.get().and_then(|ops| ops.huge_fault)
    {
        let ret = huge_fault(vmf, leaf.level.order());
        if ret & VM_FAULT_FALLBACK == 0 {
            // The handler found the entry in place. Unlike the C, which relies on the handler to ask for write, the
            // leaf is made to go, so that the fault makes progress.
            let still = matches!(mm.mmu.table().slot(leaf.addr, leaf.level), Slot::Leaf(l) if !l.write());
            if !still {
                return ret;
            }
        }
    }
    split_huge_leaf(vma, leaf);
    VM_FAULT_FALLBACK
}

/// In C: `__split_huge_pmd` and `__split_huge_pud`, mm/huge_memory.c; for frames the leaf is cleared.
#[track_caller]
fn split_huge_leaf(vma: Kptr<VmAreaStruct>, leaf: &Leaf) {
    let mm = vma.vm_mm;
    let tlb = tlb_gather_mmu(mm);
    mutex_lock(&mm.page_table_lock);
    mm.mmu.change(leaf.addr, leaf.addr + leaf.level.size(), |l| {
        tlb_remove_tlb_entry(&tlb, l);
        0
    });
    mutex_unlock(&mm.page_table_lock);
    tlb_finish_mmu(tlb);
}
