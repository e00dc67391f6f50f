// SPDX-License-Identifier: MIT OR Apache-2.0
//! Data races by happens-before, with vector clocks that only real synchronisation joins.
//!
//! Locks, completions, release/acquire accesses, spawn and join order accesses; marked accesses (`READ_ONCE`,
//! `WRITE_ONCE`) do not. Two accesses to one cell race when neither is ordered before the other, one of them
//! writes and one of them is plain. After FastTrack (Flanagan & Freund, PLDI 2009), with all readers kept since
//! reports name both parties.
//!
//! An execution that begins as the last one did keeps what is known of that beginning: every change saves what it
//! changes on a trail, and [`Races::rewind`] goes back to a decision.

use std::panic::Location;

use crate::clock::{Clocks, Lane, copy, entry, join, tick};
use crate::engine::Mode;
use crate::op::{Object, TaskId, TaskSet, members};

/// One access to a cell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    pub(crate) task: TaskId,
    pub(crate) clock: u32,
    pub(crate) write: bool,
    pub(crate) plain: bool,
    pub(crate) at: &'static Location<'static>,
}

/// What a step of the trail restores.
#[derive(Clone, Copy, Debug)]
enum Change {
    /// The last saved row is that of a task.
    Task(TaskId),
    /// The last saved row is one of an object's releases.
    Release(u32),
    /// The last n saved accesses are those of an object.
    Cell(u32, u32),
}

/// Clocks and access histories of one execution.
#[derive(Debug)]
pub(crate) struct Races {
    /// Row t: what task t has seen. Width is the number of tasks of the exploration so far, rounded up.
    tasks: Clocks,
    /// Rows 2o and 2o+1: the exclusive and the shared releases of object o.
    releases: Clocks,
    /// The accesses to a cell that a later one may race with: the last write, and reads since.
    cells: Vec<Vec<Access>>,
    /// Whether a plain access to the cell was met in some execution.
    plain: Vec<bool>,
    changes: Vec<Change>,
    rows: Clocks,
    accesses: Vec<Access>,
    /// Length of `changes` before each decision.
    marks: Vec<u32>,
}

impl Races {
    pub(crate) const fn new() -> Self {
        Races {
            tasks: Clocks::EMPTY,
            releases: Clocks::EMPTY,
            cells: Vec::new(),
            plain: Vec::new(),
            changes: Vec::new(),
            rows: Clocks::EMPTY,
            accesses: Vec::new(),
            marks: Vec::new(),
        }
    }

    /// A decision is made: the point for a later [`rewind`](Self::rewind).
    #[inline]
    pub(crate) fn mark(&mut self) {
        self.marks.push(self.changes.len() as u32);
    }

    /// Back to where the first `decisions` of the last execution had happened, and the next had not; for 0, to the
    /// beginning of all.
    pub(crate) fn rewind(&mut self, decisions: usize) {
        if decisions == 0 {
            self.changes.clear();
            self.rows.truncate(0);
            self.accesses.clear();
            self.marks.clear();
            return;
        }
        let mark = self.marks[decisions] as usize;
        self.marks.truncate(decisions);
        let mut rows = self.rows.len();
        while self.changes.len() > mark {
            match self.changes.pop().expect("longer than the mark") {
                Change::Task(t) => {
                    rows -= 1;
                    copy(self.tasks.row_mut(t.index()), self.rows.row(rows));
                }
                Change::Release(r) => {
                    rows -= 1;
                    copy(self.releases.row_mut(r as usize), self.rows.row(rows));
                }
                Change::Cell(o, n) => {
                    let start = self.accesses.len() - n as usize;
                    let cell = &mut self.cells[o as usize];
                    cell.clear();
                    cell.extend(&self.accesses[start..]);
                    self.accesses.truncate(start);
                }
            }
        }
        self.rows.truncate(rows);
    }

    /// Called for each task when it is created; the table widens when the exploration meets more tasks than before.
    pub(crate) fn task_begins(&mut self, t: TaskId) {
        if t.index() >= self.tasks.width() {
            self.tasks.widen(t.index() + 1);
            self.releases.widen(t.index() + 1);
            self.rows.widen(t.index() + 1);
        }
        self.tasks.grow(t.index() + 1);
        self.tasks.row_mut(t.index()).fill(Lane::default());
        tick(self.tasks.row_mut(t.index()), t);
    }

    /// Called when an object is created: it has no past.
    #[inline]
    pub(crate) fn object_begins(&mut self, object: usize) {
        self.releases.grow(2 * object + 2);
        self.releases.row_mut(2 * object).fill(Lane::default());
        self.releases.row_mut(2 * object + 1).fill(Lane::default());
        if self.cells.len() <= object {
            self.cells.resize_with(object + 1, Vec::new);
        }
        self.cells[object].clear();
    }

    #[inline]
    fn save_task(&mut self, t: TaskId) {
        self.changes.push(Change::Task(t));
        self.rows.push(self.tasks.row(t.index()));
    }

    pub(crate) fn spawned(&mut self, parent: TaskId, child: TaskId) {
        self.tasks.join_rows(child.index(), parent.index());
        self.save_task(parent);
        tick(self.tasks.row_mut(parent.index()), parent);
    }

    pub(crate) fn joined(&mut self, parent: TaskId, child: TaskId) {
        self.save_task(parent);
        self.tasks.join_rows(parent.index(), child.index());
    }

    /// `t` takes the releases of `object` that `mode` is ordered after into its past.
    #[inline]
    pub(crate) fn acquired(&mut self, t: TaskId, object: Object, mode: Mode) {
        self.save_task(t);
        let row = self.tasks.row_mut(t.index());
        join(row, self.releases.row(2 * object.index()));
        if mode == Mode::Exclusive {
            join(row, self.releases.row(2 * object.index() + 1));
        }
    }

    /// What `t` did so far is before whatever takes this release.
    #[inline]
    pub(crate) fn released(&mut self, t: TaskId, object: Object, mode: Mode) {
        let r = 2 * object.index() + usize::from(mode == Mode::Shared);
        self.changes.push(Change::Release(r as u32));
        self.rows.push(self.releases.row(r));
        self.save_task(t);
        join(self.releases.row_mut(r), self.tasks.row(t.index()));
        tick(self.tasks.row_mut(t.index()), t);
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
        let now = Access { task: t, clock: entry(seen, t), write, plain, at };
        if plain && !self.plain.get(object.index()).is_some_and(|p| *p) {
            self.plain.resize(self.cells.len(), false);
            self.plain[object.index()] = true;
        }
        let cell = &mut self.cells[object.index()];
        self.changes.push(Change::Cell(object.index() as u32, cell.len() as u32));
        // One or two: a loop is cheaper than a call that copies.
        for old in cell.iter() {
            self.accesses.push(*old);
        }
        if cell.iter().any(|old| old.clock > entry(seen, old.task)) {
            return unordered(cell, seen, now);
        }
        let own = |old: &&mut Access| !old.write && old.task == t && old.plain == plain;
        if write {
            cell.clear();
        } else if let Some(own) = cell.iter_mut().find(own) {
            *own = now;
            return None;
        }
        cell.push(now);
        None
    }

    /// Calls `word` with all that the detection of later races with the accesses to `object` depends on, if a plain
    /// access to it was ever met: the accesses, and which task and which release has seen each.
    pub(crate) fn digest(&self, object: usize, alive: &[u32], born: TaskSet, mut word: impl FnMut(u64)) {
        if !self.plain.get(object).is_some_and(|p| *p) {
            return;
        }
        let cell = &self.cells[object];
        word(cell.len() as u64);
        for a in cell {
            word(u64::from(a.task.0) << 2 | u64::from(a.write) << 1 | u64::from(a.plain));
            word(u64::from(a.at.line()) << 32 | u64::from(a.at.column()));
            let seen = |table: &Clocks, r: usize| entry(table.row(r), a.task) >= a.clock;
            members(born)
                .filter(|t| seen(&self.tasks, t.index()))
                .for_each(|t| word(1 << 32 | u64::from(t.0)));
            for o in alive {
                let bits = [0, 1].map(|mode| seen(&self.releases, 2 * *o as usize + mode));
                word(2 << 32 | u64::from(bits[0]) << 1 | u64::from(bits[1]));
            }
        }
    }
}

/// Adds `now` to accesses some of which its task has not seen; gives the first that it races with.
#[cold]
fn unordered(cell: &mut Vec<Access>, seen: &[Lane], now: Access) -> Option<Access> {
    let Access { task, write, plain, .. } = now;
    let ordered = |old: &Access| old.clock <= entry(seen, old.task);
    let races = |old: &&Access| !ordered(old) && (old.write || write) && (old.plain || plain);
    let race = cell.iter().find(races).copied();
    if write {
        // A write that has seen all of the past replaces it; what it has not seen stays to race with others.
        cell.retain(|old| !ordered(old));
    } else {
        cell.retain(|old| old.write || old.task != task || old.plain != plain);
    }
    cell.push(now);
    race
}
