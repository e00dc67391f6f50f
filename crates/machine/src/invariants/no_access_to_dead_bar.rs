// SPDX-License-Identifier: GPL-2.0-only
//! No device access reaches a BAR that does not decode.

use super::Invariant;

/// See the module's words.
pub(super) static INVARIANT: Invariant = Invariant {
    name: "no-access-to-dead-bar",
    statement: "No device access reaches a BAR that does not decode.",
    why: "Such an access ends in an Unsupported Request: on many machines a fatal error that takes the host down.",
    rule: "dma_buf_invalidate_mappings(): a caller that stops access waits for fences and for unmap.",
    checked: "at each device access, by the hardware",
    broken_by: "leon_v0, command-memory-against-map",
};
