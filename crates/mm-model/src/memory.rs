// SPDX-License-Identifier: GPL-2.0-only
//! Faults: the fault half of mm/memory.c, in the order of the C.
//!
//! A fault tries the largest leaf first: 1 GiB, then 2 MiB by `huge_fault`, then a page by `fault`. A handler that
//! says [`VM_FAULT_FALLBACK`] is asked for the next smaller one. `fault` of a file runs under `mmap_lock`, not under
//! the VMA lock: the fault is repeated with it.

use std::cell::Cell as StdCell;

use kernel_model::prelude::*;

use crate::huge_memory::*;
use crate::mm_types::*;
use crate::mmap_lock::vma_end_read;
use crate::mmu_gather::flush_tlb_mm_range;
use crate::pgprot::*;
use crate::pgtable::*;

/// Whether the VMA has no driver.
//= linux v7.3.4 include/linux/mm.h vma_is_anonymous
pub fn vma_is_anonymous(vma: Kptr<VmAreaStruct>) -> bool {
    vma.vm_ops.get().is_none()
}

/// Whether a write makes a copy of the page.
///
/// In C: `vma_is_cow_mapping`, include/linux/mm.h.
pub fn vma_is_cow_mapping(vma: Kptr<VmAreaStruct>) -> bool {
    vma.vm_flags.get() & (VM_SHARED | VM_MAYWRITE) == VM_MAYWRITE
}

/// Pages from the start of the VMA to `address`.
///
/// In C: `linear_page_delta`, include/linux/pagemap.h.
pub fn linear_page_delta(vma: Kptr<VmAreaStruct>, address: u64) -> u64 {
    (address - vma.vm_start.get()) >> PAGE_SHIFT
}

/// The page of the file that is mapped at `address`.
///
/// In C: `linear_page_index`, include/linux/pagemap.h.
pub fn linear_page_index(vma: Kptr<VmAreaStruct>, address: u64) -> u64 {
    vma.vm_pgoff.get() + linear_page_delta(vma, address)
}

//= linux v7.3.4 mm/memory.c insert_pfn
#[track_caller]
fn insert_pfn(vma: Kptr<VmAreaStruct>, addr: u64, pfn: u64, prot: Pgprot) -> VmFaultT {
    let mm = vma.vm_mm;

    mutex_lock(&mm.page_table_lock);
    let slot = mm.mmu.table().slot(addr, Level::Pte);
    let ret = match slot {
        Slot::None => match mm.mmu.set(addr, Level::Pte, mk_entry(Level::Pte, pfn, prot | _PAGE_SPECIAL)) {
            Ok(()) => VM_FAULT_NOPAGE,
            Err(_) => VM_FAULT_OOM,
        },
        Slot::Leaf(_) => VM_FAULT_NOPAGE,
        // walk_to_pmd() does not go below a leaf.
        Slot::Table | Slot::Above(_) => VM_FAULT_OOM,
    };
    mutex_unlock(&mm.page_table_lock);
    ret
}

/// Installs a page sized entry to a frame, with a protection of the caller's.
//= linux v7.3.4 mm/memory.c vmf_insert_pfn_prot
#[track_caller]
pub fn vmf_insert_pfn_prot(vma: Kptr<VmAreaStruct>, addr: u64, pfn: u64, pgprot: Pgprot) -> VmFaultT {
    if !pfnmap_checks(vma, "vmf_insert_pfn()") {
        return VM_FAULT_SIGBUS;
    }
    if addr < vma.vm_start.get() || addr >= vma.vm_end.get() {
        return VM_FAULT_SIGBUS;
    }
    insert_pfn(vma, addr, pfn, pgprot)
}

/// The conditions on the VMA for which the C has `BUG_ON`; a broken one is reported and nothing installed.
#[track_caller]
pub(crate) fn pfnmap_checks(vma: Kptr<VmAreaStruct>, what: &str) -> bool {
    let flags = vma.vm_flags.get();
    let both = VM_PFNMAP | VM_MIXEDMAP;
    let no_frames = flags & both == 0;
    let conflict = flags & both == both || flags & VM_PFNMAP != 0 && vma_is_cow_mapping(vma);
    !WARN_ON(no_frames || conflict, &format!("kernel BUG: {what} on a VMA that is not for frames"))
}

/// Installs a page sized entry to a frame.
//= linux v7.3.4 mm/memory.c vmf_insert_pfn
#[track_caller]
pub fn vmf_insert_pfn(vma: Kptr<VmAreaStruct>, addr: u64, pfn: u64) -> VmFaultT {
    vmf_insert_pfn_prot(vma, addr, pfn, vma.vm_page_prot.get())
}

/// `fault` of a file is not called under the VMA lock.
//= linux v7.3.4 mm/memory.c vmf_can_call_fault
#[track_caller]
fn vmf_can_call_fault(vmf: &VmFault) -> VmFaultT {
    if vmf.flags & FAULT_FLAG_VMA_LOCK == 0 {
        return 0;
    }
    vma_end_read(vmf.vma);
    VM_FAULT_RETRY
}

//= linux v7.3.4 mm/memory.c __do_fault
#[track_caller]
fn __do_fault(vmf: &VmFault) -> VmFaultT {
    let ops = vmf.vma.vm_ops.get().expect("a VMA of a file");
    let fault = ops.fault.expect("checked by do_fault");
    fault(vmf)
}

/// Installs a page of memory; the reference that came with it goes to the entry, or is dropped.
//= linux v7.3.4 mm/memory.c finish_fault
#[track_caller]
fn finish_fault(vmf: &VmFault, page: u64, extra: u64) -> VmFaultT {
    let vma = vmf.vma;
    let mm = vma.vm_mm;

    mutex_lock(&mm.page_table_lock);
    let none = mm.mmu.table().slot(vmf.address, Level::Pte) == Slot::None;
    let mut ret = VM_FAULT_NOPAGE;
    if none {
        let entry = mk_entry(Level::Pte, page, vma.vm_page_prot.get() | extra);
        if mm.mmu.set(vmf.address, Level::Pte, entry).is_ok() {
            ret = 0;
        }
    }
    mutex_unlock(&mm.page_table_lock);
    if ret != 0 {
        mm.mem.put_page(page);
    }
    ret
}

//= linux v7.3.4 mm/memory.c do_read_fault
#[track_caller]
fn do_read_fault(vmf: &VmFault) -> VmFaultT {
    let ret = vmf_can_call_fault(vmf);
    if ret != 0 {
        return ret;
    }
    let ret = __do_fault(vmf);
    if ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY) != 0 {
        return ret;
    }
    let Some(page) = vmf.page.get() else { return VM_FAULT_SIGBUS };
    ret | finish_fault(vmf, page, 0)
}

//= linux v7.3.4 mm/memory.c do_cow_fault
#[track_caller]
fn do_cow_fault(vmf: &VmFault) -> VmFaultT {
    let ret = vmf_can_call_fault(vmf);
    if ret != 0 {
        return ret;
    }
    let ret = __do_fault(vmf);
    if ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY) != 0 {
        return ret;
    }
    let Some(page) = vmf.page.get() else { return VM_FAULT_SIGBUS };
    let mem = vmf.vma.vm_mm.mem;
    let cow_page = mem.alloc_page();
    mem.copy_page(cow_page, page);
    mem.put_page(page);
    vmf.vma.anon_vma.set(true);
    ret | finish_fault(vmf, cow_page, anon_write(vmf.vma))
}

//= linux v7.3.4 mm/memory.c do_shared_fault
#[track_caller]
fn do_shared_fault(vmf: &VmFault) -> VmFaultT {
    let ret = vmf_can_call_fault(vmf);
    if ret != 0 {
        return ret;
    }
    let ret = __do_fault(vmf);
    if ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY) != 0 {
        return ret;
    }
    let Some(page) = vmf.page.get() else { return VM_FAULT_SIGBUS };
    ret | finish_fault(vmf, page, 0)
}

//= linux v7.3.4 mm/memory.c do_fault
#[track_caller]
fn do_fault(vmf: &VmFault) -> VmFaultT {
    let vma = vmf.vma;
    let has_fault = vma.vm_ops.get().is_some_and(|ops| ops.fault.is_some());

    if !has_fault {
        let mm = vma.vm_mm;
        mutex_lock(&mm.page_table_lock);
        let none = mm.mmu.table().slot(vmf.address, Level::Pte) == Slot::None;
        mutex_unlock(&mm.page_table_lock);
        if none { VM_FAULT_SIGBUS } else { VM_FAULT_NOPAGE }
    } else if vmf.flags & FAULT_FLAG_WRITE == 0 {
        do_read_fault(vmf)
    } else if vma.vm_flags.get() & VM_SHARED == 0 {
        do_cow_fault(vmf)
    } else {
        do_shared_fault(vmf)
    }
}

/// Bits of an entry to a page that belongs to this mapping alone.
fn anon_write(vma: Kptr<VmAreaStruct>) -> u64 {
    _PAGE_ANON | if vma.vm_flags.get() & VM_WRITE != 0 { _PAGE_RW } else { 0 }
}

/// A page of anonymous memory. The zero page is not modelled: a read makes a page too.
//= linux v7.3.4 mm/memory.c do_anonymous_page
#[track_caller]
fn do_anonymous_page(vmf: &VmFault) -> VmFaultT {
    let page = vmf.vma.vm_mm.mem.alloc_page();
    vmf.vma.anon_vma.set(true);
    finish_fault(vmf, page, anon_write(vmf.vma))
}

//= linux v7.3.4 mm/memory.c do_pte_missing
#[track_caller]
fn do_pte_missing(vmf: &VmFault) -> VmFaultT {
    if vma_is_anonymous(vmf.vma) { do_anonymous_page(vmf) } else { do_fault(vmf) }
}

/// A write to a read-only entry: a frame of a shared mapping becomes writable, a page is copied unless it is this
/// mapping's alone.
///
/// Context: the page-table lock is held; it is released.
//= linux v7.3.4 mm/memory.c do_wp_page
#[track_caller]
fn do_wp_page(vmf: &VmFault, leaf: &Leaf) -> VmFaultT {
    let vma = vmf.vma;
    let mm = vma.vm_mm;
    let special = leaf.entry & _PAGE_SPECIAL != 0;
    let reuse = leaf.entry & _PAGE_ANON != 0 && mm.mem.page_count(leaf.pfn()) == 1;

    if vma.vm_flags.get() & VM_SHARED != 0 || reuse {
        let _ = mm.mmu.set(leaf.addr, leaf.level, leaf.entry | _PAGE_RW | _PAGE_DIRTY);
        mutex_unlock(&mm.page_table_lock);
        return 0;
    }
    if WARN_ON(special, "do_wp_page() of a frame in a private mapping") {
        mutex_unlock(&mm.page_table_lock);
        return VM_FAULT_SIGBUS;
    }
    // The C copies without the lock and looks again; the copy is one step of the memory here.
    let page = mm.mem.alloc_page();
    mm.mem.copy_page(page, leaf.pfn());
    vma.anon_vma.set(true);
    let entry = mk_entry(Level::Pte, page, vma.vm_page_prot.get() | anon_write(vma));
    let _ = mm.mmu.set(leaf.addr, Level::Pte, entry);
    flush_tlb_mm_range(mm, leaf.addr, leaf.addr + PAGE_SIZE);
    mutex_unlock(&mm.page_table_lock);
    mm.mem.put_page(leaf.pfn());
    0
}

//= linux v7.3.4 mm/memory.c handle_pte_fault
#[track_caller]
fn handle_pte_fault(vmf: &VmFault) -> VmFaultT {
    let mm = vmf.vma.vm_mm;
    let orig_pte = match mm.mmu.read(vmf.address, Level::Pte) {
        Slot::Leaf(leaf) => leaf,
        // A large leaf came in between: the access is tried again.
        Slot::Above(_) => return 0,
        Slot::None | Slot::Table => return do_pte_missing(vmf),
    };

    mutex_lock(&mm.page_table_lock);
    let same = mm.mmu.table().slot(vmf.address, Level::Pte) == Slot::Leaf(orig_pte);
    if same && vmf.flags & FAULT_FLAG_WRITE != 0 && !orig_pte.write() {
        return do_wp_page(vmf, &orig_pte);
    }
    mutex_unlock(&mm.page_table_lock);
    0
}

//= linux v7.3.4 mm/memory.c create_huge_pmd
#[track_caller]
fn create_huge_pmd(vmf: &VmFault) -> VmFaultT {
    match vmf.vma.vm_ops.get().and_then(|ops| ops.huge_fault) {
        Some(huge_fault) => huge_fault(vmf, PMD_ORDER),
        None => VM_FAULT_FALLBACK,
    }
}

//= linux v7.3.4 mm/memory.c create_huge_pud
#[track_caller]
fn create_huge_pud(vmf: &VmFault) -> VmFaultT {
    if vma_is_anonymous(vmf.vma) {
        return VM_FAULT_FALLBACK;
    }
    match vmf.vma.vm_ops.get().and_then(|ops| ops.huge_fault) {
        Some(huge_fault) => huge_fault(vmf, PUD_ORDER),
        None => VM_FAULT_FALLBACK,
    }
}

/// Context: `mmap_lock` or the VMA lock is held for reading.
//= linux v7.3.4 mm/memory.c __handle_mm_fault
#[track_caller]
fn __handle_mm_fault(vma: Kptr<VmAreaStruct>, address: u64, flags: u32) -> VmFaultT {
    let vmf = VmFault {
        vma,
        address: address & !(PAGE_SIZE - 1),
        flags,
        pgoff: linear_page_index(vma, address),
        page: StdCell::new(None),
    };
    let mm = vma.vm_mm;
    let write = flags & FAULT_FLAG_WRITE != 0;

    match mm.mmu.read(vmf.address, Level::Pud) {
        Slot::None if thp_vma_allowable_order(vma) => {
            let ret = create_huge_pud(&vmf);
            if ret & VM_FAULT_FALLBACK == 0 {
                return ret;
            }
        }
        Slot::Leaf(orig_pud) => {
            if write && !orig_pud.write() {
                let ret = wp_huge_leaf(&vmf, &orig_pud);
                if ret & VM_FAULT_FALLBACK == 0 {
                    return ret;
                }
            } else {
                return 0;
            }
        }
        Slot::None | Slot::Table | Slot::Above(_) => {}
    }

    match mm.mmu.read(vmf.address, Level::Pmd) {
        Slot::None if thp_vma_allowable_order(vma) => {
            let ret = create_huge_pmd(&vmf);
            if ret & VM_FAULT_FALLBACK == 0 {
                return ret;
            }
        }
        Slot::Leaf(orig_pmd) => {
            if write && !orig_pmd.write() {
                let ret = wp_huge_leaf(&vmf, &orig_pmd);
                if ret & VM_FAULT_FALLBACK == 0 {
                    return ret;
                }
            } else {
                return 0;
            }
        }
        // A 1 GiB leaf came in between: the access is tried again.
        Slot::Above(_) => return 0,
        Slot::None | Slot::Table => {}
    }

    handle_pte_fault(&vmf)
}

/// What cannot be: a write where writing was never allowed.
//= linux v7.3.4 mm/memory.c sanitize_fault_flags
#[track_caller]
fn sanitize_fault_flags(vma: Kptr<VmAreaStruct>, flags: u32) -> VmFaultT {
    if flags & FAULT_FLAG_WRITE != 0 {
        if WARN_ON_ONCE(vma.vm_flags.get() & VM_MAYWRITE == 0, "write fault without VM_MAYWRITE") {
            return VM_FAULT_SIGSEGV;
        }
        let odd = vma.vm_flags.get() & VM_WRITE == 0 && !vma_is_cow_mapping(vma);
        if WARN_ON_ONCE(odd, "write fault on a read-only mapping") {
            return VM_FAULT_SIGSEGV;
        }
    }
    0
}

/// Resolves a fault.
///
/// Context: `mmap_lock` or, with [`FAULT_FLAG_VMA_LOCK`], the VMA lock is held for reading; the latter is dropped if
/// the result has [`VM_FAULT_RETRY`].
//= linux v7.3.4 mm/memory.c handle_mm_fault
#[track_caller]
pub fn handle_mm_fault(vma: Kptr<VmAreaStruct>, address: u64, flags: u32) -> VmFaultT {
    let ret = sanitize_fault_flags(vma, flags);
    if ret != 0 {
        return ret;
    }
    __handle_mm_fault(vma, address, flags)
}
