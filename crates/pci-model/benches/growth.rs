// SPDX-License-Identifier: GPL-2.0-only
//! Growth of IOVA link and unlink with the size of the BAR, without the scheduler: an I/O page table and nothing else.
//! `cargo bench -p pci-model` prints a table.

#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "a benchmark reads the clock")]

use std::hint::black_box;
use std::time::Instant;

use pci_model::iommu::{IOMMU_READ, IoPageTable};

/// Nanoseconds of one call, the least of several rounds.
fn time(calls: u32, mut f: impl FnMut()) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..7 {
        let start = Instant::now();
        (0..calls).for_each(|_| f());
        best = best.min(start.elapsed().as_nanos() as f64 / f64::from(calls));
    }
    best
}

fn main() {
    println!("{:>8} {:>8} {:>18} {:>20}", "BAR", "leaves", "link+unlink ns", "ns a leaf");
    for shift in [20u32, 21, 24, 27, 30, 33, 36, 40] {
        let size = 1u64 << shift;
        let mut table = IoPageTable::default();
        let mut leaves = 0;
        let ns = time(200, || {
            let mapped = table.map(1 << 42, 1 << 41, size, IOMMU_READ, 0);
            leaves = table.leaves();
            let _ = black_box(mapped);
            black_box(table.unmap(1 << 42, size));
        });
        let unit = ["MiB", "GiB", "TiB"][(shift / 10 - 2) as usize];
        println!("{:>5}{unit} {leaves:>8} {ns:>18.0} {:>20.1}", 1u64 << (shift % 10), ns / leaves as f64);
    }
}
