// SPDX-License-Identifier: MIT OR Apache-2.0
//! The four kinds of dependency and the rule that makes a path of them strong.
//!
//! `X -> Y` says that `Y` was taken while `X` was held. What matters of `X` is whom its holder blocks: an exclusive
//! holder blocks everybody, a shared one does not block recursive readers. What matters of `Y` is who blocks its
//! taker: a recursive reader is blocked by exclusive holders only, everybody else by any holder. That gives two bits
//! and four kinds. A path is **strong** when it never enters a class as a recursive reader and leaves it as a shared
//! holder: there the taker would not wait for the holder.
//!
//! Source: linux v7.3.4 Documentation/locking/lockdep-design.rst, kernel/locking/lockdep.c `calc_dep`.

use crate::lock::Mode;
use std::fmt;

/// Kind of one dependency. Both bits only ever make a dependency stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum DepKind {
    /// Held shared, then taken as a recursive reader.
    SR = 0,
    /// Held alone, then taken as a recursive reader.
    ER = 1,
    /// Held shared, then taken as a writer or plain reader.
    SN = 2,
    /// Held alone, then taken as a writer or plain reader.
    EN = 3,
}

impl DepKind {
    /// All kinds, from the weakest to the strongest.
    pub const ALL: [DepKind; 4] = [DepKind::SR, DepKind::ER, DepKind::SN, DepKind::EN];

    /// Kind of the dependency from a lock held in mode `held` to one taken in mode `taken`.
    pub const fn of(held: Mode, taken: Mode) -> Self {
        match (held.is_read(), matches!(taken, Mode::RecursiveRead)) {
            (true, true) => DepKind::SR,
            (false, true) => DepKind::ER,
            (true, false) => DepKind::SN,
            (false, false) => DepKind::EN,
        }
    }

    /// `E*`: the first lock is held alone.
    pub const fn is_exclusive(self) -> bool {
        self as u8 & 1 != 0
    }

    /// `*N`: the second lock is not taken as a recursive reader.
    pub const fn is_nonrecursive(self) -> bool {
        self as u8 & 2 != 0
    }

    /// Whether a path that arrives by `self` and goes on by `next` stays strong.
    pub const fn is_strong_before(self, next: DepKind) -> bool {
        self.is_nonrecursive() || next.is_exclusive()
    }
}

impl fmt::Display for DepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DepKind::SR => "-(SR)->",
            DepKind::ER => "-(ER)->",
            DepKind::SN => "-(SN)->",
            DepKind::EN => "-(EN)->",
        })
    }
}

/// The kinds of dependency seen between one pair of classes; union is the only operation that changes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DepSet(u8);

impl DepSet {
    const EXCLUSIVE: u8 = 1 << DepKind::ER as u8 | 1 << DepKind::EN as u8;

    /// Whether nothing was seen.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `kind` was seen.
    pub const fn contains(self, kind: DepKind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    /// Whether `kind`, or a kind that is at least as strong in both bits, was seen.
    ///
    /// Every strong cycle through an implied dependency is a strong cycle through the stronger one too.
    pub fn implies(self, kind: DepKind) -> bool {
        let bits = kind as u8;
        DepKind::ALL.iter().any(|k| self.contains(*k) && *k as u8 & bits == bits)
    }

    /// The kinds seen, weakest first.
    pub fn iter(self) -> impl Iterator<Item = DepKind> {
        DepKind::ALL.into_iter().filter(move |k| self.contains(*k))
    }

    pub(crate) fn insert(&mut self, kind: DepKind) {
        self.0 |= 1 << kind as u8;
    }

    /// The strongest kind that may follow on a strong path, given whether the path came in by `*R` kinds only.
    pub(crate) fn strongest_after(self, only_recursive: bool) -> Option<DepKind> {
        let usable = if only_recursive { self.0 & Self::EXCLUSIVE } else { self.0 };
        DepKind::ALL.into_iter().rev().find(|k| usable & (1 << *k as u8) != 0)
    }
}

impl fmt::Display for DepSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, kind) in self.iter().enumerate() {
            write!(f, "{}{kind:?}", if i == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_comes_from_both_modes() {
        use Mode::*;
        let table = [
            (Write, Write, DepKind::EN),
            (Write, Read, DepKind::EN),
            (Write, RecursiveRead, DepKind::ER),
            (Read, Write, DepKind::SN),
            (Read, Read, DepKind::SN),
            (Read, RecursiveRead, DepKind::SR),
            (RecursiveRead, Write, DepKind::SN),
            (RecursiveRead, Read, DepKind::SN),
            (RecursiveRead, RecursiveRead, DepKind::SR),
        ];
        for (held, taken, kind) in table {
            assert_eq!(DepKind::of(held, taken), kind, "{held:?} then {taken:?}");
        }
    }

    #[test]
    fn only_recursive_in_and_shared_out_is_weak() {
        let weak = DepKind::ALL
            .iter()
            .flat_map(|a| DepKind::ALL.iter().map(move |b| (*a, *b)))
            .filter(|(a, b)| !a.is_strong_before(*b));
        let expected = [(DepKind::SR, DepKind::SR), (DepKind::SR, DepKind::SN)]
            .into_iter()
            .chain([(DepKind::ER, DepKind::SR), (DepKind::ER, DepKind::SN)]);
        assert!(weak.eq(expected));
    }

    #[test]
    fn a_stronger_kind_implies_a_weaker_one_and_not_the_reverse() {
        let set = |kinds: &[DepKind]| {
            let mut set = DepSet::default();
            kinds.iter().for_each(|k| set.insert(*k));
            set
        };
        assert!(DepKind::ALL.iter().all(|k| set(&[DepKind::EN]).implies(*k)));
        assert!(set(&[DepKind::ER]).implies(DepKind::SR));
        assert!(!set(&[DepKind::ER]).implies(DepKind::SN));
        assert!(!set(&[DepKind::ER, DepKind::SN]).implies(DepKind::EN));
        assert!(!set(&[]).implies(DepKind::SR));
    }
}
