// SPDX-License-Identifier: MIT OR Apache-2.0
//! A lock-order validator that reports what the kernel's lockdep would have printed.
//!
//! Two tasks that take two locks in opposite orders may deadlock. They need not: on most days one is through before
//! the other starts. lockdep finds such a bug on a day when nothing hangs, because it remembers the *order* in which
//! locks were ever taken and asks, at each new order, whether it contradicts what it knows. This crate is that check
//! as a value: no global state, no scheduler, no clock. Something else runs the tasks and says who takes what.
//!
//! # An inversion that does not deadlock
//!
//! ```
//! use lockdep::{Acquire, ClassSpec, Config, Lock, LockId, Report, Site, Validator};
//!
//! let mut ld = Validator::new(Config::default());
//! let a = Lock::new(LockId(0x10), ld.key(&ClassSpec::mutex("&dev->lock")));
//! let b = Lock::new(LockId(0x20), ld.key(&ClassSpec::rwsem("&mm->mmap_lock")));
//! let (reader, ioctl) = (ld.add_task("reader", 100), ld.add_task("ioctl", 101));
//!
//! // One task takes A, then B, and is done before the other starts.
//! ld.acquire(reader, &Acquire::write(a, Site::function("dev_read")));
//! ld.acquire(reader, &Acquire::write(b, Site::function("dev_fault_in")));
//! ld.release(reader, b, Site::function("dev_fault_in"));
//! ld.release(reader, a, Site::function("dev_read"));
//!
//! // The other takes B, then A. Nothing hangs, and yet:
//! ld.acquire(ioctl, &Acquire::write(b, Site::function("dev_mmap")));
//! let found = ld.acquire(ioctl, &Acquire::write(a, Site::function("dev_map_pages")));
//!
//! assert_eq!(found, 1);
//! let report = &ld.reports()[0];
//! assert!(matches!(report, Report::Circular { .. }));
//! assert!(report.to_string().contains("WARNING: possible circular locking dependency detected"));
//! assert!(report.to_string().contains("dev_fault_in"), "the other party is named too");
//! ```
//!
//! # What is checked
//!
//! | Rule | Report |
//! |---|---|
//! | No order of locks closes a *strong* cycle | [`Report::Circular`] |
//! | A class is not taken again by its holder, save recursive reads and under a nest lock | [`Report::Recursive`] |
//! | A lock that sleeps is not waited for while spinning | [`Report::InvalidWaitContext`] |
//! | A nest lock is held | [`Report::NestLockNotHeld`] |
//! | What is released or downgraded is held | [`Report::BadUnlock`], [`Report::DowngradeOfRead`] |
//! | What is freed or initialised is not held | [`Report::HeldLockFreed`] |
//! | Nothing is held on the way to user space or at exit | [`Report::HeldOnReturnToUser`], [`Report::StillHeld`] |
//! | `lockdep_assert_held*()` | [`Report::AssertFailed`] |
//! | The ww mutex interface ([`ww`]) | [`Report::WwMisuse`] |
//! | With [`Config::cross_release`], completions ([`completion`]) | [`Report::Circular`] |
//!
//! # Terminology
//!
//! - **lock**: one object in memory ([`Lock`], the kernel's `struct lockdep_map`).
//! - **key**: what all locks initialised at one place have in common ([`KeyId`], `struct lock_class_key`).
//! - **class**: a key with a *subclass*, a number below 8 that tells nested locks of one key apart.
//! - **dependency** `X -> Y`: `Y` was taken while `X` was held. Between classes, not locks. Four kinds ([`DepKind`]).
//! - **strong**: said of a path on which each taker would really wait for the next holder. See [`dep`].
//! - **witness**: the task and the places that established a dependency ([`Witness`]).
//! - **nest lock**: a held lock that serialises several locks of one class, so that their order does not matter.
//! - **run**: one execution of the program, from [`Validator::begin_run`] on.
//!
//! # Many runs
//!
//! A [`Validator`] judges one run; [`Validator::begin_run`] makes it ready for the next without giving up its
//! memory. Its [`graph`](Validator::graph) is a value: [`Graph::merge`] makes the union of the
//! graphs of all runs, in any order and grouping, and [`Graph::inversions`] finds what only they together show.
//!
//! # What is not checked
//!
//! - **Interrupts.** There is one context. `irq-safe` and `irq-unsafe` usage, and the inversions through it, are not
//!   modelled; usage characters are those of process context with interrupts on.
//! - **Real-time kernels.** `rt_mutex` and `local_lock` have no type of their own.
//! - **Order by comparison function** (`lock_set_cmp_fn()`), **pinning** (`lock_pin_lock()`) and **changing the class
//!   of a held lock** (`lock_set_class()`) do not exist here.
//! - **Waiting that is no lock**: wait queues, and completions unless asked for.
//! - A lock that *another* task holds may be freed without a report, as in the kernel.
//!
//! # Where this differs from the kernel
//!
//! - The kernel stops at its first report. Here each is kept, and the first of a run is the kernel's.
//! - The kernel does not record a dependency that it reports, here all are recorded; otherwise graphs would depend on
//!   the order of runs.
//! - The kernel's search visits a class once and can miss a strong cycle behind a weak way in; here it does not.
//! - The kernel skips all checks for a chain of locks it has seen, nest locks left aside; here a recursion that
//!   only the lack of a nest lock makes is always seen.
//! - Classes are told apart by name and wait types, not by address.

#![forbid(unsafe_code)]

pub mod class;
pub mod lock;

pub mod dep;
pub mod graph;
mod search;

mod held;
pub mod validator;

mod acquire;
mod check;
mod release;

pub mod completion;
pub mod ww;

mod dump;
mod inversions;

mod render;
pub mod report;

pub use class::{ClassId, ClassSpec, KeyId, MAX_SUBCLASSES, WaitType};
pub use dep::{DepKind, DepSet};
pub use graph::{Graph, Witness};
pub use held::MAX_LOCK_DEPTH;
pub use lock::{Acquire, Lock, LockId, Mode, Site};
pub use report::{Assertion, ClassLabel, Link, LockLine, Report, Scene, TaskName, WwRule};
pub use validator::{Config, TaskId, Validator};
pub use ww::{WwClass, WwCtx, WwMutex};
