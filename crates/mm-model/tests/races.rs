// SPDX-License-Identifier: GPL-2.0-only
//! What the explorer finds between accesses, faults and teardown. Each rule has a case that must fire.

mod common;

use std::cell::Cell;

use common::*;
use explorer::spawn;
use kernel_model::prelude::*;
use mm_model::prelude::*;

thread_local! {
    static STALE: Cell<u64> = const { Cell::new(0) };
}

/// A user that stores and loads, beside whatever `driver` does to take the region away.
fn user_beside(driver: fn(World)) {
    let w = World::new(PMD_ORDER);
    let mm = w.mm();
    let at = w.map(mm, PMD_SIZE, 0);
    let user = spawn("user", move || {
        let _ = user_store(mm, at, 1);
        let _ = user_load(mm, at);
    });
    let driver = spawn("driver", move || driver(w));
    user.join();
    driver.join();
    w.end(&[mm]);
}

#[test]
fn a_revoked_region_is_never_reached() {
    let executions = holds(|| user_beside(|w| w.revoke()));
    assert!(executions > 5, "{executions}");
}

#[test]
fn without_the_unmap_it_is() {
    breaks("no-access-to-dead-bar", || {
        user_beside(|w| {
            down_write(&w.dev.memory_lock);
            w.dev.revoked.set(true);
            w.dev.decodes.write_once(false);
            up_write(&w.dev.memory_lock);
        });
    });
}

#[test]
fn an_unmap_outside_of_the_lock_is_not_enough() {
    breaks("no-access-to-dead-bar", || {
        user_beside(|w| {
            unmap_mapping_range(w.mapping, 0, 0, true);
            down_write(&w.dev.memory_lock);
            w.dev.revoked.set(true);
            w.dev.decodes.write_once(false);
            up_write(&w.dev.memory_lock);
        });
    });
}

/// The page table is emptied, the TLBs are not: the user's second access still goes through.
#[test]
fn a_stale_tlb_entry_is_a_reachable_state() {
    breaks("no-access-to-dead-bar", || {
        let w = World::new(PMD_ORDER);
        let mm = w.mm();
        let at = w.map(mm, PMD_SIZE, 0);
        let user = spawn("user", move || {
            let _ = user_load(mm, at);
            let _ = user_load(mm, at);
        });
        let driver = spawn("driver", move || {
            down_write(&w.dev.memory_lock);
            mutex_lock(&mm.page_table_lock);
            mm.mmu.change(0, 1 << 47, |_| 0);
            mutex_unlock(&mm.page_table_lock);
            w.dev.revoked.set(true);
            w.dev.decodes.write_once(false);
            up_write(&w.dev.memory_lock);
        });
        user.join();
        driver.join();
        mm.mmu.shootdown(0, u64::MAX);
        w.end(&[mm]);
    });
}

/// Two CPUs of one process: after the shootdown neither has an entry, and before it at least one sometimes had.
#[test]
fn no_tlb_entry_survives_a_shootdown() {
    STALE.set(0);
    holds(|| {
        let w = World::new(0);
        let mm = w.mm();
        let at = w.map(mm, 2 * PAGE_SIZE, 0);
        let user = |n: u64| {
            spawn("user", move || {
                let _ = user_load(mm, at + n * PAGE_SIZE);
            })
        };
        let (a, b) = (user(0), user(1));
        let driver = spawn("driver", move || {
            down_write(&w.dev.memory_lock);
            STALE.set(STALE.get().max(mm.mmu.cached(0, u64::MAX).len() as u64));
            unmap_mapping_range(w.mapping, 0, 0, true);
            assert!(mm.mmu.cached(0, u64::MAX).is_empty());
            assert_eq!(mm.mmu.table().leaves(), 0);
            w.dev.revoked.set(true);
            up_write(&w.dev.memory_lock);
        });
        a.join();
        b.join();
        driver.join();
        assert!(mm.mmu.cached(0, u64::MAX).is_empty(), "faults were refused after the unmap");
        w.end(&[mm]);
    });
    assert_eq!(STALE.get(), 2, "both CPUs had an entry in some execution");
}

#[test]
fn fork_does_not_save_an_entry_from_an_unmap() {
    holds(|| {
        let w = World::new(PUD_ORDER);
        let mm = w.mm();
        let child = w.mm();
        let at = w.map(mm, PUD_SIZE, 0);
        user_load(mm, at).unwrap();
        let forker = spawn("fork", move || dup_mmap(child, mm).unwrap());
        let driver = spawn("driver", move || unmap_mapping_range(w.mapping, 0, 0, true));
        forker.join();
        driver.join();
        assert_eq!((level(mm, at), level(child, at)), (None, None));
        w.end(&[mm, child]);
    });
}

#[test]
fn a_move_does_not_save_an_entry_from_an_unmap() {
    holds(|| {
        let w = World::new(PMD_ORDER);
        let mm = w.mm();
        let at = w.map(mm, PMD_SIZE, 0);
        user_load(mm, at).unwrap();
        let to = at - 8 * PMD_SIZE;
        let flags = MREMAP_MAYMOVE | MREMAP_FIXED;
        let mover = spawn("mremap", move || {
            let _ = do_mremap(mm, at, PMD_SIZE, PMD_SIZE, flags, to);
        });
        let driver = spawn("driver", move || unmap_mapping_range(w.mapping, 0, 0, true));
        mover.join();
        driver.join();
        assert_eq!((level(mm, at), level(mm, to)), (None, None));
        w.end(&[mm]);
    });
}

#[test]
fn a_fault_beside_munmap_leaves_nothing() {
    let executions = holds(|| {
        let w = World::new(PMD_ORDER);
        let mm = w.mm();
        let at = w.map(mm, PMD_SIZE, 0);
        let user = spawn("user", move || {
            let _ = user_load(mm, at);
        });
        let unmapper = spawn("munmap", move || __vm_munmap(mm, at, PMD_SIZE).unwrap());
        user.join();
        unmapper.join();
        assert_eq!(mm.mmu.table().leaves(), 0);
        w.end(&[mm]);
    });
    assert!(executions > 3, "{executions}");
}

#[test]
fn a_fault_beside_mprotect_never_writes_afterwards() {
    holds(|| {
        let w = World::new(PMD_ORDER);
        let mm = w.mm();
        let at = w.map(mm, PMD_SIZE, 0);
        let user = spawn("user", move || {
            let _ = user_store(mm, at, 1);
        });
        let protecter = spawn("mprotect", move || {
            do_mprotect_pkey(mm, at, PMD_SIZE, VM_READ).unwrap();
            assert!(mm.mmu.cached(0, u64::MAX).iter().all(|l| !l.write()));
        });
        user.join();
        protecter.join();
        assert_eq!(user_store(mm, at, 1), Err(Signal::Sigsegv));
        w.end(&[mm]);
    });
}

/// `mmap_lock`, then the driver's lock, then `mmap_lock` again by a copy to user memory: the deadlock that drivers
/// avoid.
#[test]
fn a_copy_to_user_under_the_drivers_lock_deadlocks() {
    let outcome = run(|| {
        let w = World::new(0);
        let mm = w.mm();
        let at = w.map(mm, PAGE_SIZE, 0);
        let ioctl = spawn("ioctl", move || {
            down_write(&w.dev.memory_lock);
            copy_to_user(mm, at, &[1]);
            up_write(&w.dev.memory_lock);
        });
        ioctl.join();
    });
    assert_eq!(outcome.findings[0].kind, explorer::FindingKind::Deadlock);
}
