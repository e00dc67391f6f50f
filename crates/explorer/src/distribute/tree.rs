// SPDX-License-Identifier: MIT OR Apache-2.0
//! The part of the tree of an exploration that is not explored yet: positions and their alternatives, in order.
//!
//! The order of the alternatives at a position never changes, new ones come last: an alternative is explored with the
//! earlier ones asleep, so the order decides who explores what they share.

use crate::op::TaskId;
use crate::schedule::Decision;
use crate::strategy::dpor::{Guide, Left};

/// What is known of a subtree.
#[derive(Clone, PartialEq, Eq, Debug)]
enum State {
    /// A unit.
    Pending,
    /// Partly explored.
    Open(Position),
    /// Explored, or being looked after by whoever was there before.
    Done,
}

/// A place in the tree where a decision is taken.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Position {
    edges: Vec<(Decision, State)>,
}

/// See the module's words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Tree {
    root: State,
}

impl Position {
    /// `Done` when nothing is left here.
    fn settled(self) -> State {
        if self.edges.iter().all(|(_, s)| *s == State::Done) { State::Done } else { State::Open(self) }
    }

    /// The alternatives as a guide knows them; none for choices, whose values need no order.
    fn alternatives(&self) -> Vec<TaskId> {
        let task = |(d, _): &(Decision, State)| match d {
            Decision::Task(t) => Some(*t),
            Decision::Choice(_) => None,
        };
        self.edges.iter().filter_map(task).collect()
    }
}

impl Tree {
    /// A tree of which nothing is explored.
    pub(crate) fn unexplored() -> Self {
        Tree { root: State::Pending }
    }

    /// A tree of which nothing is left.
    pub(crate) fn explored() -> Self {
        Tree { root: State::Done }
    }

    pub(crate) fn is_explored(&self) -> bool {
        self.root == State::Done
    }

    /// The prefixes of the first `most` units, in the order of depth-first search.
    pub(crate) fn prefixes(&self, most: usize) -> Vec<Vec<Guide>> {
        fn walk(state: &State, path: &mut Vec<Guide>, most: usize, list: &mut Vec<Vec<Guide>>) {
            match state {
                State::Pending => list.push(path.clone()),
                State::Open(position) => {
                    let alternatives = position.alternatives();
                    for (decision, state) in &position.edges {
                        if list.len() >= most {
                            return;
                        }
                        if *state != State::Done {
                            path.push(Guide { decision: *decision, alternatives: alternatives.clone() });
                            walk(state, path, most, list);
                            path.pop();
                        }
                    }
                }
                State::Done => {}
            }
        }
        let mut list = Vec::new();
        if most > 0 {
            walk(&self.root, &mut Vec::new(), most, &mut list);
        }
        list
    }

    /// The unit at `prefix` has run: it asks for `additions` above itself and has left `left`. `false` if there is
    /// no such unit.
    pub(crate) fn merge(&mut self, prefix: &[Guide], additions: &[(usize, TaskId)], left: Vec<Left>) -> bool {
        fn walk(
            state: State,
            depth: usize,
            prefix: &[Guide],
            additions: &[(usize, TaskId)],
            left: Vec<Left>,
        ) -> (State, bool) {
            let Some(guide) = prefix.get(depth) else {
                let merged = state == State::Pending;
                return (if merged { subtree(left) } else { state }, merged);
            };
            let State::Open(mut position) = state else { return (state, false) };
            let Some(edge) = position.edges.iter().position(|(d, _)| *d == guide.decision) else {
                return (State::Open(position), false);
            };
            let below = std::mem::replace(&mut position.edges[edge].1, State::Done);
            let (below, merged) = walk(below, depth + 1, prefix, additions, left);
            position.edges[edge].1 = below;
            if merged {
                for (_, t) in additions.iter().filter(|(i, _)| *i == depth) {
                    let new = Decision::Task(*t);
                    if position.edges.iter().all(|(d, _)| *d != new) {
                        position.edges.push((new, State::Pending));
                    }
                }
            }
            (position.settled(), merged)
        }
        let root = std::mem::replace(&mut self.root, State::Done);
        let (root, merged) = walk(root, 0, prefix, additions, left);
        self.root = root;
        merged
    }

    /// Puts a unit back that was read from a file.
    ///
    /// # Errors
    /// Why it does not fit to the units that were put before.
    pub(crate) fn insert(&mut self, prefix: &[Guide]) -> Result<(), String> {
        let mut state = &mut self.root;
        for (depth, guide) in prefix.iter().enumerate() {
            if *state == State::Pending {
                return Err("a unit lies below another unit".into());
            }
            if *state == State::Done {
                let edges = guide.alternatives.iter().map(|t| (Decision::Task(*t), State::Done)).collect();
                *state = State::Open(Position { edges });
            }
            let State::Open(position) = state else { unreachable!("neither pending nor done") };
            if position.alternatives() != guide.alternatives {
                return Err(format!("two units do not agree on the alternatives at decision {}", depth + 1));
            }
            if matches!(guide.decision, Decision::Choice(_))
                && position.edges.iter().all(|(d, _)| *d != guide.decision)
            {
                let at = position.edges.partition_point(|(d, _)| *d < guide.decision);
                position.edges.insert(at, (guide.decision, State::Done));
            }
            let edge = position.edges.iter().position(|(d, _)| *d == guide.decision);
            let Some(edge) = edge else {
                return Err(format!("decision {} is not among its own alternatives", depth + 1));
            };
            state = &mut position.edges[edge].1;
        }
        if *state != State::Done {
            return Err("the unit is there twice, or lies above another unit".into());
        }
        *state = State::Pending;
        Ok(())
    }
}

/// The tree below a unit that was stopped.
fn subtree(left: Vec<Left>) -> State {
    let mut state = State::Done;
    for node in left.into_iter().rev() {
        let mut edges: Vec<_> = node.done.into_iter().map(|d| (d, State::Done)).collect();
        edges.push((node.decision, state));
        edges.extend(node.open.into_iter().map(|d| (d, State::Pending)));
        state = Position { edges }.settled();
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(t: u8) -> Decision {
        Decision::Task(TaskId(t))
    }

    fn node(decision: u8, done: &[u8], open: &[u8]) -> Left {
        let tasks = |l: &[u8]| l.iter().map(|t| task(*t)).collect();
        Left { decision: task(decision), done: tasks(done), open: tasks(open) }
    }

    fn shown(tree: &Tree) -> Vec<String> {
        let letters = |l: &[TaskId]| l.iter().map(|t| t.letter()).collect::<String>();
        let step = |g: &Guide| match g.decision {
            Decision::Task(t) => format!("{}/{}", t.letter(), letters(&g.alternatives)),
            Decision::Choice(v) => format!("!{v}"),
        };
        tree.prefixes(usize::MAX).iter().map(|p| p.iter().map(step).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn results_are_merged_once_and_what_is_explored_goes() {
        let mut tree = Tree::unexplored();
        assert_eq!(shown(&tree), [""]);
        let left = vec![
            node(1, &[], &[2]),
            Left { decision: Decision::Choice(0), done: vec![], open: vec![Decision::Choice(1)] },
        ];
        assert!(tree.merge(&[], &[], left.clone()));
        assert_eq!(shown(&tree), ["a/ab !1", "b/ab"]);
        assert!(!tree.merge(&[], &[], left), "a second time it does nothing");
        assert_eq!(shown(&tree), ["a/ab !1", "b/ab"]);

        let first = tree.prefixes(1).remove(0);
        assert!(tree.merge(&first, &[(0, TaskId(3)), (0, TaskId(2))], vec![]));
        assert_eq!(
            shown(&tree),
            ["b/abc", "c/abc"],
            "the new alternative comes last, the known one does not count"
        );
        let before = tree.clone();
        assert!(!tree.merge(&first, &[(0, TaskId(4))], vec![]));
        assert_eq!(tree, before);

        for prefix in tree.prefixes(9) {
            assert!(!tree.is_explored());
            assert!(tree.merge(&prefix, &[], vec![node(1, &[2], &[])]), "nothing is open in what it leaves");
        }
        assert!(tree.is_explored());
    }

    #[test]
    fn the_units_make_up_the_tree() {
        let mut tree = Tree::unexplored();
        tree.merge(&[], &[], vec![node(1, &[3], &[2]), node(2, &[], &[1, 4]), node(2, &[1], &[])]);
        let mut again = Tree::explored();
        tree.prefixes(99).iter().for_each(|p| again.insert(p).unwrap());
        assert_eq!(shown(&again), shown(&tree));
        assert_eq!(shown(&again), ["a/cab a/bad", "a/cab d/bad", "b/cab"]);

        let unit = tree.prefixes(1).remove(0);
        assert!(again.insert(&unit).unwrap_err().contains("twice"));
        assert!(again.insert(&unit[..1]).unwrap_err().contains("above another"));
        let below = [&unit[..], &unit[..1]].concat();
        assert_eq!(again.insert(&below).unwrap_err(), "a unit lies below another unit");
        let mut other = unit;
        other[0].alternatives.pop();
        assert!(again.insert(&other).unwrap_err().contains("do not agree on the alternatives at decision 1"));
    }
}
