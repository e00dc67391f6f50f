// SPDX-License-Identifier: GPL-2.0-only
//! Reservation objects: drivers/dma-buf/dma-resv.c, include/linux/dma-resv.h.

use std::cell::RefCell;

use kernel_model::prelude::*;

use crate::dma_fence::{DmaFence, dma_fence_get, dma_fence_put, dma_fence_wait};

/// What a fence is for; a wait for a usage includes those before it.
///
/// In C: `dma_resv_usage`, include/linux/dma-resv.h.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum DmaResvUsage {
    /// Memory management of the kernel.
    Kernel,
    /// Implicit write synchronisation.
    Write,
    /// Implicit read synchronisation.
    Read,
    /// No implicit synchronisation.
    Bookkeep,
}

/// A reservation object.
#[derive(Debug)]
pub struct DmaResv {
    /// The lock.
    pub lock: WwMutex,
    fences: RefCell<Vec<(Kptr<DmaFence>, DmaResvUsage)>>,
}

/// Initialises a reservation object.
//= linux v7.3.4 drivers/dma-buf/dma-resv.c dma_resv_init
pub fn dma_resv_init() -> DmaResv {
    DmaResv { lock: ww_mutex_init("resv"), fences: RefCell::new(Vec::new()) }
}

/// Destroys a reservation object: its fences are put.
//= linux v7.3.4 drivers/dma-buf/dma-resv.c dma_resv_fini
#[track_caller]
pub fn dma_resv_fini(obj: &DmaResv) {
    for (fence, _) in obj.fences.take() {
        dma_fence_put(fence);
    }
}

/// Locks the reservation object, outside of any acquire context.
//= linux v7.3.4 include/linux/dma-resv.h dma_resv_lock
#[track_caller]
pub fn dma_resv_lock(obj: &DmaResv) {
    ww_mutex_lock(&obj.lock);
}

/// Unlocks the reservation object.
//= linux v7.3.4 include/linux/dma-resv.h dma_resv_unlock
#[track_caller]
pub fn dma_resv_unlock(obj: &DmaResv) {
    ww_mutex_unlock(&obj.lock);
}

/// Warns unless the current task holds the reservation lock.
//= linux v7.3.4 include/linux/dma-resv.h dma_resv_assert_held
#[track_caller]
pub fn dma_resv_assert_held(obj: &DmaResv) {
    WARN_ON(!ww_mutex_is_locked(&obj.lock), "the reservation lock is not held");
}

/// Adds a fence; takes a reference to it.
//= linux v7.3.4 drivers/dma-buf/dma-resv.c dma_resv_add_fence
#[track_caller]
pub fn dma_resv_add_fence(obj: &DmaResv, fence: Kptr<DmaFence>, usage: DmaResvUsage) {
    dma_resv_assert_held(obj);
    dma_fence_get(fence);
    obj.fences.borrow_mut().push((fence, usage));
}

/// Waits for the fences of `usage` and of the usages before it.
//= linux v7.3.4 drivers/dma-buf/dma-resv.c dma_resv_wait_timeout
#[track_caller]
pub fn dma_resv_wait_timeout(obj: &DmaResv, usage: DmaResvUsage) {
    let fences: Vec<_> = obj.fences.borrow().iter().filter(|f| f.1 <= usage).map(|f| f.0).collect();
    for fence in fences {
        dma_fence_wait(fence);
    }
}
