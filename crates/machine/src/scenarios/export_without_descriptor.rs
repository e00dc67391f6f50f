// SPDX-License-Identifier: GPL-2.0-only
//! The user exports until no descriptor is left: the export that fails must leave nothing behind.

use kernel_model::prelude::EMFILE;

use crate::acts::*;
use crate::scenario::{Expected, Scenario, reach};
use crate::world::World;

/// See the module's words.
pub(super) static SCENARIO: Scenario = Scenario {
    name: "export-without-descriptor",
    sentence: "The user exports BAR 0 until no file descriptor is left.",
    results: &[
        ("v7_3", Expected::Holds { executions: 1 }),
        ("leon_v0", Expected::Breaks { invariants: &["references-balance"], executions: 1 }),
    ],
    sometimes: &["an export fails for want of a descriptor"],
    run: |revision| {
        let w = World::open(revision);
        while the_user_exports_bar_0(w) != Err(EMFILE) {}
        reach("an export fails for want of a descriptor");
        w.close(true);
    },
};
