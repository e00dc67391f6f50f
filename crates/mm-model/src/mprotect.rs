// SPDX-License-Identifier: GPL-2.0-only
//! `mprotect()`: mm/mprotect.c.

use kernel_model::prelude::*;

use crate::memory::vma_is_cow_mapping;
use crate::mm_types::*;
use crate::mmap_lock::*;
use crate::mmu_gather::*;
use crate::pgprot::*;
use crate::pgtable::*;
use crate::vma::*;

/// Gives the entries of a range a new protection; frames and memory types stay. A large leaf that is only touched
/// goes, as one that would be split.
//= linux v7.3.4 mm/mprotect.c change_protection
#[track_caller]
fn change_protection(tlb: &MmuGather, vma: Kptr<VmAreaStruct>, start: u64, end: u64) {
    let mm = vma.vm_mm;
    let newprot = vma.vm_page_prot.get();
    let shared = !vma_is_cow_mapping(vma);

    mutex_lock(&mm.page_table_lock);
    mm.mmu.change(start, end, |leaf| {
        tlb_remove_tlb_entry(tlb, leaf);
        if leaf.addr < start || leaf.addr + leaf.level.size() > end {
            return 0;
        }
        let mut entry = leaf.entry & !(_PAGE_RW | _PAGE_NX | _PAGE_PRESENT | _PAGE_USER);
        entry |= newprot & (_PAGE_NX | _PAGE_PRESENT | _PAGE_USER);
        if shared {
            entry |= newprot & _PAGE_RW;
        }
        // Without access nothing is present: the entry goes, as one that a fault refuses.
        if newprot & _PAGE_PRESENT == 0 && leaf.entry & _PAGE_SPECIAL != 0 { 0 } else { entry }
    });
    mutex_unlock(&mm.page_table_lock);
}

/// Gives `start..end` of a VMA new flags, splitting it where need be.
///
/// # Errors
/// That of a split.
//= linux v7.3.4 mm/mprotect.c mprotect_fixup
#[track_caller]
fn mprotect_fixup(
    tlb: &MmuGather,
    vma: Kptr<VmAreaStruct>,
    start: u64,
    end: u64,
    newflags: VmFlags,
) -> KResult {
    if newflags == vma.vm_flags.get() {
        return Ok(());
    }
    if start > vma.vm_start.get() {
        __split_vma(vma, start, true)?;
    }
    if end < vma.vm_end.get() {
        __split_vma(vma, end, false)?;
    }
    vma_start_write(vma);
    vma.vm_flags.set(newflags);
    let type_ = vma.vm_page_prot.get() & (_PAGE_PWT | _PAGE_PCD | _PAGE_PAT);
    vma.vm_page_prot.set(vm_get_page_prot(newflags) | type_);
    change_protection(tlb, vma, start, end);
    Ok(())
}

/// The system call: gives a range the access `prot` (`VM_READ | VM_WRITE | VM_EXEC`).
///
/// # Errors
/// `EINVAL` for an unaligned start, `ENOMEM` when part of the range is not mapped, `EACCES` when the mapping may never
/// have that access, or that of a split. What was changed before the error stays changed.
//= linux v7.3.4 mm/mprotect.c do_mprotect_pkey
#[track_caller]
pub fn do_mprotect_pkey(mm: Kptr<MmStruct>, start: u64, len: u64, prot: VmFlags) -> KResult {
    if start & (PAGE_SIZE - 1) != 0 {
        return Err(EINVAL);
    }
    if len == 0 {
        return Ok(());
    }
    let end = start.checked_add(len.next_multiple_of(PAGE_SIZE)).ok_or(ENOMEM)?;

    mmap_write_lock(mm);
    let tlb = tlb_gather_mmu(mm);
    let mut error = Ok(());
    let mut nstart = start;
    while nstart < end {
        let Some(vma) = find_vma(mm, nstart).filter(|v| v.vm_start.get() <= nstart) else {
            error = Err(ENOMEM);
            break;
        };
        let newflags = vma.vm_flags.get() & !VM_ACCESS_FLAGS | prot & VM_ACCESS_FLAGS;
        if newflags & !(newflags >> 4) & VM_ACCESS_FLAGS != 0 {
            error = Err(EACCES);
            break;
        }
        let tmp = vma.vm_end.get().min(end);
        error = mprotect_fixup(&tlb, vma, nstart, tmp, newflags);
        if error.is_err() {
            break;
        }
        nstart = tmp;
    }
    tlb_finish_mmu(tlb);
    mmap_write_unlock(mm);
    error
}
