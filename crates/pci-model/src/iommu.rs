// SPDX-License-Identifier: GPL-2.0-only
//! The IOMMU: domains that translate what a device sends.
//!
//! The guarantee that drivers rely on: when an unmap returns, no transaction that was translated through the removed
//! entries is still under way. So a DMA takes two steps, translation and access, and an unmap waits for those that
//! are between the two, as an IOTLB invalidation with draining does.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use explorer::{Mode, Object, ObjectClass, OpInfo, kinds};
use kernel_model::prelude::*;

const TRANSLATE: u8 = 0;
const MAP: u8 = 1;
const UNMAP: u8 = 2;

/// State word 0: transactions between translation and access. Word 1: changes of the table so far.
static CLASS: ObjectClass = ObjectClass {
    name: "iommu domain",
    ops: &[
        OpInfo::new("translate").conflicts(kinds([MAP, UNMAP])),
        OpInfo::new("iommu_map").conflicts(kinds([TRANSLATE, MAP, UNMAP])),
        OpInfo::new("iommu_unmap").conflicts(kinds([TRANSLATE, MAP, UNMAP])).blocking(),
    ],
    enabled: |s, _, _| s[0] == 0,
};

/// Size of a page, in bytes.
pub const PAGE_SIZE: u64 = 4096;

/// An entry: where a page leads, and when it was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Physical address of the page.
    pub phys: u64,
    /// The step at which it was mapped.
    pub mapped_at: u64,
}

/// A domain: one device's I/O page table.
pub struct IommuDomain {
    object: Object,
    table: RefCell<BTreeMap<u64, Entry>>,
    /// IOVA ranges handed out: start and length.
    iovas: RefCell<BTreeMap<u64, u64>>,
}

impl fmt::Debug for IommuDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IommuDomain({} entries)", self.table.borrow().len())
    }
}

/// IOVAs are handed out downwards from here, as the kernel does for 32-bit devices.
const IOVA_LIMIT: u64 = 0xffff_f000;

impl IommuDomain {
    /// An empty domain of the device of that name.
    pub fn new(device: &'static str) -> Self {
        let name = format!("iommu of {device}");
        IommuDomain {
            object: explorer::create(&CLASS, name, [0; 4]),
            table: RefCell::new(BTreeMap::new()),
            iovas: RefCell::new(BTreeMap::new()),
        }
    }

    /// Hands out a range of IOVAs of `size` bytes, page aligned.
    pub(crate) fn alloc_iova(&self, size: u64) -> u64 {
        let size = size.next_multiple_of(PAGE_SIZE);
        let mut iovas = self.iovas.borrow_mut();
        let mut top = IOVA_LIMIT;
        for (start, len) in iovas.iter().rev() {
            if start + len + size <= top {
                break;
            }
            top = *start;
        }
        iovas.insert(top - size, size);
        top - size
    }

    /// Takes a range of IOVAs back; `false` if it was not handed out.
    pub(crate) fn free_iova(&self, start: u64) -> bool {
        self.iovas.borrow_mut().remove(&start).is_some()
    }

    /// Ranges of IOVAs that are handed out, for the end of a scenario.
    pub fn iovas_in_use(&self) -> usize {
        self.iovas.borrow().len()
    }

    /// Maps pages.
    ///
    /// # Errors
    /// `EEXIST` when a page of the range is mapped already; nothing is changed then.
    #[track_caller]
    pub(crate) fn map(&self, iova: u64, phys: u64, size: u64) -> KResult {
        explorer::step(CLASS.op(self.object, MAP, 0));
        let mut table = self.table.borrow_mut();
        let pages = size.div_ceil(PAGE_SIZE);
        if (0..pages).any(|i| table.contains_key(&(iova + i * PAGE_SIZE))) {
            return Err(EEXIST);
        }
        let mapped_at = explorer::steps();
        for i in 0..pages {
            table.insert(iova + i * PAGE_SIZE, Entry { phys: phys + i * PAGE_SIZE, mapped_at });
        }
        self.changed();
        Ok(())
    }

    /// Unmaps pages and waits until nothing that went through them is under way.
    #[track_caller]
    pub(crate) fn unmap(&self, iova: u64, size: u64) {
        explorer::step(CLASS.op(self.object, UNMAP, 0));
        let mut table = self.table.borrow_mut();
        for i in 0..size.div_ceil(PAGE_SIZE) {
            table.remove(&(iova + i * PAGE_SIZE));
        }
        self.changed();
        explorer::observe(self.object);
    }

    fn changed(&self) {
        explorer::update(self.object, |s| s[1] += 1);
    }

    /// Translates an address for a transaction that is then under way, until [`complete`](Self::complete).
    #[track_caller]
    pub(crate) fn translate(&self, iova: u64) -> Option<Entry> {
        explorer::step(CLASS.op(self.object, TRANSLATE, 0));
        let page = iova & !(PAGE_SIZE - 1);
        let entry = self.table.borrow().get(&page).copied()?;
        explorer::update(self.object, |s| s[0] += 1);
        explorer::acquired(self.object, Mode::Shared);
        Some(Entry { phys: entry.phys + (iova - page), ..entry })
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
