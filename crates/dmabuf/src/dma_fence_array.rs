// SPDX-License-Identifier: GPL-2.0-only
//! Aggregates of fences: signaled when all are, or, with `num_pending` set to 1 by the caller, when any is.
//!
//! Transcribes: drivers/dma-buf/dma-fence-array.c, linux v7.3.4, whole.

use std::cell::RefCell;

use kernel_model::prelude::*;

use crate::dma_fence::*;

/// An array of fences, a fence itself.
///
/// In C: `dma_fence_array`, include/linux/dma-fence-array.h.
#[derive(Debug)]
pub struct DmaFenceArray {
    /// The fence that it is.
    pub base: DmaFence,
    /// Fences that it still waits for; 1 from the start for "any".
    pub num_pending: AtomicT,
    /// The fences; set once.
    fences: RefCell<Vec<Kptr<DmaFence>>>,
    callbacks: Vec<DmaFenceArrayCb>,
}

/// In C: `dma_fence_array_cb`, include/linux/dma-fence-array.h. The array is the object that contains it.
#[derive(Debug, Default)]
struct DmaFenceArrayCb {
    cb: DmaFenceCb,
}

impl DmaFenceArray {
    fn fence(&self, i: usize) -> Option<Kptr<DmaFence>> {
        self.fences.borrow().get(i).copied()
    }

    /// How many fences it has.
    pub fn num_fences(&self) -> usize {
        self.fences.borrow().len()
    }
}

/// The error of an array before any fence has reported one.
const PENDING_ERROR: i64 = 1;

//= linux v7.3.4 drivers/dma-buf/dma-fence-array.c dma_fence_array_get_driver_name
fn dma_fence_array_get_driver_name(_fence: Kptr<DmaFence>) -> &'static str {
    "dma_fence_array"
}

//= linux v7.3.4 drivers/dma-buf/dma-fence-array.c dma_fence_array_get_timeline_name
fn dma_fence_array_get_timeline_name(_fence: Kptr<DmaFence>) -> &'static str {
    "unbound"
}

//= linux v7.3.4 drivers/dma-buf/dma-fence-array.c dma_fence_array_set_pending_error
fn dma_fence_array_set_pending_error(array: Kptr<DmaFenceArray>, error: i64) {
    /* The first error counts, and only before the array is signaled. */
    if error != 0 {
        atomic_cmpxchg(&array.base.error, PENDING_ERROR, error);
    }
}

//= linux v7.3.4 drivers/dma-buf/dma-fence-array.c dma_fence_array_clear_pending_error
fn dma_fence_array_clear_pending_error(array: Kptr<DmaFenceArray>) {
    /* Clear the error flag if not actually set. */
    atomic_cmpxchg(&array.base.error, PENDING_ERROR, 0);
}

//= linux v7.3.4 drivers/dma-buf/dma-fence-array.c irq_dma_fence_array_work
fn irq_dma_fence_array_work(array: Kptr<DmaFenceArray>) {
    let base = array.member(|a| &a.base);

    dma_fence_array_clear_pending_error(array);

    dma_fence_signal(base);
    dma_fence_put(base);
}

//= linux v7.3.4 drivers/dma-buf/dma-fence-array.c dma_fence_array_cb_func
fn dma_fence_array_cb_func(f: Kptr<DmaFence>, cb: Kptr<DmaFenceCb>) {
    let array = cb.container_of::<DmaFenceArray>();

    dma_fence_array_set_pending_error(array, atomic_read_acquire(&f.error));

    if atomic_dec_and_test(&array.num_pending) {
        irq_work_queue(move || irq_dma_fence_array_work(array));
    } else {
        dma_fence_put(array.member(|a| &a.base));
    }
}

//= linux v7.3.4 drivers/dma-buf/dma-fence-array.c dma_fence_array_enable_signaling
fn dma_fence_array_enable_signaling(fence: Kptr<DmaFence>) -> bool {
    let array = fence.container_of::<DmaFenceArray>();

    let mut i = 0;
    while let Some(f) = array.fence(i) {
        let cb = array.member(|a| &a.callbacks[i].cb);
        /*
         * The array may be signaled before all callbacks have run: each has a reference, so that it is not freed
         * too early.
         */
        dma_fence_get(fence);
        if dma_fence_add_callback(f, cb, dma_fence_array_cb_func).is_err() {
            let error = atomic_read_acquire(&f.error);

            dma_fence_array_set_pending_error(array, error);
            dma_fence_put(fence);
            if atomic_dec_and_test(&array.num_pending) {
                dma_fence_array_clear_pending_error(array);
                return false;
            }
        }
        i += 1;
    }

    true
}

//= linux v7.3.4 drivers/dma-buf/dma-fence-array.c dma_fence_array_signaled
fn dma_fence_array_signaled(fence: Kptr<DmaFence>) -> bool {
    let array = fence.container_of::<DmaFenceArray>();

    /* num_pending is read before the bit: enable_signaling() may run meanwhile, and decrements after it is set. */
    let mut num_pending = atomic_read_acquire(&array.num_pending);
    'signal: {
        if test_bit(DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT, &array.base.flags) {
            if num_pending <= 0 {
                break 'signal;
            }
            return false;
        }

        let mut i = 0;
        while let Some(f) = array.fence(i) {
            if dma_fence_is_signaled(f) {
                num_pending -= 1;
                if num_pending == 0 {
                    break 'signal;
                }
            }
            i += 1;
        }
        return false;
    }
    /* signal: */
    dma_fence_array_clear_pending_error(array);
    true
}

//= linux v7.3.4 drivers/dma-buf/dma-fence-array.c dma_fence_array_release
fn dma_fence_array_release(fence: Kptr<DmaFence>) {
    let array = fence.container_of::<DmaFenceArray>();

    let fences = array.fences.take();
    for f in fences {
        dma_fence_put(f);
    }

    dma_fence_free(fence);
}

//= linux v7.3.4 drivers/dma-buf/dma-fence-array.c dma_fence_array_set_deadline
fn dma_fence_array_set_deadline(fence: Kptr<DmaFence>, deadline: u64) {
    let array = fence.container_of::<DmaFenceArray>();

    let mut i = 0;
    while let Some(f) = array.fence(i) {
        dma_fence_set_deadline(f, deadline);
        i += 1;
    }
}

/// What tells an array from other fences.
///
/// In C: `dma_fence_array_ops`, drivers/dma-buf/dma-fence-array.c.
pub static DMA_FENCE_ARRAY_OPS: DmaFenceOps = DmaFenceOps {
    get_driver_name: dma_fence_array_get_driver_name,
    get_timeline_name: dma_fence_array_get_timeline_name,
    enable_signaling: Some(dma_fence_array_enable_signaling),
    signaled: Some(dma_fence_array_signaled),
    wait: None,
    release: Some(dma_fence_array_release),
    set_deadline: Some(dma_fence_array_set_deadline),
};

/// Memory for an array of `num_fences` fences.
///
/// # Errors
/// `ENOMEM`; the C returns NULL.
//= linux v7.3.4 drivers/dma-buf/dma-fence-array.c dma_fence_array_alloc
#[track_caller]
pub fn dma_fence_array_alloc(num_fences: usize) -> KResult<Kptr<DmaFenceArray>> {
    let mut callbacks = Vec::new();
    callbacks.resize_with(num_fences, DmaFenceArrayCb::default);
    kzalloc(DmaFenceArray {
        base: DmaFence::default(),
        num_pending: AtomicT::new("array->num_pending", 0),
        fences: RefCell::new(Vec::new()),
        callbacks,
    })
}

/// Initialises an array, which takes over the references to its fences.
//= linux v7.3.4 drivers/dma-buf/dma-fence-array.c dma_fence_array_init
#[track_caller]
pub fn dma_fence_array_init(
    array: Kptr<DmaFenceArray>,
    fences: Vec<Kptr<DmaFence>>,
    context: u64,
    seqno: u64,
) {
    let mut num_fences = fences.len();

    WARN_ON(num_fences == 0, "!num_fences || !fences");

    dma_fence_init(array.member(|a| &a.base), &DMA_FENCE_ARRAY_OPS, None, context, seqno);

    atomic_set(&array.num_pending, num_fences as i64);
    *array.fences.borrow_mut() = fences;

    atomic_set(&array.base.error, PENDING_ERROR);

    /* An array contains no container: operations on it would recurse. Callers flatten it. */
    while num_fences > 0 {
        num_fences -= 1;
        if let Some(fence) = array.fence(num_fences) {
            WARN_ON(dma_fence_is_container(fence), "dma_fence_is_container(fences[num_fences])");
        }
    }
}

/// Makes an array that is signaled when all of its fences are; it takes over the references to them.
///
/// # Errors
/// `ENOMEM`, the C returns NULL; the references stay with the caller then.
//= linux v7.3.4 drivers/dma-buf/dma-fence-array.c dma_fence_array_create
#[track_caller]
pub fn dma_fence_array_create(
    fences: &[Kptr<DmaFence>],
    context: u64,
    seqno: u64,
) -> KResult<Kptr<DmaFenceArray>> {
    let array = dma_fence_array_alloc(fences.len())?;

    dma_fence_array_init(array, fences.to_vec(), context, seqno);

    Ok(array)
}

/// Whether the fence, or every fence of the array, is of the context.
//= linux v7.3.4 drivers/dma-buf/dma-fence-array.c dma_fence_match_context
#[track_caller]
pub fn dma_fence_match_context(fence: Kptr<DmaFence>, context: u64) -> bool {
    let Some(array) = to_dma_fence_array(fence) else {
        return fence.context.get() == context;
    };

    let mut i = 0;
    while let Some(f) = array.fence(i) {
        if f.context.get() != context {
            return false;
        }
        i += 1;
    }

    true
}

/// The first fence of an array, or the fence itself.
//= linux v7.3.4 drivers/dma-buf/dma-fence-array.c dma_fence_array_first
#[track_caller]
pub fn dma_fence_array_first(head: Option<Kptr<DmaFence>>) -> Option<Kptr<DmaFence>> {
    let head = head?;

    let Some(array) = to_dma_fence_array(head) else { return Some(head) };

    array.fence(0)
}

/// The fence at `index` of an array; none for anything else.
//= linux v7.3.4 drivers/dma-buf/dma-fence-array.c dma_fence_array_next
#[track_caller]
pub fn dma_fence_array_next(head: Option<Kptr<DmaFence>>, index: usize) -> Option<Kptr<DmaFence>> {
    to_dma_fence_array(head?)?.fence(index)
}

/// The array that the fence is, if it is one.
//= linux v7.3.4 include/linux/dma-fence-array.h to_dma_fence_array
#[track_caller]
pub fn to_dma_fence_array(fence: Kptr<DmaFence>) -> Option<Kptr<DmaFenceArray>> {
    if !dma_fence_is_array(fence) {
        return None;
    }
    Some(fence.container_of())
}
