// SPDX-License-Identifier: GPL-2.0-only
//! What must hold, one file an invariant: the statement, the reason, the kernel's own rule, when it is checked, and
//! what breaks it.
//!
//! Invariants are general: none knows of a bug.

pub mod lock_order;
pub mod no_access_to_dead_bar;
pub mod no_deadlock;
pub mod no_use_after_free;
pub mod no_warning;
pub mod references_balance;
pub mod reset_restores_access;

/// An invariant.
#[derive(Debug)]
pub struct Invariant {
    /// Its name, e.g. `no-access-to-dead-bar`.
    pub name: &'static str,
    /// What holds, in one sentence.
    pub statement: &'static str,
    /// Why it must.
    pub why: &'static str,
    /// The kernel's own rule that says so.
    pub rule: &'static str,
    /// When it is checked.
    pub checked: &'static str,
    /// A revision, or a test of this crate, that breaks it.
    pub broken_by: &'static str,
}

/// All invariants, in reading order.
pub static INVARIANTS: &[&Invariant] = &[
    &no_access_to_dead_bar::INVARIANT,
    &reset_restores_access::INVARIANT,
    &references_balance::INVARIANT,
    &no_deadlock::INVARIANT,
    &lock_order::INVARIANT,
    &no_use_after_free::INVARIANT,
    &no_warning::INVARIANT,
];

/// The invariant of that name.
pub fn find(name: &str) -> Option<&'static Invariant> {
    INVARIANTS.iter().copied().find(|i| i.name == name)
}
