// SPDX-License-Identifier: MIT OR Apache-2.0
//! The graph for a reader: as text, and as a drawing for Graphviz. Both are functions of what the graph has seen.

use crate::graph::Graph;
use std::collections::BTreeSet;
use std::fmt::Write;

impl Graph {
    /// The classes in the order of their names, each with what was taken while it was held.
    ///
    /// A line of a dependency names the kinds seen, and for the strongest of them where it happened:
    ///
    /// ```text
    /// lock classes: 2
    /// direct dependencies: 1
    ///
    /// (&vdev->memory_lock){++++}-{4:4}
    ///  -> (reservation_ww_class_mutex){+.+.}-{4:4}  EN
    ///       vfio_pci_dma_buf_move, by user/100, which held it since vfio_pci_zap_and_down_write_memory_lock
    /// ```
    ///
    /// Source: linux v7.3.4 kernel/locking/lockdep_proc.c `l_show`.
    pub fn to_text(&self) -> String {
        let g = self.canonical();
        let mut out = String::new();
        let counts = (g.class_count(), g.dependency_count());
        let _ = writeln!(out, "lock classes: {}\ndirect dependencies: {}", counts.0, counts.1);
        for (label, edges) in g.rows() {
            let _ = writeln!(out, "\n{label}");
            for edge in edges {
                let edge = g.edge(*edge);
                let _ = writeln!(out, " -> {}  {}", g.label(edge.to), edge.kinds);
                if let Some(kind) = edge.kinds.strongest_after(false) {
                    let w = edge.witness(kind);
                    let (taken, held) = (w.taken_at, w.held_at);
                    let _ =
                        writeln!(out, "      {taken}, by {}/{}, which held it since {held}", w.comm, w.pid);
                }
            }
        }
        out
    }

    /// A directed graph in the DOT language. Dependencies of a strong cycle are red.
    pub fn to_dot(&self) -> String {
        let g = self.canonical();
        let red: BTreeSet<u32> = g.strong_cycles().into_keys().flatten().collect();
        let mut out = String::from("digraph lockdep {\n  node [shape=box];\n");
        for (label, _) in g.rows() {
            let _ = writeln!(out, "  {};", quoted(&label));
        }
        for (index, edge) in g.edges().iter().enumerate() {
            let color = if red.contains(&(index as u32)) { ", color=red" } else { "" };
            let (from, to) = (quoted(&g.label(edge.from).to_string()), quoted(&g.label(edge.to).to_string()));
            let _ = writeln!(out, "  {from} -> {to} [label=\"{}\"{color}];", edge.kinds);
        }
        out.push_str("}\n");
        out
    }

    /// Each class with the edges that leave it.
    fn rows(&self) -> impl Iterator<Item = (String, &[u32])> {
        (0..self.classes().len() as u32).map(crate::class::ClassId).map(|id| {
            let label = self.label(id).to_string();
            (label, self.edges_after(id))
        })
    }
}

/// A DOT string: the two characters that would end or bend it are escaped.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
