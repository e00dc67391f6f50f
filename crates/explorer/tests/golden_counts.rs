// SPDX-License-Identifier: MIT OR Apache-2.0
//! Execution counts that are known from the literature's tools and from other explorers.

use explorer::strategy::dfs::Dfs;
use explorer::sync::{Cell, Mutex, RwSem};
use explorer::{Config, JoinHandle, Outcome, explore, explore_with, spawn};

fn dpor(name: &str, model: impl Fn() + 'static) -> Outcome {
    let out = explore(&Config::new(name), model).unwrap();
    assert!(out.exhausted);
    out
}

fn dfs(name: &str, model: impl Fn() + 'static) -> Outcome {
    let out = explore_with(&Config::new(name), &mut Dfs::new(), model, |_| true).unwrap();
    assert!(out.exhausted);
    out
}

/// Three tasks, each k times { lock m; plain x += 1; unlock m }.
fn s1(k: usize) -> impl Fn() + 'static {
    move || {
        let (m, x) = (Mutex::new("m"), Cell::new("x", 0u32));
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                spawn("t", move || {
                    for _ in 0..k {
                        m.lock();
                        x.set(x.get() + 1);
                        m.unlock();
                    }
                })
            })
            .collect();
        tasks.into_iter().for_each(JoinHandle::join);
        assert_eq!(x.get(), 3 * k as u32);
    }
}

/// A mapper, a revoker and a faulter, and `more` further mappers and faulters in turn.
fn s2(more: usize) -> impl Fn() + 'static {
    move || {
        let (memory_lock, resv) = (RwSem::new("memory_lock"), Mutex::new("resv"));
        let (revoked, mappings, pte) =
            (Cell::new("revoked", 0u8), Cell::new("mappings", 0u32), Cell::new("pte", 0u8));
        let mapper = move || {
            if revoked.load() != 0 {
                return;
            }
            resv.lock();
            if revoked.load() == 0 {
                mappings.fetch_update(|n| n + 1);
            }
            resv.unlock();
        };
        let faulter = move || {
            memory_lock.down_read();
            if revoked.load() == 0 {
                pte.store(1);
            }
            memory_lock.up_read();
        };
        let revoker = move || {
            memory_lock.down_write();
            resv.lock();
            revoked.store(1);
            mappings.store(0);
            pte.store(0);
            resv.unlock();
            memory_lock.up_write();
        };
        let mut tasks = vec![spawn("mapper", mapper), spawn("revoker", revoker), spawn("faulter", faulter)];
        for i in 0..more {
            tasks.push(if i % 2 == 0 { spawn("mapper", mapper) } else { spawn("faulter", faulter) });
        }
        tasks.into_iter().for_each(JoinHandle::join);
        assert_eq!((mappings.load(), pte.load()), (0, 0));
    }
}

/// Two tasks, each n updates of a cell of its own, then one locks a, b and the other b, a.
fn s3(n: usize) -> impl Fn() + 'static {
    move || {
        let (a, b) = (Mutex::new("a"), Mutex::new("b"));
        let task = move |first: Mutex, second: Mutex, own: Cell<u32>| {
            for _ in 0..n {
                own.fetch_update(|v| v + 1);
            }
            first.lock();
            second.lock();
            second.unlock();
            first.unlock();
        };
        let (x, y) = (Cell::new("x", 0), Cell::new("y", 0));
        let t = [spawn("ab", move || task(a, b, x)), spawn("ba", move || task(b, a, y))];
        t.into_iter().for_each(JoinHandle::join);
    }
}

/// One writer and n readers of one variable.
fn readers(n: usize) -> impl Fn() + 'static {
    move || {
        let x = Cell::new("x", 0u32);
        let mut tasks = vec![spawn("writer", move || x.store(1))];
        tasks.extend((0..n).map(|_| {
            spawn("reader", move || {
                x.load();
            })
        }));
        tasks.into_iter().for_each(JoinHandle::join);
    }
}

#[test]
fn s1_counts() {
    for (k, n) in [(1, 6), (2, 90), (3, 1_680), (4, 34_650)] {
        let out = dpor("s1", s1(k));
        assert_eq!((out.stats.executions, out.stats.sleep_blocked), (n, 0), "k = {k}");
        assert!(out.findings.is_empty(), "{:?}", out.findings);
    }
    assert_eq!(dfs("s1", s1(2)).stats.executions, 90);
}

#[test]
fn s2_counts() {
    let out = dpor("s2", s2(0));
    assert_eq!(out.stats.executions, 6);
    assert!(out.findings.is_empty(), "{:?}", out.findings);
    let out = dpor("s2+1", s2(1));
    assert_eq!((out.stats.executions, out.stats.sleep_blocked), (22, 0));
}

#[test]
fn s3_counts() {
    for n in [2, 4, 8, 16, 32] {
        let out = dpor("s3", s3(n));
        assert_eq!((out.stats.executions, out.findings.len()), (3, 1), "n = {n}");
        let f = &out.findings[0];
        assert_eq!(f.kind, explorer::FindingKind::Deadlock);
        assert_eq!(f.message, "ab waits to lock b, held by ba; ba waits to lock a, held by ab");
    }
    assert_eq!(dfs("s3", s3(2)).stats.executions, 50);
    assert_eq!(dfs("s3", s3(4)).stats.executions, 672);
}

#[test]
fn readers_counts() {
    for n in 1..=10 {
        assert_eq!(dpor("readers", readers(n)).stats.executions, 1 << n, "n = {n}");
    }
}
