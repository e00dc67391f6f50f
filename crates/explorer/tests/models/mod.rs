// SPDX-License-Identifier: MIT OR Apache-2.0
//! The models whose counts are known.
#![allow(dead_code)]

use explorer::sync::{Cell, Mutex, RwSem};
use explorer::{
    JoinHandle, Mode, Object, ObjectClass, OpInfo, acquired, change, create, released, spawn, step,
};

/// Three tasks, each k times { lock m; plain x += 1; unlock m }.
pub(crate) fn s1(k: usize) -> impl Fn() + Clone + Send + Sync + 'static {
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

/// A read-write lock of two operations, for counts made with writers that do not announce themselves.
static PLAIN_RW: ObjectClass = ObjectClass {
    name: "read-write lock",
    ops: &[
        OpInfo { name: "read-lock", conflicts: 0b10, irreversible: 0, behind: 0, blocking: true },
        OpInfo { name: "write-lock", conflicts: 0b11, irreversible: 0, behind: 0, blocking: true },
    ],
    enabled: |s, _, op| s[0] == 0 && (op.kind == 0 || s[1] == 0),
};

/// A lock that is taken in either mode and dropped silently.
#[derive(Clone, Copy)]
enum Rw {
    Announced(RwSem),
    Plain(Object),
}

impl Rw {
    fn lock(self, mode: Mode) {
        match self {
            Rw::Announced(s) if mode == Mode::Shared => s.down_read(),
            Rw::Announced(s) => s.down_write(),
            Rw::Plain(o) => {
                let write = usize::from(mode == Mode::Exclusive);
                step(PLAIN_RW.op(o, write as u8, 0));
                change(o, |s| s[1 - write] += 1);
                acquired(o, mode);
            }
        }
    }

    fn unlock(self, mode: Mode) {
        match self {
            Rw::Announced(s) if mode == Mode::Shared => assert!(s.up_read()),
            Rw::Announced(s) => assert!(s.up_write()),
            Rw::Plain(o) => {
                change(o, |s| s[usize::from(mode == Mode::Shared)] -= 1);
                released(o, mode, "unlock");
            }
        }
    }
}

/// A mapper, a revoker and a faulter, and `more` further mappers and faulters in turn.
pub(crate) fn s2(more: usize) -> impl Fn() + Clone + Send + Sync + 'static {
    move || s2_on(Rw::Announced(RwSem::new("memory_lock")), more)
}

/// As above, but writers do not announce themselves.
pub(crate) fn s2_unannounced(more: usize) -> impl Fn() + Clone + Send + Sync + 'static {
    move || s2_on(Rw::Plain(create(&PLAIN_RW, "memory_lock", [0; 4])), more)
}

fn s2_on(memory_lock: Rw, more: usize) {
    let resv = Mutex::new("resv");
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
        memory_lock.lock(Mode::Shared);
        if revoked.load() == 0 {
            pte.store(1);
        }
        memory_lock.unlock(Mode::Shared);
    };
    let revoker = move || {
        memory_lock.lock(Mode::Exclusive);
        resv.lock();
        revoked.store(1);
        mappings.store(0);
        pte.store(0);
        resv.unlock();
        memory_lock.unlock(Mode::Exclusive);
    };
    let mut tasks = vec![spawn("mapper", mapper), spawn("revoker", revoker), spawn("faulter", faulter)];
    for i in 0..more {
        tasks.push(if i % 2 == 0 { spawn("mapper", mapper) } else { spawn("faulter", faulter) });
    }
    tasks.into_iter().for_each(JoinHandle::join);
    assert_eq!((mappings.load(), pte.load()), (0, 0));
}

/// Two tasks, each n updates of a cell of its own, then one locks a, b and the other b, a.
pub(crate) fn s3(n: usize) -> impl Fn() + Clone + Send + Sync + 'static {
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
pub(crate) fn readers(n: usize) -> impl Fn() + Clone + Send + Sync + 'static {
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
