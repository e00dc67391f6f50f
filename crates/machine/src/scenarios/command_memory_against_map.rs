// SPDX-License-Identifier: GPL-2.0-only
//! The user clears memory space in the command register while an attached importer maps and reads; then sets it
//! again, and a new importer must get in.

use explorer::spawn;
use importers::OnInvalidate;

use crate::acts::*;
use crate::invariants::reset_restores_access::access_is_restored;
use crate::scenario::{Expected, Scenario};
use crate::world::World;

/// See the module's words.
pub(super) static SCENARIO: Scenario = Scenario {
    name: "command-memory-against-map",
    sentence: "The user clears Memory Space Enable while an attached importer maps, reads and unmaps.",
    results: &[
        ("v7_3", Expected::Holds { executions: 4 }),
        ("leon_v0", Expected::Breaks { invariants: &["no-access-to-dead-bar"], executions: 5 }),
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

        let user = spawn("user", move || the_user_clears_command_mem(w));
        let peer = spawn("importer", move || the_importer_maps_reads_and_unmaps(importer));
        user.join();
        peer.join();

        the_user_sets_command_mem(w);
        access_is_restored(w, fd, "setting Memory Space Enable");
        w.close(true);
    },
};
