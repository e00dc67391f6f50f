// SPDX-License-Identifier: MIT OR Apache-2.0
//! A mutex: one holder; any waiter may be next.

use std::borrow::Cow;

use super::{Interrupted, interruptible};
use crate::engine::Mode;
use crate::op::{Object, ObjectClass, OpInfo, kinds};
use crate::{create, perform, release};

const LOCK: u8 = 0;
const TRYLOCK: u8 = 1;
const UNLOCK: u8 = 2;

/// State word 0: 1 while somebody holds it.
static CLASS: ObjectClass = ObjectClass {
    name: "mutex",
    ops: &[
        OpInfo::new("lock")
            .conflicts(kinds([LOCK, TRYLOCK, UNLOCK]))
            .irreversible(kinds([UNLOCK]))
            .blocking(),
        OpInfo::new("trylock").conflicts(kinds([LOCK, TRYLOCK, UNLOCK])),
        OpInfo::new("unlock").conflicts(kinds([LOCK, TRYLOCK, UNLOCK])).irreversible(kinds([LOCK, UNLOCK])),
    ],
    enabled: |state, _, _| state[0] == 0,
};

/// A mutex. Not recursive: a second `lock` by its holder is a deadlock, and is found as one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mutex(Object);

impl Mutex {
    /// An unlocked mutex.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Mutex(create(&CLASS, name, [0; 4]))
    }

    /// Waits until the mutex is free and takes it.
    #[inline]
    #[track_caller]
    pub fn lock(self) {
        perform(CLASS.op(self.0, LOCK, 0), |fx| {
            fx.state()[0] = 1;
            fx.acquired(Mode::Exclusive);
        });
    }

    /// As [`lock`](Self::lock), unless a signal arrives first, see [`crate::fault`].
    ///
    /// # Errors
    /// [`Interrupted`]: the mutex is not held.
    #[track_caller]
    pub fn lock_interruptible(self) -> Result<(), Interrupted> {
        interruptible(|| self.lock())
    }

    /// Takes the mutex if it is free; says whether it did.
    #[inline]
    #[track_caller]
    pub fn trylock(self) -> bool {
        let got = perform(CLASS.op(self.0, TRYLOCK, 0), |fx| {
            fx.promote();
            let got = std::mem::replace(&mut fx.state()[0], 1) == 0;
            if got {
                fx.acquired(Mode::Exclusive);
            }
            got
        });
        got.unwrap_or(true)
    }

    /// Releases the mutex. Says whether the current task held it; if not, nothing changes.
    #[inline]
    #[track_caller]
    pub fn unlock(self) -> bool {
        release(CLASS.op(self.0, UNLOCK, 0), Mode::Exclusive, |s| s[0] = 0)
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
