// SPDX-License-Identifier: MIT OR Apache-2.0
//! Hashes of states: 128 bits, seeded, every part tagged with what it is and how long it is.
//!
//! A task's local state is a function of what it has observed: the operations that it carried out, the states of
//! objects that it looked at, the values of its choices. So the state of an execution is the objects' states, each
//! task's pending operation and the hash of each task's observations. What data race detection will still say is part
//! of it too: for cells with plain accesses, which task and which release has seen which access.

use std::cell::Cell;

use crate::engine::{Engine, Status};
use crate::op::{Object, Op, State, TaskId, members};
use crate::rng::mix;

/// A 128-bit hash under construction: two lanes that mix the same words differently.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fold(u64, u64);

impl Fold {
    pub(crate) const fn new(seed: u64) -> Self {
        Fold(seed ^ 0x243f_6a88_85a3_08d3, seed.rotate_left(32) ^ 0x1319_8a2e_0370_7344)
    }

    /// Takes in a word; the order of words matters.
    #[inline]
    pub(crate) fn word(&mut self, w: u64) {
        self.0 = mix(self.0 ^ w).wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.1 = mix(self.1.wrapping_add(w).wrapping_mul(0xd134_2543_de82_ef95) | 1).rotate_left(23) ^ self.0;
    }

    pub(crate) fn finish(self) -> u128 {
        u128::from(mix(self.0)) << 64 | u128::from(mix(self.1))
    }
}

/// The observations of each task of an execution, hashed.
#[derive(Debug)]
pub(crate) struct Histories {
    /// Whether a strategy asks for them.
    pub(crate) on: bool,
    tasks: Vec<Fold>,
    /// What the current task has looked at through a shared borrow, and is not in its hash yet.
    looked: Cell<Option<Fold>>,
}

const STEP: u64 = 1;
const STATE: u64 = 2;
const VALUE: u64 = 3;
const SPAWN: u64 = 4;

impl Histories {
    pub(crate) const fn new() -> Self {
        Histories { on: false, tasks: Vec::new(), looked: Cell::new(None) }
    }

    pub(crate) fn reset(&mut self) {
        self.tasks.clear();
        self.looked.set(None);
    }

    /// The current task looks at something that is no object's state.
    pub(crate) fn look(&self, value: u64) {
        if self.on {
            let mut fold = self.looked.get().unwrap_or(Fold::new(VALUE));
            fold.word(value);
            self.looked.set(Some(fold));
        }
    }

    /// What the task that takes the next step has looked at is in its own hash from now on.
    pub(crate) fn settle(&mut self, t: TaskId) {
        if let Some(looked) = self.looked.take() {
            self.value(t, looked.0);
            self.value(t, looked.1);
        }
    }

    fn of(&mut self, t: TaskId) -> &mut Fold {
        if self.tasks.len() <= t.index() {
            self.tasks.resize(t.index() + 1, Fold::new(0));
        }
        &mut self.tasks[t.index()]
    }

    /// The task's pending operation happens.
    #[inline]
    pub(crate) fn step(&mut self, t: TaskId, op: Op) {
        if self.on {
            let h = self.of(t);
            h.word(STEP);
            h.word(u64::from(op.object.0) << 8 | u64::from(op.kind));
            h.word(u64::from(op.arg));
        }
    }

    /// The task looks at the state of an object.
    #[inline]
    pub(crate) fn state(&mut self, t: TaskId, object: Object, state: &State) {
        if self.on {
            let h = self.of(t);
            h.word(STATE);
            h.word(u64::from(object.0));
            state.iter().for_each(|w| h.word(*w));
        }
    }

    /// The task is given a value.
    #[inline]
    pub(crate) fn value(&mut self, t: TaskId, value: u64) {
        if self.on {
            let h = self.of(t);
            h.word(VALUE);
            h.word(value);
        }
    }

    pub(crate) fn spawned(&mut self, parent: TaskId, child: TaskId) {
        if self.on {
            let h = self.of(parent);
            h.word(SPAWN);
            h.word(u64::from(child.0));
        }
    }
}

/// The hash of the state that the execution is in.
pub(crate) fn state(e: &Engine, seed: u64) -> u128 {
    // Tasks and objects are taken in the order of their stable identity, not of their creation.
    let mut h = Fold::new(seed);
    let born = e.births.iter().fold(0, |set, t| set | t.bit());
    h.word(born);
    h.word(e.unfinished);
    for t in members(born) {
        let history = e.histories.tasks.get(t.index()).copied().unwrap_or(Fold::new(0));
        h.word(history.0);
        h.word(history.1);
        let op = e.pending[t.index()];
        if e.ready & t.bit() != 0 {
            h.word(1);
            h.word(u64::from(op.object.0) << 8 | u64::from(op.kind));
            h.word(u64::from(op.arg));
        } else if let Status::Joining(child) = e.tasks[t.index()].status {
            h.word(2);
            h.word(u64::from(child.0));
        } else {
            h.word(3);
        }
    }
    // Objects are created by tasks, so which exist is known from the histories; their sum is free of order.
    let mut sum = (0u64, 0u64);
    for o in &e.alive {
        let mut part = Fold::new(u64::from(*o) + 1);
        let slot = &e.slots[*o as usize];
        slot.state.iter().for_each(|w| part.word(*w));
        part.word(u64::from(slot.visible));
        e.races.digest(*o as usize, &e.alive, born, |w| part.word(w));
        let part = part.finish();
        sum = (sum.0.wrapping_add(part as u64), sum.1.wrapping_add((part >> 64) as u64));
    }
    h.word(e.alive.len() as u64);
    h.word(sum.0);
    h.word(sum.1);
    h.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn hash(seed: u64, words: &[u64]) -> u128 {
        let mut f = Fold::new(seed);
        words.iter().for_each(|w| f.word(*w));
        f.finish()
    }

    #[test]
    fn zeros_order_length_and_seed_all_matter() {
        let all = [
            hash(0, &[]),
            hash(0, &[0]),
            hash(0, &[0, 0]),
            hash(0, &[1, 2]),
            hash(0, &[2, 1]),
            hash(1, &[]),
            hash(1, &[1, 2]),
        ];
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert!(all.iter().all(|h| *h as u64 != 0 && h >> 64 != 0));
    }

    #[test]
    fn each_half_alone_tells_ten_thousand_pairs_apart() {
        let (mut low, mut high) = (BTreeSet::new(), BTreeSet::new());
        for a in 0..100 {
            for b in 0..100 {
                let h = hash(0, &[a, b]);
                low.insert(h as u64);
                high.insert((h >> 64) as u64);
            }
        }
        assert_eq!((low.len(), high.len()), (10_000, 10_000));
    }
}
