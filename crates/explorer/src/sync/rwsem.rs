// SPDX-License-Identifier: MIT OR Apache-2.0
//! A reader-writer semaphore with announced writers.
//!
//! A writer takes two steps: it *announces* itself, from which moment new readers wait, and it *locks* when nobody
//! holds the semaphore. A reader that takes it a second time while a writer waits is therefore deadlocked, as in any
//! fair implementation.
//!
//! Who is next when several wait is a policy, see [`Next`].

use std::borrow::Cow;

use super::{Interrupted, interruptible};
use crate::engine::Mode;
use crate::op::{Object, ObjectClass, Op, OpInfo, State, TaskId, kinds};
use crate::{create, fault, holds, perform, perform_quietly, release, update};

const READ: u8 = 0;
const ANNOUNCE: u8 = 1;
const WRITE: u8 = 2;
const TRYREAD: u8 = 3;
const TRYWRITE: u8 = 4;
const UP_READ: u8 = 5;
const UP_WRITE: u8 = 6;
const DOWNGRADE: u8 = 7;
const RETRACT: u8 = 8;

const WRITER: usize = 0;
const READERS: usize = 1;
const WAITING: usize = 2;

/// State: word 0 is 1 while a writer holds it, word 1 counts read holds, word 2 counts announced writers.
static CLASS: ObjectClass = ObjectClass {
    name: "rwsem",
    ops: &[
        OpInfo::new("down_read")
            .conflicts(kinds([ANNOUNCE, WRITE, TRYWRITE, UP_WRITE, DOWNGRADE, RETRACT]))
            .irreversible(kinds([WRITE, UP_WRITE, DOWNGRADE, RETRACT]))
            .behind(kinds([WRITE]))
            .blocking(),
        OpInfo::new("down_write (announce)").conflicts(kinds([READ, TRYREAD, TRYWRITE])),
        OpInfo::new("down_write")
            .conflicts(kinds([READ, WRITE, UP_READ, UP_WRITE, DOWNGRADE, TRYREAD, TRYWRITE]))
            .irreversible(kinds([READ, UP_READ, UP_WRITE, DOWNGRADE]))
            .blocking(),
        OpInfo::new("down_read_trylock")
            .conflicts(kinds([ANNOUNCE, WRITE, TRYWRITE, UP_WRITE, DOWNGRADE, RETRACT])),
        OpInfo::new("down_write_trylock").conflicts(kinds([
            READ, ANNOUNCE, WRITE, TRYREAD, TRYWRITE, UP_READ, UP_WRITE, DOWNGRADE, RETRACT,
        ])),
        OpInfo::new("up_read").conflicts(kinds([WRITE, TRYWRITE])).irreversible(kinds([WRITE])),
        OpInfo::new("up_write")
            .conflicts(kinds([READ, WRITE, TRYREAD, TRYWRITE]))
            .irreversible(kinds([READ, WRITE])),
        OpInfo::new("downgrade_write")
            .conflicts(kinds([READ, WRITE, TRYREAD, TRYWRITE]))
            .irreversible(kinds([READ, WRITE])),
        OpInfo::new("down_write (interrupted)")
            .conflicts(kinds([READ, TRYREAD, TRYWRITE]))
            .irreversible(kinds([READ])),
    ],
    enabled: |s, _, op| match op.kind {
        READ => s[WRITER] == 0 && s[WAITING] == 0,
        _ => s[WRITER] == 0 && s[READERS] == 0,
    },
};

/// As above, but whoever waits stands in a queue, readers too, and the first of it is next. State: word 0 is 1 while a
/// writer holds it, word 1 counts read holds, words 2 and 3 are the [`Queue`].
static FIFO: ObjectClass = ObjectClass {
    name: "rwsem",
    ops: &[
        OpInfo::new("down_read")
            .conflicts(kinds([WRITE, TRYWRITE, UP_WRITE, DOWNGRADE, TRYREAD, RETRACT]))
            .irreversible(kinds([WRITE, UP_WRITE, DOWNGRADE]))
            .blocking(),
        OpInfo::new("queue").conflicts(kinds([ANNOUNCE, TRYREAD, TRYWRITE])),
        OpInfo::new("down_write")
            .conflicts(kinds([READ, WRITE, UP_READ, UP_WRITE, DOWNGRADE, TRYREAD, TRYWRITE, RETRACT]))
            .irreversible(kinds([READ, WRITE, UP_READ, UP_WRITE, DOWNGRADE]))
            .blocking(),
        OpInfo::new("down_read_trylock")
            .conflicts(kinds([READ, ANNOUNCE, WRITE, TRYWRITE, UP_WRITE, DOWNGRADE, RETRACT])),
        OpInfo::new("down_write_trylock").conflicts(kinds([
            READ, ANNOUNCE, WRITE, TRYREAD, TRYWRITE, UP_READ, UP_WRITE, DOWNGRADE, RETRACT,
        ])),
        OpInfo::new("up_read").conflicts(kinds([WRITE, TRYWRITE])).irreversible(kinds([WRITE])),
        OpInfo::new("up_write")
            .conflicts(kinds([READ, WRITE, TRYREAD, TRYWRITE]))
            .irreversible(kinds([READ, WRITE])),
        OpInfo::new("downgrade_write")
            .conflicts(kinds([READ, WRITE, TRYREAD, TRYWRITE]))
            .irreversible(kinds([READ, WRITE])),
        OpInfo::new("down_write (interrupted)").conflicts(kinds([READ, WRITE, TRYREAD, TRYWRITE])),
    ],
    enabled: |s, t, op| match op.kind {
        READ => s[WRITER] == 0 && Queue::of(s).no_writer_before(t),
        _ => s[WRITER] == 0 && s[READERS] == 0 && Queue::of(s).is_first(t),
    },
};

/// Who waits, first first: a byte each, the task's number plus one, and bit 7 for a writer.
#[derive(Clone, Copy)]
struct Queue(u128);

impl Queue {
    const PLACES: u32 = 16;
    const AS_WRITER: u8 = 0x80;

    fn of(s: &State) -> Queue {
        Queue(u128::from(s[2]) | u128::from(s[3]) << 64)
    }

    fn put(self, s: &mut State) {
        (s[2], s[3]) = (self.0 as u64, (self.0 >> 64) as u64);
    }

    fn len(self) -> u32 {
        Self::PLACES - self.0.leading_zeros() / 8
    }

    fn entries(self) -> impl Iterator<Item = u8> {
        (0..self.len()).map(move |i| (self.0 >> (8 * i)) as u8)
    }

    fn is_first(self, t: TaskId) -> bool {
        self.0 as u8 & !Self::AS_WRITER == t.0 + 1
    }

    fn no_writer_before(self, t: TaskId) -> bool {
        let mut before = self.entries().take_while(|e| e & !Self::AS_WRITER != t.0 + 1);
        before.all(|e| e & Self::AS_WRITER == 0)
    }

    fn push(self, t: TaskId, write: bool) -> Queue {
        let n = self.len();
        assert!(n < Self::PLACES, "more than {} tasks wait for one rwsem with hand-off", Self::PLACES);
        let entry = (t.0 + 1) | if write { Self::AS_WRITER } else { 0 };
        Queue(self.0 | u128::from(entry) << (8 * n))
    }

    fn remove(self, t: TaskId) -> Queue {
        let left = self.entries().filter(|e| e & !Self::AS_WRITER != t.0 + 1);
        Queue(left.zip(0..).fold(0, |q, (e, i)| q | u128::from(e) << (8 * i)))
    }
}

/// Who is next when several tasks wait for a semaphore.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Next {
    /// Any of the writers; readers wait while there is one. Covers what a lock that may be stolen can do.
    #[default]
    Any,
    /// The one that has waited longest (hand-off); readers next to each other go together. At most 16 may wait.
    First,
}

/// A reader-writer semaphore.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RwSem(Object, Next);

impl RwSem {
    /// A semaphore that nobody holds; any waiter may be next.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self::with_next(name, Next::Any)
    }

    /// A semaphore that nobody holds, with a policy.
    pub fn with_next(name: impl Into<Cow<'static, str>>, next: Next) -> Self {
        let class = if next == Next::Any { &CLASS } else { &FIFO };
        RwSem(create(class, name, [0; 4]), next)
    }

    #[inline]
    fn op(self, kind: u8) -> Op {
        if self.1 == Next::Any { CLASS.op(self.0, kind, 0) } else { FIFO.op(self.0, kind, 0) }
    }

    /// The task begins to wait.
    fn queue(self, s: &mut State, t: TaskId, write: bool) {
        match self.1 {
            Next::Any => s[WAITING] += u64::from(write),
            Next::First => Queue::of(s).push(t, write).put(s),
        }
    }

    /// The task waits no more.
    fn leave(self, s: &mut State, t: TaskId, write: bool) {
        match self.1 {
            Next::Any => s[WAITING] -= u64::from(write),
            Next::First => Queue::of(s).remove(t).put(s),
        }
    }

    fn nobody_waits(self, s: &State) -> bool {
        match self.1 {
            Next::Any => s[WAITING] == 0,
            Next::First => Queue::of(s).len() == 0,
        }
    }

    /// Waits until no writer holds it or waits for it, and takes it for reading. With [`Next::First`] two steps: a
    /// reader stands in the queue too.
    #[inline]
    #[track_caller]
    pub fn down_read(self) {
        if self.1 == Next::First {
            perform(self.op(ANNOUNCE), |fx| {
                let t = fx.task();
                self.queue(fx.state(), t, false);
            });
        }
        perform(self.op(READ), |fx| {
            let t = fx.task();
            let s = fx.state();
            s[READERS] += 1;
            self.leave(s, t, false);
            fx.acquired(Mode::Shared);
        });
    }

    /// As [`down_read`](Self::down_read), unless a fatal signal arrives first, see [`fault`].
    ///
    /// # Errors
    /// [`Interrupted`]: nothing is held.
    #[track_caller]
    pub fn down_read_killable(self) -> Result<(), Interrupted> {
        interruptible(|| self.down_read())
    }

    #[inline]
    #[track_caller]
    fn announce(self) {
        perform(self.op(ANNOUNCE), |fx| {
            let t = fx.task();
            self.queue(fx.state(), t, true);
        });
    }

    #[inline]
    #[track_caller]
    fn lock_announced(self) {
        perform(self.op(WRITE), |fx| {
            let t = fx.task();
            let s = fx.state();
            self.leave(s, t, true);
            s[WRITER] = 1;
            fx.acquired(Mode::Exclusive);
        });
    }

    /// Announces a writer, waits until nobody holds the semaphore and takes it alone.
    #[inline]
    #[track_caller]
    pub fn down_write(self) {
        self.announce();
        self.lock_announced();
    }

    /// As [`down_write`](Self::down_write), unless a fatal signal arrives first, see [`fault`]. The writer has been
    /// announced then, and held readers up, until it takes that back.
    ///
    /// # Errors
    /// [`Interrupted`]: nothing is held, nobody is announced.
    #[track_caller]
    pub fn down_write_killable(self) -> Result<(), Interrupted> {
        self.announce();
        if !fault("signal") {
            self.lock_announced();
            return Ok(());
        }
        perform(self.op(RETRACT), |fx| {
            let t = fx.task();
            self.leave(fx.state(), t, true);
        });
        Err(Interrupted)
    }

    /// Takes it for reading unless a writer holds it or somebody waits; says whether it did.
    #[inline]
    #[track_caller]
    pub fn down_read_trylock(self) -> bool {
        let got = perform(self.op(TRYREAD), |fx| {
            fx.promote();
            let s = fx.state();
            let free = s[WRITER] == 0 && self.nobody_waits(s);
            s[READERS] += u64::from(free);
            if free {
                fx.acquired(Mode::Shared);
            }
            free
        });
        got.unwrap_or(true)
    }

    /// Takes it for writing unless somebody holds it or waits for it; says whether it did.
    #[inline]
    #[track_caller]
    pub fn down_write_trylock(self) -> bool {
        let got = perform(self.op(TRYWRITE), |fx| {
            fx.promote();
            let s = fx.state();
            let free = s[WRITER] == 0 && s[READERS] == 0 && self.nobody_waits(s);
            s[WRITER] |= u64::from(free);
            if free {
                fx.acquired(Mode::Exclusive);
            }
            free
        });
        got.unwrap_or(true)
    }

    /// Releases a read hold. Says whether the current task had one; if not, nothing changes.
    #[inline]
    #[track_caller]
    pub fn up_read(self) -> bool {
        release(self.op(UP_READ), Mode::Shared, |s| s[READERS] -= 1)
    }

    /// Releases the write hold. Says whether the current task had it; if not, nothing changes.
    #[inline]
    #[track_caller]
    pub fn up_write(self) -> bool {
        release(self.op(UP_WRITE), Mode::Exclusive, |s| s[WRITER] = 0)
    }

    /// Turns the write hold into a read hold in one step. Says whether the current task had it.
    #[inline]
    #[track_caller]
    pub fn downgrade_write(self) -> bool {
        if !holds(self.0, Some(Mode::Exclusive)) {
            return crate::aborting();
        }
        perform_quietly(self.op(DOWNGRADE), |fx| {
            let s = fx.state();
            s[WRITER] = 0;
            s[READERS] += 1;
            fx.released(Mode::Exclusive, "downgrade_write");
            fx.acquired(Mode::Shared);
        });
        true
    }

    /// Does somebody wait (for [`Next::Any`]: is a writer announced that does not hold yet)?
    pub fn is_contended(self) -> bool {
        update(self.0, |s| !self.nobody_waits(s))
    }

    /// The object behind the handle.
    pub fn object(self) -> Object {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classes_are_valid() {
        CLASS.validate().unwrap();
        FIFO.validate().unwrap();
    }

    #[test]
    fn a_queue_keeps_its_order() {
        let mut s = [0; 4];
        let (a, b, c) = (TaskId(0), TaskId(52), TaskId(3));
        let q = Queue::of(&s).push(a, false).push(b, true).push(c, false);
        assert!(q.is_first(a) && !q.is_first(b) && q.len() == 3);
        assert!(q.no_writer_before(b) && !q.no_writer_before(c));
        q.remove(b).put(&mut s);
        let q = Queue::of(&s);
        assert!(q.len() == 2 && q.is_first(a) && q.no_writer_before(c));
        let full = (0..16).fold(Queue(0), |q, i| q.push(TaskId(i), true));
        assert!(full.len() == 16 && full.remove(TaskId(0)).is_first(TaskId(1)));
    }
}
