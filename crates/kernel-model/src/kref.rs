// SPDX-License-Identifier: GPL-2.0-only
//! `struct kref`: include/linux/kref.h.

use crate::refcount::{
    RefcountT, refcount_dec_and_test, refcount_inc, refcount_inc_not_zero, refcount_read, refcount_set,
};

/// A reference count with a release function.
#[derive(Debug)]
pub struct Kref(RefcountT);

impl Kref {
    /// A kref before [`kref_init`].
    pub fn zeroed(name: &'static str) -> Self {
        Kref(refcount_set(name, 0))
    }
}

/// Sets the count to 1.
//= linux v7.3.4 include/linux/kref.h kref_init
#[track_caller]
pub fn kref_init(kref: &Kref) {
    kref.0.reset(1);
}

/// The count.
//= linux v7.3.4 include/linux/kref.h kref_read
#[track_caller]
pub fn kref_read(kref: &Kref) -> i32 {
    refcount_read(&kref.0)
}

/// Takes a reference.
//= linux v7.3.4 include/linux/kref.h kref_get
#[track_caller]
pub fn kref_get(kref: &Kref) {
    refcount_inc(&kref.0);
}

/// Takes a reference unless there is none; says whether it did.
//= linux v7.3.4 include/linux/kref.h kref_get_unless_zero
#[track_caller]
pub fn kref_get_unless_zero(kref: &Kref) -> bool {
    refcount_inc_not_zero(&kref.0)
}

/// Drops a reference; calls `release` if it was the last, and says so.
//= linux v7.3.4 include/linux/kref.h kref_put
#[track_caller]
pub fn kref_put(kref: &Kref, release: impl FnOnce()) -> bool {
    if refcount_dec_and_test(&kref.0) {
        release();
        return true;
    }
    false
}
