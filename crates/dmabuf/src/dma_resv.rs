// SPDX-License-Identifier: GPL-2.0-only
//! Reservation objects: a lock, and the fences that users of a buffer must wait for, each with what it is for.
//!
//! Transcribes: drivers/dma-buf/dma-resv.c and include/linux/dma-resv.h, linux v7.3.4. Left out: locking with an
//! acquire context (every lock is outside of any), deadlines' debugfs companions, the lockdep priming at boot.
//!
//! The guarantee: the lock's holder sees all fences and alone changes them; others walk them without the lock, inside
//! of read sections, and start again when the list has been replaced meanwhile.

use std::cell::{Cell as StdCell, RefCell};

use kernel_model::prelude::*;

use crate::dma_fence::*;
use crate::dma_fence_array::dma_fence_array_create;

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

/// What a new write, or a new read, has to wait for.
//= linux v7.3.4 include/linux/dma-resv.h dma_resv_usage_rw
pub fn dma_resv_usage_rw(write: bool) -> DmaResvUsage {
    if write { DmaResvUsage::Read } else { DmaResvUsage::Write }
}

/// A fence and its usage, in one word: the C keeps the usage in the low bits of the pointer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Entry {
    fence: Kptr<DmaFence>,
    usage: DmaResvUsage,
}

impl Value for Entry {
    fn word(self) -> u64 {
        self.fence.word() << 2 | self.usage as u64
    }
}

/// The fences of a reservation object, with room for more.
///
/// In C: `dma_resv_list`, drivers/dma-buf/dma-resv.c.
#[derive(Debug)]
pub struct DmaResvList {
    num_fences: Plain<u32>,
    max_fences: StdCell<u32>,
    table: RefCell<Vec<RcuPtr<Option<Entry>>>>,
}

/// A reservation object.
///
/// In C: `dma_resv`, include/linux/dma-resv.h.
#[derive(Debug)]
pub struct DmaResv {
    /// The lock.
    pub lock: WwMutex,
    fences: RcuPtr<Option<Kptr<DmaResvList>>>,
}

//= linux v7.3.4 drivers/dma-buf/dma-resv.c dma_resv_list_entry
#[track_caller]
fn dma_resv_list_entry(list: Kptr<DmaResvList>, index: u32, resv: Option<&DmaResv>) -> Entry {
    let table = list.table.borrow();
    let held = resv.is_none_or(dma_resv_held);
    rcu_dereference_check(&table[index as usize], held).expect("an entry below num_fences")
}

//= linux v7.3.4 drivers/dma-buf/dma-resv.c dma_resv_list_set
#[track_caller]
fn dma_resv_list_set(list: Kptr<DmaResvList>, index: u32, fence: Kptr<DmaFence>, usage: DmaResvUsage) {
    let table = list.table.borrow();
    rcu_assign_pointer(&table[index as usize], Some(Entry { fence, usage }));
}

/// Room for `max_fences` fences; the C may find room for some more in the memory that it gets.
//= linux v7.3.4 drivers/dma-buf/dma-resv.c dma_resv_list_alloc
#[track_caller]
fn dma_resv_list_alloc(max_fences: u32) -> KResult<Kptr<DmaResvList>> {
    let slot = |_| RcuPtr::new("list->table[]", None);
    kzalloc(DmaResvList {
        num_fences: Plain::new("list->num_fences", 0),
        max_fences: StdCell::new(max_fences),
        table: RefCell::new((0..max_fences).map(slot).collect()),
    })
}

//= linux v7.3.4 drivers/dma-buf/dma-resv.c dma_resv_list_free
#[track_caller]
fn dma_resv_list_free(list: Option<Kptr<DmaResvList>>) {
    let Some(list) = list else { return };

    let mut i = 0;
    while i < list.num_fences.get() {
        dma_fence_put(dma_resv_list_entry(list, i, None).fence);
        i += 1;
    }
    kfree_rcu(list);
}

/// Initialises a reservation object.
//= linux v7.3.4 drivers/dma-buf/dma-resv.c dma_resv_init
pub fn dma_resv_init() -> DmaResv {
    DmaResv { lock: ww_mutex_init("resv"), fences: RcuPtr::new("obj->fences", None) }
}

/// Destroys a reservation object that nobody uses any more: its fences are put.
//= linux v7.3.4 drivers/dma-buf/dma-resv.c dma_resv_fini
#[track_caller]
pub fn dma_resv_fini(obj: &DmaResv) {
    dma_resv_list_free(rcu_dereference_protected(&obj.fences));
}

//= linux v7.3.4 drivers/dma-buf/dma-resv.c dma_resv_fences_list
#[track_caller]
fn dma_resv_fences_list(obj: &DmaResv) -> Option<Kptr<DmaResvList>> {
    rcu_dereference_check(&obj.fences, dma_resv_held(obj))
}

/// Makes room for `num_fences` more fences, so that adding them cannot fail.
///
/// Context: the lock is held.
///
/// # Errors
/// `EINVAL` for none, `ENOMEM`.
//= linux v7.3.4 drivers/dma-buf/dma-resv.c dma_resv_reserve_fences
#[track_caller]
pub fn dma_resv_reserve_fences(obj: &DmaResv, num_fences: u32) -> KResult {
    dma_resv_assert_held(obj);

    /* None is usually a mistake in the caller's arithmetic. */
    if WARN_ON(num_fences == 0, "!num_fences") {
        return Err(EINVAL);
    }

    let old = dma_resv_fences_list(obj);
    let max = match old {
        Some(old) if old.max_fences.get() != 0 => {
            if old.num_fences.get() + num_fences <= old.max_fences.get() {
                return Ok(());
            }
            (old.num_fences.get() + num_fences).max(old.max_fences.get() * 2)
        }
        _ => num_fences.next_power_of_two().max(4),
    };

    let new = dma_resv_list_alloc(max)?;

    /* The references of the old list are carried over to the new; the signaled fences go to the end. */
    let mut i = 0;
    let mut j = 0;
    let mut k = max;
    while i < old.map_or(0, |old| old.num_fences.get()) {
        let entry = dma_resv_list_entry(old.ok_or(EINVAL)?, i, Some(obj));
        if dma_fence_is_signaled(entry.fence) {
            k -= 1;
            dma_resv_list_set(new, k, entry.fence, entry.usage);
        } else {
            dma_resv_list_set(new, j, entry.fence, entry.usage);
            j += 1;
        }
        i += 1;
    }
    new.num_fences.set(j);

    /* The set of fences that are not signaled is the same for readers of either list. */
    rcu_assign_pointer(&obj.fences, Some(new));

    let Some(old) = old else { return Ok(()) };

    /* Drop the references to the signaled fences */
    i = k;
    while i < max {
        dma_fence_put(dma_resv_list_entry(new, i, Some(obj)).fence);
        i += 1;
    }
    kfree_rcu(old);

    Ok(())
}

/// Gives reserved slots up, so that only what is reserved under one lock can be used under it.
//= linux v7.3.4 drivers/dma-buf/dma-resv.c dma_resv_reset_max_fences
#[track_caller]
pub fn dma_resv_reset_max_fences(obj: &DmaResv) {
    dma_resv_assert_held(obj);

    /* Test fence slot reservation */
    if let Some(fences) = dma_resv_fences_list(obj) {
        fences.max_fences.set(fences.num_fences.get());
    }
}

/// Adds a fence in a reserved slot, or in place of one that it makes superfluous; takes a reference. Without a reserved
/// slot, where the C has a `BUG_ON`, it warns and changes nothing.
///
/// Context: the lock is held.
//= linux v7.3.4 drivers/dma-buf/dma-resv.c dma_resv_add_fence
#[track_caller]
pub fn dma_resv_add_fence(obj: &DmaResv, fence: Kptr<DmaFence>, usage: DmaResvUsage) {
    dma_fence_get(fence);

    dma_resv_assert_held(obj);

    /* Drivers add the fences of a container one by one. */
    WARN_ON(dma_fence_is_container(fence), "dma_fence_is_container(fence)");

    let Some(fobj) = dma_resv_fences_list(obj) else {
        WARN_ON(true, "dma_resv_add_fence() without a reserved slot");
        dma_fence_put(fence);
        return;
    };
    let count = fobj.num_fences.get();

    let mut i = 0;
    while i < count {
        let old = dma_resv_list_entry(fobj, i, Some(obj));
        if (old.fence.context == fence.context
            && old.usage >= usage
            && dma_fence_is_later_or_same(fence, old.fence))
            || dma_fence_is_signaled(old.fence)
        {
            dma_resv_list_set(fobj, i, fence, usage);
            dma_fence_put(old.fence);
            return;
        }
        i += 1;
    }

    if WARN_ON(fobj.num_fences.get() >= fobj.max_fences.get(), "fobj->num_fences >= fobj->max_fences") {
        dma_fence_put(fence);
        return;
    }

    dma_resv_list_set(fobj, i, fence, usage);
    /* The entry is visible before the count that includes it. */
    WRITE_ONCE(&fobj.num_fences, count + 1);
}

/// Replaces the fences of a context.
///
/// Context: the lock is held.
//= linux v7.3.4 drivers/dma-buf/dma-resv.c dma_resv_replace_fences
#[track_caller]
pub fn dma_resv_replace_fences(
    obj: &DmaResv,
    context: u64,
    replacement: Kptr<DmaFence>,
    usage: DmaResvUsage,
) {
    dma_resv_assert_held(obj);

    let Some(list) = dma_resv_fences_list(obj) else { return };
    let mut i = 0;
    while i < list.num_fences.get() {
        let old = dma_resv_list_entry(list, i, Some(obj)).fence;
        if old.context.get() == context {
            dma_resv_list_set(list, i, dma_fence_get(replacement), usage);
            dma_fence_put(old);
        }
        i += 1;
    }
}

/// A walk over the fences of a usage, and of those before it.
///
/// In C: `dma_resv_iter`, include/linux/dma-resv.h.
#[derive(Debug)]
pub struct DmaResvIter<'a> {
    obj: &'a DmaResv,
    usage: DmaResvUsage,
    fence: Option<Kptr<DmaFence>>,
    fence_usage: DmaResvUsage,
    index: u32,
    /// The list that is walked; not to be followed.
    pub fences: Option<Kptr<DmaResvList>>,
    num_fences: u32,
    is_restarted: bool,
}

/// Begins a walk.
//= linux v7.3.4 include/linux/dma-resv.h dma_resv_iter_begin
pub fn dma_resv_iter_begin(obj: &DmaResv, usage: DmaResvUsage) -> DmaResvIter<'_> {
    DmaResvIter {
        obj,
        usage,
        fence: None,
        fence_usage: usage,
        index: 0,
        fences: None,
        num_fences: 0,
        is_restarted: false,
    }
}

/// Ends a walk without the lock.
//= linux v7.3.4 include/linux/dma-resv.h dma_resv_iter_end
#[track_caller]
pub fn dma_resv_iter_end(cursor: &mut DmaResvIter<'_>) {
    if let Some(fence) = cursor.fence.take() {
        dma_fence_put(fence);
    }
}

/// The usage of the fence that was given last.
//= linux v7.3.4 include/linux/dma-resv.h dma_resv_iter_usage
pub fn dma_resv_iter_usage(cursor: &DmaResvIter<'_>) -> DmaResvUsage {
    cursor.fence_usage
}

/// Whether the walk has begun again with the fence that was given last.
//= linux v7.3.4 include/linux/dma-resv.h dma_resv_iter_is_restarted
pub fn dma_resv_iter_is_restarted(cursor: &DmaResvIter<'_>) -> bool {
    cursor.is_restarted
}

//= linux v7.3.4 drivers/dma-buf/dma-resv.c dma_resv_iter_restart_unlocked
#[track_caller]
fn dma_resv_iter_restart_unlocked(cursor: &mut DmaResvIter<'_>) {
    cursor.index = 0;
    cursor.num_fences = 0;
    cursor.fences = dma_resv_fences_list(cursor.obj);
    if let Some(fences) = cursor.fences {
        cursor.num_fences = READ_ONCE(&fences.num_fences);
    }
    cursor.is_restarted = true;
}

/// Walks to the next fence that is not signaled and takes a reference to it.
//= linux v7.3.4 drivers/dma-buf/dma-resv.c dma_resv_iter_walk_unlocked
#[track_caller]
fn dma_resv_iter_walk_unlocked(cursor: &mut DmaResvIter<'_>) {
    if cursor.fences.is_none() {
        return;
    }

    loop {
        /* Drop the reference from the previous round */
        if let Some(fence) = cursor.fence.take() {
            dma_fence_put(fence);
        }

        let Some(fences) = cursor.fences else { break };
        if cursor.index >= cursor.num_fences {
            break;
        }

        let entry = dma_resv_list_entry(fences, cursor.index, Some(cursor.obj));
        cursor.index += 1;
        cursor.fence_usage = entry.usage;
        cursor.fence = dma_fence_get_rcu(entry.fence);
        let Some(fence) = cursor.fence else {
            dma_resv_iter_restart_unlocked(cursor);
            continue;
        };

        if !dma_fence_is_signaled(fence) && cursor.usage >= cursor.fence_usage {
            break;
        }
    }
}

/// The first fence that is not signaled; the walk has a reference to it.
//= linux v7.3.4 drivers/dma-buf/dma-resv.c dma_resv_iter_first_unlocked
#[track_caller]
pub fn dma_resv_iter_first_unlocked(cursor: &mut DmaResvIter<'_>) -> Option<Kptr<DmaFence>> {
    rcu_read_lock();
    loop {
        dma_resv_iter_restart_unlocked(cursor);
        dma_resv_iter_walk_unlocked(cursor);
        if dma_resv_fences_list(cursor.obj) == cursor.fences {
            break;
        }
    }
    rcu_read_unlock();

    cursor.fence
}

/// The next fence that is not signaled; the walk has a reference to it.
//= linux v7.3.4 drivers/dma-buf/dma-resv.c dma_resv_iter_next_unlocked
#[track_caller]
pub fn dma_resv_iter_next_unlocked(cursor: &mut DmaResvIter<'_>) -> Option<Kptr<DmaFence>> {
    rcu_read_lock();
    cursor.is_restarted = false;
    let mut restart = dma_resv_fences_list(cursor.obj) != cursor.fences;
    loop {
        if restart {
            dma_resv_iter_restart_unlocked(cursor);
        }
        dma_resv_iter_walk_unlocked(cursor);
        restart = true;
        if dma_resv_fences_list(cursor.obj) == cursor.fences {
            break;
        }
    }
    rcu_read_unlock();

    cursor.fence
}

/// The first fence, signaled or not.
///
/// Context: the lock is held.
//= linux v7.3.4 drivers/dma-buf/dma-resv.c dma_resv_iter_first
#[track_caller]
pub fn dma_resv_iter_first(cursor: &mut DmaResvIter<'_>) -> Option<Kptr<DmaFence>> {
    dma_resv_assert_held(cursor.obj);

    cursor.index = 0;
    cursor.fences = dma_resv_fences_list(cursor.obj);

    let fence = dma_resv_iter_next(cursor);
    cursor.is_restarted = true;
    fence
}

/// The next fence, signaled or not.
///
/// Context: the lock is held.
//= linux v7.3.4 drivers/dma-buf/dma-resv.c dma_resv_iter_next
#[track_caller]
pub fn dma_resv_iter_next(cursor: &mut DmaResvIter<'_>) -> Option<Kptr<DmaFence>> {
    dma_resv_assert_held(cursor.obj);

    cursor.is_restarted = false;

    loop {
        let fences = cursor.fences?;
        if cursor.index >= fences.num_fences.get() {
            return None;
        }

        let entry = dma_resv_list_entry(fences, cursor.index, Some(cursor.obj));
        cursor.index += 1;
        cursor.fence_usage = entry.usage;
        if cursor.fence_usage <= cursor.usage {
            return Some(entry.fence);
        }
    }
}

/// Walks the fences that are not signaled, without the lock; leave it with `dma_resv_iter_end()`.
///
/// In C: `dma_resv_for_each_fence_unlocked`, include/linux/dma-resv.h.
#[macro_export]
macro_rules! dma_resv_for_each_fence_unlocked {
    ($cursor:expr, $fence:ident, $body:block) => {{
        let mut entry = $crate::dma_resv::dma_resv_iter_first_unlocked($cursor);
        while let Some($fence) = entry {
            $body
            entry = $crate::dma_resv::dma_resv_iter_next_unlocked($cursor);
        }
    }};
}

/// Walks the fences, with the lock held.
///
/// In C: `dma_resv_for_each_fence`, include/linux/dma-resv.h.
#[macro_export]
macro_rules! dma_resv_for_each_fence {
    ($cursor:ident, $obj:expr, $usage:expr, $fence:ident, $body:block) => {{
        let mut iter = $crate::dma_resv::dma_resv_iter_begin($obj, $usage);
        let $cursor = &mut iter;
        let mut entry = $crate::dma_resv::dma_resv_iter_first($cursor);
        while let Some($fence) = entry {
            $body
            entry = $crate::dma_resv::dma_resv_iter_next($cursor);
        }
    }};
}

/// Copies all fences of `src`, whose lock is not needed, to `dst`, whose fences are dropped.
///
/// Context: the lock of `dst` is held.
///
/// # Errors
/// `ENOMEM`.
//= linux v7.3.4 drivers/dma-buf/dma-resv.c dma_resv_copy_fences
#[track_caller]
pub fn dma_resv_copy_fences(dst: &DmaResv, src: &DmaResv) -> KResult {
    dma_resv_assert_held(dst);

    let mut list = None;

    let mut cursor = dma_resv_iter_begin(src, DmaResvUsage::Bookkeep);
    dma_resv_for_each_fence_unlocked!(&mut cursor, f, {
        if dma_resv_iter_is_restarted(&cursor) {
            dma_resv_list_free(list);

            match dma_resv_list_alloc(cursor.num_fences) {
                Ok(new) => list = Some(new),
                Err(err) => {
                    dma_resv_iter_end(&mut cursor);
                    return Err(err);
                }
            }
        }

        if let Some(list) = list {
            let num_fences = list.num_fences.get();
            dma_fence_get(f);
            dma_resv_list_set(list, num_fences, f, dma_resv_iter_usage(&cursor));
            list.num_fences.set(num_fences + 1);
        }
    });
    dma_resv_iter_end(&mut cursor);

    let old = dma_resv_fences_list(dst);
    rcu_assign_pointer(&dst.fences, list);
    dma_resv_list_free(old);
    Ok(())
}

/// References to all fences that are not signaled.
///
/// # Errors
/// `ENOMEM`.
//= linux v7.3.4 drivers/dma-buf/dma-resv.c dma_resv_get_fences
#[track_caller]
pub fn dma_resv_get_fences(obj: &DmaResv, usage: DmaResvUsage) -> KResult<Vec<Kptr<DmaFence>>> {
    let mut fences: Vec<Kptr<DmaFence>> = Vec::new();

    let mut cursor = dma_resv_iter_begin(obj, usage);
    dma_resv_for_each_fence_unlocked!(&mut cursor, fence, {
        if dma_resv_iter_is_restarted(&cursor) {
            while let Some(fence) = fences.pop() {
                dma_fence_put(fence);
            }

            if kernel_model::task::fail_allocation() {
                dma_resv_iter_end(&mut cursor);
                return Err(ENOMEM);
            }
        }

        fences.push(dma_fence_get(fence));
    });
    dma_resv_iter_end(&mut cursor);

    Ok(fences)
}

/// One fence that stands for all, with a reference; none if all are signaled.
///
/// # Errors
/// `ENOMEM`.
//= linux v7.3.4 drivers/dma-buf/dma-resv.c dma_resv_get_singleton
#[track_caller]
pub fn dma_resv_get_singleton(obj: &DmaResv, usage: DmaResvUsage) -> KResult<Option<Kptr<DmaFence>>> {
    let fences = dma_resv_get_fences(obj, usage)?;

    if fences.len() <= 1 {
        return Ok(fences.first().copied());
    }

    match dma_fence_array_create(&fences, dma_fence_context_alloc(1), 1) {
        Ok(array) => Ok(Some(array.member(|a| &a.base))),
        Err(err) => {
            for fence in fences {
                dma_fence_put(fence);
            }
            Err(err)
        }
    }
}

/// Waits for the fences of `usage` and of those before it, for at most `timeout` ticks in all; gives those that are
/// left, 0 when they ran out, and 1 when there is nothing to wait for and no time.
///
/// Context: process; may sleep. With or without the lock.
///
/// # Errors
/// `ERESTARTSYS` for a signal when `intr`.
//= linux v7.3.4 drivers/dma-buf/dma-resv.c dma_resv_wait_timeout
#[track_caller]
pub fn dma_resv_wait_timeout(
    obj: &DmaResv,
    usage: DmaResvUsage,
    intr: bool,
    mut timeout: i64,
) -> KResult<i64> {
    let mut ret = Ok(if timeout != 0 { timeout } else { 1 });

    let mut cursor = dma_resv_iter_begin(obj, usage);
    dma_resv_for_each_fence_unlocked!(&mut cursor, fence, {
        ret = dma_fence_wait_timeout(fence, intr, timeout);
        match ret {
            /* Even for zero timeout the return value is 1 */
            Ok(left @ 1..) if timeout != 0 => timeout = left,
            Ok(1..) => {}
            _ => break,
        }
    });
    dma_resv_iter_end(&mut cursor);

    ret
}

/// Tells whoever signals the fences when they are wanted.
//= linux v7.3.4 drivers/dma-buf/dma-resv.c dma_resv_set_deadline
#[track_caller]
pub fn dma_resv_set_deadline(obj: &DmaResv, usage: DmaResvUsage, deadline: u64) {
    let mut cursor = dma_resv_iter_begin(obj, usage);
    dma_resv_for_each_fence_unlocked!(&mut cursor, fence, {
        dma_fence_set_deadline(fence, deadline);
    });
    dma_resv_iter_end(&mut cursor);
}

/// Whether all fences of `usage`, and of those before it, are signaled.
//= linux v7.3.4 drivers/dma-buf/dma-resv.c dma_resv_test_signaled
#[track_caller]
pub fn dma_resv_test_signaled(obj: &DmaResv, usage: DmaResvUsage) -> bool {
    let mut cursor = dma_resv_iter_begin(obj, usage);
    let fence = dma_resv_iter_first_unlocked(&mut cursor);
    dma_resv_iter_end(&mut cursor);
    fence.is_none()
}

/* include/linux/dma-resv.h */

/// Locks the reservation object, outside of any acquire context.
///
/// Context: process; may sleep.
//= linux v7.3.4 include/linux/dma-resv.h dma_resv_lock
#[track_caller]
pub fn dma_resv_lock(obj: &DmaResv) {
    ww_mutex_lock(&obj.lock);
}

/// Locks the reservation object if nobody has; says whether it did.
//= linux v7.3.4 include/linux/dma-resv.h dma_resv_trylock
#[track_caller]
pub fn dma_resv_trylock(obj: &DmaResv) -> bool {
    ww_mutex_trylock(&obj.lock)
}

/// Unlocks the reservation object.
//= linux v7.3.4 include/linux/dma-resv.h dma_resv_unlock
#[track_caller]
pub fn dma_resv_unlock(obj: &DmaResv) {
    dma_resv_reset_max_fences(obj);
    ww_mutex_unlock(&obj.lock);
}

/// Whether the current task holds the reservation lock.
///
/// In C: `dma_resv_held`, include/linux/dma-resv.h.
fn dma_resv_held(obj: &DmaResv) -> bool {
    ww_mutex_is_locked(&obj.lock)
}

/// Warns unless the current task holds the reservation lock.
//= linux v7.3.4 include/linux/dma-resv.h dma_resv_assert_held
#[track_caller]
pub fn dma_resv_assert_held(obj: &DmaResv) {
    WARN_ON(!dma_resv_held(obj), "the reservation lock is not held");
}
