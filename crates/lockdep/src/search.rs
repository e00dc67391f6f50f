// SPDX-License-Identifier: MIT OR Apache-2.0
//! Search for a strong path: would one more dependency close a cycle that can deadlock?

use crate::class::ClassId;
use crate::dep::DepKind;
use crate::graph::Graph;

/// One dependency of a path: which edge, and as which of its kinds it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Step {
    pub(crate) edge: u32,
    pub(crate) kind: DepKind,
}

/// A class together with how the path came there, which decides how it may go on.
struct Visit {
    class: ClassId,
    /// The path came in as a recursive reader and can only go on by an `E*` dependency.
    only_recursive: bool,
    came: Option<(usize, Step)>,
}

impl Graph {
    /// The shortest path from `taken` to `held` that makes a strong cycle with the dependency `held -(kind)-> taken`.
    ///
    /// Among paths of one length the one whose edges were added first wins. The search visits each class at most
    /// twice, once for each way of coming in: a class first met as a recursive reader is visited again when a path
    /// that is free to go on arrives. Linear in the number of dependencies.
    ///
    /// Source: linux v7.3.4 kernel/locking/lockdep.c `check_noncircular`, `__bfs`, `hlock_conflict`. The kernel marks
    /// a class on the first visit, whichever way that came in, and can so overlook a cycle; this search does not.
    pub(crate) fn strong_path(&self, taken: ClassId, held: ClassId, kind: DepKind) -> Option<Vec<Step>> {
        const FREE: u8 = 1;
        const RECURSIVE: u8 = 2;
        let mut seen = vec![0_u8; self.classes().len()];
        let mut queue = vec![Visit { class: taken, only_recursive: !kind.is_nonrecursive(), came: None }];
        let mut next = 0;
        while next < queue.len() {
            let Visit { class, only_recursive, .. } = queue[next];
            if class == held && (kind.is_exclusive() || !only_recursive) {
                return Some(Self::path_to(&queue, next));
            }
            for index in self.edges_after(class) {
                let edge = self.edge(*index);
                let Some(kind) = edge.kinds.strongest_after(only_recursive) else { continue };
                let only_recursive = !kind.is_nonrecursive();
                // Coming in freely allows everything that coming in recursively does.
                let covered = if only_recursive { FREE | RECURSIVE } else { FREE };
                let mark = &mut seen[edge.to.index()];
                if *mark & covered != 0 {
                    continue;
                }
                *mark |= if only_recursive { RECURSIVE } else { FREE };
                let came = Some((next, Step { edge: *index, kind }));
                queue.push(Visit { class: edge.to, only_recursive, came });
            }
            next += 1;
        }
        None
    }

    fn path_to(queue: &[Visit], end: usize) -> Vec<Step> {
        let mut path = Vec::new();
        let mut at = end;
        while let Some((before, step)) = queue[at].came {
            path.push(step);
            at = before;
        }
        path.reverse();
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class::{ClassKey, WaitType};
    use crate::graph::Witness;
    use crate::lock::{Mode, Site};
    use DepKind::*;

    /// Builds a graph over single-letter classes; an edge is written `(from, kind, to)`.
    fn graph(edges: &[(char, DepKind, char)]) -> (Graph, impl Fn(char) -> ClassId) {
        let mut g = Graph::new();
        let key = |name: char| ClassKey {
            name: name.to_string().into(),
            subclass: 0,
            outer: WaitType::Unchecked,
            inner: WaitType::Sleep,
            wait_override: false,
        };
        let ids: Vec<ClassId> = ('a'..='f').map(|c| g.intern(&key(c))).collect();
        let id = move |c: char| ids[c as usize - 'a' as usize];
        let site = Site::function("f");
        for (from, kind, to) in edges {
            let (held_mode, taken_mode) = (Mode::Write, Mode::Write);
            let witness =
                Witness { comm: "t".into(), pid: 1, held_at: site, held_mode, taken_at: site, taken_mode };
            g.add(id(*from), id(*to), *kind, &witness);
        }
        (g, id)
    }

    /// Length of the path that closes a cycle when `held -(kind)-> taken` is added.
    #[track_caller]
    fn check(edges: &[(char, DepKind, char)], new: (char, DepKind, char), expect: Option<usize>) {
        let (g, id) = graph(edges);
        let found = g.strong_path(id(new.2), id(new.0), new.1);
        assert_eq!(found.map(|p| p.len()), expect);
    }

    #[test]
    fn a_reversed_pair_is_a_cycle_and_a_repeated_pair_is_not() {
        check(&[('a', EN, 'b')], ('b', EN, 'a'), Some(1));
        check(&[('a', EN, 'b')], ('a', EN, 'b'), None);
    }

    #[test]
    fn weak_in_the_middle_is_no_cycle() {
        check(&[('a', ER, 'b'), ('b', SN, 'c')], ('c', EN, 'a'), None);
        check(&[('a', ER, 'b'), ('b', EN, 'c')], ('c', EN, 'a'), Some(2));
        check(&[('a', EN, 'b'), ('b', SN, 'c')], ('c', EN, 'a'), Some(2));
    }

    #[test]
    fn weak_at_either_end_of_the_new_dependency_is_no_cycle() {
        // Entering a as a recursive reader, leaving it shared.
        check(&[('a', SN, 'b')], ('b', ER, 'a'), None);
        check(&[('a', EN, 'b')], ('b', ER, 'a'), Some(1));
        // Entering b as a recursive reader, leaving it shared.
        check(&[('a', ER, 'b')], ('b', SN, 'a'), None);
        check(&[('a', ER, 'b')], ('b', EN, 'a'), Some(1));
    }

    #[test]
    fn a_class_first_met_as_a_recursive_reader_is_visited_again() {
        // The short way to c is weak, the long way is strong. A search that marks c once misses the cycle.
        let edges = [('a', ER, 'c'), ('a', EN, 'b'), ('b', EN, 'c'), ('c', SN, 'd')];
        check(&edges, ('d', EN, 'a'), Some(3));
        check(&edges[..1], ('c', SN, 'a'), None);
    }

    #[test]
    fn kinds_of_one_pair_are_not_mixed_up() {
        // ER and SN together are not EN: leaving a must be exclusive and entering b non-recursive at once.
        check(&[('a', ER, 'b'), ('a', SN, 'b')], ('b', SR, 'a'), None);
        check(&[('a', EN, 'b')], ('b', SR, 'a'), Some(1));
    }

    #[test]
    fn the_shortest_of_several_cycles_is_found() {
        let edges = [('a', EN, 'b'), ('b', EN, 'c'), ('c', EN, 'd'), ('a', EN, 'd')];
        check(&edges, ('d', EN, 'a'), Some(1));
    }
}
