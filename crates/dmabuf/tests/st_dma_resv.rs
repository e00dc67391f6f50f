// SPDX-License-Identifier: GPL-2.0-only
//! The cases of drivers/dma-buf/st-dma-resv.c, by name: 5 of 5, four of them for each of the four usages.

mod common;

use common::*;
use dmabuf::prelude::*;
use dmabuf::{dma_resv_for_each_fence, dma_resv_for_each_fence_unlocked};
use kernel_model::prelude::*;

const USAGES: [DmaResvUsage; 4] =
    [DmaResvUsage::Kernel, DmaResvUsage::Write, DmaResvUsage::Read, DmaResvUsage::Bookkeep];

/// A reservation object with one fence that is not signaled, and the lock that all fences share.
#[derive(Debug)]
struct Setup {
    resv: DmaResv,
    fence_lock: SpinlockT,
}

fn setup() -> Kptr<Setup> {
    kstack(Setup { resv: dma_resv_init(), fence_lock: spin_lock_init("fence_lock") })
}

fn alloc_fence(s: Kptr<Setup>, context: u64) -> Kptr<DmaFence> {
    let f = kzalloc(DmaFence::default()).expect("memory");
    dma_fence_init(f, &MOCK_OPS, Some(s.member(|s| &s.fence_lock)), context, 0);
    dma_fence_enable_signaling(f);
    f
}

/// Locks, reserves a slot and adds a fence; the lock stays.
fn lock_and_add(s: Kptr<Setup>, f: Kptr<DmaFence>, usage: DmaResvUsage) {
    dma_resv_lock(&s.resv);
    assert_eq!(dma_resv_reserve_fences(&s.resv, 1), Ok(()));
    dma_resv_add_fence(&s.resv, f, usage);
}

fn fini(s: Kptr<Setup>, f: Kptr<DmaFence>) {
    dma_resv_fini(&s.resv);
    dma_fence_put(f);
    kstack_end(s);
}

/// A case of one task, for each usage.
#[track_caller]
fn for_each_usage(name: &str, body: fn(DmaResvUsage)) {
    for usage in USAGES {
        check(name, 1, move || body(usage));
    }
}

#[test]
fn test_sanitycheck() {
    check("resv sanitycheck", 1, || {
        let s = setup();
        let f = alloc_fence(s, 0);
        dma_fence_signal(f);
        dma_resv_lock(&s.resv);
        dma_resv_unlock(&s.resv);
        fini(s, f);
    });
}

#[test]
fn test_signaling() {
    for_each_usage("resv signaling", |usage| {
        let s = setup();
        let f = alloc_fence(s, 0);
        lock_and_add(s, f, usage);
        assert!(!dma_resv_test_signaled(&s.resv, usage), "unexpectedly signaled");
        dma_fence_signal(f);
        assert!(dma_resv_test_signaled(&s.resv, usage), "not reported as signaled");
        dma_resv_unlock(&s.resv);
        fini(s, f);
    });
}

#[test]
fn test_for_each() {
    for_each_usage("resv for_each", |usage| {
        let s = setup();
        let f = alloc_fence(s, 0);
        lock_and_add(s, f, usage);
        let mut seen = 0;
        dma_resv_for_each_fence!(cursor, &s.resv, usage, fence, {
            assert_eq!((fence, dma_resv_iter_usage(cursor)), (f, usage));
            seen += 1;
        });
        assert_eq!(seen, 1);
        dma_fence_signal(f);
        dma_resv_unlock(&s.resv);
        fini(s, f);
    });
}

#[test]
fn test_for_each_unlocked() {
    for_each_usage("resv for_each_unlocked", |usage| {
        let s = setup();
        let f = alloc_fence(s, 0);
        lock_and_add(s, f, usage);
        dma_resv_unlock(&s.resv);
        let mut seen = 0;
        let mut cursor = dma_resv_iter_begin(&s.resv, usage);
        dma_resv_for_each_fence_unlocked!(&mut cursor, fence, {
            assert!(dma_resv_iter_is_restarted(&cursor), "no restart flag");
            assert_eq!((fence, dma_resv_iter_usage(&cursor)), (f, usage));
            if seen == 0 {
                cursor.fences = None; // as if the list had been replaced: the walk must begin again
            }
            seen += 1;
        });
        assert_eq!(seen, 2, "one restart");
        dma_resv_iter_end(&mut cursor);
        dma_fence_signal(f);
        fini(s, f);
    });
}

#[test]
fn test_get_fences() {
    for_each_usage("resv get_fences", |usage| {
        let s = setup();
        let f = alloc_fence(s, 0);
        lock_and_add(s, f, usage);
        dma_resv_unlock(&s.resv);
        let fences = dma_resv_get_fences(&s.resv, usage).expect("memory");
        assert_eq!(fences, [f]);
        dma_fence_signal(f);
        fences.into_iter().for_each(dma_fence_put);
        fini(s, f);
    });
}

#[test]
fn a_wait_for_a_usage_includes_those_before_it_only() {
    check("usages", 1, || {
        for (i, added) in USAGES.into_iter().enumerate() {
            let s = setup();
            let f = alloc_fence(s, 0);
            lock_and_add(s, f, added);
            dma_resv_unlock(&s.resv);
            for (j, asked) in USAGES.into_iter().enumerate() {
                assert_eq!(dma_resv_test_signaled(&s.resv, asked), j < i);
                let waited = dma_resv_wait_timeout(&s.resv, asked, false, 0);
                assert_eq!(waited, Ok(i64::from(j < i)));
            }
            dma_fence_signal(f);
            fini(s, f);
        }
    });
}

#[test]
fn a_later_fence_of_a_context_replaces_the_earlier() {
    check("replace", 1, || {
        let s = setup();
        let f = [(7, 1), (7, 2), (8, 1)].map(|(context, seqno)| mock_fence_on(context, seqno));
        dma_resv_lock(&s.resv);
        assert_eq!(dma_resv_reserve_fences(&s.resv, 5), Ok(()));
        f.into_iter().for_each(|f| dma_resv_add_fence(&s.resv, f, DmaResvUsage::Read));
        assert_eq!(dma_resv_get_fences(&s.resv, DmaResvUsage::Bookkeep).map(|f| put_all(&f)), Ok(2));
        dma_resv_replace_fences(&s.resv, 8, f[1], DmaResvUsage::Bookkeep);
        let single = dma_resv_get_singleton(&s.resv, DmaResvUsage::Read).expect("memory");
        assert_eq!(single, Some(f[1]));
        dma_fence_put(f[1]);
        let merged = dma_resv_get_singleton(&s.resv, DmaResvUsage::Bookkeep).expect("memory").expect("two");
        assert!(dma_fence_is_array(merged));
        dma_fence_put(merged);
        dma_resv_unlock(&s.resv);
        dma_resv_fini(&s.resv);
        put_all(&f);
    });
}

fn put_all(fences: &[Kptr<DmaFence>]) -> usize {
    fences.iter().for_each(|f| dma_fence_put(*f));
    fences.len()
}

#[test]
fn a_copy_has_the_fences_that_are_not_signaled() {
    check("copy", 1, || {
        let (src, dst) = (setup(), setup());
        let (f, g) = (alloc_fence(src, 1), alloc_fence(src, 2));
        lock_and_add(src, f, DmaResvUsage::Write);
        assert_eq!(dma_resv_reserve_fences(&src.resv, 1), Ok(()));
        dma_resv_add_fence(&src.resv, g, DmaResvUsage::Read);
        dma_fence_signal(g);
        dma_resv_unlock(&src.resv);
        dma_resv_lock(&dst.resv);
        assert_eq!(dma_resv_copy_fences(&dst.resv, &src.resv), Ok(()));
        dma_resv_unlock(&dst.resv);
        assert_eq!(dma_resv_get_fences(&dst.resv, DmaResvUsage::Bookkeep).map(|f| put_all(&f)), Ok(1));
        dma_fence_signal(f);
        dma_resv_fini(&dst.resv);
        dma_fence_put(g);
        fini(src, f);
    });
}

#[test]
fn a_fence_without_a_reserved_slot_warns() {
    fires("no slot", "WARNING: dma_resv_add_fence() without a reserved slot", || {
        let s = setup();
        let f = alloc_fence(s, 0);
        dma_resv_lock(&s.resv);
        dma_resv_add_fence(&s.resv, f, DmaResvUsage::Write);
        dma_resv_unlock(&s.resv);
        fini(s, f);
    });
}

/// One task walks without the lock while another grows the list, which drops what is signaled and frees the old list.
#[test]
fn a_walk_without_the_lock_survives_a_list_that_is_replaced() {
    take_reached();
    check("walk against reserve", 11, || {
        let s = setup();
        let f = alloc_fence(s, 1);
        lock_and_add(s, f, DmaResvUsage::Write);
        dma_resv_unlock(&s.resv);
        let walker = explorer::spawn("walker", move || {
            let mut seen = 0;
            let mut cursor = dma_resv_iter_begin(&s.resv, DmaResvUsage::Bookkeep);
            dma_resv_for_each_fence_unlocked!(&mut cursor, fence, {
                assert_eq!(fence, f);
                seen += 1;
            });
            dma_resv_iter_end(&mut cursor);
            reach(seen);
        });
        dma_resv_lock(&s.resv);
        assert_eq!(dma_resv_reserve_fences(&s.resv, 4), Ok(()));
        dma_resv_unlock(&s.resv);
        walker.join();
        dma_fence_signal(f);
        fini(s, f);
    });
    assert_eq!(take_reached(), 0b110, "with and without a restart");
}
