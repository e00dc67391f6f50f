// SPDX-License-Identifier: MIT OR Apache-2.0
//! Depth-first search that visits no state twice, with sleep sets.
//!
//! A state is the objects' states, each task's pending operation and the hash of what each task has observed
//! ([`View::fingerprint`]); histories only grow, so the states form no cycles. Sleep sets are kept with the states:
//! a state that is met again with tasks awake that slept before is explored for those tasks (Godefroid,
//! *Partial-Order Methods for the Verification of Concurrent Systems*, LNCS 1032, section 5.3). No pruning by
//! persistent or source sets takes place, so this search and [`super::dpor`] share no argument for their soundness and
//! check each other.
//!
//! **Assumes** that tasks share nothing but objects. What a task reads elsewhere it must declare ([`crate::observed`]),
//! and what it writes elsewhere must follow from its observations. Two different states are taken for one with a
//! probability of about s² / 2¹²⁸ for s states.
//!
//! Memory: about 40 bytes a state. An execution that meets a known state is run to its end unrecorded and counted
//! as redundant.

use std::collections::BTreeMap;

use super::{Divergence, Strategy, View};
use crate::op::{Op, TaskId, TaskSet, members};

/// A decision of the path.
#[derive(Clone, Copy, Debug)]
enum Node {
    Task { chosen: TaskId, op: Op, left: TaskSet, sleep: TaskSet },
    Choice { chosen: u32, n: u32 },
}

/// See the module's words.
#[derive(Debug, Default)]
pub struct StateHash {
    seed: u64,
    path: Vec<Node>,
    depth: usize,
    begun: bool,
    /// The sleep set that each state was last explored with. Never iterated over.
    visited: BTreeMap<u128, TaskSet>,
    sleep: TaskSet,
    last: Option<TaskId>,
    /// A known state was met, or every enabled task sleeps.
    over: bool,
}

impl StateHash {
    /// A search that has explored nothing, with hashes of that seed.
    pub fn new(seed: u64) -> Self {
        StateHash { seed, ..StateHash::default() }
    }

    /// The number of different states met so far.
    pub fn states(&self) -> usize {
        self.visited.len()
    }

    fn sleep_after(sleep: TaskSet, t: TaskId, op: Op, view: &View<'_>) -> TaskSet {
        members(sleep & !t.bit())
            .filter(|q| !view.pending[q.index()].dependent(op))
            .fold(0, |set, q| set | q.bit())
    }

    fn go_on(&mut self, among: TaskSet) -> TaskId {
        let t = match self.last {
            Some(t) if among & t.bit() != 0 => t,
            _ => members(among).next().expect("somebody is enabled"),
        };
        self.last = Some(t);
        t
    }
}

impl Strategy for StateHash {
    fn begin(&mut self) -> bool {
        self.depth = 0;
        self.sleep = 0;
        self.last = None;
        self.over = false;
        if !std::mem::replace(&mut self.begun, true) {
            return true;
        }
        while let Some(node) = self.path.last_mut() {
            match node {
                Node::Task { chosen, left, sleep, .. } => {
                    *sleep |= chosen.bit();
                    if let Some(next) = members(*left).next() {
                        *chosen = next;
                        *left &= !next.bit();
                        return true;
                    }
                }
                Node::Choice { chosen, n } if *chosen + 1 < *n => {
                    *chosen += 1;
                    return true;
                }
                Node::Choice { .. } => {}
            }
            self.path.pop();
        }
        false
    }

    fn decide(&mut self, view: &View<'_>) -> Result<TaskId, Divergence> {
        if self.over {
            return Ok(self.go_on(view.enabled));
        }
        let i = self.depth;
        self.depth += 1;
        if i < self.path.len() {
            let new = self.depth == self.path.len();
            return match &mut self.path[i] {
                Node::Task { chosen, op, sleep, .. } if view.enabled & chosen.bit() != 0 => {
                    let now = view.pending[chosen.index()];
                    if !new && *op != now {
                        return Err(Divergence::other_op(self.depth, view, *chosen, *op));
                    }
                    *op = now;
                    self.sleep = Self::sleep_after(*sleep, *chosen, now, view);
                    self.last = Some(*chosen);
                    Ok(*chosen)
                }
                Node::Task { chosen, op, .. } => Err(Divergence::blocked(self.depth, view, *chosen, *op)),
                Node::Choice { n, .. } => Err(Divergence::no_choice(self.depth, view, *n)),
            };
        }
        let sleep = self.sleep & view.enabled;
        let hash = view.fingerprint(self.seed);
        let (explore, sleep) = match self.visited.get_mut(&hash) {
            Some(before) => {
                let woken = *before & !sleep;
                *before &= sleep;
                (woken, *before)
            }
            None => {
                self.visited.insert(hash, sleep);
                (view.enabled & !sleep, sleep)
            }
        };
        if explore == 0 {
            self.over = true;
            self.depth -= 1;
            return Ok(self.go_on(view.enabled));
        }
        let t = self.go_on(explore);
        let op = view.pending[t.index()];
        self.path.push(Node::Task { chosen: t, op, left: explore & !t.bit(), sleep });
        self.sleep = Self::sleep_after(sleep, t, op, view);
        Ok(t)
    }

    fn choose(&mut self, t: TaskId, n: u32) -> Result<u32, Divergence> {
        if self.over {
            return Ok(0);
        }
        self.depth += 1;
        match self.path.get(self.depth - 1) {
            Some(Node::Choice { chosen, n: m }) if *m == n => Ok(*chosen),
            Some(_) => Err(Divergence::other_choice(self.depth, t, n)),
            None => {
                self.path.push(Node::Choice { chosen: 0, n });
                Ok(0)
            }
        }
    }

    fn end(&mut self, _: &View<'_>) {}

    fn fault(&mut self) -> Option<Divergence> {
        (self.depth < self.path.len()).then(|| Divergence::early(self.depth))
    }

    fn redundant(&self) -> bool {
        self.over
    }

    fn restart(&mut self) {
        *self = StateHash::new(self.seed);
    }

    fn observes(&self) -> bool {
        true
    }
}
