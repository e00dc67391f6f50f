// SPDX-License-Identifier: MIT OR Apache-2.0
//! Vector clocks in one flat table: row r, task t is how much of t's past row r has seen.
//!
//! Rows are made of lanes of four tasks, so that a join of the usual narrow clock is one vector operation.

use crate::op::TaskId;

/// Four entries of a clock. Signed, since the maximum of signed words is cheaper on the oldest vector units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(align(16))]
pub(crate) struct Lane([i32; 4]);

/// The entry of task `t`.
#[inline]
pub(crate) fn entry(row: &[Lane], t: TaskId) -> u32 {
    row[t.index() / 4].0[t.index() % 4] as u32
}

/// Task `t` has done one thing more.
#[inline]
pub(crate) fn tick(row: &mut [Lane], t: TaskId) {
    row[t.index() / 4].0[t.index() % 4] += 1;
}

/// `to` becomes `from`.
#[inline]
pub(crate) fn copy(to: &mut [Lane], from: &[Lane]) {
    // A call of memcpy costs more than the usual single lane.
    match (to, from) {
        ([to], [from]) => *to = *from,
        (to, from) => to.copy_from_slice(from),
    }
}

/// `to` becomes the least clock that has seen both.
#[inline]
pub(crate) fn join(to: &mut [Lane], from: &[Lane]) {
    for (a, b) in to.iter_mut().zip(from) {
        let (x, y) = (a.0, b.0);
        a.0 = std::array::from_fn(|i| x[i].max(y[i]));
    }
}

/// A table of vector clocks of equal width.
#[derive(Debug, Default)]
pub(crate) struct Clocks {
    lanes: usize,
    rows: Vec<Lane>,
}

impl Clocks {
    /// A table without rows, of width 0.
    pub(crate) const EMPTY: Clocks = Clocks { lanes: 0, rows: Vec::new() };

    /// Number of tasks that fit in a row.
    #[inline]
    pub(crate) fn width(&self) -> usize {
        4 * self.lanes
    }

    /// Makes the rows at least `tasks` entries wide; the new entries are zero.
    pub(crate) fn widen(&mut self, tasks: usize) {
        let lanes = tasks.div_ceil(4);
        if lanes <= self.lanes {
            return;
        }
        let old = std::mem::replace(self, Clocks { lanes, rows: Vec::new() });
        for row in old.rows.chunks(old.lanes.max(1)) {
            let start = self.rows.len();
            self.rows.resize(start + lanes, Lane::default());
            self.rows[start..start + row.len()].copy_from_slice(row);
        }
    }

    /// Number of rows.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.rows.len() / self.lanes.max(1)
    }

    /// Keeps the first `n` rows.
    #[inline]
    pub(crate) fn truncate(&mut self, n: usize) {
        self.rows.truncate(n * self.lanes);
    }

    /// Makes the table at least `n` rows long; new rows are zero.
    #[inline]
    pub(crate) fn grow(&mut self, n: usize) {
        if self.rows.len() < n * self.lanes {
            self.rows.resize(n * self.lanes, Lane::default());
        }
    }

    /// Appends a row.
    #[inline]
    pub(crate) fn push(&mut self, row: &[Lane]) {
        match row {
            [lane] => self.rows.push(*lane),
            lanes => self.rows.extend_from_slice(lanes),
        }
    }

    /// Row `r`.
    #[inline]
    pub(crate) fn row(&self, r: usize) -> &[Lane] {
        &self.rows[r * self.lanes..(r + 1) * self.lanes]
    }

    /// Row `r`, to be changed.
    #[inline]
    pub(crate) fn row_mut(&mut self, r: usize) -> &mut [Lane] {
        &mut self.rows[r * self.lanes..(r + 1) * self.lanes]
    }

    /// Row `to` joins row `from`.
    #[inline]
    pub(crate) fn join_rows(&mut self, to: usize, from: usize) {
        let lanes = self.lanes;
        for k in 0..lanes {
            let from = self.rows[from * lanes + k];
            join(&mut self.rows[to * lanes + k..=to * lanes + k], &[from]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &[u32]) -> Vec<Lane> {
        let mut row = vec![Lane::default(); values.len().div_ceil(4)];
        for (i, v) in values.iter().enumerate() {
            (0..*v).for_each(|_| tick(&mut row, TaskId(i as u8)));
        }
        row
    }

    #[test]
    fn rows_join_in_both_directions() {
        let mut c = Clocks::EMPTY;
        c.widen(3);
        c.push(&row(&[1, 5, 0]));
        c.push(&row(&[2, 0, 7]));
        c.join_rows(0, 1);
        assert_eq!(c.row(0), row(&[2, 5, 7]));
        (0..4).for_each(|_| tick(c.row_mut(0), TaskId(1)));
        c.join_rows(1, 0);
        assert_eq!(c.row(1), row(&[2, 9, 7]));
        c.widen(5);
        assert_eq!((c.width(), c.len()), (8, 2));
        assert_eq!(c.row(1), row(&[2, 9, 7, 0, 0]));
        c.truncate(1);
        assert_eq!(c.len(), 1);
    }
}
