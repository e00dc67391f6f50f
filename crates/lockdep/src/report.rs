// SPDX-License-Identifier: MIT OR Apache-2.0
//! Findings as values. Their text is in one place, `render.rs`.
//!
//! A report owns everything that it says, so it outlives the run that found it, can be compared, sorted and kept in a
//! set. It always names both parties: the task with what it holds and where it took it, and, where another task is
//! involved, that task with the places where it established the opposite order.

use crate::class::{ClassKey, Usage};
use crate::dep::DepKind;
use crate::graph::Witness;
use crate::lock::{LockId, Mode, Site};
use std::sync::Arc;

/// A task, by the two things that identify it in a kernel log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TaskName {
    /// Name of the task.
    pub comm: Arc<str>,
    /// Its process id.
    pub pid: u32,
}

/// A class as reports print it: name, subclass, usage and wait types.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClassLabel {
    pub(crate) key: ClassKey,
    pub(crate) usage: Usage,
}

impl ClassLabel {
    /// Name of the class, without its subclass.
    pub fn name(&self) -> &str {
        &self.key.name
    }

    /// Subclass; 0 for the class of plain acquisitions.
    pub fn subclass(&self) -> u8 {
        self.key.subclass
    }
}

/// One lock that a task holds or wants.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LockLine {
    /// Address of the lock; `None` when the line speaks of the class, in reports on a whole graph.
    pub id: Option<LockId>,
    /// Its class.
    pub class: ClassLabel,
    /// How it is or would be taken.
    pub mode: Mode,
    /// Where.
    pub site: Site,
}

/// One dependency of an existing chain: `from` was held when `to` was taken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// The class that was held.
    pub from: ClassLabel,
    /// The class that was taken.
    pub to: ClassLabel,
    /// Which of the kinds seen between the two is part of the cycle.
    pub kind: DepKind,
    /// Who did it, and where.
    pub witness: Witness,
}

/// A lock with its task and everything else that the task holds: what nearly every report shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scene {
    /// The task that ran into the finding.
    pub task: TaskName,
    /// What it holds, outermost first.
    pub locks: Vec<LockLine>,
}

/// Which `lockdep_assert_*` failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Assertion {
    /// `lockdep_assert_held()`.
    Held,
    /// `lockdep_assert_held_write()`.
    HeldWrite,
    /// `lockdep_assert_held_read()`.
    HeldRead,
    /// `lockdep_assert_not_held()`.
    NotHeld,
    /// `lockdep_assert_none_held_once()`.
    NoneHeld,
}

/// Which rule of the ww mutex interface was broken.
///
/// Source: linux v7.3.4 kernel/locking/ww_mutex.h `ww_mutex_lock_acquired`, include/linux/ww_mutex.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WwRule {
    /// The mutex still belongs to a context when it is locked again.
    ContextIsStale,
    /// `ww_acquire_done()` was called, and then another mutex was locked or the call repeated.
    AcquireIsDone,
    /// After `-EDEADLK` another mutex than the contended one was locked.
    ContendedFirst,
    /// After `-EDEADLK` a mutex was locked while others of the context were still held.
    BackOffFirst,
    /// Mutex and context belong to different ww classes.
    OneClass,
    /// The context ends while mutexes are held under it.
    FiniWhileHeld,
    /// A mutex is unlocked whose context has none.
    UnlockUnbalanced,
    /// The slow path was taken without a `-EDEADLK` before it.
    SlowWithoutContention,
    /// `-EDEADLK` came a second time before the first was resolved.
    ContendedTwice,
}

/// A finding.
///
/// The kernel prints the first of these and then falls silent; the validator keeps all, in order, so the first report
/// of a run is the one that the kernel would have printed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Report {
    /// Locks are taken in an order that closes a strong cycle. Nothing need have deadlocked.
    Circular {
        /// The task that closes the cycle.
        scene: Scene,
        /// What it wants.
        wanted: LockLine,
        /// What it holds, and what already depends on the lock it wants.
        held: LockLine,
        /// The existing dependencies, from the class that is wanted to the class that is held.
        chain: Vec<Link>,
    },
    /// A lock is taken whose class the task holds already.
    Recursive {
        /// The task.
        scene: Scene,
        /// What it wants.
        wanted: LockLine,
        /// What it holds of the same class.
        held: LockLine,
    },
    /// A lock that may wait is taken where the task must not wait that way.
    InvalidWaitContext {
        /// The task.
        scene: Scene,
        /// What it wants.
        wanted: LockLine,
        /// The wait type that the held locks leave to the task.
        context: u8,
    },
    /// A lock names a nest lock that the task does not hold.
    NestLockNotHeld {
        /// The task.
        scene: Scene,
        /// What it wants.
        wanted: LockLine,
        /// Name of the lock that should be held.
        nest: String,
    },
    /// A lock is released, or downgraded, that the task does not hold.
    BadUnlock {
        /// The task.
        scene: Scene,
        /// Name of the lock.
        lock: String,
        /// Where it is released.
        site: Site,
    },
    /// A held lock is freed or initialised again.
    HeldLockFreed {
        /// The task.
        scene: Scene,
        /// First address of the memory.
        from: u64,
        /// Address after the last.
        to: u64,
        /// The lock inside it.
        lock: LockLine,
        /// Where it is freed.
        site: Site,
    },
    /// A task goes back to user space with locks held.
    HeldOnReturnToUser {
        /// The task.
        scene: Scene,
    },
    /// A task ends, or freezes, with locks held.
    StillHeld {
        /// The task.
        scene: Scene,
    },
    /// A task holds more locks than its stack of held locks has room for in the kernel.
    TooDeep {
        /// The task.
        scene: Scene,
    },
    /// A `lockdep_assert_*` does not hold.
    AssertFailed {
        /// The task.
        scene: Scene,
        /// Which assertion.
        assertion: Assertion,
        /// Name of the lock; empty for [`Assertion::NoneHeld`].
        lock: String,
        /// Where it stands.
        site: Site,
    },
    /// A lock that is held for reading is downgraded.
    DowngradeOfRead {
        /// The task.
        scene: Scene,
        /// The lock.
        lock: LockLine,
        /// Where.
        site: Site,
    },
    /// The ww mutex interface is used against its rules.
    WwMisuse {
        /// The task.
        scene: Scene,
        /// Which rule.
        rule: WwRule,
        /// Name of the mutex or context.
        lock: String,
        /// Where.
        site: Site,
    },
}

impl Report {
    /// The task that ran into the finding, with what it held.
    pub fn scene(&self) -> &Scene {
        match self {
            Report::Circular { scene, .. }
            | Report::Recursive { scene, .. }
            | Report::InvalidWaitContext { scene, .. }
            | Report::NestLockNotHeld { scene, .. }
            | Report::BadUnlock { scene, .. }
            | Report::HeldLockFreed { scene, .. }
            | Report::HeldOnReturnToUser { scene }
            | Report::StillHeld { scene }
            | Report::TooDeep { scene }
            | Report::AssertFailed { scene, .. }
            | Report::DowngradeOfRead { scene, .. }
            | Report::WwMisuse { scene, .. } => scene,
        }
    }
}
