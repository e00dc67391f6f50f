// SPDX-License-Identifier: MIT OR Apache-2.0
//! Random small programs over all primitives.

use std::fmt;
use std::rc::Rc;

use explorer::sync::{Cell, Completion, Mutex, RwSem};
use explorer::{JoinHandle, choose, report, spawn};

/// One statement. Numbers name objects.
#[derive(Clone, Debug)]
pub(crate) enum Stmt {
    Lock(usize, Vec<Stmt>),
    TryLock(usize, Vec<Stmt>),
    Read(usize, Vec<Stmt>),
    Write(usize, Vec<Stmt>),
    TryRead(usize, Vec<Stmt>),
    TryWrite(usize, Vec<Stmt>),
    WriteThenDowngrade(usize, Vec<Stmt>),
    Load(usize),
    Store(usize, u8),
    Add(usize),
    PlainGet(usize),
    PlainSet(usize, u8),
    WaitUntil(usize, u8),
    Wait(usize),
    TryWait(usize),
    Complete(usize),
    CompleteAll(usize),
    Reinit(usize),
    Choose(u32, Vec<Stmt>),
    IfSeen(Vec<Stmt>),
    Spawn(Vec<Stmt>),
}

/// A program: the bodies of its tasks.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    tasks: Rc<Vec<Vec<Stmt>>>,
}

const OBJECTS: usize = 2;

/// SplitMix64.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
    fn object(&mut self) -> usize {
        self.below(OBJECTS as u64) as usize
    }

    fn block(&mut self, most: u64, depth: u32, mask: u64) -> Vec<Stmt> {
        (0..1 + self.below(most)).map(|_| self.stmt(depth, mask)).collect()
    }

    /// `mask` has a bit for each group of primitives that this program uses: few at a time meet more often.
    fn stmt(&mut self, depth: u32, mask: u64) -> Stmt {
        loop {
            let o = self.object();
            let group = self.below(6);
            if mask >> group & 1 == 0 {
                continue;
            }
            if depth == 0 && group < 2 {
                return if self.below(2) == 0 { Stmt::Add(o) } else { Stmt::Load(o) };
            }
            let value = self.below(2) as u8;
            let kind = self.below(8);
            let inner = |r: &mut Rng| r.block(2, depth - 1, mask);
            return match (group, kind) {
                (0, 0..=4) => Stmt::Lock(o, inner(self)),
                (0, _) => Stmt::TryLock(o, inner(self)),
                (1, 0..=2) => Stmt::Read(o, inner(self)),
                (1, 3 | 4) => Stmt::Write(o, inner(self)),
                (1, 5) => Stmt::TryRead(o, inner(self)),
                (1, 6) => Stmt::TryWrite(o, inner(self)),
                (1, _) => Stmt::WriteThenDowngrade(o, inner(self)),
                (2, 0..=2) => Stmt::Load(o),
                (2, 3 | 4) => Stmt::Store(o, value),
                (2, 5 | 6) => Stmt::Add(o),
                (2, _) => Stmt::WaitUntil(o, value),
                (3, 0..=3) => Stmt::PlainGet(o),
                (3, _) => Stmt::PlainSet(o, value),
                (4, 0 | 1) => Stmt::Wait(o),
                (4, 2) => Stmt::TryWait(o),
                (4, 5) => Stmt::CompleteAll(o),
                (4, 6) => Stmt::Reinit(o),
                (4, _) => Stmt::Complete(o),
                (_, 0 | 1) if depth > 0 => Stmt::Choose(2, inner(self)),
                (_, 2) if depth > 0 => Stmt::Spawn(inner(self)),
                _ if depth > 0 => Stmt::IfSeen(inner(self)),
                _ => Stmt::Load(o),
            };
        }
    }
}

#[derive(Clone, Copy)]
struct World {
    mutexes: [Mutex; OBJECTS],
    rwsems: [RwSem; OBJECTS],
    cells: [Cell<u8>; OBJECTS],
    plains: [Cell<u8>; OBJECTS],
    completions: [Completion; OBJECTS],
}

impl Program {
    /// The program of a seed.
    pub(crate) fn random(seed: u64) -> Program {
        let mut r = Rng(seed);
        let mask = loop {
            let mask = r.below(64);
            if mask & 0b01_1111 != 0 {
                break mask;
            }
        };
        let tasks = 2 + r.below(3).min(r.below(3));
        Program { tasks: Rc::new((0..tasks).map(|_| r.block(3, 2, mask)).collect()) }
    }

    /// The model.
    pub(crate) fn run(&self) {
        let w = World {
            mutexes: std::array::from_fn(|_| Mutex::new("m")),
            rwsems: std::array::from_fn(|_| RwSem::new("s")),
            cells: std::array::from_fn(|_| Cell::new("c", 0)),
            plains: std::array::from_fn(|_| Cell::new("p", 0)),
            completions: std::array::from_fn(|_| Completion::new("d")),
        };
        let handles: Vec<_> = (0..self.tasks.len())
            .map(|i| {
                let p = self.clone();
                spawn("t", move || {
                    let seen = run(&w, &p.tasks[i]);
                    report(format!("task {i} saw {seen}"), "");
                })
            })
            .collect();
        handles.into_iter().for_each(JoinHandle::join);
        let values: Vec<u8> = w.cells.iter().chain(&w.plains).map(|c| c.load()).collect();
        report(format!("final {values:?}"), "");
    }
}

/// Runs statements; what they saw is folded into a number.
fn run(w: &World, block: &[Stmt]) -> u32 {
    let mut seen = 0u32;
    for s in block {
        let saw = match s {
            Stmt::Lock(o, b) => {
                w.mutexes[*o].lock();
                let s = run(w, b);
                w.mutexes[*o].unlock();
                s
            }
            Stmt::TryLock(o, b) => {
                if w.mutexes[*o].trylock() {
                    let s = run(w, b);
                    w.mutexes[*o].unlock();
                    s
                } else {
                    7
                }
            }
            Stmt::Read(o, b) => {
                w.rwsems[*o].down_read();
                let s = run(w, b);
                w.rwsems[*o].up_read();
                s
            }
            Stmt::Write(o, b) => {
                w.rwsems[*o].down_write();
                let s = run(w, b);
                w.rwsems[*o].up_write();
                s
            }
            Stmt::TryRead(o, b) => {
                if w.rwsems[*o].down_read_trylock() {
                    let s = run(w, b);
                    w.rwsems[*o].up_read();
                    s
                } else {
                    8
                }
            }
            Stmt::TryWrite(o, b) => {
                if w.rwsems[*o].down_write_trylock() {
                    let s = run(w, b);
                    w.rwsems[*o].up_write();
                    s
                } else {
                    9
                }
            }
            Stmt::WriteThenDowngrade(o, b) => {
                w.rwsems[*o].down_write();
                let s = run(w, &b[..1]);
                w.rwsems[*o].downgrade_write();
                let s = s * 3 + run(w, &b[1..]);
                w.rwsems[*o].up_read();
                s
            }
            Stmt::Load(o) => u32::from(w.cells[*o].load()),
            Stmt::Store(o, v) => {
                w.cells[*o].store(*v);
                0
            }
            Stmt::Add(o) => u32::from(w.cells[*o].fetch_update(|v| (v + 1) % 4)),
            Stmt::PlainGet(o) => u32::from(w.plains[*o].get()),
            Stmt::PlainSet(o, v) => {
                w.plains[*o].set(*v);
                0
            }
            Stmt::WaitUntil(o, v) => {
                w.cells[*o].wait_until(*v);
                0
            }
            Stmt::Wait(o) => {
                w.completions[*o].wait();
                0
            }
            Stmt::TryWait(o) => u32::from(w.completions[*o].try_wait()),
            Stmt::Complete(o) => {
                w.completions[*o].complete();
                0
            }
            Stmt::CompleteAll(o) => {
                w.completions[*o].complete_all();
                0
            }
            Stmt::Reinit(o) => {
                w.completions[*o].reinit();
                0
            }
            Stmt::Choose(n, b) => match choose(*n) {
                0 => run(w, b),
                v => v,
            },
            Stmt::IfSeen(b) => {
                if seen % 2 == 1 {
                    run(w, b)
                } else {
                    0
                }
            }
            Stmt::Spawn(b) => {
                let (w, b) = (*w, b.clone());
                let child = spawn("child", move || {
                    run(&w, &b);
                });
                let s = run(&w, &[Stmt::Load(0)]);
                child.join();
                s
            }
        };
        seen = seen.wrapping_mul(31).wrapping_add(saw);
    }
    seen
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, t) in self.tasks.iter().enumerate() {
            writeln!(f, "task {i}: {t:?}")?;
        }
        Ok(())
    }
}
