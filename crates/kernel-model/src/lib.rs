// SPDX-License-Identifier: GPL-2.0-only
//! Kernel primitives with the kernel's names and semantics, on the explorer's scheduler, and the sanitizers.
//!
//! Two dialects meet here. What modelled code calls is written as in C: free functions with the C names
//! (`down_write(&sem)`, `kref_put(&kref, release)`), explicit lock and unlock, errno constants. What the rest of
//! the simulator calls ([`boot`], [`shutdown`], [`report()`]) is idiomatic Rust.
//!
//! Reading order: [`world`] (one kernel an execution), [`arena`] (its memory, and KASAN), [`plain`] (its fields),
//! then the primitives.
//!
//! **Architecture invariant:** nothing survives from one execution to the next; [`boot`] begins each with an empty
//! kernel.

pub mod arena;
pub mod bitfield;
pub mod bitops;
pub mod completion;
mod dep_map;
pub mod errno;
pub mod eventfd;
pub mod file;
pub mod irq_work;
pub mod kref;
pub mod list;
pub mod mutex;
pub mod plain;
pub mod preempt;
pub mod rcu;
pub mod refcount;
pub mod report;
pub mod rwsem;
pub mod sanitizer;
pub mod sched;
pub mod spinlock;
pub mod task;
pub mod uaccess;
pub mod wait;
pub mod workqueue;
pub mod world;
pub mod ww_mutex;
pub mod xarray;

pub use report::{Report, report};
pub use world::{boot, shutdown};

/// Everything that modelled code calls, under its C name.
pub mod prelude {
    pub use crate::arena::{Erased, Kptr, kfree, kstack, kstack_end, kzalloc};
    pub use crate::bitfield::{Bitfield, KArray, kcalloc};
    pub use crate::bitops::*;
    pub use crate::completion::*;
    pub use crate::errno::*;
    pub use crate::file::{
        Dentry, FMODE_PATH, File, FileOperations, O_CLOEXEC, alloc_file, close_fd, dget, dput, dup,
        fd_install, fget, fget_raw, fput, get_file_active, get_file_rcu, get_unused_fd_flags, open_path,
    };
    pub use crate::irq_work::irq_work_queue;
    pub use crate::kref::{Kref, kref_get, kref_get_unless_zero, kref_init, kref_put, kref_read};
    pub use crate::list::{
        INIT_LIST_HEAD, List, list_add, list_add_tail, list_del, list_del_init, list_empty,
    };
    pub use crate::mutex::*;
    pub use crate::plain::{Plain, READ_ONCE, Value, WRITE_ONCE};
    pub use crate::preempt::{in_atomic, irqs_disabled, might_sleep, preempt_disable, preempt_enable};
    pub use crate::rcu::*;
    pub use crate::refcount::*;
    pub use crate::report::{WARN_ON, WARN_ON_ONCE, pr_note};
    pub use crate::rwsem::*;
    pub use crate::sched::*;
    pub use crate::spinlock::*;
    pub use crate::uaccess::{UserPtr, copy_from_user, get_u32, get_u64, memdup_array_user};
    pub use crate::wait::{
        WaitQueueHead, finish_wait, init_waitqueue_head, prepare_to_wait, prepare_to_wait_event,
        prepare_to_wait_exclusive, waitqueue_active, wake_up, wake_up_all, wake_up_interruptible,
        wake_up_locked,
    };
    pub use crate::workqueue::{INIT_WORK, WorkStruct, cancel_work_sync, flush_work, queue_work};
    pub use crate::ww_mutex::*;
}
