// SPDX-License-Identifier: GPL-2.0-only
//! Copies from user memory: include/linux/uaccess.h, include/linux/string.h. Arguments arrive as bytes, as they do
//! in the kernel.

use std::rc::Rc;

use crate::errno::{EFAULT, KResult};

/// A user pointer: readable memory from here on, or none.
#[derive(Clone, Debug)]
pub struct UserPtr {
    memory: Rc<[u8]>,
    at: usize,
}

impl UserPtr {
    /// A pointer to readable memory.
    pub fn to(bytes: &[u8]) -> Self {
        UserPtr { memory: bytes.into(), at: 0 }
    }

    /// A pointer that faults.
    pub fn bad() -> Self {
        UserPtr { memory: Rc::new([]), at: 1 }
    }

    /// The pointer `n` bytes on.
    #[must_use]
    pub fn offset(&self, n: usize) -> Self {
        UserPtr { memory: Rc::clone(&self.memory), at: self.at.saturating_add(n) }
    }
}

/// Copies `N` bytes from user space.
///
/// # Errors
/// `EFAULT` when they are not all readable.
//= linux v7.3.4 include/linux/uaccess.h copy_from_user
pub fn copy_from_user<const N: usize>(from: &UserPtr) -> KResult<[u8; N]> {
    let bytes = from.memory.get(from.at..).and_then(|m| m.first_chunk::<N>());
    bytes.copied().ok_or(EFAULT)
}

/// Duplicates an array of `n` elements of `N` bytes from user space.
///
/// # Errors
/// `EFAULT` when it is not all readable.
//= linux v7.3.4 include/linux/string.h memdup_array_user
pub fn memdup_array_user<const N: usize>(src: &UserPtr, n: usize) -> KResult<Vec<[u8; N]>> {
    (0..n).map(|i| copy_from_user(&src.offset(i * N))).collect()
}

/// The 32-bit little-endian word at `at`.
pub fn get_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// The 64-bit little-endian word at `at`.
pub fn get_u64(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
