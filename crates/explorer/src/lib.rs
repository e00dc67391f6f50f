// SPDX-License-Identifier: MIT OR Apache-2.0
//! A controlled scheduler and exhaustive explorer for programs built on blocking primitives.
