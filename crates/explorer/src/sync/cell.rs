// SPDX-License-Identifier: MIT OR Apache-2.0
//! A word of shared memory, accessed plainly, by marked accesses, or atomically.
//!
//! * **plain** (`get`, `set`): no scheduling point, until a data race is met on the cell;
//! * **marked** (`read_once`, `write_once`): a scheduling point; orders nothing else;
//! * **atomic** (`load`, `store`, `fetch_update`, ...): a scheduling point; sequentially consistent, so an access
//!   that reads a value has seen what came before the access that wrote it.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use crate::op::{Object, ObjectClass, OpInfo, kinds};
use crate::{Effect, create, perform, perform_quietly};

const LOAD: u8 = 0;
const STORE: u8 = 1;
const RMW: u8 = 2;
const WAIT: u8 = 3;

const WRITES: u16 = kinds([STORE, RMW]);
const EVERY: u16 = kinds([LOAD, STORE, RMW, WAIT]);

/// State word 0: the value. The argument of a wait: the low 31 bits of a value, and in bit 0 whether to wait while it
/// is there instead of until.
static CLASS: ObjectClass = ObjectClass {
    name: "cell",
    ops: &[
        OpInfo::new("read").conflicts(WRITES),
        OpInfo::new("write").conflicts(EVERY),
        OpInfo::new("update").conflicts(EVERY),
        OpInfo::new("wait").conflicts(WRITES).blocking(),
    ],
    enabled: |s, _, op| (s[0] as u32 & (u32::MAX >> 1) == op.arg >> 1) == (op.arg & 1 == 0),
};

/// What fits in a cell: a `Copy` value that a 64-bit word can stand for.
pub trait Word: Copy + fmt::Debug + 'static {
    /// The value as a word.
    fn to_word(self) -> u64;
    /// The value that the word stands for; the word came from [`to_word`](Self::to_word).
    fn from_word(word: u64) -> Self;
}

macro_rules! word {
    ($($t:ty)*) => {$(
        impl Word for $t {
            fn to_word(self) -> u64 { self as u64 }
            fn from_word(word: u64) -> Self { word as $t }
        }
    )*};
}
word!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

impl Word for bool {
    fn to_word(self) -> u64 {
        u64::from(self)
    }
    fn from_word(word: u64) -> Self {
        word != 0
    }
}

/// A cell of type `T`.
pub struct Cell<T>(Object, PhantomData<T>);

impl<T> Clone for Cell<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Cell<T> {}

impl<T> fmt::Debug for Cell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cell({})", self.0.index())
    }
}

impl<T: Word> Cell<T> {
    /// A cell that holds `value`.
    pub fn new(name: impl Into<Cow<'static, str>>, value: T) -> Self {
        Cell(create(&CLASS, name, [value.to_word(), 0, 0, 0]), PhantomData)
    }

    /// A scheduled read; `effect` says what it orders.
    #[inline]
    #[track_caller]
    fn read(self, effect: impl FnOnce(&mut Effect<'_>)) -> T {
        let word = perform(CLASS.op(self.0, LOAD, 0), |fx| {
            fx.access(false, false);
            effect(fx);
            fx.state()[0]
        });
        T::from_word(word.unwrap_or(0))
    }

    /// Plain read.
    #[inline]
    #[track_caller]
    pub fn get(self) -> T {
        let word = perform_quietly(CLASS.op(self.0, LOAD, 0), |fx| {
            fx.access(false, true);
            fx.state()[0]
        });
        T::from_word(word.unwrap_or(0))
    }

    /// Plain write.
    #[inline]
    #[track_caller]
    pub fn set(self, value: T) {
        perform_quietly(CLASS.op(self.0, STORE, 0), |fx| {
            fx.access(true, true);
            fx.blind()[0] = value.to_word();
        });
    }

    /// Marked read.
    #[inline]
    #[track_caller]
    pub fn read_once(self) -> T {
        self.read(|_| {})
    }

    /// Marked write.
    #[inline]
    #[track_caller]
    pub fn write_once(self, value: T) {
        perform(CLASS.op(self.0, STORE, 0), |fx| {
            fx.access(true, false);
            fx.blind()[0] = value.to_word();
        });
    }

    /// Atomic read.
    #[inline]
    #[track_caller]
    pub fn load(self) -> T {
        self.read(|fx| {
            fx.observe();
        })
    }

    /// Atomic write.
    #[inline]
    #[track_caller]
    pub fn store(self, value: T) {
        perform(CLASS.op(self.0, STORE, 0), |fx| {
            fx.access(true, false);
            fx.publish();
            fx.blind()[0] = value.to_word();
        });
    }

    /// Atomic read-modify-write; gives the old value. `f` must not call anything of this crate.
    #[inline]
    #[track_caller]
    pub fn fetch_update(self, f: impl FnOnce(T) -> T) -> T {
        let word = perform(CLASS.op(self.0, RMW, 0), |fx| {
            fx.access(true, false);
            fx.observe();
            fx.publish();
            let old = fx.state()[0];
            fx.blind()[0] = f(T::from_word(old)).to_word();
            old
        });
        T::from_word(word.unwrap_or(0))
    }

    /// Atomically replaces `old` by `new`; the value found, as `Ok` if it was `old`.
    ///
    /// # Errors
    /// The value found, if it was another.
    #[inline]
    #[track_caller]
    pub fn compare_exchange(self, old: T, new: T) -> Result<T, T> {
        let found = self.fetch_update(|v| if v.to_word() == old.to_word() { new } else { v });
        if found.to_word() == old.to_word() { Ok(found) } else { Err(found) }
    }

    /// Blocks until the cell holds `value` (compared by its low 31 bits), and has then seen what came before the write.
    #[track_caller]
    pub fn wait_until(self, value: T) {
        perform(CLASS.op(self.0, WAIT, (value.to_word() as u32) << 1), |fx| {
            fx.observe();
        });
    }

    /// Blocks while the cell holds `value` (compared by its low 31 bits).
    #[track_caller]
    pub fn wait_while(self, value: T) {
        perform(CLASS.op(self.0, WAIT, (value.to_word() as u32) << 1 | 1), |fx| {
            fx.observe();
        });
    }

    /// The object behind the handle.
    pub fn object(self) -> Object {
        self.0
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_class_is_valid() {
        super::CLASS.validate().unwrap();
    }
}
