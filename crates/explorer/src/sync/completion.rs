// SPDX-License-Identifier: MIT OR Apache-2.0
//! A completion: a count of events that have happened and not been waited for.

use std::borrow::Cow;

use super::{Interrupted, interruptible};
use crate::op::{Object, ObjectClass, OpInfo, State, kinds};
use crate::{create, fault, perform};

const WAIT: u8 = 0;
const COMPLETE: u8 = 1;
const ALL: u8 = 2;
const REINIT: u8 = 3;
const TEST: u8 = 4;
const TRY: u8 = 5;

const EVERY: u16 = kinds([WAIT, COMPLETE, ALL, REINIT, TEST, TRY]);

/// State word 0: the count; `u64::MAX` after `complete_all`.
static CLASS: ObjectClass = ObjectClass {
    name: "completion",
    ops: &[
        OpInfo::new("wait_for_completion").conflicts(EVERY).blocking(),
        OpInfo::new("complete").conflicts(EVERY & !kinds([COMPLETE])),
        OpInfo::new("complete_all").conflicts(EVERY),
        OpInfo::new("reinit_completion").conflicts(EVERY),
        OpInfo::new("completion_done").conflicts(EVERY & !kinds([TEST])),
        OpInfo::new("try_wait_for_completion").conflicts(EVERY),
    ],
    enabled: |s, _, _| s[0] > 0,
};

/// Takes one event, unless all have happened.
fn take(s: &mut State) {
    if s[0] != u64::MAX {
        s[0] -= 1;
    }
}

/// A completion.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Completion(Object);

impl Completion {
    /// A completion on which nothing has happened.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Completion(create(&CLASS, name, [0; 4]))
    }

    /// Waits until an event has happened and takes it.
    #[track_caller]
    pub fn wait(self) {
        perform(CLASS.op(self.0, WAIT, 0), |fx| {
            take(fx.state());
            fx.observe();
        });
    }

    /// As [`wait`](Self::wait), unless a signal arrives first, see [`crate::fault`].
    ///
    /// # Errors
    /// [`Interrupted`]: no event was taken.
    #[track_caller]
    pub fn wait_interruptible(self) -> Result<(), Interrupted> {
        interruptible(|| self.wait())
    }

    /// As [`wait`](Self::wait), unless a timeout passes first, which is a fault as a signal is. Says whether an
    /// event was taken.
    #[track_caller]
    pub fn wait_timeout(self) -> bool {
        if fault("timeout") {
            return false;
        }
        self.wait();
        true
    }

    /// Takes an event if one has happened; says whether it did.
    #[track_caller]
    pub fn try_wait(self) -> bool {
        let got = perform(CLASS.op(self.0, TRY, 0), |fx| {
            let some = fx.state()[0] > 0;
            if some {
                take(fx.state());
                fx.observe();
            }
            some
        });
        got.unwrap_or(true)
    }

    /// One event has happened.
    #[track_caller]
    pub fn complete(self) {
        perform(CLASS.op(self.0, COMPLETE, 0), |fx| {
            fx.publish();
            let count = &mut fx.state()[0];
            *count = count.saturating_add(1);
        });
    }

    /// All events that anybody may ever wait for have happened.
    #[track_caller]
    pub fn complete_all(self) {
        perform(CLASS.op(self.0, ALL, 0), |fx| {
            fx.publish();
            fx.state()[0] = u64::MAX;
        });
    }

    /// Forgets the events that have happened.
    #[track_caller]
    pub fn reinit(self) {
        perform(CLASS.op(self.0, REINIT, 0), |fx| fx.state()[0] = 0);
    }

    /// Has an event happened that nobody has taken?
    #[track_caller]
    pub fn done(self) -> bool {
        perform(CLASS.op(self.0, TEST, 0), |fx| fx.state()[0] > 0).unwrap_or(true)
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
