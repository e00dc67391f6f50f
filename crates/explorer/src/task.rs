// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tasks as coroutines on pooled stacks: the only file that switches stacks, and all of the crate's `unsafe`.
//!
//! The guarantee: at most one task of a thread runs at a time, and it runs only inside [`resume`]. A task that is
//! still suspended when its execution ends is unwound by [`abort_all`]; its destructors see
//! `Engine::aborting`, under which operations do nothing.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Once;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use crate::engine::{Status, with};
use crate::finding::FindingKind;
use crate::op::TaskId;

/// A task's coroutine.
pub(crate) type Body = Coroutine<(), (), (), DefaultStack>;

/// Bytes of stack of a task. Virtual: pages that are never touched cost nothing.
const STACK_BYTES: usize = 256 * 1024;

/// The coroutines of an execution and the stacks that wait for the next one.
pub(crate) struct Coroutines {
    bodies: Vec<Option<Body>>,
    pool: Vec<DefaultStack>,
}

impl Coroutines {
    pub(crate) const fn new() -> Self {
        Coroutines { bodies: Vec::new(), pool: Vec::new() }
    }

    pub(crate) fn insert(&mut self, t: TaskId, body: Body) {
        if self.bodies.len() <= t.index() {
            self.bodies.resize_with(t.index() + 1, || None);
        }
        self.bodies[t.index()] = Some(body);
    }

    fn stack(&mut self) -> DefaultStack {
        self.pool.pop().unwrap_or_else(|| DefaultStack::new(STACK_BYTES).expect("memory for a task's stack"))
    }
}

thread_local! {
    static IN_TASK: Cell<bool> = const { Cell::new(false) };
    static PANIC_AT: Cell<Option<String>> = const { Cell::new(None) };
}

/// Makes the coroutine of task `t`. It starts when first resumed.
pub(crate) fn body(t: TaskId, f: impl FnOnce() + 'static) -> Body {
    let stack = with(|e| e.coroutines.stack());
    Coroutine::with_stack(stack, move |yielder: &Yielder<(), ()>, ()| {
        with(|e| e.tasks[t.index()].yielder = yielder);
        if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
            if with(|e| e.aborting) {
                resume_unwind(payload);
            }
            report_panic(payload.as_ref());
        }
        with(super::engine::Engine::finish);
    })
}

/// Suspends the current task until it is chosen.
#[inline]
pub(crate) fn suspend() {
    let yielder = with(|e| e.tasks[e.current.index()].yielder);
    IN_TASK.set(false);
    // SAFETY: the pointer was stored by the coroutine of the current task from the yielder that corosensei lent to
    // its body; the yielder lives on that coroutine's stack for as long as the body runs, and this call is made
    // from inside the body. No other thread sees the pointer: the engine is thread-local.
    unsafe { (*yielder).suspend(()) };
    IN_TASK.set(true);
}

/// Runs task `t`, which must be suspended or newborn, until it suspends again or ends.
#[inline]
pub(crate) fn resume(t: TaskId) {
    let mut body = with(|e| {
        e.current = t;
        e.coroutines.bodies[t.index()].take().expect("a live task has a coroutine")
    });
    IN_TASK.set(true);
    let result = body.resume(());
    IN_TASK.set(false);
    with(|e| match result {
        CoroutineResult::Yield(()) => e.coroutines.bodies[t.index()] = Some(body),
        CoroutineResult::Return(()) => e.coroutines.pool.push(body.into_stack()),
    });
}

/// Unwinds every task that has not ended, in the order of their ids.
pub(crate) fn abort_all() {
    with(|e| e.aborting = true);
    let n = with(|e| e.coroutines.bodies.len());
    for i in 0..n {
        let Some(mut body) = with(|e| e.coroutines.bodies[i].take()) else { continue };
        with(|e| e.current = TaskId(i as u8));
        IN_TASK.set(true);
        body.force_unwind();
        IN_TASK.set(false);
        with(|e| {
            e.tasks[i].status = Status::Absent;
            e.coroutines.pool.push(body.into_stack());
        });
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
