// SPDX-License-Identifier: GPL-2.0-only
//! `unmap_mapping_range()` against brute force over all VMAs of all processes, and the VMAs against a flat map of
//! pages.

mod common;

use std::collections::BTreeMap;

use common::*;
use explorer::{Config, explore};
use kernel_model::prelude::*;
use mm_model::mmap::maps;
use mm_model::prelude::*;
use proptest::prelude::*;

/// Pages of the arena in which the mappings lie, so that they meet.
const PAGES: u64 = 24;
const BASE: u64 = 0x10_0000_0000;

#[derive(Clone, Debug)]
enum Act {
    Map { mm: usize, at: u64, pages: u64, pgoff: u64 },
    Unmap { mm: usize, at: u64, pages: u64 },
    Protect { mm: usize, at: u64, pages: u64, write: bool },
    Move { mm: usize, at: u64, pages: u64, to: u64 },
    Touch { mm: usize, at: u64, write: bool },
    Fork { from: usize },
    Zap { pgoff: u64, pages: u64 },
}

fn act() -> impl Strategy<Value = Act> {
    let mm = 0usize..2;
    let (at, pages, pgoff) = (0..PAGES, 1u64..8, 0u64..12);
    prop_oneof![
        4 => (mm.clone(), at.clone(), pages.clone(), pgoff.clone())
            .prop_map(|(mm, at, pages, pgoff)| Act::Map { mm, at, pages, pgoff }),
        2 => (mm.clone(), at.clone(), pages.clone()).prop_map(|(mm, at, pages)| Act::Unmap { mm, at, pages }),
        2 => (mm.clone(), at.clone(), pages.clone(), any::<bool>())
            .prop_map(|(mm, at, pages, write)| Act::Protect { mm, at, pages, write }),
        2 => (mm.clone(), at.clone(), pages.clone(), 0..PAGES)
            .prop_map(|(mm, at, pages, to)| Act::Move { mm, at, pages, to }),
        8 => (mm, at, any::<bool>()).prop_map(|(mm, at, write)| Act::Touch { mm, at, write }),
        1 => (0usize..2).prop_map(|from| Act::Fork { from }),
        3 => (pgoff, 0u64..6).prop_map(|(pgoff, pages)| Act::Zap { pgoff, pages }),
    ]
}

/// What a page of an address space is: page of the file, and whether it may be written.
type Flat = BTreeMap<u64, (u64, bool)>;

fn check(w: World, mm: Kptr<MmStruct>, flat: &Flat) {
    let mut seen = Flat::new();
    for (start, end, flags) in maps(mm) {
        let vma = find_vma(mm, start).unwrap();
        assert_eq!((vma.vm_start.get(), vma.vm_end.get()), (start, end), "the tree and the VMA agree");
        for addr in (start..end).step_by(PAGE_SIZE as usize) {
            let page = (linear_page_index(vma, addr), flags & VM_WRITE != 0);
            assert!(seen.insert((addr - BASE) >> PAGE_SHIFT, page).is_none(), "VMAs overlap");
        }
    }
    assert_eq!(&seen, flat);
    for leaf in mm.mmu.leaves_in(0, 1 << 47) {
        let page = flat.get(&((leaf.addr - BASE) >> PAGE_SHIFT)).expect("an entry outside of all VMAs");
        assert_eq!(leaf.pfn(), PFN + page.0);
        assert!(page.1 || !leaf.write(), "a writable entry in a read-only VMA");
    }
    for cached in mm.mmu.cached(0, u64::MAX) {
        let now = mm.mmu.table().walk(cached.addr);
        let same = now.is_some_and(|l| l.pfn() == cached.pfn() && (l.write() || !cached.write()));
        assert!(same, "a TLB remembers {cached:x?}, the table says {now:x?}");
    }
    let _ = w;
}

fn run_acts(acts: &[Act]) {
    let w = World::new(0);
    let mut mms = vec![w.mm(), w.mm()];
    let mut flats = vec![Flat::new(), Flat::new()];
    let page = |n: u64| BASE + (n << PAGE_SHIFT);
    for act in acts {
        match *act {
            Act::Map { mm, at, pages, pgoff } => {
                let flags = RW | SHARED;
                vm_mmap_pgoff(mms[mm], Some(w.file), Some(page(at)), pages << PAGE_SHIFT, flags, pgoff)
                    .unwrap();
                (0..pages).for_each(|i| {
                    let _ = flats[mm].insert(at + i, (pgoff + i, true));
                });
            }
            Act::Unmap { mm, at, pages } => {
                __vm_munmap(mms[mm], page(at), pages << PAGE_SHIFT).unwrap();
                (at..at + pages).for_each(|i| {
                    let _ = flats[mm].remove(&i);
                });
            }
            Act::Protect { mm, at, pages, write } => {
                let prot = if write { RW } else { VM_READ };
                let ret = do_mprotect_pkey(mms[mm], page(at), pages << PAGE_SHIFT, prot);
                // What lies before the first hole is changed.
                let mapped = (at..at + pages).take_while(|i| flats[mm].contains_key(i)).count() as u64;
                assert_eq!(ret, if mapped == pages { Ok(()) } else { Err(ENOMEM) });
                (at..at + mapped).for_each(|i| flats[mm].get_mut(&i).unwrap().1 = write);
            }
            Act::Move { mm, at, pages, to } => {
                let (len, flags) = (pages << PAGE_SHIFT, MREMAP_MAYMOVE | MREMAP_FIXED);
                if do_mremap(mms[mm], page(at), len, len, flags, page(to)).is_ok() {
                    let moved: Vec<_> = (0..pages).map(|i| flats[mm].remove(&(at + i)).unwrap()).collect();
                    (0..pages).for_each(|i| {
                        let _ = flats[mm].insert(to + i, moved[i as usize]);
                    });
                }
            }
            Act::Touch { mm, at, write } => {
                let got = if write {
                    user_store(mms[mm], page(at), 1)
                } else {
                    user_load(mms[mm], page(at)).map(drop)
                };
                let fine = flats[mm].get(&at).is_some_and(|p| p.1 || !write);
                assert_eq!(got, if fine { Ok(()) } else { Err(Signal::Sigsegv) });
            }
            Act::Fork { from } => {
                let child = w.mm();
                dup_mmap(child, mms[from]).unwrap();
                let to = 1 - from;
                exit_mmap(mms[to]);
                mmdrop(mms[to]);
                mms[to] = child;
                flats[to] = flats[from].clone();
            }
            Act::Zap { pgoff, pages } => {
                let hit = |p: u64| p >= pgoff && (pages == 0 || p < pgoff + pages);
                let expected: Vec<Vec<u64>> = mms
                    .iter()
                    .zip(&flats)
                    .map(|(mm, flat)| {
                        let leaves = mm.mmu.leaves_in(0, 1 << 47);
                        let stays = |addr: &u64| !hit(flat[&((addr - BASE) >> PAGE_SHIFT)].0);
                        leaves.iter().map(|l| l.addr).filter(stays).collect()
                    })
                    .collect();
                unmap_mapping_range(w.mapping, pgoff << PAGE_SHIFT, pages << PAGE_SHIFT, true);
                for (mm, expected) in mms.iter().zip(expected) {
                    let left: Vec<_> = mm.mmu.leaves_in(0, 1 << 47).iter().map(|l| l.addr).collect();
                    assert_eq!(left, expected);
                }
            }
        }
        mms.iter().zip(&flats).for_each(|(mm, flat)| check(w, *mm, flat));
    }
    w.end(&mms);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn address_spaces_agree_with_flat_maps(acts in prop::collection::vec(act(), 1..40)) {
        let outcome = explore(&Config::new("unmap"), move || run_acts(&acts)).unwrap();
        prop_assert!(outcome.exhausted && outcome.findings.is_empty(), "{:#?}", outcome.findings);
    }
}

/// Private mappings of pages: copies stay unless `even_cows` says otherwise.
#[test]
fn even_cows_decides_about_copies() {
    static OPS: VmOperationsStruct = VmOperationsStruct {
        fault: Some(|vmf| {
            let mem = vmf.vma.vm_mm.mem;
            vmf.page.set(Some(mem.alloc_page()));
            0
        }),
        ..VmOperationsStruct::NONE
    };
    for even_cows in [false, true] {
        holds(move || {
            let w = World::new(0);
            let mm = w.mm();
            let file = VmFile {
                mmap: |vma| {
                    vma.vm_ops.set(Some(&OPS));
                    Ok(())
                },
                ..w.file
            };
            let at = vm_mmap_pgoff(mm, Some(file), None, 2 * PAGE_SIZE, RW, 0).unwrap();
            user_store(mm, at, 5).unwrap();
            user_load(mm, at + PAGE_SIZE).unwrap();
            unmap_mapping_range(w.mapping, 0, 0, even_cows);
            assert_eq!(level(mm, at).is_some(), !even_cows, "the copy");
            assert_eq!(level(mm, at + PAGE_SIZE), None, "the page of the file");
            assert_eq!(user_load(mm, at), Ok(if even_cows { 0 } else { 5 }));
            w.end(&[mm]);
        });
    }
}
