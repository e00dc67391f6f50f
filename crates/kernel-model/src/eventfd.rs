// SPDX-License-Identifier: GPL-2.0-only
//! eventfd: fs/eventfd.c, include/linux/eventfd.h. A counter behind a descriptor; drivers signal it, users read it.

use crate::arena::{Kptr, kfree, kzalloc};
use crate::errno::{EAGAIN, EBADF, EINVAL, KResult};
use crate::file::{File, FileOperations, alloc_file, fd_install, fget, fput, get_unused_fd_flags};
use crate::kref::{Kref, kref_get, kref_init, kref_put};
use crate::plain::Plain;
use crate::sched::{TASK_INTERRUPTIBLE, schedule};
use crate::spinlock::{spin_lock_irq, spin_lock_irqsave, spin_unlock_irq, spin_unlock_irqrestore};
use crate::wait::{
    WaitQueueHead, finish_wait, init_waitqueue_head, prepare_to_wait_event, waitqueue_active, wake_up,
    wake_up_locked,
};

/// An event counter.
///
/// In C: `eventfd_ctx`, fs/eventfd.c.
#[derive(Debug)]
pub struct EventfdCtx {
    kref: Kref,
    wqh: WaitQueueHead,
    /// Events that nobody has read; the lock of the queue protects it.
    count: Plain<u64>,
}

/// In C: `eventfd_fops`, fs/eventfd.c.
static EVENTFD_FOPS: FileOperations = FileOperations { release: eventfd_release, d_release: |_| {} };

//= linux v7.3.4 fs/eventfd.c eventfd_free
fn eventfd_free(ctx: Kptr<EventfdCtx>) {
    kfree(ctx);
}

/// Drops a reference.
//= linux v7.3.4 fs/eventfd.c eventfd_ctx_put
#[track_caller]
pub fn eventfd_ctx_put(ctx: Kptr<EventfdCtx>) {
    kref_put(&ctx.kref, || eventfd_free(ctx));
}

//= linux v7.3.4 fs/eventfd.c eventfd_release
fn eventfd_release(file: Kptr<File>) {
    if let Some(ctx) = file.private_data::<Kptr<EventfdCtx>>() {
        wake_up(&ctx.wqh);
        eventfd_ctx_put(ctx);
    }
}

/// Adds an event and wakes who waits for one.
///
/// Context: any.
//= linux v7.3.4 fs/eventfd.c eventfd_signal_mask
#[track_caller]
pub fn eventfd_signal(ctx: Kptr<EventfdCtx>) {
    spin_lock_irqsave(&ctx.wqh.lock);
    if ctx.count.get() < u64::MAX {
        ctx.count.set(ctx.count.get() + 1);
    }
    if waitqueue_active(&ctx.wqh) {
        wake_up_locked(&ctx.wqh);
    }
    spin_unlock_irqrestore(&ctx.wqh.lock);
}

/// Takes all events, as `read(2)` does; waits for one unless `nonblock`.
///
/// Context: process; may sleep.
///
/// # Errors
/// `EAGAIN` when there is none and `nonblock`, `ERESTARTSYS` for a signal.
//= linux v7.3.4 fs/eventfd.c eventfd_read
#[track_caller]
pub fn eventfd_read(ctx: Kptr<EventfdCtx>, nonblock: bool) -> KResult<u64> {
    spin_lock_irq(&ctx.wqh.lock);
    while ctx.count.get() == 0 {
        spin_unlock_irq(&ctx.wqh.lock);
        if nonblock {
            return Err(EAGAIN);
        }
        prepare_to_wait_event(&ctx.wqh, TASK_INTERRUPTIBLE)?;
        spin_lock_irq(&ctx.wqh.lock);
        let none = ctx.count.get() == 0;
        spin_unlock_irq(&ctx.wqh.lock);
        if none {
            schedule();
        }
        finish_wait(&ctx.wqh);
        spin_lock_irq(&ctx.wqh.lock);
    }
    let ucnt = ctx.count.get();
    ctx.count.set(0);
    if waitqueue_active(&ctx.wqh) {
        wake_up_locked(&ctx.wqh);
    }
    spin_unlock_irq(&ctx.wqh.lock);

    Ok(ucnt)
}

/// The counter behind a file, with a reference.
///
/// # Errors
/// `EINVAL` for a file of something else.
//= linux v7.3.4 fs/eventfd.c eventfd_ctx_fileget
#[track_caller]
pub fn eventfd_ctx_fileget(file: Kptr<File>) -> KResult<Kptr<EventfdCtx>> {
    if !std::ptr::eq(file.f_op(), &raw const EVENTFD_FOPS) {
        return Err(EINVAL);
    }

    let ctx = file.private_data::<Kptr<EventfdCtx>>().ok_or(EINVAL)?;
    kref_get(&ctx.kref);
    Ok(ctx)
}

/// The counter behind a descriptor, with a reference.
///
/// # Errors
/// `EBADF`, or `EINVAL` for a descriptor of something else.
//= linux v7.3.4 fs/eventfd.c eventfd_ctx_fdget
#[track_caller]
pub fn eventfd_ctx_fdget(fd: i32) -> KResult<Kptr<EventfdCtx>> {
    let file = fget(fd).ok_or(EBADF)?;
    let ctx = eventfd_ctx_fileget(file);
    fput(file);
    ctx
}

/// A new counter under a descriptor: `eventfd(2)`.
///
/// # Errors
/// `ENOMEM`, `EMFILE`.
//= linux v7.3.4 fs/eventfd.c do_eventfd
#[track_caller]
pub fn do_eventfd(count: u64, flags: u32) -> KResult<i32> {
    let ctx = kzalloc(EventfdCtx {
        kref: Kref::zeroed("ctx->kref"),
        wqh: init_waitqueue_head("ctx->wqh"),
        count: Plain::new("ctx->count", count),
    })?;
    kref_init(&ctx.kref);

    let file = match alloc_file(&EVENTFD_FOPS) {
        Ok(file) => file,
        Err(err) => {
            kfree(ctx);
            return Err(err);
        }
    };
    file.set_private_data(ctx);

    match get_unused_fd_flags(flags) {
        Ok(fd) => {
            fd_install(fd, file);
            Ok(fd)
        }
        Err(err) => {
            fput(file);
            Err(err)
        }
    }
}
