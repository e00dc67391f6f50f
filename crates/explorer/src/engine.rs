// SPDX-License-Identifier: MIT OR Apache-2.0
//! The state of one execution: tasks, objects, clocks, schedule and findings.
//!
//! There is one engine a thread. A task reaches it through a thread-local, as kernel code reaches `current`;
//! no borrow of it is ever held while a task runs. All of it is reset between executions, except what makes
//! identities stable (which object index the nth creation of a task has) and what has been learnt about an object
//! ([`Slot::visible`]).

use std::borrow::Cow;
use std::cell::RefCell;
use std::panic::Location;

use corosensei::Yielder;

use crate::finding::{FindingKind, RawFinding, Wait};
use crate::fingerprint::Histories;
use crate::op::{MAX_TASKS, Object, ObjectClass, Op, State, TaskId, TaskSet, members};
use crate::race::Races;
use crate::schedule::Decision;
use crate::task::{Body, Coroutines};
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

/// A task of the current execution.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) name: Cow<'static, str>,
    pub(crate) status: Status,
    pub(crate) yielder: *const Yielder<(), ()>,
    pub(crate) held: Vec<(Object, Mode)>,
    /// Index of the nth object that the task created; outlives the execution.
    objects: Vec<u32>,
    created: usize,
    /// Identity of the nth child; outlives the execution.
    pub(crate) children: Vec<TaskId>,
    spawned: usize,
    choice: u32,
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

static UNUSED: ObjectClass = ObjectClass { name: "unused", ops: &[], enabled: |_, _, _| true };

/// Limits of one execution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) steps: u64,
    pub(crate) report_data_races: bool,
}

/// See the module's words.
pub(crate) struct Engine {
    pub(crate) running: bool,
    pub(crate) aborting: bool,
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
    pub(crate) schedule: Vec<Decision>,
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
}

thread_local! {
    static ENGINE: RefCell<Engine> = const { RefCell::new(Engine::new()) };
}

/// Runs `f` on this thread's engine. Must not be nested, nor held across a switch of tasks.
#[inline]
pub(crate) fn with<R>(f: impl FnOnce(&mut Engine) -> R) -> R {
    ENGINE.with_borrow_mut(f)
}

impl Engine {
    const fn new() -> Self {
        Engine {
            running: false,
            aborting: false,
            current: TaskId::ROOT,
            limits: Limits { steps: u64::MAX, report_data_races: false },
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
            steps: 0,
            findings: Vec::new(),
            promotions: Vec::new(),
            preset: Vec::new(),
            recorder: None,
            coroutines: Coroutines::new(),
            fatal: None,
            panicked: false,
        }
    }

    /// Forgets everything, what has been learnt included: a new exploration begins.
    pub(crate) fn clear(&mut self, limits: Limits) {
        let coroutines = std::mem::replace(&mut self.coroutines, Coroutines::new());
        *self = Engine::new();
        self.coroutines = coroutines;
        self.limits = limits;
    }

    /// Begins an execution.
    pub(crate) fn reset(&mut self) {
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
        self.races.reset();
        self.histories.reset();
        self.log.clear();
        self.schedule.clear();
        self.steps = 0;
        self.findings.clear();
        self.aborting = false;
        self.running = true;
        self.fatal = None;
        self.panicked = false;
        let root = if self.tasks.is_empty() { self.new_task() } else { TaskId::ROOT };
        self.current = root;
        self.birth(root, Cow::Borrowed("main"));
    }

    pub(crate) fn new_task(&mut self) -> TaskId {
        let id = TaskId(self.tasks.len() as u8);
        self.tasks.push(Task {
            name: Cow::Borrowed(""),
            status: Status::Absent,
            yielder: std::ptr::null(),
            held: Vec::new(),
            objects: Vec::new(),
            created: 0,
            children: Vec::new(),
            spawned: 0,
            choice: 0,
            at: Location::caller(),
        });
        self.pending.push(Op::NONE);
        id
    }

    fn birth(&mut self, id: TaskId, name: Cow<'static, str>) {
        let task = &mut self.tasks[id.index()];
        task.status = Status::Newborn;
        task.name = name;
        self.births.push(id);
        self.unfinished |= id.bit();
        self.forced |= id.bit();
        self.races.task_begins(id);
    }

    /// The identity of the current task's next child; `None` past [`MAX_TASKS`].
    pub(crate) fn spawn(&mut self, name: Cow<'static, str>) -> Option<TaskId> {
        let parent = self.current;
        let nth = self.tasks[parent.index()].spawned;
        let child = match self.tasks[parent.index()].children.get(nth) {
            Some(&c) => c,
            None if self.tasks.len() == MAX_TASKS => {
                self.fatal = Some(format!(
                    "task {:?} of {} would be task number {}: at most {MAX_TASKS} are possible in one model",
                    name,
                    self.tasks[parent.index()].name,
                    MAX_TASKS + 1
                ));
                return None;
            }
            None => {
                let c = self.new_task();
                self.tasks[parent.index()].children.push(c);
                c
            }
        };
        self.tasks[parent.index()].spawned += 1;
        self.birth(child, name);
        self.spawned |= child.bit();
        self.races.spawned(parent, child);
        self.histories.spawned(parent, child);
        self.log.push(SyncEvent::Spawned(parent, child));
        Some(child)
    }

    /// Creates an object owned by the current execution.
    pub(crate) fn create(
        &mut self,
        class: &'static ObjectClass,
        name: Cow<'static, str>,
        state: State,
    ) -> Object {
        let task = &mut self.tasks[self.current.index()];
        let index = match task.objects.get(task.created) {
            Some(&i) => i,
            None => {
                let i = self.slots.len() as u32;
                let (creator, nth) = (self.current, task.created as u32);
                let visible = self.preset.contains(&(creator, nth));
                self.slots.push(Slot {
                    state,
                    class: &UNUSED,
                    name: Cow::Borrowed(""),
                    visible,
                    creator,
                    nth,
                });
                task.objects.push(i);
                i
            }
        };
        task.created += 1;
        let slot = &mut self.slots[index as usize];
        slot.state = state;
        slot.class = class;
        slot.name = name;
        self.alive.push(index);
        self.races.object_begins(index as usize);
        Object(index)
    }

    /// Is the root alone, with every other task in its past? Then its operations are no decisions.
    #[inline]
    fn alone(&self) -> bool {
        self.current == TaskId::ROOT && self.spawned == self.joined
    }

    /// May the task's pending operation happen now?
    #[inline]
    pub(crate) fn enabled(&self, t: TaskId, op: Op) -> bool {
        let slot = &self.slots[op.object.index()];
        !slot.class.ops[op.kind as usize].blocking || (slot.class.enabled)(&slot.state, t, op)
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

    /// Makes `op` pending; `true` when the task must now suspend.
    #[inline]
    pub(crate) fn submit(&mut self, op: Op, at: &'static Location<'static>) -> bool {
        debug_assert!(self.running, "an operation outside of an execution");
        if self.aborting {
            return false;
        }
        let t = self.current;
        self.tasks[t.index()].at = at;
        if self.alone() && self.enabled(t, op) {
            self.record_step(t, op);
            return false;
        }
        self.pending[t.index()] = op;
        self.ready |= t.bit();
        true
    }

    /// The chosen task's pending operation happens: it leaves the ready set and becomes current.
    #[inline]
    pub(crate) fn commit(&mut self, t: TaskId) {
        self.ready &= !t.bit();
        self.current = t;
        self.steps += 1;
        self.schedule.push(Decision::Task(t));
        self.log.clear();
        self.histories.step(t, self.pending[t.index()]);
        if self.recorder.is_some() {
            self.record_step(t, self.pending[t.index()]);
        }
    }

    /// Adds an event to the record, if one is kept.
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

    fn record_step(&mut self, t: TaskId, op: Op) {
        self.record(t, Some(self.tasks[t.index()].at), |e| {
            let slot = &e.slots[op.object.index()];
            let operation = slot.class.ops[op.kind as usize].name;
            EventKind::Step { step: e.steps, operation, object: slot.name.to_string() }
        });
    }

    /// The current task now holds the object; it has seen the releases that `mode` is ordered after.
    #[inline]
    pub(crate) fn acquired(&mut self, object: Object, mode: Mode) {
        let t = self.current;
        self.tasks[t.index()].held.push((object, mode));
        self.races.acquired(t, object, mode);
        self.log.push(SyncEvent::Acquired(t, object, mode));
        self.held_changed(t);
    }

    /// The current task no longer holds the object. Returns whether it did.
    #[inline]
    pub(crate) fn released(&mut self, object: Object, mode: Mode, word: &'static str) -> bool {
        let t = self.current;
        let held = &mut self.tasks[t.index()].held;
        let found = held.iter().rposition(|h| *h == (object, mode));
        if let Some(i) = found {
            held.remove(i);
        }
        self.races.released(t, object, mode);
        self.log.push(SyncEvent::Released(t, object, mode));
        self.record(t, None, |e| EventKind::Silent {
            operation: word,
            object: e.slots[object.index()].name.to_string(),
        });
        found.is_some()
    }

    fn held_changed(&mut self, t: TaskId) {
        if let Some(r) = &mut self.recorder {
            r.held_changed(t, Held(&self.tasks[t.index()].held, &self.slots));
        }
    }

    /// The current task waits for the end of `child`; `true` when it must suspend.
    pub(crate) fn join(&mut self, child: TaskId) -> bool {
        if self.aborting {
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
        self.races.joined(t, child);
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
        task.status = Status::Live;
        task.choice = value;
        self.histories.value(t, u64::from(value));
        self.schedule.push(Decision::Choice(value));
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
        if !self.findings.iter().any(|f| f.key == key) {
            self.findings.push(RawFinding { kind, key, message, step: self.steps });
        }
    }

    /// Who waits for what, and for whom, when nobody can go on.
    pub(crate) fn waits(&self) -> Vec<Wait> {
        let mut waits = Vec::new();
        for t in members(self.unfinished) {
            let task = &self.tasks[t.index()];
            if self.ready & t.bit() == 0 {
                continue;
            }
            let op = self.pending[t.index()];
            let slot = &self.slots[op.object.index()];
            let holders = members(self.unfinished)
                .filter(|h| self.tasks[h.index()].held.iter().any(|(o, _)| *o == op.object))
                .map(|h| self.tasks[h.index()].name.to_string())
                .collect();
            waits.push(Wait {
                task: task.name.to_string(),
                operation: slot.class.ops[op.kind as usize].name,
                object: slot.name.to_string(),
                holders,
                at: task.at,
            });
        }
        waits
    }

    /// The letter's owner in this execution, and back.
    pub(crate) fn birth_index(&self, t: TaskId) -> TaskId {
        TaskId(self.births.iter().position(|b| *b == t).expect("a scheduled task was created") as u8)
    }

    /// Adds a coroutine for a task created by [`spawn`](Self::spawn).
    pub(crate) fn attach(&mut self, t: TaskId, body: Body) {
        self.coroutines.insert(t, body);
    }
}

impl Engine {
    /// See [`crate::access`].
    #[inline]
    pub(crate) fn access(
        &mut self,
        object: Object,
        write: bool,
        plain: bool,
        at: &'static Location<'static>,
    ) {
        if self.aborting {
            return;
        }
        if let Some(old) = self.races.access(self.current, object, write, plain, at) {
            self.promote(object);
            if self.limits.report_data_races {
                self.report_race(object, &old, write, at);
            }
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

    /// See [`crate::publish`].
    #[inline]
    pub(crate) fn publish(&mut self, object: Object) {
        self.races.released(self.current, object, Mode::Exclusive);
    }

    /// See [`crate::observe`].
    #[inline]
    pub(crate) fn observe(&mut self, object: Object) {
        self.races.acquired(self.current, object, Mode::Exclusive);
    }
}
