// SPDX-License-Identifier: GPL-2.0-only
//! The page table against a flat map of pages.

use std::collections::BTreeMap;

use mm_model::pgprot::*;
use mm_model::pgtable::*;
use proptest::prelude::*;

const PROT: u64 = _PAGE_PRESENT | _PAGE_RW | _PAGE_USER;

#[derive(Clone, Debug)]
enum Act {
    Set(u64, Level, u64),
    Zap(u64, u64),
    Free(u64, u64),
    Protect(u64, u64),
}

/// Addresses in a few gigabytes on both sides of a 512 GiB border, so that every level has neighbours.
fn addr() -> impl Strategy<Value = u64> {
    let near = prop_oneof![Just(0u64), Just(511 << 30), Just(512 << 30)];
    (near, 0u64..3, 0u64..4, 0u64..6).prop_map(|(b, g, m, k)| b + g * PUD_SIZE + m * PMD_SIZE + k * PAGE_SIZE)
}

fn act() -> impl Strategy<Value = Act> {
    let level = prop_oneof![Just(Level::Pte), Just(Level::Pmd), Just(Level::Pud)];
    prop_oneof![
        4 => (addr(), level, 0u64..64).prop_map(|(a, l, f)| Act::Set(l.base(a), l, f << PUD_ORDER)),
        2 => (addr(), addr()).prop_map(|(a, b)| Act::Zap(a.min(b), a.max(b))),
        1 => (addr(), addr()).prop_map(|(a, b)| Act::Free(a.min(b), a.max(b))),
        1 => (addr(), addr()).prop_map(|(a, b)| Act::Protect(a.min(b), a.max(b))),
    ]
}

/// The reference: leaves by address, no structure.
#[derive(Default)]
struct Flat(BTreeMap<u64, (Level, u64)>);

impl Flat {
    fn covering(&self, addr: u64) -> Option<(u64, Level, u64)> {
        let (base, (level, entry)) = self.0.range(..=addr).next_back()?;
        (addr - base < level.size()).then_some((*base, *level, *entry))
    }

    fn touching(&self, start: u64, end: u64) -> Vec<u64> {
        let touches =
            |(a, (l, _)): &(&u64, &(Level, u64))| start < end && **a < end && start < **a + l.size();
        self.0.iter().filter(touches).map(|(a, _)| *a).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_a_flat_map(
        acts in prop::collection::vec(act(), 1..60),
        probes in prop::collection::vec(addr(), 20)) {
        let mut table = PageTable::new();
        let mut flat = Flat::default();
        for act in acts {
            match act {
                Act::Set(a, level, pfn) => {
                    let entry = mk_entry(level, pfn, PROT);
                    match table.set(a, level, entry, 1) {
                        Ok(()) => {
                            let covered = flat.covering(a);
                            prop_assert!(covered.is_none_or(|(b, l, _)| b == a && l == level));
                            prop_assert!(flat.touching(a, a + level.size()).iter().all(|b| *b == a));
                            flat.0.insert(a, (level, entry));
                        }
                        Err(InTheWay(Slot::Above(leaf))) => {
                            prop_assert_eq!(flat.covering(a), Some((leaf.addr, leaf.level, leaf.entry)));
                            prop_assert!(leaf.level > level);
                        }
                        Err(InTheWay(slot)) => {
                            prop_assert_eq!(slot, Slot::Table);
                            prop_assert!(level > Level::Pte);
                        }
                    }
                }
                Act::Zap(a, b) => {
                    let gone = flat.touching(a, b);
                    prop_assert_eq!(table.zap(a, b), gone.len());
                    gone.iter().for_each(|k| { flat.0.remove(k); });
                }
                Act::Free(a, b) => table.free_tables(a, b),
                Act::Protect(a, b) => {
                    let mut seen = Vec::new();
                    table.for_each(a, b, |l| { seen.push(l.addr); l.entry & !_PAGE_RW });
                    prop_assert_eq!(&seen, &flat.touching(a, b));
                    for k in seen {
                        flat.0.get_mut(&k).unwrap().1 &= !_PAGE_RW;
                    }
                }
            }
            prop_assert_eq!(table.leaves(), flat.0.len());
        }
        for p in probes {
            let got = table.walk(p).map(|l| (l.addr, l.level, l.entry));
            prop_assert_eq!(got, flat.covering(p));
        }
        table.zap(0, 1 << 48);
        table.free_tables(0, 1 << 48);
        prop_assert_eq!((table.leaves(), table.tables()), (0, 1));
    }
}

#[test]
fn a_terabyte_of_large_leaves_costs_little() {
    let mut table = PageTable::new();
    for i in 0..1024 {
        let pfn = (0x100_0000_0000 + i * PUD_SIZE) >> PAGE_SHIFT;
        table.set(i * PUD_SIZE, Level::Pud, mk_entry(Level::Pud, pfn, pgprot_noncached(PROT)), 1).unwrap();
    }
    assert_eq!(table.leaves(), 1024);
    assert!(table.bytes() < 1 << 20, "{} bytes", table.bytes());
    let leaf = table.walk(777 * PUD_SIZE + 0x1234_5678).unwrap();
    assert_eq!(
        leaf.pfn_of(777 * PUD_SIZE + 0x1234_5678),
        (0x100_0000_0000 + 777 * PUD_SIZE + 0x1234_5678) >> 12
    );
    assert_eq!(pgprot2cachemode(leaf.prot()), Some(PageCacheMode::UcMinus));
    assert_eq!(table.zap(0, 1 << 40), 1024);
}

#[test]
fn an_emptied_table_stays_until_it_is_freed() {
    let mut table = PageTable::new();
    table.set(0, Level::Pte, mk_entry(Level::Pte, 7, PROT), 1).unwrap();
    table.zap(0, PUD_SIZE);
    assert_eq!(table.slot(0, Level::Pud), Slot::Table, "a 1 GiB leaf finds the table in its way");
    assert_eq!(table.set(0, Level::Pud, mk_entry(Level::Pud, 0, PROT), 1), Err(InTheWay(Slot::Table)));
    table.free_tables(0, PUD_SIZE);
    assert_eq!(table.slot(0, Level::Pud), Slot::None);
    table.set(0, Level::Pud, mk_entry(Level::Pud, 0, PROT), 1).unwrap();
}
