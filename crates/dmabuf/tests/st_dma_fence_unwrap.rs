// SPDX-License-Identifier: GPL-2.0-only
//! The cases of drivers/dma-buf/st-dma-fence-unwrap.c, by name: 10 of 10.
//!
//! References are dropped in the end, also where the kernel's case leaves some behind; kmemleak looks at each.

mod common;

use common::*;
use dmabuf::prelude::*;
use dmabuf::{dma_fence_unwrap::DmaFenceUnwrap, dma_fence_unwrap_for_each};
use kernel_model::prelude::*;

fn mock_fence() -> Kptr<DmaFence> {
    signaling(mock_fence_on(dma_fence_context_alloc(1), 1))
}

fn signaling(f: Kptr<DmaFence>) -> Kptr<DmaFence> {
    dma_fence_enable_signaling(f);
    f
}

/// Takes over the references.
fn mock_array(fences: &[Kptr<DmaFence>]) -> Kptr<DmaFence> {
    let array = dma_fence_array_create(fences, dma_fence_context_alloc(1), 1).expect("memory");
    array.member(|a| &a.base)
}

/// Takes over the references.
fn mock_chain(prev: Option<Kptr<DmaFence>>, fence: Kptr<DmaFence>) -> Kptr<DmaFence> {
    let f = dma_fence_chain_alloc().expect("memory");
    dma_fence_chain_init(f, prev, fence, 1);
    f.member(|c| &c.base)
}

fn merge(fences: &[Kptr<DmaFence>]) -> Kptr<DmaFence> {
    let fences: Vec<_> = fences.iter().copied().map(Some).collect();
    dma_fence_unwrap_merge(&fences).expect("memory")
}

/// The fences in a container, in the order of the walk.
fn unwrapped(head: Kptr<DmaFence>) -> Vec<Kptr<DmaFence>> {
    let mut iter = DmaFenceUnwrap::default();
    let mut seen = Vec::new();
    dma_fence_unwrap_for_each!(fence, &mut iter, Some(head), {
        seen.push(fence);
    });
    seen
}

fn put(fences: &[Kptr<DmaFence>]) {
    fences.iter().for_each(|f| dma_fence_put(*f));
}

/// `seen` is a permutation of `expected`.
#[track_caller]
fn same(seen: &[Kptr<DmaFence>], expected: &[Kptr<DmaFence>]) {
    assert_eq!(seen.len(), expected.len(), "unexpected number of fences");
    assert!(expected.iter().all(|f| seen.contains(f)), "not all fences seen: {seen:?} of {expected:?}");
}

#[test]
fn test_sanitycheck() {
    check("unwrap sanitycheck", 1, || {
        let chain = mock_chain(None, mock_array(&[mock_fence()]));
        dma_fence_put(chain);
    });
}

#[test]
fn test_unwrap_array() {
    check("unwrap_array", 1, || {
        let f = [mock_fence(), mock_fence()];
        let array = mock_array(&f);
        same(&unwrapped(array), &f);
        dma_fence_put(array);
    });
}

#[test]
fn test_unwrap_chain() {
    check("unwrap_chain", 1, || {
        let f = [mock_fence(), mock_fence()];
        let chain = mock_chain(Some(f[0]), f[1]);
        same(&unwrapped(chain), &f);
        dma_fence_put(chain);
    });
}

#[test]
fn test_unwrap_chain_array() {
    check("unwrap_chain_array", 1, || {
        let f = [mock_fence(), mock_fence()];
        let chain = mock_chain(None, mock_array(&f));
        same(&unwrapped(chain), &f);
        dma_fence_put(chain);
    });
}

#[test]
fn test_unwrap_merge() {
    check("unwrap_merge", 1, || {
        let f = [mock_fence(), mock_fence()];
        let f3 = merge(&f);
        same(&unwrapped(f3), &f);
        put(&f);
        dma_fence_put(f3);
    });
}

#[test]
fn test_unwrap_merge_duplicate() {
    check("unwrap_merge_duplicate", 1, || {
        let f1 = mock_fence();
        let f2 = merge(&[f1, f1]);
        same(&unwrapped(f2), &[f1]);
        put(&[f1, f2]);
    });
}

#[test]
fn test_unwrap_merge_seqno() {
    check("unwrap_merge_seqno", 1, || {
        let ctx = [dma_fence_context_alloc(1), dma_fence_context_alloc(1)];
        let f1 = signaling(mock_fence_on(ctx[1], 1));
        let f2 = signaling(mock_fence_on(ctx[1], 2));
        let f3 = signaling(mock_fence_on(ctx[0], 1));
        let f4 = merge(&[f1, f2, f3]);
        assert_eq!(unwrapped(f4), [f3, f2], "in the order of contexts, the latest of each");
        put(&[f1, f2, f3, f4]);
    });
}

#[test]
fn test_unwrap_merge_order() {
    check("unwrap_merge_order", 1, || {
        let (f1, f2) = (mock_fence(), mock_fence());
        let a1 = mock_array(&[f1, f2]);
        let c1 = mock_chain(None, dma_fence_get(f1));
        let c2 = mock_chain(Some(c1), dma_fence_get(f2));
        // The same fences in the opposite order.
        let a2 = merge(&[a1, c2]);
        assert_eq!(unwrapped(a2), [f1, f2]);
        put(&[a2, c2, a1]);
    });
}

#[test]
fn test_unwrap_merge_complex() {
    check("unwrap_merge_complex", 1, || {
        let f = [mock_fence(), mock_fence()];
        let f3 = merge(&f);
        // The fences in reverse.
        let f4 = mock_array(&[dma_fence_get(f[1]), dma_fence_get(f[0])]);
        let stub = dma_fence_get_stub();
        // Signaled fences are left out, the two arrays merged.
        let f5 = merge(&[f3, f4, stub]);
        same(&unwrapped(f5), &f);
        put(&f);
        put(&[f3, f4, f5, stub]);
    });
}

#[test]
fn test_unwrap_merge_complex_seqno() {
    check("unwrap_merge_complex_seqno", 1, || {
        let ctx = [dma_fence_context_alloc(1), dma_fence_context_alloc(1)];
        let f1 = signaling(mock_fence_on(ctx[0], 2));
        let f2 = signaling(mock_fence_on(ctx[1], 1));
        let f3 = signaling(mock_fence_on(ctx[0], 1));
        let f4 = signaling(mock_fence_on(ctx[1], 2));
        let f5 = mock_array(&[dma_fence_get(f1), dma_fence_get(f2)]);
        let f6 = mock_array(&[dma_fence_get(f3), dma_fence_get(f4)]);
        let f7 = merge(&[f5, f6]);
        assert_eq!(unwrapped(f7), [f1, f4]);
        put(&[f1, f2, f3, f4, f5, f6, f7]);
    });
}

#[test]
fn a_merge_of_signaled_fences_is_a_stub() {
    check("merge of signaled fences", 1, || {
        let f = mock_fence();
        dma_fence_signal(f);
        let stub = merge(&[f]);
        assert!(dma_fence_is_signaled(stub) && stub != f);
        put(&[f, stub]);
    });
}

#[test]
fn an_array_is_signaled_with_its_last_fence_and_has_the_first_error() {
    check("array signaled", 1, || {
        let f = [mock_fence(), mock_fence()];
        let array = mock_array(&f.map(dma_fence_get));
        dma_fence_enable_signaling(array);
        dma_fence_set_error(f[0], EIO);
        dma_fence_signal(f[0]);
        assert!(!dma_fence_is_signaled(array));
        dma_fence_signal(f[1]);
        assert!(dma_fence_test_signaled_flag(array), "the last callback signals it");
        assert_eq!(dma_fence_get_status(array), -5);
        put(&f);
        dma_fence_put(array);
    });
}

#[test]
fn an_array_for_any_is_signaled_with_its_first_fence() {
    check("array any", 1, || {
        let f = [mock_fence(), mock_fence()];
        let array =
            dma_fence_array_create(&f.map(dma_fence_get), dma_fence_context_alloc(1), 1).expect("memory");
        atomic_set(&array.num_pending, 1);
        let base = array.member(|a| &a.base);
        dma_fence_enable_signaling(base);
        dma_fence_signal(f[1]);
        assert!(dma_fence_test_signaled_flag(base));
        dma_fence_signal(f[0]);
        put(&f);
        dma_fence_put(base);
    });
}

#[test]
fn an_array_in_an_array_warns() {
    fires("array in array", "WARNING: dma_fence_is_container", || {
        let outer = mock_array(&[mock_array(&[mock_fence()])]);
        dma_fence_put(outer);
    });
}
