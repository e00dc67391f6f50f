// SPDX-License-Identifier: MIT OR Apache-2.0
//! Replay of one schedule, strict or tolerant.

use super::{Divergence, Strategy, View};
use crate::op::{TaskId, members};
use crate::schedule::Decision;

/// Follows a list of decisions.
///
/// Strict: the first decision that is impossible is a [`Divergence`]. Tolerant: it is skipped, and noted. When the
/// decisions run out the execution is finished by the default policy: the last task while it can, else the least.
#[derive(Debug)]
pub struct Replay {
    decisions: Vec<Decision>,
    next: usize,
    tolerant: bool,
    last: Option<TaskId>,
    begun: bool,
    divergence: Option<Divergence>,
    unfinished: bool,
    step: u64,
    /// Steps, counted from 1, that were taken by preempting another task.
    preempted: Vec<u64>,
}

impl Replay {
    /// A replay of decisions whose tasks are numbered by their order of creation.
    pub fn new(decisions: Vec<Decision>, tolerant: bool) -> Self {
        Replay {
            decisions,
            next: 0,
            tolerant,
            last: None,
            begun: false,
            divergence: None,
            unfinished: false,
            step: 0,
            preempted: Vec::new(),
        }
    }

    /// The first place where the schedule did not fit, after a tolerant replay.
    pub fn divergence(&self) -> Option<&Divergence> {
        self.divergence.as_ref()
    }

    /// Whether decisions were made by the default policy after the schedule had run out.
    pub fn ran_out(&self) -> bool {
        self.unfinished
    }

    /// The number of switches away from a task that could have gone on.
    pub fn preemptions(&self) -> usize {
        self.preempted.len()
    }

    pub(crate) fn into_preempted(self) -> Vec<u64> {
        self.preempted
    }

    /// Task `t` takes the next step.
    fn take(&mut self, t: TaskId, view: &View<'_>) -> TaskId {
        self.step += 1;
        if self.last.is_some_and(|l| l != t && view.enabled & l.bit() != 0) {
            self.preempted.push(self.step);
        }
        self.last = Some(t);
        t
    }

    fn diverge(&mut self, what: String) -> Result<(), Divergence> {
        let d = Divergence { decision: self.next + 1, what };
        if !self.tolerant {
            return Err(d);
        }
        self.divergence.get_or_insert(d);
        Ok(())
    }
}

impl Strategy for Replay {
    fn begin(&mut self) -> bool {
        !std::mem::replace(&mut self.begun, true)
    }

    fn decide(&mut self, view: &View<'_>) -> Result<TaskId, Divergence> {
        while let Some(&d) = self.decisions.get(self.next) {
            match d {
                Decision::Task(t) if view.enabled & t.bit() != 0 => {
                    self.next += 1;
                    return Ok(self.take(t, view));
                }
                Decision::Task(t) => {
                    let why = if view.ready & t.bit() != 0 { "is blocked" } else { "has nothing to do" };
                    let can: String = members(view.enabled).map(TaskId::letter).collect();
                    self.diverge(format!("task {} {why} here; tasks that can go on: {can}", t.letter()))?;
                }
                Decision::Choice(v) => {
                    self.diverge(format!("value {v} stands here, but no choice is asked for"))?;
                }
            }
            self.next += 1;
        }
        self.unfinished = true;
        let t = match self.last {
            Some(t) if view.enabled & t.bit() != 0 => t,
            _ => members(view.enabled).next().expect("somebody is enabled"),
        };
        Ok(self.take(t, view))
    }

    fn choose(&mut self, _: TaskId, n: u32) -> Result<u32, Divergence> {
        match self.decisions.get(self.next) {
            Some(&Decision::Choice(v)) if v < n => {
                self.next += 1;
                Ok(v)
            }
            Some(&Decision::Choice(v)) => {
                self.diverge(format!("value {v} of a choice that has {n} values"))?;
                self.next += 1;
                Ok(0)
            }
            Some(Decision::Task(_)) => {
                self.diverge(format!("a choice among {n} is asked for, but a task's step stands here"))?;
                Ok(0)
            }
            None => {
                self.unfinished = true;
                Ok(0)
            }
        }
    }

    fn end(&mut self, _: &View<'_>) {
        if self.next < self.decisions.len() && self.divergence.is_none() {
            let left = self.decisions.len() - self.next;
            self.divergence = Some(Divergence {
                decision: self.next + 1,
                what: format!("the execution is over, {left} decisions are left"),
            });
        }
    }

    fn restart(&mut self) {
        *self = Replay::new(std::mem::take(&mut self.decisions), self.tolerant);
    }
}
