// SPDX-License-Identifier: MIT OR Apache-2.0
//! Wound/wait mutexes: locks taken in any order under an acquire context, where the younger context gives way.
//!
//! The guarantee: contexts of one class never wait for each other in a cycle. A context draws a stamp when it begins;
//! the smaller stamp is the older. When two meet, the younger gets [`WwError::Deadlock`] (`-EDEADLK`), drops all that
//! it holds, and waits for the contended lock on the slow path with nothing held. See the kernel's
//! Documentation/locking/ww-mutex-design.rst.
//!
//! * **wait-die**: a younger context that meets an older holder gets the error; an older one waits.
//! * **wound-wait** ([`WwPolicy::WaitWound`]): an older context that meets a younger holder wounds it, and the wounded
//!   one gets the error as soon as it would have to wait; a younger one waits.
//!
//! Breaking the rules (locking on after the error, the slow path with locks held, a context that ends with locks held)
//! is reported as a finding.

use std::borrow::Cow;

use super::Interrupted;
use crate::engine::Mode;
use crate::op::{Object, ObjectClass, Op, OpInfo, TaskId, kinds};
use crate::{Effect, create, fault, holds, perform, update};

/// The stamp of a class. State word 0: the last stamp drawn.
static STAMPS: ObjectClass = ObjectClass {
    name: "ww_class",
    ops: &[OpInfo::new("ww_acquire_init").conflicts(kinds([0]))],
    enabled: |_, _, _| true,
};

const STAMP: usize = 0;
const HELD: usize = 1;
const WOUNDED: usize = 2;
const CONTENDED: usize = 3;

/// An acquire context. State: its stamp, the number of locks it holds, whether it is wounded, and the lock on which it
/// got the error, as its index plus one. Changed by its own task, and by others only in operations on the class's
/// group.
static CONTEXT: ObjectClass = ObjectClass { name: "ww_acquire_ctx", ops: &[], enabled: |_, _, _| true };

const LOCK: u8 = 0;
const TRYLOCK: u8 = 1;
const UNLOCK: u8 = 2;
const ANNOUNCE: u8 = 3;
const PLAIN_LOCK: u8 = 4;

const EVERY: u16 = kinds([LOCK, TRYLOCK, UNLOCK, ANNOUNCE, PLAIN_LOCK]);

const TAKEN: usize = 0;
const HOLDER: usize = 1;
const HOLDER_STAMP: usize = 2;
const KILLED: usize = 3;

/// State: word 0 is 1 while somebody holds it, word 1 the holder's context, as its index plus one, or 0, word 2 its
/// stamp, word 3 the set of tasks that wait here and have been wounded. The argument of a lock operation: the
/// stamp, and in bits 0 and 1 whether the context holds other locks and whether it gives way to older holders.
static CLASS: ObjectClass = ObjectClass {
    name: "ww_mutex",
    ops: &[
        OpInfo::new("ww_mutex_lock").conflicts(EVERY).blocking(),
        OpInfo::new("ww_mutex_trylock").conflicts(EVERY),
        OpInfo::new("ww_mutex_unlock").conflicts(EVERY),
        OpInfo::new("ww_mutex_lock (announce)").conflicts(EVERY),
        OpInfo::new("ww_mutex_lock (no context)").conflicts(EVERY).blocking(),
    ],
    enabled: |s, t, op| {
        let (stamp, dies) = (u64::from(op.arg >> 2), op.arg & 3 == 3);
        s[TAKEN] == 0
            || op.kind == LOCK
                && (s[HOLDER_STAMP] == stamp
                    || s[HOLDER_STAMP] != 0 && dies && s[HOLDER_STAMP] < stamp
                    || s[KILLED] & t.bit() != 0)
    },
};

/// Who gives way when two contexts meet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WwPolicy {
    /// The younger one when it would have to wait for the older.
    WaitDie,
    /// The younger one when the older waits for it.
    WaitWound,
}

/// Why a ww-mutex was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WwError {
    /// The context must drop all that it holds (`-EDEADLK`).
    Deadlock,
    /// The context holds this lock already (`-EALREADY`).
    Already,
    /// A signal arrived (`-EINTR`).
    Interrupted,
}

/// A class: mutexes and contexts that are taken together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WwClass {
    stamps: Object,
    /// Stands for all mutexes of the class, see [`WwMutex::op`].
    group: Object,
    policy: WwPolicy,
}

impl WwClass {
    /// A class, with its policy.
    pub fn new(name: impl Into<Cow<'static, str>>, policy: WwPolicy) -> Self {
        let name = name.into();
        let group = create(&CLASS, name.clone(), [0; 4]);
        WwClass { stamps: create(&STAMPS, name, [0; 4]), group, policy }
    }

    /// Begins an acquire context: draws a stamp, in one step on the class.
    #[track_caller]
    pub fn acquire_init(self, name: impl Into<Cow<'static, str>>) -> WwContext {
        let context = create(&CONTEXT, name, [0; 4]);
        perform(STAMPS.op(self.stamps, 0, 0), |fx| {
            fx.state()[0] += 1;
            let stamp = fx.state()[0];
            fx.state_of(context)[STAMP] = stamp;
        });
        WwContext(context)
    }
}

/// An acquire context, used by one task.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WwContext(Object);

impl WwContext {
    /// The stamp: the smaller is the older.
    pub fn stamp(self) -> u64 {
        update(self.0, |s| s[STAMP])
    }

    /// The number of locks held.
    pub fn held(self) -> u64 {
        update(self.0, |s| s[HELD])
    }

    /// Ends the context. Reported if it still holds locks; says whether it did not.
    #[track_caller]
    pub fn acquire_fini(self) -> bool {
        let held = self.held();
        if held > 0 {
            crate::check(false, "ww_acquire_fini: the context holds no lock");
        }
        held == 0
    }
}

/// A mutex of a class.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WwMutex(Object, WwClass);

impl WwMutex {
    /// An unlocked mutex.
    pub fn new(name: impl Into<Cow<'static, str>>, class: WwClass) -> Self {
        WwMutex(create(&CLASS, name, [0; 4]), class)
    }

    /// Under wait-die what happens to a lock depends on that lock alone. Wounding reaches the lock where the wounded
    /// task waits, so there all of a class's locks are dependent.
    #[inline]
    fn op(self, kind: u8, arg: u32) -> Op {
        let op = CLASS.op(self.0, kind, arg);
        if self.1.policy == WwPolicy::WaitDie { op } else { op.in_group(self.1.group) }
    }

    /// Waits for the mutex and takes it under `ctx`.
    ///
    /// # Errors
    /// [`WwError::Deadlock`]: drop everything and call [`lock_slow`](Self::lock_slow). [`WwError::Already`].
    #[track_caller]
    pub fn lock(self, ctx: WwContext) -> Result<(), WwError> {
        self.lock_under(ctx)
    }

    /// As [`lock`](Self::lock), unless a signal arrives first, see [`crate::fault`].
    ///
    /// # Errors
    /// As for `lock`, and [`WwError::Interrupted`].
    #[track_caller]
    pub fn lock_interruptible(self, ctx: WwContext) -> Result<(), WwError> {
        if fault("signal") { Err(WwError::Interrupted) } else { self.lock_under(ctx) }
    }

    /// Waits for the contended mutex after everything held was dropped; that it was is checked.
    #[track_caller]
    pub fn lock_slow(self, ctx: WwContext) {
        crate::check(ctx.held() == 0, "ww_mutex_lock_slow: everything held was dropped");
        // With nothing held there is nobody to give way to; with something held, which was reported, the error of
        // `lock` has nobody to go to.
        let _ = self.lock_under(ctx);
    }

    /// As [`lock_slow`](Self::lock_slow), unless a signal arrives first.
    ///
    /// # Errors
    /// [`Interrupted`]: the mutex is not held.
    #[track_caller]
    pub fn lock_slow_interruptible(self, ctx: WwContext) -> Result<(), Interrupted> {
        super::interruptible(|| self.lock_slow(ctx))
    }

    #[track_caller]
    fn lock_under(self, ctx: WwContext) -> Result<(), WwError> {
        let wound = self.1.policy == WwPolicy::WaitWound;
        if wound {
            perform(self.op(ANNOUNCE, 0), |fx| {
                let [stamp, held, wounded, _] = *fx.state_of(ctx.0);
                if held == 0 {
                    fx.state_of(ctx.0)[WOUNDED] = 0;
                } else if wounded != 0 {
                    let bit = fx.task().bit();
                    fx.state()[KILLED] |= bit;
                }
                let s = *fx.state();
                if s[TAKEN] != 0 && s[HOLDER] != 0 && s[HOLDER_STAMP] > stamp {
                    self.wound(fx, s[HOLDER]);
                }
            });
        }
        let [stamp, held, ..] = update(ctx.0, |s| *s);
        let arg = (stamp as u32) << 2 | u32::from(!wound) << 1 | u32::from(held > 0);
        let taken = perform(self.op(LOCK, arg), |fx| {
            let bit = fx.task().bit();
            let s = fx.state();
            s[KILLED] &= !bit;
            if s[TAKEN] != 0 {
                let already = s[HOLDER_STAMP] == stamp;
                if !already {
                    fx.state_of(ctx.0)[CONTENDED] = self.0.index() as u64 + 1;
                }
                return Err(if already { WwError::Already } else { WwError::Deadlock });
            }
            self.take(fx, ctx);
            Ok(())
        });
        taken.unwrap_or(Ok(()))
    }

    /// The current task takes the mutex, which is free, under `ctx`.
    fn take(self, fx: &mut Effect<'_>, ctx: WwContext) {
        let stamp = fx.state_of(ctx.0)[STAMP];
        let s = fx.state();
        s[TAKEN] = 1;
        s[HOLDER] = ctx.0.index() as u64 + 1;
        s[HOLDER_STAMP] = stamp;
        fx.acquired(Mode::Exclusive);
        let c = fx.state_of(ctx.0);
        let (held, contended) = (c[HELD], std::mem::take(&mut c[CONTENDED]));
        c[HELD] += 1;
        if contended != 0 && (held > 0 || contended != self.0.index() as u64 + 1) {
            let name = fx.name_of(self.0);
            let task = fx.task_name();
            let rule = "after -EDEADLK everything is dropped, and the contended lock is taken first";
            fx.report(format!("ww {name} {rule}"), format!("{task} locks {name}: {rule}"));
        }
        // Somebody older may have been waiting since before this holder came.
        let older = |(_, op): (TaskId, Op)| u64::from(op.arg >> 2) < stamp;
        if self.1.policy == WwPolicy::WaitWound && fx.pending(LOCK).any(older) {
            let holder = fx.state()[HOLDER];
            self.wound(fx, holder);
        }
    }

    /// Wounds the context of a holder: where it waits for another lock of the class, it gets the error.
    fn wound(self, fx: &mut Effect<'_>, holder: u64) {
        let context = Object::from_index(holder as usize - 1);
        fx.state_of(context)[WOUNDED] = 1;
        let Some(task) = fx.holder_of(self.0) else { return };
        // Its lock may be of another class, which has nothing to do with this one.
        if let Some(op) = fx.pending_of(task)
            && op.group == self.1.group
            && op.kind == LOCK
        {
            fx.state_of(op.object)[KILLED] |= task.bit();
        }
    }

    /// Waits for the mutex and takes it without a context; as with any mutex, this may deadlock.
    #[track_caller]
    pub fn lock_without_context(self) {
        perform(self.op(PLAIN_LOCK, 0), |fx| {
            fx.state()[TAKEN] = 1;
            fx.acquired(Mode::Exclusive);
        });
    }

    /// Takes the mutex if it is free, under a context if one is given; says whether it did.
    #[track_caller]
    pub fn trylock(self, ctx: Option<WwContext>) -> bool {
        let got = perform(self.op(TRYLOCK, 0), |fx| {
            let free = fx.state()[TAKEN] == 0;
            match ctx {
                _ if !free => {}
                Some(ctx) => self.take(fx, ctx),
                None => {
                    fx.state()[TAKEN] = 1;
                    fx.acquired(Mode::Exclusive);
                }
            }
            free
        });
        got.unwrap_or(true)
    }

    /// Releases the mutex: always a step, since those that meet a holder may go on without it. Says whether the current
    /// task held it; if not, nothing changes.
    #[track_caller]
    pub fn unlock(self) -> bool {
        if !holds(self.0, None) {
            return crate::aborting();
        }
        perform(self.op(UNLOCK, 0), |fx| {
            let s = fx.state();
            s[TAKEN] = 0;
            s[HOLDER_STAMP] = 0;
            let context = std::mem::take(&mut s[HOLDER]);
            if context != 0 {
                fx.state_of(Object::from_index(context as usize - 1))[HELD] -= 1;
            }
            fx.released(Mode::Exclusive, "ww_mutex_unlock");
        });
        true
    }

    /// The object behind the handle.
    pub fn object(self) -> Object {
        self.0
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_classes_are_valid() {
        super::CLASS.validate().unwrap();
        super::STAMPS.validate().unwrap();
    }
}
