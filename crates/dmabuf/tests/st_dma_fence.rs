// SPDX-License-Identifier: GPL-2.0-only
//! The cases of drivers/dma-buf/st-dma-fence.c, by name: 12 of 12.
//!
//! Two differ in form. `test_wait_timeout`: the timer is a task, which may fire before, during and after the wait.
//! `test_race_signal_callback`: each thread makes one pass, and looks once for the other's fence instead of until it
//! sees it; looking again is one more interleaving of the same steps.

mod common;

use common::*;
use dmabuf::prelude::*;
use kernel_model::prelude::*;

fn mock_fence() -> Kptr<DmaFence> {
    mock_fence_on(0, 0)
}

#[derive(Debug)]
struct SimpleCb {
    cb: DmaFenceCb,
    seen: Plain<bool>,
}

fn simple_cb() -> Kptr<SimpleCb> {
    kstack(SimpleCb { cb: DmaFenceCb::default(), seen: Plain::new("cb->seen", false) })
}

fn simple_callback(_f: Kptr<DmaFence>, cb: Kptr<DmaFenceCb>) {
    WRITE_ONCE(&cb.container_of::<SimpleCb>().seen, true);
}

fn add(f: Kptr<DmaFence>, cb: Kptr<SimpleCb>) -> KResult {
    dma_fence_add_callback(f, cb.member(|c| &c.cb), simple_callback)
}

#[test]
fn test_sanitycheck() {
    check("sanitycheck", 1, || {
        let f = mock_fence();
        dma_fence_enable_signaling(f);
        dma_fence_signal(f);
        dma_fence_put(f);
    });
}

#[test]
fn test_signaling() {
    check("signaling", 1, || {
        let f = mock_fence();
        dma_fence_enable_signaling(f);
        assert!(!dma_fence_is_signaled(f), "signaled on creation");
        assert!(!dma_fence_check_and_signal(f), "reported as signaled before");
        assert!(dma_fence_is_signaled(f), "not reported as signaled");
        assert!(dma_fence_check_and_signal(f), "not reported as signaled before");
        assert!(dma_fence_test_signaled_flag(f));
        assert!(rcu_access_pointer(&f.ops).is_none(), "ops not cleared on signal");
        dma_fence_put(f);
    });
}

#[test]
fn test_add_callback() {
    check("add_callback", 1, || {
        let (f, cb) = (mock_fence(), simple_cb());
        assert_eq!(add(f, cb), Ok(()));
        dma_fence_signal(f);
        assert!(cb.seen.get(), "the callback did not run");
        dma_fence_put(f);
    });
}

#[test]
fn test_late_add_callback() {
    check("late_add_callback", 1, || {
        let (f, cb) = (mock_fence(), simple_cb());
        dma_fence_enable_signaling(f);
        dma_fence_signal(f);
        assert_eq!(add(f, cb), Err(ENOENT));
        dma_fence_signal(f);
        assert!(!cb.seen.get(), "the callback ran although it was not added");
        dma_fence_put(f);
    });
}

#[test]
fn test_rm_callback() {
    check("rm_callback", 1, || {
        let (f, cb) = (mock_fence(), simple_cb());
        assert_eq!(add(f, cb), Ok(()));
        assert!(dma_fence_remove_callback(f, cb.member(|c| &c.cb)));
        dma_fence_signal(f);
        assert!(!cb.seen.get(), "the callback ran after its removal");
        dma_fence_put(f);
    });
}

#[test]
fn test_late_rm_callback() {
    check("late_rm_callback", 1, || {
        let (f, cb) = (mock_fence(), simple_cb());
        assert_eq!(add(f, cb), Ok(()));
        dma_fence_signal(f);
        assert!(cb.seen.get(), "the callback did not run");
        assert!(!dma_fence_remove_callback(f, cb.member(|c| &c.cb)), "removed after it ran");
        dma_fence_put(f);
    });
}

#[test]
fn test_status() {
    check("status", 1, || {
        let f = mock_fence();
        dma_fence_enable_signaling(f);
        assert_eq!(dma_fence_get_status(f), 0);
        dma_fence_signal(f);
        assert_eq!(dma_fence_get_status(f), 1);
        dma_fence_put(f);
    });
}

#[test]
fn test_error() {
    check("error", 1, || {
        let f = mock_fence();
        dma_fence_enable_signaling(f);
        dma_fence_set_error(f, EIO);
        assert_eq!(dma_fence_get_status(f), 0, "an error before the signal");
        dma_fence_signal(f);
        assert_eq!(dma_fence_get_status(f), -5);
        dma_fence_put(f);
    });
}

#[test]
fn an_error_after_the_signal_warns() {
    fires("late error", "WARNING: dma_fence_set_error() on a signaled fence", || {
        let f = mock_fence();
        dma_fence_signal(f);
        dma_fence_set_error(f, EIO);
        dma_fence_put(f);
    });
}

#[test]
fn test_wait() {
    check("wait", 1, || {
        let f = mock_fence();
        dma_fence_enable_signaling(f);
        assert_eq!(dma_fence_wait_timeout(f, false, 0), Ok(0));
        dma_fence_signal(f);
        assert_eq!(dma_fence_wait_timeout(f, false, 0), Ok(1));
        dma_fence_put(f);
    });
}

#[test]
fn test_wait_timeout() {
    take_reached();
    check("wait_timeout", 6, || {
        let f = mock_fence();
        dma_fence_enable_signaling(f);
        assert_eq!(dma_fence_wait_timeout(f, false, 1), Ok(0), "nobody has signaled it");

        let timer = explorer::spawn("timer", move || dma_fence_signal(f));
        match dma_fence_wait_timeout(f, false, HZ) {
            Ok(0) => reach(0), // the timer did not fire in time
            Ok(1..) => reach(1),
            other => panic!("{other:?}"),
        }
        timer.join();
        dma_fence_signal(f);
        dma_fence_put(f);
    });
    assert_eq!(take_reached(), 0b11);
}

#[test]
fn test_stub() {
    check("stub", 1, || {
        let f: Vec<_> = (0..64).map(|_| dma_fence_get_stub()).collect();
        assert!(f.iter().all(|f| dma_fence_is_signaled(*f)), "a stub that is not signaled");
        f.into_iter().for_each(dma_fence_put);
    });
}

/// Where the two threads of the race find each other's fence.
struct Race {
    fences: [RcuPtr<Option<Kptr<DmaFence>>>; 2],
}

fn thread_signal_callback(race: Kptr<Race>, id: usize, before: bool) {
    let f1 = mock_fence();
    dma_fence_enable_signaling(f1);

    rcu_assign_pointer(&race.fences[id], Some(f1));

    rcu_read_lock();
    let f2 = dma_fence_get_rcu_safe(&race.fences[1 - id]);
    rcu_read_unlock();

    if before {
        dma_fence_signal(f1);
    }

    let cb = simple_cb();
    let added = f2.is_some_and(|f2| add(f2, cb).is_ok());
    reach(u32::from(added));

    if !before {
        dma_fence_signal(f1);
    }

    if let (Some(f2), true) = (f2, added) {
        dma_fence_wait(f2, false).expect("no signal comes");
        // Whoever signals runs the callbacks under the lock.
        dma_fence_lock_irqsave(f2);
        dma_fence_unlock_irqrestore(f2);
        assert!(READ_ONCE(&cb.seen), "the callback was not seen");
    }
    if let Some(f2) = f2 {
        dma_fence_put(f2);
    }

    rcu_assign_pointer(&race.fences[id], None);
    dma_fence_put(f1);
}

fn race_signal_callback(before: bool) {
    let slot = || RcuPtr::new("fences[]", None);
    let race = kstack(Race { fences: [slot(), slot()] });
    let thread = |id| {
        explorer::spawn(["dma-fence:0", "dma-fence:1"][id], move || {
            thread_signal_callback(race, id, before);
        })
    };
    let threads = [thread(0), thread(1)];
    threads.into_iter().for_each(explorer::JoinHandle::join);
}

#[test]
fn test_race_signal_callback() {
    for (before, executions) in [(false, 235), (true, 145)] {
        take_reached();
        check("race_signal_callback", executions, move || race_signal_callback(before));
        assert_eq!(take_reached(), 0b11, "both a hit and a miss");
    }
}

#[test]
fn a_wait_in_atomic_context_is_reported() {
    fires("wait under a spinlock", "BUG: sleeping function called from invalid context", || {
        let (f, lock) = (mock_fence(), kstack(spin_lock_init("lock")));
        dma_fence_signal(f);
        spin_lock(&lock);
        let waited = dma_fence_wait(f, false);
        spin_unlock(&lock);
        assert_eq!(waited, Ok(()));
        dma_fence_put(f);
    });
}

#[test]
fn a_release_with_a_callback_left_warns_and_runs_it() {
    fires("release with callbacks", "Fence mock:mock:0:0 released with pending signals!", || {
        let (f, cb) = (mock_fence(), simple_cb());
        assert_eq!(add(f, cb), Ok(()));
        dma_fence_put(f);
        assert!(cb.seen.get());
    });
}

#[test]
fn an_interruptible_wait_ends_with_a_signal_within_the_budget() {
    take_reached();
    check("interrupted wait", 8, || {
        let f = mock_fence();
        kernel_model::task::set_fault_budget(1);
        let signaler = explorer::spawn("signaler", move || dma_fence_signal(f));
        match dma_fence_wait(f, true) {
            Ok(()) => reach(0),
            Err(err) => {
                assert_eq!(err, ERESTARTSYS);
                reach(1);
            }
        }
        signaler.join();
        dma_fence_put(f);
    });
    assert_eq!(take_reached(), 0b11);
}

#[test]
fn a_wait_for_any_fence_ends_with_the_first() {
    check("wait any", 9, || {
        let f = [mock_fence(), mock_fence()];
        assert_eq!(dma_fence_wait_any_timeout(&f, false, 0), Ok((0, None)));
        let signaler = explorer::spawn("signaler", move || dma_fence_signal(f[1]));
        let waited = dma_fence_wait_any_timeout(&f, false, MAX_SCHEDULE_TIMEOUT);
        assert_eq!(waited.map(|w| w.1), Ok(Some(1)));
        signaler.join();
        dma_fence_signal(f[0]);
        f.into_iter().for_each(dma_fence_put);
    });
}
