// SPDX-License-Identifier: GPL-2.0-only
//! The IOMMU: domains that translate what a device sends, with leaves of 4 KiB, 2 MiB and 1 GiB, and an IOTLB.
//!
//! The guarantee that drivers rely on: when an unmap has been synced, no transaction that was translated through the
//! removed entries is still under way. So a DMA takes two steps, translation and access, and a sync waits for those
//! that are between the two, as an IOTLB invalidation with draining does.
//!
//! An unmap without a sync leaves the entry in the IOTLB: what the device used before, it still reaches. The DMA API
//! unmaps and syncs in one step here: a transaction in between sees what it would have seen before or after.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use explorer::{Mode, Object, ObjectClass, OpInfo};
use kernel_model::prelude::*;

const TRANSLATE: u8 = 0;
const MAP: u8 = 1;
const UNMAP: u8 = 2;
const UNMAP_FAST: u8 = 3;
const SYNC: u8 = 4;

const CHANGES: u16 = 1 << MAP | 1 << UNMAP | 1 << UNMAP_FAST | 1 << SYNC;
const ALL: u16 = 1 << TRANSLATE | CHANGES;

/// State word 0: transactions between translation and access. Word 1: changes of the table so far.
static CLASS: ObjectClass = ObjectClass {
    name: "iommu domain",
    ops: &[
        OpInfo::new("translate").conflicts(CHANGES),
        OpInfo::new("iommu_map").conflicts(ALL),
        OpInfo::new("iommu_unmap").conflicts(ALL).blocking(),
        OpInfo::new("iommu_unmap_fast").conflicts(ALL),
        OpInfo::new("iommu_iotlb_sync").conflicts(ALL).blocking(),
    ],
    enabled: |s, _, _| s[0] == 0,
};

/// Size of a page, in bytes.
pub const PAGE_SIZE: u64 = 4096;

/// Sizes of leaves, largest first.
const LEAVES: [u64; 3] = [1 << 30, 2 << 20, PAGE_SIZE];

/// The device may read.
pub const IOMMU_READ: u32 = 1 << 0;
/// The device may write.
pub const IOMMU_WRITE: u32 = 1 << 1;
/// Accesses snoop the caches.
pub const IOMMU_CACHE: u32 = 1 << 2;
/// The target is device memory.
pub const IOMMU_MMIO: u32 = 1 << 4;

/// What an address translates to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The physical address.
    pub phys: u64,
    /// The step at which it was mapped.
    pub mapped_at: u64,
}

/// A leaf.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Leaf {
    size: u64,
    phys: u64,
    prot: u32,
    mapped_at: u64,
}

/// I/O page table: leaves by their first IOVA. No lock and no scheduling point.
///
/// A map or unmap costs O(log n) a leaf; memory is proportional to the leaves present.
#[derive(Debug, Default)]
pub struct IoPageTable(BTreeMap<u64, Leaf>);

impl IoPageTable {
    fn at(&self, iova: u64) -> Option<(u64, Leaf)> {
        let (base, leaf) = self.0.range(..=iova).next_back()?;
        (iova - base < leaf.size).then_some((*base, *leaf))
    }

    /// Leaves present.
    pub fn leaves(&self) -> usize {
        self.0.len()
    }

    /// Where an address leads, and with what rights.
    pub fn walk(&self, iova: u64) -> Option<(u64, u32)> {
        self.at(iova).map(|(base, leaf)| (leaf.phys + (iova - base), leaf.prot))
    }

    /// Whether something is mapped in `iova..iova + size`.
    pub fn populated(&self, iova: u64, size: u64) -> bool {
        self.at(iova).is_some() || self.0.range(iova..iova.saturating_add(size)).next().is_some()
    }

    /// Maps a range, with the largest leaves that its alignment allows. Addresses and size are page aligned.
    ///
    /// # Errors
    /// `EEXIST` when part of the range is mapped; nothing is changed then. `EINVAL` when it is not aligned.
    pub fn map(&mut self, iova: u64, phys: u64, size: u64, prot: u32, mapped_at: u64) -> KResult {
        if (iova | phys | size) & (PAGE_SIZE - 1) != 0 {
            return Err(EINVAL);
        }
        if self.populated(iova, size) {
            return Err(EEXIST);
        }
        let mut done = 0;
        while done < size {
            let fits = |l: &&u64| ((iova + done) | (phys + done)) & (**l - 1) == 0 && size - done >= **l;
            let leaf = *LEAVES.iter().find(fits).unwrap_or(&PAGE_SIZE);
            self.0.insert(iova + done, Leaf { size: leaf, phys: phys + done, prot, mapped_at });
            done += leaf;
        }
        Ok(())
    }

    /// Unmaps what is mapped in a range; a leaf that is only touched goes whole. Gives the bytes that were unmapped.
    pub fn unmap(&mut self, iova: u64, size: u64) -> u64 {
        let first = self.at(iova).map_or(iova, |(base, _)| base);
        let mut unmapped = 0;
        while let Some((base, leaf)) = self.0.range(first..iova.saturating_add(size)).next() {
            unmapped += leaf.size;
            let base = *base;
            self.0.remove(&base);
        }
        unmapped
    }
}

/// A transaction that the IOMMU refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IommuFault {
    /// The address.
    pub iova: u64,
    /// Whether it was a write.
    pub write: bool,
    /// Whether something was mapped, without the right that was needed.
    pub permission: bool,
}

/// A domain: one device's I/O page table.
pub struct IommuDomain {
    object: Object,
    table: RefCell<IoPageTable>,
    iotlb: RefCell<IoPageTable>,
    faults: RefCell<Vec<IommuFault>>,
    /// IOVA ranges handed out: start and length.
    iovas: RefCell<BTreeMap<u64, u64>>,
}

impl fmt::Debug for IommuDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IommuDomain({} leaves)", self.table.borrow().leaves())
    }
}

/// IOVAs are handed out downwards from here first, as the kernel does for PCI devices.
const IOVA_LIMIT: u64 = 0xffff_f000;

impl IommuDomain {
    /// An empty domain of the device of that name.
    pub fn new(device: &'static str) -> Self {
        let name = format!("iommu of {device}");
        IommuDomain {
            object: explorer::create(&CLASS, name, [0; 4]),
            table: RefCell::default(),
            iotlb: RefCell::default(),
            faults: RefCell::default(),
            iovas: RefCell::default(),
        }
    }

    /// Hands out a range of IOVAs of `size` bytes below 4 GiB or, without room there, below what `mask` allows,
    /// aligned to the next power of two of its size. `None`: there is no room.
    pub(crate) fn alloc_iova(&self, size: u64, mask: u64) -> Option<u64> {
        let size = size.checked_next_multiple_of(PAGE_SIZE)?;
        let low = self.alloc_below(size, IOVA_LIMIT.min(mask));
        low.or_else(|| self.alloc_below(size, mask.min((1 << 47) - 1)))
    }

    fn alloc_below(&self, size: u64, limit: u64) -> Option<u64> {
        let align = size.checked_next_power_of_two()?;
        let mut iovas = self.iovas.borrow_mut();
        let mut top = limit.checked_add(1).unwrap_or(limit) & !(PAGE_SIZE - 1);
        let mut found = None;
        for (start, len) in iovas.range(..top).rev().map(|(s, l)| (*s, *l)).chain([(0, PAGE_SIZE)]) {
            if let Some(at) = top.checked_sub(size).map(|at| at & !(align - 1))
                && at >= start + len
            {
                found = Some(at);
                break;
            }
            top = start;
        }
        iovas.insert(found?, size);
        found
    }

    /// Takes a range of IOVAs back; `false` if it was not handed out.
    pub(crate) fn free_iova(&self, start: u64) -> bool {
        self.iovas.borrow_mut().remove(&start).is_some()
    }

    /// Bytes of the range of IOVAs that begins at `start`, if one does.
    pub(crate) fn iova_len(&self, start: u64) -> Option<u64> {
        self.iovas.borrow().get(&start).copied()
    }

    /// Ranges of IOVAs that are handed out, for the end of a scenario.
    pub fn iovas_in_use(&self) -> usize {
        self.iovas.borrow().len()
    }

    /// Leaves present in the table, for checks.
    pub fn leaves(&self) -> usize {
        self.table.borrow().leaves()
    }

    /// Where an address leads by the table, and with what rights, for checks.
    pub fn walk(&self, iova: u64) -> Option<(u64, u32)> {
        self.table.borrow().walk(iova)
    }

    /// First address of the leaf that covers an address, for checks.
    pub fn leaf_at(&self, iova: u64) -> Option<u64> {
        self.table.borrow().at(iova).map(|(base, _)| base)
    }

    /// Whether something of a range is mapped, for checks.
    pub fn populated(&self, iova: u64, size: u64) -> bool {
        self.table.borrow().populated(iova, size)
    }

    /// Whether the IOTLB remembers something of a range, for checks.
    pub fn cached(&self, iova: u64, size: u64) -> bool {
        self.iotlb.borrow().populated(iova, size)
    }

    /// Transactions that were refused so far.
    pub fn faults(&self) -> Vec<IommuFault> {
        self.faults.borrow().clone()
    }

    /// Maps a range. A scheduling point.
    ///
    /// # Errors
    /// `EEXIST` when part of the range is mapped already; nothing is changed then. `EINVAL` when it is not aligned.
    #[track_caller]
    pub fn map(&self, iova: u64, phys: u64, size: u64, prot: u32) -> KResult {
        explorer::step(CLASS.op(self.object, MAP, 0));
        self.table.borrow_mut().map(iova, phys, size, prot, explorer::steps())?;
        self.changed();
        Ok(())
    }

    /// Unmaps a range, invalidates the IOTLB and waits until nothing that went through it is under way. Gives the
    /// bytes that were unmapped. A scheduling point.
    #[track_caller]
    pub fn unmap(&self, iova: u64, size: u64) -> u64 {
        explorer::step(CLASS.op(self.object, UNMAP, 0));
        let unmapped = self.table.borrow_mut().unmap(iova, size);
        self.iotlb.borrow_mut().unmap(iova, size);
        self.changed();
        explorer::observe(self.object);
        unmapped
    }

    /// Unmaps a range, and leaves the IOTLB as it is. Gives the bytes that were unmapped. A scheduling point.
    #[track_caller]
    pub fn unmap_fast(&self, iova: u64, size: u64) -> u64 {
        explorer::step(CLASS.op(self.object, UNMAP_FAST, 0));
        self.changed();
        self.table.borrow_mut().unmap(iova, size)
    }

    /// Invalidates the IOTLB of a range and waits until nothing that went through it is under way. A scheduling point.
    #[track_caller]
    pub fn iotlb_sync(&self, iova: u64, size: u64) {
        explorer::step(CLASS.op(self.object, SYNC, 0));
        self.iotlb.borrow_mut().unmap(iova, size);
        self.changed();
        explorer::observe(self.object);
    }

    fn changed(&self) {
        explorer::update(self.object, |s| s[1] += 1);
    }

    /// Translates an address for a transaction that is then under way, until [`complete`](Self::complete): by the
    /// IOTLB, else by the table. `None` is a fault, which is recorded. A scheduling point.
    #[track_caller]
    pub(crate) fn translate(&self, iova: u64, write: bool) -> Option<Entry> {
        explorer::step(CLASS.op(self.object, TRANSLATE, 0));
        let cached = self.iotlb.borrow().at(iova);
        let found = cached.or_else(|| self.table.borrow().at(iova));
        let right = if write { IOMMU_WRITE } else { IOMMU_READ };
        let Some((base, leaf)) = found.filter(|(_, leaf)| leaf.prot & right != 0) else {
            self.faults.borrow_mut().push(IommuFault { iova, write, permission: found.is_some() });
            return None;
        };
        if cached.is_none() {
            self.iotlb.borrow_mut().0.insert(base, leaf);
        }
        explorer::update(self.object, |s| s[0] += 1);
        explorer::acquired(self.object, Mode::Shared);
        Some(Entry { phys: leaf.phys + (iova - base), mapped_at: leaf.mapped_at })
    }

    /// The transaction is over.
    pub(crate) fn complete(&self) {
        explorer::update(self.object, |s| s[0] -= 1);
        explorer::released(self.object, Mode::Shared, "transaction over");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_class_is_valid() {
        super::CLASS.validate().unwrap();
    }
}
