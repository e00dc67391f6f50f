// SPDX-License-Identifier: GPL-2.0-only
//! As `command_memory_against_map`, but the importer is mapped from the start and unmaps from its own task, some time
//! after it was told to: the contract allows it to read until then.

use explorer::spawn;
use importers::OnInvalidate;

use crate::acts::*;
use crate::scenario::{Expected, Scenario};
use crate::world::World;

/// See the module's words.
pub(super) static SCENARIO: Scenario = Scenario {
    name: "command-memory-against-late-unmap",
    sentence: "The user clears Memory Space Enable while a mapped importer reads and unmaps from its own task.",
    results: &[
        ("v7_3", Expected::Holds { executions: 3 }),
        ("leon_v0", Expected::Breaks { invariants: &["no-access-to-dead-bar"], executions: 3 }),
    ],
    sometimes: &["the importer maps", "the device reads data"],
    run: |revision| {
        let w = World::open(revision);
        let fd = the_user_exports_bar_0(w).expect("memory is enabled");
        let importer = w.importer(0, OnInvalidate::Defer);
        the_importer_attaches(importer, fd).expect("the buffer is not revoked");
        the_importer_maps(importer).expect("the buffer is not revoked");

        let user = spawn("user", move || the_user_clears_command_mem(w));
        let peer = spawn("importer", move || {
            the_importer_reads(importer);
            the_importer_unmaps(importer);
        });
        user.join();
        peer.join();

        w.close(true);
    },
};
