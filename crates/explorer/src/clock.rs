// SPDX-License-Identifier: MIT OR Apache-2.0
//! Vector clocks in one flat table: row r, column t is how much of task t's past row r has seen.

/// A table of vector clocks of equal width.
#[derive(Debug, Default)]
pub(crate) struct Clocks {
    width: usize,
    rows: Vec<u32>,
}

impl Clocks {
    /// A table without rows, of width 0.
    pub(crate) const EMPTY: Clocks = Clocks { width: 0, rows: Vec::new() };

    /// Makes the rows `width` entries wide; the new entries are zero.
    pub(crate) fn widen(&mut self, width: usize) {
        let old = std::mem::replace(self, Clocks { width, rows: Vec::new() });
        for row in old.rows.chunks(old.width.max(1)) {
            let start = self.rows.len();
            self.rows.resize(start + width, 0);
            self.rows[start..start + row.len()].copy_from_slice(row);
        }
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.rows.len() / self.width.max(1)
    }

    /// Keeps the first `n` rows.
    pub(crate) fn truncate(&mut self, n: usize) {
        self.rows.truncate(n * self.width);
    }

    /// Makes the table at least `n` rows long; new rows are zero.
    pub(crate) fn grow(&mut self, n: usize) {
        if self.rows.len() < n * self.width {
            self.rows.resize(n * self.width, 0);
        }
    }

    /// Appends a row.
    pub(crate) fn push(&mut self, row: &[u32]) {
        self.rows.extend_from_slice(row);
    }

    /// Row `r`.
    #[inline]
    pub(crate) fn row(&self, r: usize) -> &[u32] {
        &self.rows[r * self.width..(r + 1) * self.width]
    }

    /// Row `r`, to be changed.
    #[inline]
    pub(crate) fn row_mut(&mut self, r: usize) -> &mut [u32] {
        &mut self.rows[r * self.width..(r + 1) * self.width]
    }

    /// Row `to` joins row `from`.
    #[inline]
    pub(crate) fn join_rows(&mut self, to: usize, from: usize) {
        if to == from {
            return;
        }
        let w = self.width;
        let (to, from) = (to * w, from * w);
        let (dst, src) = if to < from {
            let (a, b) = self.rows.split_at_mut(from);
            (&mut a[to..to + w], &b[..w])
        } else {
            let (a, b) = self.rows.split_at_mut(to);
            (&mut b[..w], &a[from..from + w])
        };
        join(dst, src);
    }
}

/// `to` becomes the least clock that has seen both.
#[inline]
pub(crate) fn join(to: &mut [u32], from: &[u32]) {
    for (a, b) in to.iter_mut().zip(from) {
        *a = (*a).max(*b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_join_in_both_directions() {
        let mut c = Clocks::EMPTY;
        c.widen(3);
        c.push(&[1, 5, 0]);
        c.push(&[2, 0, 7]);
        c.join_rows(0, 1);
        assert_eq!(c.row(0), &[2, 5, 7]);
        c.row_mut(0)[1] = 9;
        c.join_rows(1, 0);
        assert_eq!(c.row(1), &[2, 9, 7]);
        c.widen(4);
        assert_eq!(c.row(1), &[2, 9, 7, 0]);
        c.truncate(1);
        assert_eq!(c.len(), 1);
    }
}
