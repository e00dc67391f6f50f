// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rows on annotations: memory reclaim, wait contexts, and the name of a class whose subclass is set.

use crate::rig::How::{self, Mutex, RawSpin, Spin, Wsem};
use crate::rig::Rig;
use crate::rig::Verdict::{self, Failure, Success};
use crate::{Cell, Row, cell};
use lockdep::{Acquire, ClassSpec, Lock, LockId, Mode, WaitType};

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = fs_reclaim();
    rows.extend(wait_contexts());
    rows.push(subclass_name());
    rows
}

/// Entering reclaim, with or without permission to re-enter file systems: what an allocation may do.
fn reclaim(r: &mut Rig, may_enter_fs: bool) -> Option<Lock> {
    let fs = may_enter_fs.then(|| r.map(&ClassSpec::map("fs_reclaim"), 0x10, Mode::Write, true));
    let notifier = ClassSpec::map("mmu_notifier_invalidate_range_start");
    let lock = r.map(&notifier, 0x20, Mode::Write, true);
    r.ld.release(r.task, lock, crate::rig::SITE);
    fs
}

/// An allocation inside reclaim, and the end of both.
fn allocate_in_reclaim(r: &mut Rig, may_enter_fs: bool) {
    let outer = reclaim(r, true);
    let inner = reclaim(r, may_enter_fs);
    for lock in [inner, outer].into_iter().flatten() {
        r.ld.release(r.task, lock, crate::rig::SITE);
    }
}

fn fs_reclaim() -> Vec<Row> {
    let row = |name: &str, cell| Row { section: "fs_reclaim tests", name: name.into(), cells: vec![cell] };
    let good = |r: &mut Rig| allocate_in_reclaim(r, false);
    let bad = |r: &mut Rig| allocate_in_reclaim(r, true);
    vec![
        row("correct nesting", cell("map", Success, good, bad)),
        row("wrong nesting", cell("map", Failure, bad, good)),
        // The task forbids itself what the allocation asks for.
        row("protected nesting", cell("map", Success, good, bad)),
    ]
}

/// What a row puts outside and a column inside.
#[derive(Clone, Copy, PartialEq)]
enum Context {
    Rcu,
    RcuBh,
    RcuSched,
    Lock(How),
}

impl Context {
    fn enter(self, r: &mut Rig, name: &str) {
        let (name, id, inner) = match self {
            Context::Lock(how) => return r.lock(how, name),
            Context::Rcu => ("rcu_read_lock", 0x30, WaitType::Config),
            Context::RcuBh => ("rcu_read_lock_bh", 0x40, WaitType::Config),
            Context::RcuSched => ("rcu_read_lock_sched", 0x50, WaitType::Spin),
        };
        r.map(&ClassSpec::rcu(name, inner), id, Mode::RecursiveRead, false);
    }
}

const OUTER: [(&str, Context, [Verdict; 4]); 6] = [
    ("in RCU context", Context::Rcu, [Success, Success, Success, Failure]),
    ("in RCU-bh context", Context::RcuBh, [Success, Success, Success, Failure]),
    ("in RCU-sched context", Context::RcuSched, [Success, Success, Failure, Failure]),
    ("in RAW_SPINLOCK context", Context::Lock(RawSpin), [Success, Success, Failure, Failure]),
    ("in SPINLOCK context", Context::Lock(Spin), [Success, Success, Success, Failure]),
    ("in MUTEX context", Context::Lock(Mutex), [Success, Success, Success, Success]),
];

const INNER: [(&str, Context); 4] = [
    ("rcu", Context::Rcu),
    ("raw", Context::Lock(RawSpin)),
    ("spin", Context::Lock(Spin)),
    ("mutex", Context::Lock(Mutex)),
];

fn wait_contexts() -> Vec<Row> {
    let rows = OUTER.map(|(name, outer, verdicts)| {
        let cells =
            INNER.iter().zip(verdicts).map(|((column, inner), expect)| nested(column, outer, *inner, expect));
        Row { section: "wait context tests", name: name.into(), cells: cells.collect() }
    });
    rows.into()
}

fn nested(column: &'static str, outer: Context, inner: Context, expect: Verdict) -> Cell {
    let body = move |r: &mut Rig| {
        outer.enter(r, "A");
        inner.enter(r, "B");
    };
    let twin = move |r: &mut Rig| match expect {
        // The inner one alone.
        Failure => inner.enter(r, "B"),
        // And a mutex inside a raw spinlock inside both.
        Success => {
            body(r);
            r.lock(RawSpin, "C");
            r.lock(Mutex, "D");
        }
    };
    cell(column, expect, body, twin)
}

/// The name under which a held lock is shown does not change with its subclass; with its key it would.
fn subclass_name() -> Row {
    fn compare(r: &mut Rig, after: Lock) {
        let before = r.named(Wsem, "X1");
        let name = |r: &mut Rig, lock| {
            r.ld.acquire(r.task, &Acquire::write(lock, crate::rig::SITE));
            let name = r.ld.held_locks(r.task)[0].class.name().to_string();
            r.ld.release(r.task, lock, crate::rig::SITE);
            name
        };
        r.warned = name(r, before) != name(r, after);
    }
    let body = |r: &mut Rig| {
        let after = r.named(Wsem, "X1").with_subclass(1);
        compare(r, after);
    };
    let twin = |r: &mut Rig| {
        let key = r.ld.key(&ClassSpec::rwsem("rwsem_X1_renamed"));
        compare(r, Lock::new(LockId(0x60), key));
    };
    let cells = vec![cell("rsem", Success, body, twin)];
    Row { section: "lockdep_set_subclass() name test", name: "compare name before and after".into(), cells }
}
