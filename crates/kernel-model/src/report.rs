// SPDX-License-Identifier: GPL-2.0-only
//! Findings as values, rendered in one place in the kernel's own words.

use std::fmt;
use std::panic::Location;

use explorer::TaskId;

use crate::world::with;

/// A task and a place in its code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Site {
    /// The task.
    pub task: TaskId,
    /// The place.
    pub at: &'static Location<'static>,
}

/// A finding. Recorded with [`report`]; the execution goes on, as a kernel that warns does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Report {
    /// KASAN: a freed object was dereferenced.
    UseAfterFree {
        /// The kernel's word: `slab-use-after-free` or `use-after-scope`.
        bug: &'static str,
        /// The structure.
        object: &'static str,
        /// The access.
        at: Site,
        /// Where the object came from.
        allocated: Site,
        /// Where it was freed.
        freed: Site,
    },
    /// KASAN: an array has no such element.
    OutOfBounds {
        /// The index.
        index: usize,
        /// The elements that there are.
        len: usize,
        /// The access.
        at: Site,
    },
    /// KASAN: an object was freed twice.
    DoubleFree {
        /// The structure.
        object: &'static str,
        /// The second free.
        at: Site,
        /// Where the object came from.
        allocated: Site,
        /// The first free.
        freed: Site,
    },
    /// KASAN: a null pointer was dereferenced.
    NullDeref {
        /// The pointer's C name.
        pointer: &'static str,
        /// The access.
        at: Site,
    },
    /// kmemleak: objects are left when everything has been closed.
    Leak {
        /// The structures and where they came from, in the order of allocation.
        objects: Vec<(&'static str, Site)>,
    },
    /// A reference count was used in a way that `refcount_t` warns about.
    Refcount {
        /// The kernel's words, e.g. `underflow; use-after-free.`
        what: &'static str,
        /// The counter's C name.
        counter: String,
        /// The operation.
        at: Site,
    },
    /// `WARN_ON` or a lockdep assertion.
    Warning {
        /// The condition, or what lockdep says of it.
        what: String,
        /// The place.
        at: Site,
    },
    /// A function that may sleep was called where sleeping is forbidden.
    Sleeping {
        /// The kernel's words.
        what: &'static str,
        /// The call.
        at: Site,
        /// Nesting of disabled preemption.
        in_atomic: u32,
        /// Nesting of disabled interrupts.
        irqs_disabled: u32,
        /// Nesting of RCU read sections.
        rcu_depth: u32,
        /// Where the context became atomic.
        since: Site,
    },
    /// lockdep: an order of locks that may deadlock.
    LockOrder {
        /// What lockdep prints, in several lines.
        text: String,
        /// The acquisition that showed it.
        at: &'static Location<'static>,
    },
    /// A device access reached a BAR that does not decode.
    DeadBar {
        /// What happened, in one sentence.
        what: String,
        /// What tells this violation from others: the path to the BAR and why it is dead, without numbers.
        kind: String,
    },
    /// A promise of the subsystem, checked by a scenario, was broken.
    Broken {
        /// The invariant's name.
        invariant: &'static str,
        /// What happened, in one sentence.
        what: String,
    },
}

impl Report {
    /// The name of the invariant that the report breaks.
    pub fn invariant(&self) -> &'static str {
        match self {
            Report::UseAfterFree { .. }
            | Report::OutOfBounds { .. }
            | Report::DoubleFree { .. }
            | Report::NullDeref { .. } => "no-use-after-free",
            Report::Leak { .. } | Report::Refcount { .. } => "references-balance",
            Report::Warning { .. } | Report::Sleeping { .. } => "no-warning",
            Report::LockOrder { .. } => "lock-order",
            Report::DeadBar { .. } => "no-access-to-dead-bar",
            Report::Broken { invariant, .. } => invariant,
        }
    }

    /// What makes two reports the same finding: the invariant, then what happened, without step numbers.
    pub fn key(&self) -> String {
        let what = match self {
            Report::UseAfterFree { object, at, .. } | Report::DoubleFree { object, at, .. } => {
                format!("{object} {}", at.at)
            }
            Report::NullDeref { pointer, at } => format!("{pointer} {}", at.at),
            Report::OutOfBounds { at, .. } => format!("out of bounds {}", at.at),
            Report::Leak { objects } => {
                objects.iter().map(|(object, site)| format!("{object} {} ", site.at)).collect()
            }
            Report::Refcount { what, counter, at } => format!("{what} {counter} {}", at.at),
            Report::Warning { what, at } => format!("{what} {}", at.at),
            Report::Sleeping { what, at, since, .. } => format!("{what} {} {}", at.at, since.at),
            Report::LockOrder { text, at } => format!("{} {at}", text.lines().nth(1).unwrap_or_default()),
            Report::DeadBar { kind, .. } => kind.clone(),
            Report::Broken { what, .. } => what.clone(),
        };
        format!("{}\n{what}", self.invariant())
    }
}

/// The invariant that a finding with this key breaks; `None` for findings of the explorer itself.
pub fn invariant_of_key(key: &str) -> Option<&str> {
    key.split_once('\n').map(|(invariant, _)| invariant)
}

/// A place as readers see it: file and line.
struct Place(Site);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.0.at.file();
        let short = file.rsplit_once("/src/").map_or(file, |(_, f)| f);
        write!(f, "{short}:{}", self.0.at.line())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Report::UseAfterFree { bug, object, at, allocated, freed } => write!(
                f,
                "BUG: KASAN: {bug} in {} ({object}); allocated at {}, freed at {}",
                Place(*at),
                Place(*allocated),
                Place(*freed)
            ),
            Report::DoubleFree { object, at, allocated, freed } => write!(
                f,
                "BUG: KASAN: double-free in {} ({object}); allocated at {}, freed at {}",
                Place(*at),
                Place(*allocated),
                Place(*freed)
            ),
            Report::NullDeref { pointer, at } => {
                write!(f, "BUG: KASAN: null-ptr-deref in {} ({pointer})", Place(*at))
            }
            Report::OutOfBounds { index, len, at } => {
                write!(f, "BUG: KASAN: slab-out-of-bounds in {} (element {index} of {len})", Place(*at))
            }
            Report::Leak { objects } => {
                let list =
                    |(object, site): &(&str, Site)| format!("{object} (allocated at {})", Place(*site));
                let list: Vec<String> = objects.iter().map(list).collect();
                write!(f, "kmemleak: {} unreferenced objects: {}", objects.len(), list.join(", "))
            }
            Report::Refcount { what, counter, at } => {
                write!(f, "refcount_t: {what} ({counter} at {})", Place(*at))
            }
            Report::Warning { what, at } => write!(f, "WARNING: {what} at {}", Place(*at)),
            Report::Sleeping { what, at, in_atomic, irqs_disabled, rcu_depth, since } => write!(
                f,
                "BUG: {what} at {}; in_atomic(): {in_atomic}, irqs_disabled(): {irqs_disabled}, RCU nest depth: \
                 {rcu_depth}; preemption disabled at {}",
                Place(*at),
                Place(*since)
            ),
            Report::LockOrder { text, .. } => f.write_str(text.trim()),
            Report::DeadBar { what, .. } | Report::Broken { what, .. } => f.write_str(what),
        }
    }
}

/// Records a finding of the execution that runs.
#[expect(clippy::needless_pass_by_value, reason = "a report is made to be given away")]
pub fn report(r: Report) {
    if !explorer::aborting() {
        explorer::report(r.key(), r.to_string());
    }
}

/// Adds words to the trace of a replay.
#[inline]
pub fn pr_note(text: impl FnOnce() -> String) {
    explorer::note(text);
}

/// Warns if the condition holds, and says whether it does.
///
/// In C: `WARN_ON`, include/asm-generic/bug.h.
#[expect(non_snake_case, reason = "the C name")]
#[track_caller]
pub fn WARN_ON(condition: bool, what: &str) -> bool {
    if condition {
        report(Report::Warning { what: what.to_string(), at: Site::here() });
    }
    condition
}

/// As [`WARN_ON`], but warns only the first time at each place.
///
/// In C: `WARN_ON_ONCE`, include/asm-generic/bug.h.
#[expect(non_snake_case, reason = "the C name")]
#[track_caller]
pub fn WARN_ON_ONCE(condition: bool, what: &str) -> bool {
    if condition {
        let here = Site::here();
        let first = with(|k| {
            let first = !k.warned.contains(&here.at);
            if first {
                k.warned.push(here.at);
            }
            first
        });
        if first {
            report(Report::Warning { what: what.to_string(), at: here });
        }
    }
    condition
}
