// SPDX-License-Identifier: GPL-2.0-only
//! `madvise(MADV_DONTNEED)`: mm/madvise.c.

use kernel_model::prelude::*;

use crate::mm_types::*;
use crate::mmap_lock::*;
use crate::mmu_gather::*;
use crate::pgtable::PAGE_SIZE;
use crate::vma::find_vma;
use crate::zap::zap_vma_range_batched;

/// Mappings of frames cannot be given up page by page.
//= linux v7.3.4 mm/madvise.c madvise_dontneed_free_valid_vma
fn madvise_dontneed_free_valid_vma(vma: Kptr<VmAreaStruct>) -> bool {
    vma.vm_flags.get() & VM_PFNMAP == 0
}

//= linux v7.3.4 mm/madvise.c madvise_dontneed_single_vma
#[track_caller]
fn madvise_dontneed_single_vma(tlb: &MmuGather, vma: Kptr<VmAreaStruct>, start: u64, end: u64) {
    zap_vma_range_batched(tlb, vma, start, end - start, None);
}

/// The system call with `MADV_DONTNEED`: the pages of a range are given up. Always under `mmap_lock` here, where the C
/// tries the VMA lock first for a range in one VMA.
///
/// # Errors
/// `EINVAL` for an unaligned start or a mapping of frames; `ENOMEM` when part of the range is not mapped, after the
/// rest was done.
//= linux v7.3.4 mm/madvise.c do_madvise
#[track_caller]
pub fn do_madvise(mm: Kptr<MmStruct>, start: u64, len: u64) -> KResult {
    if start & (PAGE_SIZE - 1) != 0 {
        return Err(EINVAL);
    }
    let end = start.checked_add(len.next_multiple_of(PAGE_SIZE)).ok_or(EINVAL)?;
    let mut ret = Ok(());

    mmap_read_lock(mm);
    let tlb = tlb_gather_mmu(mm);
    let mut at = start;
    while at < end {
        let Some(vma) = find_vma(mm, at).filter(|v| v.vm_start.get() < end) else {
            ret = Err(ENOMEM);
            break;
        };
        if at < vma.vm_start.get() {
            ret = Err(ENOMEM);
            at = vma.vm_start.get();
        }
        if !madvise_dontneed_free_valid_vma(vma) {
            ret = Err(EINVAL);
            break;
        }
        let tmp = vma.vm_end.get().min(end);
        madvise_dontneed_single_vma(&tlb, vma, at, tmp);
        at = tmp;
    }
    tlb_finish_mmu(tlb);
    mmap_read_unlock(mm);
    ret
}
