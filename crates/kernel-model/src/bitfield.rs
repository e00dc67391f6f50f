// SPDX-License-Identifier: GPL-2.0-only
//! Bitfields that share a byte (`u8 a : 1; u8 b : 1;`), and arrays with a length that the compiler does not know.
//!
//! Writing one bit reads the byte and writes it back: a neighbour that is written meanwhile, under another lock, is
//! lost. The race detector sees one location, as KCSAN does.

use crate::arena::{Kptr, kzalloc};
use crate::errno::KResult;
use crate::plain::Plain;
use crate::report::{Report, Site, report};

/// A byte of bitfields. Bits are named by constants of the structure that has it.
#[derive(Debug)]
pub struct Bitfield(Plain<u8>);

impl Bitfield {
    /// All bits are 0.
    pub fn new(name: &'static str) -> Self {
        Bitfield(Plain::new(name, 0))
    }

    /// Reads a bit: a plain read of the byte.
    #[track_caller]
    pub fn get(&self, bit: u32) -> bool {
        self.0.get() & 1 << bit != 0
    }

    /// Writes a bit: a plain read and a plain write of the byte.
    #[track_caller]
    pub fn set(&self, bit: u32, value: bool) {
        let byte = self.0.get();
        self.0.set(byte & !(1 << bit) | u8::from(value) << bit);
    }
}

/// An array on the heap, whose bounds KASAN knows.
#[derive(Debug)]
pub struct KArray<T> {
    elements: Vec<T>,
}

/// Allocates an array of `n` elements.
///
/// # Errors
/// `ENOMEM`.
///
/// In C: `kcalloc`, include/linux/slab.h.
#[track_caller]
pub fn kcalloc<T: 'static>(n: usize, element: impl FnMut(usize) -> T) -> KResult<Kptr<KArray<T>>> {
    kzalloc(KArray { elements: (0..n).map(element).collect() })
}

impl<T> KArray<T> {
    /// The element at `i`; none, and a report, when the array has no such element.
    #[track_caller]
    pub fn at(&self, i: usize) -> Option<&T> {
        let element = self.elements.get(i);
        if element.is_none() {
            report(Report::OutOfBounds { index: i, len: self.elements.len(), at: Site::here() });
        }
        element
    }
}
