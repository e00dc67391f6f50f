// SPDX-License-Identifier: GPL-2.0-only
//! Read-copy update: include/linux/rcupdate.h, kernel/rcu.
//!
//! The guarantee: what is given up by `synchronize_rcu`, `call_rcu` or `kfree_rcu` is there until everybody who was
//! inside of a read section at that moment has left it; readers who come later are not waited for.
//!
//! How: the beginning of a read section is a scheduling point once anybody waits for readers. Each grace period has
//! an object that knows the readers it waits for; a reader that leaves takes its bit out of all of them. Memory is
//! freed at the earliest moment at which it may be.

use std::cell::Cell as StdCell;

use explorer::{JoinHandle, Mode, Object, ObjectClass, OpInfo};

use crate::arena::Kptr;
use crate::plain::{Plain, READ_ONCE, Value};
use crate::preempt::{might_sleep, preempt_disable, preempt_enable};
use crate::report::{Report, Site, report};
use crate::world::{with, with_task};

const LOCK: u8 = 0;
const SNAPSHOT: u8 = 1;

/// State word 0: the tasks inside of a read section, one bit each.
static CLASS: ObjectClass = ObjectClass {
    name: "rcu",
    ops: &[
        OpInfo::new("rcu_read_lock").conflicts(1 << SNAPSHOT),
        OpInfo::new("start grace period").conflicts(1 << LOCK),
    ],
    enabled: |_, _, _| true,
};

/// State word 0: the readers that the grace period still waits for.
static GRACE: ObjectClass = ObjectClass {
    name: "grace period",
    ops: &[OpInfo::new("synchronize_rcu").blocking()],
    enabled: |s, _, _| s[0] == 0,
};

/// RCU of one kernel.
pub(crate) struct Rcu {
    object: Object,
    /// Grace periods that wait for somebody.
    waiting: Vec<Object>,
    /// What readers publish when they leave: an object for the readers between two grace periods' beginnings.
    epochs: Vec<Object>,
    callbacks: Vec<JoinHandle>,
}

impl Rcu {
    pub(crate) fn new() -> Self {
        Rcu {
            object: explorer::create(&CLASS, "rcu", [0; 4]),
            waiting: Vec::new(),
            epochs: vec![epoch()],
            callbacks: Vec::new(),
        }
    }
}

fn epoch() -> Object {
    explorer::create(&GRACE, "readers before", [0; 4])
}

fn object() -> Object {
    with(|k| k.rcu.as_ref().expect("booted").object)
}

fn own_bit() -> u64 {
    1 << explorer::current().index()
}

/// Begins a read section; nests.
//= linux v7.3.4 include/linux/rcupdate.h rcu_read_lock
#[track_caller]
pub fn rcu_read_lock() {
    let at = Site::here();
    let outermost = with_task(|t| {
        t.context.enter(at);
        t.context.rcu_read_depth += 1;
        t.context.rcu_read_depth == 1
    });
    if outermost {
        let (rcu, bit) = (object(), own_bit());
        if explorer::is_visible(rcu) {
            explorer::step(CLASS.op(rcu, LOCK, 0));
        }
        explorer::update(rcu, |s| s[0] |= bit);
        explorer::acquired(rcu, Mode::Shared);
    }
}

/// Ends a read section; one too many is reported.
//= linux v7.3.4 include/linux/rcupdate.h rcu_read_unlock
#[track_caller]
pub fn rcu_read_unlock() {
    let left = with_task(|t| {
        let depth = t.context.rcu_read_depth.checked_sub(1)?;
        t.context.rcu_read_depth = depth;
        Some(depth)
    });
    match left {
        Some(0) => {
            let (rcu, bit) = (object(), own_bit());
            explorer::update(rcu, |s| s[0] &= !bit);
            explorer::released(rcu, Mode::Shared, "rcu_read_unlock");
            let now = with(|k| k.rcu.as_ref().and_then(|r| r.epochs.last().copied()).expect("booted"));
            explorer::publish(now);
            reader_left(bit);
        }
        Some(_) => {}
        None => {
            let what = "bad unlock balance detected! (rcu_read_lock)".to_string();
            report(Report::Warning { what, at: Site::here() });
        }
    }
}

/// The task with this bit has left its read section: grace periods that waited for it know.
fn reader_left(bit: u64) {
    let waiting = with(|k| {
        k.arena.reader_left(bit);
        std::mem::take(&mut k.rcu.as_mut().expect("booted").waiting)
    });
    let mut still = Vec::new();
    for grace in waiting {
        let (was, now) = explorer::update(grace, |s| {
            let was = s[0];
            s[0] &= !bit;
            (was, s[0])
        });
        if was != now {
            explorer::released(grace, Mode::Shared, "left by a reader");
        }
        if now != 0 {
            still.push(grace);
        }
    }
    with(|k| k.rcu.as_mut().expect("booted").waiting.append(&mut still));
}

/// Whether the current task is inside of a read section.
//= linux v7.3.4 include/linux/rcupdate.h rcu_read_lock_held
pub fn rcu_read_lock_held() -> bool {
    with_task(|t| t.context.rcu_read_depth > 0)
}

/// The readers that are inside of a section now. The order against readers that come is explored.
#[track_caller]
pub(crate) fn readers() -> u64 {
    let rcu = object();
    explorer::promote(rcu);
    explorer::step(CLASS.op(rcu, SNAPSHOT, 0));
    explorer::publish(rcu);
    explorer::update(rcu, |s| s[0])
}

/// Begins a grace period.
#[track_caller]
fn begin() -> (Object, usize) {
    let readers = readers();
    let next = epoch();
    let before = with(|k| {
        let epochs = &mut k.rcu.as_mut().expect("booted").epochs;
        epochs.push(next);
        epochs.len() - 1
    });
    let grace = explorer::create(&GRACE, "rcu", [readers, 0, 0, 0]);
    if readers != 0 {
        with(|k| k.rcu.as_mut().expect("booted").waiting.push(grace));
    }
    (grace, before)
}

/// Waits until a grace period has ended. Readers that left before it began are in its past, too; those who came later
/// are not.
#[track_caller]
fn wait((grace, before): (Object, usize)) {
    explorer::step(GRACE.op(grace, 0, 0));
    explorer::acquired(grace, Mode::Exclusive);
    explorer::released(grace, Mode::Exclusive, "grace period over");
    let epochs = with(|k| k.rcu.as_ref().expect("booted").epochs[..before].to_vec());
    epochs.into_iter().for_each(explorer::observe);
}

/// Waits until every reader that is inside of a section now has left it.
///
/// Context: process; may sleep. Not inside of a read section: that would wait for itself.
///
/// In C: `synchronize_rcu`, kernel/rcu/tree.c.
#[track_caller]
pub fn synchronize_rcu() {
    might_sleep();
    let grace = begin();
    wait(grace);
}

/// Calls `func` after a grace period, from softirq context: a task of its own here.
///
/// In C: `call_rcu`, kernel/rcu/tree.c.
#[track_caller]
pub fn call_rcu(func: impl FnOnce() + 'static) {
    let grace = begin();
    let handle = explorer::spawn("rcu callback", move || {
        wait(grace);
        preempt_disable();
        func();
        preempt_enable();
    });
    with(|k| k.rcu.as_mut().expect("booted").callbacks.push(handle));
}

/// Waits until every callback that [`call_rcu`] was given has run.
///
/// In C: `rcu_barrier`, kernel/rcu/tree.c.
pub fn rcu_barrier() {
    might_sleep();
    let callbacks = with(|k| k.rcu.as_mut().map(|r| std::mem::take(&mut r.callbacks)).unwrap_or_default());
    for callback in callbacks {
        callback.join();
    }
}

/// Frees an object after a grace period. Whoever was inside of a read section may read it until it leaves; everybody
/// else has a use after free once the last of them has left.
///
/// In C: `kfree_rcu`, include/linux/rcupdate.h.
#[track_caller]
pub fn kfree_rcu<T>(p: Kptr<T>) {
    let readers = readers();
    p.free_after(readers);
}

/// A pointer that readers follow inside of read sections.
///
/// In C: the `__rcu` qualifier, include/linux/compiler_types.h.
pub struct RcuPtr<T> {
    cell: explorer::sync::Cell<u64>,
    value: StdCell<T>,
    name: &'static str,
}

impl<T: Value> std::fmt::Debug for RcuPtr<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.value.get().fmt(f)
    }
}

impl<T: Value> RcuPtr<T> {
    /// `RCU_INIT_POINTER` on an object that nobody knows yet.
    pub fn new(name: &'static str, value: T) -> Self {
        RcuPtr { cell: explorer::sync::Cell::new(name, value.word()), value: StdCell::new(value), name }
    }
}

/// Follows the pointer: what was written before it was assigned is seen.
///
/// In C: `rcu_dereference`, include/linux/rcupdate.h.
#[track_caller]
pub fn rcu_dereference<T: Value>(p: &RcuPtr<T>) -> T {
    p.cell.load();
    p.value.get()
}

/// Follows the pointer under the lock of those who assign it: a plain read.
///
/// In C: `rcu_dereference_protected`, include/linux/rcupdate.h.
#[track_caller]
pub fn rcu_dereference_protected<T: Value>(p: &RcuPtr<T>) -> T {
    p.cell.get();
    p.value.get()
}

/// Follows the pointer: under the lock if `protected` says that it is held, else as a reader.
///
/// In C: `rcu_dereference_check`, include/linux/rcupdate.h.
#[track_caller]
pub fn rcu_dereference_check<T: Value>(p: &RcuPtr<T>, protected: bool) -> T {
    if protected { rcu_dereference_protected(p) } else { rcu_dereference(p) }
}

/// The pointer, to be compared and not to be followed.
///
/// In C: `rcu_access_pointer`, include/linux/rcupdate.h.
#[track_caller]
pub fn rcu_access_pointer<T: Value>(p: &RcuPtr<T>) -> T {
    p.cell.read_once();
    p.value.get()
}

/// Publishes a pointer.
///
/// In C: `rcu_assign_pointer`, include/linux/rcupdate.h.
#[track_caller]
pub fn rcu_assign_pointer<T: Value>(p: &RcuPtr<T>, value: T) {
    p.cell.store(value.word());
    p.value.set(value);
    explorer::note(|| format!("{} = {value:?}", p.name));
}

/// Atomically replaces `old` by `new`; gives what was found.
///
/// In C: `cmpxchg` on an `__rcu` pointer.
#[track_caller]
pub fn rcu_cmpxchg<T: Value + PartialEq>(p: &RcuPtr<T>, old: T, new: T) -> T {
    let mut found = old;
    p.cell.fetch_update(|word| {
        found = p.value.get();
        if found == old {
            p.value.set(new);
            return new.word();
        }
        word
    });
    found
}

/// Follows a pointer that is kept in an ordinary field.
///
/// In C: `rcu_dereference_raw`, include/linux/rcupdate.h.
#[track_caller]
pub fn rcu_dereference_raw<T: Value>(p: &Plain<T>) -> T {
    READ_ONCE(p)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_classes_are_valid() {
        super::CLASS.validate().unwrap();
        super::GRACE.validate().unwrap();
    }
}
