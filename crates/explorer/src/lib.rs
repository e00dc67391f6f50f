// SPDX-License-Identifier: MIT OR Apache-2.0
//! A controlled scheduler and exhaustive explorer for programs built on blocking primitives.
//!
//! A *model* is a closure that creates [tasks](spawn) and [primitives](sync). The explorer runs it again and again,
//! decides each time who takes the next step, and does not stop before every behaviour has been seen, once:
//!
//! ```
//! use explorer::sync::Mutex;
//! use explorer::{Config, FindingKind, JoinHandle, explore, spawn};
//!
//! let model = || {
//!     let (a, b) = (Mutex::new("a"), Mutex::new("b"));
//!     let task = |first: Mutex, second: Mutex| move || {
//!         first.lock();
//!         second.lock();
//!         second.unlock();
//!         first.unlock();
//!     };
//!     [spawn("ab", task(a, b)), spawn("ba", task(b, a))].into_iter().for_each(JoinHandle::join);
//! };
//! let outcome = explore(&Config::new("ab_ba"), model).unwrap();
//! assert!(outcome.exhausted);
//! assert_eq!(outcome.stats.executions, 3);
//! let finding = &outcome.findings[0];
//! assert_eq!(finding.kind, FindingKind::Deadlock);
//! assert_eq!(finding.message, "ab waits to lock b, held by ba; ba waits to lock a, held by ab");
//! assert_eq!(finding.schedule.to_string(), "v1:ea8759c2:ab");
//! ```
//!
//! A finding is a value, not a panic; its schedule, written as a short string, shows it again: [`replay`].
//!
//! # Words
//!
//! * **task** — a coroutine of the model; the model's body is the *root*.
//! * **operation** ([`Op`]) — what a task is about to do to an **object**, such as `lock` to a mutex. The task suspends
//!   *before* it happens.
//! * **step** — one operation happens, and its task runs on to its next one. What lies in between (plain accesses,
//!   releases) is part of the step.
//! * **enabled** — the operation may happen in this state. A task whose operation is not enabled is *blocked*.
//! * **decision** — a task's step, or the value of a [`choose`].
//! * **execution** — one run of the model from its start until nobody can go on.
//! * **schedule** ([`Schedule`]) — the decisions of an execution. Its written form is the *replay string*.
//! * **dependent** — two operations whose order matters: on one object, and not both reads, say.
//! * **trace** — an execution up to the order of independent operations (a Mazurkiewicz trace); [`Trace`] is the record
//!   of one of its executions. All executions of a trace end alike, so one is enough.
//! * **finding** ([`Finding`]) — something wrong: deadlock, data race, livelock, panic, assertion, or a report of the
//!   model's own.
//! * **round** — the search from its beginning. A new one starts when an object turns out to need scheduling points
//!   that were left out: a plain cell on which a data race was met, a lock for which somebody does a trylock.
//!
//! # What is explored
//!
//! [`explore`] visits one execution of every trace, by dynamic partial-order reduction ([`strategy::dpor`]). It covers
//! every order of dependent operations, every value of every [`choose`], every [`fault`] within the budget. When
//! [`Outcome::exhausted`] is true, what was not found does not exist in the model.
//!
//! # What is not
//!
//! * **Weak memory.** Accesses are sequentially consistent. Plain and marked accesses that another memory model would
//!   reorder are not reordered; a data race is reported, its consequences beyond interleaving are not shown.
//! * **Time.** A timeout is a choice, see [`sync::Completion::wait_timeout`]. Nothing takes long.
//! * **Nondeterminism of the model's own.** Clocks, random numbers, addresses, other threads, state that outlives an
//!   execution: the same decisions must lead to the same operations. That they do is checked, and
//!   [`ExploreError::Nondeterministic`] says where they do not.
//! * **Loops without end.** An execution is cut after [`Config::max_steps`] steps, or [`Config::max_quiet`] accesses
//!   between two steps, and that is a finding; what comes after is not explored. A loop that calls nothing of this
//!   crate cannot be noticed. To wait for a condition use an operation that blocks ([`sync::Cell::wait_until`],
//!   [`sync::WaitQueue::wait_event`]), not a loop that looks.
//! * **Operations while a task unwinds.** After a panic, destructors release what they hold, but that is no scheduling
//!   point: the execution is over. While an execution is taken down, operations do nothing; a destructor that loops
//!   until one succeeds should look at [`aborting`].
//! * **More than [`MAX_TASKS`] tasks**, and more than one thread: an execution belongs to the thread that explores.
//!
//! # A primitive of one's own
//!
//! The primitives of [`sync`] use nothing that is not public. One needs a class (a table of operations: which are
//! dependent, which may block) and functions that [`perform`] them. An event that can be set and waited for:
//!
//! ```
//! use explorer::{Object, ObjectClass, OpInfo, create, kinds, perform};
//!
//! const SET: u8 = 0;
//! const WAIT: u8 = 1;
//!
//! static CLASS: ObjectClass = ObjectClass {
//!     name: "event",
//!     ops: &[
//!         // Setting twice is the same in either order; waiting changes nothing.
//!         OpInfo::new("set").conflicts(kinds([WAIT])),
//!         OpInfo::new("wait").conflicts(kinds([SET])).blocking(),
//!     ],
//!     enabled: |state, _task, _op| state[0] == 1,
//! };
//!
//! #[derive(Clone, Copy)]
//! struct Event(Object);
//!
//! impl Event {
//!     fn new(name: &'static str) -> Event {
//!         Event(create(&CLASS, name, [0; 4]))
//!     }
//!     #[track_caller]
//!     fn set(self) {
//!         perform(CLASS.op(self.0, SET, 0), |fx| {
//!             fx.state()[0] = 1;
//!             fx.publish(); // What this task did so far ...
//!         });
//!     }
//!     #[track_caller]
//!     fn wait(self) {
//!         perform(CLASS.op(self.0, WAIT, 0), |fx| fx.observe()); // ... has been seen by who waited.
//!     }
//! }
//!
//! CLASS.validate().unwrap();
//! let model = || {
//!     let event = Event::new("e");
//!     let waiter = explorer::spawn("waiter", move || event.wait());
//!     event.set();
//!     waiter.join();
//! };
//! let outcome = explorer::explore(&explorer::Config::new("event"), model).unwrap();
//! assert_eq!((outcome.stats.executions, outcome.findings.len()), (1, 0));
//! ```
//!
//! The rules: all shared state is in the objects' [`State`] (or in cells); an effect looks at no other object than its
//! own, unless the operations are [grouped](Op::in_group); two kinds that do not conflict must commute wherever
//! both are enabled, in what they do to the state, in what they return and in whether they are enabled; a pair is
//! [irreversible](OpInfo::irreversible) only if no state enables both. Then check the primitive against
//! [`strategy::dfs`] on random programs, as this crate's `tests/differential.rs` does: every mistake in such a
//! table has been found that way.

mod api;
mod birth;
mod clock;
mod deadlock;
pub mod distribute;
mod effect;
mod engine;
mod estimate;
mod explore;
mod finding;
mod fingerprint;
mod identity;
mod minimise;
mod op;
mod portfolio;
mod race;
pub mod rng;
mod schedule;
pub mod strategy;
pub mod sync;
mod task;
mod trace;

pub use api::*;
pub use effect::{Effect, perform, perform_quietly, release};
pub use engine::{Mode, SyncEvent};
pub use estimate::{Estimate, estimate};
pub use explore::{Config, ExploreError, Outcome, Progress, Replayed, Stats, explore, explore_with, replay};
pub use finding::{Finding, FindingKind};
pub use minimise::{Merit, Minimised, minimise};
pub use op::{MAX_TASKS, Object, ObjectClass, Op, OpInfo, State, TaskId, TaskSet, kinds};
pub use portfolio::{Budget, Clock, PortfolioReport, Stage, StageReport, portfolio};
pub use schedule::{Decision, Schedule, ScheduleError, model_hash};
pub use trace::{EventKind, Trace, TraceEvent};
