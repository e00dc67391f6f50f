// SPDX-License-Identifier: MIT OR Apache-2.0
//! A counting semaphore: a number of permits that anybody may give and anybody may take.
//!
//! It has no owner, so a task that waits for it waits for an event: a deadlock over it shows when nobody can go on.

use std::borrow::Cow;

use super::{Interrupted, interruptible};
use crate::op::{Object, ObjectClass, OpInfo, kinds};
use crate::{create, perform};

const DOWN: u8 = 0;
const TRY: u8 = 1;
const UP: u8 = 2;

/// State word 0: the number of permits.
static CLASS: ObjectClass = ObjectClass {
    name: "semaphore",
    ops: &[
        OpInfo::new("down").conflicts(kinds([DOWN, TRY, UP])).blocking(),
        OpInfo::new("down_trylock").conflicts(kinds([DOWN, TRY, UP])),
        // Two permits given are the same in either order.
        OpInfo::new("up").conflicts(kinds([DOWN, TRY])),
    ],
    enabled: |s, _, _| s[0] > 0,
};

/// A counting semaphore.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Semaphore(Object);

impl Semaphore {
    /// A semaphore with `permits` permits.
    pub fn new(name: impl Into<Cow<'static, str>>, permits: u32) -> Self {
        Semaphore(create(&CLASS, name, [permits.into(), 0, 0, 0]))
    }

    /// Waits for a permit and takes it.
    #[inline]
    #[track_caller]
    pub fn down(self) {
        perform(CLASS.op(self.0, DOWN, 0), |fx| {
            fx.state()[0] -= 1;
            fx.observe();
        });
    }

    /// As [`down`](Self::down), unless a signal arrives first, see [`crate::fault`].
    ///
    /// # Errors
    /// [`Interrupted`]: no permit was taken.
    #[track_caller]
    pub fn down_interruptible(self) -> Result<(), Interrupted> {
        interruptible(|| self.down())
    }

    /// Takes a permit if there is one; says whether it did.
    #[inline]
    #[track_caller]
    pub fn down_trylock(self) -> bool {
        let got = perform(CLASS.op(self.0, TRY, 0), |fx| {
            let some = fx.state()[0] > 0;
            if some {
                fx.state()[0] -= 1;
                fx.observe();
            }
            some
        });
        got.unwrap_or(true)
    }

    /// Gives a permit.
    #[inline]
    #[track_caller]
    pub fn up(self) {
        perform(CLASS.op(self.0, UP, 0), |fx| {
            fx.publish();
            fx.state()[0] += 1;
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
