// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lock classes: what a lock is called and what a task may wait for while it holds one.
//!
//! All locks that were initialised at the same place, under the same name, obey the same order, so the validator
//! reasons about classes and not about single locks. A class is known by its name, its subclass and its wait types;
//! two classes of one name whose wait types differ are two classes, as two keys of one name are in the kernel.

use std::sync::Arc;

/// How many subclasses a key has: the values that the `_nested` lock functions take.
///
/// Source: linux v7.3.4 include/linux/lockdep_types.h `MAX_LOCKDEP_SUBCLASSES`.
pub const MAX_SUBCLASSES: usize = 8;

/// What a task may do while it waits for, or holds, a lock: the wait type of the lock.
///
/// The order is from the strictest to the most permissive. The numbers are those that a kernel built with
/// `CONFIG_PROVE_RAW_LOCK_NESTING` prints in the `{outer:inner}` pair behind a class name.
///
/// Source: linux v7.3.4 include/linux/lockdep_types.h `enum lockdep_wait_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum WaitType {
    /// The lock takes no part in the check: annotations such as a ww acquire context.
    Unchecked = 0,
    /// Taking it never waits: RCU read sections.
    Free = 1,
    /// Waits by spinning on every configuration: `raw_spinlock_t`.
    Spin = 2,
    /// Spins, or sleeps on a real-time kernel: `spinlock_t`, `rwlock_t`.
    Config = 3,
    /// May sleep: `struct mutex`, `struct rw_semaphore`, `struct ww_mutex`.
    Sleep = 4,
}

/// The wait type of a task that holds nothing; above every [`WaitType`].
pub(crate) const WAIT_MAX: u8 = 5;

/// What the owner of a lock says about its class when the lock is initialised.
///
/// Build one with the constructor of the lock's type and hand it to [`Validator::key`](crate::Validator::key).
///
/// Source: linux v7.3.4 kernel/locking/lockdep.c `lockdep_init_map_type`, and the initialisers of each lock type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClassSpec<'a> {
    /// Name of the class, as the kernel would print it: `&vdev->memory_lock`.
    pub name: &'a str,
    /// In which context the lock may be taken; [`WaitType::Unchecked`] means the same as `inner`.
    pub outer: WaitType,
    /// Which context holding the lock creates.
    pub inner: WaitType,
    /// Holding the lock *replaces* the context of the task instead of narrowing it.
    pub wait_override: bool,
    /// Locks of the class take part in dependency checking. Without it only balance and freeing are checked.
    pub validate: bool,
}

impl<'a> ClassSpec<'a> {
    const fn with(name: &'a str, outer: WaitType, inner: WaitType) -> Self {
        ClassSpec { name, outer, inner, wait_override: false, validate: true }
    }

    /// A `spinlock_t`. Source: linux v7.3.4 include/linux/spinlock_types_raw.h `SPIN_DEP_MAP_INIT`.
    pub const fn spinlock(name: &'a str) -> Self {
        Self::with(name, WaitType::Unchecked, WaitType::Config)
    }

    /// A `raw_spinlock_t`. Source: linux v7.3.4 include/linux/spinlock_types_raw.h `RAW_SPIN_DEP_MAP_INIT`.
    pub const fn raw_spinlock(name: &'a str) -> Self {
        Self::with(name, WaitType::Unchecked, WaitType::Spin)
    }

    /// An `rwlock_t`. Source: linux v7.3.4 include/linux/rwlock_types.h `RW_DEP_MAP_INIT`.
    pub const fn rwlock(name: &'a str) -> Self {
        Self::with(name, WaitType::Unchecked, WaitType::Config)
    }

    /// A `struct mutex`, or the mutex inside a `struct ww_mutex`. Source: linux v7.3.4 include/linux/mutex.h.
    pub const fn mutex(name: &'a str) -> Self {
        Self::with(name, WaitType::Unchecked, WaitType::Sleep)
    }

    /// A `struct rw_semaphore`. Source: linux v7.3.4 include/linux/rwsem.h `__RWSEM_DEP_MAP_INIT`.
    pub const fn rwsem(name: &'a str) -> Self {
        Self::with(name, WaitType::Unchecked, WaitType::Sleep)
    }

    /// A bare `struct lockdep_map`: a ww acquire context, a work item, `fs_reclaim`, a completion.
    ///
    /// It takes part in ordering and has no wait type.
    pub const fn map(name: &'a str) -> Self {
        Self::with(name, WaitType::Unchecked, WaitType::Unchecked)
    }

    /// An RCU read section: may be entered anywhere, and nothing below `inner` may wait inside it.
    ///
    /// `inner` is [`WaitType::Config`] for plain and bottom-half RCU, [`WaitType::Spin`] for the sched flavour. The
    /// kernel acquires these maps without dependency checking, see [`Acquire::unchecked`](crate::Acquire::unchecked).
    pub const fn rcu(name: &'a str, inner: WaitType) -> Self {
        Self::with(name, WaitType::Free, inner)
    }

    /// The same class, left out of dependency checking as `lockdep_set_novalidate_class()` does.
    #[must_use]
    pub const fn novalidate(self) -> Self {
        ClassSpec { validate: false, ..self }
    }

    /// A map that overrides the context of its task, as `DEFINE_WAIT_OVERRIDE_MAP()` makes one.
    pub const fn wait_override(name: &'a str, inner: WaitType) -> Self {
        ClassSpec { wait_override: true, ..Self::with(name, WaitType::Unchecked, inner) }
    }
}

/// A registered class name, before a subclass is chosen: the kernel's `struct lock_class_key`.
///
/// Ids count up in order of registration, so the same program gives the same ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub(crate) u32);

/// A lock class, that is a key with a subclass. Ids count up in order of first use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId(pub(crate) u32);

impl ClassId {
    /// The id as an index, for tables that a caller keeps beside the validator.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The identity of a class, independent of any id: what makes two graphs comparable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClassKey {
    pub(crate) name: Arc<str>,
    pub(crate) subclass: u8,
    pub(crate) outer: WaitType,
    pub(crate) inner: WaitType,
    pub(crate) wait_override: bool,
}

/// Which ways a class was ever acquired; a union when graphs are merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Usage(u8);

impl Usage {
    const SEEN: u8 = 1;
    const WRITE: u8 = 2;
    const READ: u8 = 4;

    /// Marks one acquisition; only a checked lock with a critical section counts towards the printed characters.
    pub(crate) fn mark(&mut self, read: bool, counted: bool) {
        self.0 |= Self::SEEN | if counted { if read { Self::READ } else { Self::WRITE } } else { 0 };
    }

    pub(crate) fn merge(&mut self, other: Usage) {
        self.0 |= other.0;
    }

    pub(crate) fn seen(self) -> bool {
        self.0 != 0
    }

    /// The four characters between the braces: writes and reads, for hard and for soft interrupts.
    ///
    /// Interrupts are not modelled: everything is acquired in process context with interrupts on, hence `+` or `.`.
    pub(crate) fn chars(self) -> &'static str {
        match (self.0 & Self::WRITE != 0, self.0 & Self::READ != 0) {
            (false, false) => "....",
            (true, false) => "+.+.",
            (false, true) => ".+.+",
            (true, true) => "++++",
        }
    }
}
