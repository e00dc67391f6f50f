// SPDX-License-Identifier: GPL-2.0-only
//! `struct xarray`: include/linux/xarray.h, lib/xarray.c. Pointers by index.
//!
//! Loads are made inside of a read section and need no lock; changes take the array's own. What is found by a load is
//! not kept by the array: whoever frees entries waits for readers. For the race detector the array is one location.

use std::cell::RefCell;
use std::collections::BTreeMap;

use explorer::sync::Cell;

use crate::arena::Kptr;
use crate::errno::{EBUSY, ENOMEM, KResult};
use crate::rcu::{rcu_read_lock, rcu_read_unlock};
use crate::spinlock::{SpinlockT, spin_lock, spin_lock_init, spin_unlock};
use crate::task::fail_allocation;

/// An array of pointers to `T`.
#[derive(Debug)]
pub struct Xarray<T> {
    xa_lock: SpinlockT,
    memory: Cell<u64>,
    entries: RefCell<BTreeMap<u64, Kptr<T>>>,
}

/// Initialises an empty array with its C name.
///
/// In C: `xa_init_flags`, include/linux/xarray.h.
pub fn xa_init<T>(name: &'static str) -> Xarray<T> {
    Xarray { xa_lock: spin_lock_init(name), memory: Cell::new(name, 0), entries: RefCell::default() }
}

/// The entry at an index.
///
/// In C: `xa_load`, lib/xarray.c.
#[track_caller]
pub fn xa_load<T>(xa: &Xarray<T>, index: u64) -> Option<Kptr<T>> {
    rcu_read_lock();
    xa.memory.load();
    let entry = xa.entries.borrow().get(&index).copied();
    rcu_read_unlock();
    entry
}

/// The first entry at `index` or after it, with its index.
///
/// In C: `xa_find`, lib/xarray.c.
#[track_caller]
pub fn xa_find<T>(xa: &Xarray<T>, index: u64) -> Option<(u64, Kptr<T>)> {
    rcu_read_lock();
    xa.memory.load();
    let found = xa.entries.borrow().range(index..).next().map(|(i, p)| (*i, *p));
    rcu_read_unlock();
    found
}

/// Stores an entry; gives the one that was there.
///
/// # Errors
/// `ENOMEM`.
///
/// In C: `xa_store`, lib/xarray.c.
#[track_caller]
pub fn xa_store<T>(xa: &Xarray<T>, index: u64, entry: Kptr<T>) -> KResult<Option<Kptr<T>>> {
    if fail_allocation() {
        return Err(ENOMEM);
    }
    spin_lock(&xa.xa_lock);
    xa.memory.store(0);
    let old = xa.entries.borrow_mut().insert(index, entry);
    spin_unlock(&xa.xa_lock);
    Ok(old)
}

/// Stores an entry where there is none.
///
/// # Errors
/// `EBUSY` when there is one, `ENOMEM`.
///
/// In C: `xa_insert`, include/linux/xarray.h.
#[track_caller]
pub fn xa_insert<T>(xa: &Xarray<T>, index: u64, entry: Kptr<T>) -> KResult {
    if fail_allocation() {
        return Err(ENOMEM);
    }
    spin_lock(&xa.xa_lock);
    let free = !xa.entries.borrow().contains_key(&index);
    if free {
        xa.memory.store(0);
        xa.entries.borrow_mut().insert(index, entry);
    }
    spin_unlock(&xa.xa_lock);
    if free { Ok(()) } else { Err(EBUSY) }
}

/// Stores an entry at the least free index from `min` to `max`; gives the index.
///
/// # Errors
/// `EBUSY` when all are taken, `ENOMEM`.
///
/// In C: `xa_alloc`, include/linux/xarray.h.
#[track_caller]
pub fn xa_alloc<T>(xa: &Xarray<T>, entry: Kptr<T>, min: u64, max: u64) -> KResult<u64> {
    if fail_allocation() {
        return Err(ENOMEM);
    }
    spin_lock(&xa.xa_lock);
    let mut id = min;
    while id <= max && xa.entries.borrow().contains_key(&id) {
        id += 1;
    }
    if id <= max {
        xa.memory.store(0);
        xa.entries.borrow_mut().insert(id, entry);
    }
    spin_unlock(&xa.xa_lock);
    if id <= max { Ok(id) } else { Err(EBUSY) }
}

/// Removes an entry and gives it.
///
/// In C: `xa_erase`, lib/xarray.c.
#[track_caller]
pub fn xa_erase<T>(xa: &Xarray<T>, index: u64) -> Option<Kptr<T>> {
    spin_lock(&xa.xa_lock);
    xa.memory.store(0);
    let old = xa.entries.borrow_mut().remove(&index);
    spin_unlock(&xa.xa_lock);
    old
}

/// Whether there is no entry.
///
/// In C: `xa_empty`, include/linux/xarray.h.
#[track_caller]
pub fn xa_empty<T>(xa: &Xarray<T>) -> bool {
    xa.memory.load();
    xa.entries.borrow().is_empty()
}
