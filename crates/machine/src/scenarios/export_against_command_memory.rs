// SPDX-License-Identifier: GPL-2.0-only
//! One thread exports the BAR, attaches an importer and maps, while another clears memory space: whether the new
//! buffer is revoked must agree with whether the BAR decodes.

use explorer::spawn;
use importers::OnInvalidate;

use crate::acts::*;
use crate::scenario::{Expected, Scenario, reach};
use crate::world::World;

/// See the module's words.
pub(super) static SCENARIO: Scenario = Scenario {
    name: "export-against-command-memory",
    sentence: "One thread exports BAR 0 and has it imported and read while another clears Memory Space Enable.",
    results: &[
        ("v7_3", Expected::Holds { executions: 16 }),
        ("leon_v0", Expected::Breaks { invariants: &["no-access-to-dead-bar"], executions: 20 }),
    ],
    sometimes: &["the importer maps", "the map is refused", "the attach is refused"],
    run: |revision| {
        let w = World::open(revision);
        let importer = w.importer(0, OnInvalidate::Unmap);

        let user = spawn("user", move || the_user_clears_command_mem(w));
        let exporter = spawn("exporter", move || {
            let fd = the_user_exports_bar_0(w).expect("descriptors are free");
            if the_importer_attaches(importer, fd).is_ok() {
                the_importer_maps_reads_and_unmaps(importer);
            } else {
                reach("the attach is refused");
            }
        });
        user.join();
        exporter.join();

        w.close(true);
    },
};
