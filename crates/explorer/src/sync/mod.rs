// SPDX-License-Identifier: MIT OR Apache-2.0
//! Primitives. Each is a `Copy` handle on an object of the execution, a class (its table of operations) and a few
//! functions; a new one is written in the same way.
//!
//! Locks are taken and dropped explicitly: code under test often gets that wrong, which guards would hide.

mod cell;
mod completion;
mod mutex;
mod rwsem;

pub use cell::{Cell, Word};
pub use completion::Completion;
pub use mutex::Mutex;
pub use rwsem::RwSem;

/// Bits of the kinds of a class, for its `conflicts` and `irreversible`.
const fn kinds<const N: usize>(list: [u8; N]) -> u16 {
    let mut set = 0;
    let mut i = 0;
    while i < N {
        set |= 1 << list[i];
        i += 1;
    }
    set
}
