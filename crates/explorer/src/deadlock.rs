// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who waits for whom: cycles of owners, and what is left when nobody can go on.
//!
//! A task waits for those that hold the object of its pending operation, or for the task that it joins. Tasks that
//! wait for each other in a cycle wait for ever, whatever the others do, so a cycle is a finding while others still
//! run. A wait for an event (a completion, a semaphore, a channel) has no owner that one could point at: it is a
//! finding when nobody can go on.
//!
//! A cycle stays once it exists, so the cycles of an execution are those of its last state; each is reported with the
//! step at which it came up. That makes the findings of two equivalent executions the same.

use std::panic::Location;

use crate::engine::{Engine, Status};
use crate::finding::FindingKind;
use crate::op::{Object, TaskId, TaskSet, members};
use crate::schedule::Decision;
use crate::trace::EventKind;

/// Tasks that wait for each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cycle {
    tasks: TaskSet,
    /// The step after which it was there.
    step: u64,
    /// The decisions after which it was there.
    pub(crate) decisions: usize,
}

/// A task that cannot go on.
#[derive(Clone, Debug)]
struct Wait {
    id: TaskId,
    task: String,
    /// What it waits to do, e.g. `lock b`.
    what: String,
    holders: Vec<String>,
    /// Those that go first without holding anything.
    ahead: Vec<String>,
    at: &'static Location<'static>,
    on: TaskSet,
}

impl Wait {
    /// What makes two waits the same: the place in the source is part of it.
    fn key(&self) -> String {
        format!("{} at {}", self.words(), self.at)
    }

    fn words(&self) -> String {
        let mut words = format!("{} waits to {}", self.task, self.what);
        if !self.holders.is_empty() {
            words.push_str(", held by ");
            words.push_str(&self.holders.join(" and "));
        }
        if !self.ahead.is_empty() {
            words.push_str(", behind ");
            words.push_str(&self.ahead.join(" and "));
        }
        words
    }
}

impl Engine {
    /// The tasks for which a blocked task waits.
    fn waits_on(&self, t: TaskId) -> TaskSet {
        if let Status::Joining(child) = self.tasks[t.index()].status {
            return child.bit();
        }
        if self.ready & t.bit() == 0 {
            return 0;
        }
        self.holders_of(self.pending[t.index()].object) | self.ahead_of(t)
    }

    fn holders_of(&self, object: Object) -> TaskSet {
        let holds = |h: &TaskId| self.tasks[h.index()].held.iter().any(|(o, _)| *o == object);
        members(self.owners).filter(holds).fold(0, |set, h| set | h.bit())
    }

    /// Those whose pending operation on the same object keeps the one of `t` from happening, see
    /// [`crate::OpInfo::behind`].
    fn ahead_of(&self, t: TaskId) -> TaskSet {
        let op = self.pending[t.index()];
        let behind = self.slots[op.object.index()].class.ops[op.kind as usize].behind;
        if behind == 0 {
            return 0;
        }
        let ahead = |u: &TaskId| {
            let other = self.pending[u.index()];
            other.object == op.object && (behind >> other.kind) & 1 != 0
        };
        members(self.ready & !t.bit()).filter(ahead).fold(0, |set, u| set | u.bit())
    }

    /// Whom each of `blocked` reaches by waiting, itself only if there is a cycle.
    fn reach(&self, blocked: TaskSet) -> Vec<TaskSet> {
        let mut reach = vec![0; self.tasks.len()];
        for t in members(blocked) {
            reach[t.index()] = self.waits_on(t);
        }
        loop {
            let mut changed = false;
            for t in members(blocked) {
                let more = members(reach[t.index()] & blocked).fold(0, |set, u| set | reach[u.index()]);
                changed |= more & !reach[t.index()] != 0;
                reach[t.index()] |= more;
            }
            if !changed {
                return reach;
            }
        }
    }

    /// Called while an owner is blocked: notes a cycle that has come up since the last call.
    #[cold]
    pub(crate) fn look_for_cycles(&mut self, enabled: TaskSet) {
        let known = self.cycles.iter().fold(0, |set, c| set | c.tasks);
        let blocked = self.unfinished & !enabled;
        if self.owners & blocked & !known == 0 {
            return;
        }
        let reach = self.reach(blocked);
        let cyclic = members(blocked).filter(|t| reach[t.index()] & t.bit() != 0);
        let tasks = cyclic.fold(0, |set, t| set | t.bit());
        if tasks & !known == 0 {
            return;
        }
        self.cycles.push(Cycle { tasks: tasks & !known, step: self.steps, decisions: self.cursor });
        if self.recorder.is_some() {
            let waits: Vec<_> = members(tasks & !known).map(|t| self.wait(t).words()).collect();
            self.record(self.current, None, |_| EventKind::Finding(waits.join("; ")));
        }
    }

    fn wait(&self, t: TaskId) -> Wait {
        let task = &self.tasks[t.index()];
        let on = self.waits_on(t);
        let name = |t: TaskId| {
            let ended = if self.unfinished & t.bit() == 0 { " (which has ended)" } else { "" };
            format!("{}{ended}", self.tasks[t.index()].name)
        };
        let (what, holders, ahead) = match task.status {
            Status::Joining(child) => (format!("join {}", name(child)), Vec::new(), Vec::new()),
            _ => {
                let op = self.pending[t.index()];
                let slot = &self.slots[op.object.index()];
                let what = format!("{} {}", slot.class.ops[op.kind as usize].name, slot.name);
                let holders = members(self.holders_of(op.object)).map(name).collect();
                (what, holders, members(self.ahead_of(t)).map(name).collect())
            }
        };
        Wait { id: t, task: task.name.to_string(), what, holders, ahead, at: task.at, on }
    }

    /// Reports the cycles of the execution that just ended and, when it ended because nobody could go on (`stuck`),
    /// the tasks that are blocked without one.
    #[cold]
    pub(crate) fn report_deadlocks(&mut self, stuck: bool) {
        let blocked = self.unfinished & !if stuck { 0 } else { self.enabled_set() };
        let reach = self.reach(blocked);
        let cyclic = members(blocked).filter(|t| reach[t.index()] & t.bit() != 0);
        let cyclic = cyclic.fold(0, |set, t| set | t.bit());
        let in_cycle = |t: &TaskId| cyclic & t.bit() != 0;
        let behind = |t: &TaskId| !in_cycle(t) && reach[t.index()] & cyclic != 0;
        let mut followers: Vec<Wait> = Vec::new();
        if stuck {
            followers = members(self.ready).filter(behind).map(|t| self.wait(t)).collect();
            followers.sort_by_key(Wait::key);
        }
        let mut left = cyclic;
        while let Some(t) = members(left).next() {
            let component = members(left)
                .filter(|u| reach[t.index()] & u.bit() != 0 && reach[u.index()] & t.bit() != 0)
                .fold(0, |set, u| set | u.bit());
            left &= !component;
            let mut waits: Vec<Wait> = members(component).map(|t| self.wait(t)).collect();
            in_order_of_waiting(&mut waits);
            let key = waits.iter().map(Wait::key).collect::<Vec<_>>().join("; ");
            let mut message = waits.iter().map(Wait::words).collect::<Vec<_>>().join("; ");
            if !followers.is_empty() {
                let list: Vec<_> = followers.iter().map(Wait::words).collect();
                message.push_str("; behind them, ");
                message.push_str(&list.join("; "));
            }
            let step = self.cycles.iter().find(|c| c.tasks & component != 0).map_or(self.steps, |c| c.step);
            self.report_at(FindingKind::Deadlock, format!("deadlock {key}"), message, step);
        }
        if !stuck {
            return;
        }
        let others = members(self.ready).filter(|t| !in_cycle(t) && !behind(t));
        let mut waits: Vec<Wait> = others.map(|t| self.wait(t)).collect();
        if waits.is_empty() {
            return;
        }
        waits.sort_by_key(Wait::key);
        let key = waits.iter().map(Wait::key).collect::<Vec<_>>().join("; ");
        let message = waits.iter().map(Wait::words).collect::<Vec<_>>().join("; ");
        self.report_at(FindingKind::Deadlock, format!("deadlock {key}"), message, self.steps);
    }
}

impl Engine {
    /// Reports an execution that passed the step budget, with who used it up.
    #[cold]
    pub(crate) fn report_step_budget(&mut self) {
        let recent = &self.schedule[self.schedule.len().saturating_sub(100)..];
        let share = |t: TaskId| recent.iter().filter(|d| **d == Decision::Task(t)).count();
        let mut busy: Vec<_> = members(self.unfinished).map(|t| (share(t), t)).filter(|b| b.0 > 0).collect();
        busy.sort_by_key(|b| std::cmp::Reverse(b.0));
        let words = busy.iter().map(|(n, t)| {
            let op = self.pending[t.index()];
            let slot = &self.slots[op.object.index()];
            let what = format!("{} {}", slot.class.ops[op.kind as usize].name, slot.name);
            format!("{} took {n} of the last {}, now at {what}", self.tasks[t.index()].name, recent.len())
        });
        let message = format!(
            "no end after {} steps: {}; raise the budget, or look for a loop that waits by spinning",
            self.steps,
            words.collect::<Vec<_>>().join("; ")
        );
        self.report(FindingKind::StepBudget, "step budget".into(), message);
    }

    /// Reports a task that does not come to its next step.
    #[cold]
    pub(crate) fn report_spinning(&mut self) {
        let task = &self.tasks[self.current.index()];
        let message = format!(
            "{} spins: {} accesses, silent operations or choices without a step since {}",
            task.name, self.limits.quiet, task.at
        );
        let key = format!("livelock {} {}", task.name, task.at);
        self.report(FindingKind::Livelock, key, message);
    }
}

/// Orders the waits of a cycle so that each is followed by one of those that it waits for, beginning with the least.
/// What a walk does not reach (two readers that a writer waits for) follows in the order of the keys.
fn in_order_of_waiting(waits: &mut [Wait]) {
    waits.sort_by_key(Wait::key);
    for i in 1..waits.len() {
        if let Some(next) = (i..waits.len()).find(|j| waits[i - 1].on & waits[*j].id.bit() != 0) {
            waits[i..=next].rotate_right(1);
        }
    }
}
