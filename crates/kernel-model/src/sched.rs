// SPDX-License-Identifier: GPL-2.0-only
//! Sleeping and waking: task states, `schedule`, `wake_up_state`, signals (include/linux/sched.h, kernel/sched/core.c).
//!
//! The guarantee is the kernel's: a task that has set its state, tested its condition and found it false does not
//! sleep through a wake-up that came after it set the state. A task that tests first and sets its state afterwards
//! may; the search finds that as a hung task.
//!
//! Time: a sleep with a timeout ends when the task is woken or when the scheduler lets it go on before that, and then
//! its time has run out. Both are explored wherever they differ.

use explorer::{Object, ObjectClass, OpInfo, TaskId};

use crate::errno::{ERESTARTSYS, KResult};
use crate::preempt::schedules;
use crate::task::fault;
use crate::world::with_task;

/// A state of a task, and a set of states for [`wake_up_state`].
pub type TaskState = u64;

/// The task runs.
pub const TASK_RUNNING: TaskState = 0;
/// Sleeps until it is woken or a signal comes.
pub const TASK_INTERRUPTIBLE: TaskState = 1;
/// Sleeps until it is woken.
pub const TASK_UNINTERRUPTIBLE: TaskState = 2;
/// With `TASK_UNINTERRUPTIBLE`: fatal signals wake it all the same.
pub const TASK_WAKEKILL: TaskState = 0x100;
/// Sleeps until it is woken or a fatal signal comes.
pub const TASK_KILLABLE: TaskState = TASK_WAKEKILL | TASK_UNINTERRUPTIBLE;
/// What an ordinary wake-up wakes.
pub const TASK_NORMAL: TaskState = TASK_INTERRUPTIBLE | TASK_UNINTERRUPTIBLE;

/// A sleep without a timeout.
pub const MAX_SCHEDULE_TIMEOUT: i64 = i64::MAX;

/// A second, in ticks of the modelled clock.
pub const HZ: i64 = 100;

const STATE: usize = 0;
const SIGNALS: usize = 1;

/// A signal is pending; it is fatal.
const SIGPENDING: u64 = 1;
const SIGFATAL: u64 = 2;

const SET: u8 = 0;
const SCHEDULE: u8 = 1;
const TIMEOUT: u8 = 2;
const TEST: u8 = 3;
const WAKE: u8 = 4;
const SIGNAL: u8 = 5;

const OWN: u16 = 1 << SET | 1 << SCHEDULE | 1 << TIMEOUT;
const OTHERS: u16 = 1 << WAKE | 1 << SIGNAL;

/// State word 0: the task's state; word 1: its pending signals. The first four kinds are the task's own.
static CLASS: ObjectClass = ObjectClass {
    name: "task",
    ops: &[
        OpInfo::new("set_current_state").conflicts(OTHERS),
        OpInfo::new("schedule").conflicts(OTHERS).blocking(),
        OpInfo::new("schedule_timeout").conflicts(OTHERS),
        OpInfo::new("signal_pending").conflicts(1 << SIGNAL),
        OpInfo::new("wake_up_state").conflicts(OWN | OTHERS),
        OpInfo::new("send_sig").conflicts(OWN | OTHERS | 1 << TEST),
    ],
    enabled: |s, _, _| runnable(s[STATE], s[SIGNALS]),
};

/// Whether a task in this state goes on: it has been woken, or a signal keeps it from sleeping.
fn runnable(state: TaskState, signals: u64) -> bool {
    state == TASK_RUNNING || signal_pending_state(state, signals)
}

//= linux v7.3.4 include/linux/sched/signal.h signal_pending_state
fn signal_pending_state(state: TaskState, signals: u64) -> bool {
    if state & (TASK_INTERRUPTIBLE | TASK_WAKEKILL) == 0 || signals == 0 {
        return false;
    }
    state & TASK_INTERRUPTIBLE != 0 || signals & SIGFATAL != 0
}

/// A task, as those see it who wake it.
///
/// In C: `task_struct`, include/linux/sched.h.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TaskStruct {
    /// Its number.
    pub id: TaskId,
    object: Object,
}

/// The current task.
///
/// In C: `current`, include/asm-generic/current.h.
pub fn current() -> TaskStruct {
    let id = explorer::current();
    let object = match with_task(|t| t.object) {
        Some(object) => object,
        None => {
            let object = explorer::create(&CLASS, explorer::current_name(), [0; 4]);
            with_task(|t| t.object = Some(object));
            object
        }
    };
    TaskStruct { id, object }
}

/// Sets the current task's state, before it tests the condition that it would sleep for.
///
/// In C: `set_current_state`, include/linux/sched.h.
#[track_caller]
pub fn set_current_state(state: TaskState) {
    let task = current();
    explorer::step(CLASS.op(task.object, SET, 0));
    explorer::update(task.object, |s| s[STATE] = state);
}

/// Sleeps, if the task's state says so and nobody has woken it since it was set.
///
/// In C: `schedule`, kernel/sched/core.c.
#[track_caller]
pub fn schedule() {
    schedules();
    let task = current();
    explorer::step(CLASS.op(task.object, SCHEDULE, 0));
    explorer::update(task.object, |s| s[STATE] = TASK_RUNNING);
    explorer::observe(task.object);
}

/// As [`schedule`], for at most `timeout` ticks; gives those that are left, 0 when the time has run out.
///
/// In C: `schedule_timeout`, kernel/time/sleep_timeout.c.
#[track_caller]
pub fn schedule_timeout(timeout: i64) -> i64 {
    if timeout == MAX_SCHEDULE_TIMEOUT {
        schedule();
        return timeout;
    }
    schedules();
    let task = current();
    explorer::step(CLASS.op(task.object, TIMEOUT, 0));
    let woken = explorer::update(task.object, |s| {
        let woken = runnable(s[STATE], s[SIGNALS]);
        s[STATE] = TASK_RUNNING;
        woken
    });
    if woken {
        explorer::observe(task.object);
        timeout
    } else {
        0
    }
}

/// Wakes a task if it is in one of the states; says whether it was.
///
/// In C: `wake_up_state`, kernel/sched/core.c.
#[track_caller]
pub fn wake_up_state(p: TaskStruct, state: TaskState) -> bool {
    explorer::step(CLASS.op(p.object, WAKE, 0));
    explorer::publish(p.object);
    explorer::update(p.object, |s| {
        let sleeps = s[STATE] & state != 0;
        if sleeps {
            s[STATE] = TASK_RUNNING;
        }
        sleeps
    })
}

/// Wakes a task, whatever its sleep.
///
/// In C: `wake_up_process`, kernel/sched/core.c.
#[track_caller]
pub fn wake_up_process(p: TaskStruct) -> bool {
    wake_up_state(p, TASK_NORMAL)
}

/// Sends a signal to a task; a fatal one ends also sleeps that are only killable.
///
/// In C: `send_sig`, kernel/signal.c.
#[track_caller]
pub fn send_sig(p: TaskStruct, fatal: bool) {
    explorer::step(CLASS.op(p.object, SIGNAL, 0));
    explorer::publish(p.object);
    explorer::update(p.object, |s| s[SIGNALS] |= if fatal { SIGPENDING | SIGFATAL } else { SIGPENDING });
}

/// Whether the current task has a signal pending.
//= linux v7.3.4 include/linux/sched/signal.h signal_pending
#[track_caller]
pub fn signal_pending() -> bool {
    pending_signals() != 0
}

/// Whether the current task has a fatal signal pending.
//= linux v7.3.4 include/linux/sched/signal.h fatal_signal_pending
#[track_caller]
pub fn fatal_signal_pending() -> bool {
    pending_signals() & SIGFATAL != 0
}

#[track_caller]
fn pending_signals() -> u64 {
    let task = current();
    explorer::step(CLASS.op(task.object, TEST, 0));
    explorer::update(task.object, |s| s[SIGNALS])
}

/// A signal may come now, if the fault budget lasts. Called where an interruptible sleep begins.
#[track_caller]
pub fn signal_may_arrive() {
    if fault("signal") {
        send_sig(current(), true);
    }
}

/// A sleep in `state` begins: a signal may come now, if the state lets one in and the fault budget lasts. Says with
/// `ERESTARTSYS` that one is pending.
///
/// # Errors
/// `ERESTARTSYS`.
#[track_caller]
pub(crate) fn signal_may_come(state: TaskState) -> KResult {
    if state & (TASK_INTERRUPTIBLE | TASK_WAKEKILL) == 0 {
        return Ok(());
    }
    signal_may_arrive();
    let signals = pending_signals();
    if signal_pending_state(state, signals) { Err(ERESTARTSYS) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_class_is_valid() {
        super::CLASS.validate().unwrap();
    }
}
