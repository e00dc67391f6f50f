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
//! Cost: a step of the replayed prefix is O(1): what the prefix has seen is kept from execution to execution, and
//! undone only as far as the path is popped. A new step is O(e · t), e the earlier events on its object back to the
//! latest one that conflicts with as much as it does, and t the tasks; a race is O(n² · t), n the events since.

mod unit;

pub(crate) use unit::{Guide, Left};

use super::past::{Mark, Past};
use super::{Divergence, Strategy, View};
use crate::clock::{Clocks, Lane, copy, entry, join, tick};
use crate::engine::SyncEvent;
use crate::op::{Op, TaskId, TaskSet, members};

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
    /// The node of the task's event before this one; `u32::MAX` if there is none.
    previous: u32,
    /// Where the past stood before this event.
    mark: Mark,
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
    past: Past,
    /// Nodes of each object's events, oldest first.
    history: Vec<Vec<u32>>,
    /// Node of each task's latest event; `u32::MAX` before the first.
    latest: Vec<u32>,
    scratch: Scratch,
}

#[derive(Debug, Default)]
struct Scratch {
    before: Vec<Lane>,
    full: Vec<Lane>,
    between: Vec<u32>,
}

impl Dpor {
    /// A search that has explored nothing.
    pub fn new() -> Self {
        Dpor::default()
    }

    /// Widens the tables to the tasks of this execution.
    #[inline]
    fn fit(&mut self, tasks: usize) {
        if tasks > self.latest.len() {
            self.widen(tasks);
        }
    }

    #[cold]
    fn widen(&mut self, tasks: usize) {
        self.clocks.widen(tasks);
        self.past.widen(tasks);
        self.scratch.before.resize(tasks.div_ceil(4), Lane::default());
        self.scratch.full.resize(tasks.div_ceil(4), Lane::default());
        self.latest.resize(tasks, u32::MAX);
    }

    /// Takes the silent events of the last step into the clocks.
    fn absorb(&mut self, log: &[SyncEvent]) {
        let mut own = true;
        for event in log {
            self.past.absorb(*event);
            // An acquisition belongs to the step that made it: the event has seen what its task now has. What the root
            // takes while it is alone, after a join, belongs to no step.
            own &= !matches!(event, SyncEvent::Joined(..) | SyncEvent::Spawned(..));
            if let (true, SyncEvent::Acquired(t, ..)) = (own, *event) {
                let event = self.latest[t.index()] as usize;
                if event < self.depth {
                    copy(self.clocks.row_mut(event), self.past.seen(t));
                }
            }
        }
    }

    /// Forgets node `i`'s event and all that came after it.
    fn undo(&mut self, i: usize) {
        let node = &self.path[i];
        self.past.rewind(node.mark);
        if !node.is_choice() {
            self.latest[node.task.index()] = node.previous;
            self.history[node.op.group.index()].pop();
        }
    }

    /// Has `later`'s event seen `earlier`'s?
    #[inline]
    fn before(&self, earlier: usize, later: usize) -> bool {
        let e = &self.path[earlier];
        entry(self.clocks.row(later), e.task) >= e.nth
    }

    /// Finds the races of `op`, pending for `t` after all of the path, and adds their reversals to backtrack sets.
    /// Leaves what the event would have seen, itself excluded, in `scratch.full`.
    fn races(&mut self, t: TaskId, op: Op) {
        let mut scratch = std::mem::take(&mut self.scratch);
        let Scratch { before, full, between } = &mut scratch;
        copy(before, self.past.seen(t));
        copy(full, self.past.seen(t));
        let o = op.group.index();
        let mut k = self.history.get(o).map_or(0, Vec::len);
        while k > 0 {
            k -= 1;
            let i = self.history[o][k] as usize;
            let Node { task, op: earlier, nth, .. } = self.path[i];
            let mut seen = task == t;
            if !seen && op.dependent(earlier) {
                join(full, self.clocks.row(i));
                if op.reversible(earlier.kind)
                    && (entry(before, task) >= nth || self.reverse(i, t, op, before, between))
                {
                    join(before, self.clocks.row(i));
                    seen = true;
                }
            }
            // A barrier: whatever earlier event `op` depends on, this one depends on too, and it is in the past now.
            if seen && op.conflicts & !earlier.conflicts == 0 {
                break;
            }
        }
        self.scratch = scratch;
    }

    /// Makes sure that some execution from node `i` on does `op` of `t` before the event of node `i`. `false` when
    /// that is impossible because `op` is blocked there: what blocks it is earlier, and is the race to reverse.
    fn reverse(&mut self, i: usize, t: TaskId, op: Op, before: &[Lane], between: &mut Vec<u32>) -> bool {
        let node = &self.path[i];
        let tried = node.backtrack | node.done | node.sleep;
        if node.enabled & !tried == 0 && node.enabled & t.bit() != 0 {
            return true;
        }
        // v = the events after i that have not seen it; initials = the tasks whose first event in v nothing in v
        // precedes, t included.
        between.clear();
        let (mut initials, mut heads): (TaskSet, TaskSet) = (0, 0);
        for k in i + 1..self.depth {
            let e = &self.path[k];
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
            let e = &self.path[*u as usize];
            entry(before, e.task) >= e.nth || op.dependent(e.op)
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
        let mark = self.past.mark();
        let row = &mut self.scratch.full;
        tick(row, t);
        self.past.step(t, row);
        self.clocks.truncate(i);
        self.clocks.push(row);
        let node = &mut self.path[i];
        node.nth = entry(row, t);
        node.mark = mark;
        node.previous = std::mem::replace(&mut self.latest[t.index()], i as u32);
        let o = op.group.index();
        if self.history.len() <= o {
            self.history.resize_with(o + 1, Vec::new);
        }
        self.history[o].push(i as u32);
    }

    /// A decision of the replayed prefix. What is known of it stays as it was; only the last one is new.
    #[inline]
    fn again(&mut self, view: &View<'_>) -> Result<TaskId, Divergence> {
        let i = self.depth;
        let node = &self.path[i];
        let t = node.task;
        let new = i + 1 == self.prefix;
        let op = view.pending[t.index()];
        if node.is_choice() || view.enabled != node.enabled || (!new && op != node.op) {
            return Err(self.divergence(i, view));
        }
        if new {
            self.path[i].op = op;
            self.event(t, op);
            self.sleep = self.sleep_after(&self.path[i], view);
            self.last = Some(t);
        }
        self.depth += 1;
        Ok(t)
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
        if !std::mem::replace(&mut self.begun, true) {
            self.fit(1);
            self.prefix = 0;
            return true;
        }
        while self.path.len() > self.guide.len() {
            let i = self.path.len() - 1;
            self.undo(i);
            let node = &mut self.path[i];
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
        self.clocks.truncate(self.prefix.saturating_sub(1));
        self.prefix > self.guide.len()
    }

    fn repeats(&mut self) -> usize {
        self.depth = self.prefix.saturating_sub(1);
        self.depth
    }

    fn decide(&mut self, view: &View<'_>) -> Result<TaskId, Divergence> {
        let i = self.depth;
        if i < self.prefix {
            return self.again(view);
        }
        if !self.asleep {
            self.fit(view.pending.len());
            self.absorb(view.log);
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
            previous: 0,
            mark: Mark::default(),
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
            if i + 1 == self.prefix {
                self.sleep = node.sleep;
                self.last = Some(task);
            }
        } else {
            self.path.push(Node {
                enabled: 0,
                backtrack: 0,
                done: 0,
                sleep: self.sleep,
                task,
                op: Op::NONE,
                nth: 0,
                previous: 0,
                mark: self.past.mark(),
                choice: (self.guided_choice(task, n)?, n),
            });
        }
        if self.clocks.len() == i {
            // A choice is no event: its row only keeps rows and nodes in step.
            self.clocks.grow(i + 1);
        }
        self.depth += 1;
        Ok(self.path[i].choice.0)
    }

    fn end(&mut self, view: &View<'_>) {
        if !self.asleep {
            self.fit(view.pending.len());
            self.absorb(view.log);
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
