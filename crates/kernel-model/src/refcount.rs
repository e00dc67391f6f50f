// SPDX-License-Identifier: GPL-2.0-only
//! `refcount_t`: include/linux/refcount.h, lib/refcount.c. Saturation and its warnings.
//!
//! A counter that would pass from a dead value to a live one, or wrap, is set to a value far from both and stays
//! there: the object leaks, which is better than a use after free. Each such operation warns.

use explorer::sync::Cell;

use crate::report::{Report, Site, report};

/// The value of a saturated counter.
///
/// In C: `REFCOUNT_SATURATED`, include/linux/refcount.h.
pub const REFCOUNT_SATURATED: i32 = i32::MIN / 2;

/// Ways to misuse a counter.
///
/// In C: `refcount_saturation_type`, include/linux/refcount.h.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RefcountSaturationType {
    /// `refcount_add_not_zero` on a counter that is saturated, or past what it can hold.
    AddNotZeroOvf,
    /// `refcount_add` on such a counter.
    AddOvf,
    /// `refcount_add` on a counter that is 0.
    AddUaf,
    /// `refcount_sub_and_test` on a counter that has less.
    SubUaf,
    /// `refcount_dec` to 0.
    DecLeak,
}

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
}

/// Saturates the counter and warns.
///
/// In C: `refcount_warn_saturate`, lib/refcount.c.
#[track_caller]
fn refcount_warn_saturate(r: &RefcountT, t: RefcountSaturationType) {
    r.refs.store(REFCOUNT_SATURATED);
    let what = match t {
        RefcountSaturationType::AddNotZeroOvf | RefcountSaturationType::AddOvf => {
            "saturated; leaking memory."
        }
        RefcountSaturationType::AddUaf => "addition on 0; use-after-free.",
        RefcountSaturationType::SubUaf => "underflow; use-after-free.",
        RefcountSaturationType::DecLeak => "decrement hit 0; leaking memory.",
    };
    report(Report::Refcount { what, counter: r.name.to_string(), at: Site::here() });
}

/// The counter's value.
//= linux v7.3.4 include/linux/refcount.h refcount_read
#[track_caller]
pub fn refcount_read(r: &RefcountT) -> i32 {
    r.refs.load()
}

/// Adds `i` references unless there is none; says whether it did.
//= linux v7.3.4 include/linux/refcount.h refcount_add_not_zero
#[track_caller]
pub fn refcount_add_not_zero(i: i32, r: &RefcountT) -> bool {
    let old = r.refs.fetch_update(|old| if old == 0 { 0 } else { old.wrapping_add(i) });
    if old != 0 && (old < 0 || old.wrapping_add(i) < 0) {
        refcount_warn_saturate(r, RefcountSaturationType::AddNotZeroOvf);
    }
    old != 0
}

/// Adds `i` references; warns if there was none.
//= linux v7.3.4 include/linux/refcount.h refcount_add
#[track_caller]
pub fn refcount_add(i: i32, r: &RefcountT) {
    let old = r.refs.fetch_update(|old| old.wrapping_add(i));
    if old == 0 {
        refcount_warn_saturate(r, RefcountSaturationType::AddUaf);
    } else if old < 0 || old.wrapping_add(i) < 0 {
        refcount_warn_saturate(r, RefcountSaturationType::AddOvf);
    }
}

/// Adds a reference unless there is none; says whether it did.
//= linux v7.3.4 include/linux/refcount.h refcount_inc_not_zero
#[track_caller]
pub fn refcount_inc_not_zero(r: &RefcountT) -> bool {
    refcount_add_not_zero(1, r)
}

/// Adds a reference; warns if there was none.
//= linux v7.3.4 include/linux/refcount.h refcount_inc
#[track_caller]
pub fn refcount_inc(r: &RefcountT) {
    refcount_add(1, r);
}

/// Drops `i` references; says whether they were the last. Warns if there were fewer.
//= linux v7.3.4 include/linux/refcount.h refcount_sub_and_test
#[track_caller]
pub fn refcount_sub_and_test(i: i32, r: &RefcountT) -> bool {
    let old = r.refs.fetch_update(|old| old.wrapping_sub(i));
    if old > 0 && old == i {
        return true;
    }
    if old <= 0 || old.wrapping_sub(i) < 0 {
        refcount_warn_saturate(r, RefcountSaturationType::SubUaf);
    }
    false
}

/// Drops a reference; says whether it was the last. Warns if there was none.
//= linux v7.3.4 include/linux/refcount.h refcount_dec_and_test
#[track_caller]
pub fn refcount_dec_and_test(r: &RefcountT) -> bool {
    refcount_sub_and_test(1, r)
}

/// Drops a reference that is not the last; warns if it was.
//= linux v7.3.4 include/linux/refcount.h refcount_dec
#[track_caller]
pub fn refcount_dec(r: &RefcountT) {
    if r.refs.fetch_update(|old| old.wrapping_sub(1)) <= 1 {
        refcount_warn_saturate(r, RefcountSaturationType::DecLeak);
    }
}

/// Drops a reference that is the only one; says whether it did. Saturated counters are left alone.
///
/// In C: `refcount_dec_if_one`, lib/refcount.c.
#[track_caller]
pub fn refcount_dec_if_one(r: &RefcountT) -> bool {
    r.refs.compare_exchange(1, 0).is_ok()
}

/// Drops a reference unless it is the only one; says whether it did. Warns if there was none.
///
/// In C: `refcount_dec_not_one`, lib/refcount.c.
#[track_caller]
pub fn refcount_dec_not_one(r: &RefcountT) -> bool {
    let old = r
        .refs
        .fetch_update(|v| if v == REFCOUNT_SATURATED || v == 1 || v == 0 { v } else { v.wrapping_sub(1) });
    if old == 0 {
        report(Report::Refcount {
            what: "underflow; use-after-free.",
            counter: r.name.to_string(),
            at: Site::here(),
        });
    }
    old != 1
}
