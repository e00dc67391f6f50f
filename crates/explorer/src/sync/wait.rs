// SPDX-License-Identifier: MIT OR Apache-2.0
//! Waiting to be woken: a wait queue, and a condition variable on it.
//!
//! A wake-up reaches who stands in the queue at that moment and is lost otherwise; a task that sleeps without one
//! sleeps for ever, which is found as a deadlock.

use std::borrow::Cow;

use super::{Interrupted, Mutex, interruptible};
use crate::op::{Object, ObjectClass, OpInfo, kinds, members};
use crate::{choose, create, perform, update};

const PREPARE: u8 = 0;
const SLEEP: u8 = 1;
const FINISH: u8 = 2;
const WAKE: u8 = 3;

const WAITING: usize = 0;
const WOKEN: usize = 1;

/// State: word 0 is the set of tasks in the queue, word 1 the set of those woken.
static CLASS: ObjectClass = ObjectClass {
    name: "wait queue",
    ops: &[
        OpInfo::new("prepare_to_wait").conflicts(kinds([WAKE])),
        OpInfo::new("sleep").conflicts(kinds([WAKE])).blocking(),
        OpInfo::new("finish_wait").conflicts(kinds([WAKE])),
        OpInfo::new("wake_up").conflicts(kinds([PREPARE, SLEEP, FINISH, WAKE])),
    ],
    enabled: |s, t, _| s[WOKEN] & t.bit() != 0,
};

/// A queue of tasks that wait to be woken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WaitQueue(Object);

impl WaitQueue {
    /// An empty queue.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        WaitQueue(create(&CLASS, name, [0; 4]))
    }

    /// Joins the queue: from now on a wake-up is not lost. To be followed by a look at the condition, and then by
    /// [`sleep`](Self::sleep) or [`finish`](Self::finish).
    #[track_caller]
    pub fn prepare(self) {
        perform(CLASS.op(self.0, PREPARE, 0), |fx| {
            let bit = fx.task().bit();
            let s = fx.state();
            s[WAITING] |= bit;
            s[WOKEN] &= !bit;
        });
    }

    /// Sleeps until woken since [`prepare`](Self::prepare).
    #[track_caller]
    pub fn sleep(self) {
        perform(CLASS.op(self.0, SLEEP, 0), |fx| {
            let bit = fx.task().bit();
            fx.state()[WOKEN] &= !bit;
            fx.observe();
        });
    }

    /// As [`sleep`](Self::sleep), unless a signal arrives first, see [`crate::fault`].
    ///
    /// # Errors
    /// [`Interrupted`]: the task has left the queue.
    #[track_caller]
    pub fn sleep_interruptible(self) -> Result<(), Interrupted> {
        let woken = interruptible(|| self.sleep());
        if woken.is_err() {
            self.finish();
        }
        woken
    }

    /// Leaves the queue without sleeping. A wake-up that has come already goes with it.
    #[track_caller]
    pub fn finish(self) {
        perform(CLASS.op(self.0, FINISH, 0), |fx| {
            let bit = fx.task().bit();
            let s = fx.state();
            s[WAITING] &= !bit;
            s[WOKEN] &= !bit;
            fx.observe();
        });
    }

    /// Waits until `condition` holds: joins the queue, looks, sleeps, and again. The looks are operations of the
    /// condition's own.
    #[track_caller]
    pub fn wait_event(self, condition: impl Fn() -> bool) {
        loop {
            self.prepare();
            if condition() || crate::aborting() {
                return self.finish();
            }
            self.sleep();
        }
    }

    /// Wakes one task of the queue, any of them; says whether there was one.
    #[track_caller]
    pub fn wake_one(self) -> bool {
        let waiting = perform(CLASS.op(self.0, WAKE, 0), |fx| {
            fx.publish();
            fx.state()[WAITING]
        });
        let waiting = waiting.unwrap_or(0);
        if waiting == 0 {
            return false;
        }
        let nth = choose(waiting.count_ones()) as usize;
        let woken = members(waiting).nth(nth).expect("one for each value").bit();
        update(self.0, |s| {
            s[WAITING] &= !woken;
            s[WOKEN] |= woken;
        });
        true
    }

    /// Wakes all tasks of the queue; gives their number.
    #[track_caller]
    pub fn wake_all(self) -> u32 {
        let woken = perform(CLASS.op(self.0, WAKE, 1), |fx| {
            fx.publish();
            let s = fx.state();
            let waiting = std::mem::take(&mut s[WAITING]);
            s[WOKEN] |= waiting;
            waiting.count_ones()
        });
        woken.unwrap_or(0)
    }

    /// The object behind the handle.
    pub fn object(self) -> Object {
        self.0
    }
}

/// A condition variable: a wait queue whose tasks give up a mutex while they wait. No spurious wake-ups.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CondVar(WaitQueue);

impl CondVar {
    /// A condition variable for which nobody waits.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        CondVar(WaitQueue::new(name))
    }

    /// Gives up `mutex`, which the current task must hold, waits to be woken and takes it again. Nothing happens
    /// between the two that a wake-up could fall into.
    #[track_caller]
    pub fn wait(self, mutex: Mutex) {
        self.0.prepare();
        mutex.unlock();
        self.0.sleep();
        mutex.lock();
    }

    /// Waits, as often as `condition` holds.
    #[track_caller]
    pub fn wait_while(self, mutex: Mutex, condition: impl Fn() -> bool) {
        while condition() && !crate::aborting() {
            self.wait(mutex);
        }
    }

    /// Wakes one of those that wait, any of them; says whether there was one.
    #[track_caller]
    pub fn notify_one(self) -> bool {
        self.0.wake_one()
    }

    /// Wakes all that wait; gives their number.
    #[track_caller]
    pub fn notify_all(self) -> u32 {
        self.0.wake_all()
    }

    /// The object behind the handle.
    pub fn object(self) -> Object {
        self.0.object()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_class_is_valid() {
        super::CLASS.validate().unwrap();
    }
}
