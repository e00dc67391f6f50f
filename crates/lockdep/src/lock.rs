// SPDX-License-Identifier: MIT OR Apache-2.0
//! One lock, one acquisition of it, and the place in the program where that happens.

use crate::class::KeyId;
use std::cmp::Ordering;
use std::fmt;
use std::panic::Location;

/// Address of a lock: any number that tells it apart from every other lock that is alive.
///
/// The validator keeps no table of locks, so a number may be used again once its lock is gone. Reports print it as
/// the kernel prints a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LockId(pub u64);

/// A lock as the validator sees it: the kernel's `struct lockdep_map`. Small and `Copy`; keep it inside the lock.
///
/// Source: linux v7.3.4 include/linux/lockdep_types.h `struct lockdep_map`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lock {
    pub(crate) id: LockId,
    pub(crate) key: KeyId,
    pub(crate) subclass: u8,
}

impl Lock {
    /// The lock at `id`, of the class registered as `key`.
    pub const fn new(id: LockId, key: KeyId) -> Self {
        Lock { id, key, subclass: 0 }
    }

    /// The same lock, whose plain acquisitions count as `subclass`: `lockdep_set_subclass()`.
    ///
    /// # Panics
    ///
    /// When `subclass` is not below [`MAX_SUBCLASSES`](crate::MAX_SUBCLASSES).
    #[must_use]
    pub const fn with_subclass(self, subclass: u8) -> Self {
        assert!((subclass as usize) < crate::MAX_SUBCLASSES, "a subclass is a number below 8");
        Lock { subclass, ..self }
    }

    /// Where the lock is.
    pub const fn id(self) -> LockId {
        self.id
    }
}

/// How a lock is taken.
///
/// Source: linux v7.3.4 include/linux/lockdep.h `lock_acquire`, the values of `read`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Mode {
    /// Alone: `down_write()`, `mutex_lock()`, `spin_lock()`, `write_lock()`.
    Write = 0,
    /// Shared, and blocked by a writer that waits, so one task must not take it twice: `down_read()`.
    Read = 1,
    /// Shared, and blocked only by a writer that holds the lock: `read_lock()` in an interrupt, work item maps.
    RecursiveRead = 2,
}

impl Mode {
    /// Whether others may hold the lock at the same time.
    pub const fn is_read(self) -> bool {
        !matches!(self, Mode::Write)
    }
}

/// A place in the program: where a lock was taken, released or asserted.
///
/// Order and equality are those of the text, so that the choice between two witnesses of one dependency does not
/// depend on which was seen first.
#[derive(Clone, Copy, Debug)]
pub struct Site {
    /// Function, or any phrase that a reader recognises.
    pub function: &'static str,
    /// File, or nothing.
    pub file: &'static str,
    /// Line in that file; 0 when there is no file.
    pub line: u32,
}

impl Site {
    /// A place known by its function alone.
    pub const fn function(function: &'static str) -> Self {
        Site { function, file: "", line: 0 }
    }

    /// A place with everything spelled out.
    pub const fn at(function: &'static str, file: &'static str, line: u32) -> Self {
        Site { function, file, line }
    }

    /// The line that calls this function, or that calls the `#[track_caller]` function which calls it.
    #[track_caller]
    pub fn here(function: &'static str) -> Self {
        let caller = Location::caller();
        Site { function, file: caller.file(), line: caller.line() }
    }
}

/// Compares two texts, which are mostly the same literal and then need not be read.
pub(crate) fn compare_text(a: &str, b: &str) -> Ordering {
    if std::ptr::eq(a, b) { Ordering::Equal } else { a.cmp(b) }
}

impl Ord for Site {
    fn cmp(&self, other: &Self) -> Ordering {
        compare_text(self.function, other.function)
            .then_with(|| compare_text(self.file, other.file))
            .then_with(|| self.line.cmp(&other.line))
    }
}

impl PartialOrd for Site {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Site {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Site {}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.function)?;
        if self.file.is_empty() { Ok(()) } else { write!(f, " ({}:{})", self.file, self.line) }
    }
}

/// One attempt to take a lock: the arguments of the kernel's `lock_acquire()`.
///
/// Start from [`Acquire::write`], [`Acquire::read`] or [`Acquire::recursive_read`] and add what differs.
#[derive(Clone, Copy, Debug)]
pub struct Acquire {
    pub(crate) lock: Lock,
    pub(crate) subclass: u8,
    pub(crate) mode: Mode,
    pub(crate) trylock: bool,
    pub(crate) check: bool,
    pub(crate) nest: Option<Lock>,
    pub(crate) site: Site,
}

impl Acquire {
    /// Taking `lock` in `mode` at `site`, blocking, subclass of the lock itself, no nest lock.
    pub const fn new(lock: Lock, mode: Mode, site: Site) -> Self {
        Acquire { lock, subclass: 0, mode, trylock: false, check: true, nest: None, site }
    }

    /// Taking the lock alone.
    pub const fn write(lock: Lock, site: Site) -> Self {
        Self::new(lock, Mode::Write, site)
    }

    /// Taking the lock shared, as `down_read()` does.
    pub const fn read(lock: Lock, site: Site) -> Self {
        Self::new(lock, Mode::Read, site)
    }

    /// Taking the lock shared, with recursion allowed.
    pub const fn recursive_read(lock: Lock, site: Site) -> Self {
        Self::new(lock, Mode::RecursiveRead, site)
    }

    /// A *successful* trylock: it never waited, so it adds no dependency from what is held to this lock.
    #[must_use]
    pub const fn trylock(self) -> Self {
        Acquire { trylock: true, ..self }
    }

    /// Subclass of this acquisition, as the `_nested` functions take it. 0 keeps the subclass of the lock.
    ///
    /// # Panics
    ///
    /// When `subclass` is not below [`MAX_SUBCLASSES`](crate::MAX_SUBCLASSES).
    #[must_use]
    pub const fn nested(self, subclass: u8) -> Self {
        assert!((subclass as usize) < crate::MAX_SUBCLASSES, "a subclass is a number below 8");
        Acquire { subclass, ..self }
    }

    /// The lock that serialises several locks of one class, as the `_nest_lock` functions take it. It must be held.
    #[must_use]
    pub const fn nest_lock(self, nest: Lock) -> Self {
        Acquire { nest: Some(nest), ..self }
    }

    /// Only balance, freeing and wait type are checked, no dependency: `check == 0`, as RCU sections do.
    #[must_use]
    pub const fn unchecked(self) -> Self {
        Acquire { check: false, ..self }
    }
}
