// SPDX-License-Identifier: GPL-2.0-only
//! Somebody can always go on until every task has ended.

use super::Invariant;

/// See the module's words.
pub(super) static INVARIANT: Invariant = Invariant {
    name: "no-deadlock",
    statement: "Somebody can always go on until every task has ended.",
    why: "A task that waits for ever holds memory_lock, and with it the device.",
    rule: "Documentation/locking/lockdep-design.rst; khungtaskd",
    checked: "at the end of each execution",
    broken_by: "tests/both_directions.rs: a reset that takes memory_lock twice",
};
