// SPDX-License-Identifier: GPL-2.0-only
//! A page table: four levels of 512 entries, with leaves of 4 KiB, 2 MiB and 1 GiB. Hardware's data structure: no lock
//! and no scheduling point; [`crate::tlb`] puts both around it.
//!
//! A lookup or a change visits at most four tables. A walk over a range visits the leaves and the tables that are
//! present in it, and nothing else: each table has a map of its entries that are in use. Tables stay when their
//! last entry goes, until [`PageTable::free_tables`], as in the kernel. A table takes about 8 KiB.

use std::fmt;

use crate::pgprot::*;

/// Bytes of a page.
pub const PAGE_SIZE: u64 = 1 << PAGE_SHIFT;
/// log2 of [`PAGE_SIZE`].
pub const PAGE_SHIFT: u32 = 12;
/// Pages of a 2 MiB leaf, as a power of two.
pub const PMD_ORDER: u32 = 9;
/// Pages of a 1 GiB leaf, as a power of two.
pub const PUD_ORDER: u32 = 18;
/// Bytes of a 2 MiB leaf.
pub const PMD_SIZE: u64 = PAGE_SIZE << PMD_ORDER;
/// Bytes of a 1 GiB leaf.
pub const PUD_SIZE: u64 = PAGE_SIZE << PUD_ORDER;
/// The first address that user mode cannot have.
pub const TASK_SIZE: u64 = (1 << 47) - PAGE_SIZE;

const ENTRIES: usize = 512;
const ROOT: u32 = 0;
/// Depth of the tables: the root holds 512 GiB entries.
const TOP: u32 = 3;

/// The levels at which a leaf may stand.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// 4 KiB.
    Pte,
    /// 2 MiB.
    Pmd,
    /// 1 GiB.
    Pud,
}

impl Level {
    /// All levels, smallest leaf first.
    pub const ALL: [Level; 3] = [Level::Pte, Level::Pmd, Level::Pud];

    fn depth(self) -> u32 {
        self as u32
    }

    fn from_depth(depth: u32) -> Level {
        Level::ALL[depth as usize]
    }

    /// Pages of a leaf, as a power of two.
    pub fn order(self) -> u32 {
        self.depth() * PMD_ORDER
    }

    /// Bytes of a leaf.
    pub fn size(self) -> u64 {
        PAGE_SIZE << self.order()
    }

    /// The address of the leaf that covers `addr`.
    pub fn base(self, addr: u64) -> u64 {
        addr & !(self.size() - 1)
    }
}

/// A leaf: an entry, where it stands, and when it was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leaf {
    /// First address that it maps.
    pub addr: u64,
    /// Its level.
    pub level: Level,
    /// The entry.
    pub entry: u64,
    /// The step at which it was set.
    pub mapped_at: u64,
}

impl Leaf {
    /// The first frame.
    pub fn pfn(&self) -> u64 {
        let mask = if self.level == Level::Pte { PTE_PFN_MASK } else { PTE_PFN_MASK & !_PAGE_PAT_LARGE };
        (self.entry & mask) >> PAGE_SHIFT
    }

    /// The frame that `addr`, inside the leaf, leads to.
    pub fn pfn_of(&self, addr: u64) -> u64 {
        self.pfn() + ((addr - self.addr) >> PAGE_SHIFT)
    }

    /// The protection, as at the lowest level.
    pub fn prot(&self) -> Pgprot {
        match self.level {
            Level::Pte => self.entry & !PTE_PFN_MASK,
            _ => pgprot_large_2_4k(self.entry & (!PTE_PFN_MASK | _PAGE_PAT_LARGE)),
        }
    }

    /// Whether it may be written through.
    pub fn write(&self) -> bool {
        self.entry & _PAGE_RW != 0
    }
}

/// The word of a leaf at a level. `pfn` must be a multiple of the leaf's pages; lower bits are dropped.
pub fn mk_entry(level: Level, pfn: u64, prot: Pgprot) -> u64 {
    let frame = (pfn & !((1 << level.order()) - 1)) << PAGE_SHIFT & PTE_PFN_MASK;
    match level {
        Level::Pte => frame | prot,
        _ => frame | pgprot_4k_2_large(prot) | _PAGE_PSE,
    }
}

/// What stands at an address and level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slot {
    /// Nothing, here or above.
    None,
    /// A table of the next lower level.
    Table,
    /// A leaf of this level.
    Leaf(Leaf),
    /// A leaf of a higher level covers the address.
    Above(Leaf),
}

/// A leaf cannot be set: something else is in the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InTheWay(pub Slot);

impl fmt::Display for InTheWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Slot::Above(l) => write!(f, "a {:?} leaf at {:#x} covers the address", l.level, l.addr),
            _ => f.write_str("a table of smaller leaves stands at the address"),
        }
    }
}

impl std::error::Error for InTheWay {}

/// One table. A word that is not 0 is a leaf or, above the lowest level and without the size bit, the number of a
/// table, shifted as a frame is.
struct Table {
    entries: Box<[(u64, u64); ENTRIES]>,
    used: [u64; ENTRIES / 64],
}

impl Table {
    fn new() -> Self {
        Table { entries: Box::new([(0, 0); ENTRIES]), used: [0; ENTRIES / 64] }
    }

    fn put(&mut self, i: usize, word: (u64, u64)) {
        self.entries[i] = word;
        if word.0 == 0 {
            self.used[i / 64] &= !(1 << (i % 64));
        } else {
            self.used[i / 64] |= 1 << (i % 64);
        }
    }

    /// The first entry in use from `i` up to `last`.
    fn next_used(&self, i: usize, last: usize) -> Option<usize> {
        if i > last {
            return None;
        }
        let mut word = i / 64;
        let mut bits = self.used[word] & (u64::MAX << (i % 64));
        loop {
            if bits != 0 {
                let found = word * 64 + bits.trailing_zeros() as usize;
                return (found <= last).then_some(found);
            }
            word += 1;
            if word > last / 64 {
                return None;
            }
            bits = self.used[word];
        }
    }
}

/// A page table.
pub struct PageTable {
    tables: Vec<Table>,
    free: Vec<u32>,
    leaves: usize,
}

impl fmt::Debug for PageTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageTable({} leaves, {} tables)", self.leaves, self.tables())
    }
}

impl Default for PageTable {
    fn default() -> Self {
        Self::new()
    }
}

fn index(addr: u64, depth: u32) -> usize {
    (addr >> (PAGE_SHIFT + 9 * depth)) as usize & (ENTRIES - 1)
}

fn is_leaf(word: u64, depth: u32) -> bool {
    depth == 0 || word & _PAGE_PSE != 0
}

fn table_of(word: u64) -> u32 {
    (word >> PAGE_SHIFT) as u32
}

impl PageTable {
    /// An empty page table: the root alone.
    pub fn new() -> Self {
        PageTable { tables: vec![Table::new()], free: Vec::new(), leaves: 0 }
    }

    /// Tables in use, the root included.
    pub fn tables(&self) -> usize {
        self.tables.len() - self.free.len()
    }

    /// Leaves present.
    pub fn leaves(&self) -> usize {
        self.leaves
    }

    /// Bytes that the tables take.
    pub fn bytes(&self) -> usize {
        self.tables.len() * (size_of::<Table>() + ENTRIES * size_of::<(u64, u64)>())
    }

    /// The leaf that maps `addr`. At most four tables are visited.
    #[inline]
    pub fn walk(&self, addr: u64) -> Option<Leaf> {
        let mut table = ROOT;
        let mut depth = TOP;
        loop {
            let (word, mapped_at) = self.tables[table as usize].entries[index(addr, depth)];
            if word == 0 {
                return None;
            }
            if is_leaf(word, depth) {
                let level = Level::from_depth(depth);
                return Some(Leaf { addr: level.base(addr), level, entry: word, mapped_at });
            }
            table = table_of(word);
            depth -= 1;
        }
    }

    /// What stands at `addr` on a level.
    pub fn slot(&self, addr: u64, level: Level) -> Slot {
        let mut table = ROOT;
        let mut depth = TOP;
        loop {
            let (word, mapped_at) = self.tables[table as usize].entries[index(addr, depth)];
            if word == 0 {
                return Slot::None;
            }
            if is_leaf(word, depth) {
                let at = Level::from_depth(depth);
                let leaf = Leaf { addr: at.base(addr), level: at, entry: word, mapped_at };
                return if at == level { Slot::Leaf(leaf) } else { Slot::Above(leaf) };
            }
            if depth == level.depth() {
                return Slot::Table;
            }
            table = table_of(word);
            depth -= 1;
        }
    }

    /// The table that holds the entries of a level at `addr`, made if need be.
    fn table_for(&mut self, addr: u64, level: Level) -> Result<u32, InTheWay> {
        let mut table = ROOT;
        let mut depth = TOP;
        while depth > level.depth() {
            let i = index(addr, depth);
            let (word, mapped_at) = self.tables[table as usize].entries[i];
            if word == 0 {
                let new = self.free.pop().unwrap_or_else(|| {
                    self.tables.push(Table::new());
                    (self.tables.len() - 1) as u32
                });
                self.tables[table as usize].put(i, (u64::from(new) << PAGE_SHIFT | _PAGE_PRESENT, 0));
                table = new;
            } else if is_leaf(word, depth) {
                let at = Level::from_depth(depth);
                let leaf = Leaf { addr: at.base(addr), level: at, entry: word, mapped_at };
                return Err(InTheWay(Slot::Above(leaf)));
            } else {
                table = table_of(word);
            }
            depth -= 1;
        }
        Ok(table)
    }

    /// Makes the tables above an entry of this level, as `pud_alloc` and its like do.
    ///
    /// # Errors
    /// When a larger leaf covers the address.
    pub fn alloc(&mut self, addr: u64, level: Level) -> Result<(), InTheWay> {
        self.table_for(addr, level).map(drop)
    }

    /// Sets the entry of a level at `addr`; a leaf that stands there is replaced.
    ///
    /// # Errors
    /// When a larger leaf covers the address, or a table of smaller ones stands there.
    #[inline]
    pub fn set(&mut self, addr: u64, level: Level, entry: u64, mapped_at: u64) -> Result<(), InTheWay> {
        let table = self.table_for(addr, level)?;
        let i = index(addr, level.depth());
        let old = self.tables[table as usize].entries[i].0;
        if old != 0 && !is_leaf(old, level.depth()) {
            return Err(InTheWay(Slot::Table));
        }
        self.leaves += usize::from(old == 0);
        self.tables[table as usize].put(i, (entry, mapped_at));
        Ok(())
    }

    /// Visits each leaf that touches `start..end`, in order; `f` gives the word that shall stand there, 0 to clear it.
    ///
    /// Proportional to the leaves and tables present in the range.
    pub fn for_each(&mut self, start: u64, end: u64, mut f: impl FnMut(&Leaf) -> u64) {
        if start < end {
            self.visit(ROOT, TOP, 0, (start, end - 1), &mut f);
        }
    }

    fn visit(
        &mut self,
        table: u32,
        depth: u32,
        base: u64,
        range: (u64, u64),
        f: &mut impl FnMut(&Leaf) -> u64,
    ) {
        let (first, last) = (index(range.0, depth), index(range.1, depth));
        let span = PAGE_SIZE << (9 * depth);
        let mut i = first;
        while let Some(at) = self.tables[table as usize].next_used(i, last) {
            i = at + 1;
            let (word, mapped_at) = self.tables[table as usize].entries[at];
            let addr = base + at as u64 * span;
            if is_leaf(word, depth) {
                let leaf = Leaf { addr, level: Level::from_depth(depth), entry: word, mapped_at };
                let new = f(&leaf);
                if new != word {
                    self.leaves -= usize::from(new == 0);
                    self.tables[table as usize].put(at, (new, mapped_at));
                }
            } else {
                let below = (range.0.max(addr), range.1.min(addr + (span - 1)));
                self.visit(table_of(word), depth - 1, addr, below, f);
            }
        }
    }

    /// Clears the leaves that touch `start..end`; a leaf that is only touched goes whole, and a later fault brings
    /// back what is wanted of it, as with the kernel's large leaves of special mappings. Gives their number.
    pub fn zap(&mut self, start: u64, end: u64) -> usize {
        let before = self.leaves;
        self.for_each(start, end, |_| 0);
        before - self.leaves
    }

    /// Frees the tables below the root that lie wholly in `start..end` and are empty.
    pub fn free_tables(&mut self, start: u64, end: u64) {
        if start < end {
            self.free_below(ROOT, TOP, 0, (start, end - 1));
        }
    }

    fn free_below(&mut self, table: u32, depth: u32, base: u64, range: (u64, u64)) {
        let (first, last) = (index(range.0, depth), index(range.1, depth));
        let span = PAGE_SIZE << (9 * depth);
        let mut i = first;
        while let Some(at) = self.tables[table as usize].next_used(i, last) {
            i = at + 1;
            let word = self.tables[table as usize].entries[at].0;
            if is_leaf(word, depth) {
                continue;
            }
            let addr = base + at as u64 * span;
            let child = table_of(word);
            let below = (range.0.max(addr), range.1.min(addr + (span - 1)));
            if depth > 1 {
                self.free_below(child, depth - 1, addr, below);
            }
            let whole = range.0 <= addr && addr + (span - 1) <= range.1;
            if whole && self.tables[child as usize].used == [0; ENTRIES / 64] {
                self.tables[table as usize].put(at, (0, 0));
                self.free.push(child);
            }
        }
    }
}
