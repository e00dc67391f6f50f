// SPDX-License-Identifier: MIT OR Apache-2.0
//! The dependency graph: a value that only grows, and that can be merged.
//!
//! **Guarantee.** A graph is the set of dependencies of the executions that went into it, each with the smallest
//! witness of all. Merging is a union: idempotent, commutative and associative. Two graphs are equal when they say
//! the same, whatever the order in which their classes and dependencies arrived, and everything that is printed or
//! derived from a graph ([`Graph::to_text`], [`Graph::to_dot`], [`Graph::inversions`]) is a function of that alone.
//!
//! **Mechanism.** Inside, classes are small numbers and the kinds of a pair are four bits in a dense square, so that
//! a known dependency costs one load. Ids depend on the order of arrival, hence nothing that leaves the crate does.

use crate::class::{ClassId, ClassKey, Usage};
use crate::dep::{DepKind, DepSet};
use crate::lock::{Mode, Site, compare_text};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a dependency came about: one task that held the first lock and took the second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Name of the task.
    pub comm: Arc<str>,
    /// Its process id.
    pub pid: u32,
    /// Where it had taken the lock that it held.
    pub held_at: Site,
    /// How it held that lock.
    pub held_mode: Mode,
    /// Where it then took the second lock.
    pub taken_at: Site,
    /// How it took the second lock.
    pub taken_mode: Mode,
}

impl Ord for Witness {
    /// By text, then by number: the order decides which of two witnesses a merged graph keeps.
    fn cmp(&self, other: &Self) -> Ordering {
        let rest = |w: &Witness| (w.pid, w.held_at, w.held_mode, w.taken_at, w.taken_mode);
        compare_text(&self.comm, &other.comm).then_with(|| rest(self).cmp(&rest(other)))
    }
}

impl PartialOrd for Witness {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// One pair of classes, with a witness for each kind of dependency seen between them.
#[derive(Clone, Debug)]
pub(crate) struct Edge {
    pub(crate) from: ClassId,
    pub(crate) to: ClassId,
    pub(crate) kinds: DepSet,
    witness: [Option<Witness>; 4],
}

impl Edge {
    /// The witness of `kind`.
    pub(crate) fn witness(&self, kind: DepKind) -> &Witness {
        self.witness[kind as usize].as_ref().expect("a kind is recorded together with its witness")
    }

    fn add(&mut self, kind: DepKind, witness: &Witness) {
        self.kinds.insert(kind);
        let slot = &mut self.witness[kind as usize];
        if slot.as_ref().is_none_or(|old| witness < old) {
            *slot = Some(witness.clone());
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Class {
    pub(crate) key: ClassKey,
    pub(crate) usage: Usage,
}

/// All dependencies seen so far, by class. See the [module](self) for what it guarantees.
///
/// Memory is one byte per pair of classes and one entry per pair that has a dependency; a program with a thousand
/// classes costs a megabyte.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    classes: Vec<Class>,
    index: BTreeMap<ClassKey, ClassId>,
    /// Kinds of each pair, row by row. invariant: length is `stride * stride`, `stride >= classes.len()`.
    kinds: Vec<DepSet>,
    stride: usize,
    edges: Vec<Edge>,
    /// For each class the edges that leave it, as indices, in the order in which they were added.
    after: Vec<Vec<u32>>,
}

impl Graph {
    /// A graph that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many classes were acquired at least once.
    pub fn class_count(&self) -> usize {
        self.classes.iter().filter(|c| c.usage.seen()).count()
    }

    /// How many pairs of classes have a dependency; a pair with several kinds counts once.
    pub fn dependency_count(&self) -> usize {
        self.edges.len()
    }

    /// Adds everything that `other` has seen. Costs one lookup per class and one comparison per kind of dependency.
    ///
    /// A dependency that both have keeps the smaller of its two witnesses.
    pub fn merge(&mut self, other: &Graph) {
        let ids: Vec<ClassId> = other
            .classes
            .iter()
            .enumerate()
            .map(|(i, class)| {
                // Graphs of one program mostly agree in their ids: try the same place before the search by name.
                let id = match self.classes.get(i) {
                    Some(mine) if mine.key == class.key => ClassId(i as u32),
                    _ => self.intern(&class.key),
                };
                self.classes[id.index()].usage.merge(class.usage);
                id
            })
            .collect();
        for edge in &other.edges {
            let (from, to) = (ids[edge.from.index()], ids[edge.to.index()]);
            for kind in edge.kinds.iter() {
                self.add(from, to, kind, edge.witness(kind));
            }
        }
    }

    /// The same graph with classes and edges in the order of their names: what is printed and searched at the end.
    pub(crate) fn canonical(&self) -> Graph {
        let mut sorted = Graph::new();
        for (key, id) in &self.index {
            if self.class(*id).usage.seen() {
                let new = sorted.intern(key);
                sorted.classes[new.index()].usage = self.class(*id).usage;
            }
        }
        let mut edges: Vec<&Edge> = self.edges.iter().collect();
        let key = |id: ClassId| &self.class(id).key;
        edges.sort_by(|a, b| (key(a.from), key(a.to)).cmp(&(key(b.from), key(b.to))));
        for edge in edges {
            let (from, to) = (sorted.intern(key(edge.from)), sorted.intern(key(edge.to)));
            for kind in edge.kinds.iter() {
                sorted.add(from, to, kind, edge.witness(kind));
            }
        }
        sorted
    }

    /// The id of the class `key`, which is new if it was never named before.
    pub(crate) fn intern(&mut self, key: &ClassKey) -> ClassId {
        if let Some(id) = self.index.get(key) {
            return *id;
        }
        let id = ClassId(self.classes.len() as u32);
        self.classes.push(Class { key: key.clone(), usage: Usage::default() });
        self.index.insert(key.clone(), id);
        self.after.push(Vec::new());
        if self.classes.len() > self.stride {
            self.grow();
        }
        id
    }

    fn grow(&mut self) {
        let stride = (self.stride * 2).max(16);
        let mut kinds = vec![DepSet::default(); stride * stride];
        for edge in &self.edges {
            kinds[edge.from.index() * stride + edge.to.index()] = edge.kinds;
        }
        (self.kinds, self.stride) = (kinds, stride);
    }

    /// Forgets what was acquired; classes keep their ids and tables their memory.
    pub(crate) fn clear(&mut self) {
        for edge in self.edges.drain(..) {
            self.kinds[edge.from.index() * self.stride + edge.to.index()] = DepSet::default();
            self.after[edge.from.index()].clear();
        }
        self.classes.iter_mut().for_each(|c| c.usage = Usage::default());
    }

    pub(crate) fn class(&self, id: ClassId) -> &Class {
        &self.classes[id.index()]
    }

    pub(crate) fn classes(&self) -> &[Class] {
        &self.classes
    }

    pub(crate) fn edges(&self) -> &[Edge] {
        &self.edges
    }

    pub(crate) fn edge(&self, index: u32) -> &Edge {
        &self.edges[index as usize]
    }

    pub(crate) fn edges_after(&self, id: ClassId) -> &[u32] {
        &self.after[id.index()]
    }

    pub(crate) fn mark_used(&mut self, id: ClassId, mode: Mode, counted: bool) {
        self.classes[id.index()].usage.mark(mode.is_read(), counted);
    }

    /// The kinds of dependency from one class to another; one load.
    #[inline]
    pub(crate) fn kinds(&self, from: ClassId, to: ClassId) -> DepSet {
        self.kinds[from.index() * self.stride + to.index()]
    }

    /// Adds one dependency, or a second witness of it. Linear in the number of edges that leave `from`.
    pub(crate) fn add(&mut self, from: ClassId, to: ClassId, kind: DepKind, witness: &Witness) {
        let cell = &mut self.kinds[from.index() * self.stride + to.index()];
        let known = !cell.is_empty();
        cell.insert(kind);
        let after = &mut self.after[from.index()];
        let found = if known { after.iter().find(|e| self.edges[**e as usize].to == to) } else { None };
        let index = match found {
            Some(index) => *index,
            None => {
                let index = self.edges.len() as u32;
                self.edges.push(Edge { from, to, kinds: DepSet::default(), witness: [const { None }; 4] });
                after.push(index);
                index
            }
        };
        self.edges[index as usize].add(kind, witness);
    }
}

impl PartialEq for Graph {
    /// Whether both have seen the same, whatever the order; linear after sorting both.
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.canonical(), other.canonical());
        let classes = |g: &Graph| g.classes.iter().map(|c| (c.key.clone(), c.usage)).collect::<Vec<_>>();
        let same_edge = |(x, y): (&Edge, &Edge)| {
            (x.from, x.to, x.kinds, &x.witness) == (y.from, y.to, y.kinds, &y.witness)
        };
        classes(&a) == classes(&b)
            && a.edges.len() == b.edges.len()
            && a.edges.iter().zip(&b.edges).all(same_edge)
    }
}

impl Eq for Graph {}
