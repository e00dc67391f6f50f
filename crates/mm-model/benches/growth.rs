// SPDX-License-Identifier: GPL-2.0-only
//! Growth of fault and zap with the size of the BAR, without the scheduler: a page table and nothing else.
//! `cargo bench -p mm-model` prints a table.

#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "a benchmark reads the clock")]

use std::hint::black_box;
use std::time::Instant;

use mm_model::pgprot::*;
use mm_model::pgtable::*;

const PROT: u64 = _PAGE_PRESENT | _PAGE_RW | _PAGE_USER | _PAGE_SPECIAL;

/// Nanoseconds of one call, the least of several rounds.
fn time(rounds: u32, calls: u32, mut f: impl FnMut(u64)) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..rounds {
        let start = Instant::now();
        (0..calls).for_each(|i| f(u64::from(i)));
        best = best.min(start.elapsed().as_nanos() as f64 / f64::from(calls));
    }
    best
}

/// A fault at a pseudo-random page of the BAR and the zap of the whole BAR that follows it.
fn fault_and_zap(size: u64, level: Level) -> f64 {
    let mut table = PageTable::new();
    time(7, 20_000, |i| {
        let at = level.base(i.wrapping_mul(0x9e37_79b9_7f4a_7c15) % size);
        if table.walk(at).is_none() {
            let _ = table.set(at, level, mk_entry(level, at >> PAGE_SHIFT, PROT), i);
        }
        black_box(table.zap(at, at + level.size()));
    })
}

/// The whole BAR faulted with leaves of a level, then zapped: nanoseconds a leaf.
fn whole(size: u64, level: Level) -> (f64, usize) {
    let leaves = size / level.size();
    let mut bytes = 0;
    let ns = time(3, 1, |_| {
        let mut table = PageTable::new();
        for i in 0..leaves {
            let at = i * level.size();
            let _ = table.set(at, level, mk_entry(level, at >> PAGE_SHIFT, PROT), 0);
        }
        bytes = table.bytes();
        black_box(table.zap(0, size));
    });
    (ns / leaves as f64, bytes)
}

/// One leaf in an otherwise empty BAR, zapped by a walk over all of it.
fn sparse(size: u64) -> f64 {
    let mut table = PageTable::new();
    time(7, 20_000, |i| {
        let at = (size / 2) & !(PAGE_SIZE - 1);
        let _ = table.set(at, Level::Pte, mk_entry(Level::Pte, at >> PAGE_SHIFT, PROT), i);
        black_box(table.zap(0, size));
    })
}

fn main() {
    println!(
        "{:>8} {:>14} {:>16} {:>18} {:>12}",
        "BAR", "fault+zap ns", "1 leaf, all ns", "whole, ns a leaf", "table KiB"
    );
    for shift in [20u32, 21, 24, 27, 30, 33, 36, 40] {
        let size = 1u64 << shift;
        let level = *Level::ALL.iter().rev().find(|l| l.size() <= size).unwrap();
        let (leaf, bytes) = whole(size, level);
        println!(
            "{:>5}{} {:>14.1} {:>16.1} {:>18.1} {:>12}",
            1u64 << (shift % 10),
            ["MiB", "GiB", "TiB"][(shift / 10 - 2) as usize],
            fault_and_zap(size, level),
            sparse(size),
            leaf,
            bytes >> 10
        );
    }
}
