// SPDX-License-Identifier: GPL-2.0-only
//! What the ports of the kernel's self-tests share. The kernel repeats a case many times and hopes to meet the
//! interleaving that matters; here each runs in all of its interleavings, so loops are short and chains are small.

use std::cell::Cell;

use dmabuf::prelude::*;
use explorer::{Config, Outcome, explore};
use kernel_model::prelude::*;
use kernel_model::{boot, shutdown};

thread_local! {
    static REACHED: Cell<u32> = const { Cell::new(0) };
}

/// Explores `body` in a kernel of its own, to the end.
pub(crate) fn explored(name: &str, body: impl Fn() + 'static) -> Outcome {
    let config = Config { report_data_races: false, ..Config::new(name) };
    let outcome = explore(&config, move || {
        boot();
        dma_fence_init_stub();
        body();
        shutdown();
    })
    .unwrap();
    assert!(outcome.exhausted, "{name} is not exhausted");
    outcome
}

/// The one check: `body` finds nothing wrong, in exactly this many executions.
#[track_caller]
pub(crate) fn check(name: &str, executions: u64, body: impl Fn() + 'static) {
    let outcome = explored(name, body);
    let wrong: Vec<_> = outcome.findings.iter().map(|f| format!("{}: {}", f.kind, f.message)).collect();
    assert!(wrong.is_empty(), "{name}: {wrong:#?}");
    assert_eq!(outcome.stats.executions, executions, "executions of {name}");
}

/// The reverse: `body` shows a finding with these words.
#[allow(dead_code, reason = "not every test file has a twin that fires")]
#[track_caller]
pub(crate) fn fires(name: &str, words: &str, body: impl Fn() + 'static) {
    let outcome = explored(name, body);
    let all: Vec<_> = outcome.findings.iter().map(|f| format!("{}: {}", f.kind, f.message)).collect();
    assert!(all.iter().any(|m| m.contains(words)), "{name}: no {words:?} in {all:#?}");
}

/// Notes that the `bit`th interesting thing has happened in some execution.
#[allow(dead_code, reason = "for tests whose outcome depends on the interleaving")]
pub(crate) fn reach(bit: u32) {
    REACHED.set(REACHED.get() | 1 << bit);
}

/// What has happened since the last call, one bit each.
#[allow(dead_code, reason = "see reach()")]
pub(crate) fn take_reached() -> u32 {
    REACHED.take()
}

fn mock_name(_f: Kptr<DmaFence>) -> &'static str {
    "mock"
}

/// Operations of a fence without operations.
pub(crate) static MOCK_OPS: DmaFenceOps = DmaFenceOps::named(mock_name);

/// A fence on a context of its own.
#[allow(dead_code, reason = "not every suite has such fences")]
pub(crate) fn mock_fence_on(context: u64, seqno: u64) -> Kptr<DmaFence> {
    let f = kzalloc(DmaFence::default()).expect("memory");
    dma_fence_init(f, &MOCK_OPS, None, context, seqno);
    f
}
