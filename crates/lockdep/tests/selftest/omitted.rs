// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the kernel's table has and this one has not.

/// A row, or a group of rows, with the number of its tests.
pub(crate) struct Omitted {
    pub(crate) name: &'static str,
    pub(crate) count: usize,
    pub(crate) reason: &'static str,
}

const IRQ: &str =
    "needs interrupt contexts: a lock is taken in a hard or soft interrupt, or with interrupts off";
const RT: &str = "needs rt_mutex: the last column of the first nine rows";
const LOCAL: &str =
    "needs interrupt contexts: each pattern turns on a local_lock being taken with interrupts on";

pub(crate) const OMITTED: &[Omitted] = &[
    Omitted { name: "rtmutex column", count: 9, reason: RT },
    Omitted { name: "irqs-on + irq-safe-A", count: 12, reason: IRQ },
    Omitted { name: "sirq-safe-A => hirqs-on", count: 6, reason: IRQ },
    Omitted { name: "safe-A + irqs-on", count: 12, reason: IRQ },
    Omitted { name: "safe-A + unsafe-B #1", count: 36, reason: IRQ },
    Omitted { name: "safe-A + unsafe-B #2", count: 36, reason: IRQ },
    Omitted { name: "irq lock-inversion", count: 36, reason: IRQ },
    Omitted { name: "irq read-recursion", count: 24, reason: IRQ },
    Omitted { name: "irq read-recursion #2", count: 24, reason: IRQ },
    Omitted { name: "irq read-recursion #3", count: 24, reason: IRQ },
    Omitted { name: "hardirq read-lock/lock-read", count: 1, reason: IRQ },
    Omitted { name: "hardirq lock-read/read-lock", count: 1, reason: IRQ },
    Omitted { name: "hardirq inversion", count: 1, reason: IRQ },
    Omitted { name: "in hardirq context", count: 4, reason: IRQ },
    Omitted { name: "in hardirq context (not threaded)", count: 4, reason: IRQ },
    Omitted { name: "in softirq context", count: 4, reason: IRQ },
    Omitted { name: "local_lock inversion  2", count: 1, reason: LOCAL },
    Omitted { name: "local_lock inversion 3A", count: 1, reason: LOCAL },
    Omitted { name: "local_lock inversion 3B", count: 1, reason: LOCAL },
    Omitted { name: "hardirq_unsafe_softirq_safe", count: 1, reason: IRQ },
];
