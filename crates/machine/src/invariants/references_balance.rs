// SPDX-License-Identifier: GPL-2.0-only
//! Every reference is dropped once, and nothing is left when everything has been closed.

use super::Invariant;

/// See the module's words.
pub(super) static INVARIANT: Invariant = Invariant {
    name: "references-balance",
    statement: "Every reference is dropped once, and nothing is left when everything has been closed.",
    why: "A lost reference keeps the driver from ever unbinding; one dropped twice frees memory in use.",
    rule: "include/linux/kref.h; include/linux/refcount.h; mm/kmemleak.c",
    checked: "at each reference count operation, and after the last close of a scenario",
    broken_by: "leon_v0, export-without-descriptor",
};
