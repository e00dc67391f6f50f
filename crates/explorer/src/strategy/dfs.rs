// SPDX-License-Identifier: MIT OR Apache-2.0
//! Naive depth-first search: every interleaving of the operations, without reduction.
//!
//! Exponentially slower than [`super::dpor`]; it is here to check the other strategies against.

use super::{Divergence, Strategy, View};
use crate::op::{TaskId, TaskSet, members};

/// A decision with the alternatives that are left.
#[derive(Debug)]
enum Node {
    Task { chosen: TaskId, left: TaskSet },
    Choice { chosen: u32, n: u32 },
}

/// See the module's words.
#[derive(Debug, Default)]
pub struct Dfs {
    path: Vec<Node>,
    depth: usize,
    begun: bool,
}

impl Dfs {
    /// A search that has explored nothing.
    pub fn new() -> Self {
        Dfs::default()
    }
}

impl Strategy for Dfs {
    fn begin(&mut self) -> bool {
        self.depth = 0;
        if !std::mem::replace(&mut self.begun, true) {
            return true;
        }
        while let Some(node) = self.path.last_mut() {
            match node {
                Node::Task { chosen, left } => {
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

    fn repeats(&mut self) -> usize {
        self.depth = self.path.len().saturating_sub(1);
        self.depth
    }

    fn decide(&mut self, view: &View<'_>) -> Result<TaskId, Divergence> {
        self.depth += 1;
        match self.path.get(self.depth - 1) {
            Some(Node::Task { chosen, .. }) if view.enabled & chosen.bit() != 0 => Ok(*chosen),
            Some(_) => Err(Divergence {
                decision: self.depth,
                what: "an earlier decision is not possible any more".into(),
            }),
            None => {
                let chosen = members(view.enabled).next().expect("somebody is enabled");
                self.path.push(Node::Task { chosen, left: view.enabled & !chosen.bit() });
                Ok(chosen)
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
        *self = Dfs::new();
    }
}
