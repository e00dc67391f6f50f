// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a model calls: tasks, choices, reports, and the operations from which primitives are built.
//!
//! All of it works on the execution that runs on this thread and panics outside of one.

use std::borrow::Cow;
use std::panic::Location;

use crate::engine::{Mode, Pass, Phase, engine, with};
use crate::finding::FindingKind;
use crate::op::{Object, ObjectClass, Op, State, TaskId};
use crate::task::{attach, suspend};
use crate::trace::EventKind;

/// A task that was spawned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a task that nobody joins may still run when the model's body returns"]
pub struct JoinHandle(TaskId);

impl JoinHandle {
    /// Waits until the task has ended. No scheduling point: only the order "all of the task, then what follows" is
    /// added.
    pub fn join(self) {
        if with(|e| e.join(self.0)) {
            wait();
        }
    }

    /// The task.
    pub fn task(self) -> TaskId {
        self.0
    }
}

/// Creates a task. It runs up to its first operation as soon as the caller suspends; that is no decision.
///
/// At most [`crate::MAX_TASKS`] tasks may be created; one more ends the exploration with
/// [`crate::ExploreError::Model`].
pub fn spawn(name: impl Into<Cow<'static, str>>, f: impl FnOnce() + 'static) -> JoinHandle {
    let name = name.into();
    match with(|e| e.spawn(name)) {
        Some(t) => {
            attach(t, f);
            JoinHandle(t)
        }
        None => {
            wait();
            unreachable!("the exploration ended with an error")
        }
    }
}

/// The current task.
pub fn current() -> TaskId {
    with(|e| e.current)
}

/// The current task's name.
pub fn current_name() -> String {
    with(|e| e.tasks[e.current.index()].name.to_string())
}

/// A value below `n`, each of which is explored. For what is not decided by the order of operations: an allocation
/// that may fail, a signal, a device's answer.
///
/// # Panics
/// When `n` is 0.
pub fn choose(n: u32) -> u32 {
    assert!(n > 0, "a choice among no values");
    if n == 1 || with(|e| e.phase != Phase::Running) || std::thread::panicking() {
        return 0;
    }
    if !engine().quiet() {
        with(|e| e.begin_choice(n));
    }
    wait();
    with(|e| e.choice())
}

/// Suspends the current task until it is resumed.
fn wait() {
    suspend(with(|e| e.tasks[e.current.index()].yielder));
}

/// Whether something goes wrong here that may go wrong at any time: a signal arrives, an allocation fails. Both answers
/// are explored, as long as the execution has had fewer faults than its budget ([`crate::Config::fault_budget`], or
/// [`fault_budget`]); after that the answer is no. `what` is the word in traces.
pub fn fault(what: &str) -> bool {
    if with(|e| e.faults >= e.limits.faults) || choose(2) == 0 {
        return false;
    }
    with(|e| e.faults += 1);
    note(|| format!("fault: {what}"));
    true
}

/// Sets how many faults one execution may have; for a model that brings its own budget.
pub fn fault_budget(n: u32) {
    with(|e| e.limits.faults = n);
}

/// Asserts without ending the execution: reports a finding of kind [`FindingKind::Assertion`] when `condition` does
/// not hold, with the current task and the place. Gives the condition back.
#[track_caller]
pub fn check(condition: bool, what: &str) -> bool {
    if !condition && !aborting() {
        let at = Location::caller();
        let task = current_name();
        let (key, message) =
            (format!("assertion {what} {at}"), format!("{task} at {at}: {what} does not hold"));
        with(|e| e.report(FindingKind::Assertion, key, message));
    }
    condition
}

/// Reports something wrong and goes on. `key` tells findings apart: one finding a key is kept, with its best schedule.
/// Does nothing while the execution is being taken down.
pub fn report(key: impl Into<String>, message: impl Into<String>) {
    if !aborting() {
        let (key, message) = (key.into(), message.into());
        with(|e| e.report(FindingKind::User, key, message));
    }
}

/// Adds words to the trace of a replay. `text` is not called otherwise.
#[inline]
pub fn note(text: impl FnOnce() -> String) {
    if recording() && !aborting() {
        let text = text();
        with(|e| e.record(e.current, None, |_| EventKind::Note(text)));
    }
}

/// Whether the execution is recorded, as a replay's is.
#[inline]
pub fn recording() -> bool {
    with(|e| e.recorder.is_some())
}

/// Whether the execution is being taken down: tasks are unwound and operations do nothing.
#[inline]
pub fn aborting() -> bool {
    with(|e| e.phase == Phase::Aborting)
}

/// Steps of the execution so far: the number of the step that runs now.
pub fn steps() -> u64 {
    with(|e| e.steps)
}

/// Creates an object of a class. It lives as long as the execution.
pub fn create(class: &'static ObjectClass, name: impl Into<Cow<'static, str>>, state: State) -> Object {
    let name = name.into();
    with(|e| e.create(class, name, state))
}

/// Announces `op` and suspends until the scheduler lets it happen; it is then enabled. The caller carries out the
/// effect with [`update`] before it does anything else.
#[inline]
#[track_caller]
pub fn step(op: Op) {
    let at = Location::caller();
    if let Pass::Suspend(yielder) = with(|e| e.submit(op, at)) {
        suspend(yielder);
    }
}

/// Reads or changes the state of an object. No scheduling point.
#[inline]
pub fn update<R>(object: Object, f: impl FnOnce(&mut State) -> R) -> R {
    if engine().quiet() {
        wait();
    }
    with(|e| {
        let state = &mut e.slots[object.index()].state;
        e.histories.state(e.current, object, state);
        f(state)
    })
}

/// Changes the state of an object so that the current task learns nothing of what it was. No scheduling point.
///
/// Like [`update`], but a search by state hash need not tell apart what stood there before.
#[inline]
pub fn change(object: Object, f: impl FnOnce(&mut State)) {
    if engine().quiet() {
        wait();
    }
    with(|e| f(&mut e.slots[object.index()].state));
}

/// Adds a value to what the current task has observed. For values that it took from memory that is no object's
/// [`State`] and that other tasks write: a search by state hash ([`crate::strategy::state_hash`]) sees nothing else
/// of them.
#[inline]
pub fn observed(value: u64) {
    with(|e| e.histories.value(e.current, value));
}

/// The current task now holds `object`: lock order of clocks, traces and deadlock reports.
#[inline]
pub fn acquired(object: Object, mode: Mode) {
    with(|e| {
        if e.phase == Phase::Running {
            e.acquired(object, mode);
        }
    });
}

/// The current task no longer holds `object`; `word` is the operation's name in traces. Returns whether it did hold
/// it in that mode.
#[inline]
pub fn released(object: Object, mode: Mode, word: &'static str) -> bool {
    with(|e| e.phase != Phase::Running || e.released(object, mode, word))
}

/// The current task's past is before whatever takes this release; nothing is held. For completions and the like.
#[inline]
pub fn publish(object: Object) {
    with(|e| {
        if e.phase == Phase::Running {
            e.publish(object);
        }
    });
}

/// The current task takes the releases of `object` into its past; nothing is held.
#[inline]
pub fn observe(object: Object) {
    with(|e| {
        if e.phase == Phase::Running {
            e.observe(object);
        }
    });
}

/// The tasks that hold `object` now, in any mode, with how.
pub fn holders(object: Object) -> Vec<(TaskId, Mode)> {
    with(|e| {
        let held =
            |t: usize| e.tasks[t].held.iter().filter(|h| h.0 == object).map(move |h| (TaskId(t as u8), h.1));
        let list: Vec<_> = (0..e.tasks.len()).flat_map(held).collect();
        for (t, mode) in &list {
            e.histories.value(e.current, u64::from(t.0) << 1 | u64::from(*mode == Mode::Exclusive));
        }
        e.histories.value(e.current, list.len() as u64);
        list
    })
}

/// Whether the current task holds `object`, in `mode` if one is given.
#[inline]
pub fn holds(object: Object, mode: Option<Mode>) -> bool {
    with(|e| e.tasks[e.current.index()].held.iter().any(|h| h.0 == object && mode.is_none_or(|m| m == h.1)))
}

/// The number of locks that the current task holds.
pub fn held_count() -> usize {
    with(|e| e.tasks[e.current.index()].held.len())
}

/// Names of the locks that the current task holds, in the order of acquisition.
pub fn held_names() -> Vec<String> {
    with(|e| {
        let t = &e.tasks[e.current.index()];
        t.held.iter().map(|(o, _)| e.slots[o.index()].name.to_string()).collect()
    })
}

/// Whether the silent operations of `object` (a release, a plain access) are scheduling points.
#[inline]
pub fn is_visible(object: Object) -> bool {
    with(|e| e.slots[object.index()].visible)
}

/// Asks that the silent operations of `object` become scheduling points: the exploration starts again with that
/// knowledge. A primitive calls it when it meets an operation, such as a trylock, for which silence would be wrong.
#[inline]
pub fn promote(object: Object) {
    with(|e| e.promote(object));
}

/// An access to the memory that `object` stands for; a data race with an earlier access makes the object a
/// scheduling point and, if the configuration says so, a finding.
#[inline]
#[track_caller]
pub fn access(object: Object, write: bool, plain: bool) {
    let at = Location::caller();
    with(|e| {
        if e.phase == Phase::Running {
            e.access(object, write, plain, at);
        }
    });
}
