// SPDX-License-Identifier: MIT OR Apache-2.0
//! Preemption-bounded search: every interleaving with at most a given number of preemptions.
//!
//! A preemption is a switch away from a task that could have gone on. Most bugs need one or two (Musuvathi and
//! Qadeer, *Iterative Context Bounding*, PLDI 2007), and the interleavings below a small bound are polynomially many.
//!
//! This is plain depth-first search with a bound: no reduction and no sleep sets. That is what makes it sound: the
//! interleavings within the bound are enumerated one by one. A sleep set drops an interleaving because an equivalent
//! one was explored, but the equivalent one may need more preemptions and lie outside of the bound; a search that
//! combines the two has to add conservative backtrack points (Coons, Musuvathi and McKinley, *Bounded Partial-Order
//! Reduction*, OOPSLA 2013), and is not built here.

use super::{Divergence, Strategy, View};
use crate::op::{TaskId, TaskSet, members};

#[derive(Debug)]
enum Node {
    /// `free` is a switch that costs nothing, because the last task cannot go on (or there is none).
    Task {
        chosen: TaskId,
        left: TaskSet,
        /// Preemptions before this decision.
        spent: u32,
        /// The last task, when leaving it is a preemption.
        last: Option<TaskId>,
    },
    Choice {
        chosen: u32,
        n: u32,
    },
}

/// See the module's words.
#[derive(Debug)]
pub struct Bounded {
    bound: u32,
    path: Vec<Node>,
    depth: usize,
    begun: bool,
    spent: u32,
    last: Option<TaskId>,
    cut: bool,
}

impl Bounded {
    /// A search of all interleavings with at most `bound` preemptions.
    pub fn new(bound: u32) -> Self {
        Bounded { bound, path: Vec::new(), depth: 0, begun: false, spent: 0, last: None, cut: false }
    }

    /// Whether the bound has excluded anything so far. If the search ends and it has not, everything was explored.
    pub fn cut(&self) -> bool {
        self.cut
    }

    /// Whether leaving the last task for `t` is a preemption, and the preemptions with it.
    fn take(&mut self, t: TaskId, spent: u32, last: Option<TaskId>) -> TaskId {
        self.spent = spent + u32::from(last.is_some_and(|l| l != t));
        self.last = Some(t);
        t
    }
}

impl Strategy for Bounded {
    fn begin(&mut self) -> bool {
        self.depth = 0;
        self.spent = 0;
        self.last = None;
        if !std::mem::replace(&mut self.begun, true) {
            return true;
        }
        while let Some(node) = self.path.last_mut() {
            match node {
                Node::Task { chosen, left, .. } => {
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
        self.depth += 1;
        match self.path.get(self.depth - 1) {
            Some(&Node::Task { chosen, spent, last, .. }) if view.enabled & chosen.bit() != 0 => {
                Ok(self.take(chosen, spent, last))
            }
            Some(_) => Err(Divergence {
                decision: self.depth,
                what: format!(
                    "an earlier decision is not possible any more; these are: {}",
                    view.describe_all(view.enabled)
                ),
            }),
            None => {
                let last = self.last.filter(|l| view.enabled & l.bit() != 0);
                let chosen =
                    last.unwrap_or_else(|| members(view.enabled).next().expect("somebody is enabled"));
                let mut left = view.enabled & !chosen.bit();
                if last.is_some() && self.spent == self.bound {
                    self.cut |= left != 0;
                    left = 0;
                }
                self.path.push(Node::Task { chosen, left, spent: self.spent, last });
                Ok(self.take(chosen, self.spent, last))
            }
        }
    }

    fn choose(&mut self, _: TaskId, n: u32) -> Result<u32, Divergence> {
        self.depth += 1;
        match self.path.get(self.depth - 1) {
            Some(Node::Choice { chosen, n: m }) if *m == n => Ok(*chosen),
            Some(_) => Err(Divergence {
                decision: self.depth,
                what: format!("a choice among {n} stands in another place"),
            }),
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

    fn restart(&mut self) {
        *self = Bounded::new(self.bound);
    }
}
