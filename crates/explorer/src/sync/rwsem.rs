// SPDX-License-Identifier: MIT OR Apache-2.0
//! A reader-writer semaphore with announced writers.
//!
//! A writer takes two steps: it *announces* itself, from which moment new readers wait, and it *locks* when nobody
//! holds the semaphore. A reader that takes it a second time while a writer waits is therefore deadlocked, as in any
//! fair implementation.

use std::borrow::Cow;

use super::kinds;
use crate::engine::Mode;
use crate::op::{Object, ObjectClass, OpInfo};
use crate::{acquired, change, create, is_visible, promote, released, step, update};

const READ: u8 = 0;
const ANNOUNCE: u8 = 1;
const WRITE: u8 = 2;
const TRYREAD: u8 = 3;
const TRYWRITE: u8 = 4;
const UP_READ: u8 = 5;
const UP_WRITE: u8 = 6;
const DOWNGRADE: u8 = 7;

const WRITER: usize = 0;
const READERS: usize = 1;
const WAITING: usize = 2;

/// State: word 0 is 1 while a writer holds it, word 1 counts read holds, word 2 counts announced writers.
static CLASS: ObjectClass = ObjectClass {
    name: "rwsem",
    ops: &[
        OpInfo {
            name: "down_read",
            conflicts: kinds([ANNOUNCE, WRITE, TRYWRITE, UP_WRITE, DOWNGRADE]),
            irreversible: kinds([WRITE, UP_WRITE, DOWNGRADE]),
            blocking: true,
        },
        OpInfo {
            name: "down_write (announce)",
            conflicts: kinds([READ, TRYREAD, TRYWRITE]),
            irreversible: 0,
            blocking: false,
        },
        OpInfo {
            name: "down_write",
            conflicts: kinds([READ, WRITE, UP_READ, UP_WRITE, DOWNGRADE, TRYREAD, TRYWRITE]),
            irreversible: kinds([READ, UP_READ, UP_WRITE, DOWNGRADE]),
            blocking: true,
        },
        OpInfo {
            name: "down_read_trylock",
            conflicts: kinds([ANNOUNCE, WRITE, TRYWRITE, UP_WRITE, DOWNGRADE]),
            irreversible: 0,
            blocking: false,
        },
        OpInfo {
            name: "down_write_trylock",
            conflicts: kinds([READ, ANNOUNCE, WRITE, TRYREAD, TRYWRITE, UP_READ, UP_WRITE, DOWNGRADE]),
            irreversible: 0,
            blocking: false,
        },
        OpInfo {
            name: "up_read",
            conflicts: kinds([WRITE, TRYWRITE]),
            irreversible: kinds([WRITE]),
            blocking: false,
        },
        OpInfo {
            name: "up_write",
            conflicts: kinds([READ, WRITE, TRYREAD, TRYWRITE]),
            irreversible: kinds([READ, WRITE]),
            blocking: false,
        },
        OpInfo {
            name: "downgrade_write",
            conflicts: kinds([READ, WRITE, TRYREAD, TRYWRITE]),
            irreversible: kinds([READ, WRITE]),
            blocking: false,
        },
    ],
    enabled: |s, _, op| match op.kind {
        READ => s[WRITER] == 0 && s[WAITING] == 0,
        _ => s[WRITER] == 0 && s[READERS] == 0,
    },
};

/// A reader-writer semaphore.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RwSem(Object);

impl RwSem {
    /// A semaphore that nobody holds.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        RwSem(create(&CLASS, name, [0; 4]))
    }

    /// Waits until no writer holds it or waits for it, and takes it for reading.
    #[inline]
    #[track_caller]
    pub fn down_read(self) {
        step(CLASS.op(self.0, READ, 0));
        change(self.0, |s| s[READERS] += 1);
        acquired(self.0, Mode::Shared);
    }

    /// Announces a writer, waits until nobody holds the semaphore and takes it alone.
    #[inline]
    #[track_caller]
    pub fn down_write(self) {
        step(CLASS.op(self.0, ANNOUNCE, 0));
        change(self.0, |s| s[WAITING] += 1);
        step(CLASS.op(self.0, WRITE, 0));
        change(self.0, |s| {
            s[WAITING] -= 1;
            s[WRITER] = 1;
        });
        acquired(self.0, Mode::Exclusive);
    }

    /// Takes it for reading unless a writer holds it or waits; says whether it did.
    #[inline]
    #[track_caller]
    pub fn down_read_trylock(self) -> bool {
        promote(self.0);
        step(CLASS.op(self.0, TRYREAD, 0));
        let got = update(self.0, |s| {
            let free = s[WRITER] == 0 && s[WAITING] == 0;
            s[READERS] += u64::from(free);
            free
        });
        if got {
            acquired(self.0, Mode::Shared);
        }
        got
    }

    /// Takes it for writing unless somebody holds it or waits for it; says whether it did.
    #[inline]
    #[track_caller]
    pub fn down_write_trylock(self) -> bool {
        promote(self.0);
        step(CLASS.op(self.0, TRYWRITE, 0));
        let got = update(self.0, |s| {
            let free = s[WRITER] == 0 && s[READERS] == 0 && s[WAITING] == 0;
            s[WRITER] |= u64::from(free);
            free
        });
        if got {
            acquired(self.0, Mode::Exclusive);
        }
        got
    }

    /// Releases a read hold. Says whether the current task had one; if not, nothing changes.
    #[inline]
    #[track_caller]
    pub fn up_read(self) -> bool {
        if !crate::holds(self.0, Some(Mode::Shared)) {
            return crate::aborting();
        }
        if is_visible(self.0) {
            step(CLASS.op(self.0, UP_READ, 0));
        }
        change(self.0, |s| s[READERS] -= 1);
        released(self.0, Mode::Shared, "up_read")
    }

    /// Releases the write hold. Says whether the current task had it; if not, nothing changes.
    #[inline]
    #[track_caller]
    pub fn up_write(self) -> bool {
        if !crate::holds(self.0, Some(Mode::Exclusive)) {
            return crate::aborting();
        }
        if is_visible(self.0) {
            step(CLASS.op(self.0, UP_WRITE, 0));
        }
        change(self.0, |s| s[WRITER] = 0);
        released(self.0, Mode::Exclusive, "up_write")
    }

    /// Turns the write hold into a read hold in one step. Says whether the current task had it.
    #[inline]
    #[track_caller]
    pub fn downgrade_write(self) -> bool {
        if !crate::holds(self.0, Some(Mode::Exclusive)) {
            return crate::aborting();
        }
        if is_visible(self.0) {
            step(CLASS.op(self.0, DOWNGRADE, 0));
        }
        change(self.0, |s| {
            s[WRITER] = 0;
            s[READERS] += 1;
        });
        released(self.0, Mode::Exclusive, "downgrade_write");
        acquired(self.0, Mode::Shared);
        true
    }

    /// Is a writer announced and not yet holding?
    pub fn is_contended(self) -> bool {
        update(self.0, |s| s[WAITING] != 0)
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
