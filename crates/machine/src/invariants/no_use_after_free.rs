// SPDX-License-Identifier: GPL-2.0-only
//! No object is used after it was freed, freed twice, or reached through a null pointer.

use super::Invariant;

/// See the module's words.
pub(super) static INVARIANT: Invariant = Invariant {
    name: "no-use-after-free",
    statement: "No object is used after it was freed, freed twice, or reached through a null pointer.",
    why: "It is memory corruption, from an unprivileged file descriptor.",
    rule: "mm/kasan",
    checked: "at each dereference and each free",
    broken_by: "tests/both_directions.rs: a teardown that frees the config space twice",
};
