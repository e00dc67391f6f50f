// SPDX-License-Identifier: GPL-2.0-only
//! `struct completion`: kernel/sched/completion.c, include/linux/completion.h.

use crate::errno::{ERESTARTSYS, KResult};
use crate::preempt::might_sleep;
use crate::task::fault;

/// A completion.
#[derive(Debug)]
pub struct Completion(explorer::sync::Completion);

/// Initialises a completion.
//= linux v7.3.4 include/linux/completion.h init_completion
pub fn init_completion(name: &'static str) -> Completion {
    Completion(explorer::sync::Completion::new(name))
}

/// Signals a single waiter.
///
/// In C: `complete`, kernel/sched/completion.c.
#[track_caller]
pub fn complete(x: &Completion) {
    x.0.complete();
}

/// Waits for the completion, uninterruptibly and without a timeout.
///
/// In C: `wait_for_completion`, kernel/sched/completion.c.
#[track_caller]
pub fn wait_for_completion(x: &Completion) {
    might_sleep();
    x.0.wait();
}

/// Waits for the completion, unless a signal comes before.
///
/// # Errors
/// `ERESTARTSYS`: the fault budget had a signal come while nothing was completed.
///
/// In C: `wait_for_completion_interruptible`, kernel/sched/completion.c.
#[track_caller]
pub fn wait_for_completion_interruptible(x: &Completion) -> KResult {
    might_sleep();
    if !fault("signal") {
        x.0.wait();
    } else if !x.0.try_wait() {
        return Err(ERESTARTSYS);
    }
    Ok(())
}

/// Waits for the completion, unless a fatal signal comes before.
///
/// # Errors
/// `ERESTARTSYS`.
///
/// In C: `wait_for_completion_killable`, kernel/sched/completion.c.
#[track_caller]
pub fn wait_for_completion_killable(x: &Completion) -> KResult {
    wait_for_completion_interruptible(x)
}

/// Waits for the completion for a limited time; says whether it came.
///
/// The time runs out when the scheduler lets the wait end before the completion.
///
/// In C: `wait_for_completion_timeout`, kernel/sched/completion.c.
#[track_caller]
pub fn wait_for_completion_timeout(x: &Completion) -> bool {
    might_sleep();
    x.0.try_wait()
}

/// Signals everybody who waits, and who ever will.
///
/// In C: `complete_all`, kernel/sched/completion.c.
#[track_caller]
pub fn complete_all(x: &Completion) {
    x.0.complete_all();
}

/// Makes the completion ready for reuse.
//= linux v7.3.4 include/linux/completion.h reinit_completion
#[track_caller]
pub fn reinit_completion(x: &Completion) {
    x.0.reinit();
}
