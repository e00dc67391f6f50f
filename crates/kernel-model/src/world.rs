// SPDX-License-Identifier: GPL-2.0-only
//! One kernel an execution: its memory, its tasks, its processes' file tables, what has been warned about.

use std::any::TypeId;
use std::cell::RefCell;

use explorer::{JoinHandle, Object, TaskId};

use crate::arena::{Arena, Erased, Kptr, kstatic};
use crate::file::{File, FilesStruct};
use crate::irq_work::IrqWorks;
use crate::preempt::Context;
use crate::rcu::{Rcu, rcu_barrier};
use crate::report::report;
use crate::task::TaskWorks;
use crate::workqueue::drain;

/// All state of the kernel of one execution that is not in the objects of modelled code.
#[derive(Default)]
pub(crate) struct Kernel {
    pub(crate) arena: Arena,
    pub(crate) files: Option<FilesStruct>,
    pub(crate) task_works: TaskWorks,
    pub(crate) rcu: Option<Rcu>,
    /// Tasks that run work, until somebody has joined them.
    pub(crate) kworkers: Vec<JoinHandle>,
    /// Memory of freed files.
    pub(crate) filp_cache: Vec<Kptr<File>>,
    /// Sites that have warned once.
    pub(crate) warned: Vec<&'static std::panic::Location<'static>>,
    /// Faults that may still be injected.
    pub(crate) fault_budget: u32,
    pub(crate) ktime: u64,
    tasks: Vec<TaskData>,
    statics: Vec<(TypeId, Kptr<Erased>)>,
}

/// What the kernel knows of a task, apart from its code.
#[derive(Default)]
pub(crate) struct TaskData {
    pub(crate) context: Context,
    /// What wakers see of it, once it has slept.
    pub(crate) object: Option<Object>,
    pub(crate) irq_works: IrqWorks,
    /// Whether it is inside of an interrupt handler.
    pub(crate) in_irq: bool,
}

thread_local! {
    static KERNEL: RefCell<Kernel> = RefCell::default();
}

/// Runs `f` on the kernel of the execution that runs on this thread. Never held across an operation.
pub(crate) fn with<R>(f: impl FnOnce(&mut Kernel) -> R) -> R {
    KERNEL.with_borrow_mut(f)
}

/// Runs `f` on what the kernel knows of the current task.
pub(crate) fn with_task<R>(f: impl FnOnce(&mut TaskData) -> R) -> R {
    let task = explorer::current();
    with(|k| {
        if k.tasks.len() <= task.index() {
            k.tasks.resize_with(task.index() + 1, TaskData::default);
        }
        f(&mut k.tasks[task.index()])
    })
}

/// Begins an execution with an empty kernel. Called first by every model.
///
/// Whatever the last execution left (after a finding, tasks are abandoned where they stand) is dropped here.
pub fn boot() {
    crate::dep_map::begin();
    let old = with(std::mem::take);
    drop(old);
    let files = FilesStruct::new();
    let rcu = Rcu::new();
    with(|k| {
        k.files = Some(files);
        k.rcu = Some(rcu);
    });
}

/// Ends an execution: callbacks and work that are still pending run, then everything that was allocated must have
/// been freed (kmemleak), once every task has ended and every file has been closed.
pub fn shutdown() {
    drain();
    rcu_barrier();
    if let Some(leak) = with(|k| k.arena.leaks()) {
        report(leak);
    }
}

/// A module's static object: one an execution, made at its first use, which must be the first task's.
///
/// # Panics
/// When another task is the first to use it: what it creates would then have another identity from one interleaving
/// to the next. Let the model's body call the module's init function.
pub fn module_static<T: 'static>(init: impl FnOnce() -> T) -> Kptr<T> {
    let id = TypeId::of::<T>();
    let found = with(|k| k.statics.iter().find(|s| s.0 == id).map(|s| s.1));
    if let Some(found) = found {
        return found.container_of();
    }
    assert!(
        explorer::current() == TaskId::ROOT,
        "{} is used before it was initialised: call its module's init function after boot()",
        std::any::type_name::<T>()
    );
    let made = kstatic(init());
    with(|k| k.statics.push((id, made.erase())));
    made
}
