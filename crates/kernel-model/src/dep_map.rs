// SPDX-License-Identifier: GPL-2.0-only
//! Lock order: every lock tells `lockdep` when it is taken and when it is dropped.
//!
//! As in the kernel, a blocking acquisition is told before it waits, so that an inversion is reported also where it
//! deadlocks; a trylock is told after it succeeded. What lockdep says of balance and of the return to user mode is
//! left to the locks themselves, which know more. Spinlocks do not tell yet: fences nest theirs.

use std::cell::RefCell;
use std::panic::Location;

use explorer::Object;
use lockdep::{Acquire, ClassSpec, Config, Lock, LockId, Validator};

use crate::report::{Report, report};

struct Lockdep {
    validator: Validator,
    /// The validator's name of each task of this execution.
    tasks: Vec<Option<lockdep::TaskId>>,
}

thread_local! {
    static LOCKDEP: RefCell<Lockdep> =
        RefCell::new(Lockdep { validator: Validator::new(Config::default()), tasks: Vec::new() });
}

/// Begins an execution: nothing is held, no order is known.
pub(crate) fn begin() {
    LOCKDEP.with_borrow_mut(|l| {
        l.validator.begin_run();
        l.tasks.clear();
    });
}

impl Lockdep {
    fn current(&mut self) -> lockdep::TaskId {
        let t = explorer::current().index();
        if self.tasks.len() <= t {
            self.tasks.resize(t + 1, None);
        }
        if let Some(task) = self.tasks[t] {
            return task;
        }
        let task = self.validator.add_task(&explorer::current_name(), t as u32);
        self.tasks[t] = Some(task);
        task
    }
}

/// The kinds of lock that are told apart: what may be waited for while what is held.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Mutex,
    RwSem,
}

/// In C: `struct lockdep_map`, include/linux/lockdep_types.h.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DepMap(Lock);

impl DepMap {
    /// The map of a lock whose class is named after it.
    pub(crate) fn new(kind: Kind, name: &'static str, object: Object) -> Self {
        let spec = match kind {
            Kind::Mutex => ClassSpec::mutex(name),
            Kind::RwSem => ClassSpec::rwsem(name),
        };
        let key = LOCKDEP.with_borrow_mut(|l| l.validator.key(&spec));
        // Two addresses a lock, so that none is the end of another.
        DepMap(Lock::new(LockId(2 * object.index() as u64), key))
    }

    /// Exclusive acquisition, told before it waits.
    #[track_caller]
    pub(crate) fn acquire(self) {
        self.tell(Acquire::write(self.0, site()));
    }

    /// Exclusive acquisition of a lock that nests inside another of its class.
    #[track_caller]
    pub(crate) fn acquire_nested(self, subclass: u8) {
        self.tell(Acquire::write(self.0.with_subclass(subclass), site()));
    }

    /// Shared acquisition, told before it waits.
    #[track_caller]
    pub(crate) fn acquire_read(self) {
        self.tell(Acquire::read(self.0, site()));
    }

    /// The result of an exclusive trylock.
    #[track_caller]
    pub(crate) fn tried(self, got: bool) -> bool {
        if got {
            self.tell(Acquire::write(self.0, site()).trylock());
        }
        got
    }

    /// The result of a shared trylock.
    #[track_caller]
    pub(crate) fn tried_read(self, got: bool) -> bool {
        if got {
            self.tell(Acquire::read(self.0, site()).trylock());
        }
        got
    }

    /// Release.
    #[track_caller]
    pub(crate) fn release(self) {
        let at = site();
        LOCKDEP.with_borrow_mut(|l| {
            let task = l.current();
            l.validator.release(task, self.0, at);
        });
    }

    /// An exclusive hold becomes a shared one.
    #[track_caller]
    pub(crate) fn downgrade(self) {
        let at = site();
        LOCKDEP.with_borrow_mut(|l| {
            let task = l.current();
            l.validator.downgrade(task, self.0, at);
        });
    }

    #[track_caller]
    fn tell(self, acquire: Acquire) {
        if explorer::aborting() {
            return;
        }
        let here = Location::caller();
        let found = LOCKDEP.with_borrow_mut(|l| {
            let task = l.current();
            let new = l.validator.acquire(task, &acquire);
            let reports = l.validator.reports();
            let order = |r: &&lockdep::Report| {
                use lockdep::Report::{Circular, InvalidWaitContext, Recursive};
                matches!(r, Circular { .. } | Recursive { .. } | InvalidWaitContext { .. })
            };
            reports[reports.len() - new..].iter().filter(order).map(ToString::to_string).collect::<Vec<_>>()
        });
        for text in found {
            report(Report::LockOrder { text, at: here });
        }
    }
}

#[track_caller]
fn site() -> lockdep::Site {
    let at = Location::caller();
    let file = at.file().rsplit_once("/src/").map_or(at.file(), |(_, file)| file);
    lockdep::Site::at("", file, at.line())
}
