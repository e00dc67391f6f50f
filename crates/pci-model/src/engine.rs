// SPDX-License-Identifier: GPL-2.0-only
//! A device that acts: a DMA engine behind a register file. A task of its own; writing the doorbell makes it copy
//! words between addresses that go through its IOMMU, so that its accesses race with whatever takes the memory away.

use std::cell::{Cell as StdCell, RefCell};

use kernel_model::prelude::*;

use crate::dev::PciDev;
use crate::dma::{DmaRead, dma_read, dma_write};

/// Register: source address.
pub const REG_SRC: u64 = 0x00;
/// Register: destination address; all ones: the engine only reads.
pub const REG_DST: u64 = 0x08;
/// Register: bytes, a multiple of eight.
pub const REG_LEN: u64 = 0x10;
/// Register: writing 1 starts a copy, 0 stops the engine for good.
pub const REG_DOORBELL: u64 = 0x18;
/// Register, read-only: copies that are over.
pub const REG_DONE: u64 = 0x20;
/// Register, read-only: words that a fault or a dead target cost.
pub const REG_ERRORS: u64 = 0x28;

/// The destination of an engine that only reads.
pub const NOWHERE: u64 = u64::MAX;

/// An engine.
#[derive(Debug)]
pub struct DmaEngine {
    dev: Kptr<PciDev>,
    targets: RefCell<Vec<Kptr<PciDev>>>,
    src: StdCell<u64>,
    dst: StdCell<u64>,
    len: StdCell<u64>,
    rung: Completion,
    stopped: StdCell<bool>,
    done: Plain<u64>,
    errors: StdCell<u64>,
}

/// An engine in `dev` that can reach the memory of `targets`.
///
/// # Errors
/// `ENOMEM`.
pub fn engine_create(dev: Kptr<PciDev>, targets: &[Kptr<PciDev>]) -> KResult<Kptr<DmaEngine>> {
    kzalloc(DmaEngine {
        dev,
        targets: RefCell::new(targets.to_vec()),
        src: StdCell::new(0),
        dst: StdCell::new(NOWHERE),
        len: StdCell::new(0),
        rung: init_completion("doorbell"),
        stopped: StdCell::new(false),
        done: Plain::new("engine done", 0),
        errors: StdCell::new(0),
    })
}

/// Writes a register. One that does not exist, or is read-only, ignores it.
#[track_caller]
pub fn engine_write(engine: Kptr<DmaEngine>, reg: u64, value: u64) {
    match reg {
        REG_SRC => engine.src.set(value),
        REG_DST => engine.dst.set(value),
        REG_LEN => engine.len.set(value & !7),
        REG_DOORBELL => {
            engine.stopped.set(engine.stopped.get() || value == 0);
            complete(&engine.rung);
        }
        _ => {}
    }
}

/// Reads a register; one that does not exist reads as all ones.
#[track_caller]
pub fn engine_read(engine: Kptr<DmaEngine>, reg: u64) -> u64 {
    match reg {
        REG_SRC => engine.src.get(),
        REG_DST => engine.dst.get(),
        REG_LEN => engine.len.get(),
        REG_DOORBELL => 0,
        REG_DONE => READ_ONCE(&engine.done),
        REG_ERRORS => engine.errors.get(),
        _ => u64::MAX,
    }
}

/// The engine itself, to be run by a task: copies each time that the doorbell is rung, until it is told to stop.
#[track_caller]
pub fn engine_run(engine: Kptr<DmaEngine>) {
    loop {
        wait_for_completion(&engine.rung);
        if engine.stopped.get() {
            return;
        }
        let targets = engine.targets.borrow().clone();
        for at in (0..engine.len.get()).step_by(8) {
            let mut word = dma_read(engine.dev, engine.src.get().wrapping_add(at), &targets);
            if let DmaRead::Value(value) = word
                && engine.dst.get() != NOWHERE
            {
                word = dma_write(engine.dev, engine.dst.get().wrapping_add(at), value, &targets);
            }
            if !matches!(word, DmaRead::Value(_)) {
                engine.errors.set(engine.errors.get() + 1);
            }
        }
        WRITE_ONCE(&engine.done, engine.done.get() + 1);
    }
}

/// Frees an engine whose task has ended.
pub fn engine_destroy(engine: Kptr<DmaEngine>) {
    kfree(engine);
}
