// SPDX-License-Identifier: MIT OR Apache-2.0
//! Exhaustive search with dynamic partial-order reduction: source sets and sleep sets.
//!
//! Explores at least one execution of every Mazurkiewicz trace, and with it every reachable deadlock and every
//! finding that depends only on the order of dependent operations. After Abdulla, Aronis, Jonsson and Sagonas,
//! *Source Sets: A Foundation for Optimal Dynamic Partial Order Reduction*, JACM 2017, algorithm 1, with these
//! differences:
//!
//! * operations may block: an operation that is still blocked when an execution ends takes part in race detection,
//!   or the deadlocks that its reversal leads to would be lost; and a race that cannot be reversed because the later
//!   operation is blocked where the earlier one happens does not hide the race with what blocks it;
//! * pairs that are dependent but never co-enabled (a reader against the lock step of an announced writer) order
//!   events and are not races to reverse;
//! * locks are released silently: the release edge orders the next holder's *later* operations, but does not hide
//!   the race between the two lock operations.
//!
//! An execution whose every enabled task sleeps brings nothing new; it is run to its end unrecorded (a task is
//! cheaper to finish than to unwind) and counted apart, see [`Strategy::redundant`].
//!
//! Cost: a step of the replayed prefix is O(1); a new step is O(e · t), e the earlier events on its object and t the
//! tasks; a race is O(n · t), n the events since.

mod unit;

pub(crate) use unit::{Guide, Left};

use super::{Divergence, Strategy, View};
use crate::clock::{Clocks, join};
use crate::engine::{Mode, SyncEvent};
use crate::op::{MAX_TASKS, Object, Op, TaskId, TaskSet, members};

/// A decision of the path, with what is known of its alternatives.
#[derive(Clone, Copy, Debug)]
struct Node {
    enabled: TaskSet,
    backtrack: TaskSet,
    done: TaskSet,
    sleep: TaskSet,
    /// The chosen task; for a choice, the task that chose.
    task: TaskId,
    op: Op,
    /// The nth event of its task, counted from 1.
    nth: u32,
    /// For a choice: the value and the number of values; (0, 0) for a step.
    choice: (u32, u32),
}

impl Node {
    fn is_choice(&self) -> bool {
        self.choice.1 != 0
    }
}

/// See the module's words.
#[derive(Debug, Default)]
pub struct Dpor {
    path: Vec<Node>,
    /// The first nodes of the path, when the search is confined to what lies below them.
    guide: Vec<Guide>,
    /// Row i: what the event of node i has seen, itself included.
    clocks: Clocks,
    /// Nodes below this index are replayed; the last of them carries a new decision.
    prefix: usize,
    depth: usize,
    begun: bool,
    /// Every enabled task sleeps: nothing is recorded until the execution ends.
    asleep: bool,
    sleep: TaskSet,
    last: Option<TaskId>,
    /// Row t: what task t has seen.
    seen: Clocks,
    /// Rows 2o and 2o+1: exclusive and shared releases of object o in this execution.
    releases: Clocks,
    /// The execution that the two rows of an object belong to.
    stamps: Vec<u64>,
    execution: u64,
    /// Nodes of each object's events, oldest first.
    history: Vec<Vec<u32>>,
    /// Node of each task's latest event; `u32::MAX` before the first.
    latest: Vec<u32>,
    width: usize,
    scratch: Scratch,
}

#[derive(Debug, Default)]
struct Scratch {
    before: Vec<u32>,
    full: Vec<u32>,
    between: Vec<u32>,
}

impl Dpor {
    /// A search that has explored nothing.
    pub fn new() -> Self {
        Dpor::default()
    }

    /// Widens the tables to the tasks of this execution.
    fn fit(&mut self, tasks: usize) {
        if tasks > self.width {
            self.width = tasks.next_multiple_of(4).min(MAX_TASKS.next_multiple_of(4));
            self.clocks.widen(self.width);
            self.seen.widen(self.width);
            self.releases.widen(self.width);
            self.scratch.before.resize(self.width, 0);
            self.scratch.full.resize(self.width, 0);
        }
        self.seen.grow(tasks);
        self.latest.resize(tasks, u32::MAX);
    }

    /// The rows of an object's releases in this execution.
    fn release_rows(&mut self, object: Object) -> usize {
        let o = object.index();
        if self.stamps.len() <= o {
            self.stamps.resize(o + 1, 0);
            self.releases.grow(2 * o + 2);
        }
        if self.stamps[o] != self.execution {
            self.stamps[o] = self.execution;
            self.releases.row_mut(2 * o).fill(0);
            self.releases.row_mut(2 * o + 1).fill(0);
        }
        2 * o
    }

    /// Takes the silent events of the last step into the clocks.
    fn absorb(&mut self, log: &[SyncEvent]) {
        for event in log {
            match *event {
                SyncEvent::Acquired(t, object, mode) => {
                    let row = self.release_rows(object);
                    join(self.seen.row_mut(t.index()), self.releases.row(row));
                    if mode == Mode::Exclusive {
                        join(self.seen.row_mut(t.index()), self.releases.row(row + 1));
                    }
                    self.publish(t);
                }
                SyncEvent::Released(t, object, mode) => {
                    let row = self.release_rows(object) + usize::from(mode == Mode::Shared);
                    join(self.releases.row_mut(row), self.seen.row(t.index()));
                }
                SyncEvent::Spawned(parent, child) => {
                    let row = self.seen.row(parent.index()).to_vec();
                    self.seen.row_mut(child.index()).copy_from_slice(&row);
                }
                SyncEvent::Joined(parent, child) => self.seen.join_rows(parent.index(), child.index()),
            }
        }
    }

    /// An acquisition belongs to the step that made it: the event has seen what its task now has.
    fn publish(&mut self, t: TaskId) {
        let event = self.latest[t.index()] as usize;
        if !self.asleep && event < self.depth {
            self.clocks.row_mut(event).copy_from_slice(self.seen.row(t.index()));
        }
    }

    /// Has `later`'s event seen `earlier`'s?
    #[inline]
    fn before(&self, earlier: usize, later: usize) -> bool {
        let e = &self.path[earlier];
        self.clocks.row(later)[e.task.index()] >= e.nth
    }

    /// Finds the races of `op`, pending for `t` after all of the path, and adds their reversals to backtrack sets.
    /// Leaves what the event would have seen, itself excluded, in `scratch.full`.
    fn races(&mut self, t: TaskId, op: Op) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.before.copy_from_slice(self.seen.row(t.index()));
        scratch.full.copy_from_slice(self.seen.row(t.index()));
        if let Some(history) = self.history.get_mut(op.object.index()) {
            let history = std::mem::take(history);
            for i in history.iter().rev().map(|i| *i as usize) {
                let e = self.path[i];
                if e.task == t || !op.dependent(e.op) {
                    continue;
                }
                if op.reversible(e.op.kind) {
                    let Scratch { before, between, .. } = &mut scratch;
                    if before[e.task.index()] >= e.nth || self.reverse(i, t, op, before, between) {
                        join(&mut scratch.before, self.clocks.row(i));
                    }
                }
                join(&mut scratch.full, self.clocks.row(i));
            }
            self.history[op.object.index()] = history;
        }
        self.scratch = scratch;
    }

    /// Makes sure that some execution from node `i` on does `op` of `t` before the event of node `i`. `false` when
    /// that is impossible because `op` is blocked there: what blocks it is earlier, and is the race to reverse.
    fn reverse(&mut self, i: usize, t: TaskId, op: Op, before: &[u32], between: &mut Vec<u32>) -> bool {
        let node = self.path[i];
        let tried = node.backtrack | node.done | node.sleep;
        if node.enabled & !tried == 0 && node.enabled & t.bit() != 0 {
            return true;
        }
        // v = the events after i that have not seen it; initials = the tasks whose first event in v nothing in v
        // precedes, t included.
        between.clear();
        let (mut initials, mut heads): (TaskSet, TaskSet) = (0, 0);
        for k in i + 1..self.depth {
            let e = self.path[k];
            if e.is_choice() || self.before(i, k) {
                continue;
            }
            if heads & e.task.bit() == 0 {
                heads |= e.task.bit();
                if !between.iter().any(|u| self.before(*u as usize, k)) {
                    initials |= e.task.bit();
                }
            }
            between.push(k as u32);
        }
        let precedes = |u: &u32| {
            let e = self.path[*u as usize];
            before[e.task.index()] >= e.nth || op.dependent(e.op)
        };
        if heads & t.bit() == 0 && !between.iter().any(precedes) {
            initials |= t.bit();
        }
        let blocked = initials & t.bit() & !node.enabled != 0;
        let initials = initials & node.enabled;
        if initials != 0 && initials & tried == 0 {
            let pick = if initials & t.bit() != 0 { t } else { members(initials).next().expect("not empty") };
            self.path[i].backtrack |= pick.bit();
        }
        !blocked
    }

    /// The chosen operation becomes the event of node `self.depth`.
    fn event(&mut self, t: TaskId, op: Op) {
        self.races(t, op);
        let i = self.depth;
        let nth = self.seen.row(t.index())[t.index()] + 1;
        let seen = self.seen.row_mut(t.index());
        seen.copy_from_slice(&self.scratch.full);
        seen[t.index()] = nth;
        self.path[i].nth = nth;
        self.latest[t.index()] = i as u32;
        self.clocks.truncate(i);
        self.clocks.push(&self.scratch.full);
        self.clocks.row_mut(i)[t.index()] = nth;
        let o = op.object.index();
        if self.history.len() <= o {
            self.history.resize_with(o + 1, Vec::new);
        }
        self.history[o].push(i as u32);
    }

    /// How the execution differs from the path at node `i`.
    #[cold]
    fn divergence(&self, i: usize, view: &View<'_>) -> Divergence {
        let node = &self.path[i];
        if node.is_choice() {
            Divergence::no_choice(i + 1, view, node.choice.1)
        } else if view.enabled != node.enabled {
            Divergence::other_enabled(i + 1, view, node.enabled)
        } else {
            Divergence::other_op(i + 1, view, node.task, node.op)
        }
    }

    /// The sleep set after node `i`: those that slept or are done there, and that its operation leaves alone.
    fn sleep_after(&self, node: &Node, view: &View<'_>) -> TaskSet {
        let mut set = 0;
        for q in members((node.sleep | node.done) & !node.task.bit()) {
            if !view.pending[q.index()].dependent(node.op) {
                set |= q.bit();
            }
        }
        set
    }
}

impl Strategy for Dpor {
    fn begin(&mut self) -> bool {
        self.depth = 0;
        self.asleep = false;
        self.sleep = 0;
        self.last = None;
        self.execution += 1;
        self.seen.truncate(0);
        self.latest.clear();
        self.fit(1);
        if !std::mem::replace(&mut self.begun, true) {
            self.prefix = 0;
            return true;
        }
        while self.path.len() > self.guide.len() {
            let node = self.path.last_mut().expect("longer than the guide");
            if node.is_choice() {
                if node.choice.0 + 1 < node.choice.1 {
                    node.choice.0 += 1;
                    break;
                }
            } else {
                node.done |= node.task.bit();
                if let Some(next) = members(node.backtrack & !node.done & !node.sleep).next() {
                    node.task = next;
                    break;
                }
            }
            self.path.pop();
        }
        self.prefix = self.path.len();
        let keep = self.prefix.saturating_sub(1);
        self.clocks.truncate(keep);
        for h in &mut self.history {
            while h.last().is_some_and(|i| *i as usize >= keep) {
                h.pop();
            }
        }
        self.prefix > self.guide.len()
    }

    fn decide(&mut self, view: &View<'_>) -> Result<TaskId, Divergence> {
        self.fit(view.pending.len());
        self.absorb(view.log);
        let i = self.depth;
        if i < self.prefix {
            let node = self.path[i];
            let t = node.task;
            let new = i + 1 == self.prefix;
            let op = view.pending[t.index()];
            if node.is_choice() || view.enabled != node.enabled || (!new && op != node.op) {
                return Err(self.divergence(i, view));
            }
            if new {
                self.path[i].op = op;
                self.event(t, op);
            } else {
                self.seen.row_mut(t.index()).copy_from_slice(self.clocks.row(i));
                self.latest[t.index()] = i as u32;
            }
            self.sleep = self.sleep_after(&self.path[i], view);
            self.depth += 1;
            self.last = Some(t);
            return Ok(t);
        }
        if i < self.guide.len() {
            return self.guided(view);
        }
        let awake = view.enabled & !self.sleep;
        if awake == 0 && !self.asleep {
            // What is blocked now takes part in race detection, as at the end of an execution.
            for q in members(view.ready & !view.enabled) {
                self.races(q, view.pending[q.index()]);
            }
            self.asleep = true;
        }
        let among = if self.asleep { view.enabled } else { awake };
        let t = match self.last {
            Some(t) if among & t.bit() != 0 => t,
            _ => members(among).next().expect("somebody is enabled"),
        };
        self.last = Some(t);
        if self.asleep {
            return Ok(t);
        }
        let op = view.pending[t.index()];
        let node = Node {
            enabled: view.enabled,
            backtrack: t.bit(),
            done: 0,
            sleep: self.sleep,
            task: t,
            op,
            nth: 0,
            choice: (0, 0),
        };
        self.path.push(node);
        self.event(t, op);
        self.sleep = self.sleep_after(&node, view);
        self.depth += 1;
        Ok(t)
    }

    fn choose(&mut self, task: TaskId, n: u32) -> Result<u32, Divergence> {
        if self.asleep {
            return Ok(0);
        }
        let i = self.depth;
        if i < self.prefix {
            let node = self.path[i];
            if node.choice.1 != n {
                return Err(Divergence::other_choice(i + 1, task, n));
            }
        } else {
            self.path.push(Node {
                enabled: 0,
                backtrack: 0,
                done: 0,
                sleep: 0,
                task,
                op: Op::NONE,
                nth: 0,
                choice: (self.guided_choice(task, n)?, n),
            });
        }
        if self.clocks.len() == i {
            // A choice is no event: its row only keeps rows and nodes in step.
            let row = vec![0; self.width];
            self.clocks.push(&row);
        }
        self.depth += 1;
        Ok(self.path[i].choice.0)
    }

    fn end(&mut self, view: &View<'_>) {
        self.fit(view.pending.len());
        self.absorb(view.log);
        if !self.asleep {
            for t in members(view.ready) {
                self.races(t, view.pending[t.index()]);
            }
        }
    }

    fn redundant(&self) -> bool {
        self.asleep
    }

    fn fault(&mut self) -> Option<Divergence> {
        (self.depth < self.prefix.max(self.guide.len())).then(|| Divergence::early(self.depth))
    }

    fn restart(&mut self) {
        *self = Dpor { guide: std::mem::take(&mut self.guide), ..Dpor::new() };
    }
}
