// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tasks as coroutines on pooled stacks: the only file that switches stacks, and all of the crate's `unsafe`.
//!
//! The guarantee: at most one task of a thread runs at a time, and it runs only inside [`Running::resume`]. A task
//! that is still suspended when its execution ends is unwound by [`Running`]'s destructor; the task's own destructors
//! see [`Phase::Aborting`], in which operations do nothing. A task is never suspended while it unwinds.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Once;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use crate::engine::{Engine, Phase, with};
use crate::finding::FindingKind;
use crate::op::TaskId;

/// A task's coroutine.
type Body = Coroutine<(), (), (), DefaultStack>;

/// Bytes of stack of a task. Virtual: pages that are never touched cost nothing.
const STACK_BYTES: usize = 256 * 1024;

/// Coroutines that have not started yet, and what waits for the next execution.
pub(crate) struct Coroutines {
    newborn: Vec<(TaskId, Body)>,
    pool: Vec<DefaultStack>,
    /// The table of [`Running`], while nothing runs.
    table: Vec<Option<Body>>,
}

impl Coroutines {
    pub(crate) const fn new() -> Self {
        Coroutines { newborn: Vec::new(), pool: Vec::new(), table: Vec::new() }
    }
}

thread_local! {
    static IN_TASK: Cell<bool> = const { Cell::new(false) };
    static PANIC_AT: Cell<Option<String>> = const { Cell::new(None) };
    /// The stacks that wait for this thread's next exploration; freed with the thread.
    static STACKS: Cell<Vec<DefaultStack>> = const { Cell::new(Vec::new()) };
}

/// Gives task `t`, just created, its body. It starts when first resumed.
pub(crate) fn attach(t: TaskId, f: impl FnOnce() + 'static) {
    let stack = with(|e| e.coroutines.pool.pop());
    let stack = stack.unwrap_or_else(|| DefaultStack::new(STACK_BYTES).expect("memory for a task's stack"));
    let body = Coroutine::with_stack(stack, move |yielder: &Yielder<(), ()>, ()| {
        with(|e| e.tasks[t.index()].yielder = yielder);
        if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
            if with(|e| e.phase == Phase::Aborting) {
                resume_unwind(payload);
            }
            report_panic(payload.as_ref());
        }
        with(Engine::finish);
    });
    with(|e| e.coroutines.newborn.push((t, body)));
}

/// Suspends the current task, whose yielder this is, until it is chosen.
#[inline]
pub(crate) fn suspend(yielder: *const Yielder<(), ()>) {
    // SAFETY: the pointer was stored by the coroutine of the current task from the yielder that corosensei lent to
    // its body; the yielder lives on that coroutine's stack for as long as the body runs, and this call is made
    // from inside the body. No other thread sees the pointer: the engine is thread-local.
    unsafe { (*yielder).suspend(()) };
}

/// The coroutines of the execution that runs. Dropped at its end, however it ends: whoever is still suspended is
/// unwound then, in the order of the ids, and the stacks go back to the pool.
pub(crate) struct Running {
    bodies: Vec<Option<Body>>,
}

impl Running {
    /// For the execution for which the engine was just reset.
    pub(crate) fn new() -> Self {
        Running { bodies: with(|e| std::mem::take(&mut e.coroutines.table)) }
    }

    /// Takes in the coroutines of the tasks that were created since the last call.
    #[cold]
    fn adopt(&mut self) {
        with(|e| {
            for (t, body) in e.coroutines.newborn.drain(..) {
                if self.bodies.len() <= t.index() {
                    self.bodies.resize_with(t.index() + 1, || None);
                }
                self.bodies[t.index()] = Some(body);
            }
        });
    }

    /// Runs task `t`, which must be suspended or newborn, until it suspends again or ends. The engine's current task
    /// must be `t` already.
    #[inline]
    pub(crate) fn resume(&mut self, t: TaskId) {
        if !matches!(self.bodies.get(t.index()), Some(Some(_))) {
            self.adopt();
        }
        let body = self.bodies[t.index()].as_mut().expect("a live task has a coroutine");
        IN_TASK.set(true);
        let result = body.resume(());
        IN_TASK.set(false);
        if let CoroutineResult::Return(()) = result {
            self.ended(t);
        }
    }

    fn ended(&mut self, t: TaskId) {
        let body = self.bodies[t.index()].take().expect("it just ran");
        with(|e| e.coroutines.pool.push(body.into_stack()));
    }

    #[cold]
    fn abort(&mut self) {
        with(|e| e.phase = Phase::Aborting);
        self.adopt();
        for i in 0..self.bodies.len() {
            let Some(mut body) = self.bodies[i].take() else { continue };
            with(|e| e.current = TaskId(i as u8));
            IN_TASK.set(true);
            body.force_unwind();
            IN_TASK.set(false);
            with(|e| e.coroutines.pool.push(body.into_stack()));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if with(|e| e.unfinished) != 0 {
            self.abort();
        }
        with(|e| {
            e.phase = Phase::Idle;
            e.coroutines.table = std::mem::take(&mut self.bodies);
        });
    }
}

/// For the time of one exploration, the engine owns this thread's stacks; at its end it gives back all memory.
pub(crate) struct Lease;

impl Lease {
    pub(crate) fn new() -> Self {
        with(|e| e.coroutines.pool = STACKS.take());
        Lease
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut old = with(|e| std::mem::replace(e, Engine::new()));
        STACKS.set(std::mem::take(&mut old.coroutines.pool));
    }
}

fn report_panic(payload: &(dyn Any + Send)) {
    let text = payload
        .downcast_ref::<&str>()
        .map(|s| (*s).to_string())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_string());
    let at = PANIC_AT.take().unwrap_or_default();
    with(|e| {
        let task = e.tasks[e.current.index()].name.clone();
        let message = format!("task {task} panicked at {at}: {text}");
        e.report(FindingKind::Panic, format!("panic {at} {text}"), message);
        e.panicked = true;
    });
}

/// Keeps panics inside tasks off standard error (they become findings); all others print as before.
pub(crate) fn install_panic_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if IN_TASK.get() {
                PANIC_AT.set(info.location().map(ToString::to_string));
            } else {
                previous(info);
            }
        }));
    });
}
