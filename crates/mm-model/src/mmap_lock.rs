// SPDX-License-Identifier: GPL-2.0-only
//! `mmap_lock` and the VMA locks: mm/mmap_lock.c, include/linux/mmap_lock.h.
//!
//! The guarantee: who holds a VMA lock for reading sees a VMA that is in the tree and does not change. A writer holds
//! `mmap_lock` for write, waits until a VMA has no readers and writes the sequence number of `mmap_lock` into it; as
//! long as the two numbers agree, readers fall back to `mmap_lock`. The end of the write section changes the number
//! and so drops all VMA locks at once.
//!
//! `vm_refcnt` is 0 for a detached VMA, 1 for an attached one, and one more a reader;
//! [`VM_REFCNT_EXCLUDE_READERS_FLAG`] is added while a writer waits. VMAs are not reused for other address spaces
//! here, so that `vma_start_read` need not look at `vm_mm`.

use kernel_model::prelude::*;

use crate::mm_types::*;

/// Added to `vm_refcnt` while a writer keeps readers out.
pub const VM_REFCNT_EXCLUDE_READERS_FLAG: u32 = 1 << 30;
/// The highest count at which a reader may enter.
pub const VM_REFCNT_LIMIT: u32 = VM_REFCNT_EXCLUDE_READERS_FLAG - 1;

//= linux v7.3.4 include/linux/mmap_lock.h mm_lock_seqcount_begin
#[track_caller]
fn mm_lock_seqcount_begin(mm: Kptr<MmStruct>) {
    mm.mm_lock_seq.fetch_update(|s| s + 1);
}

//= linux v7.3.4 include/linux/mmap_lock.h mm_lock_seqcount_end
#[track_caller]
fn mm_lock_seqcount_end(mm: Kptr<MmStruct>) {
    mm.mm_lock_seq.fetch_update(|s| s + 1);
}

/// Locks the address space for writing.
//= linux v7.3.4 include/linux/mmap_lock.h mmap_write_lock
#[track_caller]
pub fn mmap_write_lock(mm: Kptr<MmStruct>) {
    down_write(&mm.mmap_lock);
    mm_lock_seqcount_begin(mm);
}

/// Takes the lock of a second address space for writing, while that of another is held.
//= linux v7.3.4 include/linux/mmap_lock.h mmap_write_lock_nested
#[track_caller]
pub fn mmap_write_lock_nested(mm: Kptr<MmStruct>, subclass: u8) {
    down_write_nested(&mm.mmap_lock, subclass);
    mm_lock_seqcount_begin(mm);
}

/// Drops all VMA locks that are held for writing.
//= linux v7.3.4 include/linux/mmap_lock.h vma_end_write_all
#[track_caller]
pub fn vma_end_write_all(mm: Kptr<MmStruct>) {
    lockdep_assert_held_write(&mm.mmap_lock);
    mm_lock_seqcount_end(mm);
}

/// Unlocks the address space and all its VMAs.
//= linux v7.3.4 include/linux/mmap_lock.h mmap_write_unlock
#[track_caller]
pub fn mmap_write_unlock(mm: Kptr<MmStruct>) {
    vma_end_write_all(mm);
    up_write(&mm.mmap_lock);
}

/// Turns the write lock into a read lock; VMA locks are dropped.
//= linux v7.3.4 include/linux/mmap_lock.h mmap_write_downgrade
#[track_caller]
pub fn mmap_write_downgrade(mm: Kptr<MmStruct>) {
    vma_end_write_all(mm);
    downgrade_write(&mm.mmap_lock);
}

/// Locks the address space for reading.
//= linux v7.3.4 include/linux/mmap_lock.h mmap_read_lock
#[track_caller]
pub fn mmap_read_lock(mm: Kptr<MmStruct>) {
    down_read(&mm.mmap_lock);
}

/// Unlocks a read lock.
//= linux v7.3.4 include/linux/mmap_lock.h mmap_read_unlock
#[track_caller]
pub fn mmap_read_unlock(mm: Kptr<MmStruct>) {
    up_read(&mm.mmap_lock);
}

/// Drops a reader's reference; a waiting writer sees the count itself.
//= linux v7.3.4 include/linux/mmap_lock.h vma_refcount_put
#[track_caller]
fn vma_refcount_put(vma: Kptr<VmAreaStruct>) -> u32 {
    vma.vm_refcnt.fetch_update(|n| n - 1) - 1
}

/// Keeps readers out and waits for those inside; `target` is the count without them. `false`: the VMA was detached.
//= linux v7.3.4 mm/mmap_lock.c __vma_start_exclude_readers
#[track_caller]
fn __vma_start_exclude_readers(vma: Kptr<VmAreaStruct>, target: u32) -> bool {
    lockdep_assert_held_write(&vma.vm_mm.mmap_lock);

    let add = |n| if n == 0 { 0 } else { n + VM_REFCNT_EXCLUDE_READERS_FLAG };
    if vma.vm_refcnt.fetch_update(add) == 0 {
        return false;
    }
    vma.vm_refcnt.wait_until(target + VM_REFCNT_EXCLUDE_READERS_FLAG);
    true
}

//= linux v7.3.4 mm/mmap_lock.c __vma_end_exclude_readers
#[track_caller]
fn __vma_end_exclude_readers(vma: Kptr<VmAreaStruct>) {
    vma.vm_refcnt.fetch_update(|n| n - VM_REFCNT_EXCLUDE_READERS_FLAG);
}

//= linux v7.3.4 mm/mmap_lock.c __vma_start_write
#[track_caller]
fn __vma_start_write(vma: Kptr<VmAreaStruct>, mm_lock_seq: u64) {
    let exclusive = __vma_start_exclude_readers(vma, 1);
    WRITE_ONCE(&vma.vm_lock_seq, mm_lock_seq);
    if exclusive {
        __vma_end_exclude_readers(vma);
    }
}

/// Locks a VMA for writing until the write section of `mmap_lock` ends.
///
/// Context: `mmap_lock` held for write. May sleep.
//= linux v7.3.4 include/linux/mmap_lock.h vma_start_write
#[track_caller]
pub fn vma_start_write(vma: Kptr<VmAreaStruct>) {
    let mm_lock_seq = explorer::update(vma.vm_mm.mm_lock_seq.object(), |s| s[0]);
    if vma.vm_lock_seq.get() == mm_lock_seq {
        return;
    }
    __vma_start_write(vma, mm_lock_seq);
}

/// Makes a VMA known to readers.
//= linux v7.3.4 include/linux/mmap_lock.h vma_mark_attached
#[track_caller]
pub fn vma_mark_attached(vma: Kptr<VmAreaStruct>) {
    vma.vm_refcnt.store(1);
}

/// Takes a VMA from readers for ever; waits for those that are about to give up.
///
/// Context: the VMA is locked for writing.
//= linux v7.3.4 include/linux/mmap_lock.h vma_mark_detached
#[track_caller]
pub fn vma_mark_detached(vma: Kptr<VmAreaStruct>) {
    if vma_refcount_put(vma) == 0 {
        return;
    }
    __vma_exclude_readers_for_detach(vma);
}

//= linux v7.3.4 mm/mmap_lock.c __vma_exclude_readers_for_detach
#[track_caller]
fn __vma_exclude_readers_for_detach(vma: Kptr<VmAreaStruct>) {
    if __vma_start_exclude_readers(vma, 0) {
        __vma_end_exclude_readers(vma);
    }
}

/// Why a VMA could not be locked for reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum NoRead {
    /// `NULL`: it is being changed.
    Locked,
    /// `-EAGAIN`: it was detached meanwhile.
    Detached,
}

//= linux v7.3.4 mm/mmap_lock.c vma_start_read
#[track_caller]
fn vma_start_read(mm: Kptr<MmStruct>, vma: Kptr<VmAreaStruct>) -> Result<Kptr<VmAreaStruct>, NoRead> {
    if READ_ONCE(&vma.vm_lock_seq) == mm.mm_lock_seq.read_once() {
        return Err(NoRead::Locked);
    }

    let enter = |n| if n == 0 || n >= VM_REFCNT_LIMIT { n } else { n + 1 };
    let oldcnt = vma.vm_refcnt.fetch_update(enter);
    if oldcnt == 0 || oldcnt >= VM_REFCNT_LIMIT {
        return Err(if oldcnt != 0 { NoRead::Locked } else { NoRead::Detached });
    }

    if READ_ONCE(&vma.vm_lock_seq) == mm.mm_lock_seq.load() {
        vma_refcount_put(vma);
        return Err(NoRead::Locked);
    }
    Ok(vma)
}

/// Finds the VMA of an address and locks it for reading, without `mmap_lock`; `None`: the caller must take it.
//= linux v7.3.4 mm/mmap_lock.c lock_vma_under_rcu
#[track_caller]
pub fn lock_vma_under_rcu(mm: Kptr<MmStruct>, address: u64) -> Option<Kptr<VmAreaStruct>> {
    loop {
        let vma = mas_walk(mm, address)?;
        match vma_start_read(mm, vma) {
            Ok(vma) => {
                if address < vma.vm_start.get() || address >= vma.vm_end.get() {
                    vma_end_read(vma);
                    return None;
                }
                return Some(vma);
            }
            Err(NoRead::Detached) => {}
            Err(NoRead::Locked) => return None,
        }
    }
}

/// Unlocks a VMA that was locked for reading.
//= linux v7.3.4 include/linux/mmap_lock.h vma_end_read
#[track_caller]
pub fn vma_end_read(vma: Kptr<VmAreaStruct>) {
    vma_refcount_put(vma);
}

/// The entry of the tree at an address, as one sees it who holds no lock.
///
/// In C: `mas_walk`, lib/maple_tree.c.
#[track_caller]
fn mas_walk(mm: Kptr<MmStruct>, address: u64) -> Option<Kptr<VmAreaStruct>> {
    mm.mt_version.load();
    let tree = mm.mm_mt.borrow();
    let (_, (end, vma)) = tree.range(..=address).next_back()?;
    (address < *end).then_some(*vma)
}
