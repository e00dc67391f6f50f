// SPDX-License-Identifier: GPL-2.0-only
//! `refcount_t`: include/linux/refcount.h, lib/refcount.c. Saturation and its warnings.

use explorer::sync::Cell;

use crate::report::{Report, Site, report};

/// The value of a saturated counter.
///
/// In C: `REFCOUNT_SATURATED`, include/linux/refcount.h.
const REFCOUNT_SATURATED: i32 = i32::MIN / 2;

/// A reference count that saturates instead of wrapping.
#[derive(Debug)]
pub struct RefcountT {
    refs: Cell<i32>,
    name: &'static str,
}

/// A counter with its C name and initial value.
//= linux v7.3.4 include/linux/refcount.h refcount_set
pub fn refcount_set(name: &'static str, n: i32) -> RefcountT {
    RefcountT { refs: Cell::new(name, n), name }
}

impl RefcountT {
    /// Sets the counter of a live object again, as `kref_init` on a used kref does.
    #[track_caller]
    pub fn reset(&self, n: i32) {
        self.refs.store(n);
    }

    /// The counter's C name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    #[track_caller]
    fn warn(&self, what: &'static str) {
        report(Report::Refcount { what, counter: self.name.to_string(), at: Site::here() });
    }
}

/// The counter's value.
//= linux v7.3.4 include/linux/refcount.h refcount_read
#[track_caller]
pub fn refcount_read(r: &RefcountT) -> i32 {
    r.refs.load()
}

/// Adds a reference; warns if there was none.
//= linux v7.3.4 include/linux/refcount.h refcount_inc
#[track_caller]
pub fn refcount_inc(r: &RefcountT) {
    let old = r.refs.fetch_update(|n| if n <= 0 { REFCOUNT_SATURATED } else { n + 1 });
    if old == 0 {
        r.warn("addition on 0; use-after-free.");
    } else if old < 0 {
        r.warn("saturated; leaking memory.");
    }
}

/// Adds a reference unless there is none; says whether it did.
//= linux v7.3.4 include/linux/refcount.h refcount_inc_not_zero
#[track_caller]
pub fn refcount_inc_not_zero(r: &RefcountT) -> bool {
    let old = r.refs.fetch_update(|n| {
        if n == 0 {
            0
        } else if n < 0 {
            REFCOUNT_SATURATED
        } else {
            n + 1
        }
    });
    if old < 0 {
        r.warn("saturated; leaking memory.");
    }
    old != 0
}

/// Drops a reference; says whether it was the last. Warns if there was none.
//= linux v7.3.4 include/linux/refcount.h refcount_dec_and_test
#[track_caller]
pub fn refcount_dec_and_test(r: &RefcountT) -> bool {
    let old = r.refs.fetch_update(|n| if n <= 0 { REFCOUNT_SATURATED } else { n - 1 });
    if old <= 0 {
        r.warn("underflow; use-after-free.");
    }
    old == 1
}
