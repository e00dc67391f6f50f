// SPDX-License-Identifier: MIT OR Apache-2.0
//! Collects the Mazurkiewicz traces of an exploration, each as a 128-bit fingerprint.
#![allow(dead_code)]

use std::collections::BTreeSet;

use explorer::strategy::{Divergence, Strategy, View};
use explorer::{Op, TaskId};

/// An event: the task and its how-manieth, in one number.
fn event(t: TaskId, nth: u32) -> u64 {
    u64::from(t.0) << 32 | u64::from(nth)
}

/// Two independent 64-bit mixes of a pair of words.
fn mix(a: u64, b: u64) -> u128 {
    let lane = |k: u64| {
        let mut z = a.wrapping_mul(k) ^ b.wrapping_add(k).rotate_left(29).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for c in [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb] {
            z = (z ^ (z >> 30)).wrapping_mul(c);
        }
        z ^ (z >> 31)
    };
    u128::from(lane(0xd134_2543_de82_ef95)) << 64 | u128::from(lane(0xa076_1d64_78bd_642f))
}

/// Wraps a strategy and collects the traces of its executions.
pub(crate) struct Collect<S> {
    pub(crate) inner: S,
    events: Vec<(u64, Op)>,
    count: Vec<u32>,
    choices: Vec<u32>,
    /// The sum over ordered pairs of dependent events, over events, and over the choices of each task.
    sum: u128,
    last: Option<TaskId>,
    preemptions: usize,
    /// The traces, as far as they are told apart by the order of dependent events and the values chosen.
    pub(crate) traces: BTreeSet<u128>,
    /// Executions whose trace was known.
    pub(crate) twice: usize,
    /// Executions by their number of preemptions.
    pub(crate) by_preemptions: Vec<u64>,
}

impl<S: Strategy> Collect<S> {
    pub(crate) fn new(inner: S) -> Self {
        Collect {
            inner,
            events: Vec::new(),
            count: Vec::new(),
            choices: Vec::new(),
            sum: 0,
            last: None,
            preemptions: 0,
            traces: BTreeSet::new(),
            twice: 0,
            by_preemptions: Vec::new(),
        }
    }

    fn nth(list: &mut Vec<u32>, t: TaskId) -> u32 {
        if list.len() <= t.index() {
            list.resize(t.index() + 1, 0);
        }
        list[t.index()] += 1;
        list[t.index()]
    }
}

impl<S: Strategy> Strategy for Collect<S> {
    fn begin(&mut self) -> bool {
        self.events.clear();
        self.count.clear();
        self.choices.clear();
        self.sum = 0;
        self.last = None;
        self.preemptions = 0;
        self.inner.begin()
    }
    fn decide(&mut self, view: &View<'_>) -> Result<TaskId, Divergence> {
        let t = self.inner.decide(view)?;
        if self.last.is_some_and(|l| l != t && view.enabled >> l.0 & 1 != 0) {
            self.preemptions += 1;
        }
        self.last = Some(t);
        let op = view.pending[t.index()];
        let now = event(t, Self::nth(&mut self.count, t));
        // The event itself too, so that traces that differ only in independent events are told apart.
        self.sum = self.sum.wrapping_add(mix(now, now));
        for (earlier, other) in &self.events {
            if earlier >> 32 != now >> 32 && op.dependent(*other) {
                self.sum = self.sum.wrapping_add(mix(*earlier, now));
            }
        }
        self.events.push((now, op));
        Ok(t)
    }
    fn choose(&mut self, task: TaskId, n: u32) -> Result<u32, Divergence> {
        let v = self.inner.choose(task, n)?;
        let nth = Self::nth(&mut self.choices, task);
        self.sum = self.sum.wrapping_add(mix(event(task, nth) | 1 << 63, u64::from(v)));
        Ok(v)
    }
    fn end(&mut self, view: &View<'_>) {
        self.inner.end(view);
        if self.inner.redundant() {
            return;
        }
        if !self.traces.insert(self.sum) {
            self.twice += 1;
        }
        if self.by_preemptions.len() <= self.preemptions {
            self.by_preemptions.resize(self.preemptions + 1, 0);
        }
        self.by_preemptions[self.preemptions] += 1;
    }
    fn redundant(&self) -> bool {
        self.inner.redundant()
    }
    fn restart(&mut self) {
        self.traces.clear();
        self.by_preemptions.clear();
        self.twice = 0;
        self.inner.restart();
    }
    fn observes(&self) -> bool {
        self.inner.observes()
    }
    fn samples(&self) -> bool {
        self.inner.samples()
    }
    fn fault(&mut self) -> Option<Divergence> {
        self.inner.fault()
    }
}
