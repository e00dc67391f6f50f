// SPDX-License-Identifier: MIT OR Apache-2.0
//! Random small programs over all primitives.

use std::fmt;
use std::rc::Rc;

use explorer::sync::{
    Cell, Channel, Completion, CondVar, Mutex, Next, RwSem, Semaphore, WaitQueue, WwClass, WwContext,
    WwError, WwMutex, WwPolicy,
};
use explorer::{JoinHandle, choose, fault_budget, report, spawn};

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
    LockInterruptible(usize, Vec<Stmt>),
    ReadKillable(usize, Vec<Stmt>),
    WriteKillable(usize, Vec<Stmt>),
    Down(usize, Vec<Stmt>),
    DownInterruptible(usize),
    TryDown(usize),
    Up(usize),
    /// Locks of a class, in this order, under one context; backs off once.
    Ww(usize, Vec<usize>, Vec<Stmt>),
    WwTry(usize, usize),
    WwPlain(usize, usize),
    Sleep(usize),
    SleepUnless(usize),
    WakeOne(usize),
    WakeAll(usize),
    CondWait(usize),
    Send(usize, u8),
    TrySend(usize, u8),
    Recv(usize),
    TryRecv(usize),
    Close(usize),
}

/// Groups of primitives.
const GROUPS: u64 = 12;

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
            let group = self.below(GROUPS);
            if mask >> group & 1 == 0 {
                continue;
            }
            if depth == 0 && matches!(group, 0 | 1 | 7 | 8 | 11) {
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
                (6, 0..=2) => Stmt::Down(o, vec![self.stmt(depth.saturating_sub(1), mask)]),
                (6, 3) => Stmt::DownInterruptible(o),
                (6, 4 | 5) => Stmt::TryDown(o),
                (6, _) => Stmt::Up(o),
                (7 | 8, 0..=5) => {
                    let order = if kind < 4 { vec![o, 1 - o] } else { vec![o] };
                    Stmt::Ww(group as usize - 7, order, inner(self))
                }
                (7 | 8, 6) => Stmt::WwTry(group as usize - 7, o),
                (7 | 8, _) => Stmt::WwPlain(group as usize - 7, o),
                (9, 0 | 1) => Stmt::Sleep(o),
                (9, 2) => Stmt::SleepUnless(o),
                (9, 3) => Stmt::CondWait(o),
                (9, 4 | 5) => Stmt::WakeOne(o),
                (9, _) => Stmt::WakeAll(o),
                (10, 0 | 1) => Stmt::Send(o, value),
                (10, 2) => Stmt::TrySend(o, value),
                (10, 3 | 4) => Stmt::Recv(o),
                (10, 5 | 6) => Stmt::TryRecv(o),
                (10, _) => Stmt::Close(o),
                (11, 0 | 1) => Stmt::Read(o + 2, inner(self)),
                (11, 2 | 3) => Stmt::Write(o + 2, inner(self)),
                (11, 4) => Stmt::TryRead(o + 2, inner(self)),
                (11, 5) => Stmt::TryWrite(o + 2, inner(self)),
                (11, 6) => Stmt::WriteKillable(o + 2, inner(self)),
                (11, _) => Stmt::WriteThenDowngrade(o + 2, inner(self)),
                (_, 3) if depth > 0 => Stmt::LockInterruptible(o, inner(self)),
                (_, 4) if depth > 0 => Stmt::ReadKillable(o, inner(self)),
                (_, 5) if depth > 0 => Stmt::WriteKillable(o, inner(self)),
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
    /// Two where any waiter may be next, two with hand-off.
    rwsems: [RwSem; 2 * OBJECTS],
    cells: [Cell<u8>; OBJECTS],
    plains: [Cell<u8>; OBJECTS],
    completions: [Completion; OBJECTS],
    semaphores: [Semaphore; OBJECTS],
    /// One class each: wait-die and wait-wound.
    classes: [WwClass; 2],
    ww: [[WwMutex; OBJECTS]; 2],
    queues: [WaitQueue; OBJECTS],
    conditions: [CondVar; OBJECTS],
    channels: [Channel<u8>; OBJECTS],
}

impl Program {
    /// The program of a seed.
    pub(crate) fn random(seed: u64) -> Program {
        let mut r = Rng(seed);
        // Up to three groups, and often the one of choices and children, which needs company.
        let mask = (0..3).fold(0, |mask, _| mask | 1 << r.below(GROUPS)) | r.below(2) << 5;
        let mask = if mask == 1 << 5 { mask | 1 << 2 } else { mask };
        let tasks = 2 + r.below(3).min(r.below(3));
        Program { tasks: Rc::new((0..tasks).map(|_| r.block(3, 2, mask)).collect()) }
    }

    /// The model.
    pub(crate) fn run(&self) {
        fault_budget(u32::MAX);
        let classes = [WwPolicy::WaitDie, WwPolicy::WaitWound].map(|p| WwClass::new("class", p));
        let w = World {
            mutexes: std::array::from_fn(|_| Mutex::new("m")),
            rwsems: std::array::from_fn(|i| {
                RwSem::with_next("s", if i < OBJECTS { Next::Any } else { Next::First })
            }),
            cells: std::array::from_fn(|_| Cell::new("c", 0)),
            plains: std::array::from_fn(|_| Cell::new("p", 0)),
            completions: std::array::from_fn(|_| Completion::new("d")),
            semaphores: std::array::from_fn(|i| Semaphore::new("n", i as u32)),
            classes,
            ww: classes.map(|c| std::array::from_fn(|_| WwMutex::new("w", c))),
            queues: std::array::from_fn(|_| WaitQueue::new("q")),
            conditions: std::array::from_fn(|_| CondVar::new("v")),
            channels: [Channel::bounded("b", 1), Channel::unbounded("u")],
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

/// Takes all locks; backs off from the first error and gives up at the second.
fn ww(locks: &[WwMutex], ctx: WwContext) -> Result<(), u32> {
    for (i, l) in locks.iter().enumerate() {
        match l.lock(ctx) {
            Ok(()) | Err(WwError::Already) => {}
            Err(WwError::Interrupted) => return Err(15),
            Err(WwError::Deadlock) => {
                locks[..i].iter().for_each(|l| {
                    l.unlock();
                });
                l.lock_slow(ctx);
                for other in &locks[..i] {
                    if other.lock(ctx).is_err() {
                        return Err(16);
                    }
                }
            }
        }
    }
    Ok(())
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
            Stmt::LockInterruptible(o, b) => match w.mutexes[*o].lock_interruptible() {
                Ok(()) => {
                    let s = run(w, b);
                    w.mutexes[*o].unlock();
                    s
                }
                Err(_) => 10,
            },
            Stmt::ReadKillable(o, b) => match w.rwsems[*o].down_read_killable() {
                Ok(()) => {
                    let s = run(w, b);
                    w.rwsems[*o].up_read();
                    s
                }
                Err(_) => 11,
            },
            Stmt::WriteKillable(o, b) => match w.rwsems[*o].down_write_killable() {
                Ok(()) => {
                    let s = run(w, b);
                    w.rwsems[*o].up_write();
                    s
                }
                Err(_) => 12,
            },
            Stmt::Down(o, b) => {
                w.semaphores[*o].down();
                let s = run(w, b);
                w.semaphores[*o].up();
                s
            }
            Stmt::DownInterruptible(o) => u32::from(w.semaphores[*o].down_interruptible().is_ok()),
            Stmt::TryDown(o) => u32::from(w.semaphores[*o].down_trylock()),
            Stmt::Up(o) => {
                w.semaphores[*o].up();
                0
            }
            Stmt::Ww(class, order, b) => {
                let ctx = w.classes[*class].acquire_init("ctx");
                let locks: Vec<WwMutex> = order.iter().map(|o| w.ww[*class][*o]).collect();
                let s = match ww(&locks, ctx) {
                    Ok(()) => run(w, b),
                    Err(s) => s,
                };
                locks.iter().for_each(|l| {
                    l.unlock();
                });
                ctx.acquire_fini();
                s
            }
            Stmt::WwTry(class, o) => {
                let got = w.ww[*class][*o].trylock(None);
                w.ww[*class][*o].unlock();
                u32::from(got)
            }
            Stmt::WwPlain(class, o) => {
                w.ww[*class][*o].lock_without_context();
                w.ww[*class][*o].unlock();
                0
            }
            Stmt::Sleep(o) => {
                w.queues[*o].prepare();
                w.queues[*o].sleep();
                0
            }
            Stmt::SleepUnless(o) => {
                w.queues[*o].wait_event(|| w.cells[*o].load() == 0);
                0
            }
            Stmt::WakeOne(o) => u32::from(w.queues[*o].wake_one() | w.conditions[*o].notify_one()),
            Stmt::WakeAll(o) => w.queues[*o].wake_all() + w.conditions[*o].notify_all(),
            Stmt::CondWait(o) => {
                w.mutexes[*o].lock();
                w.conditions[*o].wait(w.mutexes[*o]);
                w.mutexes[*o].unlock();
                0
            }
            Stmt::Send(o, v) => u32::from(w.channels[*o].send(*v).is_ok()),
            Stmt::TrySend(o, v) => u32::from(w.channels[*o].try_send(*v).is_ok()),
            Stmt::Recv(o) => w.channels[*o].recv().map_or(13, u32::from),
            Stmt::TryRecv(o) => w.channels[*o].try_recv().map_or_else(|e| 14 + e as u32, u32::from),
            Stmt::Close(o) => u32::from(w.channels[*o].close()),
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
