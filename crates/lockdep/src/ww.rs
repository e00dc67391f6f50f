// SPDX-License-Identifier: MIT OR Apache-2.0
//! Wound/wait mutexes: an acquire context as the nest lock of the mutexes taken under it.
//!
//! **Rule.** A task holds at most one acquire context of a ww class. Under the context it takes mutexes of the class
//! in any order, since the contexts of two tasks settle who backs off. Without a context a second blocking lock of the
//! class is a recursion, and so is mixing: a mutex taken without context stands in the way of the context.
//!
//! **Mechanism.** A context is two locks: one of the class `<name>_acquire`, taken exclusively, and under it a
//! placeholder of the class `<name>_mutex`, so that the class is held from the start and every mutex of the context
//! counts on one entry. Mutexes name the context as nest lock. Besides the order, the rules of the interface are
//! checked on the two structs below, which the owner of the mutex and of the context keeps beside them.
//!
//! Source: linux v7.3.4 include/linux/ww_mutex.h, kernel/locking/ww_mutex.h, kernel/locking/mutex.c.

use crate::class::{ClassSpec, KeyId};
use crate::lock::{Acquire, Lock, LockId, Site};
use crate::report::{Report, WwRule};
use crate::validator::{TaskId, Validator};

/// The two keys of a ww class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WwClass {
    acquire: KeyId,
    mutex: KeyId,
}

/// What the validator needs to know of one `struct ww_mutex`. Fields are open: they mirror the kernel's own.
#[derive(Clone, Copy, Debug)]
pub struct WwMutex {
    /// The mutex as a lock; acquire and release this one to use it as a plain mutex.
    pub map: Lock,
    /// Its class.
    pub class: WwClass,
    /// The context under which it is held.
    pub ctx: Option<LockId>,
}

impl WwMutex {
    /// A mutex at `id`, not held.
    pub const fn new(id: LockId, class: WwClass) -> Self {
        WwMutex { map: Lock::new(id, class.mutex), class, ctx: None }
    }
}

/// What the validator needs to know of one `struct ww_acquire_ctx`. Fields are open: they mirror the kernel's own.
///
/// A context occupies two addresses, its own and the next one, which is the placeholder's.
#[derive(Clone, Copy, Debug)]
pub struct WwCtx {
    /// The context as a lock.
    pub map: Lock,
    /// The placeholder for the mutexes that it will take.
    pub first: Lock,
    /// Its class.
    pub class: WwClass,
    /// How many mutexes it holds.
    pub acquired: u32,
    /// `ww_acquire_done()` was called.
    pub done: bool,
    /// The mutex that gave `-EDEADLK`.
    pub contending: Option<LockId>,
}

impl WwCtx {
    /// A context at `id`, not yet begun.
    pub const fn new(id: LockId, class: WwClass) -> Self {
        let map = Lock::new(id, class.acquire);
        let first = Lock::new(LockId(id.0 + 1), class.mutex);
        WwCtx { map, first, class, acquired: 0, done: false, contending: None }
    }
}

impl Validator {
    /// Registers a ww class, as `DEFINE_WW_CLASS(name)` does; or finds it again.
    pub fn ww_class(&mut self, name: &str) -> WwClass {
        let acquire = self.key(&ClassSpec::map(&format!("{name}_acquire")));
        let mutex = self.key(&ClassSpec::mutex(&format!("{name}_mutex")));
        WwClass { acquire, mutex }
    }

    /// `ww_acquire_init()`: begins a context. Returns the number of new reports, as all of these functions do.
    ///
    /// # Panics
    ///
    /// When `task` is not of this run.
    pub fn ww_acquire_init(&mut self, task: TaskId, ctx: &mut WwCtx, site: Site) -> usize {
        (ctx.acquired, ctx.done, ctx.contending) = (0, false, None);
        self.memory_freed(task, ctx.map.id.0, ctx.first.id.0 + 1, site)
            + self.acquire(task, &Acquire::write(ctx.map, site))
            + self.acquire(task, &Acquire::write(ctx.first, site).nest_lock(ctx.map))
    }

    /// `ww_acquire_done()`: the context has taken all that it needs.
    ///
    /// # Panics
    ///
    /// When `task` is not of this run.
    pub fn ww_acquire_done(&mut self, task: TaskId, ctx: &mut WwCtx, site: Site) -> usize {
        let found = self.assert_held(task, ctx.map, site);
        let again = self.ww_rule(!ctx.done, task, WwRule::AcquireIsDone, ctx.map, site);
        ctx.done = true;
        found + again
    }

    /// `ww_acquire_fini()`: ends a context, whose mutexes were all unlocked.
    ///
    /// # Panics
    ///
    /// When `task` is not of this run.
    pub fn ww_acquire_fini(&mut self, task: TaskId, ctx: &WwCtx, site: Site) -> usize {
        self.release(task, ctx.first, site)
            + self.release(task, ctx.map, site)
            + self.ww_rule(ctx.acquired == 0, task, WwRule::FiniWhileHeld, ctx.map, site)
    }

    /// A task is about to wait for a ww mutex, under `ctx` or without one.
    ///
    /// Not to be called when the kernel returns `-EALREADY`. Follow it with
    /// [`ww_mutex_acquired`](Self::ww_mutex_acquired),
    /// [`ww_mutex_deadlock`](Self::ww_mutex_deadlock) or, after another failure, [`release`](Self::release) of the map.
    ///
    /// # Panics
    ///
    /// When `task` is not of this run.
    pub fn ww_mutex_lock(&mut self, task: TaskId, lock: &WwMutex, ctx: Option<&WwCtx>, site: Site) -> usize {
        let acquire = Acquire::write(lock.map, site);
        self.acquire(task, &ctx.map_or(acquire, |ctx| acquire.nest_lock(ctx.map)))
    }

    /// The task is about to call the slow path, which is only meant for after an `-EDEADLK`; [`ww_mutex_lock`] follows.
    ///
    /// [`ww_mutex_lock`]: Self::ww_mutex_lock
    ///
    /// # Panics
    ///
    /// When `task` is not of this run.
    pub fn ww_mutex_slow(&mut self, task: TaskId, lock: &WwMutex, ctx: &WwCtx, site: Site) -> usize {
        self.ww_rule(ctx.contending.is_some(), task, WwRule::SlowWithoutContention, lock.map, site)
    }

    /// The mutex was obtained under `ctx`. Without a context nothing is to be said.
    ///
    /// # Panics
    ///
    /// When `task` is not of this run.
    pub fn ww_mutex_acquired(
        &mut self,
        task: TaskId,
        lock: &mut WwMutex,
        ctx: &mut WwCtx,
        site: Site,
    ) -> usize {
        let mut found = 0;
        let mut rule = |holds, rule| found += self.ww_rule(holds, task, rule, lock.map, site);
        rule(lock.ctx.is_none(), WwRule::ContextIsStale);
        rule(!ctx.done, WwRule::AcquireIsDone);
        if let Some(contended) = ctx.contending.take() {
            rule(contended == lock.map.id, WwRule::ContendedFirst);
            rule(ctx.acquired == 0, WwRule::BackOffFirst);
        }
        rule(ctx.class == lock.class, WwRule::OneClass);
        ctx.acquired += 1;
        lock.ctx = Some(ctx.map.id);
        found
    }

    /// The wait ended with `-EDEADLK`: the context has to back off.
    ///
    /// # Panics
    ///
    /// When `task` is not of this run.
    pub fn ww_mutex_deadlock(&mut self, task: TaskId, lock: &WwMutex, ctx: &mut WwCtx, site: Site) -> usize {
        let first = ctx.contending.is_none();
        ctx.contending = Some(lock.map.id);
        self.ww_rule(first, task, WwRule::ContendedTwice, lock.map, site) + self.release(task, lock.map, site)
    }

    /// A trylock succeeded, under `ctx` or without one.
    ///
    /// # Panics
    ///
    /// When `task` is not of this run.
    pub fn ww_mutex_trylock(
        &mut self,
        task: TaskId,
        lock: &mut WwMutex,
        ctx: Option<&mut WwCtx>,
        site: Site,
    ) -> usize {
        let acquire = Acquire::write(lock.map, site).trylock();
        match ctx {
            Some(ctx) => {
                let found = self.ww_mutex_acquired(task, lock, ctx, site);
                found + self.acquire(task, &acquire.nest_lock(ctx.map))
            }
            None => self.acquire(task, &acquire),
        }
    }

    /// `ww_mutex_unlock()`; `ctx` is the context under which the mutex is held, if there is one.
    ///
    /// # Panics
    ///
    /// When `task` is not of this run.
    pub fn ww_mutex_unlock(
        &mut self,
        task: TaskId,
        lock: &mut WwMutex,
        ctx: Option<&mut WwCtx>,
        site: Site,
    ) -> usize {
        let mut found = 0;
        if lock.ctx.take().is_some()
            && let Some(ctx) = ctx
        {
            found += self.ww_rule(ctx.acquired > 0, task, WwRule::UnlockUnbalanced, lock.map, site);
            ctx.acquired = ctx.acquired.saturating_sub(1);
        }
        found + self.release(task, lock.map, site)
    }

    fn ww_rule(&mut self, holds: bool, task: TaskId, rule: WwRule, lock: Lock, site: Site) -> usize {
        if holds {
            return 0;
        }
        let lock = self.name(lock);
        self.report(Report::WwMisuse { scene: self.scene(task), rule, lock, site })
    }
}
