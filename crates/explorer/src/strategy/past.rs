// SPDX-License-Identifier: MIT OR Apache-2.0
//! What each task has seen, with a trail by which a search takes steps back.
//!
//! Every change of a row saves the row on the trail first; [`Past::rewind`] restores rows in reverse order. So a search
//! that replays a prefix keeps what it knew at the prefix's end, at a cost that is linear in what it undoes and not in
//! the prefix.

use crate::clock::{Clocks, Lane, copy, join};
use crate::engine::{Mode, SyncEvent};
use crate::op::{Object, TaskId};

/// A point to which [`Past::rewind`] can go back.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark(u32);

/// A row of the tables.
#[derive(Clone, Copy, Debug)]
enum Row {
    Seen(u32),
    Release(u32),
}

/// See the module's words.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// Row t: what task t has seen.
    seen: Clocks,
    /// Rows 2o and 2o+1: exclusive and shared releases of object o.
    releases: Clocks,
    /// Rows as they were before each change, and which they are.
    saved: Clocks,
    which: Vec<Row>,
}

impl Past {
    /// Makes room for `tasks` tasks.
    pub(super) fn widen(&mut self, tasks: usize) {
        self.seen.widen(tasks);
        self.releases.widen(tasks);
        self.saved.widen(tasks);
        self.seen.grow(tasks);
    }

    /// What task `t` has seen.
    #[inline]
    pub(super) fn seen(&self, t: TaskId) -> &[Lane] {
        self.seen.row(t.index())
    }

    /// The present, to come back to.
    #[inline]
    pub(super) fn mark(&self) -> Mark {
        Mark(self.which.len() as u32)
    }

    /// Goes back to `mark`.
    pub(super) fn rewind(&mut self, mark: Mark) {
        while self.which.len() > mark.0 as usize {
            let row = self.which.pop().expect("longer than the mark");
            let old = self.saved.row(self.which.len());
            match row {
                Row::Seen(t) => copy(self.seen.row_mut(t as usize), old),
                Row::Release(r) => copy(self.releases.row_mut(r as usize), old),
            }
            self.saved.truncate(self.which.len());
        }
    }

    /// Row of task `t`, saved.
    #[inline]
    fn change_seen(&mut self, t: TaskId) {
        self.which.push(Row::Seen(u32::from(t.0)));
        self.saved.push(self.seen.row(t.index()));
    }

    /// Task `t` takes a step, after which it has seen `row`.
    #[inline]
    pub(super) fn step(&mut self, t: TaskId, row: &[Lane]) {
        self.change_seen(t);
        copy(self.seen.row_mut(t.index()), row);
    }

    /// Index of the first of the object's two rows.
    fn release_rows(&mut self, object: Object) -> usize {
        let row = 2 * object.index();
        self.releases.grow(row + 2);
        row
    }

    /// Takes an event that is no step.
    #[inline]
    pub(super) fn absorb(&mut self, event: SyncEvent) {
        match event {
            SyncEvent::Acquired(t, object, mode) => {
                let row = self.release_rows(object);
                self.change_seen(t);
                join(self.seen.row_mut(t.index()), self.releases.row(row));
                if mode == Mode::Exclusive {
                    join(self.seen.row_mut(t.index()), self.releases.row(row + 1));
                }
            }
            SyncEvent::Released(t, object, mode) => {
                let row = self.release_rows(object) + usize::from(mode == Mode::Shared);
                self.which.push(Row::Release(row as u32));
                self.saved.push(self.releases.row(row));
                join(self.releases.row_mut(row), self.seen.row(t.index()));
            }
            SyncEvent::Spawned(parent, child) => {
                self.change_seen(child);
                self.seen.row_mut(child.index()).fill(Lane::default());
                self.seen.join_rows(child.index(), parent.index());
            }
            SyncEvent::Joined(parent, child) => {
                self.change_seen(parent);
                self.seen.join_rows(parent.index(), child.index());
            }
        }
    }
}
