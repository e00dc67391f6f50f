// SPDX-License-Identifier: GPL-2.0-only
//! What happens at the border of kernel and user mode: task work, and the rule that no lock crosses it.

use explorer::TaskId;

use crate::report::{Report, Site, report};
use crate::world::with;

/// Work that a task does before it returns to user mode.
pub(crate) type TaskWork = Box<dyn FnOnce()>;

/// Pending task work, by task.
pub(crate) type TaskWorks = Vec<(TaskId, TaskWork)>;

/// Queues work for the current task's return to user mode.
///
/// In C: `task_work_add`, kernel/task_work.c.
pub(crate) fn task_work_add(work: TaskWork) {
    let task = explorer::current();
    with(|k| k.task_works.push((task, work)));
}

/// Runs the current task's pending work, newest first, as `task_work_run` does; work may queue work.
///
/// In C: `task_work_run`, kernel/task_work.c.
pub(crate) fn task_work_run() {
    let task = explorer::current();
    loop {
        let work = with(|k| {
            let last = k.task_works.iter().rposition(|(t, _)| *t == task)?;
            Some(k.task_works.remove(last).1)
        });
        match work {
            Some(work) => work(),
            None => return,
        }
    }
}

/// A system call: `f`, then what happens on the way back to user mode.
///
/// Reports locks that would be held there.
#[track_caller]
pub fn syscall<R>(name: &'static str, f: impl FnOnce() -> R) -> R {
    explorer::note(|| format!("{name}()"));
    let result = f();
    task_work_run();
    if explorer::held_count() > 0 && !explorer::aborting() {
        let what = format!(
            "lock held when returning to user space! ({}: {})",
            name,
            explorer::held_names().join(", ")
        );
        report(Report::Warning { what, at: Site::here() });
    }
    result
}

/// Sets how many faults the execution may still have: failing allocations, signals, reuse of freed files. 0 after
/// [`crate::boot`].
pub fn set_fault_budget(n: u32) {
    with(|k| k.fault_budget = n);
}

/// Whether something goes wrong here that may go wrong at any time. Both answers are explored while the execution's
/// fault budget lasts; then it does not. `what` is the word in traces.
pub fn fault(what: &str) -> bool {
    if with(|k| k.fault_budget) == 0 || explorer::choose(2) == 0 {
        return false;
    }
    with(|k| k.fault_budget -= 1);
    explorer::note(|| format!("fault: {what}"));
    true
}

/// Whether the allocation that is asked for now fails: a choice, while the execution's fault budget lasts.
pub fn fail_allocation() -> bool {
    fault("allocation fails")
}
