// SPDX-License-Identifier: MIT OR Apache-2.0
//! Data races by happens-before, with vector clocks that only real synchronisation joins.
//!
//! Locks, completions, release/acquire accesses, spawn and join order accesses; marked accesses (`READ_ONCE`,
//! `WRITE_ONCE`) do not. Two accesses to one cell race when neither is ordered before the other, one of them
//! writes and one of them is plain. After FastTrack (Flanagan & Freund, PLDI 2009), with all readers kept since
//! reports name both parties.

use std::panic::Location;

use crate::clock::{Clocks, join};
use crate::engine::Mode;
use crate::op::{MAX_TASKS, Object, TaskId};

/// One access to a cell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    pub(crate) task: TaskId,
    pub(crate) clock: u32,
    pub(crate) write: bool,
    pub(crate) plain: bool,
    pub(crate) at: &'static Location<'static>,
}

/// The accesses to a cell that a later one may race with: the last write, and reads since.
#[derive(Debug, Default)]
struct History {
    accesses: Vec<Access>,
    /// A plain access to the cell was met in some execution.
    plain: bool,
}

/// Clocks and access histories of one execution.
#[derive(Debug)]
pub(crate) struct Races {
    /// Row t: what task t has seen. Width is the number of tasks of the exploration so far, rounded up.
    tasks: Clocks,
    /// Rows 2o and 2o+1: the exclusive and the shared releases of object o.
    releases: Clocks,
    cells: Vec<History>,
    width: usize,
}

impl Races {
    pub(crate) const fn new() -> Self {
        Races { tasks: Clocks::EMPTY, releases: Clocks::EMPTY, cells: Vec::new(), width: 0 }
    }

    pub(crate) fn reset(&mut self) {
        self.tasks.truncate(0);
    }

    /// Called for each task when it is created; the table widens when the exploration meets more tasks than before.
    pub(crate) fn task_begins(&mut self, t: TaskId) {
        if t.index() >= self.width {
            let width = (t.index() + 1).next_multiple_of(4).min(MAX_TASKS.next_multiple_of(4));
            self.tasks.widen(width);
            self.releases.widen(width);
            self.width = width;
        }
        self.tasks.grow(t.index() + 1);
        self.tasks.row_mut(t.index())[t.index()] = 1;
    }

    /// Called when an object is created: it has no past.
    pub(crate) fn object_begins(&mut self, object: usize) {
        self.releases.grow(2 * object + 2);
        self.releases.row_mut(2 * object).fill(0);
        self.releases.row_mut(2 * object + 1).fill(0);
        if self.cells.len() <= object {
            self.cells.resize_with(object + 1, History::default);
        }
        self.cells[object].accesses.clear();
    }

    pub(crate) fn spawned(&mut self, parent: TaskId, child: TaskId) {
        self.tasks.join_rows(child.index(), parent.index());
        self.tick(parent);
    }

    pub(crate) fn joined(&mut self, parent: TaskId, child: TaskId) {
        self.tasks.join_rows(parent.index(), child.index());
    }

    /// `t` takes the releases of `object` that `mode` is ordered after into its past.
    #[inline]
    pub(crate) fn acquired(&mut self, t: TaskId, object: Object, mode: Mode) {
        let row = self.tasks.row_mut(t.index());
        join(row, self.releases.row(2 * object.index()));
        if mode == Mode::Exclusive {
            join(row, self.releases.row(2 * object.index() + 1));
        }
    }

    /// What `t` did so far is before whatever takes this release.
    #[inline]
    pub(crate) fn released(&mut self, t: TaskId, object: Object, mode: Mode) {
        let shared = usize::from(mode == Mode::Shared);
        join(self.releases.row_mut(2 * object.index() + shared), self.tasks.row(t.index()));
        self.tick(t);
    }

    #[inline]
    fn tick(&mut self, t: TaskId) {
        self.tasks.row_mut(t.index())[t.index()] += 1;
    }

    /// Notes an access of `t`; gives the earlier access that it races with, if there is one.
    #[inline]
    pub(crate) fn access(
        &mut self,
        t: TaskId,
        object: Object,
        write: bool,
        plain: bool,
        at: &'static Location<'static>,
    ) -> Option<Access> {
        let seen = self.tasks.row(t.index());
        let now = Access { task: t, clock: seen[t.index()], write, plain, at };
        let cell = &mut self.cells[object.index()];
        cell.plain |= plain;
        let history = &mut cell.accesses;
        let mut race = None;
        for old in history.iter() {
            let ordered = old.clock <= seen[old.task.index()];
            if !ordered && (old.write || write) && (old.plain || plain) && race.is_none() {
                race = Some(*old);
            }
        }
        if write {
            // A write that has seen all of the past replaces it; what it has not seen stays to race with others.
            history.retain(|old| old.clock > seen[old.task.index()]);
        } else {
            history.retain(|old| old.write || old.task != t || old.plain != plain);
        }
        history.push(now);
        race
    }

    /// Calls `word` with all that the detection of later races with the accesses to `object` depends on, if a plain
    /// access to it was ever met: the accesses, and which task and which release has seen each.
    pub(crate) fn digest(&self, object: usize, alive: &[u32], mut word: impl FnMut(u64)) {
        let Some(cell) = self.cells.get(object).filter(|c| c.plain) else { return };
        word(cell.accesses.len() as u64);
        for a in &cell.accesses {
            word(u64::from(a.task.0) << 2 | u64::from(a.write) << 1 | u64::from(a.plain));
            word(u64::from(a.at.line()) << 32 | u64::from(a.at.column()));
            let seen = |table: &Clocks, r: usize| table.row(r)[a.task.index()] >= a.clock;
            (0..self.tasks.len()).filter(|t| seen(&self.tasks, *t)).for_each(|t| word(1 << 32 | t as u64));
            for o in alive {
                let bits = [0, 1].map(|mode| seen(&self.releases, 2 * *o as usize + mode));
                word(2 << 32 | u64::from(bits[0]) << 1 | u64::from(bits[1]));
            }
        }
    }
}
