// SPDX-License-Identifier: GPL-2.0-only
//! Physical addresses as CPUs see them: pages of memory, and the bus for everything else.
//!
//! The mm knows nothing of devices. What answers at a frame that is no page of memory is a function that the world
//! gives; it reports what it finds wrong by itself.

use std::cell::{Cell as StdCell, RefCell};
use std::collections::BTreeMap;
use std::fmt;

use explorer::sync::Cell;
use kernel_model::prelude::*;
use kernel_model::{Report, report};

use crate::pgprot::PageCacheMode;

/// An access of a CPU that leaves memory: eight bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BusAccess {
    /// The frame.
    pub pfn: u64,
    /// Bytes into the frame.
    pub offset: u64,
    /// What is written; `None` for a read.
    pub write: Option<u64>,
    /// The memory type of the mapping.
    pub cache_mode: Option<PageCacheMode>,
    /// The virtual address that was used.
    pub virt: u64,
    /// The step at which the page table entry behind it was set.
    pub mapped_at: u64,
}

/// Answers an access; `None`: nobody did, and a read gives all ones.
pub type Bus = Box<dyn Fn(&BusAccess) -> Option<u64>>;

#[derive(Debug, Default)]
struct Page {
    /// Page table entries and caches that refer to it; 0: free.
    refs: u32,
    words: BTreeMap<u64, u64>,
}

/// Memory and the bus.
pub struct PhysMem {
    /// Stands for all contents: loads and stores of different CPUs are ordered by it.
    contents: Cell<u64>,
    pages: RefCell<BTreeMap<u64, Page>>,
    next: StdCell<u64>,
    bus: Bus,
}

impl fmt::Debug for PhysMem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhysMem({} pages in use)", self.pages_in_use())
    }
}

impl PhysMem {
    /// Memory whose first page has the frame number 0x100, and `bus` for frames that are not memory.
    pub fn new(bus: Bus) -> Self {
        PhysMem {
            contents: Cell::new("memory", 0),
            pages: RefCell::default(),
            next: StdCell::new(0x100),
            bus,
        }
    }

    /// A zeroed page with one reference. Frames are not reused within an execution, so that an access to a freed page
    /// is seen for what it is.
    pub fn alloc_page(&self) -> u64 {
        let pfn = self.next.replace(self.next.get() + 1);
        self.pages.borrow_mut().insert(pfn, Page { refs: 1, words: BTreeMap::new() });
        pfn
    }

    /// One more reference to a page. `false`: there is no such page.
    pub fn get_page(&self, pfn: u64) -> bool {
        self.pages.borrow_mut().get_mut(&pfn).map(|p| p.refs += 1).is_some()
    }

    /// One reference less; the last frees the page.
    #[track_caller]
    pub fn put_page(&self, pfn: u64) {
        let fine = self.pages.borrow_mut().get_mut(&pfn).is_some_and(|p| {
            let had = p.refs > 0;
            p.refs = p.refs.saturating_sub(1);
            had
        });
        WARN_ON(!fine, "put_page() of a page without references");
    }

    /// References to a page.
    pub fn page_count(&self, pfn: u64) -> u32 {
        self.pages.borrow().get(&pfn).map_or(0, |p| p.refs)
    }

    /// Pages that are not free, for the end of a scenario.
    pub fn pages_in_use(&self) -> usize {
        self.pages.borrow().values().filter(|p| p.refs > 0).count()
    }

    /// Copies what a page holds into another.
    pub fn copy_page(&self, to: u64, from: u64) {
        self.contents.read_once();
        let words = self.pages.borrow().get(&from).map(|p| p.words.clone()).unwrap_or_default();
        if let Some(p) = self.pages.borrow_mut().get_mut(&to) {
            p.words = words;
        }
    }

    /// A load or store of eight bytes at a physical address. A scheduling point.
    #[track_caller]
    pub fn access(&self, access: &BusAccess) -> Option<u64> {
        if !self.pages.borrow().contains_key(&access.pfn) {
            return (self.bus)(access);
        }
        if access.write.is_some() {
            self.contents.write_once(0);
        } else {
            self.contents.read_once();
        }
        let mut pages = self.pages.borrow_mut();
        let page = pages.get_mut(&access.pfn).expect("pages are never forgotten");
        if page.refs == 0 {
            report(Report::Broken {
                invariant: "no-access-to-freed-page",
                what: format!(
                    "an access at {:#x} reaches page {:#x}, which is free",
                    access.virt, access.pfn
                ),
            });
        }
        match access.write {
            Some(value) => page.words.insert(access.offset, value),
            None => return Some(page.words.get(&access.offset).copied().unwrap_or(0)),
        };
        Some(0)
    }
}
