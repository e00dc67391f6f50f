// SPDX-License-Identifier: GPL-2.0-only
//! Fields of kernel structures that tasks share.
//!
//! `x.get()` and `x.set(v)` are plain accesses, `READ_ONCE(&x)` and `WRITE_ONCE(&x, v)` marked ones. A plain access
//! is no scheduling point until the search meets a data race on the field.

use std::cell::Cell;
use std::fmt;

/// What a shared field may hold: a `Copy` value with a word that stands for it in state and comparisons.
pub trait Value: Copy + fmt::Debug + 'static {
    /// The word: equal values have equal words, in every interleaving.
    fn word(self) -> u64;
}

macro_rules! value {
    ($($t:ty)*) => {$(
        impl Value for $t {
            fn word(self) -> u64 {
                self as u64
            }
        }
    )*};
}
value!(bool u8 u16 u32 u64 usize i32 i64 isize);

impl<T: Value> Value for Option<T> {
    fn word(self) -> u64 {
        self.map_or(0, Value::word)
    }
}

/// A shared field.
pub struct Plain<T> {
    cell: explorer::sync::Cell<u64>,
    value: Cell<T>,
    name: &'static str,
}

impl<T: Value> Plain<T> {
    /// A field with its C name and initial value.
    pub fn new(name: &'static str, value: T) -> Self {
        Plain { cell: explorer::sync::Cell::new(name, value.word()), value: Cell::new(value), name }
    }

    /// Plain read.
    #[inline]
    #[track_caller]
    pub fn get(&self) -> T {
        self.cell.get();
        self.value.get()
    }

    /// Writes are what a reader of a trace looks for.
    #[inline]
    fn note(&self, value: T) {
        explorer::note(|| format!("{} = {value:?}", self.name));
    }

    /// Plain write.
    #[inline]
    #[track_caller]
    pub fn set(&self, value: T) {
        self.cell.set(value.word());
        self.value.set(value);
        self.note(value);
    }
}

impl<T: Value> fmt::Debug for Plain<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.get().fmt(f)
    }
}

/// Marked read.
///
/// In C: `READ_ONCE`, include/asm-generic/rwonce.h.
#[expect(non_snake_case, reason = "the C name")]
#[inline]
#[track_caller]
pub fn READ_ONCE<T: Value>(x: &Plain<T>) -> T {
    x.cell.read_once();
    x.value.get()
}

/// Marked write.
///
/// In C: `WRITE_ONCE`, include/asm-generic/rwonce.h.
#[expect(non_snake_case, reason = "the C name")]
#[inline]
#[track_caller]
pub fn WRITE_ONCE<T: Value>(x: &Plain<T>, value: T) {
    x.cell.write_once(value.word());
    x.value.set(value);
    x.note(value);
}
