// SPDX-License-Identifier: MIT OR Apache-2.0
//! The models of the benches. Each returns the body that one execution runs.

#![allow(dead_code, reason = "each bench uses some of the models")]

use explorer::sync::{Cell, Mutex, RwSem};
use explorer::{JoinHandle, spawn};

/// S1: three tasks, each k times { lock m; plain x += 1; unlock m }.
pub(crate) fn s1(k: usize) -> impl Fn() + 'static {
    move || {
        let (m, x) = (Mutex::new("m"), Cell::new("x", 0u32));
        let task = move || {
            for _ in 0..k {
                m.lock();
                x.set(x.get() + 1);
                m.unlock();
            }
        };
        [(); 3].map(|()| spawn("t", task)).into_iter().for_each(JoinHandle::join);
        assert_eq!(x.get(), 3 * k as u32);
    }
}

/// S2: a mapper, a revoker and a faulter; `more` adds mappers and faulters in turn.
pub(crate) fn s2(more: usize) -> impl Fn() + 'static {
    move || {
        let (memory_lock, resv) = (RwSem::new("memory_lock"), Mutex::new("resv"));
        let revoked = Cell::new("revoked", false);
        let (mappings, pte) = (Cell::new("mappings", 0u32), Cell::new("pte", 0u32));
        let mapper = move || {
            if revoked.load() {
                return;
            }
            resv.lock();
            if !revoked.load() {
                mappings.fetch_update(|n| n + 1);
            }
            resv.unlock();
        };
        let revoker = move || {
            memory_lock.down_write();
            resv.lock();
            revoked.store(true);
            mappings.store(0);
            pte.store(0);
            resv.unlock();
            memory_lock.up_write();
        };
        let faulter = move || {
            memory_lock.down_read();
            if !revoked.load() {
                pte.store(1);
            }
            memory_lock.up_read();
        };
        let mut tasks = vec![spawn("mapper", mapper), spawn("revoker", revoker), spawn("faulter", faulter)];
        for i in 0..more {
            tasks.push(if i % 2 == 0 { spawn("mapper", mapper) } else { spawn("faulter", faulter) });
        }
        tasks.into_iter().for_each(JoinHandle::join);
        assert_eq!((mappings.load(), pte.load()), (0, 0));
    }
}

/// S3: two tasks, each n updates of a cell of its own, then one locks a, b and the other b, a.
pub(crate) fn s3(n: usize) -> impl Fn() + 'static {
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
        let tasks = [spawn("ab", move || task(a, b, x)), spawn("ba", move || task(b, a, y))];
        tasks.into_iter().for_each(JoinHandle::join);
    }
}

/// Two tasks, each n times { lock m; unlock m }: one long execution for the growth of the cost with the length.
pub(crate) fn long(n: usize) -> impl Fn() + 'static {
    move || {
        let m = Mutex::new("m");
        let task = move || {
            for _ in 0..n {
                m.lock();
                m.unlock();
            }
        };
        [(); 2].map(|()| spawn("t", task)).into_iter().for_each(JoinHandle::join);
    }
}
