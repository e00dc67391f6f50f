// SPDX-License-Identifier: GPL-2.0-only
//! `mmap()`, `munmap()`, `fork()` and exit: mm/mmap.c, and the mmap half of mm/vma.c.

use kernel_model::prelude::*;

use crate::interval_tree::*;
use crate::mm_types::*;
use crate::mmap_lock::*;
use crate::mmu_gather::flush_tlb_mm_range;
use crate::pgprot::*;
use crate::pgtable::*;
use crate::vma::*;

/// Where user space may be given addresses from, downwards.
const MMAP_BASE: u64 = 0x7f00_0000_0000;

/// A free range of addresses, downwards from the top, aligned so that the largest leaf that fits may be used.
pub(crate) fn get_unmapped_area(mm: Kptr<MmStruct>, len: u64, pgoff: u64) -> KResult<u64> {
    let align = Level::ALL.iter().rev().find(|l| len >= l.size()).map_or(PAGE_SIZE, |l| l.size());
    let skew = (pgoff << PAGE_SHIFT) & (align - 1);
    let tree = mm.mm_mt.borrow();
    let mut top = MMAP_BASE;
    let mut below = tree.iter().rev();
    loop {
        let floor = match below.next() {
            Some((start, _)) if *start >= top => continue,
            Some((start, (end, _))) => (*end, Some(*start)),
            None => (PAGE_SIZE, None),
        };
        if let Some(room) = top.checked_sub(len) {
            let mut at = (room & !(align - 1)) + skew;
            if at > room {
                at = at.wrapping_sub(align);
            }
            if at >= floor.0 && at <= room {
                return Ok(at);
            }
        }
        top = floor.1.ok_or(ENOMEM)?;
    }
}

/// Maps `len` bytes of a file from page `pgoff` on, or anonymous memory. `fixed`: an address at which whatever is
/// there goes first. `flags`: `VM_READ`, `VM_WRITE`, `VM_EXEC`, and `VM_SHARED | VM_MAYSHARE` for a shared mapping.
///
/// Context: `mmap_lock` held for write.
///
/// # Errors
/// `EINVAL` for an empty length or an unaligned address, `ENOMEM` without room, `EOVERFLOW` when the end of the file's
/// pages overflows, or what the file's `mmap` says.
//= linux v7.3.4 mm/mmap.c do_mmap
#[track_caller]
pub fn do_mmap(
    mm: Kptr<MmStruct>,
    file: Option<VmFile>,
    fixed: Option<u64>,
    len: u64,
    flags: VmFlags,
    pgoff: u64,
) -> KResult<u64> {
    if len == 0 {
        return Err(EINVAL);
    }
    if len > TASK_SIZE {
        return Err(ENOMEM);
    }
    let len = len.next_multiple_of(PAGE_SIZE);
    if pgoff.checked_add(len >> PAGE_SHIFT).is_none() {
        return Err(EOVERFLOW);
    }
    let addr = match fixed {
        Some(addr) if addr & (PAGE_SIZE - 1) != 0 => return Err(EINVAL),
        Some(addr) if addr > TASK_SIZE - len => return Err(ENOMEM),
        Some(addr) => addr,
        None => get_unmapped_area(mm, len, if file.is_some() { pgoff } else { 0 })?,
    };
    let may = VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;
    mmap_region(mm, file, addr, len, flags | may, pgoff)
}

//= linux v7.3.4 mm/vma.c mmap_region
#[track_caller]
fn mmap_region(
    mm: Kptr<MmStruct>,
    file: Option<VmFile>,
    addr: u64,
    len: u64,
    flags: VmFlags,
    pgoff: u64,
) -> KResult<u64> {
    if find_vma(mm, addr).is_some_and(|v| v.vm_start.get() < addr + len) {
        do_vmi_munmap(mm, addr, len, false)?;
    }
    __mmap_new_vma(mm, file, addr, len, flags, pgoff)?;
    Ok(addr)
}

//= linux v7.3.4 mm/vma.c __mmap_new_vma
#[track_caller]
fn __mmap_new_vma(
    mm: Kptr<MmStruct>,
    file: Option<VmFile>,
    addr: u64,
    len: u64,
    flags: VmFlags,
    pgoff: u64,
) -> KResult {
    let vma = vm_area_alloc(mm, addr, addr + len, flags, pgoff)?;
    if let Some(file) = file
        && let Err(error) = __mmap_new_file_vma(vma, file)
    {
        vm_area_free(vma);
        return Err(error);
    }
    vma_link(vma);
    Ok(())
}

//= linux v7.3.4 mm/vma.c __mmap_new_file_vma
#[track_caller]
fn __mmap_new_file_vma(vma: Kptr<VmAreaStruct>, file: VmFile) -> KResult {
    vma.vm_file.set(Some(file.file));
    vma.vm_file_ops.set(Some(file));
    vma_get_file(vma);

    if let Err(error) = (file.mmap)(vma) {
        if let Some(file) = vma.vm_file.get() {
            fput(file);
        }
        vma.vm_file.set(None);
        vma.vm_file_ops.set(None);
        return Err(error);
    }
    Ok(())
}

/// The system call: maps a file or anonymous memory; see [`do_mmap`].
///
/// # Errors
/// As for [`do_mmap`].
//= linux v7.3.4 mm/util.c vm_mmap_pgoff
#[track_caller]
pub fn vm_mmap_pgoff(
    mm: Kptr<MmStruct>,
    file: Option<VmFile>,
    fixed: Option<u64>,
    len: u64,
    flags: VmFlags,
    pgoff: u64,
) -> KResult<u64> {
    mmap_write_lock(mm);
    let ret = do_mmap(mm, file, fixed, len, flags, pgoff);
    mmap_write_unlock(mm);
    ret
}

/// The system call: unmaps a range, which may cover several VMAs, or parts of them, or none.
///
/// # Errors
/// As for [`do_vmi_munmap`].
//= linux v7.3.4 mm/vma.c __vm_munmap
#[track_caller]
pub fn __vm_munmap(mm: Kptr<MmStruct>, start: u64, len: u64) -> KResult {
    mmap_write_lock(mm);
    let ret = do_vmi_munmap(mm, start, len, true);
    if ret.is_err() {
        mmap_write_unlock(mm);
    }
    ret
}

//= linux v7.3.4 mm/memory.c vma_needs_copy
fn vma_needs_copy(dst_vma: Kptr<VmAreaStruct>, src_vma: Kptr<VmAreaStruct>) -> bool {
    dst_vma.vm_flags.get() & VM_COPY_ON_FORK != 0 || src_vma.anon_vma.get()
}

/// Copies the entries of a VMA into its copy in another address space; those of a private mapping lose the right to
/// write on both sides.
//= linux v7.3.4 mm/memory.c copy_page_range
#[track_caller]
pub(crate) fn copy_page_range(dst_vma: Kptr<VmAreaStruct>, src_vma: Kptr<VmAreaStruct>) {
    if !vma_needs_copy(dst_vma, src_vma) {
        return;
    }
    let (src_mm, dst_mm) = (src_vma.vm_mm, dst_vma.vm_mm);
    let (start, end) = (src_vma.vm_start.get(), src_vma.vm_end.get());
    let is_cow = src_vma.vm_flags.get() & (VM_SHARED | VM_MAYWRITE) == VM_MAYWRITE;

    mutex_lock(&dst_mm.page_table_lock);
    mutex_lock_nested(&src_mm.page_table_lock, SINGLE_DEPTH_NESTING);
    let mut copies = Vec::new();
    src_mm.mmu.change(start, end, |leaf| {
        let entry = if is_cow { leaf.entry & !_PAGE_RW } else { leaf.entry };
        copies.push((leaf.addr, leaf.level, entry & !(_PAGE_ACCESSED | _PAGE_DIRTY)));
        entry
    });
    for (addr, level, entry) in copies {
        if entry & _PAGE_SPECIAL == 0 {
            src_mm.mem.get_page((entry & PTE_PFN_MASK) >> PAGE_SHIFT);
        }
        let set = dst_mm.mmu.set(addr, level, entry);
        WARN_ON(set.is_err(), "copy_page_range() into a page table that is not empty");
    }
    mutex_unlock(&src_mm.page_table_lock);
    mutex_unlock(&dst_mm.page_table_lock);
    if is_cow {
        flush_tlb_mm_range(src_mm, start, end);
    }
}

/// Copies an address space into a new one, as `fork()` does.
///
/// # Errors
/// `ENOMEM`; the new address space is then to be given up with [`exit_mmap`].
//= linux v7.3.4 mm/mmap.c dup_mmap
#[track_caller]
pub fn dup_mmap(mm: Kptr<MmStruct>, oldmm: Kptr<MmStruct>) -> KResult {
    let mut retval = Ok(());

    mmap_write_lock(oldmm);
    mmap_write_lock_nested(mm, SINGLE_DEPTH_NESTING);
    let mut at = 0;
    while let Some(mpnt) = find_vma(oldmm, at) {
        at = mpnt.vm_end.get();
        vma_start_write(mpnt);
        if mpnt.vm_flags.get() & VM_DONTCOPY != 0 {
            continue;
        }
        let tmp = match vm_area_dup(mm, mpnt) {
            Ok(tmp) => tmp,
            Err(e) => {
                retval = Err(e);
                break;
            }
        };
        vma_start_write(tmp);
        vma_mark_attached(tmp);
        mm.mt_version.fetch_update(|v| v + 1);
        mm.mm_mt.borrow_mut().insert(tmp.vm_start.get(), (tmp.vm_end.get(), tmp));

        if let Some(open) = tmp.vm_ops.get().and_then(|ops| ops.open) {
            open(tmp);
        }

        if let Some(file) = tmp.file() {
            let mapping = file.f_mapping;

            vma_get_file(tmp);
            down_write(&mapping.i_mmap_rwsem);
            mapping_rmap_tree_insert_after(tmp, mpnt, mapping);
            up_write(&mapping.i_mmap_rwsem);
        }

        copy_page_range(tmp, mpnt);
    }
    mmap_write_unlock(mm);
    mmap_write_unlock(oldmm);
    retval
}

/// Takes an address space down; its last user is gone.
//= linux v7.3.4 mm/mmap.c exit_mmap
#[track_caller]
pub fn exit_mmap(mm: Kptr<MmStruct>) {
    mmap_read_lock(mm);
    let vmas: Vec<_> = mm.mm_mt.borrow().values().map(|(_, vma)| *vma).collect();
    mmap_read_unlock(mm);
    mmap_write_lock(mm);
    mm.mm_mt.borrow_mut().clear();
    unmap_region(mm, &vmas);
    for vma in vmas {
        vma_start_write(vma);
        vma_mark_detached(vma);
        remove_vma(vma);
    }
    mmap_write_unlock(mm);
}

/// Frees an address space that was taken down.
///
/// In C: `__mmdrop`, kernel/fork.c.
pub fn mmdrop(mm: Kptr<MmStruct>) {
    for vma in mm.vm_areas_freed.take() {
        kfree(vma);
    }
    kfree(mm);
}

/// The VMAs of an address space as a reader sees them: start, end, flags. As in `/proc/PID/maps`.
pub fn maps(mm: Kptr<MmStruct>) -> Vec<(u64, u64, VmFlags)> {
    mm.mm_mt.borrow().iter().map(|(start, (end, vma))| (*start, *end, vma.vm_flags.get())).collect()
}
