// SPDX-License-Identifier: MIT OR Apache-2.0
//! The text of every report, in the layout and under the headings of the kernel.
//!
//! Where the kernel prints a stack trace, these reports print the one place that they know and the task that was
//! there. Where it prints a CPU or its own version, they print nothing.
//!
//! Source: linux v7.3.4 kernel/locking/lockdep.c, the functions `print_*_bug` and `print_lock`.

use crate::report::{Assertion, ClassLabel, Link, LockLine, Report, Scene, TaskName, WwRule};
use std::fmt::{self, Display, Formatter};

impl Display for TaskName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.comm, self.pid)
    }
}

impl ClassLabel {
    /// Name and subclass, as inside `lock(...)`.
    pub(crate) fn short(&self) -> String {
        let name = &self.key.name;
        if self.key.subclass == 0 { name.to_string() } else { format!("{name}/{}", self.key.subclass) }
    }
}

impl Display for ClassLabel {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (outer, inner) = (self.key.outer as u8, self.key.inner as u8);
        let outer = if outer == 0 { inner } else { outer };
        write!(f, "({}){{{}}}-{{{outer}:{inner}}}", self.short(), self.usage.chars())
    }
}

impl Display for LockLine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(id) = self.id {
            write!(f, "{:016x} ", id.0)?;
        }
        write!(f, "{}, at: {}", self.class, self.site)
    }
}

impl Display for Scene {
    /// The list of held locks.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let depth = self.locks.len();
        writeln!(f, "locks held by {}: {depth}{}", self.task, if depth > 0 { ":" } else { "" })?;
        for (i, lock) in self.locks.iter().enumerate() {
            writeln!(f, " #{i}: {lock}")?;
        }
        Ok(())
    }
}

/// A heading between its two rules, of the length that the kernel gives them.
fn heading(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    let width = text.len();
    writeln!(f, "{}\n{text}\n{}", "=".repeat(width), "-".repeat(width))
}

/// A heading of the kernel's `WARN()` family, which names a place.
fn warn(f: &mut Formatter<'_>, site: impl Display, scene: &Scene, text: &str) -> fmt::Result {
    writeln!(f, "WARNING: at {site}, by {}\n{text}", scene.task)
}

const OTHER_INFO: &str = "other info that might help us debug this:";

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let scene = self.scene();
        let task = &scene.task;
        match self {
            Report::Circular { wanted, held, chain, .. } => return circular(f, scene, wanted, held, chain),
            Report::Recursive { wanted, held, .. } => {
                heading(f, "WARNING: possible recursive locking detected")?;
                writeln!(f, "{task} is trying to acquire lock:\n{wanted}\n")?;
                writeln!(f, "but task is already holding lock:\n{held}\n\n{OTHER_INFO}")?;
                writeln!(f, " Possible unsafe locking scenario:\n\n       CPU0\n       ----")?;
                writeln!(f, "  lock({});\n  lock({});", held.class.short(), wanted.class.short())?;
                writeln!(f, "\n *** DEADLOCK ***\n\n May be due to missing lock nesting notation\n")?;
            }
            Report::InvalidWaitContext { wanted, context, .. } => {
                heading(f, "[ BUG: Invalid wait context ]")?;
                writeln!(f, "{task} is trying to lock:\n{wanted}\n{OTHER_INFO}")?;
                writeln!(f, "context-{{{context}:{context}}}")?;
            }
            Report::NestLockNotHeld { wanted, nest, .. } => {
                heading(f, "WARNING: Nested lock was not taken")?;
                writeln!(f, "{task} is trying to lock:\n{wanted}\n")?;
                writeln!(f, "but this task is not holding:\n{nest}\n\n{OTHER_INFO}")?;
            }
            Report::BadUnlock { lock, site, .. } => {
                heading(f, "WARNING: bad unlock balance detected!")?;
                writeln!(f, "{task} is trying to release lock ({lock}) at:\n{site}")?;
                writeln!(f, "but there are no more locks to release!\n\n{OTHER_INFO}")?;
            }
            Report::HeldLockFreed { from, to, lock, site, .. } => {
                heading(f, "WARNING: held lock freed!")?;
                let last = to.wrapping_sub(1);
                writeln!(
                    f,
                    "{task} is freeing memory {from:016x}-{last:016x}, with a lock still held there!"
                )?;
                writeln!(f, "{lock}\nfreed at: {site}")?;
            }
            Report::HeldOnReturnToUser { .. } => {
                heading(f, "WARNING: lock held when returning to user space!")?;
                writeln!(f, "{task} is leaving the kernel with locks still held!")?;
            }
            Report::StillHeld { .. } => heading(f, &format!("WARNING: {task} still has locks held!"))?,
            Report::TooDeep { .. } => {
                writeln!(f, "BUG: MAX_LOCK_DEPTH too low!")?;
                writeln!(f, "depth: {}  max: {}!", scene.locks.len(), crate::MAX_LOCK_DEPTH)?;
            }
            Report::AssertFailed { assertion, lock, site, .. } => {
                let name = match assertion {
                    Assertion::Held => "lockdep_assert_held",
                    Assertion::HeldWrite => "lockdep_assert_held_write",
                    Assertion::HeldRead => "lockdep_assert_held_read",
                    Assertion::NotHeld => "lockdep_assert_not_held",
                    Assertion::NoneHeld => "lockdep_assert_none_held_once",
                };
                warn(f, site, scene, &format!("{name}({lock})"))?;
            }
            Report::DowngradeOfRead { lock, site, .. } => {
                warn(f, site, scene, &format!("downgrading a read lock\n{lock}"))?;
            }
            Report::WwMisuse { rule, lock, site, .. } => {
                let (condition, meaning) = ww_text(*rule);
                warn(f, site, scene, &format!("DEBUG_LOCKS_WARN_ON({condition})\n{lock}: {meaning}"))?;
            }
        }
        write!(f, "{scene}")
    }
}

/// The condition that the kernel warns on, and in other words what it means.
fn ww_text(rule: WwRule) -> (&'static str, &'static str) {
    match rule {
        WwRule::ContextIsStale => ("ww->ctx", "the mutex still belongs to an acquire context"),
        WwRule::AcquireIsDone => ("ww_ctx->done_acquire", "the context said that it has taken all it needs"),
        WwRule::ContendedFirst => {
            ("ww_ctx->contending_lock != ww", "after -EDEADLK the contended mutex comes first")
        }
        WwRule::BackOffFirst => ("ww_ctx->acquired > 0", "after -EDEADLK everything else is unlocked first"),
        WwRule::OneClass => {
            ("ww_ctx->ww_class != ww->ww_class", "mutex and context are of different ww classes")
        }
        WwRule::FiniWhileHeld => ("ctx->acquired", "the context ends with mutexes held under it"),
        WwRule::UnlockUnbalanced => ("!lock->ctx->acquired", "the context of the mutex holds no mutex"),
        WwRule::SlowWithoutContention => {
            ("!ctx->contending_lock", "the slow path needs an -EDEADLK before it")
        }
        WwRule::ContendedTwice => {
            ("ww_ctx->contending_lock", "a second -EDEADLK before the first is resolved")
        }
    }
}

/// The existing chain in reverse order, then two CPUs that deadlock on it.
fn circular(
    f: &mut Formatter<'_>,
    scene: &Scene,
    wanted: &LockLine,
    held: &LockLine,
    chain: &[Link],
) -> fmt::Result {
    heading(f, "WARNING: possible circular locking dependency detected")?;
    writeln!(f, "{} is trying to acquire lock:\n{wanted}\n", scene.task)?;
    writeln!(
        f,
        "but task is already holding lock:\n{held}\n\nwhich lock already depends on the new lock.\n"
    )?;
    writeln!(f, "the existing dependency chain (in reverse order) is:")?;
    for (i, link) in chain.iter().enumerate().rev() {
        let w = &link.witness;
        writeln!(f, "\n-> #{} {}:\n       {}", i + 1, link.to, w.taken_at)?;
        let (from, to) = (link.from.short(), link.to.short());
        writeln!(f, "       {from} {} {to}, by {}/{},", link.kind, w.comm, w.pid)?;
        writeln!(f, "       which held {from} since {}", w.held_at)?;
    }
    writeln!(f, "\n-> #0 {}:\n       {}\n\n{OTHER_INFO}\n", wanted.class, wanted.site)?;

    let (source, target) = (wanted.class.short(), held.class.short());
    // The class from which the last dependency of the chain comes; with a single link that is the wanted one.
    let parent = chain.last().map_or_else(|| source.clone(), |link| link.from.short());
    if parent != source {
        writeln!(f, "Chain exists of:\n  {source} --> {parent} --> {target}\n")?;
    }
    let verb = |line: &LockLine| if line.mode.is_read() { "rlock" } else { "lock" };
    let indent = " ".repeat(31);
    writeln!(f, " Possible unsafe locking scenario:\n\n       CPU0                    CPU1")?;
    writeln!(f, "       ----                    ----\n  {}({target});", verb(held))?;
    writeln!(f, "{indent}lock({parent});\n{indent}lock({target});\n  {}({source});", verb(wanted))?;
    writeln!(f, "\n *** DEADLOCK ***\n")?;
    write!(f, "{scene}")
}
