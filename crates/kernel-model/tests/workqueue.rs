// SPDX-License-Identifier: GPL-2.0-only
//! Work that is queued, flushed and cancelled.

mod common;

use common::*;
use kernel_model::prelude::*;

#[derive(Debug)]
struct Device {
    work: WorkStruct,
    runs: Plain<u32>,
}

fn count(work: Kptr<WorkStruct>) {
    let device = work.container_of::<Device>();
    device.runs.set(device.runs.get() + 1);
}

fn device() -> Kptr<Device> {
    kzalloc(Device { work: INIT_WORK("count", count), runs: Plain::new("device->runs", 0) }).expect("memory")
}

#[test]
fn flushed_work_has_run() {
    check("flush_work", 1, || {
        let device = device();
        let work = device.member(|d| &d.work);
        assert!(queue_work(work));
        flush_work(work);
        assert_eq!(device.runs.get(), 1);
        kfree(device);
    });
}

#[test]
fn work_that_is_pending_is_not_queued_again() {
    take_reached();
    check("queue twice", 3, || {
        let device = device();
        let work = device.member(|d| &d.work);
        queue_work(work);
        reach(u32::from(queue_work(work)));
        flush_work(work);
        reach(1 + device.runs.get());
        kfree(device);
    });
    assert_eq!(take_reached(), 0b1111, "one run or two, as the second queueing found it");
}

#[test]
fn cancelled_work_has_run_or_never_will() {
    take_reached();
    check("cancel_work_sync", 4, || {
        let device = device();
        let work = device.member(|d| &d.work);
        queue_work(work);
        let pending = cancel_work_sync(work);
        assert_eq!(device.runs.get(), u32::from(!pending));
        reach(u32::from(pending));
        kfree(device);
    });
    assert_eq!(take_reached(), 0b11);
}

#[test]
fn a_free_without_cancelling_is_a_use_after_free() {
    fires("no cancel", 3, "BUG: KASAN: slab-use-after-free", || {
        let device = device();
        queue_work(device.member(|d| &d.work));
        kfree(device);
    });
}

#[test]
fn work_that_flushes_under_a_lock_that_it_takes_is_a_deadlock() {
    fires("flush under lock", 2, "deadlock", || {
        let m = kstack(Locked { m: mutex_init("m"), work: INIT_WORK("locked", locked) });
        let work = m.member(|l| &l.work);
        queue_work(work);
        mutex_lock(&m.m);
        flush_work(work);
        mutex_unlock(&m.m);
    });
}

#[derive(Debug)]
struct Locked {
    m: Mutex,
    work: WorkStruct,
}

fn locked(work: Kptr<WorkStruct>) {
    let l = work.container_of::<Locked>();
    mutex_lock(&l.m);
    mutex_unlock(&l.m);
}
