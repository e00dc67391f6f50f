// SPDX-License-Identifier: MIT OR Apache-2.0
//! A search that is confined to the tree below a prefix, and what it has to say about the rest.
//!
//! The tree of an exploration is cut into pieces so that each piece can be explored alone. What a piece has to know
//! of the tree above it are the alternatives at each node of its prefix, in their order: those before its own
//! choice are explored by others and sleep; all of them count as taken when a race asks for an alternative there.
//! What the tree above has to know of a piece are the alternatives that its races ask for there, and, if it was
//! stopped, the alternatives that it leaves.
//!
//! Why this is sound: the algorithm relies on a fixed order of the alternatives at each node, in which each is explored
//! with the earlier ones asleep, and on all alternatives that races ask for being explored in the end. Neither depends
//! on when a piece is explored, nor on how often.

use super::super::{Divergence, View};
use super::{Dpor, Mark, Node};
use crate::op::{TaskId, TaskSet};
use crate::schedule::Decision;

/// A decision of a prefix, with tasks named by their order of creation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Guide {
    pub(crate) decision: Decision,
    /// For a step: the alternatives that are explored or will be, in order, the decision among them.
    pub(crate) alternatives: Vec<TaskId>,
}

/// A node of the path of a search that was stopped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Left {
    /// The decision in whose subtree the search was.
    pub(crate) decision: Decision,
    /// Alternatives that are fully explored.
    pub(crate) done: Vec<Decision>,
    /// Alternatives that are still to be explored.
    pub(crate) open: Vec<Decision>,
}

fn by_birth(births: &[TaskId], set: TaskSet) -> Vec<TaskId> {
    let named = births.iter().enumerate().filter(|(_, t)| set & t.bit() != 0);
    named.map(|(i, _)| TaskId(i as u8)).collect()
}

impl Dpor {
    /// A search of what lies below a prefix.
    pub(crate) fn below(guide: Vec<Guide>) -> Self {
        Dpor { guide, ..Dpor::new() }
    }

    /// The step that the guide prescribes here.
    #[cold]
    pub(super) fn guided(&mut self, view: &View<'_>) -> Result<TaskId, Divergence> {
        let i = self.depth;
        let guide = &self.guide[i];
        let refuse = |what: String| Err(Divergence { decision: i + 1, what });
        let Decision::Task(wanted) = guide.decision else {
            return refuse("the unit's prefix takes a choice here, but tasks take steps".into());
        };
        let mut alternatives: Vec<TaskId> = Vec::new();
        for a in &guide.alternatives {
            match view.births.get(a.index()) {
                Some(t) if view.enabled & t.bit() != 0 => alternatives.push(*t),
                _ => return refuse(format!("task {} of the unit's prefix cannot go on here", a.letter())),
            }
        }
        let place = guide.alternatives.iter().position(|a| *a == wanted);
        let Some(place) = place else {
            return refuse(format!(
                "task {} is not among the alternatives of the unit's prefix",
                wanted.letter()
            ));
        };
        let t = alternatives[place];
        let op = view.pending[t.index()];
        let set = |list: &[TaskId]| list.iter().fold(0, |set, t| set | t.bit());
        let node = Node {
            enabled: view.enabled,
            backtrack: set(&alternatives),
            done: set(&alternatives[..place]),
            sleep: self.sleep,
            task: t,
            op,
            nth: 0,
            previous: 0,
            mark: Mark::default(),
            choice: (0, 0),
        };
        if node.sleep & t.bit() != 0 {
            return refuse(format!("task {} of the unit's prefix sleeps here", wanted.letter()));
        }
        self.path.push(node);
        self.event(t, op);
        self.sleep = self.sleep_after(&node, view);
        self.depth += 1;
        self.last = Some(t);
        Ok(t)
    }

    /// The value of a new choice: the guide's, or the first.
    pub(super) fn guided_choice(&self, task: TaskId, n: u32) -> Result<u32, Divergence> {
        match self.guide.get(self.depth).map(|g| g.decision) {
            None => Ok(0),
            Some(Decision::Choice(v)) if v < n => Ok(v),
            Some(Decision::Choice(v)) => Err(Divergence {
                decision: self.depth + 1,
                what: format!("value {v} of the unit's prefix, in a choice that has {n} values"),
            }),
            Some(Decision::Task(_)) => Err(Divergence::other_choice(self.depth + 1, task, n)),
        }
    }

    /// Alternatives at nodes of the prefix that races ask for and the guide did not have: depth and task.
    pub(crate) fn additions(&self, births: &[TaskId]) -> Vec<(usize, TaskId)> {
        let mut list = Vec::new();
        for (i, (guide, node)) in self.guide.iter().zip(&self.path).enumerate() {
            let new =
                by_birth(births, node.backtrack).into_iter().filter(|t| !guide.alternatives.contains(t));
            list.extend(new.map(|t| (i, t)));
        }
        list
    }

    /// What the search leaves when it is stopped after an execution. `births` is that execution's.
    pub(crate) fn left(&self, births: &[TaskId]) -> Vec<Left> {
        let named = |set| by_birth(births, set).into_iter().map(Decision::Task).collect();
        let mut list = Vec::new();
        for node in self.path.iter().skip(self.guide.len()) {
            list.push(if node.is_choice() {
                let (v, n) = node.choice;
                Left {
                    decision: Decision::Choice(v),
                    done: Vec::new(),
                    open: (v + 1..n).map(Decision::Choice).collect(),
                }
            } else {
                let own = by_birth(births, node.task.bit());
                Left {
                    decision: Decision::Task(*own.first().expect("the task was created")),
                    done: named(node.done),
                    open: named(node.backtrack & !node.done & !node.sleep & !node.task.bit()),
                }
            });
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::Cell;
    use crate::{Config, JoinHandle, explore_with, spawn};

    fn readers() {
        let x = Cell::new("x", 0u32);
        let mut t = vec![spawn("w", move || x.store(1))];
        t.extend((0..3).map(|_| spawn("r", move || assert!(x.load() < 2))));
        t.into_iter().for_each(JoinHandle::join);
    }

    #[test]
    fn a_prefix_confines_the_search() {
        let step = |t, alternatives: &[u8]| Guide {
            decision: Decision::Task(TaskId(t)),
            alternatives: alternatives.iter().map(|a| TaskId(*a)).collect(),
        };
        let run = |guide| {
            let mut search = Dpor::below(guide);
            let out = explore_with(&Config::new("below"), &mut search, readers, |_| true).unwrap();
            (out.stats.executions, search)
        };
        assert_eq!(run(vec![]).0, 8);
        // The writer first: one trace, which asks for each reader before the writer.
        let (n, search) = run(vec![step(1, &[1])]);
        let births: Vec<_> = (0..5).map(TaskId).collect();
        assert_eq!((n, search.left(&births).len()), (1, 0));
        assert_eq!(search.additions(&births), [2, 3, 4].map(|t| (0, TaskId(t))));
        // With the others known and before it, the last reader finds its own trace alone.
        assert_eq!(run(vec![step(4, &[1, 2, 3, 4])]).0, 1);
        let pieces = [1, 2, 3, 4].map(|t| run(vec![step(t, &[1, 2, 3, 4])]).0);
        assert_eq!(pieces.iter().sum::<u64>(), 8, "{pieces:?}");
    }

    #[test]
    fn a_prefix_of_another_model_is_refused() {
        let guide = vec![Guide { decision: Decision::Task(TaskId(9)), alternatives: vec![TaskId(9)] }];
        let err = explore_with(&Config::new("x"), &mut Dpor::below(guide), readers, |_| true)
            .unwrap_err()
            .to_string();
        assert!(err.ends_with("at decision 1, task i of the unit's prefix cannot go on here"), "{err}");
    }

    #[test]
    fn a_choice_of_another_model_is_refused() {
        let guide = vec![Guide { decision: Decision::Choice(1), alternatives: vec![] }];
        let err = explore_with(&Config::new("x"), &mut Dpor::below(guide), readers, |_| true)
            .unwrap_err()
            .to_string();
        assert!(err.ends_with("the unit's prefix takes a choice here, but tasks take steps"), "{err}");
    }
}
