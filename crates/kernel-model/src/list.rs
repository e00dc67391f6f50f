// SPDX-License-Identifier: GPL-2.0-only
//! `struct list_head`: include/linux/list.h. Lists of pointers, with the fragility of the C ones.
//!
//! A list is shared memory: every operation is an access that the race detector watches. Iteration with
//! [`list_for_each_entry_safe`](crate::list_for_each_entry_safe) is safe against removal of the current entry only:
//! if the entry that comes next is removed meanwhile, the walk goes on from a removed entry, which is reported.

use std::cell::RefCell;

use crate::arena::Kptr;
use crate::report::{Report, Site, report};

/// The head of a list of `T`.
#[derive(Debug)]
pub struct List<T> {
    memory: explorer::sync::Cell<u64>,
    entries: RefCell<Vec<Kptr<T>>>,
    name: &'static str,
}

/// An empty list with its C name.
//= linux v7.3.4 include/linux/list.h INIT_LIST_HEAD
#[expect(non_snake_case, reason = "the C name")]
pub fn INIT_LIST_HEAD<T>(name: &'static str) -> List<T> {
    List { memory: explorer::sync::Cell::new(name, 0), entries: RefCell::new(Vec::new()), name }
}

impl<T> List<T> {
    #[track_caller]
    fn read(&self) {
        self.memory.get();
    }

    /// The change of the list is a write; its word stands for the entries.
    #[track_caller]
    fn write(&self, change: impl FnOnce(&mut Vec<Kptr<T>>)) {
        self.memory.set(0);
        change(&mut self.entries.borrow_mut());
    }

    /// The first entry.
    #[track_caller]
    pub fn first(&self) -> Option<Kptr<T>> {
        self.read();
        self.entries.borrow().first().copied()
    }

    /// The entry after `p`; a walk that stands on a removed entry is reported and ends.
    #[track_caller]
    pub fn next(&self, p: Kptr<T>) -> Option<Kptr<T>> {
        self.read();
        let entries = self.entries.borrow();
        let here = entries.iter().position(|e| *e == p);
        if here.is_none() {
            drop(entries);
            self.corrupted("a walk goes on from an entry that is not on the list");
            return None;
        }
        entries.get(here? + 1).copied()
    }

    /// Whether `p` is on the list.
    #[track_caller]
    pub fn contains(&self, p: Kptr<T>) -> bool {
        self.read();
        self.entries.borrow().contains(&p)
    }

    #[track_caller]
    fn corrupted(&self, what: &str) {
        report(Report::Warning {
            what: format!("list corruption: {what} ({})", self.name),
            at: Site::here(),
        });
    }
}

/// Adds `new` at the head.
//= linux v7.3.4 include/linux/list.h list_add
#[track_caller]
pub fn list_add<T>(new: Kptr<T>, head: &List<T>) {
    if head.entries.borrow().contains(&new) {
        head.corrupted("list_add double add");
        return;
    }
    head.write(|e| e.insert(0, new));
}

/// Adds `new` at the tail.
//= linux v7.3.4 include/linux/list.h list_add_tail
#[track_caller]
pub fn list_add_tail<T>(new: Kptr<T>, head: &List<T>) {
    if head.entries.borrow().contains(&new) {
        head.corrupted("list_add double add");
        return;
    }
    head.write(|e| e.push(new));
}

/// Removes `entry`; a second time is a list corruption.
//= linux v7.3.4 include/linux/list.h list_del
#[track_caller]
pub fn list_del<T>(entry: Kptr<T>, head: &List<T>) {
    if !head.entries.borrow().contains(&entry) {
        head.corrupted("list_del of an entry that is not on the list");
        return;
    }
    head.write(|e| e.retain(|p| *p != entry));
}

/// Removes `entry` and leaves it empty, so that a second removal changes nothing.
//= linux v7.3.4 include/linux/list.h list_del_init
#[track_caller]
pub fn list_del_init<T>(entry: Kptr<T>, head: &List<T>) {
    head.write(|e| e.retain(|p| *p != entry));
}

/// Whether the list has no entry.
//= linux v7.3.4 include/linux/list.h list_empty
#[track_caller]
pub fn list_empty<T>(head: &List<T>) -> bool {
    head.read();
    head.entries.borrow().is_empty()
}

/// Walks a list; the next entry is found after the body.
#[macro_export]
macro_rules! list_for_each_entry {
    ($p:ident, $head:expr, $body:block) => {{
        let mut cursor = $head.first();
        while let Some($p) = cursor {
            $body
            cursor = $head.next($p);
        }
    }};
}

/// Walks a list of erased entries that are all of one type; the next entry is read before the body, which may
/// therefore remove the current one, and only that. `continue` in the body goes on with the next entry.
#[macro_export]
macro_rules! list_for_each_entry_safe {
    ($p:ident, $tmp:ident, $head:expr, $t:ty, $body:block) => {{
        let mut cursor = $head.first();
        while let Some(entry) = cursor {
            let $tmp = $head.next(entry);
            cursor = $tmp;
            let $p = entry.container_of::<$t>();
            $body
        }
    }};
}
