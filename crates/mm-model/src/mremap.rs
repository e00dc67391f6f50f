// SPDX-License-Identifier: GPL-2.0-only
//! `mremap()`: mm/mremap.c. Shrinks, and moves; an expansion in place where there is room.
//!
//! A moved entry leaves no window: the target of the move stands behind the source in the file's tree, so that
//! `unmap_mapping_range()` finds it at one of the two.

use kernel_model::prelude::*;

use crate::memory::linear_page_index;
use crate::mm_types::*;
use crate::mmap_lock::*;
use crate::mmu_gather::flush_tlb_mm_range;
use crate::pgprot::_PAGE_SPECIAL;
use crate::pgtable::*;
use crate::vma::*;

/// `mremap()` may move the mapping.
pub const MREMAP_MAYMOVE: u32 = 1;
/// `mremap()` moves the mapping to the address that is given.
pub const MREMAP_FIXED: u32 = 2;

/// Moves the entries of a range; TLBs are shot down before anybody can use the old place for something else. Large
/// leaves move as they are if both places are aligned, else they go and are faulted again.
//= linux v7.3.4 mm/mremap.c move_page_tables
#[track_caller]
fn move_page_tables(mm: Kptr<MmStruct>, old_addr: u64, new_addr: u64, len: u64) {
    mutex_lock(&mm.page_table_lock);
    let mut moved = Vec::new();
    mm.mmu.change(old_addr, old_addr + len, |leaf| {
        moved.push(*leaf);
        0
    });
    let inside = |l: &Leaf| l.addr >= old_addr && l.addr + l.level.size() <= old_addr + len;
    let fits = |l: &Leaf| (new_addr.wrapping_sub(old_addr)) & (l.level.size() - 1) == 0;
    for leaf in &moved {
        let special = leaf.entry & _PAGE_SPECIAL != 0;
        if inside(leaf) && fits(leaf) {
            let set = mm.mmu.set(leaf.addr - old_addr + new_addr, leaf.level, leaf.entry);
            WARN_ON(set.is_err() && !special, "move_page_tables() to a place that is not empty");
        }
    }
    if !moved.is_empty() {
        flush_tlb_mm_range(mm, old_addr, old_addr + len);
    }
    mutex_unlock(&mm.page_table_lock);
}

/// A copy of the range `addr..addr + old_len` of a VMA at another place.
///
/// # Errors
/// `ENOMEM`.
//= linux v7.3.4 mm/vma.c copy_vma
#[track_caller]
fn copy_vma(vma: Kptr<VmAreaStruct>, new_addr: u64, len: u64, pgoff: u64) -> KResult<Kptr<VmAreaStruct>> {
    let new_vma = vm_area_dup(vma.vm_mm, vma)?;
    new_vma.vm_start.set(new_addr);
    new_vma.vm_end.set(new_addr + len);
    new_vma.vm_pgoff.set(pgoff);
    vma_get_file(new_vma);
    if let Some(open) = new_vma.vm_ops.get().and_then(|ops| ops.open) {
        open(new_vma);
    }
    vma_link(new_vma);
    Ok(new_vma)
}

//= linux v7.3.4 mm/mremap.c move_vma
#[track_caller]
fn move_vma(vma: Kptr<VmAreaStruct>, addr: u64, old_len: u64, new_len: u64, new_addr: u64) -> KResult<u64> {
    let mm = vma.vm_mm;
    vma_start_write(vma);
    copy_vma(vma, new_addr, new_len, linear_page_index(vma, addr))?;
    move_page_tables(mm, addr, new_addr, old_len);
    do_vmi_munmap(mm, addr, old_len, false)?;
    Ok(new_addr)
}

/// What an expansion, or a move, must not do.
///
/// # Errors
/// `EFAULT` for a range that is not in one VMA, or for an expansion of [`VM_DONTEXPAND`] or [`VM_PFNMAP`].
//= linux v7.3.4 mm/mremap.c check_prep_vma
fn check_prep_vma(vma: Option<Kptr<VmAreaStruct>>, addr: u64, old_len: u64, new_len: u64) -> KResult {
    let vma = vma.filter(|v| v.vm_start.get() <= addr).ok_or(EFAULT)?;
    if old_len.min(new_len) > vma.vm_end.get() - addr {
        return Err(EFAULT);
    }
    if new_len <= old_len {
        return Ok(());
    }
    if old_len > vma.vm_end.get() - addr {
        return Err(EFAULT);
    }
    if vma.vm_flags.get() & (VM_DONTEXPAND | VM_PFNMAP) != 0 {
        return Err(EFAULT);
    }
    Ok(())
}

/// In C: `check_mremap_params`, mm/mremap.c; lengths are page aligned.
fn check_mremap_params(addr: u64, old_len: u64, new_len: u64, flags: u32, new_addr: u64) -> KResult {
    if flags & !(MREMAP_MAYMOVE | MREMAP_FIXED) != 0 || addr & (PAGE_SIZE - 1) != 0 {
        return Err(EINVAL);
    }
    if old_len == 0 || new_len == 0 || new_len > TASK_SIZE || old_len > TASK_SIZE || addr > TASK_SIZE {
        return Err(EINVAL);
    }
    if flags & MREMAP_FIXED == 0 {
        return Ok(());
    }
    if new_addr > TASK_SIZE - new_len || new_addr & (PAGE_SIZE - 1) != 0 || flags & MREMAP_MAYMOVE == 0 {
        return Err(EINVAL);
    }
    if addr < new_addr + new_len && new_addr < addr + old_len {
        return Err(EINVAL);
    }
    Ok(())
}

/// The system call: changes the length of a mapping, or moves it. `old_len` of 0 (a second mapping of the same pages)
/// is not modelled and gives `EINVAL`.
///
/// # Errors
/// `EINVAL` for arguments that make no sense, `EFAULT` for a range that is not in one VMA and for an expansion of
/// [`VM_DONTEXPAND`] or [`VM_PFNMAP`], `ENOMEM` without room.
//= linux v7.3.4 mm/mremap.c do_mremap
#[track_caller]
pub fn do_mremap(
    mm: Kptr<MmStruct>,
    addr: u64,
    old_len: u64,
    new_len: u64,
    flags: u32,
    new_addr: u64,
) -> KResult<u64> {
    let (old_len, new_len) = (old_len.next_multiple_of(PAGE_SIZE), new_len.next_multiple_of(PAGE_SIZE));
    check_mremap_params(addr, old_len, new_len, flags, new_addr)?;

    mmap_write_lock(mm);
    let ret = mremap_at(mm, addr, old_len, new_len, flags, new_addr);
    mmap_write_unlock(mm);
    ret
}

//= linux v7.3.4 mm/mremap.c mremap_at
#[track_caller]
fn mremap_at(
    mm: Kptr<MmStruct>,
    addr: u64,
    old_len: u64,
    new_len: u64,
    flags: u32,
    new_addr: u64,
) -> KResult<u64> {
    let vma = find_vma(mm, addr);
    check_prep_vma(vma, addr, old_len, new_len)?;

    let mut old_len = old_len;
    if new_len < old_len {
        do_vmi_munmap(mm, addr + new_len, old_len - new_len, false)?;
        old_len = new_len;
    }
    let vma = find_vma(mm, addr).ok_or(EFAULT)?;
    if flags & MREMAP_FIXED != 0 {
        if find_vma(mm, new_addr).is_some_and(|v| v.vm_start.get() < new_addr + new_len) {
            do_vmi_munmap(mm, new_addr, new_len, false)?;
        }
        // The target may have been part of the same VMA, which is then split: look again.
        let vma = find_vma(mm, addr).filter(|v| v.vm_start.get() <= addr).ok_or(EFAULT)?;
        return move_vma(vma, addr, old_len, new_len, new_addr);
    }
    if new_len == old_len {
        return Ok(addr);
    }
    let end = vma.vm_end.get();
    let room = find_vma(mm, end).map_or(TASK_SIZE, |v| v.vm_start.get());
    if addr + old_len == end && addr + new_len <= room {
        vma_start_write(vma);
        vma_expand(vma, addr + new_len);
        return Ok(addr);
    }
    if flags & MREMAP_MAYMOVE == 0 {
        return Err(ENOMEM);
    }
    let new_addr = crate::mmap::get_unmapped_area(mm, new_len, linear_page_index(vma, addr))?;
    move_vma(vma, addr, old_len, new_len, new_addr)
}
