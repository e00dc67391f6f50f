// SPDX-License-Identifier: MIT OR Apache-2.0
//! How an operation happens: it is announced, the task suspends until it is chosen, its effect is carried out.
//!
//! Three ways, by what the operation is:
//!
//! | function | scheduling point | for |
//! |---|---|---|
//! | [`perform`] | always | acquisitions, atomic accesses, whatever others may depend on |
//! | [`perform_quietly`] | only on objects that were [promoted](Effect::promote) | plain accesses |
//! | [`release`] | only on promoted objects | giving up a hold |
//!
//! These functions are always inlined: passed on in memory, an operation would be written in parts and read whole, for
//! which a processor has to wait.
//!
//! An effect runs with the engine borrowed: it must not call the crate's free functions, but the methods of [`Effect`].

use std::panic::Location;

use crate::engine::{Engine, Mode, Pass, Phase, SyncEvent, engine};
use crate::finding::FindingKind;
use crate::op::{Object, Op, State, TaskId, members};
use crate::task::suspend;
use crate::trace::{EventKind, Held};

/// The moment at which an operation happens: the object's state, and what the operation orders.
pub struct Effect<'a> {
    engine: &'a mut Engine,
    object: Object,
    at: &'static Location<'static>,
}

impl std::fmt::Debug for Effect<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Effect").field("task", &self.task()).field("object", &self.object).finish()
    }
}

impl Effect<'_> {
    /// The object's state.
    #[inline]
    pub fn state(&mut self) -> &mut State {
        self.state_of(self.object)
    }

    /// The object's state, to be changed without looking at it: a search by state hash need not tell apart what stood
    /// there before.
    #[inline]
    pub fn blind(&mut self) -> &mut State {
        &mut self.engine.slots[self.object.index()].state
    }

    /// The state of another object, e.g. of the lock that a condition variable gives up.
    #[inline]
    pub fn state_of(&mut self, object: Object) -> &mut State {
        let state = &mut self.engine.slots[object.index()].state;
        self.engine.histories.state(self.engine.current, object, state);
        state
    }

    /// The current task.
    #[inline]
    pub fn task(&self) -> TaskId {
        self.engine.current
    }

    /// The current task now holds the object: lock order of clocks, traces and deadlock reports.
    #[inline]
    pub fn acquired(&mut self, mode: Mode) {
        self.engine.acquired(self.object, mode);
    }

    /// The current task no longer holds the object; `word` is the operation's name in traces. Returns whether it did
    /// hold it in that mode.
    #[inline]
    pub fn released(&mut self, mode: Mode, word: &'static str) -> bool {
        self.engine.released(self.object, mode, word)
    }

    /// The current task's past is before whatever takes this release; nothing is held.
    #[inline]
    pub fn publish(&mut self) {
        self.engine.publish(self.object);
    }

    /// The current task takes the releases of the object into its past; nothing is held.
    #[inline]
    pub fn observe(&mut self) {
        self.engine.observe(self.object);
    }

    /// As [`publish`](Self::publish), but on another object, e.g. the message that is put into a channel.
    #[inline]
    pub fn publish_on(&mut self, object: Object) {
        self.engine.publish(object);
    }

    /// As [`observe`](Self::observe), but on another object.
    #[inline]
    pub fn observe_on(&mut self, object: Object) {
        self.engine.observe(object);
    }

    /// Operations of `kind` that others have pending on the object, with their tasks.
    pub fn pending(&self, kind: u8) -> impl Iterator<Item = (TaskId, Op)> + '_ {
        let of = |t: TaskId| (t, self.engine.pending[t.index()]);
        let of_kind = move |(_, op): &(TaskId, Op)| op.object == self.object && op.kind == kind;
        if self.engine.histories.on {
            let list = members(self.engine.ready).map(of).filter(of_kind);
            list.for_each(|(t, op)| self.engine.histories.look(u64::from(t.0) << 32 | u64::from(op.arg)));
            self.engine.histories.look(u64::MAX);
        }
        members(self.engine.ready).map(of).filter(of_kind)
    }

    /// The operation that `task` has pending, if there is one.
    pub fn pending_of(&self, task: TaskId) -> Option<Op> {
        let op = (self.engine.ready & task.bit() != 0).then(|| self.engine.pending[task.index()]);
        self.engine
            .histories
            .look(op.map_or(u64::MAX, |op| u64::from(op.object.0) << 8 | u64::from(op.kind)));
        self.engine.histories.look(op.map_or(u64::MAX, |op| u64::from(op.arg)));
        op
    }

    /// The first task that holds `object`, if anybody does.
    pub fn holder_of(&self, object: Object) -> Option<TaskId> {
        let holds = |t: &TaskId| self.engine.tasks[t.index()].held.iter().any(|h| h.0 == object);
        let holder = members(self.engine.owners).find(holds);
        self.engine.histories.look(holder.map_or(u64::MAX, |t| u64::from(t.0)));
        holder
    }

    /// Reports something wrong, see [`crate::report`].
    pub fn report(&mut self, key: String, message: String) {
        self.engine.report(FindingKind::User, key, message);
    }

    /// The current task's name.
    pub fn task_name(&self) -> String {
        self.engine.tasks[self.engine.current.index()].name.to_string()
    }

    /// The name of an object.
    pub fn name_of(&self, object: Object) -> String {
        self.engine.slots[object.index()].name.to_string()
    }

    /// An access to the memory that the object stands for, see [`crate::access`].
    #[inline]
    pub fn access(&mut self, write: bool, plain: bool) {
        self.engine.access(self.object, write, plain, self.at);
    }

    /// Asks that the object's silent operations become scheduling points, see [`crate::promote`].
    #[inline]
    pub fn promote(&mut self) {
        self.engine.promote(self.object);
    }
}

/// Announces `op`, suspends until the scheduler lets it happen (it is then enabled), and carries out `effect`.
///
/// `None`, without the effect, while the execution is being taken down: destructors may call primitives then, and
/// must find them harmless.
///
/// # Panics
/// Outside of an execution.
#[inline(always)]
#[track_caller]
pub fn perform<R>(op: Op, effect: impl FnOnce(&mut Effect<'_>) -> R) -> Option<R> {
    let at = Location::caller();
    let pass = engine().submit(op, at);
    finish(pass, op, at, effect)
}

/// Suspends if `pass` says so, and carries out the effect.
#[inline(always)]
fn finish<R>(
    pass: Pass,
    op: Op,
    at: &'static Location<'static>,
    effect: impl FnOnce(&mut Effect<'_>) -> R,
) -> Option<R> {
    match pass {
        Pass::Suspend(yielder) => suspend(yielder),
        Pass::Now => {}
        Pass::Never => return None,
    }
    let mut e = engine();
    let result = effect(&mut Effect { engine: &mut e, object: op.object, at });
    e.settle();
    Some(result)
}

/// As [`perform`], but a scheduling point only if the object was promoted.
///
/// # Panics
/// Outside of an execution.
#[inline(always)]
#[track_caller]
pub fn perform_quietly<R>(op: Op, effect: impl FnOnce(&mut Effect<'_>) -> R) -> Option<R> {
    let at = Location::caller();
    let mut e = engine();
    let pass = if e.phase != Phase::Running || e.slots[op.object.index()].visible {
        e.submit(op, at)
    } else if e.quiet() {
        Pass::Suspend(e.tasks[e.current.index()].yielder)
    } else {
        let result = effect(&mut Effect { engine: &mut e, object: op.object, at });
        e.settle();
        return Some(result);
    };
    drop(e);
    finish(pass, op, at, effect)
}

/// Gives up a hold on the object of `op`: changes its state by `effect` and takes the hold from the current task. A
/// scheduling point only if the object was promoted.
///
/// Says whether the current task held the object in that mode; if not, nothing changes. While the execution is being
/// taken down it does nothing, and says yes.
///
/// # Panics
/// Outside of an execution.
#[inline(always)]
#[track_caller]
pub fn release(op: Op, mode: Mode, effect: impl FnOnce(&mut State)) -> bool {
    let at = Location::caller();
    let mut e = engine();
    if e.phase == Phase::Running {
        if !e.tasks[e.current.index()].held.contains(&(op.object, mode)) {
            return false;
        }
        if !e.slots[op.object.index()].visible {
            e.give_up(op, mode, effect);
            return true;
        }
    }
    let pass = e.submit(op, at);
    drop(e);
    match pass {
        Pass::Suspend(yielder) => suspend(yielder),
        Pass::Now => {}
        Pass::Never => return true,
    }
    engine().give_up(op, mode, effect);
    true
}

impl Engine {
    /// What an effect has looked at is part of what its task has observed.
    #[inline]
    fn settle(&mut self) {
        if self.histories.on {
            self.histories.settle(self.current);
        }
    }

    #[inline]
    fn give_up(&mut self, op: Op, mode: Mode, effect: impl FnOnce(&mut State)) {
        let slot = &mut self.slots[op.object.index()];
        effect(&mut slot.state);
        let word = slot.class.ops[op.kind as usize].name;
        self.released(op.object, mode, word);
    }

    /// The current task now holds the object; it has seen the releases that `mode` is ordered after.
    #[inline]
    pub(crate) fn acquired(&mut self, object: Object, mode: Mode) {
        let t = self.current;
        self.tasks[t.index()].held.push((object, mode));
        self.owners |= t.bit();
        if self.live {
            self.races.acquired(t, object, mode);
        }
        self.log.push(SyncEvent::Acquired(t, object, mode));
        if let Some(r) = &mut self.recorder {
            r.held_changed(t, Held(&self.tasks[t.index()].held, &self.slots));
        }
    }

    /// The current task no longer holds the object. Returns whether it did.
    #[inline]
    pub(crate) fn released(&mut self, object: Object, mode: Mode, word: &'static str) -> bool {
        let t = self.current;
        let held = &mut self.tasks[t.index()].held;
        // Most often the latest hold is the one to go.
        let found = if held.last() == Some(&(object, mode)) {
            held.pop();
            true
        } else if let Some(i) = held.iter().rposition(|h| *h == (object, mode)) {
            held.remove(i);
            true
        } else {
            false
        };
        if held.is_empty() {
            self.owners &= !t.bit();
        }
        if self.live {
            self.races.released(t, object, mode);
        }
        self.log.push(SyncEvent::Released(t, object, mode));
        if self.recorder.is_some() {
            self.record(t, None, |e| EventKind::Silent {
                operation: word,
                object: e.slots[object.index()].name.to_string(),
            });
        }
        found
    }

    /// See [`crate::publish`].
    #[inline]
    pub(crate) fn publish(&mut self, object: Object) {
        if self.live {
            self.races.released(self.current, object, Mode::Exclusive);
        }
    }

    /// See [`crate::observe`].
    #[inline]
    pub(crate) fn observe(&mut self, object: Object) {
        if self.live {
            self.races.acquired(self.current, object, Mode::Exclusive);
        }
    }

    /// See [`crate::access`].
    #[inline]
    pub(crate) fn access(
        &mut self,
        object: Object,
        write: bool,
        plain: bool,
        at: &'static Location<'static>,
    ) {
        if !self.live {
            return;
        }
        if let Some(old) = self.races.access(self.current, object, write, plain, at) {
            self.report_race(object, &old, write, at);
        }
    }

    #[cold]
    fn report_race(
        &mut self,
        object: Object,
        old: &crate::race::Access,
        write: bool,
        at: &'static Location<'static>,
    ) {
        self.promote(object);
        if !self.limits.report_data_races {
            return;
        }
        let word = |w: bool| if w { "write" } else { "read" };
        let name = &self.slots[object.index()].name;
        let (other, this) = (&self.tasks[old.task.index()].name, &self.tasks[self.current.index()].name);
        let message = format!(
            "data race on {name}: {} by {other} at {}, then {} by {this} at {at}, unordered",
            word(old.write),
            old.at,
            word(write)
        );
        let (a, b) = (format!("{} {}", word(old.write), old.at), format!("{} {at}", word(write)));
        let key = if a < b { format!("race {name} {a} {b}") } else { format!("race {name} {b} {a}") };
        self.report(FindingKind::DataRace, key, message);
    }
}
