// SPDX-License-Identifier: MIT OR Apache-2.0
//! The state of one execution: tasks, objects, clocks, schedule and findings.
//!
//! There is one engine a thread. A task reaches it through a thread-local, as kernel code reaches `current`;
//! no borrow of it is ever held while a task runs. All of it is reset between executions, except what makes
//! identities stable (which object index the nth creation of a task has) and what has been learnt about an object
//! ([`Slot::visible`]).

use std::borrow::Cow;
use std::cell::{Cell, RefCell, RefMut};
use std::panic::Location;

use corosensei::Yielder;

use crate::deadlock::Cycle;
use crate::finding::{FindingKind, RawFinding};
use crate::fingerprint::Histories;
use crate::op::{Object, ObjectClass, Op, State, TaskId, TaskSet, members};
use crate::race::Races;
use crate::schedule::Decision;
use crate::task::Coroutines;
use crate::trace::{EventKind, Held, Recorder};

/// How a lock is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Together with other shared holders.
    Shared,
    /// Alone.
    Exclusive,
}

/// What happened inside a step that orders events without being one: read by strategies that track dependence.
#[derive(Clone, Copy, Debug)]
pub enum SyncEvent {
    /// The task took the object's earlier releases into its past.
    Acquired(TaskId, Object, Mode),
    /// The task released the object silently.
    Released(TaskId, Object, Mode),
    /// The first task created the second.
    Spawned(TaskId, TaskId),
    /// The first task joined the second.
    Joined(TaskId, TaskId),
}

/// What a task is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Status {
    /// Not created in this execution.
    Absent,
    /// Created, has not run yet.
    Newborn,
    /// Runs now, or waits with a pending operation.
    Live,
    /// Waits for a choice among n values.
    Choosing(u32),
    /// Waits for the end of another task.
    Joining(TaskId),
    /// Its body returned.
    Finished,
}

/// Where the engine is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// Between executions: there are no tasks.
    Idle,
    /// Tasks run.
    Running,
    /// What is still suspended is being unwound; operations do nothing.
    Aborting,
}

/// What becomes of an operation that a task announces.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pass {
    /// It happens now: it is no decision.
    Now,
    /// The task suspends with this yielder until it is chosen.
    Suspend(*const Yielder<(), ()>),
    /// It never happens: the execution is being taken down.
    Never,
}

/// A task of the current execution.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) name: Cow<'static, str>,
    pub(crate) status: Status,
    pub(crate) yielder: *const Yielder<(), ()>,
    pub(crate) held: Vec<(Object, Mode)>,
    /// Index of the nth object that the task created; outlives the execution.
    pub(crate) objects: Vec<u32>,
    pub(crate) created: usize,
    /// Identity of the nth child; outlives the execution.
    pub(crate) children: Vec<TaskId>,
    pub(crate) spawned: usize,
    pub(crate) choice: u32,
    /// Place of the pending operation in the source.
    pub(crate) at: &'static Location<'static>,
}

/// An object of the current execution.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) state: State,
    pub(crate) class: &'static ObjectClass,
    pub(crate) name: Cow<'static, str>,
    /// Its silent operations are scheduling points: learnt, and kept for the rest of the exploration.
    pub(crate) visible: bool,
    /// The task that created it, and the how-manieth of its creations it is.
    pub(crate) creator: TaskId,
    pub(crate) nth: u32,
}

/// Limits of one execution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) steps: u64,
    /// What a task may do between two of its steps, see [`Engine::quiet`].
    pub(crate) quiet: u32,
    pub(crate) faults: u32,
    pub(crate) report_data_races: bool,
}

/// See the module's words.
pub(crate) struct Engine {
    pub(crate) phase: Phase,
    pub(crate) current: TaskId,
    pub(crate) limits: Limits,
    pub(crate) tasks: Vec<Task>,
    pub(crate) pending: Vec<Op>,
    /// Live tasks that wait with a pending operation.
    pub(crate) ready: TaskSet,
    /// Tasks whose next move is no decision: newborn, choosing, or joining a finished task.
    pub(crate) forced: TaskSet,
    pub(crate) unfinished: TaskSet,
    pub(crate) spawned: TaskSet,
    pub(crate) joined: TaskSet,
    /// Tasks in the order in which they were created in this execution; their place is their letter.
    pub(crate) births: Vec<TaskId>,
    pub(crate) slots: Vec<Slot>,
    /// Objects that exist in this execution, in the order of creation.
    pub(crate) alive: Vec<u32>,
    pub(crate) races: Races,
    /// What each task has observed, as a hash; kept only for strategies that ask for it.
    pub(crate) histories: Histories,
    pub(crate) log: Vec<SyncEvent>,
    /// The decisions of this execution; while `cursor` is below its length, those that are to be repeated.
    pub(crate) schedule: Vec<Decision>,
    /// The operation of each decision; for a choice its argument is the number of values.
    ops: Vec<Op>,
    /// Decisions made.
    pub(crate) cursor: usize,
    /// Whether what happens is new, and not a repetition of what the last execution began with.
    pub(crate) live: bool,
    pub(crate) steps: u64,
    pub(crate) findings: Vec<RawFinding>,
    /// Objects that must become scheduling points before the exploration can be believed.
    pub(crate) promotions: Vec<u32>,
    /// Objects known to be scheduling points before they exist: of a replayed schedule.
    pub(crate) preset: Vec<(TaskId, u32)>,
    pub(crate) recorder: Option<Recorder>,
    pub(crate) coroutines: Coroutines,
    /// The model asked for something impossible: the exploration ends with this error.
    pub(crate) fatal: Option<String>,
    /// A task panicked: the execution ends.
    pub(crate) panicked: bool,
    /// Silent operations, accesses and choices since the last step: a task that never takes one spins.
    pub(crate) quiet: u32,
    /// A task spins: the execution ends.
    pub(crate) spinning: bool,
    /// Faults that were injected, see [`crate::fault`].
    pub(crate) faults: u32,
    /// Tasks that hold something.
    pub(crate) owners: TaskSet,
    /// Cycles of owners that wait for each other, as they came up.
    pub(crate) cycles: Vec<Cycle>,
}

thread_local! {
    // One engine a thread that ever explored, allocated at its first exploration and kept. A reference that is copied
    // out costs one load; an engine inside the thread-local, or one that is dropped with the thread, costs a call and a
    // check at each of several uses a step.
    static ENGINE: Cell<Option<&'static RefCell<Engine>>> = const { Cell::new(None) };
}

/// This thread's engine. Must not be borrowed twice, nor across a switch of tasks.
#[inline(always)]
pub(crate) fn engine() -> RefMut<'static, Engine> {
    match ENGINE.get() {
        Some(engine) => engine.borrow_mut(),
        None => outside(),
    }
}

/// Runs `f` on this thread's engine, as borrowed by [`engine`].
#[inline(always)]
pub(crate) fn with<R>(f: impl FnOnce(&mut Engine) -> R) -> R {
    f(&mut engine())
}

#[cold]
fn outside() -> ! {
    panic!("an operation outside of an execution")
}

/// Gives this thread an engine, empty but for `limits`.
///
/// # Panics
/// Inside of an execution.
pub(crate) fn install(limits: Limits) {
    if ENGINE.get().is_none() {
        ENGINE.set(Some(Box::leak(Box::new(RefCell::new(Engine::new())))));
    }
    with(|e| {
        assert!(e.phase == Phase::Idle, "an exploration inside of an execution");
        *e = Engine::new();
        e.limits = limits;
    });
}

impl Engine {
    pub(crate) const fn new() -> Self {
        Engine {
            phase: Phase::Idle,
            current: TaskId::ROOT,
            limits: Limits { steps: u64::MAX, quiet: u32::MAX, faults: 0, report_data_races: false },
            tasks: Vec::new(),
            pending: Vec::new(),
            ready: 0,
            forced: 0,
            unfinished: 0,
            spawned: 0,
            joined: 0,
            births: Vec::new(),
            slots: Vec::new(),
            alive: Vec::new(),
            races: Races::new(),
            histories: Histories::new(),
            log: Vec::new(),
            schedule: Vec::new(),
            ops: Vec::new(),
            cursor: 0,
            live: true,
            steps: 0,
            findings: Vec::new(),
            promotions: Vec::new(),
            preset: Vec::new(),
            recorder: None,
            coroutines: Coroutines::new(),
            fatal: None,
            panicked: false,
            quiet: 0,
            spinning: false,
            faults: 0,
            owners: 0,
            cycles: Vec::new(),
        }
    }

    /// Begins an execution, the first `repeats` decisions of which are those of the last one.
    pub(crate) fn reset(&mut self, repeats: usize) {
        let repeats = repeats.min(self.schedule.len().saturating_sub(1));
        self.schedule.truncate(repeats);
        self.ops.truncate(repeats);
        self.cursor = 0;
        self.live = repeats == 0;
        self.races.rewind(repeats);
        self.histories.reset();
        self.findings.retain(|f| f.kind == FindingKind::DataRace && f.decisions <= repeats && repeats > 0);
        for t in &mut self.tasks {
            t.status = Status::Absent;
            t.held.clear();
            t.created = 0;
            t.spawned = 0;
        }
        self.ready = 0;
        self.forced = 0;
        self.unfinished = 0;
        self.spawned = 0;
        self.joined = 0;
        self.births.clear();
        self.alive.clear();
        self.log.clear();
        self.steps = 0;
        self.phase = Phase::Running;
        self.fatal = None;
        self.panicked = false;
        self.quiet = 0;
        self.spinning = false;
        self.faults = 0;
        self.owners = 0;
        self.cycles.retain(|c| c.decisions <= repeats && repeats > 0);
        self.begin_root();
    }

    /// May the task's pending operation happen now?
    #[inline]
    pub(crate) fn enabled(&self, t: TaskId, op: Op) -> bool {
        if !op.blocking {
            return true;
        }
        let slot = &self.slots[op.object.index()];
        (slot.class.enabled)(&slot.state, t, op)
    }

    /// The tasks whose pending operation may happen now.
    #[inline]
    pub(crate) fn enabled_set(&self) -> TaskSet {
        let mut set = 0;
        for t in members(self.ready) {
            if self.enabled(t, self.pending[t.index()]) {
                set |= t.bit();
            }
        }
        set
    }

    /// Announces `op`, called at `at`, for the current task.
    #[inline(always)]
    pub(crate) fn submit(&mut self, op: Op, at: &'static Location<'static>) -> Pass {
        if self.phase != Phase::Running {
            return self.refuse();
        }
        let t = self.current;
        let task = &mut self.tasks[t.index()];
        task.at = at;
        if (self.spawned == self.joined && t == TaskId::ROOT) || std::thread::panicking() {
            return self.submit_alone(op);
        }
        self.pending[t.index()] = op;
        self.ready |= t.bit();
        Pass::Suspend(task.yielder)
    }

    /// Operations that are no decision: those of the root while it is alone, and of a task that unwinds (which
    /// must not be suspended in the middle of that).
    #[cold]
    fn submit_alone(&mut self, op: Op) -> Pass {
        let t = self.current;
        if self.enabled(t, op) {
            self.record_step(t, op);
            return if self.quiet() { Pass::Suspend(self.tasks[t.index()].yielder) } else { Pass::Now };
        }
        if std::thread::panicking() {
            return Pass::Never;
        }
        self.pending[t.index()] = op;
        self.ready |= t.bit();
        Pass::Suspend(self.tasks[t.index()].yielder)
    }

    #[cold]
    fn refuse(&self) -> Pass {
        assert!(self.phase == Phase::Aborting, "an operation outside of an execution");
        Pass::Never
    }

    /// Counts something that is no step; `true` when the task has done so much of it that it must be spinning. The
    /// caller then suspends, for ever.
    #[inline]
    pub(crate) fn quiet(&mut self) -> bool {
        self.quiet += 1;
        if self.quiet <= self.limits.quiet {
            return false;
        }
        self.spin()
    }

    #[cold]
    fn spin(&mut self) -> bool {
        self.spinning = self.phase == Phase::Running && !std::thread::panicking();
        self.spinning
    }

    /// The chosen task's pending operation happens: it leaves the ready set and becomes current.
    #[inline]
    pub(crate) fn commit(&mut self, t: TaskId) {
        self.ready &= !t.bit();
        self.current = t;
        self.steps += 1;
        self.quiet = 0;
        self.decided(Decision::Task(t), self.pending[t.index()]);
        self.log.clear();
        self.histories.step(t, self.pending[t.index()]);
        if self.recorder.is_some() {
            self.record_step(t, self.pending[t.index()]);
        }
    }

    #[inline]
    fn decided(&mut self, decision: Decision, op: Op) {
        if self.cursor == self.schedule.len() {
            self.schedule.push(decision);
            self.ops.push(op);
            self.races.mark();
            self.live = true;
        }
        self.cursor += 1;
    }

    /// The decision that is to be repeated next, with its operation.
    #[inline]
    pub(crate) fn to_repeat(&self) -> Option<(Decision, Op)> {
        Some((*self.schedule.get(self.cursor)?, *self.ops.get(self.cursor)?))
    }

    /// Adds an event to the record, if one is kept.
    #[inline]
    pub(crate) fn record(
        &mut self,
        t: TaskId,
        at: Option<&'static Location<'static>>,
        kind: impl FnOnce(&Engine) -> EventKind,
    ) {
        let Some(mut recorder) = self.recorder.take() else { return };
        let kind = kind(self);
        recorder.push(t, kind, at, Held(&self.tasks[t.index()].held, &self.slots));
        self.recorder = Some(recorder);
    }

    pub(crate) fn record_step(&mut self, t: TaskId, op: Op) {
        self.record(t, Some(self.tasks[t.index()].at), |e| {
            let slot = &e.slots[op.object.index()];
            let operation = slot.class.ops[op.kind as usize].name;
            EventKind::Step { step: e.steps, operation, object: slot.name.to_string() }
        });
    }

    /// The current task waits for the end of `child`; `true` when it must suspend.
    pub(crate) fn join(&mut self, child: TaskId) -> bool {
        if self.phase != Phase::Running || std::thread::panicking() {
            return false;
        }
        let t = self.current;
        if self.tasks[child.index()].status == Status::Finished {
            self.join_done(t, child);
            return false;
        }
        self.tasks[t.index()].status = Status::Joining(child);
        true
    }

    pub(crate) fn join_done(&mut self, t: TaskId, child: TaskId) {
        self.tasks[t.index()].status = Status::Live;
        if self.live {
            self.races.joined(t, child);
        }
        self.log.push(SyncEvent::Joined(t, child));
        if t == TaskId::ROOT {
            self.joined |= child.bit();
        }
    }

    /// The current task's body returned.
    pub(crate) fn finish(&mut self) {
        let t = self.current;
        self.tasks[t.index()].status = Status::Finished;
        self.unfinished &= !t.bit();
        for other in members(self.unfinished) {
            if self.tasks[other.index()].status == Status::Joining(t) {
                self.forced |= other.bit();
            }
        }
    }

    pub(crate) fn begin_choice(&mut self, n: u32) {
        let t = self.current;
        self.tasks[t.index()].status = Status::Choosing(n);
        self.forced |= t.bit();
    }

    pub(crate) fn take_choice(&mut self, t: TaskId, value: u32) {
        let task = &mut self.tasks[t.index()];
        let n = if let Status::Choosing(n) = task.status { n } else { 0 };
        task.status = Status::Live;
        task.choice = value;
        self.histories.value(t, u64::from(value));
        self.decided(Decision::Choice(value), Op { arg: n, ..Op::NONE });
        self.record(t, None, |_| EventKind::Note(format!("choose {value}")));
    }

    pub(crate) fn choice(&self) -> u32 {
        self.tasks[self.current.index()].choice
    }

    /// Asks that the object's silent operations become scheduling points; takes effect from the next round on.
    pub(crate) fn promote(&mut self, object: Object) {
        if !self.slots[object.index()].visible && !self.promotions.contains(&object.0) {
            self.promotions.push(object.0);
        }
    }

    /// Records a finding; the execution goes on.
    pub(crate) fn report(&mut self, kind: FindingKind, key: String, message: String) {
        self.record(self.current, None, |_| EventKind::Finding(message.clone()));
        self.report_at(kind, key, message, self.steps);
    }

    /// Adds a finding that came up at an earlier step; the trace shows it already, or need not.
    pub(crate) fn report_at(&mut self, kind: FindingKind, key: String, message: String, step: u64) {
        if !self.findings.iter().any(|f| f.key == key) {
            let decisions = self.cursor;
            self.findings.push(RawFinding { kind, key, message, step, decisions });
        }
    }

    /// The letter's owner in this execution, and back.
    pub(crate) fn birth_index(&self, t: TaskId) -> TaskId {
        TaskId(self.births.iter().position(|b| *b == t).expect("a scheduled task was created") as u8)
    }
}
