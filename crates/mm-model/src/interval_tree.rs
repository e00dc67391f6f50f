// SPDX-License-Identifier: GPL-2.0-only
//! The VMAs of a file by the pages that they map: mm/interval_tree.c.
//!
//! VMAs stand in the order of their first page and, where that is the same, of their insertion. The order is part of
//! the promise: a child of `fork()` and the target of a move come after their source, so that a walk that misses an
//! entry at the source finds it at the target. A query costs O(log n) and the VMAs that begin within the longest VMA's
//! length before the range.

use std::collections::BTreeMap;

use kernel_model::prelude::*;

use crate::mm_types::*;
use crate::pgtable::PAGE_SHIFT;

/// The tree.
#[derive(Debug, Default)]
pub(crate) struct RmapTree {
    /// First page and number of the insertion.
    vmas: BTreeMap<(u64, u64), Kptr<VmAreaStruct>>,
    /// Pages of the longest VMA so far.
    longest: u64,
    insertions: u64,
}

/// First page of the file that a VMA maps.
//= linux v7.3.4 include/linux/mm.h vma_start_pgoff
pub fn vma_start_pgoff(vma: Kptr<VmAreaStruct>) -> u64 {
    vma.vm_pgoff.get()
}

/// Pages of a VMA.
//= linux v7.3.4 include/linux/mm.h vma_pages
pub fn vma_pages(vma: Kptr<VmAreaStruct>) -> u64 {
    (vma.vm_end.get() - vma.vm_start.get()) >> PAGE_SHIFT
}

/// Last page of the file that a VMA maps.
//= linux v7.3.4 include/linux/mm.h vma_last_pgoff
pub fn vma_last_pgoff(vma: Kptr<VmAreaStruct>) -> u64 {
    vma_start_pgoff(vma) + vma_pages(vma) - 1
}

/// Adds a VMA, behind those that begin at the same page.
///
/// Context: `i_mmap_rwsem` held for write.
//= linux v7.3.4 mm/interval_tree.c mapping_rmap_tree_insert
pub fn mapping_rmap_tree_insert(vma: Kptr<VmAreaStruct>, mapping: Kptr<AddressSpace>) {
    lockdep_assert_held_write(&mapping.i_mmap_rwsem);
    let tree = &mut mapping.i_mmap.borrow_mut();
    tree.insertions += 1;
    tree.longest = tree.longest.max(vma_pages(vma));
    let key = (vma_start_pgoff(vma), tree.insertions);
    tree.vmas.insert(key, vma);
    vma.rmap_key.set(Some(key));
}

/// Adds a copy of `prev` behind it; both begin at the same page.
///
/// Context: `i_mmap_rwsem` held for write.
//= linux v7.3.4 mm/interval_tree.c mapping_rmap_tree_insert_after
pub fn mapping_rmap_tree_insert_after(
    vma: Kptr<VmAreaStruct>,
    prev: Kptr<VmAreaStruct>,
    mapping: Kptr<AddressSpace>,
) {
    WARN_ON_ONCE(
        vma_start_pgoff(vma) != vma_start_pgoff(prev),
        "insert_after() of a VMA with another offset",
    );
    mapping_rmap_tree_insert(vma, mapping);
}

/// Removes a VMA.
///
/// Context: `i_mmap_rwsem` held for write.
//= linux v7.3.4 mm/interval_tree.c mapping_rmap_tree_remove
pub fn mapping_rmap_tree_remove(vma: Kptr<VmAreaStruct>, mapping: Kptr<AddressSpace>) {
    lockdep_assert_held_write(&mapping.i_mmap_rwsem);
    let removed = vma.rmap_key.take().and_then(|key| mapping.i_mmap.borrow_mut().vmas.remove(&key));
    WARN_ON_ONCE(removed.is_none(), "mapping_rmap_tree_remove() of a VMA that is not there");
}

/// The VMAs that map a page of `start..=last`, in the tree's order.
///
/// Context: `i_mmap_rwsem` held.
///
/// In C: `mapping_rmap_tree_foreach`, include/linux/mm.h.
pub(crate) fn mapping_rmap_tree_foreach(
    mapping: Kptr<AddressSpace>,
    start: u64,
    last: u64,
) -> Vec<Kptr<VmAreaStruct>> {
    let tree = mapping.i_mmap.borrow();
    let from = start.saturating_sub(tree.longest);
    let candidates = tree.vmas.range((from, 0)..=(last, u64::MAX));
    candidates.map(|(_, vma)| *vma).filter(|vma| vma_last_pgoff(*vma) >= start).collect()
}

/// Whether anybody maps the file.
//= linux v7.3.4 include/linux/fs.h mapping_mapped
pub fn mapping_mapped(mapping: Kptr<AddressSpace>) -> bool {
    !mapping.i_mmap.borrow().vmas.is_empty()
}
