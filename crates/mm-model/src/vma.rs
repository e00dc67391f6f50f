// SPDX-License-Identifier: GPL-2.0-only
//! VMAs: mm/vma.c. Neighbours are never merged: a merge changes no page and no access.

use std::cell::Cell as StdCell;

use explorer::sync::Cell;
use kernel_model::prelude::*;

use crate::interval_tree::*;
use crate::mm_types::*;
use crate::mmap_lock::*;
use crate::mmu_gather::*;
use crate::pgprot::*;
use crate::pgtable::*;
use crate::zap::zap_vma_range_batched;

/// A VMA that nobody knows yet.
///
/// In C: `vm_area_alloc`, mm/vma_init.c.
pub(crate) fn vm_area_alloc(
    mm: Kptr<MmStruct>,
    start: u64,
    end: u64,
    flags: VmFlags,
    pgoff: u64,
) -> KResult<Kptr<VmAreaStruct>> {
    kzalloc(VmAreaStruct {
        vm_start: Plain::new("vma->vm_start", start),
        vm_end: Plain::new("vma->vm_end", end),
        vm_mm: mm,
        vm_page_prot: StdCell::new(vm_get_page_prot(flags)),
        vm_flags: StdCell::new(flags),
        vm_pgoff: Plain::new("vma->vm_pgoff", pgoff),
        vm_ops: StdCell::new(None),
        vm_file: Plain::new("vma->vm_file", None),
        vm_file_ops: StdCell::new(None),
        vm_private_data: StdCell::new(None),
        anon_vma: StdCell::new(false),
        vm_lock_seq: Plain::new("vma->vm_lock_seq", u64::MAX),
        vm_refcnt: Cell::new("vma->vm_refcnt", 0),
        rmap_key: StdCell::new(None),
    })
}

/// A copy of a VMA for `mm`, detached.
///
/// In C: `vm_area_dup`, mm/vma_init.c.
pub(crate) fn vm_area_dup(mm: Kptr<MmStruct>, orig: Kptr<VmAreaStruct>) -> KResult<Kptr<VmAreaStruct>> {
    let (start, end) = (orig.vm_start.get(), orig.vm_end.get());
    let new = vm_area_alloc(mm, start, end, orig.vm_flags.get(), orig.vm_pgoff.get())?;
    new.vm_page_prot.set(orig.vm_page_prot.get());
    new.vm_ops.set(orig.vm_ops.get());
    new.vm_file.set(orig.vm_file.get());
    new.vm_file_ops.set(orig.vm_file_ops.get());
    new.anon_vma.set(orig.anon_vma.get());
    new.vm_private_data.set(orig.vm_private_data.get());
    Ok(new)
}

/// Frees a VMA. Its memory serves VMAs only (`SLAB_TYPESAFE_BY_RCU`), so that who found it without a lock may still
/// look at it: it is freed for good with the address space.
///
/// In C: `vm_area_free`, mm/vma_init.c.
pub(crate) fn vm_area_free(vma: Kptr<VmAreaStruct>) {
    vma.vm_mm.vm_areas_freed.borrow_mut().push(vma);
}

/// The protection of a VMA's entries from its flags: private mappings begin read-only, so that a write is seen.
///
/// In C: `vm_get_page_prot`, arch/x86/mm/pgprot.c.
pub fn vm_get_page_prot(flags: VmFlags) -> Pgprot {
    let mut prot = 0;
    if flags & VM_ACCESS_FLAGS != 0 {
        prot |= _PAGE_PRESENT | _PAGE_USER | _PAGE_ACCESSED;
    }
    if flags & VM_WRITE != 0 && flags & VM_SHARED != 0 {
        prot |= _PAGE_RW;
    }
    if flags & VM_EXEC == 0 {
        prot |= _PAGE_NX;
    }
    prot
}

/// One more reference to a VMA's file.
pub(crate) fn vma_get_file(vma: Kptr<VmAreaStruct>) {
    if vma.vm_file.get().is_some() {
        let got = get_file_active(&vma.vm_file);
        WARN_ON(got.is_none(), "get_file() of a file whose last reference is gone");
    }
}

/// Replaces the file of a VMA, as a driver's `mmap` may: a reference to the new one is taken, the old one's dropped.
//= linux v7.3.4 mm/util.c vma_set_file
#[track_caller]
pub fn vma_set_file(vma: Kptr<VmAreaStruct>, file: VmFile) {
    let old = vma.vm_file.get();
    vma.vm_file.set(Some(file.file));
    vma.vm_file_ops.set(Some(file));
    vma_get_file(vma);
    if let Some(old) = old {
        fput(old);
    }
}

fn vma_store(vma: Kptr<VmAreaStruct>) {
    let mm = vma.vm_mm;
    let (start, end) = (vma.vm_start.get(), vma.vm_end.get());
    mm.mt_version.fetch_update(|v| v + 1);
    mm.mm_mt.borrow_mut().insert(start, (end, vma));
}

fn vma_erase(vma: Kptr<VmAreaStruct>, start: u64) {
    let mm = vma.vm_mm;
    mm.mt_version.fetch_update(|v| v + 1);
    mm.mm_mt.borrow_mut().remove(&start);
}

//= linux v7.3.4 mm/vma.c vma_link_file
#[track_caller]
pub(crate) fn vma_link_file(vma: Kptr<VmAreaStruct>) {
    if let Some(file) = vma.file() {
        let mapping = file.f_mapping;
        down_write(&mapping.i_mmap_rwsem);
        mapping_rmap_tree_insert(vma, mapping);
        up_write(&mapping.i_mmap_rwsem);
    }
}

/// In C: `unlink_file_vma_batch_process`, mm/vma.c.
#[track_caller]
pub(crate) fn unlink_file_vma(vma: Kptr<VmAreaStruct>) {
    if let Some(file) = vma.file() {
        let mapping = file.f_mapping;
        down_write(&mapping.i_mmap_rwsem);
        mapping_rmap_tree_remove(vma, mapping);
        up_write(&mapping.i_mmap_rwsem);
    }
}

/// Puts a VMA into its address space and its file's tree.
///
/// Context: `mmap_lock` held for write.
//= linux v7.3.4 mm/vma.c vma_link
#[track_caller]
pub(crate) fn vma_link(vma: Kptr<VmAreaStruct>) {
    vma_start_write(vma);
    vma_mark_attached(vma);
    vma_store(vma);
    vma_link_file(vma);
}

/// Splits a VMA at `addr`; the new one is the part below if `new_below`, else the part above.
///
/// # Errors
/// `ENOMEM`, or what the driver says.
//= linux v7.3.4 mm/vma.c __split_vma
#[track_caller]
pub(crate) fn __split_vma(
    vma: Kptr<VmAreaStruct>,
    addr: u64,
    new_below: bool,
) -> KResult<Kptr<VmAreaStruct>> {
    let (start, end) = (vma.vm_start.get(), vma.vm_end.get());
    WARN_ON(start >= addr || end <= addr, "split of a VMA outside of it");

    if let Some(may_split) = vma.vm_ops.get().and_then(|ops| ops.may_split) {
        may_split(vma, addr)?;
    }

    let new = vm_area_dup(vma.vm_mm, vma)?;
    let delta = (addr - start) >> PAGE_SHIFT;
    if new_below {
        new.vm_end.set(addr);
    } else {
        new.vm_start.set(addr);
        new.vm_pgoff.set(vma.vm_pgoff.get() + delta);
    }
    vma_get_file(new);
    if let Some(open) = new.vm_ops.get().and_then(|ops| ops.open) {
        open(new);
    }

    vma_start_write(vma);
    vma_start_write(new);

    let mapping = vma.file().map(|f| f.f_mapping);
    if let Some(mapping) = mapping {
        down_write(&mapping.i_mmap_rwsem);
        mapping_rmap_tree_remove(vma, mapping);
    }
    vma_adjust_trans_huge(vma, addr);
    vma_erase(vma, start);
    if new_below {
        vma.vm_start.set(addr);
        vma.vm_pgoff.set(vma.vm_pgoff.get() + delta);
    } else {
        vma.vm_end.set(addr);
    }
    vma_mark_attached(new);
    vma_store(vma);
    vma_store(new);
    if let Some(mapping) = mapping {
        mapping_rmap_tree_insert(vma, mapping);
        mapping_rmap_tree_insert(new, mapping);
        up_write(&mapping.i_mmap_rwsem);
    }
    Ok(new)
}

/// A 2 MiB leaf that straddles a border goes; a fault brings back what is wanted. The C does nothing for 1 GiB leaves
/// here, and neither does this: they go when one of the two parts is zapped.
//= linux v7.3.4 mm/huge_memory.c vma_adjust_trans_huge
#[track_caller]
fn vma_adjust_trans_huge(vma: Kptr<VmAreaStruct>, addr: u64) {
    let mmu = &vma.vm_mm.mmu;
    let straddles = addr & (PMD_SIZE - 1) != 0 && matches!(mmu.table().slot(addr, Level::Pmd), Slot::Leaf(_));
    if straddles {
        let tlb = tlb_gather_mmu(vma.vm_mm);
        zap_vma_range_batched(&tlb, vma, addr, PAGE_SIZE, None);
        tlb_finish_mmu(tlb);
    }
}

/// Closes a VMA that is in no tree any more and lets its file go.
//= linux v7.3.4 mm/vma.c remove_vma
#[track_caller]
pub(crate) fn remove_vma(vma: Kptr<VmAreaStruct>) {
    if let Some(close) = vma.vm_ops.get().and_then(|ops| ops.close) {
        close(vma);
    }
    if let Some(file) = vma.vm_file.get() {
        fput(file);
    }
    vm_area_free(vma);
}

/// Clears the entries of VMAs, takes them out of their files' trees and frees empty page tables; then one shootdown.
//= linux v7.3.4 mm/vma.c unmap_region
#[track_caller]
pub(crate) fn unmap_region(mm: Kptr<MmStruct>, vmas: &[Kptr<VmAreaStruct>]) {
    let tlb = tlb_gather_mmu(mm);
    for vma in vmas {
        zap_vma_range_batched(&tlb, *vma, vma.vm_start.get(), vma_pages(*vma) << PAGE_SHIFT, None);
    }
    free_pgtables(mm, vmas);
    tlb_finish_mmu(tlb);
}

//= linux v7.3.4 mm/memory.c free_pgtables
#[track_caller]
fn free_pgtables(mm: Kptr<MmStruct>, vmas: &[Kptr<VmAreaStruct>]) {
    for vma in vmas {
        unlink_file_vma(*vma);
        // Up to the neighbours: a table that only this VMA used lies partly outside of it.
        let tree = mm.mm_mt.borrow();
        let below = tree.range(..vma.vm_start.get()).next_back().map_or(0, |(_, (end, _))| *end);
        let above = tree.range(vma.vm_end.get()..).next().map_or(1 << 47, |(start, _)| *start);
        drop(tree);
        mm.mmu.free_tables(below, above);
    }
}

/// Takes the VMAs of a range out of the address space, splitting those at its borders.
///
/// # Errors
/// That of a split; what was split stays split.
//= linux v7.3.4 mm/vma.c vms_gather_munmap_vmas
#[track_caller]
fn vms_gather_munmap_vmas(mm: Kptr<MmStruct>, start: u64, end: u64) -> KResult<Vec<Kptr<VmAreaStruct>>> {
    if let Some(vma) = find_vma(mm, start)
        && vma.vm_start.get() < start
    {
        __split_vma(vma, start, true)?;
    }
    let mut gathered = Vec::new();
    while let Some(next) =
        find_vma(mm, gathered.last().map_or(start, |v: &Kptr<VmAreaStruct>| v.vm_end.get()))
    {
        if next.vm_start.get() >= end {
            break;
        }
        if next.vm_end.get() > end {
            __split_vma(next, end, false)?;
        }
        gathered.push(next);
    }
    for vma in &gathered {
        vma_start_write(*vma);
        vma_mark_detached(*vma);
        vma_erase(*vma, vma.vm_start.get());
    }
    Ok(gathered)
}

//= linux v7.3.4 mm/vma.c vms_complete_munmap_vmas
#[track_caller]
fn vms_complete_munmap_vmas(mm: Kptr<MmStruct>, vmas: &[Kptr<VmAreaStruct>], unlock: bool) {
    if unlock {
        mmap_write_downgrade(mm);
    }
    unmap_region(mm, vmas);
    for vma in vmas {
        remove_vma(*vma);
    }
    if unlock {
        mmap_read_unlock(mm);
    }
}

/// Unmaps `start..end`. With `unlock`, `mmap_lock` is downgraded for the teardown and dropped on success.
///
/// Context: `mmap_lock` held for write.
///
/// # Errors
/// `EINVAL` for a range that is not page aligned, empty or outside of user space, or that of a split.
//= linux v7.3.4 mm/vma.c do_vmi_munmap
#[track_caller]
pub fn do_vmi_munmap(mm: Kptr<MmStruct>, start: u64, len: u64, unlock: bool) -> KResult {
    if start & (PAGE_SIZE - 1) != 0 || start > TASK_SIZE || len > TASK_SIZE - start {
        return Err(EINVAL);
    }
    let end = start + len.next_multiple_of(PAGE_SIZE);
    if end == start {
        return Err(EINVAL);
    }
    do_vmi_align_munmap(mm, start, end, unlock)
}

//= linux v7.3.4 mm/vma.c do_vmi_align_munmap
#[track_caller]
fn do_vmi_align_munmap(mm: Kptr<MmStruct>, start: u64, end: u64, unlock: bool) -> KResult {
    let vmas = vms_gather_munmap_vmas(mm, start, end)?;
    vms_complete_munmap_vmas(mm, &vmas, unlock);
    Ok(())
}

/// The first VMA that ends above `addr`.
///
/// Context: `mmap_lock` held.
//= linux v7.3.4 mm/mmap.c find_vma
pub fn find_vma(mm: Kptr<MmStruct>, addr: u64) -> Option<Kptr<VmAreaStruct>> {
    let tree = mm.mm_mt.borrow();
    if let Some((_, (end, vma))) = tree.range(..=addr).next_back()
        && *end > addr
    {
        return Some(*vma);
    }
    tree.range(addr..).next().map(|(_, (_, vma))| *vma)
}

/// Moves the end of a VMA upwards.
///
/// Context: the VMA is locked for writing; there is room.
//= linux v7.3.4 mm/vma.c vma_expand
#[track_caller]
pub(crate) fn vma_expand(vma: Kptr<VmAreaStruct>, end: u64) {
    let mapping = vma.file().map(|f| f.f_mapping);
    if let Some(mapping) = mapping {
        down_write(&mapping.i_mmap_rwsem);
        mapping_rmap_tree_remove(vma, mapping);
    }
    vma.vm_end.set(end);
    vma_store(vma);
    if let Some(mapping) = mapping {
        mapping_rmap_tree_insert(vma, mapping);
        up_write(&mapping.i_mmap_rwsem);
    }
}
