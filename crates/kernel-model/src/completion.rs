// SPDX-License-Identifier: GPL-2.0-only
//! `struct completion`: kernel/sched/completion.c, include/linux/completion.h.

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
    x.0.wait();
}

/// Makes the completion ready for reuse.
//= linux v7.3.4 include/linux/completion.h reinit_completion
#[track_caller]
pub fn reinit_completion(x: &Completion) {
    x.0.reinit();
}
