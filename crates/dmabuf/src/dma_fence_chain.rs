// SPDX-License-Identifier: GPL-2.0-only
//! Chains of fences: a node is signaled when its fence and all before it are. A walk drops the nodes whose fences are
//! signaled.
//!
//! Transcribes: drivers/dma-buf/dma-fence-chain.c, linux v7.3.4, whole.

use std::cell::Cell as StdCell;

use kernel_model::prelude::*;

use crate::dma_fence::*;

/// A node of a chain, a fence itself.
///
/// In C: `dma_fence_chain`, include/linux/dma-fence-chain.h.
#[derive(Debug)]
pub struct DmaFenceChain {
    /// The fence that it is.
    pub base: DmaFence,
    /// The node before it, or a fence, or nothing.
    pub prev: RcuPtr<Option<Kptr<DmaFence>>>,
    /// The sequence number of the node that was before it at first.
    pub prev_seqno: StdCell<u64>,
    /// The fence of the node.
    fence: StdCell<Option<Kptr<DmaFence>>>,
    cb: DmaFenceCb,
}

impl DmaFenceChain {
    fn fence(&self) -> Kptr<DmaFence> {
        self.fence.get().expect("a chain node that was initialised")
    }
}

//= linux v7.3.4 drivers/dma-buf/dma-fence-chain.c dma_fence_chain_get_prev
#[track_caller]
fn dma_fence_chain_get_prev(chain: Kptr<DmaFenceChain>) -> Option<Kptr<DmaFence>> {
    rcu_read_lock();
    let prev = dma_fence_get_rcu_safe(&chain.prev);
    rcu_read_unlock();
    prev
}

/// The next node back, with a reference; drops the one to `fence`. Nodes that are signaled are unlinked.
//= linux v7.3.4 drivers/dma-buf/dma-fence-chain.c dma_fence_chain_walk
#[track_caller]
pub fn dma_fence_chain_walk(fence: Kptr<DmaFence>) -> Option<Kptr<DmaFence>> {
    let Some(chain) = to_dma_fence_chain(fence) else {
        dma_fence_put(fence);
        return None;
    };

    let prev = loop {
        let Some(prev) = dma_fence_chain_get_prev(chain) else { break None };

        let replacement = match to_dma_fence_chain(prev) {
            Some(prev_chain) => {
                if !dma_fence_is_signaled(prev_chain.fence()) {
                    break Some(prev);
                }

                dma_fence_chain_get_prev(prev_chain)
            }
            None => {
                if !dma_fence_is_signaled(prev) {
                    break Some(prev);
                }

                None
            }
        };

        let tmp = rcu_cmpxchg(&chain.prev, Some(prev), replacement);
        if tmp == Some(prev) {
            dma_fence_put(prev);
        } else if let Some(replacement) = replacement {
            dma_fence_put(replacement);
        }
        dma_fence_put(prev);
    };

    dma_fence_put(fence);
    prev
}

/// Advances `pfence` to the node that is signaled when all up to `seqno` are; to none if that has happened.
///
/// # Errors
/// `EINVAL` when there is no chain, or `seqno` has not been reached yet.
//= linux v7.3.4 drivers/dma-buf/dma-fence-chain.c dma_fence_chain_find_seqno
#[track_caller]
pub fn dma_fence_chain_find_seqno(pfence: &mut Option<Kptr<DmaFence>>, seqno: u64) -> KResult {
    if seqno == 0 {
        return Ok(());
    }

    let chain = match pfence.and_then(to_dma_fence_chain) {
        Some(chain) if chain.base.seqno.get() >= seqno => chain,
        _ => return Err(EINVAL),
    };

    *pfence = Some(dma_fence_get(chain.member(|c| &c.base)));
    while let Some(fence) = *pfence {
        if fence.context != chain.base.context
            || to_dma_fence_chain(fence).is_none_or(|chain| chain.prev_seqno.get() < seqno)
        {
            break;
        }
        *pfence = dma_fence_chain_walk(fence);
    }
    dma_fence_put(chain.member(|c| &c.base));

    Ok(())
}

//= linux v7.3.4 drivers/dma-buf/dma-fence-chain.c dma_fence_chain_get_driver_name
fn dma_fence_chain_get_driver_name(_fence: Kptr<DmaFence>) -> &'static str {
    "dma_fence_chain"
}

//= linux v7.3.4 drivers/dma-buf/dma-fence-chain.c dma_fence_chain_get_timeline_name
fn dma_fence_chain_get_timeline_name(_fence: Kptr<DmaFence>) -> &'static str {
    "unbound"
}

//= linux v7.3.4 drivers/dma-buf/dma-fence-chain.c dma_fence_chain_irq_work
fn dma_fence_chain_irq_work(chain: Kptr<DmaFenceChain>) {
    let base = chain.member(|c| &c.base);

    /* Try to rearm the callback */
    if !dma_fence_chain_enable_signaling(base) {
        /* Ok, we are done. No more unsignaled fences left */
        dma_fence_signal(base);
    }
    dma_fence_put(base);
}

//= linux v7.3.4 drivers/dma-buf/dma-fence-chain.c dma_fence_chain_cb
fn dma_fence_chain_cb(f: Kptr<DmaFence>, cb: Kptr<DmaFenceCb>) {
    let chain = cb.container_of::<DmaFenceChain>();

    irq_work_queue(move || dma_fence_chain_irq_work(chain));
    dma_fence_put(f);
}

//= linux v7.3.4 drivers/dma-buf/dma-fence-chain.c dma_fence_chain_enable_signaling
fn dma_fence_chain_enable_signaling(fence: Kptr<DmaFence>) -> bool {
    let head = fence.container_of::<DmaFenceChain>();
    let head_base = head.member(|c| &c.base);

    dma_fence_get(head_base);
    let mut iter = Some(dma_fence_get(head_base));
    while let Some(fence) = iter {
        let f = dma_fence_chain_contained(fence);

        dma_fence_get(f);
        if dma_fence_add_callback(f, head.member(|c| &c.cb), dma_fence_chain_cb).is_ok() {
            dma_fence_put(fence);
            return true;
        }
        dma_fence_put(f);
        iter = dma_fence_chain_walk(fence);
    }
    dma_fence_put(head_base);
    false
}

//= linux v7.3.4 drivers/dma-buf/dma-fence-chain.c dma_fence_chain_signaled
fn dma_fence_chain_signaled(fence: Kptr<DmaFence>) -> bool {
    let mut iter = Some(dma_fence_get(fence));
    while let Some(fence) = iter {
        let f = dma_fence_chain_contained(fence);

        if !dma_fence_is_signaled(f) {
            dma_fence_put(fence);
            return false;
        }
        iter = dma_fence_chain_walk(fence);
    }

    true
}

//= linux v7.3.4 drivers/dma-buf/dma-fence-chain.c dma_fence_chain_release
fn dma_fence_chain_release(fence: Kptr<DmaFence>) {
    let chain = fence.container_of::<DmaFenceChain>();
    let mut prev;

    /* Unlink as much of the chain as possible by hand: no recursion, no overflow of the stack. */
    loop {
        prev = rcu_dereference(&chain.prev);
        let Some(p) = prev else { break };

        if kref_read(&p.refcount) > 1 {
            break;
        }

        let Some(prev_chain) = to_dma_fence_chain(p) else { break };

        /* No need for atomic operations: this is the last reference to prev_chain. */
        rcu_assign_pointer(&chain.prev, rcu_dereference(&prev_chain.prev));
        rcu_assign_pointer(&prev_chain.prev, None);
        dma_fence_put(p);
    }
    if let Some(prev) = prev {
        dma_fence_put(prev);
    }

    dma_fence_put(chain.fence());
    dma_fence_free(fence);
}

//= linux v7.3.4 drivers/dma-buf/dma-fence-chain.c dma_fence_chain_set_deadline
fn dma_fence_chain_set_deadline(fence: Kptr<DmaFence>, deadline: u64) {
    let mut iter = Some(dma_fence_get(fence));
    while let Some(fence) = iter {
        let f = dma_fence_chain_contained(fence);

        dma_fence_set_deadline(f, deadline);
        iter = dma_fence_chain_walk(fence);
    }
}

/// What tells a chain from other fences.
///
/// In C: `dma_fence_chain_ops`, drivers/dma-buf/dma-fence-chain.c.
pub static DMA_FENCE_CHAIN_OPS: DmaFenceOps = DmaFenceOps {
    get_driver_name: dma_fence_chain_get_driver_name,
    get_timeline_name: dma_fence_chain_get_timeline_name,
    enable_signaling: Some(dma_fence_chain_enable_signaling),
    signaled: Some(dma_fence_chain_signaled),
    wait: None,
    release: Some(dma_fence_chain_release),
    set_deadline: Some(dma_fence_chain_set_deadline),
};

/// Initialises a node, which takes over the references to `prev` and `fence`.
//= linux v7.3.4 drivers/dma-buf/dma-fence-chain.c dma_fence_chain_init
#[track_caller]
pub fn dma_fence_chain_init(
    chain: Kptr<DmaFenceChain>,
    prev: Option<Kptr<DmaFence>>,
    fence: Kptr<DmaFence>,
    mut seqno: u64,
) {
    let prev_chain = prev.and_then(to_dma_fence_chain);
    let context;

    rcu_assign_pointer(&chain.prev, prev);
    chain.fence.set(Some(fence));
    chain.prev_seqno.set(0);

    /* Try to reuse the context of the previous chain node. */
    match prev_chain {
        Some(prev) if __dma_fence_is_later(prev.member(|c| &c.base), seqno, prev.base.seqno.get()) => {
            context = prev.base.context.get();
            chain.prev_seqno.set(prev.base.seqno.get());
        }
        _ => {
            context = dma_fence_context_alloc(1);
            /* Make sure that we always have a valid sequence number. */
            if let Some(prev) = prev_chain {
                seqno = prev.base.seqno.get().max(seqno);
            }
        }
    }

    dma_fence_init64(chain.member(|c| &c.base), &DMA_FENCE_CHAIN_OPS, None, context, seqno);

    /* Chains are linked through prev only, not through the contained fence. */
    WARN_ON(dma_fence_is_chain(fence), "dma_fence_is_chain(fence)");
}

/// The node that the fence is, if it is one.
//= linux v7.3.4 include/linux/dma-fence-chain.h to_dma_fence_chain
#[track_caller]
pub fn to_dma_fence_chain(fence: Kptr<DmaFence>) -> Option<Kptr<DmaFenceChain>> {
    if !dma_fence_is_chain(fence) {
        return None;
    }

    Some(fence.container_of())
}

/// The fence of a node, or the fence itself.
//= linux v7.3.4 include/linux/dma-fence-chain.h dma_fence_chain_contained
#[track_caller]
pub fn dma_fence_chain_contained(fence: Kptr<DmaFence>) -> Kptr<DmaFence> {
    match to_dma_fence_chain(fence) {
        Some(chain) => chain.fence(),
        None => fence,
    }
}

/// Memory for a node.
///
/// # Errors
/// `ENOMEM`.
///
/// In C: `dma_fence_chain_alloc`, include/linux/dma-fence-chain.h.
#[track_caller]
pub fn dma_fence_chain_alloc() -> KResult<Kptr<DmaFenceChain>> {
    kzalloc(DmaFenceChain {
        base: DmaFence::default(),
        prev: RcuPtr::new("chain->prev", None),
        prev_seqno: StdCell::new(0),
        fence: StdCell::new(None),
        cb: DmaFenceCb::default(),
    })
}

/// Frees a node that was never initialised.
//= linux v7.3.4 include/linux/dma-fence-chain.h dma_fence_chain_free
#[track_caller]
pub fn dma_fence_chain_free(chain: Kptr<DmaFenceChain>) {
    kfree(chain);
}
