// SPDX-License-Identifier: GPL-2.0-only
//! Atomic bits, counters and the clock: include/linux/bitops.h, include/linux/atomic.h, include/linux/timekeeping.h.

use explorer::sync::Cell;

use crate::world::with;

/// A word whose bits are set and cleared atomically.
#[derive(Debug)]
pub struct Flags(Cell<u64>);

impl Flags {
    /// A word with its C name and initial value.
    pub fn new(name: &'static str, value: u64) -> Self {
        Flags(Cell::new(name, value))
    }

    /// A plain write of the whole word, before anybody else knows it.
    #[track_caller]
    pub fn init(&self, value: u64) {
        self.0.set(value);
    }
}

/// Sets a bit; says whether it was set.
///
/// In C: `test_and_set_bit`, include/asm-generic/bitops/instrumented-atomic.h.
#[track_caller]
pub fn test_and_set_bit(nr: u32, flags: &Flags) -> bool {
    flags.0.fetch_update(|v| v | 1 << nr) & 1 << nr != 0
}

/// Clears a bit; says whether it was set.
///
/// In C: `test_and_clear_bit`, include/asm-generic/bitops/instrumented-atomic.h.
#[track_caller]
pub fn test_and_clear_bit(nr: u32, flags: &Flags) -> bool {
    flags.0.fetch_update(|v| v & !(1 << nr)) & 1 << nr != 0
}

/// Sets a bit.
///
/// In C: `set_bit`, include/asm-generic/bitops/instrumented-atomic.h.
#[track_caller]
pub fn set_bit(nr: u32, flags: &Flags) {
    test_and_set_bit(nr, flags);
}

/// Whether a bit is set. A marked read: it orders nothing.
///
/// In C: `test_bit`, include/asm-generic/bitops/instrumented-non-atomic.h.
#[track_caller]
pub fn test_bit(nr: u32, flags: &Flags) -> bool {
    flags.0.read_once() & 1 << nr != 0
}

/// Spins while a bit is not set; the task is not scheduled before it may be.
///
/// In C: a loop around `cpu_relax`.
#[track_caller]
pub fn cpu_relax_until_bit(nr: u32, flags: &Flags) {
    loop {
        let seen = flags.0.read_once();
        if seen & 1 << nr != 0 {
            return;
        }
        flags.0.wait_while(seen);
    }
}

/// A counter that is changed atomically.
///
/// In C: `atomic64_t`, include/linux/types.h.
#[derive(Debug)]
pub struct AtomicT(Cell<i64>);

impl AtomicT {
    /// A counter with its C name and initial value.
    pub fn new(name: &'static str, value: i64) -> Self {
        AtomicT(Cell::new(name, value))
    }
}

/// The counter's value, and what came before the change that made it.
///
/// In C: `atomic_read_acquire`, include/linux/atomic/atomic-instrumented.h.
#[track_caller]
pub fn atomic_read_acquire(v: &AtomicT) -> i64 {
    v.0.load()
}

/// Sets the counter.
///
/// In C: `atomic_set`, include/linux/atomic/atomic-instrumented.h.
#[track_caller]
pub fn atomic_set(v: &AtomicT, value: i64) {
    v.0.write_once(value);
}

/// Adds; gives the value before.
///
/// In C: `atomic_fetch_add`, include/linux/atomic/atomic-instrumented.h.
#[track_caller]
pub fn atomic_fetch_add(v: &AtomicT, n: i64) -> i64 {
    v.0.fetch_update(|old| old.wrapping_add(n))
}

/// Takes one off; says whether 0 is left.
///
/// In C: `atomic_dec_and_test`, include/linux/atomic/atomic-instrumented.h.
#[track_caller]
pub fn atomic_dec_and_test(v: &AtomicT) -> bool {
    v.0.fetch_update(|old| old.wrapping_sub(1)) == 1
}

/// Atomically replaces `old` by `new`; gives what was found.
///
/// In C: `cmpxchg`, include/linux/atomic/atomic-instrumented.h.
#[track_caller]
pub fn atomic_cmpxchg(v: &AtomicT, old: i64, new: i64) -> i64 {
    match v.0.compare_exchange(old, new) {
        Ok(found) | Err(found) => found,
    }
}

/// The modelled clock: it advances each time that it is read, and never else.
///
/// In C: `ktime_get`, kernel/time/timekeeping.c.
pub fn ktime_get() -> u64 {
    with(|k| {
        k.ktime += 1;
        k.ktime
    })
}
