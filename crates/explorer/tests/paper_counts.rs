// SPDX-License-Identifier: MIT OR Apache-2.0
//! Programs of the literature, with the numbers of executions that their papers print.
//!
//! From Abdulla, Aronis, Jonsson and Sagonas, *Optimal Dynamic Partial Order Reduction*, POPL 2014, table 1: the column
//! of optimal DPOR is the number of traces, and with it of complete executions here.

use explorer::sync::{Cell, Mutex};
use explorer::{Config, JoinHandle, Outcome, explore, spawn};

fn check(traces: u64, model: impl Fn() + 'static) -> Outcome {
    let out = explore(&Config::new("paper"), model).unwrap();
    assert!(out.exhausted && out.findings.is_empty(), "{:?}", out.findings);
    assert_eq!(out.stats.executions, traces);
    out
}

/// One thread looks for the last zero of an array, n others each set an element to its predecessor's plus one.
fn lastzero(n: usize) -> impl Fn() + 'static {
    move || {
        let array: Vec<Cell<u32>> = (0..=n).map(|_| Cell::new("array", 0)).collect();
        let reader = array.clone();
        let mut tasks = vec![spawn("reader", move || {
            let mut i = n;
            while reader[i].read_once() != 0 {
                i -= 1;
            }
        })];
        for j in 1..=n {
            let (from, to) = (array[j - 1], array[j]);
            tasks.push(spawn("writer", move || to.write_once(from.read_once() + 1)));
        }
        tasks.into_iter().for_each(JoinHandle::join);
    }
}

#[test]
fn lastzero_counts() {
    check(64, lastzero(5));
    check(3_328, lastzero(10));
}

/// Threads take inodes and blocks of a file system under locks; few of them meet. After Flanagan and Godefroid, POPL
/// 2005.
fn filesystem(n: usize) -> impl Fn() + 'static {
    const BLOCKS: usize = 26;
    const INODES: usize = 32;
    move || {
        let locki: Vec<Mutex> = (0..INODES).map(|_| Mutex::new("locki")).collect();
        let inode: Vec<Cell<u32>> = (0..INODES).map(|_| Cell::new("inode", 0)).collect();
        let lockb: Vec<Mutex> = (0..BLOCKS).map(|_| Mutex::new("lockb")).collect();
        let busy: Vec<Cell<bool>> = (0..BLOCKS).map(|_| Cell::new("busy", false)).collect();
        let tasks: Vec<_> = (0..n)
            .map(|tid| {
                let (locki, inode, lockb, busy) = (locki.clone(), inode.clone(), lockb.clone(), busy.clone());
                spawn("thread", move || {
                    let i = tid % INODES;
                    locki[i].lock();
                    if inode[i].get() == 0 {
                        let mut b = i * 2 % BLOCKS;
                        loop {
                            lockb[b].lock();
                            if !busy[b].get() {
                                busy[b].set(true);
                                inode[i].set(b as u32 + 1);
                                lockb[b].unlock();
                                break;
                            }
                            lockb[b].unlock();
                            b = (b + 1) % BLOCKS;
                        }
                    }
                    locki[i].unlock();
                })
            })
            .collect();
        tasks.into_iter().for_each(JoinHandle::join);
    }
}

#[test]
fn filesystem_counts() {
    check(2, filesystem(14));
    check(8, filesystem(16));
    check(32, filesystem(18));
    check(64, filesystem(19));
}
