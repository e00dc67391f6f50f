// SPDX-License-Identifier: GPL-2.0-only
//! Locks are taken in an order that cannot deadlock.

use super::Invariant;

/// See the module's words.
pub(super) static INVARIANT: Invariant = Invariant {
    name: "lock-order",
    statement: "Locks are taken in an order that cannot deadlock.",
    why: "An inversion hangs on the day when both orders meet, with memory_lock held.",
    rule: "Documentation/locking/lockdep-design.rst",
    checked: "at each acquisition of a mutex, rw_semaphore or ww_mutex, by lockdep",
    broken_by: "tests/both_directions.rs: a reset that takes dev_set->lock under memory_lock",
};
