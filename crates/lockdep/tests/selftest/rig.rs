// SPDX-License-Identifier: MIT OR Apache-2.0
//! The locks of the table, and the few words in which its patterns are written.

use lockdep::{Acquire, ClassSpec, Config, Lock, LockId, Mode, Site, TaskId, Validator, WwClass};

/// What a pattern is expected to lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing is reported.
    Success,
    /// Something is.
    Failure,
}

impl Verdict {
    /// The other one.
    pub(crate) fn opposite(self) -> Self {
        if self == Verdict::Success { Verdict::Failure } else { Verdict::Success }
    }
}

/// A lock type together with the way in which it is taken: a column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Spin,
    RawSpin,
    Wlock,
    /// `read_lock()` as the table treats it, that is recursive.
    Rlock,
    /// `read_lock()` outside of interrupts: not recursive.
    PlainRlock,
    Mutex,
    Wsem,
    Rsem,
}

impl How {
    /// The columns of the first part of the table, in its order.
    pub(crate) const COLUMNS: [(How, &'static str); 6] = [
        (How::Spin, "spin"),
        (How::Wlock, "wlock"),
        (How::Rlock, "rlock"),
        (How::Mutex, "mutex"),
        (How::Wsem, "wsem"),
        (How::Rsem, "rsem"),
    ];

    fn mode(self) -> Mode {
        match self {
            How::Rlock => Mode::RecursiveRead,
            How::PlainRlock | How::Rsem => Mode::Read,
            How::Spin | How::RawSpin | How::Wlock | How::Mutex | How::Wsem => Mode::Write,
        }
    }

    fn spec(self, name: &str) -> (ClassSpec<'_>, u64) {
        match self {
            How::Spin => (ClassSpec::spinlock(name), 1),
            How::RawSpin => (ClassSpec::raw_spinlock(name), 2),
            How::Wlock | How::Rlock | How::PlainRlock => (ClassSpec::rwlock(name), 3),
            How::Mutex => (ClassSpec::mutex(name), 4),
            How::Wsem | How::Rsem => (ClassSpec::rwsem(name), 5),
        }
    }
}

/// A validator with one task; locks come into being when they are named.
///
/// `A` to `D` are of a class each. `X1` and `X2` are two locks of one class, as are `Y1`, `Y2` and `Z1`, `Z2`.
pub(crate) struct Rig {
    pub(crate) ld: Validator,
    pub(crate) task: TaskId,
    /// A condition of the test itself did not hold.
    pub(crate) warned: bool,
}

pub(crate) const SITE: Site = Site::function("selftest");

impl Rig {
    pub(crate) fn new(config: Config) -> Self {
        let mut ld = Validator::new(config);
        let task = ld.add_task("swapper", 0);
        Rig { ld, task, warned: false }
    }

    pub(crate) fn verdict(&self) -> Verdict {
        let quiet = self.ld.reports().is_empty() && !self.warned;
        if quiet { Verdict::Success } else { Verdict::Failure }
    }

    /// The lock `name` of the type of `how`.
    pub(crate) fn named(&mut self, how: How, name: &str) -> Lock {
        let family = match how {
            How::Wlock | How::Rlock | How::PlainRlock => "rwlock",
            How::Wsem | How::Rsem => "rwsem",
            How::Spin => "lock",
            How::RawSpin => "raw_lock",
            How::Mutex => "mutex",
        };
        let class = format!("{family}_{}", name.trim_end_matches(|c: char| c.is_ascii_digit()));
        let (spec, number) = how.spec(&class);
        let id = name.bytes().fold(number, |id, byte| id << 8 | u64::from(byte));
        Lock::new(LockId(id << 8), self.ld.key(&spec))
    }

    /// Takes the lock `name`.
    pub(crate) fn lock(&mut self, how: How, name: &str) {
        let lock = self.named(how, name);
        self.ld.acquire(self.task, &Acquire::new(lock, how.mode(), SITE));
    }

    /// Takes it under a nest lock.
    pub(crate) fn lock_nest(&mut self, how: How, name: &str, nest: Lock) {
        let lock = self.named(how, name);
        self.ld.acquire(self.task, &Acquire::new(lock, how.mode(), SITE).nest_lock(nest));
    }

    pub(crate) fn unlock(&mut self, how: How, name: &str) {
        let lock = self.named(how, name);
        self.ld.release(self.task, lock, SITE);
    }

    /// Initialises it again.
    pub(crate) fn init(&mut self, how: How, name: &str) {
        let lock = self.named(how, name);
        self.ld.lock_initialised(self.task, lock, SITE);
    }

    /// Takes `outer`, takes `inner` and releases both.
    pub(crate) fn pair(&mut self, outer: (How, &str), inner: (How, &str)) {
        self.lock(outer.0, outer.1);
        self.lock(inner.0, inner.1);
        self.unlock(inner.0, inner.1);
        self.unlock(outer.0, outer.1);
    }

    /// Takes a bare map, an annotation, in the given mode; `check` as the kernel's argument of that name.
    pub(crate) fn map(&mut self, spec: &ClassSpec<'_>, id: u64, mode: Mode, check: bool) -> Lock {
        let lock = Lock::new(LockId(id), self.ld.key(spec));
        let acquire = Acquire::new(lock, mode, SITE);
        self.ld.acquire(self.task, &if check { acquire } else { acquire.unchecked() });
        lock
    }

    pub(crate) fn ww_class(&mut self) -> WwClass {
        self.ld.ww_class("ww_lockdep")
    }
}
