// SPDX-License-Identifier: MIT OR Apache-2.0
//! The validator of one run: registered classes, tasks with the locks they hold, the graph and the reports.

use crate::class::{ClassId, ClassKey, ClassSpec, KeyId, MAX_SUBCLASSES};
use crate::completion::CrossRelease;
use crate::graph::Graph;
use crate::held::{Held, Task};
use crate::lock::Lock;
use crate::report::{ClassLabel, LockLine, Report, Scene, TaskName};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a validator checks beyond what every kernel checks. The default is the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Completions take part: waiting for one depends on what its completer takes. See
    /// [`wait_for_completion`](Validator::wait_for_completion). Off in the kernel.
    pub cross_release: bool,
    /// Record dependencies also from the locks that lie *behind* a held recursive reader.
    ///
    /// The kernel records a dependency from the nearest held lock that was not a trylock and trusts the graph for the
    /// rest. When that nearest lock is a recursive reader, the path through it is not strong, and a real inversion
    /// against a lock further out is not seen. With this option it is.
    pub past_recursive_readers: bool,
}

/// A task known to a [`Validator`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub(crate) u32);

/// A key with the ids of the subclasses that were used so far.
#[derive(Clone, Debug)]
struct Key {
    class: ClassKey,
    validate: bool,
    ids: [Option<ClassId>; MAX_SUBCLASSES],
}

/// A lock-order validator for one run of a program.
///
/// Drive it from the lock primitives: [`acquire`](Self::acquire) *before* a task blocks on a lock, as the kernel does
/// (a lock that is never obtained still tells the order), [`release`](Self::release) before it is given back, and for
/// a trylock `acquire` after it succeeded. Each call returns how many reports it added.
///
/// A validator is a plain value: cloning it forks the run.
#[derive(Clone, Debug, Default)]
pub struct Validator {
    pub(crate) config: Config,
    keys: Vec<Key>,
    key_index: BTreeMap<(ClassKey, bool), KeyId>,
    pub(crate) graph: Graph,
    /// Tasks of this run, then those left over from earlier runs, whose memory is used again.
    tasks: Vec<Task>,
    live: usize,
    pub(crate) cross: CrossRelease,
    reports: Vec<Report>,
}

impl Validator {
    /// A validator that has seen nothing.
    pub fn new(config: Config) -> Self {
        Validator { config, ..Self::default() }
    }

    /// Starts the next run: forgets tasks, dependencies and reports, keeps registered keys and allocated memory.
    ///
    /// What follows is a function of what follows alone, as with a new validator, save that ids of classes registered
    /// earlier stay as they are. Linear in the number of classes and dependencies of the last run.
    pub fn begin_run(&mut self) {
        self.graph.clear();
        self.live = 0;
        self.cross = CrossRelease::default();
        self.reports.clear();
    }

    /// Registers a class, or finds it again: one description, one key. Logarithmic in the number of keys.
    ///
    /// Source: linux v7.3.4 kernel/locking/lockdep.c `register_lock_class`. There the key is an address; here it is
    /// the description, so that the same class is found again in every run and by every worker.
    pub fn key(&mut self, spec: &ClassSpec<'_>) -> KeyId {
        let ClassSpec { name, outer, inner, wait_override, validate } = *spec;
        let class = ClassKey { name: name.into(), subclass: 0, outer, inner, wait_override };
        let next = KeyId(self.keys.len() as u32);
        let id = *self.key_index.entry((class.clone(), validate)).or_insert(next);
        if id == next {
            self.keys.push(Key { class, validate, ids: [None; MAX_SUBCLASSES] });
        }
        id
    }

    /// Adds a task. Ids count up from the start of the run.
    pub fn add_task(&mut self, comm: &str, pid: u32) -> TaskId {
        let id = TaskId(self.live as u32);
        match self.tasks.get_mut(self.live) {
            Some(task) => task.reuse(comm, pid),
            None => self.tasks.push(Task::new(TaskName { comm: comm.into(), pid })),
        }
        self.live += 1;
        id
    }

    /// Everything found since the start of the run, in order.
    pub fn reports(&self) -> &[Report] {
        &self.reports
    }

    /// Takes the reports out; later calls start to collect anew.
    pub fn take_reports(&mut self) -> Vec<Report> {
        std::mem::take(&mut self.reports)
    }

    /// The dependencies of this run: [`merge`](Graph::merge) them into a graph of all runs.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The locks that `task` holds, outermost first. Copies names; meant for reports, not for the hot path.
    ///
    /// # Panics
    ///
    /// When `task` is not of this run.
    pub fn held_locks(&self, task: TaskId) -> Vec<LockLine> {
        self.task(task).held.iter().map(|h| self.line(h)).collect()
    }

    /// How many locks `task` holds; several ww mutexes of one context count once, as in the kernel.
    ///
    /// # Panics
    ///
    /// When `task` is not of this run.
    pub fn depth(&self, task: TaskId) -> usize {
        self.task(task).held.len()
    }

    pub(crate) fn task(&self, task: TaskId) -> &Task {
        &self.tasks[..self.live][task.0 as usize]
    }

    pub(crate) fn task_mut(&mut self, task: TaskId) -> &mut Task {
        &mut self.tasks[..self.live][task.0 as usize]
    }

    /// The class that `lock` has when it is taken with `subclass`, and whether the class is checked.
    #[inline]
    pub(crate) fn class_of(&mut self, lock: Lock, subclass: u8) -> (ClassId, bool) {
        let subclass = if subclass == 0 { lock.subclass } else { subclass };
        let key = &self.keys[lock.key.0 as usize];
        match key.ids[subclass as usize] {
            Some(id) => (id, key.validate),
            None => self.first_use(lock, subclass),
        }
    }

    #[cold]
    fn first_use(&mut self, lock: Lock, subclass: u8) -> (ClassId, bool) {
        let key = &mut self.keys[lock.key.0 as usize];
        let id = self.graph.intern(&ClassKey { subclass, ..key.class.clone() });
        key.ids[subclass as usize] = Some(id);
        (id, key.validate)
    }

    /// The class of `lock` if it was ever used, without registering it.
    pub(crate) fn known_class(&self, lock: Lock) -> Option<ClassId> {
        self.keys[lock.key.0 as usize].ids[lock.subclass as usize]
    }

    pub(crate) fn name(&self, lock: Lock) -> String {
        self.keys[lock.key.0 as usize].class.name.to_string()
    }

    pub(crate) fn label(&self, class: ClassId) -> ClassLabel {
        self.graph.label(class)
    }

    pub(crate) fn line(&self, held: &Held) -> LockLine {
        LockLine { id: Some(held.lock.id), class: self.label(held.class), mode: held.mode, site: held.site }
    }

    pub(crate) fn scene(&self, task: TaskId) -> Scene {
        Scene { task: self.task(task).name.clone(), locks: self.held_locks(task) }
    }

    pub(crate) fn comm(&self, task: TaskId) -> (Arc<str>, u32) {
        let name = &self.task(task).name;
        (name.comm.clone(), name.pid)
    }

    /// Keeps a report. Counts one.
    #[cold]
    pub(crate) fn report(&mut self, report: Report) -> usize {
        self.reports.push(report);
        1
    }
}
