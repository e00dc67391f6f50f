// SPDX-License-Identifier: GPL-2.0-only
//! Containers of fences flattened: iteration over all fences in a chain of arrays, and their merge into one array.
//!
//! Transcribes: drivers/dma-buf/dma-fence-unwrap.c, linux v7.3.4, whole.

use kernel_model::prelude::*;

use crate::dma_fence::*;
use crate::dma_fence_array::*;
use crate::dma_fence_chain::*;

/// A place inside of containers.
///
/// In C: `dma_fence_unwrap`, include/linux/dma-fence-unwrap.h.
#[derive(Clone, Copy, Debug, Default)]
pub struct DmaFenceUnwrap {
    chain: Option<Kptr<DmaFence>>,
    array: Option<Kptr<DmaFence>>,
    index: usize,
}

//= linux v7.3.4 drivers/dma-buf/dma-fence-unwrap.c __dma_fence_unwrap_array
#[track_caller]
fn __dma_fence_unwrap_array(cursor: &mut DmaFenceUnwrap) -> Option<Kptr<DmaFence>> {
    cursor.array = cursor.chain.map(dma_fence_chain_contained);
    cursor.index = 0;
    dma_fence_array_first(cursor.array)
}

/// The first fence in `head`, or `head` itself.
//= linux v7.3.4 drivers/dma-buf/dma-fence-unwrap.c dma_fence_unwrap_first
#[track_caller]
pub fn dma_fence_unwrap_first(
    head: Option<Kptr<DmaFence>>,
    cursor: &mut DmaFenceUnwrap,
) -> Option<Kptr<DmaFence>> {
    cursor.chain = head.map(dma_fence_get);
    __dma_fence_unwrap_array(cursor)
}

/// The next fence.
//= linux v7.3.4 drivers/dma-buf/dma-fence-unwrap.c dma_fence_unwrap_next
#[track_caller]
pub fn dma_fence_unwrap_next(cursor: &mut DmaFenceUnwrap) -> Option<Kptr<DmaFence>> {
    cursor.index += 1;
    let tmp = dma_fence_array_next(cursor.array, cursor.index);
    if tmp.is_some() {
        return tmp;
    }

    cursor.chain = cursor.chain.and_then(dma_fence_chain_walk);
    __dma_fence_unwrap_array(cursor)
}

/// Walks all fences in a container; to be left at its end only, as in C: a `break` keeps a reference.
///
/// In C: `dma_fence_unwrap_for_each`, include/linux/dma-fence-unwrap.h.
#[macro_export]
macro_rules! dma_fence_unwrap_for_each {
    ($fence:ident, $cursor:expr, $head:expr, $body:block) => {{
        let mut entry = $crate::dma_fence_unwrap::dma_fence_unwrap_first($head, $cursor);
        while let Some($fence) = entry {
            $body
            entry = $crate::dma_fence_unwrap::dma_fence_unwrap_next($cursor);
        }
    }};
}

//= linux v7.3.4 drivers/dma-buf/dma-fence-unwrap.c fence_cmp
#[track_caller]
fn fence_cmp(a: Kptr<DmaFence>, b: Kptr<DmaFence>) -> std::cmp::Ordering {
    let order = a.context.get().cmp(&b.context.get());
    if order.is_ne() {
        return order;
    }

    if dma_fence_is_later(b, a) {
        return std::cmp::Ordering::Greater;
    } else if dma_fence_is_later(a, b) {
        return std::cmp::Ordering::Less;
    }

    std::cmp::Ordering::Equal
}

/// Sorts by context and keeps the latest fence of each; drops the references to the others.
//= linux v7.3.4 drivers/dma-buf/dma-fence-unwrap.c dma_fence_dedup_array
#[track_caller]
pub fn dma_fence_dedup_array(fences: &mut Vec<Kptr<DmaFence>>) {
    if fences.is_empty() {
        return;
    }

    fences.sort_by(|a, b| fence_cmp(*a, *b));

    /* Only keep the most recent fence for each context. */
    let mut j = 0;
    let mut i = 1;
    while i < fences.len() {
        if fences[i].context == fences[j].context {
            dma_fence_put(fences[i]);
        } else {
            j += 1;
            fences[j] = fences[i];
        }
        i += 1;
    }

    fences.truncate(j + 1);
}

/// Merges what is not signaled of all fences into one, with a reference.
///
/// # Errors
/// `ENOMEM`; the C returns NULL.
//= linux v7.3.4 drivers/dma-buf/dma-fence-unwrap.c __dma_fence_unwrap_merge
#[track_caller]
pub fn dma_fence_unwrap_merge(fences: &[Option<Kptr<DmaFence>>]) -> KResult<Kptr<DmaFence>> {
    let mut iter = DmaFenceUnwrap::default();
    let mut unsignaled: Option<Kptr<DmaFence>> = None;
    let mut timestamp = 0;

    let mut count = 0;
    for head in fences {
        dma_fence_unwrap_for_each!(tmp, &mut iter, *head, {
            if dma_fence_is_signaled(tmp) {
                timestamp = timestamp.max(dma_fence_timestamp(tmp));
            } else {
                if let Some(unsignaled) = unsignaled {
                    dma_fence_put(unsignaled);
                }
                unsignaled = Some(dma_fence_get(tmp));
                count += 1;
            }
        });
    }

    /* Nothing pending: a signaled fence with the last time. One pending: that one. */
    match unsignaled {
        None => return dma_fence_allocate_private_stub(timestamp),
        Some(unsignaled) if count == 1 => return Ok(unsignaled),
        Some(unsignaled) => dma_fence_put(unsignaled),
    }

    if kernel_model::task::fail_allocation() {
        return Err(ENOMEM);
    }
    let mut array = Vec::with_capacity(count);

    for head in fences {
        dma_fence_unwrap_for_each!(tmp, &mut iter, *head, {
            if dma_fence_is_signaled(tmp) {
                timestamp = timestamp.max(dma_fence_timestamp(tmp));
            } else {
                array.push(dma_fence_get(tmp));
            }
        });
    }

    if array.len() > 1 {
        dma_fence_dedup_array(&mut array);

        if array.len() > 1 {
            return match dma_fence_array_create(&array, dma_fence_context_alloc(1), 1) {
                Ok(result) => Ok(result.member(|a| &a.base)),
                Err(err) => {
                    for fence in array {
                        dma_fence_put(fence);
                    }
                    Err(err)
                }
            };
        }
    }

    /* return_fastpath: */
    match array.first() {
        None => dma_fence_allocate_private_stub(timestamp),
        Some(first) => Ok(*first),
    }
}
