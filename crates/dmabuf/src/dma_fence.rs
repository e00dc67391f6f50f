// SPDX-License-Identifier: GPL-2.0-only
//! Fence mechanism for dma-buf: a fence is signaled once, may carry an error, runs callbacks and can be waited for.
//!
//! Transcribes: drivers/dma-buf/dma-fence.c and include/linux/dma-fence.h, linux v7.3.4. Left out: tracing, the lockdep
//! annotations of signalling sections, descriptions for debugfs.
//!
//! Lock order: the lock of a container before the locks of what it contains. Callbacks run under the fence's lock.

use std::cell::Cell as StdCell;
use std::fmt;

use kernel_model::prelude::*;
use kernel_model::world::module_static;

use crate::dma_fence_array::DMA_FENCE_ARRAY_OPS;
use crate::dma_fence_chain::DMA_FENCE_CHAIN_OPS;

/// A fence, often the first member of something larger.
///
/// In C: `dma_fence`, include/linux/dma-fence.h.
#[derive(Debug)]
pub struct DmaFence {
    extern_lock: StdCell<Option<Kptr<SpinlockT>>>,
    inline_lock: SpinlockT,
    /// The operations; gone once the fence is signaled, unless they include `release` or `wait`.
    pub ops: RcuPtr<Option<DmaFenceOpsPtr>>,
    /// Callbacks; the fence's lock protects the list.
    pub cb_list: List<DmaFenceCb>,
    timestamp: StdCell<u64>,
    /// The timeline.
    pub context: StdCell<u64>,
    /// The place on the timeline.
    pub seqno: StdCell<u64>,
    /// See the `DMA_FENCE_FLAG_*_BIT`s.
    pub flags: Flags,
    /// References.
    pub refcount: Kref,
    /// The error that the fence is signaled with, or 0; a container uses it otherwise before that.
    pub error: AtomicT,
}

/// `__dma_fence_init()` has run.
pub const DMA_FENCE_FLAG_INITIALIZED_BIT: u32 = 0;
/// The fence has a lock of its own.
pub const DMA_FENCE_FLAG_INLINE_LOCK_BIT: u32 = 1;
/// All 64 bits of the sequence number count.
pub const DMA_FENCE_FLAG_SEQNO64_BIT: u32 = 2;
/// The fence is signaled.
pub const DMA_FENCE_FLAG_SIGNALED_BIT: u32 = 3;
/// The time of the signal is known.
pub const DMA_FENCE_FLAG_TIMESTAMP_BIT: u32 = 4;
/// `enable_signaling` has been called.
pub const DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT: u32 = 5;
/// The first bit for others.
pub const DMA_FENCE_FLAG_USER_BITS: u32 = 6;

impl Default for DmaFence {
    fn default() -> Self {
        DmaFence {
            extern_lock: StdCell::new(None),
            inline_lock: spin_lock_init("fence->lock"),
            ops: RcuPtr::new("fence->ops", None),
            cb_list: INIT_LIST_HEAD("fence->cb_list"),
            timestamp: StdCell::new(0),
            context: StdCell::new(0),
            seqno: StdCell::new(0),
            flags: Flags::new("fence->flags", 0),
            refcount: Kref::zeroed("fence->refcount"),
            error: AtomicT::new("fence->error", 0),
        }
    }
}

/// A callback, member of something larger.
///
/// In C: `dma_fence_cb`, include/linux/dma-fence.h.
#[derive(Debug)]
pub struct DmaFenceCb {
    /// Whether `node` is linked; the lock of the fence that it was added to protects it.
    node: Plain<bool>,
    func: StdCell<Option<DmaFenceFunc>>,
}

impl Default for DmaFenceCb {
    fn default() -> Self {
        DmaFenceCb { node: Plain::new("cb->node", false), func: StdCell::new(None) }
    }
}

/// What a signaled fence calls, with its lock held.
///
/// In C: `dma_fence_func_t`, include/linux/dma-fence.h.
pub type DmaFenceFunc = fn(Kptr<DmaFence>, Kptr<DmaFenceCb>);

/// What a kind of fence does.
///
/// In C: `dma_fence_ops`, include/linux/dma-fence.h.
pub struct DmaFenceOps {
    /// The driver's name.
    pub get_driver_name: fn(Kptr<DmaFence>) -> &'static str,
    /// The timeline's name.
    pub get_timeline_name: fn(Kptr<DmaFence>) -> &'static str,
    /// Somebody waits: called at most once, with the lock held. `false`: the fence is signaled already.
    pub enable_signaling: Option<fn(Kptr<DmaFence>) -> bool>,
    /// Polls, with or without the lock.
    pub signaled: Option<fn(Kptr<DmaFence>) -> bool>,
    /// Waits in its own way; deprecated.
    pub wait: Option<fn(Kptr<DmaFence>, bool, i64) -> KResult<i64>>,
    /// The last reference is gone.
    pub release: Option<fn(Kptr<DmaFence>)>,
    /// Somebody would like the fence signaled by then.
    pub set_deadline: Option<fn(Kptr<DmaFence>, u64)>,
}

impl DmaFenceOps {
    /// Operations with names only; the others are added by struct update.
    pub const fn named(name: fn(Kptr<DmaFence>) -> &'static str) -> Self {
        DmaFenceOps {
            get_driver_name: name,
            get_timeline_name: name,
            enable_signaling: None,
            signaled: None,
            wait: None,
            release: None,
            set_deadline: None,
        }
    }
}

/// A pointer to operations.
#[derive(Clone, Copy)]
pub struct DmaFenceOpsPtr(pub &'static DmaFenceOps);

impl fmt::Debug for DmaFenceOpsPtr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ops")
    }
}

impl Value for DmaFenceOpsPtr {
    fn word(self) -> u64 {
        1
    }
}

/// The module's static data: the stub fence, and the next context.
#[derive(Debug)]
struct DmaFenceModule {
    dma_fence_stub: DmaFence,
    dma_fence_context_counter: AtomicT,
}

fn module() -> Kptr<DmaFenceModule> {
    module_static(|| DmaFenceModule {
        dma_fence_stub: DmaFence::default(),
        dma_fence_context_counter: AtomicT::new("dma_fence_context_counter", 1),
    })
}

//= linux v7.3.4 drivers/dma-buf/dma-fence.c dma_fence_stub_get_name
fn dma_fence_stub_get_name(_fence: Kptr<DmaFence>) -> &'static str {
    "stub"
}

/// In C: `dma_fence_stub_ops`, drivers/dma-buf/dma-fence.c.
static DMA_FENCE_STUB_OPS: DmaFenceOps = DmaFenceOps::named(dma_fence_stub_get_name);

/// Makes the stub fence and signals it: once, when the kernel has booted.
//= linux v7.3.4 drivers/dma-buf/dma-fence.c dma_fence_init_stub
pub fn dma_fence_init_stub() {
    let stub = module().member(|m| &m.dma_fence_stub);
    dma_fence_init(stub, &DMA_FENCE_STUB_OPS, None, 0, 0);
    set_bit(DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT, &stub.flags);
    dma_fence_signal(stub);
}

/// A reference to the fence that is always signaled.
//= linux v7.3.4 drivers/dma-buf/dma-fence.c dma_fence_get_stub
pub fn dma_fence_get_stub() -> Kptr<DmaFence> {
    dma_fence_get(module().member(|m| &m.dma_fence_stub))
}

/// A signaled fence of one's own.
///
/// # Errors
/// `ENOMEM`; the C returns NULL.
//= linux v7.3.4 drivers/dma-buf/dma-fence.c dma_fence_allocate_private_stub
pub fn dma_fence_allocate_private_stub(timestamp: u64) -> KResult<Kptr<DmaFence>> {
    let fence = kzalloc(DmaFence::default())?;

    dma_fence_init(fence, &DMA_FENCE_STUB_OPS, None, 0, 0);
    set_bit(DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT, &fence.flags);

    dma_fence_signal_timestamp(fence, timestamp);

    Ok(fence)
}

/// Allocates `num` contexts; gives the first.
//= linux v7.3.4 drivers/dma-buf/dma-fence.c dma_fence_context_alloc
pub fn dma_fence_context_alloc(num: u32) -> u64 {
    WARN_ON(num == 0, "!num");
    atomic_fetch_add(&module().dma_fence_context_counter, i64::from(num)) as u64
}

/// Signals the fence, at a time that the caller knows.
///
/// Context: the fence's lock is held.
//= linux v7.3.4 drivers/dma-buf/dma-fence.c dma_fence_signal_timestamp_locked
#[track_caller]
pub fn dma_fence_signal_timestamp_locked(fence: Kptr<DmaFence>, timestamp: u64) {
    dma_fence_assert_held(fence);

    if test_and_set_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &fence.flags) {
        return;
    }

    /* Without a release or wait operation the fence becomes independent of who issued it. */
    if let Some(ops) = rcu_dereference(&fence.ops)
        && ops.0.release.is_none()
        && ops.0.wait.is_none()
    {
        rcu_assign_pointer(&fence.ops, None);
    }

    /* Stash the cb_list: its place is the timestamp's from now on. */
    let mut cb_list = Vec::new();
    while let Some(cur) = fence.cb_list.first() {
        list_del(cur, &fence.cb_list);
        cb_list.push(cur);
    }

    fence.timestamp.set(timestamp);
    set_bit(DMA_FENCE_FLAG_TIMESTAMP_BIT, &fence.flags);

    for cur in cb_list {
        cur.node.set(false);
        if let Some(func) = cur.func.get() {
            func(fence, cur);
        }
    }
}

/// As [`dma_fence_signal_timestamp_locked`], for a caller without the lock.
//= linux v7.3.4 drivers/dma-buf/dma-fence.c dma_fence_signal_timestamp
#[track_caller]
pub fn dma_fence_signal_timestamp(fence: Kptr<DmaFence>, timestamp: u64) {
    dma_fence_lock_irqsave(fence);
    dma_fence_signal_timestamp_locked(fence, timestamp);
    dma_fence_unlock_irqrestore(fence);
}

/// Signals the fence now.
///
/// Context: the fence's lock is held.
//= linux v7.3.4 drivers/dma-buf/dma-fence.c dma_fence_signal_locked
#[track_caller]
pub fn dma_fence_signal_locked(fence: Kptr<DmaFence>) {
    dma_fence_signal_timestamp_locked(fence, ktime_get());
}

/// Signals the fence; says whether it was signaled already.
///
/// Context: the fence's lock is held.
//= linux v7.3.4 drivers/dma-buf/dma-fence.c dma_fence_check_and_signal_locked
#[track_caller]
pub fn dma_fence_check_and_signal_locked(fence: Kptr<DmaFence>) -> bool {
    let ret = dma_fence_test_signaled_flag(fence);
    dma_fence_signal_locked(fence);

    ret
}

/// Signals the fence; says whether it was signaled already.
//= linux v7.3.4 drivers/dma-buf/dma-fence.c dma_fence_check_and_signal
#[track_caller]
pub fn dma_fence_check_and_signal(fence: Kptr<DmaFence>) -> bool {
    dma_fence_lock_irqsave(fence);
    let ret = dma_fence_check_and_signal_locked(fence);
    dma_fence_unlock_irqrestore(fence);

    ret
}

/// Signals the fence: its callbacks run and whoever waits for it goes on. A second time changes nothing.
///
/// Context: any.
//= linux v7.3.4 drivers/dma-buf/dma-fence.c dma_fence_signal
#[track_caller]
pub fn dma_fence_signal(fence: Kptr<DmaFence>) {
    dma_fence_lock_irqsave(fence);
    dma_fence_signal_timestamp_locked(fence, ktime_get());
    dma_fence_unlock_irqrestore(fence);
}

/// Waits until the fence is signaled, for at most `timeout` ticks; gives those that are left, 0 when they ran out, and
/// 1 for a signaled fence and no time.
///
/// Context: process; may sleep.
///
/// # Errors
/// `EINVAL` for a negative timeout, `ERESTARTSYS` for a signal when `intr`.
//= linux v7.3.4 drivers/dma-buf/dma-fence.c dma_fence_wait_timeout
#[track_caller]
pub fn dma_fence_wait_timeout(fence: Kptr<DmaFence>, intr: bool, timeout: i64) -> KResult<i64> {
    if WARN_ON(timeout < 0, "timeout < 0") {
        return Err(EINVAL);
    }

    might_sleep();

    dma_fence_enable_signaling(fence);

    rcu_read_lock();
    let ops = rcu_dereference(&fence.ops);
    rcu_read_unlock();
    match ops.and_then(|ops| ops.0.wait) {
        Some(wait) => wait(fence, intr, timeout),
        None => dma_fence_default_wait(fence, intr, timeout),
    }
}

/// Called when the last reference is gone.
///
/// Context: any.
//= linux v7.3.4 drivers/dma-buf/dma-fence.c dma_fence_release
#[track_caller]
pub fn dma_fence_release(fence: Kptr<DmaFence>) {
    rcu_read_lock();
    if !list_empty(&fence.cb_list) && !dma_fence_test_signaled_flag(fence) {
        let driver = dma_fence_driver_name(fence);
        let timeline = dma_fence_timeline_name(fence);
        let (context, seqno) = (fence.context.get(), fence.seqno.get());
        let what = format!("Fence {driver}:{timeline}:{context:x}:{seqno:x} released with pending signals!");
        WARN_ON(true, &what);

        /* Callbacks must not dangle: they see that this signal is due to an error. */
        dma_fence_lock_irqsave(fence);
        atomic_set(&fence.error, -i64::from(EDEADLK.0));
        dma_fence_signal_locked(fence);
        dma_fence_unlock_irqrestore(fence);
    }

    match rcu_dereference(&fence.ops).and_then(|ops| ops.0.release) {
        Some(release) => release(fence),
        None => dma_fence_free(fence),
    }
    rcu_read_unlock();
}

/// Frees the fence, and what it is the first member of, after a grace period.
//= linux v7.3.4 drivers/dma-buf/dma-fence.c dma_fence_free
#[track_caller]
pub fn dma_fence_free(fence: Kptr<DmaFence>) {
    kfree_rcu(fence);
}

/// In C: `__dma_fence_enable_signaling`.
//= linux v7.3.4 drivers/dma-buf/dma-fence.c __dma_fence_enable_signaling
#[track_caller]
fn __dma_fence_enable_signaling(fence: Kptr<DmaFence>) -> bool {
    dma_fence_assert_held(fence);

    let was_set = test_and_set_bit(DMA_FENCE_FLAG_ENABLE_SIGNAL_BIT, &fence.flags);

    if dma_fence_test_signaled_flag(fence) {
        return false;
    }

    rcu_read_lock();
    let ops = rcu_dereference(&fence.ops);
    if !was_set
        && let Some(enable_signaling) = ops.and_then(|ops| ops.0.enable_signaling)
        && !enable_signaling(fence)
    {
        rcu_read_unlock();
        dma_fence_signal_locked(fence);
        return false;
    }
    rcu_read_unlock();

    true
}

/// Asks for the fence to be signaled as soon as it can be.
//= linux v7.3.4 drivers/dma-buf/dma-fence.c dma_fence_enable_signaling
#[track_caller]
pub fn dma_fence_enable_signaling(fence: Kptr<DmaFence>) {
    dma_fence_lock_irqsave(fence);
    __dma_fence_enable_signaling(fence);
    dma_fence_unlock_irqrestore(fence);
}

/// Adds a callback, which runs when the fence is signaled.
///
/// # Errors
/// `ENOENT` when the fence is signaled already; the callback does not run then.
//= linux v7.3.4 drivers/dma-buf/dma-fence.c dma_fence_add_callback
#[track_caller]
pub fn dma_fence_add_callback(fence: Kptr<DmaFence>, cb: Kptr<DmaFenceCb>, func: DmaFenceFunc) -> KResult {
    let mut ret = Ok(());

    if dma_fence_test_signaled_flag(fence) {
        cb.node.set(false);
        return Err(ENOENT);
    }

    dma_fence_lock_irqsave(fence);
    if __dma_fence_enable_signaling(fence) {
        cb.func.set(Some(func));
        cb.node.set(true);
        list_add_tail(cb, &fence.cb_list);
    } else {
        cb.node.set(false);
        ret = Err(ENOENT);
    }
    dma_fence_unlock_irqrestore(fence);

    ret
}

/// The state: 0 before the signal, 1 after it, or the error as a negative number.
//= linux v7.3.4 drivers/dma-buf/dma-fence.c dma_fence_get_status
#[track_caller]
pub fn dma_fence_get_status(fence: Kptr<DmaFence>) -> i64 {
    dma_fence_lock_irqsave(fence);
    let status = dma_fence_get_status_locked(fence);
    dma_fence_unlock_irqrestore(fence);

    status
}

/// Removes a callback; `false`: it has run, or runs.
//= linux v7.3.4 drivers/dma-buf/dma-fence.c dma_fence_remove_callback
#[track_caller]
pub fn dma_fence_remove_callback(fence: Kptr<DmaFence>, cb: Kptr<DmaFenceCb>) -> bool {
    dma_fence_lock_irqsave(fence);
    let ret = cb.node.get();
    if ret {
        cb.node.set(false);
        list_del_init(cb, &fence.cb_list);
    }
    dma_fence_unlock_irqrestore(fence);

    ret
}

/// In C: `default_wait_cb`, drivers/dma-buf/dma-fence.c.
#[derive(Debug)]
struct DefaultWaitCb {
    base: DmaFenceCb,
    task: TaskStruct,
}

//= linux v7.3.4 drivers/dma-buf/dma-fence.c dma_fence_default_wait_cb
fn dma_fence_default_wait_cb(_fence: Kptr<DmaFence>, cb: Kptr<DmaFenceCb>) {
    let wait = cb.container_of::<DefaultWaitCb>();

    wake_up_state(wait.task, TASK_NORMAL);
}

/// Waits until the fence is signaled, as [`dma_fence_wait_timeout`] says.
///
/// # Errors
/// `ERESTARTSYS` for a signal when `intr`.
//= linux v7.3.4 drivers/dma-buf/dma-fence.c dma_fence_default_wait
#[track_caller]
pub fn dma_fence_default_wait(fence: Kptr<DmaFence>, intr: bool, timeout: i64) -> KResult<i64> {
    let mut ret = Ok(if timeout != 0 { timeout } else { 1 });

    dma_fence_lock_irqsave(fence);

    'out: {
        if dma_fence_test_signaled_flag(fence) {
            break 'out;
        }

        if intr && signal_pending() {
            ret = Err(ERESTARTSYS);
            break 'out;
        }

        if timeout == 0 {
            ret = Ok(0);
            break 'out;
        }

        let cb = kstack(DefaultWaitCb { base: DmaFenceCb::default(), task: current() });
        let base = cb.member(|cb| &cb.base);
        cb.base.func.set(Some(dma_fence_default_wait_cb));
        cb.base.node.set(true);
        list_add(base, &fence.cb_list);

        while !dma_fence_test_signaled_flag(fence)
            && let Ok(left @ 1..) = ret
        {
            set_current_state(if intr { TASK_INTERRUPTIBLE } else { TASK_UNINTERRUPTIBLE });
            dma_fence_unlock_irqrestore(fence);

            if intr {
                signal_may_arrive();
            }
            ret = Ok(schedule_timeout(left));

            dma_fence_lock_irqsave(fence);
            if ret != Ok(0) && intr && signal_pending() {
                ret = Err(ERESTARTSYS);
            }
        }

        if cb.base.node.get() {
            list_del(base, &fence.cb_list);
        }
        set_current_state(TASK_RUNNING);
        kstack_end(cb);
    }
    dma_fence_unlock_irqrestore(fence);
    ret
}

//= linux v7.3.4 drivers/dma-buf/dma-fence.c dma_fence_test_signaled_any
#[track_caller]
fn dma_fence_test_signaled_any(fences: &[Kptr<DmaFence>]) -> Option<usize> {
    let mut i = 0;
    while i < fences.len() {
        if dma_fence_test_signaled_flag(fences[i]) {
            return Some(i);
        }
        i += 1;
    }
    None
}

/// Waits until any of the fences is signaled; gives the time left, as [`dma_fence_wait_timeout`], and which it was.
///
/// # Errors
/// `EINVAL` without a fence or with a negative timeout, `ENOMEM`, `ERESTARTSYS` for a signal when `intr`.
//= linux v7.3.4 drivers/dma-buf/dma-fence.c dma_fence_wait_any_timeout
#[track_caller]
pub fn dma_fence_wait_any_timeout(
    fences: &[Kptr<DmaFence>],
    intr: bool,
    timeout: i64,
) -> KResult<(i64, Option<usize>)> {
    let mut ret = Ok(timeout);
    let mut idx = None;

    if WARN_ON(fences.is_empty() || timeout < 0, "!fences || !count || timeout < 0") {
        return Err(EINVAL);
    }

    if timeout == 0 {
        let mut i = 0;
        while i < fences.len() {
            if dma_fence_is_signaled(fences[i]) {
                return Ok((1, Some(i)));
            }
            i += 1;
        }

        return Ok((0, None));
    }

    /* One allocation in C. */
    let mut cb = Vec::new();
    while cb.len() < fences.len() {
        match kzalloc(DefaultWaitCb { base: DmaFenceCb::default(), task: current() }) {
            Ok(one) => cb.push(one),
            Err(err) => {
                /* err_free_cb: */
                cb.into_iter().for_each(kfree);
                return Err(err);
            }
        }
    }

    let mut i = 0;
    'fence_rm_cb: {
        while i < fences.len() {
            let base = cb[i].member(|cb| &cb.base);
            if dma_fence_add_callback(fences[i], base, dma_fence_default_wait_cb).is_err() {
                /* This fence is already signaled */
                idx = Some(i);
                break 'fence_rm_cb;
            }
            i += 1;
        }

        while let Ok(left @ 1..) = ret {
            set_current_state(if intr { TASK_INTERRUPTIBLE } else { TASK_UNINTERRUPTIBLE });

            idx = dma_fence_test_signaled_any(fences);
            if idx.is_some() {
                break;
            }

            if intr {
                signal_may_arrive();
            }
            ret = Ok(schedule_timeout(left));

            if ret != Ok(0) && intr && signal_pending() {
                ret = Err(ERESTARTSYS);
            }
        }

        set_current_state(TASK_RUNNING);
    }
    /* fence_rm_cb: */
    while i > 0 {
        i -= 1;
        dma_fence_remove_callback(fences[i], cb[i].member(|cb| &cb.base));
    }

    /* err_free_cb: */
    cb.into_iter().for_each(kfree);

    ret.map(|left| (left, idx))
}

/// Tells whoever signals the fence when it is wanted.
//= linux v7.3.4 drivers/dma-buf/dma-fence.c dma_fence_set_deadline
#[track_caller]
pub fn dma_fence_set_deadline(fence: Kptr<DmaFence>, deadline: u64) {
    rcu_read_lock();
    let ops = rcu_dereference(&fence.ops);
    if let Some(set_deadline) = ops.and_then(|ops| ops.0.set_deadline)
        && !dma_fence_is_signaled(fence)
    {
        set_deadline(fence, deadline);
    }
    rcu_read_unlock();
}

//= linux v7.3.4 drivers/dma-buf/dma-fence.c __dma_fence_init
#[track_caller]
fn __dma_fence_init(
    fence: Kptr<DmaFence>,
    ops: &'static DmaFenceOps,
    lock: Option<Kptr<SpinlockT>>,
    context: u64,
    seqno: u64,
    mut flags: u64,
) {
    kref_init(&fence.refcount);
    rcu_assign_pointer(&fence.ops, Some(DmaFenceOpsPtr(ops)));
    fence.context.set(context);
    fence.seqno.set(seqno);
    flags |= 1 << DMA_FENCE_FLAG_INITIALIZED_BIT;
    if lock.is_some() {
        fence.extern_lock.set(lock);
    } else {
        flags |= 1 << DMA_FENCE_FLAG_INLINE_LOCK_BIT;
    }
    fence.flags.init(flags);
    atomic_set(&fence.error, 0);
}

/// Initialises a fence with one reference; `lock` may be shared with others.
//= linux v7.3.4 drivers/dma-buf/dma-fence.c dma_fence_init
#[track_caller]
pub fn dma_fence_init(
    fence: Kptr<DmaFence>,
    ops: &'static DmaFenceOps,
    lock: Option<Kptr<SpinlockT>>,
    context: u64,
    seqno: u64,
) {
    __dma_fence_init(fence, ops, lock, context, seqno, 0);
}

/// As [`dma_fence_init`], for sequence numbers of 64 bits.
//= linux v7.3.4 drivers/dma-buf/dma-fence.c dma_fence_init64
#[track_caller]
pub fn dma_fence_init64(
    fence: Kptr<DmaFence>,
    ops: &'static DmaFenceOps,
    lock: Option<Kptr<SpinlockT>>,
    context: u64,
    seqno: u64,
) {
    __dma_fence_init(fence, ops, lock, context, seqno, 1 << DMA_FENCE_FLAG_SEQNO64_BIT);
}

/// The driver's name, while the fence is not signaled.
//= linux v7.3.4 drivers/dma-buf/dma-fence.c dma_fence_driver_name
#[track_caller]
pub fn dma_fence_driver_name(fence: Kptr<DmaFence>) -> &'static str {
    match rcu_dereference(&fence.ops) {
        Some(ops) if !dma_fence_test_signaled_flag(fence) => (ops.0.get_driver_name)(fence),
        _ => "detached-driver",
    }
}

/// The timeline's name, while the fence is not signaled.
//= linux v7.3.4 drivers/dma-buf/dma-fence.c dma_fence_timeline_name
#[track_caller]
pub fn dma_fence_timeline_name(fence: Kptr<DmaFence>) -> &'static str {
    match rcu_dereference(&fence.ops) {
        Some(ops) if !dma_fence_test_signaled_flag(fence) => (ops.0.get_timeline_name)(fence),
        _ => "signaled-timeline",
    }
}

/* include/linux/dma-fence.h */

/// Drops a reference.
//= linux v7.3.4 include/linux/dma-fence.h dma_fence_put
#[track_caller]
pub fn dma_fence_put(fence: Kptr<DmaFence>) {
    kref_put(&fence.refcount, || dma_fence_release(fence));
}

/// Takes a reference.
//= linux v7.3.4 include/linux/dma-fence.h dma_fence_get
#[track_caller]
pub fn dma_fence_get(fence: Kptr<DmaFence>) -> Kptr<DmaFence> {
    kref_get(&fence.refcount);
    fence
}

/// Takes a reference unless the last is gone.
///
/// Context: inside of a read section.
//= linux v7.3.4 include/linux/dma-fence.h dma_fence_get_rcu
#[track_caller]
pub fn dma_fence_get_rcu(fence: Kptr<DmaFence>) -> Option<Kptr<DmaFence>> {
    kref_get_unless_zero(&fence.refcount).then_some(fence)
}

/// A reference to the fence that `fencep` leads to, if to any.
///
/// Context: inside of a read section.
//= linux v7.3.4 include/linux/dma-fence.h dma_fence_get_rcu_safe
#[track_caller]
pub fn dma_fence_get_rcu_safe(fencep: &RcuPtr<Option<Kptr<DmaFence>>>) -> Option<Kptr<DmaFence>> {
    loop {
        let fence = rcu_dereference(fencep)?;

        if dma_fence_get_rcu(fence).is_none() {
            continue;
        }

        /* The memory may be another fence's by now: then the pointer has changed. */
        if rcu_dereference(fencep) == Some(fence) {
            return Some(fence);
        }

        dma_fence_put(fence);
    }
}

//= linux v7.3.4 include/linux/dma-fence.h dma_fence_spinlock
fn dma_fence_spinlock(fence: &Kptr<DmaFence>) -> Kptr<SpinlockT> {
    match fence.extern_lock.get() {
        Some(lock) => lock,
        None => fence.member(|f| &f.inline_lock),
    }
}

/// Takes the fence's lock, interrupts off.
///
/// In C: `dma_fence_lock_irqsave`, include/linux/dma-fence.h.
#[track_caller]
pub fn dma_fence_lock_irqsave(fence: Kptr<DmaFence>) {
    spin_lock_irqsave(&dma_fence_spinlock(&fence));
}

/// Releases the fence's lock.
///
/// In C: `dma_fence_unlock_irqrestore`, include/linux/dma-fence.h.
#[track_caller]
pub fn dma_fence_unlock_irqrestore(fence: Kptr<DmaFence>) {
    spin_unlock_irqrestore(&dma_fence_spinlock(&fence));
}

/// Warns unless the current task holds the fence's lock.
///
/// In C: `dma_fence_assert_held`, include/linux/dma-fence.h.
#[track_caller]
pub fn dma_fence_assert_held(fence: Kptr<DmaFence>) {
    lockdep_assert_held(&dma_fence_spinlock(&fence));
}

/// Whether the fence is known to be signaled; does not ask the driver.
//= linux v7.3.4 include/linux/dma-fence.h dma_fence_test_signaled_flag
#[track_caller]
pub fn dma_fence_test_signaled_flag(fence: Kptr<DmaFence>) -> bool {
    test_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &fence.flags)
}

/// As [`dma_fence_is_signaled`], for a caller that holds the lock.
//= linux v7.3.4 include/linux/dma-fence.h dma_fence_is_signaled_locked
#[track_caller]
pub fn dma_fence_is_signaled_locked(fence: Kptr<DmaFence>) -> bool {
    if dma_fence_test_signaled_flag(fence) {
        return true;
    }

    rcu_read_lock();
    let signaled = rcu_dereference(&fence.ops).and_then(|ops| ops.0.signaled);
    if signaled.is_some_and(|signaled| signaled(fence)) {
        rcu_read_unlock();
        dma_fence_signal_locked(fence);
        return true;
    }
    rcu_read_unlock();

    false
}

/// Whether the fence is signaled; asks the driver, and signals it if the driver says so.
//= linux v7.3.4 include/linux/dma-fence.h dma_fence_is_signaled
#[track_caller]
pub fn dma_fence_is_signaled(fence: Kptr<DmaFence>) -> bool {
    if dma_fence_test_signaled_flag(fence) {
        return true;
    }

    rcu_read_lock();
    let signaled = rcu_dereference(&fence.ops).and_then(|ops| ops.0.signaled);
    if signaled.is_some_and(|signaled| signaled(fence)) {
        rcu_read_unlock();
        dma_fence_signal(fence);
        return true;
    }
    rcu_read_unlock();

    false
}

//= linux v7.3.4 include/linux/dma-fence.h __dma_fence_is_later
#[track_caller]
pub(crate) fn __dma_fence_is_later(fence: Kptr<DmaFence>, f1: u64, f2: u64) -> bool {
    /* Drivers may handle no more than 32 bits. */
    if test_bit(DMA_FENCE_FLAG_SEQNO64_BIT, &fence.flags) {
        return f1 > f2;
    }

    (f1 as u32).wrapping_sub(f2 as u32) as i32 > 0
}

/// Whether `f1` is later than `f2`, of the same context.
//= linux v7.3.4 include/linux/dma-fence.h dma_fence_is_later
#[track_caller]
pub fn dma_fence_is_later(f1: Kptr<DmaFence>, f2: Kptr<DmaFence>) -> bool {
    if WARN_ON(f1.context != f2.context, "f1->context != f2->context") {
        return false;
    }

    __dma_fence_is_later(f1, f1.seqno.get(), f2.seqno.get())
}

/// Whether `f1` is `f2` or later than it.
//= linux v7.3.4 include/linux/dma-fence.h dma_fence_is_later_or_same
#[track_caller]
pub fn dma_fence_is_later_or_same(f1: Kptr<DmaFence>, f2: Kptr<DmaFence>) -> bool {
    f1 == f2 || dma_fence_is_later(f1, f2)
}

/// The later of two fences of one context, unless it is signaled.
//= linux v7.3.4 include/linux/dma-fence.h dma_fence_later
#[track_caller]
pub fn dma_fence_later(f1: Kptr<DmaFence>, f2: Kptr<DmaFence>) -> Option<Kptr<DmaFence>> {
    if WARN_ON(f1.context != f2.context, "f1->context != f2->context") {
        return None;
    }

    let later = if dma_fence_is_later(f1, f2) { f1 } else { f2 };
    (!dma_fence_is_signaled(later)).then_some(later)
}

/// As [`dma_fence_get_status`], for a caller that holds the lock.
//= linux v7.3.4 include/linux/dma-fence.h dma_fence_get_status_locked
#[track_caller]
pub fn dma_fence_get_status_locked(fence: Kptr<DmaFence>) -> i64 {
    if !dma_fence_is_signaled_locked(fence) {
        return 0;
    }
    match atomic_read_acquire(&fence.error) {
        0 => 1,
        error => error,
    }
}

/// Sets the error that the fence will be signaled with.
//= linux v7.3.4 include/linux/dma-fence.h dma_fence_set_error
#[track_caller]
pub fn dma_fence_set_error(fence: Kptr<DmaFence>, error: Errno) {
    WARN_ON(dma_fence_test_signaled_flag(fence), "dma_fence_set_error() on a signaled fence");
    WARN_ON(error.0 <= 0 || error.0 > 4095, "error >= 0 || error < -MAX_ERRNO");

    atomic_set(&fence.error, -i64::from(error.0));
}

/// When the fence was signaled.
//= linux v7.3.4 include/linux/dma-fence.h dma_fence_timestamp
#[track_caller]
pub fn dma_fence_timestamp(fence: Kptr<DmaFence>) -> u64 {
    if WARN_ON(!dma_fence_test_signaled_flag(fence), "the fence is not signaled") {
        return ktime_get();
    }

    while !test_bit(DMA_FENCE_FLAG_TIMESTAMP_BIT, &fence.flags) {
        cpu_relax_until_bit(DMA_FENCE_FLAG_TIMESTAMP_BIT, &fence.flags);
    }

    fence.timestamp.get()
}

/// Waits until the fence is signaled.
///
/// # Errors
/// `ERESTARTSYS` for a signal when `intr`.
//= linux v7.3.4 include/linux/dma-fence.h dma_fence_wait
#[track_caller]
pub fn dma_fence_wait(fence: Kptr<DmaFence>, intr: bool) -> KResult {
    dma_fence_wait_timeout(fence, intr, MAX_SCHEDULE_TIMEOUT).map(|_| ())
}

/// Whether the fence is an array.
//= linux v7.3.4 include/linux/dma-fence.h dma_fence_is_array
#[track_caller]
pub fn dma_fence_is_array(fence: Kptr<DmaFence>) -> bool {
    rcu_access_pointer(&fence.ops).is_some_and(|ops| std::ptr::eq(ops.0, &raw const DMA_FENCE_ARRAY_OPS))
}

/// Whether the fence is a chain.
//= linux v7.3.4 include/linux/dma-fence.h dma_fence_is_chain
#[track_caller]
pub fn dma_fence_is_chain(fence: Kptr<DmaFence>) -> bool {
    rcu_access_pointer(&fence.ops).is_some_and(|ops| std::ptr::eq(ops.0, &raw const DMA_FENCE_CHAIN_OPS))
}

/// Whether the fence contains others.
//= linux v7.3.4 include/linux/dma-fence.h dma_fence_is_container
#[track_caller]
pub fn dma_fence_is_container(fence: Kptr<DmaFence>) -> bool {
    dma_fence_is_array(fence) || dma_fence_is_chain(fence)
}
