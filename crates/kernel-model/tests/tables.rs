// SPDX-License-Identifier: GPL-2.0-only
//! Tables of pointers and counters of events.

mod common;

use common::*;
use kernel_model::eventfd::*;
use kernel_model::prelude::*;
use kernel_model::task::syscall;
use kernel_model::xarray::*;

#[test]
fn an_xarray_stores_allocates_and_erases() {
    check("xarray", 1, || {
        let xa = kstack(xa_init::<u32>("xa"));
        let (a, b) = (kzalloc(1).expect("memory"), kzalloc(2).expect("memory"));
        assert_eq!((xa_load(&xa, 5), xa_store(&xa, 5, a)), (None, Ok(None)));
        assert_eq!((xa_insert(&xa, 5, b), xa_load(&xa, 5)), (Err(EBUSY), Some(a)));
        assert_eq!((xa_alloc(&xa, b, 5, 6), xa_alloc(&xa, b, 5, 6)), (Ok(6), Err(EBUSY)));
        assert_eq!(xa_find(&xa, 6), Some((6, b)));
        assert_eq!((xa_erase(&xa, 5), xa_erase(&xa, 5), xa_erase(&xa, 6)), (Some(a), None, Some(b)));
        assert!(xa_empty(&xa));
        kfree(a);
        kfree(b);
    });
}

/// A task looks an entry up while another erases and frees it.
fn lookup_against_free(free: fn(Kptr<Plain<u32>>)) -> impl Fn() + 'static {
    move || {
        let xa = kstack(xa_init("xa"));
        xa_store(&xa, 0, kzalloc(Plain::new("entry", 7)).expect("memory")).expect("memory");
        let reader = explorer::spawn("reader", move || {
            rcu_read_lock();
            if let Some(entry) = xa_load(&xa, 0) {
                assert_eq!(READ_ONCE(&entry), 7);
            }
            rcu_read_unlock();
        });
        free(xa_erase(&xa, 0).expect("stored above"));
        reader.join();
    }
}

#[test]
fn an_entry_may_be_freed_after_a_grace_period_only() {
    check("kfree_rcu", 3, lookup_against_free(|entry| kfree_rcu(entry)));
    fires("kfree", 3, "BUG: KASAN: slab-use-after-free", lookup_against_free(|entry| kfree(entry)));
}

#[test]
fn an_eventfd_loses_no_event() {
    check("eventfd", 4, || {
        let fd = do_eventfd(0, O_CLOEXEC).expect("memory");
        let ctx = eventfd_ctx_fdget(fd).expect("an eventfd");
        assert_eq!(eventfd_read(ctx, true), Err(EAGAIN));
        let driver = explorer::spawn("driver", move || eventfd_signal(ctx));
        assert_eq!(eventfd_read(ctx, false), Ok(1));
        driver.join();
        eventfd_ctx_put(ctx);
        syscall("close", || close_fd(fd));
    });
}

#[test]
fn an_eventfd_that_nobody_signals_hangs_its_reader() {
    fires("no event", 1, "waits to schedule", || {
        let fd = do_eventfd(0, 0).expect("memory");
        let ctx = eventfd_ctx_fdget(fd).expect("an eventfd");
        let _ = eventfd_read(ctx, false);
    });
}

#[test]
fn a_counter_outlives_its_descriptor() {
    check("close before put", 1, || {
        let fd = do_eventfd(3, 0).expect("memory");
        let ctx = eventfd_ctx_fdget(fd).expect("an eventfd");
        syscall("close", || close_fd(fd));
        assert_eq!(eventfd_ctx_fdget(fd).err(), Some(EBADF));
        assert_eq!(eventfd_read(ctx, true), Ok(3));
        eventfd_ctx_put(ctx);
    });
}
