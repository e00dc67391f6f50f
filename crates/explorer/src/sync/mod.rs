// SPDX-License-Identifier: MIT OR Apache-2.0
//! Primitives. Each is a `Copy` handle on an object of the execution, a class (its table of operations) and a few
//! functions; a new one is written in the same way.
//!
//! Locks are taken and dropped explicitly: code under test often gets that wrong, which guards would hide.

mod cell;
mod channel;
mod completion;
mod mutex;
mod rwsem;
mod semaphore;
mod wait;
mod ww_mutex;

pub use cell::{Cell, Word};
pub use channel::{Channel, Closed, TryRecvError, TrySendError};
pub use completion::Completion;
pub use mutex::Mutex;
pub use rwsem::{Next, RwSem};
pub use semaphore::Semaphore;
pub use wait::{CondVar, WaitQueue};
pub use ww_mutex::{WwClass, WwContext, WwError, WwMutex, WwPolicy};

/// A wait was cut short by a signal (`-EINTR`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interrupted;

/// Does `wait`, unless a signal arrives first: a choice, under the execution's fault budget.
///
/// The signal may arrive even when there would be nothing to wait for, which a kernel's uncontended path would not
/// look for: a caller must be ready for it in any case.
#[track_caller]
fn interruptible<R>(wait: impl FnOnce() -> R) -> Result<R, Interrupted> {
    if crate::fault("signal") { Err(Interrupted) } else { Ok(wait()) }
}
