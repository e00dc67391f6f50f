// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reports on a whole graph: the inversions between executions that never met.
//!
//! A validator reports what closes a cycle within its own run. When one execution takes `A` then `B` and another `B`
//! then `A`, neither sees an inversion; their merged graph does. What is reported here depends on the set of
//! dependencies alone, not on the order in which executions were explored or merged.

use crate::class::ClassId;
use crate::graph::{Edge, Graph, Witness};
use crate::lock::{Mode, Site};
use crate::report::{ClassLabel, Link, LockLine, Report, Scene, TaskName};
use crate::search::Step;
use std::collections::BTreeMap;

impl Graph {
    /// One circular report for each shortest strong cycle through some dependency, in the order of class names.
    ///
    /// Each cycle is reported once, however many dependencies it is the shortest for, and is closed by the dependency
    /// that leads to its first class by name. The task named in the report is the witness of that dependency; it is
    /// shown with the one lock that the graph knows it held. Cost: one search per kind of dependency.
    ///
    /// Source: linux v7.3.4 kernel/locking/lockdep.c `check_noncircular`, applied to every dependency.
    pub fn inversions(&self) -> Vec<Report> {
        let sorted = self.canonical();
        sorted.strong_cycles().values().map(|cycle| sorted.cycle_report(cycle)).collect()
    }

    /// The cycles behind [`inversions`](Self::inversions) by their edges; to be asked of a canonical graph only.
    ///
    /// A cycle that was found in several combinations of kinds is kept in the one that names the strongest first.
    pub(crate) fn strong_cycles(&self) -> BTreeMap<Vec<u32>, Vec<Step>> {
        let mut cycles = BTreeMap::new();
        for (index, edge) in self.edges().iter().enumerate() {
            for kind in edge.kinds.iter() {
                if let Some(mut cycle) = self.strong_path(edge.to, edge.from, kind) {
                    cycle.push(Step { edge: index as u32, kind });
                    let first = (0..cycle.len()).min_by_key(|i| self.edge(cycle[*i].edge).from).unwrap_or(0);
                    cycle.rotate_left(first);
                    let edges = cycle.iter().map(|step| step.edge).collect();
                    let strongest = cycles.entry(edges).or_insert_with(Vec::new);
                    *strongest = cycle.max(std::mem::take(strongest));
                }
            }
        }
        cycles
    }

    fn cycle_report(&self, cycle: &[Step]) -> Report {
        let (closing, chain) = cycle.split_last().expect("a cycle has at least one dependency");
        let edge = self.edge(closing.edge);
        let w = edge.witness(closing.kind);
        let task = TaskName { comm: w.comm.clone(), pid: w.pid };
        let line =
            |class, mode: Mode, site: Site| LockLine { id: None, class: self.label(class), mode, site };
        let held = line(edge.from, w.held_mode, w.held_at);
        Report::Circular {
            scene: Scene { task, locks: vec![held.clone()] },
            wanted: line(edge.to, w.taken_mode, w.taken_at),
            held,
            chain: chain.iter().map(|step| self.link(*step)).collect(),
        }
    }

    pub(crate) fn label(&self, id: ClassId) -> ClassLabel {
        let class = self.class(id);
        ClassLabel { key: class.key.clone(), usage: class.usage }
    }

    pub(crate) fn link(&self, step: Step) -> Link {
        let edge: &Edge = self.edge(step.edge);
        let witness: Witness = edge.witness(step.kind).clone();
        Link { from: self.label(edge.from), to: self.label(edge.to), kind: step.kind, witness }
    }
}
