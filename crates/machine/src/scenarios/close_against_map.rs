// SPDX-License-Identifier: GPL-2.0-only
//! The user closes the device while an attached importer maps, reads and unmaps: the last close disables and resets
//! the device, so that no mapping may be left by then.

use explorer::spawn;
use importers::OnInvalidate;

use crate::acts::*;
use crate::scenario::{Expected, Scenario};
use crate::world::World;

/// See the module's words.
pub(super) static SCENARIO: Scenario = Scenario {
    name: "close-against-map",
    sentence: "The user closes the device while an attached importer maps, reads and unmaps.",
    results: &[
        ("v7_3", Expected::Holds { executions: 4 }),
        ("leon_v0", Expected::Breaks { invariants: &["no-access-to-dead-bar"], executions: 12 }),
    ],
    sometimes: &[
        "the importer maps",
        "the map is refused",
        "the device reads data",
        "the IOMMU refuses the read",
    ],
    run: |revision| {
        let w = World::open(revision);
        let fd = the_user_exports_bar_0(w).expect("memory is enabled");
        let importer = w.importer(0, OnInvalidate::Unmap);
        the_importer_attaches(importer, fd).expect("the buffer is not revoked");

        let user = spawn("user", move || the_user_closes_the_device(w));
        let peer = spawn("importer", move || the_importer_maps_reads_and_unmaps(importer));
        user.join();
        peer.join();

        w.close(false);
    },
};
