// SPDX-License-Identifier: GPL-2.0-only
//! One thread closes the buffer, another the device: either parts them, and every reference is dropped once.

use explorer::spawn;

use crate::acts::*;
use crate::scenario::{Expected, Scenario};
use crate::world::World;

/// See the module's words.
pub(super) static SCENARIO: Scenario = Scenario {
    name: "two-closes",
    sentence: "One thread closes the buffer while another closes the device.",
    results: &[("v7_3", Expected::Holds { executions: 13 }), ("leon_v0", Expected::Holds { executions: 13 })],
    sometimes: &[],
    run: |revision| {
        let w = World::open(revision);
        let fd = the_user_exports_bar_0(w).expect("memory is enabled");

        let buffer = spawn("buffer closer", move || the_user_closes(fd));
        let device = spawn("device closer", move || the_user_closes_the_device(w));
        buffer.join();
        device.join();

        w.close(false);
    },
};
