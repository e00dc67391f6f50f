// SPDX-License-Identifier: GPL-2.0-only
//! Atomic context: include/linux/preempt.h, and `might_sleep` of kernel/sched/core.c.
//!
//! The guarantee: whoever sleeps while a spinlock is held, interrupts are off or a read section is open is reported,
//! with the place that made the context atomic. Each task runs on a CPU of its own, so that a disabled interrupt is a
//! property of the task; what comes by interrupt waits until the task enables them again ([`irq_work`]).
//!
//! [`irq_work`]: crate::irq_work

use crate::report::{Report, Site, report};
use crate::world::with_task;

/// What makes the context of a task atomic.
#[derive(Default)]
pub(crate) struct Context {
    /// Nesting of what forbids preemption: spinlocks, interrupt handlers.
    pub(crate) preempt_count: u32,
    /// Nesting of disabled interrupts.
    pub(crate) irqs_disabled: u32,
    /// Nesting of RCU read sections.
    pub(crate) rcu_read_depth: u32,
    /// Where preemption was disabled, or the outermost read section began.
    pub(crate) since: Option<Site>,
}

impl Context {
    fn is_atomic(&self) -> bool {
        self.preempt_count + self.irqs_disabled + self.rcu_read_depth > 0
    }

    /// Called before the context becomes atomic for one more reason.
    pub(crate) fn enter(&mut self, at: Site) {
        if !self.is_atomic() {
            self.since = Some(at);
        }
    }
}

/// Forbids preemption; nests.
///
/// In C: `preempt_disable`, include/linux/preempt.h.
#[track_caller]
pub fn preempt_disable() {
    let at = Site::here();
    with_task(|t| {
        t.context.enter(at);
        t.context.preempt_count += 1;
    });
}

/// Allows preemption again; one too many is reported.
///
/// In C: `preempt_enable`, include/linux/preempt.h.
#[track_caller]
pub fn preempt_enable() {
    let balanced = with_task(|t| match t.context.preempt_count.checked_sub(1) {
        Some(n) => {
            t.context.preempt_count = n;
            true
        }
        None => false,
    });
    if !balanced {
        let what = "preempt_enable() without preempt_disable()".to_string();
        report(Report::Warning { what, at: Site::here() });
    }
}

/// Whether the current task must not sleep, RCU read sections left aside.
///
/// In C: `in_atomic`, include/linux/preempt.h.
pub fn in_atomic() -> bool {
    with_task(|t| t.context.preempt_count > 0)
}

/// Whether the current task has interrupts off.
///
/// In C: `irqs_disabled`, include/linux/irqflags.h.
pub fn irqs_disabled() -> bool {
    with_task(|t| t.context.irqs_disabled > 0)
}

/// Says that the caller may sleep; a report if it must not.
///
/// In C: `might_sleep`, include/linux/kernel.h.
#[track_caller]
pub fn might_sleep() {
    sleeps("sleeping function called from invalid context");
}

/// As [`might_sleep`], for the scheduler itself.
#[track_caller]
pub(crate) fn schedules() {
    sleeps("scheduling while atomic");
}

#[track_caller]
fn sleeps(what: &'static str) {
    let atomic = with_task(|t| {
        let c = &t.context;
        c.is_atomic().then_some((c.preempt_count, c.irqs_disabled, c.rcu_read_depth, c.since))
    });
    if let Some((in_atomic, irqs_disabled, rcu_depth, since)) = atomic {
        let at = Site::here();
        report(Report::Sleeping {
            what,
            at,
            in_atomic,
            irqs_disabled,
            rcu_depth,
            since: since.unwrap_or(at),
        });
    }
}
