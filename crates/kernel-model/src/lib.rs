// SPDX-License-Identifier: GPL-2.0-only
//! Kernel primitives with the kernel's names and semantics, on the explorer's scheduler, and the sanitizers.
//!
//! Two dialects meet here. What modelled code calls is written as in C: free functions with the C names
//! (`down_write(&sem)`, `kref_put(&kref, release)`), explicit lock and unlock, errno constants. What the rest of
//! the simulator calls ([`boot`], [`shutdown`], [`report`]) is idiomatic Rust.
//!
//! Reading order: [`world`] (one kernel an execution), [`arena`] (its memory, and KASAN), [`plain`] (its fields),
//! then the primitives.
//!
//! **Architecture invariant:** nothing survives from one execution to the next; [`boot`] begins each with an empty
//! kernel.

pub mod arena;
pub mod completion;
pub mod errno;
pub mod file;
pub mod kref;
pub mod list;
pub mod mutex;
pub mod plain;
pub mod refcount;
pub mod report;
pub mod rwsem;
pub mod task;
pub mod uaccess;
pub mod world;
pub mod ww_mutex;

pub use report::{Report, report};
pub use world::{boot, shutdown};

/// Everything that modelled code calls, under its C name.
pub mod prelude {
    pub use crate::arena::{Erased, Kptr, kfree, kzalloc};
    pub use crate::completion::{
        Completion, complete, init_completion, reinit_completion, wait_for_completion,
    };
    pub use crate::errno::*;
    pub use crate::file::{
        File, FileOperations, O_CLOEXEC, alloc_file, close_fd, fd_install, fget, fput, get_file_active,
        get_unused_fd_flags,
    };
    pub use crate::kref::{Kref, kref_get, kref_init, kref_put, kref_read};
    pub use crate::list::{
        INIT_LIST_HEAD, List, list_add, list_add_tail, list_del, list_del_init, list_empty,
    };
    pub use crate::mutex::{Mutex, mutex_init, mutex_lock, mutex_trylock, mutex_unlock};
    pub use crate::plain::{Plain, READ_ONCE, WRITE_ONCE};
    pub use crate::refcount::{
        RefcountT, refcount_dec_and_test, refcount_inc_not_zero, refcount_read, refcount_set,
    };
    pub use crate::report::{WARN_ON, WARN_ON_ONCE, pr_note};
    pub use crate::rwsem::{
        RwSemaphore, down_read, down_read_trylock, down_write, down_write_trylock, downgrade_write,
        init_rwsem, lockdep_assert_held_read, lockdep_assert_held_write, up_read, up_write,
    };
    pub use crate::uaccess::{UserPtr, copy_from_user, get_u32, get_u64, memdup_array_user};
    pub use crate::ww_mutex::{WwMutex, ww_mutex_init, ww_mutex_is_locked, ww_mutex_lock, ww_mutex_unlock};
}
