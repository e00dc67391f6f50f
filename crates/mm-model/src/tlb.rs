// SPDX-License-Identifier: GPL-2.0-only
//! The memory management unit: one page table, the TLBs of the CPUs that run on it, and shootdown.
//!
//! What the mm relies on: when a shootdown returns, no TLB holds an entry of its range, and no access that went
//! through one is still under way. So an access takes two steps, translation and the access itself; a shootdown waits
//! for those that are between the two, as the answer to an inter-processor interrupt does, which a CPU gives between
//! two instructions. Until then a CPU goes on using what its TLB holds, whatever the page table says: that is the
//! stale entry that a search can reach.
//!
//! Each task is a CPU of its own. An entry enters a TLB by a walk and leaves it by a shootdown, or when a write meets
//! a read-only entry; entries are not evicted for want of room. A shootdown empties all TLBs in one step.

use std::cell::{Ref, RefCell};
use std::collections::BTreeMap;
use std::fmt;

use explorer::{Mode, Object, ObjectClass, OpInfo};

use crate::pgprot::*;
use crate::pgtable::*;

const TRANSLATE: u8 = 0;
const READ: u8 = 1;
const SET: u8 = 2;
const CLEAR: u8 = 3;
const FLUSH: u8 = 4;

const CHANGES: u16 = 1 << SET | 1 << CLEAR;
const ALL: u16 = 1 << TRANSLATE | 1 << READ | CHANGES;

/// State word 0: accesses between translation and completion. Word 1: changes so far.
static CLASS: ObjectClass = ObjectClass {
    name: "mmu",
    ops: &[
        OpInfo::new("translate").conflicts(CHANGES | 1 << FLUSH),
        OpInfo::new("read entry").conflicts(CHANGES),
        OpInfo::new("set entry").conflicts(ALL),
        OpInfo::new("clear entries").conflicts(ALL),
        OpInfo::new("tlb shootdown").conflicts(1 << TRANSLATE).blocking(),
    ],
    enabled: |s, _, _| s[0] == 0,
};

/// Why hardware could not translate an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageFault {
    /// No leaf maps the address.
    NotPresent,
    /// The leaf is read-only and the access is a write.
    Protection,
}

/// A TLB: copies of leaves.
#[derive(Default, Debug)]
struct Tlb(BTreeMap<(Level, u64), Leaf>);

impl Tlb {
    fn lookup(&self, addr: u64) -> Option<Leaf> {
        Level::ALL.iter().find_map(|l| self.0.get(&(*l, l.base(addr))).copied())
    }

    fn flush(&mut self, start: u64, end: u64) {
        self.0.retain(|_, l| l.addr >= end || l.addr + l.level.size() <= start);
    }
}

/// The page table of an address space, and what CPUs remember of it.
pub struct Mmu {
    object: Object,
    table: RefCell<PageTable>,
    /// One a CPU.
    tlbs: RefCell<Vec<Tlb>>,
}

impl fmt::Debug for Mmu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mmu({:?})", self.table.borrow())
    }
}

impl Mmu {
    /// An empty page table.
    pub fn new(name: &'static str) -> Self {
        Mmu {
            object: explorer::create(&CLASS, name, [0; 4]),
            table: RefCell::default(),
            tlbs: RefCell::default(),
        }
    }

    /// What stands in the page table now; for checks, and for code that holds the page-table lock.
    pub fn table(&self) -> Ref<'_, PageTable> {
        self.table.borrow()
    }

    fn changed(&self) {
        explorer::update(self.object, |s| s[1] += 1);
    }

    /// Reads an entry without the page-table lock. A scheduling point.
    #[track_caller]
    pub fn read(&self, addr: u64, level: Level) -> Slot {
        explorer::step(CLASS.op(self.object, READ, 0));
        self.table.borrow().slot(addr, level)
    }

    /// Makes the tables above an entry. The page-table lock is held.
    ///
    /// # Errors
    /// When a larger leaf covers the address.
    #[track_caller]
    pub fn alloc(&self, addr: u64, level: Level) -> Result<(), InTheWay> {
        explorer::step(CLASS.op(self.object, SET, 0));
        self.changed();
        self.table.borrow_mut().alloc(addr, level)
    }

    /// Sets a leaf. The page-table lock is held. A scheduling point.
    ///
    /// # Errors
    /// When another level's entry is in the way.
    #[track_caller]
    pub fn set(&self, addr: u64, level: Level, entry: u64) -> Result<(), InTheWay> {
        explorer::step(CLASS.op(self.object, SET, 0));
        self.changed();
        self.table.borrow_mut().set(level.base(addr), level, entry, explorer::steps())
    }

    /// Changes the leaves of a range in one step; `f` gives each one's new word, 0 to clear it. The page-table lock is
    /// held. TLBs keep the old words.
    #[track_caller]
    pub fn change(&self, start: u64, end: u64, f: impl FnMut(&Leaf) -> u64) {
        explorer::step(CLASS.op(self.object, CLEAR, 0));
        self.changed();
        self.table.borrow_mut().for_each(start, end, f);
    }

    /// The leaves that touch a range. The page-table lock is held.
    pub fn leaves_in(&self, start: u64, end: u64) -> Vec<Leaf> {
        let mut leaves = Vec::new();
        self.table.borrow_mut().for_each(start, end, |l| {
            leaves.push(*l);
            l.entry
        });
        leaves
    }

    /// Frees the empty tables of a range; nobody maps there any more.
    #[track_caller]
    pub fn free_tables(&self, start: u64, end: u64) {
        explorer::step(CLASS.op(self.object, CLEAR, 0));
        self.changed();
        self.table.borrow_mut().free_tables(start, end);
    }

    /// Empties all TLBs of a range and waits for the accesses that went through them. Gives how many entries went.
    #[track_caller]
    pub fn shootdown(&self, start: u64, end: u64) -> usize {
        explorer::step(CLASS.op(self.object, FLUSH, 0));
        let mut tlbs = self.tlbs.borrow_mut();
        let count = |tlbs: &[Tlb]| tlbs.iter().map(|t| t.0.len()).sum::<usize>();
        let before = count(&tlbs);
        tlbs.iter_mut().for_each(|t| t.flush(start, end));
        self.changed();
        explorer::observe(self.object);
        before - count(&tlbs)
    }

    /// TLB entries, of any CPU, that touch a range: for checks.
    pub fn cached(&self, start: u64, end: u64) -> Vec<Leaf> {
        let touches = |l: &&Leaf| l.addr < end && start < l.addr + l.level.size();
        self.tlbs
            .borrow()
            .iter()
            .flat_map(|t| t.0.values().filter(touches).copied().collect::<Vec<_>>())
            .collect()
    }

    /// Translates for an access that is then under way until [`complete`](Self::complete): by the CPU's TLB, else by a
    /// walk, which fills it and marks the entry as used. A scheduling point.
    ///
    /// # Errors
    /// A page fault; nothing is then under way.
    #[track_caller]
    pub fn translate(&self, addr: u64, write: bool) -> Result<Leaf, PageFault> {
        explorer::step(CLASS.op(self.object, TRANSLATE, 0));
        let cpu = explorer::current().index();
        let mut tlbs = self.tlbs.borrow_mut();
        if tlbs.len() <= cpu {
            tlbs.resize_with(cpu + 1, Tlb::default);
        }
        let tlb = &mut tlbs[cpu];
        let leaf = match tlb.lookup(addr) {
            Some(leaf) if leaf.write() || !write => leaf,
            stale => {
                if let Some(stale) = stale {
                    tlb.0.remove(&(stale.level, stale.addr));
                }
                let leaf = self.table.borrow().walk(addr).ok_or(PageFault::NotPresent)?;
                if write && !leaf.write() {
                    return Err(PageFault::Protection);
                }
                let used = leaf.entry | _PAGE_ACCESSED | if write { _PAGE_DIRTY } else { 0 };
                if used != leaf.entry {
                    let set = self.table.borrow_mut().set(leaf.addr, leaf.level, used, leaf.mapped_at);
                    debug_assert!(set.is_ok(), "a leaf that was just found can be replaced");
                }
                let leaf = Leaf { entry: used, ..leaf };
                tlb.0.insert((leaf.level, leaf.addr), leaf);
                leaf
            }
        };
        explorer::update(self.object, |s| s[0] += 1);
        explorer::acquired(self.object, Mode::Shared);
        Ok(leaf)
    }

    /// The access is over.
    pub fn complete(&self) {
        explorer::update(self.object, |s| s[0] -= 1);
        explorer::released(self.object, Mode::Shared, "access over");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_class_is_valid() {
        super::CLASS.validate().unwrap();
    }
}
