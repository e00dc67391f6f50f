// SPDX-License-Identifier: GPL-2.0-only
//! `struct irq_work`: kernel/irq_work.c. Work that runs in hard interrupt context, soon.
//!
//! The interrupt is the queueing CPU's own: the work runs in the task that queued it, as soon as that has interrupts
//! on, which is at once if they are.

use crate::preempt::{preempt_disable, preempt_enable};
use crate::world::with_task;

/// Pending work of one CPU.
pub(crate) type IrqWorks = Vec<Box<dyn FnOnce()>>;

/// Queues `func` for the next moment at which the current task has interrupts on.
///
/// Context: any.
///
/// In C: `irq_work_queue`, kernel/irq_work.c.
pub fn irq_work_queue(func: impl FnOnce() + 'static) {
    with_task(|t| t.irq_works.push(Box::new(func)));
    irq_work_run();
}

/// Takes the interrupt, if it may come now: runs what is pending, oldest first.
///
/// In C: `irq_work_run`, kernel/irq_work.c.
#[track_caller]
pub(crate) fn irq_work_run() {
    loop {
        let work = with_task(|t| {
            let may = t.context.irqs_disabled == 0 && !t.in_irq && !t.irq_works.is_empty();
            may.then(|| {
                t.in_irq = true;
                t.irq_works.remove(0)
            })
        });
        let Some(work) = work else { return };
        preempt_disable();
        work();
        preempt_enable();
        with_task(|t| t.in_irq = false);
    }
}
