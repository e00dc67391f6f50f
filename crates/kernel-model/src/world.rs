// SPDX-License-Identifier: GPL-2.0-only
//! One kernel an execution: its memory, its processes' file tables, what has been warned about.

use std::cell::RefCell;

use crate::arena::Arena;
use crate::file::FilesStruct;
use crate::report::report;
use crate::task::TaskWorks;

/// All state of the kernel of one execution that is not in the objects of modelled code.
#[derive(Default)]
pub(crate) struct Kernel {
    pub(crate) arena: Arena,
    pub(crate) files: Option<FilesStruct>,
    pub(crate) task_works: TaskWorks,
    /// Sites that have warned once.
    pub(crate) warned: Vec<&'static std::panic::Location<'static>>,
}

thread_local! {
    static KERNEL: RefCell<Kernel> = RefCell::default();
}

/// Runs `f` on the kernel of the execution that runs on this thread. Never held across an operation.
pub(crate) fn with<R>(f: impl FnOnce(&mut Kernel) -> R) -> R {
    KERNEL.with_borrow_mut(f)
}

/// Begins an execution with an empty kernel. Called first by every model.
///
/// Whatever the last execution left (after a finding, tasks are abandoned where they stand) is dropped here.
pub fn boot() {
    let old = with(std::mem::take);
    drop(old);
    let files = FilesStruct::new();
    with(|k| k.files = Some(files));
}

/// Ends an execution: everything that was allocated must have been freed (kmemleak), once every task has ended and
/// every file has been closed.
pub fn shutdown() {
    if let Some(leak) = with(|k| k.arena.leaks()) {
        report(leak);
    }
}
