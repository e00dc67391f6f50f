// SPDX-License-Identifier: GPL-2.0-only
//! One task: system calls and faults, each in the C's own words.

mod common;

use common::*;
use kernel_model::prelude::*;
use mm_model::mmap::maps;
use mm_model::pgprot::*;
use mm_model::pgtable::*;
use mm_model::prelude::*;

#[test]
fn a_fault_takes_the_largest_leaf_that_fits() {
    for (max_order, want) in [(PUD_ORDER, Level::Pud), (PMD_ORDER, Level::Pmd), (0, Level::Pte)] {
        holds(move || {
            let w = World::new(max_order);
            let mm = w.mm();
            let at = w.map(mm, SIZE, 0);
            assert_eq!(at & (PUD_SIZE - 1), 0, "a large mapping is aligned");
            assert_eq!(user_load(mm, at + PUD_SIZE + 0x1238), Ok((PFN << 12) + PUD_SIZE + 0x1238));
            assert_eq!(level(mm, at + PUD_SIZE + 0x1238), Some(want));
            let access = bus_log()[0];
            assert_eq!(access.cache_mode, Some(PageCacheMode::UcMinus));
            w.end(&[mm]);
        });
    }
}

#[test]
fn an_odd_offset_falls_back_to_smaller_leaves() {
    holds(|| {
        let w = World::new(PUD_ORDER);
        let mm = w.mm();
        // The VMA begins one page into the region: its first 2 MiB cannot be one leaf.
        let at = w.map(mm, PUD_SIZE + PMD_SIZE, 1);
        assert_eq!((at ^ PAGE_SIZE) & (PUD_SIZE - 1), 0, "the address is congruent to the offset");
        user_load(mm, at).unwrap();
        assert_eq!(level(mm, at), Some(Level::Pte));
        user_load(mm, at + PMD_SIZE).unwrap();
        assert_eq!(level(mm, at + PMD_SIZE), Some(Level::Pmd));
        w.end(&[mm]);
    });
}

#[test]
fn a_table_left_by_small_pages_keeps_large_leaves_out() {
    holds(|| {
        let w = World::new(PUD_ORDER);
        let mm = w.mm();
        let at = w.map(mm, PUD_SIZE, 0);
        let vma = find_vma(mm, at).unwrap();
        assert_eq!(vmf_insert_pfn(vma, at, PFN), VM_FAULT_NOPAGE);
        unmap_mapping_range(w.mapping, 0, 0, true);
        user_load(mm, at).unwrap();
        assert_eq!(level(mm, at), Some(Level::Pte), "the 1 GiB and 2 MiB entries are not none");
        user_load(mm, at + PMD_SIZE).unwrap();
        assert_eq!(level(mm, at + PMD_SIZE), Some(Level::Pmd), "the 1 GiB entry is not none");
        w.end(&[mm]);
    });
}

#[test]
fn signals_are_what_the_kernel_sends() {
    holds(|| {
        let w = World::new(PUD_ORDER);
        let mm = w.mm();
        let at = w.map(mm, PMD_SIZE, 0);
        assert_eq!(user_load(mm, at - 8), Err(Signal::Sigsegv), "no mapping");
        assert_eq!(user_load(mm, at + PMD_SIZE), Err(Signal::Sigsegv), "behind the mapping");
        assert_eq!(user_load(mm, 1 << 60), Err(Signal::Sigsegv), "not canonical");
        do_mprotect_pkey(mm, at, PMD_SIZE, VM_READ).unwrap();
        assert_eq!(user_store(mm, at, 1), Err(Signal::Sigsegv), "read-only");
        user_load(mm, at).unwrap();
        do_mprotect_pkey(mm, at, PMD_SIZE, 0).unwrap();
        assert_eq!(user_load(mm, at), Err(Signal::Sigsegv), "no access at all");
        do_mprotect_pkey(mm, at, PMD_SIZE, RW).unwrap();
        user_store(mm, at, 1).unwrap();
        w.revoke();
        assert_eq!(user_load(mm, at), Err(Signal::Sigbus), "the driver refuses");
        assert_eq!(copy_to_user(mm, at, &[1, 2, 3]), 3, "nothing is copied");
        assert_eq!(copy_words_from_user(mm, at, 1), Err(EFAULT));
        w.end(&[mm]);
    });
}

#[test]
fn the_kernel_copies_up_to_the_hole() {
    holds(|| {
        let w = World::new(0);
        let mm = w.mm();
        let at = vm_mmap_pgoff(mm, None, None, 2 * PAGE_SIZE, RW, 0).unwrap();
        __vm_munmap(mm, at + PAGE_SIZE, PAGE_SIZE).unwrap();
        assert_eq!(copy_to_user(mm, at + PAGE_SIZE - 16, &[7, 8, 9]), 1);
        assert_eq!(copy_words_from_user(mm, at + PAGE_SIZE - 16, 2), Ok(vec![7, 8]));
        w.end(&[mm]);
    });
}

#[test]
fn a_partial_munmap_splits() {
    holds(|| {
        let w = World::new(PMD_ORDER);
        let mm = w.mm();
        let at = w.map(mm, 4 * PMD_SIZE, 0);
        for i in 0..4 {
            user_load(mm, at + i * PMD_SIZE).unwrap();
        }
        __vm_munmap(mm, at + PMD_SIZE + PAGE_SIZE, PMD_SIZE).unwrap();
        let ends: Vec<_> = maps(mm).iter().map(|m| (m.0 - at, m.1 - at)).collect();
        let hole = (PMD_SIZE + PAGE_SIZE, 2 * PMD_SIZE + PAGE_SIZE);
        assert_eq!(ends, [(0, hole.0), (hole.1, 4 * PMD_SIZE)]);
        assert_eq!(w.dev.vmas.get(), 2);
        // The leaves that straddled the borders went whole; the rest of them comes back as small pages.
        assert_eq!(level(mm, at), Some(Level::Pmd));
        assert_eq!(level(mm, at + PMD_SIZE), None);
        assert_eq!(user_load(mm, at + PMD_SIZE), Ok((PFN << 12) + PMD_SIZE));
        assert_eq!(level(mm, at + PMD_SIZE), Some(Level::Pte));
        assert_eq!(user_load(mm, at + hole.0), Err(Signal::Sigsegv));
        assert_eq!(user_load(mm, at + hole.1), Ok((PFN << 12) + hole.1), "the offset is kept");
        w.end(&[mm]);
    });
}

#[test]
fn mremap_moves_and_shrinks_but_does_not_expand_frames() {
    holds(|| {
        let w = World::new(PMD_ORDER);
        let mm = w.mm();
        let at = w.map(mm, 2 * PMD_SIZE, 0);
        user_load(mm, at).unwrap();
        assert_eq!(do_mremap(mm, at, 2 * PMD_SIZE, 3 * PMD_SIZE, MREMAP_MAYMOVE, 0), Err(EFAULT));
        let to = at - 16 * PMD_SIZE;
        assert_eq!(do_mremap(mm, at, 2 * PMD_SIZE, PMD_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, to), Ok(to));
        assert_eq!(level(mm, to), Some(Level::Pmd), "the leaf has moved");
        assert_eq!(user_load(mm, to + 8), Ok((PFN << 12) + 8));
        assert_eq!(user_load(mm, at), Err(Signal::Sigsegv), "the old place is gone, TLB included");
        for (args, why) in [
            ((to + 1, PAGE_SIZE, PAGE_SIZE, 0, 0), EINVAL),
            ((to, PAGE_SIZE, 0, 0, 0), EINVAL),
            ((to, PAGE_SIZE, PAGE_SIZE, MREMAP_FIXED, at), EINVAL),
            ((to, 2 * PAGE_SIZE, 2 * PAGE_SIZE, MREMAP_FIXED | MREMAP_MAYMOVE, to + PAGE_SIZE), EINVAL),
            ((at, PAGE_SIZE, PAGE_SIZE, MREMAP_FIXED | MREMAP_MAYMOVE, to), EFAULT),
        ] {
            assert_eq!(do_mremap(mm, args.0, args.1, args.2, args.3, args.4), Err(why), "{args:x?}");
        }
        w.end(&[mm]);
    });
}

#[test]
fn anonymous_memory_grows_moves_and_is_given_up() {
    holds(|| {
        let w = World::new(0);
        let mm = w.mm();
        let at = vm_mmap_pgoff(mm, None, None, PAGE_SIZE, RW, 0).unwrap();
        user_store(mm, at, 42).unwrap();
        let to = do_mremap(mm, at, PAGE_SIZE, 4 * PAGE_SIZE, MREMAP_MAYMOVE, 0).unwrap();
        assert_eq!(user_load(mm, to), Ok(42));
        do_madvise(mm, to, PAGE_SIZE).unwrap();
        assert_eq!(user_load(mm, to), Ok(0), "a new page");
        let bar = w.map(mm, PMD_SIZE, 0);
        assert_eq!(do_madvise(mm, bar, PAGE_SIZE), Err(EINVAL), "frames cannot be given up");
        assert_eq!(do_madvise(mm, to + 4 * PAGE_SIZE, PAGE_SIZE), Err(ENOMEM));
        w.end(&[mm]);
    });
}

#[test]
fn fork_copies_frames_and_shares_pages_until_a_write() {
    holds(|| {
        let w = World::new(PUD_ORDER);
        let mm = w.mm();
        let bar = w.map(mm, PUD_SIZE, 0);
        let anon = vm_mmap_pgoff(mm, None, None, PAGE_SIZE, RW, 0).unwrap();
        user_store(mm, bar, 1).unwrap();
        user_store(mm, anon, 1).unwrap();
        let child = w.mm();
        dup_mmap(child, mm).unwrap();
        assert_eq!(level(child, bar), Some(Level::Pud), "frames are copied: no fault could bring them back");
        assert_eq!(w.mem.pages_in_use(), 1, "the page is shared");
        user_store(child, anon, 2).unwrap();
        assert_eq!((user_load(mm, anon), user_load(child, anon)), (Ok(1), Ok(2)));
        assert_eq!(w.mem.pages_in_use(), 2);
        user_store(mm, anon, 3).unwrap();
        assert_eq!(w.mem.pages_in_use(), 2, "the last user writes in place");
        unmap_mapping_range(w.mapping, 0, 0, true);
        assert_eq!((level(mm, bar), level(child, bar)), (None, None));
        w.end(&[child, mm]);
    });
}

#[test]
fn a_driver_may_put_another_file_behind_a_mapping() {
    static FOPS: FileOperations = FileOperations { release: |_| {}, d_release: |_| {} };
    holds(|| {
        let w = World::new(0);
        let mm = w.mm();
        let other = address_space_init().unwrap();
        let file = VmFile { file: alloc_file(&FOPS).unwrap(), f_mapping: other, mmap: |_| Ok(()) };
        mm_model::mmap_lock::mmap_write_lock(mm);
        let at = do_mmap(mm, Some(file), None, PAGE_SIZE, RW | SHARED, 0).unwrap();
        let vma = find_vma(mm, at).unwrap();
        assert_eq!(vma.file().unwrap().f_mapping, other);
        mm_model::mmap_lock::mmap_write_unlock(mm);
        __vm_munmap(mm, at, PAGE_SIZE).unwrap();
        kernel_model::task::syscall("close", || fput(file.file));
        kfree(other);
        w.end(&[mm]);
    });
}

#[test]
fn bad_arguments_are_refused() {
    holds(|| {
        let w = World::new(0);
        let mm = w.mm();
        let map = |fixed, len, flags, pgoff| vm_mmap_pgoff(mm, Some(w.file), fixed, len, flags, pgoff);
        assert_eq!(map(None, 0, RW | SHARED, 0), Err(EINVAL));
        assert_eq!(map(None, u64::MAX, RW | SHARED, 0), Err(ENOMEM));
        assert_eq!(map(Some(1), PAGE_SIZE, RW | SHARED, 0), Err(EINVAL));
        assert_eq!(map(None, PAGE_SIZE, RW | SHARED, u64::MAX), Err(EOVERFLOW));
        assert_eq!(map(None, PAGE_SIZE, RW, 0), Err(EINVAL), "the driver wants a shared mapping");
        assert_eq!(map(None, SIZE + PAGE_SIZE, RW | SHARED, 0), Err(EINVAL), "beyond the region");
        assert_eq!(map(Some(PAGE_SIZE << 40), PAGE_SIZE, RW | SHARED, 0), Err(ENOMEM));
        assert_eq!(__vm_munmap(mm, 1, PAGE_SIZE), Err(EINVAL));
        assert_eq!(__vm_munmap(mm, 0, 0), Err(EINVAL));
        assert_eq!(__vm_munmap(mm, 0, u64::MAX), Err(EINVAL));
        assert_eq!(__vm_munmap(mm, 0, PAGE_SIZE), Ok(()), "nothing to unmap is fine");
        assert_eq!(do_mprotect_pkey(mm, 1, PAGE_SIZE, VM_READ), Err(EINVAL));
        assert_eq!(do_mprotect_pkey(mm, 0, PAGE_SIZE, VM_READ), Err(ENOMEM));
        assert_eq!(user_load(mm, 4), Err(Signal::Sigsegv));
        w.end(&[mm]);
    });
}
