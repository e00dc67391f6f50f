// SPDX-License-Identifier: GPL-2.0-only
//! Fences: drivers/dma-buf/dma-fence.c. A fence is signaled once and can be waited for.

use explorer::sync::Cell;
use kernel_model::prelude::*;

/// A fence.
#[derive(Debug)]
pub struct DmaFence {
    signaled: Cell<bool>,
    refcount: Kref,
}

/// A fence that is not signaled, with one reference.
///
/// # Errors
/// `ENOMEM`.
//= linux v7.3.4 drivers/dma-buf/dma-fence.c dma_fence_init
#[track_caller]
pub fn dma_fence_alloc() -> KResult<Kptr<DmaFence>> {
    let fence = kzalloc(DmaFence {
        signaled: Cell::new("fence->flags", false),
        refcount: Kref::zeroed("fence->refcount"),
    })?;
    kref_init(&fence.refcount);
    Ok(fence)
}

/// Takes a reference.
//= linux v7.3.4 include/linux/dma-fence.h dma_fence_get
#[track_caller]
pub fn dma_fence_get(fence: Kptr<DmaFence>) -> Kptr<DmaFence> {
    kref_get(&fence.refcount);
    fence
}

/// Drops a reference.
//= linux v7.3.4 include/linux/dma-fence.h dma_fence_put
#[track_caller]
pub fn dma_fence_put(fence: Kptr<DmaFence>) {
    kref_put(&fence.refcount, || kfree(fence));
}

/// Signals the fence: whoever waits for it goes on.
//= linux v7.3.4 drivers/dma-buf/dma-fence.c dma_fence_signal
#[track_caller]
pub fn dma_fence_signal(fence: Kptr<DmaFence>) {
    fence.signaled.store(true);
}

/// Waits, uninterruptibly, until the fence is signaled.
//= linux v7.3.4 include/linux/dma-fence.h dma_fence_wait
#[track_caller]
pub fn dma_fence_wait(fence: Kptr<DmaFence>) {
    fence.signaled.wait_until(true);
}
