// SPDX-License-Identifier: GPL-2.0-only
//! Workqueues: include/linux/workqueue.h, kernel/workqueue.c.
//!
//! The guarantee: work that is queued while it is not pending runs once more, and never twice at the same time; when
//! `flush_work` returns, the last instance that was queued before has ended; when `cancel_work_sync` returns, it
//! neither runs nor is pending.
//!
//! A kworker is a task: each instance of work that is queued has one. Different work runs concurrently.

use explorer::{Mode, Object, ObjectClass, OpInfo};

use crate::arena::Kptr;
use crate::preempt::might_sleep;
use crate::report::{Report, Site, report};
use crate::world::with;

const QUEUE: u8 = 0;
const START: u8 = 1;
const FINISH: u8 = 2;
const FLUSH: u8 = 3;
const CANCEL: u8 = 4;
const IDLE: u8 = 5;

const EVERY: u16 = 0b11_1111;

const PENDING: usize = 0;
const RUNNING: usize = 1;
const CANCELING: usize = 2;

/// State: word 0 is 1 while the work is pending, word 1 while it runs, word 2 counts those who cancel it.
static CLASS: ObjectClass = ObjectClass {
    name: "work",
    ops: &[
        OpInfo::new("queue_work").conflicts(EVERY),
        OpInfo::new("process_one_work").conflicts(EVERY).blocking(),
        OpInfo::new("work done").conflicts(EVERY),
        OpInfo::new("flush_work").conflicts(EVERY).blocking(),
        OpInfo::new("cancel_work_sync").conflicts(EVERY),
        OpInfo::new("cancel_work_sync (wait)").conflicts(EVERY).blocking(),
    ],
    enabled: |s, _, op| match op.kind {
        FLUSH => s[PENDING] == 0 && s[RUNNING] == 0,
        _ => s[RUNNING] == 0,
    },
};

/// Work, member of something larger.
///
/// In C: `work_struct`, include/linux/workqueue.h.
#[derive(Debug)]
pub struct WorkStruct {
    object: Object,
    func: fn(Kptr<WorkStruct>),
    name: &'static str,
}

/// Initialises work; `name` is what its kworker is called.
///
/// In C: `INIT_WORK`, include/linux/workqueue.h.
#[expect(non_snake_case, reason = "the C name")]
pub fn INIT_WORK(name: &'static str, func: fn(Kptr<WorkStruct>)) -> WorkStruct {
    WorkStruct { object: explorer::create(&CLASS, name, [0; 4]), func, name }
}

/// Queues work; `false`: it was pending already, or is being cancelled.
///
/// Context: any.
///
/// In C: `queue_work`, include/linux/workqueue.h.
#[track_caller]
pub fn queue_work(work: Kptr<WorkStruct>) -> bool {
    explorer::step(CLASS.op(work.object, QUEUE, 0));
    let queued = explorer::update(work.object, |s| {
        let may = s[PENDING] == 0 && s[CANCELING] == 0;
        s[PENDING] |= u64::from(may);
        may
    });
    if queued {
        explorer::publish(work.object);
        let (object, func) = (work.object, work.func);
        let kworker =
            explorer::spawn(format!("kworker/{}", work.name), move || process_one_work(work, object, func));
        with(|k| k.kworkers.push(kworker));
    }
    queued
}

/// Runs one instance, unless it was cancelled before it began.
///
/// In C: `process_one_work`, kernel/workqueue.c.
#[track_caller]
fn process_one_work(work: Kptr<WorkStruct>, object: Object, func: fn(Kptr<WorkStruct>)) {
    explorer::step(CLASS.op(object, START, 0));
    let pending = explorer::update(object, |s| {
        s[RUNNING] = s[PENDING];
        std::mem::take(&mut s[PENDING]) != 0
    });
    if !pending {
        return;
    }
    explorer::observe(object);
    func(work);
    if explorer::held_count() > 0 && !explorer::aborting() {
        let what = format!("BUG: workqueue leaked lock: {}", explorer::held_names().join(", "));
        report(Report::Warning { what, at: Site::here() });
    }
    // The work may have freed itself: only what the workqueue keeps is touched.
    explorer::step(CLASS.op(object, FINISH, 0));
    explorer::publish(object);
    explorer::update(object, |s| s[RUNNING] = 0);
}

/// Waits until the work is neither pending nor running.
///
/// Context: process; may sleep.
///
/// In C: `flush_work`, kernel/workqueue.c.
#[track_caller]
pub fn flush_work(work: Kptr<WorkStruct>) {
    might_sleep();
    explorer::step(CLASS.op(work.object, FLUSH, 0));
    wait_done(work.object);
}

/// Takes the work off its queue and waits until it does not run; it cannot be queued meanwhile. Says whether it was
/// pending.
///
/// Context: process; may sleep. Not from the work itself: that would wait for itself.
///
/// In C: `cancel_work_sync`, kernel/workqueue.c.
#[track_caller]
pub fn cancel_work_sync(work: Kptr<WorkStruct>) -> bool {
    might_sleep();
    explorer::step(CLASS.op(work.object, CANCEL, 0));
    let was_pending = explorer::update(work.object, |s| {
        s[CANCELING] += 1;
        std::mem::take(&mut s[PENDING]) != 0
    });
    explorer::step(CLASS.op(work.object, IDLE, 0));
    explorer::update(work.object, |s| s[CANCELING] -= 1);
    wait_done(work.object);
    was_pending
}

/// What the work did is in the past.
fn wait_done(object: Object) {
    explorer::acquired(object, Mode::Exclusive);
    explorer::released(object, Mode::Exclusive, "work is idle");
}

/// Waits until all kworkers have ended: the end of an execution.
pub(crate) fn drain() {
    loop {
        let Some(kworker) = with(|k| k.kworkers.pop()) else { return };
        kworker.join();
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_class_is_valid() {
        super::CLASS.validate().unwrap();
    }
}
