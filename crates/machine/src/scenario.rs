// SPDX-License-Identifier: GPL-2.0-only
//! Scenarios: tasks made of acts, with the result that is expected of each revision.

use std::cell::RefCell;
use std::collections::BTreeSet;

use vfio_pci::Revision;

/// What a scenario shows on a revision: its `Result:` line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expected {
    /// Every invariant holds in all of this many executions.
    Holds {
        /// Executions until the search is exhausted.
        executions: u64,
    },
    /// These invariants, and no others, are broken.
    Breaks {
        /// Names of invariants, sorted.
        invariants: &'static [&'static str],
        /// Executions until the search is exhausted.
        executions: u64,
    },
}

/// A scenario. One file each, see [`crate::scenarios`].
pub struct Scenario {
    /// Its name, e.g. `command-memory-against-map`.
    pub name: &'static str,
    /// One English sentence: what happens.
    pub sentence: &'static str,
    /// The `Result:` line of each revision, by name.
    pub results: &'static [(&'static str, Expected)],
    /// What must happen in at least one execution of each revision whose result is that it holds, so that the scenario
    /// cannot pass without having tried.
    pub sometimes: &'static [&'static str],
    /// Builds the world, runs the tasks, closes everything.
    pub run: fn(&'static Revision),
}

impl std::fmt::Debug for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scenario({})", self.name)
    }
}

impl Scenario {
    /// What is expected of a revision; `None` when the scenario says nothing of it.
    pub fn expected(&self, revision: &Revision) -> Option<Expected> {
        self.results.iter().find(|(name, _)| *name == revision.name).map(|(_, e)| *e)
    }
}

thread_local! {
    static REACHED: RefCell<BTreeSet<&'static str>> = const { RefCell::new(BTreeSet::new()) };
}

/// Notes that something happened, for [`Scenario::sometimes`]. Observes the search; no part of the model's state.
pub fn reach(what: &'static str) {
    REACHED.with_borrow_mut(|r| {
        if !r.contains(what) {
            r.insert(what);
        }
    });
}

/// What was reached since the last call.
pub(crate) fn take_reached() -> BTreeSet<&'static str> {
    REACHED.take()
}
