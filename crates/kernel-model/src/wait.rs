// SPDX-License-Identifier: GPL-2.0-only
//! Wait queues: kernel/sched/wait.c, include/linux/wait.h.
//!
//! A waiter puts itself on the queue and sets its state before it tests its condition, as
//! [`wait_event`](crate::wait_event) does; a wake-up that comes at any time after that is not lost. Code that tests
//! first loses it, and the search finds the hung task.

use std::cell::RefCell;

use crate::errno::KResult;
use crate::sched::{
    TASK_INTERRUPTIBLE, TASK_KILLABLE, TASK_NORMAL, TASK_RUNNING, TASK_UNINTERRUPTIBLE, TaskState,
    TaskStruct, current, set_current_state, signal_may_come, wake_up_state,
};
use crate::spinlock::{SpinlockT, spin_lock_init, spin_lock_irqsave, spin_unlock_irqrestore};

/// A queue of tasks that wait.
///
/// In C: `wait_queue_head_t`, include/linux/wait.h.
#[derive(Debug)]
pub struct WaitQueueHead {
    /// Protects the queue; others use it for their own condition, as eventfd does.
    pub lock: SpinlockT,
    entries: RefCell<Vec<Entry>>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    task: TaskStruct,
    exclusive: bool,
}

/// Initialises a wait queue; `name` is the class of its lock.
///
/// In C: `init_waitqueue_head`, include/linux/wait.h.
pub fn init_waitqueue_head(name: &'static str) -> WaitQueueHead {
    WaitQueueHead { lock: spin_lock_init(name), entries: RefCell::new(Vec::new()) }
}

fn enqueue(wq: &WaitQueueHead, exclusive: bool) {
    let task = current();
    let mut entries = wq.entries.borrow_mut();
    if entries.iter().any(|e| e.task == task) {
        return;
    }
    // Exclusive waiters stand at the end, so that a wake-up reaches all others first.
    let at = if exclusive { entries.len() } else { 0 };
    entries.insert(at, Entry { task, exclusive });
}

/// Puts the current task on the queue and sets its state.
///
/// In C: `prepare_to_wait`, kernel/sched/wait.c.
#[track_caller]
pub fn prepare_to_wait(wq: &WaitQueueHead, state: TaskState) {
    prepare(wq, state, false);
}

/// As [`prepare_to_wait`], for a waiter of which one wake-up wakes one.
///
/// In C: `prepare_to_wait_exclusive`, kernel/sched/wait.c.
#[track_caller]
pub fn prepare_to_wait_exclusive(wq: &WaitQueueHead, state: TaskState) {
    prepare(wq, state, true);
}

#[track_caller]
fn prepare(wq: &WaitQueueHead, state: TaskState, exclusive: bool) {
    spin_lock_irqsave(&wq.lock);
    enqueue(wq, exclusive);
    set_current_state(state);
    spin_unlock_irqrestore(&wq.lock);
}

/// Takes the current task off the queue; it runs.
///
/// In C: `finish_wait`, kernel/sched/wait.c.
#[track_caller]
pub fn finish_wait(wq: &WaitQueueHead) {
    set_current_state(TASK_RUNNING);
    spin_lock_irqsave(&wq.lock);
    let task = current();
    wq.entries.borrow_mut().retain(|e| e.task != task);
    spin_unlock_irqrestore(&wq.lock);
}

/// Begins a wait in `state`, after a signal that may have come.
///
/// # Errors
/// `ERESTARTSYS` for a signal that ends such a wait; the task is off the queue then.
///
/// In C: `prepare_to_wait_event`, kernel/sched/wait.c.
#[track_caller]
pub fn prepare_to_wait_event(wq: &WaitQueueHead, state: TaskState) -> KResult {
    let interrupted = signal_may_come(state);
    if interrupted.is_err() {
        finish_wait(wq);
        return interrupted;
    }
    prepare_to_wait(wq, state);
    Ok(())
}

/// Wakes everybody who waits, and one exclusive waiter.
///
/// In C: `wake_up`, include/linux/wait.h.
#[track_caller]
pub fn wake_up(wq: &WaitQueueHead) {
    spin_lock_irqsave(&wq.lock);
    wake(wq, 1, TASK_NORMAL);
    spin_unlock_irqrestore(&wq.lock);
}

/// Wakes everybody who waits.
///
/// In C: `wake_up_all`, include/linux/wait.h.
#[track_caller]
pub fn wake_up_all(wq: &WaitQueueHead) {
    spin_lock_irqsave(&wq.lock);
    wake(wq, 0, TASK_NORMAL);
    spin_unlock_irqrestore(&wq.lock);
}

/// Wakes everybody whose wait is interruptible, and one exclusive waiter.
///
/// In C: `wake_up_interruptible`, include/linux/wait.h.
#[track_caller]
pub fn wake_up_interruptible(wq: &WaitQueueHead) {
    spin_lock_irqsave(&wq.lock);
    wake(wq, 1, TASK_INTERRUPTIBLE);
    spin_unlock_irqrestore(&wq.lock);
}

/// As [`wake_up`], for a caller that holds the queue's lock.
///
/// In C: `wake_up_locked`, include/linux/wait.h.
#[track_caller]
pub fn wake_up_locked(wq: &WaitQueueHead) {
    wake(wq, 1, TASK_NORMAL);
}

/// Walks the queue, whose lock is held; ends after `exclusive` exclusive waiters have been woken, if that is not 0.
///
/// In C: `__wake_up_common`, kernel/sched/wait.c.
#[track_caller]
fn wake(wq: &WaitQueueHead, exclusive: u32, state: TaskState) {
    let entries = wq.entries.borrow().clone();
    let mut left = exclusive;
    for entry in entries {
        if wake_up_state(entry.task, state) {
            // autoremove_wake_function()
            wq.entries.borrow_mut().retain(|e| e.task != entry.task);
            if entry.exclusive {
                left = left.wrapping_sub(1);
                if left == 0 {
                    return;
                }
            }
        }
    }
}

/// Whether anybody waits. The caller holds the lock, or knows why it needs not.
///
/// In C: `waitqueue_active`, include/linux/wait.h.
pub fn waitqueue_active(wq: &WaitQueueHead) -> bool {
    !wq.entries.borrow().is_empty()
}

/// A wait that only a wake-up ends.
pub const UNINTERRUPTIBLE: TaskState = TASK_UNINTERRUPTIBLE;
/// A wait that any signal ends.
pub const INTERRUPTIBLE: TaskState = TASK_INTERRUPTIBLE;
/// A wait that a fatal signal ends.
pub const KILLABLE: TaskState = TASK_KILLABLE;

/// Waits in a state until a condition holds; what the `wait_event` macros share.
///
/// In C: `___wait_event`, include/linux/wait.h.
#[macro_export]
macro_rules! ___wait_event {
    ($wq:expr, $condition:expr, $state:expr) => {{
        $crate::preempt::might_sleep();
        let wq = $wq;
        if $condition {
            Ok(())
        } else {
            loop {
                let interrupted = $crate::wait::prepare_to_wait_event(wq, $state);
                if $condition {
                    $crate::wait::finish_wait(wq);
                    break Ok(());
                }
                if let Err(signal) = interrupted {
                    break Err(signal);
                }
                $crate::sched::schedule();
            }
        }
    }};
}

/// Waits until the condition holds.
///
/// In C: `wait_event`, include/linux/wait.h.
#[macro_export]
macro_rules! wait_event {
    ($wq:expr, $condition:expr) => {{
        let done: $crate::errno::KResult =
            $crate::___wait_event!($wq, $condition, $crate::wait::UNINTERRUPTIBLE);
        debug_assert!(done.is_ok(), "an uninterruptible wait was interrupted");
    }};
}

/// Waits until the condition holds or a signal comes: then `ERESTARTSYS`.
///
/// In C: `wait_event_interruptible`, include/linux/wait.h.
#[macro_export]
macro_rules! wait_event_interruptible {
    ($wq:expr, $condition:expr) => {
        $crate::___wait_event!($wq, $condition, $crate::wait::INTERRUPTIBLE)
    };
}

/// Waits until the condition holds or a fatal signal comes: then `ERESTARTSYS`.
///
/// In C: `wait_event_killable`, include/linux/wait.h.
#[macro_export]
macro_rules! wait_event_killable {
    ($wq:expr, $condition:expr) => {
        $crate::___wait_event!($wq, $condition, $crate::wait::KILLABLE)
    };
}
