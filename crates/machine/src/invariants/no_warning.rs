// SPDX-License-Identifier: GPL-2.0-only
//! No WARN_ON and no lockdep assertion fires, and no lock is held on return to user mode.

use super::Invariant;

/// See the module's words.
pub(super) static INVARIANT: Invariant = Invariant {
    name: "no-warning",
    statement: "No WARN_ON and no lockdep assertion fires, and no lock is held on return to user mode.",
    why: "Each states something that its author relies on.",
    rule: "include/asm-generic/bug.h; include/linux/lockdep.h",
    checked: "where the modelled code, or the border to user mode, says so",
    broken_by: "tests/both_directions.rs: a move() without memory_lock",
};
