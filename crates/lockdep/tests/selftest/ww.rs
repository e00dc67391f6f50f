// SPDX-License-Identifier: MIT OR Apache-2.0
//! Wound/wait mutexes: the interface, its contexts, backing off, and mixing with other ways to lock.

use crate::rig::How::Spin;
use crate::rig::Verdict::{self, Failure, Success};
use crate::rig::{Rig, SITE};
use crate::{Cell, Row, cell};
use lockdep::{Acquire, LockId, WwCtx, WwMutex};

/// The mutexes and contexts of these rows, and what is done with them. `t` is the context unless said otherwise.
struct Ww<'r> {
    r: &'r mut Rig,
    /// `o`, `o2` and `o3`.
    o: [WwMutex; 3],
    t: WwCtx,
    t2: WwCtx,
}

impl<'r> Ww<'r> {
    fn new(r: &'r mut Rig) -> Self {
        let class = r.ww_class();
        let o = [0x100, 0x110, 0x120].map(|id| WwMutex::new(LockId(id), class));
        let (t, t2) = (WwCtx::new(LockId(0x200), class), WwCtx::new(LockId(0x210), class));
        Ww { r, o, t, t2 }
    }

    /// `ww_acquire_init()`.
    fn init(&mut self) -> &mut Self {
        self.r.ld.ww_acquire_init(self.r.task, &mut self.t, SITE);
        self
    }

    fn init_t2(&mut self) -> &mut Self {
        self.r.ld.ww_acquire_init(self.r.task, &mut self.t2, SITE);
        self
    }

    fn done(&mut self) -> &mut Self {
        self.r.ld.ww_acquire_done(self.r.task, &mut self.t, SITE);
        self
    }

    fn fini(&mut self) -> &mut Self {
        self.r.ld.ww_acquire_fini(self.r.task, &self.t, SITE);
        self
    }

    /// `ww_mutex_lock()` under the context, obtained.
    fn lock(&mut self, i: usize) -> &mut Self {
        self.r.ld.ww_mutex_lock(self.r.task, &self.o[i], Some(&self.t), SITE);
        self.r.ld.ww_mutex_acquired(self.r.task, &mut self.o[i], &mut self.t, SITE);
        self
    }

    /// The same by the slow path.
    fn slow(&mut self, i: usize) -> &mut Self {
        self.r.ld.ww_mutex_slow(self.r.task, &self.o[i], &self.t, SITE);
        self.lock(i)
    }

    /// `ww_mutex_lock()` under the context, which is told to back off.
    fn deadlock(&mut self, i: usize) -> &mut Self {
        self.r.ld.ww_mutex_lock(self.r.task, &self.o[i], Some(&self.t), SITE);
        self.r.ld.ww_mutex_deadlock(self.r.task, &self.o[i], &mut self.t, SITE);
        self
    }

    /// The same by the slow path.
    fn slow_deadlock(&mut self, i: usize) -> &mut Self {
        self.r.ld.ww_mutex_slow(self.r.task, &self.o[i], &self.t, SITE);
        self.deadlock(i)
    }

    /// `ww_mutex_lock()` without a context.
    fn block(&mut self, i: usize) -> &mut Self {
        self.r.ld.ww_mutex_lock(self.r.task, &self.o[i], None, SITE);
        self
    }

    /// `ww_mutex_trylock()` without a context.
    fn trylock(&mut self, i: usize) -> &mut Self {
        self.r.ld.ww_mutex_trylock(self.r.task, &mut self.o[i], None, SITE);
        self
    }

    fn unlock(&mut self, i: usize) -> &mut Self {
        self.r.ld.ww_mutex_unlock(self.r.task, &mut self.o[i], Some(&mut self.t), SITE);
        self
    }

    /// Takes and releases the mutex inside the ww mutex as a plain one.
    fn base(&mut self, i: usize) -> &mut Self {
        self.r.ld.acquire(self.r.task, &Acquire::write(self.o[i].map, SITE));
        self.r.ld.release(self.r.task, self.o[i].map, SITE);
        self
    }

    fn base_nest(&mut self, i: usize) -> &mut Self {
        self.r.ld.acquire(self.r.task, &Acquire::write(self.o[i].map, SITE).nest_lock(self.t.map));
        self.r.ld.release(self.r.task, self.o[i].map, SITE);
        self
    }

    fn spin(&mut self) -> &mut Self {
        self.r.lock(Spin, "A");
        self
    }

    /// The end of a sentence.
    fn end(&mut self) {}

    fn unspin(&mut self) -> &mut Self {
        self.r.unlock(Spin, "A");
        self
    }
}

/// A cell whose pattern and twin are written over [`Ww`].
fn ww(column: &'static str, expect: Verdict, body: fn(&mut Ww<'_>), twin: fn(&mut Ww<'_>)) -> Cell {
    cell(column, expect, move |r: &mut Rig| body(&mut Ww::new(r)), move |r: &mut Rig| twin(&mut Ww::new(r)))
}

fn row(name: &str, cells: Vec<Cell>) -> Row {
    Row { section: "Wound/wait tests", name: name.into(), cells }
}

pub(crate) fn rows() -> Vec<Row> {
    vec![
        row(
            "ww api failures",
            vec![
                ww("acquire", Success, fail_acquire, |w| {
                    fail_acquire(w);
                    w.block(0); // waits for what its own context stands for
                }),
                ww("normal", Success, normal, |w| {
                    w.base(0).base_nest(0); // the context was never begun
                }),
                ww("slow", Failure, |w| w.init().slow(0).end(), |w| w.init().lock(0).end()),
            ],
        ),
        row(
            "ww contexts mixing",
            vec![
                ww("two", Failure, |w| w.init().init_t2().end(), |w| w.init().fini().init_t2().end()),
                ww("class", Failure, other_class, |w| w.init().lock(0).end()),
            ],
        ),
        row(
            "finishing ww context",
            vec![
                ww(
                    "done x2",
                    Failure,
                    |w| w.init().done().done().fini().end(),
                    |w| {
                        w.init().done().fini();
                    },
                ),
                ww(
                    "fini x2",
                    Failure,
                    |w| w.init().done().fini().fini().end(),
                    |w| {
                        w.init().done().fini().init().done().fini();
                    },
                ),
                ww(
                    "early",
                    Failure,
                    |w| w.init().lock(0).done().fini().end(),
                    |w| {
                        w.init().lock(0).done().unlock(0).fini();
                    },
                ),
                ww("late", Failure, |w| w.init().done().lock(0).end(), |w| w.init().lock(0).done().end()),
            ],
        ),
        row(
            "locking mismatches",
            vec![
                ww(
                    "twice",
                    Failure,
                    |w| w.block(0).unlock(0).unlock(0).end(),
                    |w| {
                        w.block(0).unlock(0).block(0).unlock(0);
                    },
                ),
                ww(
                    "unbal.",
                    Failure,
                    |w| {
                        w.init().lock(0).t.acquired = 0;
                        w.unlock(0).fini();
                    },
                    |w| w.init().lock(0).unlock(0).fini().end(),
                ),
                ww(
                    "stale",
                    Failure,
                    |w| {
                        w.init().o[0].ctx = Some(w.t2.map.id());
                        w.lock(0);
                    },
                    |w| w.init().lock(0).end(),
                ),
            ],
        ),
        row("EDEADLK handling", edeadlk()),
        row(
            "spinlock nest unlocked",
            vec![ww("spin", Failure, |w| spin_nest(w, false), |w| spin_nest(w, true))],
        ),
        row(
            "spinlock nest test",
            vec![ww("spin", Success, |w| nested_spins(w, true), |w| nested_spins(w, false))],
        ),
        row(
            "context",
            vec![
                ww(
                    "block",
                    Failure,
                    |w| w.init().lock(0).block(1).end(),
                    |w| {
                        w.init().lock(0).unlock(0).fini().block(1);
                    },
                ),
                ww(
                    "try",
                    Success,
                    |w| w.init().lock(0).trylock(1).unlock(1).unlock(0).end(),
                    |w| {
                        w.init().lock(0).trylock(1).block(2);
                    },
                ),
                ww(
                    "context",
                    Success,
                    |w| w.init().lock(0).lock(1).unlock(1).unlock(0).end(),
                    |w| {
                        w.init().lock(0).lock(1).fini();
                    },
                ),
            ],
        ),
        row(
            "try",
            vec![
                ww(
                    "block",
                    Failure,
                    |w| w.trylock(0).block(1).unlock(1).unlock(0).end(),
                    |w| {
                        w.trylock(0).unlock(0).block(1).unlock(1);
                    },
                ),
                ww(
                    "try",
                    Success,
                    |w| w.trylock(0).trylock(1).unlock(1).unlock(0).end(),
                    |w| {
                        w.trylock(0).trylock(1).unlock(1).block(1);
                    },
                ),
                ww(
                    "context",
                    Failure,
                    |w| w.trylock(0).init().lock(1).end(),
                    |w| {
                        w.init().trylock(0).lock(1);
                    },
                ),
            ],
        ),
        row(
            "block",
            vec![
                ww("block", Failure, |w| w.block(0).block(1).end(), |w| w.block(0).unlock(0).block(1).end()),
                ww("try", Success, |w| w.block(0).trylock(1).end(), |w| w.block(0).trylock(1).block(2).end()),
                ww(
                    "context",
                    Failure,
                    |w| w.block(0).init().lock(1).end(),
                    |w| {
                        w.block(0).unlock(0).init().lock(1);
                    },
                ),
            ],
        ),
        row(
            "spinlock",
            vec![
                ww(
                    "block",
                    Failure,
                    |w| {
                        w.spin().unspin().block(0).spin().unspin().unlock(0);
                        w.spin().block(0).unlock(0).unspin();
                    },
                    |w| w.spin().unspin().block(0).spin().unspin().unlock(0).end(),
                ),
                ww(
                    "try",
                    Success,
                    |w| {
                        w.spin().unspin().trylock(0).spin().unspin().unlock(0);
                        w.spin().trylock(0).unlock(0).unspin();
                    },
                    |w| w.spin().trylock(0).block(1).end(),
                ),
                ww(
                    "context",
                    Failure,
                    |w| {
                        w.spin().unspin().init().lock(0).spin().unspin().unlock(0);
                        w.spin().lock(0).unlock(0).unspin();
                    },
                    |w| w.spin().unspin().init().lock(0).spin().unspin().unlock(0).end(),
                ),
            ],
        ),
    ]
}

/// Locks a mutex under one context, is told to back off for it under a copy, and tries it without one.
fn fail_acquire(w: &mut Ww<'_>) {
    w.init().lock(0);
    // The same context again is -EALREADY and a trylock fails; neither reaches the validator.
    w.t2 = WwCtx { map: w.t2.map, first: w.t2.first, ..w.t };
    w.r.ld.ww_mutex_lock(w.r.task, &w.o[0], Some(&w.t2), SITE);
    w.r.ld.ww_mutex_deadlock(w.r.task, &w.o[0], &mut w.t2, SITE);
    w.unlock(0).trylock(0).unlock(0);
}

/// Every plain way to take the mutex inside leaves the context of the ww mutex alone.
fn normal(w: &mut Ww<'_>) {
    w.base(0).base(0).base(0).trylock(0).unlock(0).base(0).init().base_nest(0);
    w.r.warned |= w.o[0].ctx.is_some();
}

fn other_class(w: &mut Ww<'_>) {
    let other = w.r.ld.ww_class("ww_other");
    w.o[0] = WwMutex::new(LockId(0x100), other);
    w.init().lock(0);
}

/// Holds the first mutex under the context and is told to back off from the second.
fn wounded<'w, 'r>(w: &'w mut Ww<'r>) -> &'w mut Ww<'r> {
    w.base(1).init().lock(0).deadlock(1)
}

/// After `-EDEADLK`: unlock what is held, then take the contended mutex. Anything else is wrong.
fn edeadlk() -> Vec<Cell> {
    vec![
        ww("normal", Success, |w| wounded(w).unlock(0).lock(1).end(), |w| wounded(w).unlock(0).lock(2).end()),
        ww("slow", Success, |w| wounded(w).unlock(0).slow(1).end(), |w| wounded(w).unlock(0).slow(2).end()),
        ww("no unl.", Failure, |w| wounded(w).lock(1).end(), |w| wounded(w).unlock(0).lock(1).end()),
        ww("  slow", Failure, |w| wounded(w).slow(1).end(), |w| wounded(w).unlock(0).slow(1).end()),
        ww(
            "more",
            Failure,
            |w| wounded(w).lock(2).end(),
            |w| {
                wounded(w).unlock(0).lock(1).lock(2);
            },
        ),
        ww(
            "  slow",
            Failure,
            |w| wounded(w).slow(2).end(),
            |w| {
                wounded(w).unlock(0).slow(1).lock(2);
            },
        ),
        ww(
            "again",
            Failure,
            |w| wounded(w.base(2)).deadlock(2).end(),
            |w| {
                wounded(w).unlock(0).lock(1).deadlock(2);
            },
        ),
        ww(
            "  slow",
            Failure,
            |w| wounded(w.base(2)).slow_deadlock(2).end(),
            |w| {
                wounded(w).unlock(0).slow(1).deadlock(2);
            },
        ),
        ww(
            "wrong",
            Failure,
            |w| wounded(w).unlock(0).lock(2).end(),
            |w| {
                wounded(w).unlock(0).lock(1).unlock(1).lock(2);
            },
        ),
        ww(
            "  slow",
            Failure,
            |w| wounded(w).unlock(0).slow(2).end(),
            |w| {
                wounded(w).unlock(0).slow(1).unlock(1).lock(2);
            },
        ),
    ]
}

/// A spinlock that names a ww mutex as its nest lock, which is held or not.
fn spin_nest(w: &mut Ww<'_>, held: bool) {
    if held {
        w.block(0);
    }
    let nest = w.o[0].map;
    w.r.lock_nest(Spin, "A", nest);
    w.r.unlock(Spin, "A");
}

/// Two spinlocks of a class with another lock between them, serialised by a third or not.
fn nested_spins(w: &mut Ww<'_>, serialised: bool) {
    w.r.lock(Spin, "X1");
    let nest = w.r.named(Spin, "X1");
    for name in ["Y1", "A", "Y2"] {
        if serialised && name != "A" { w.r.lock_nest(Spin, name, nest) } else { w.r.lock(Spin, name) }
    }
    ["A", "Y2", "Y1", "X1"].iter().for_each(|name| w.r.unlock(Spin, name));
}
