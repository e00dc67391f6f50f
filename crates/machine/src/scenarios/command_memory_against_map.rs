// SPDX-License-Identifier: GPL-2.0-only
//! The user clears memory space in the command register while an attached importer maps and reads; then sets it
//! again, and a new importer must get in.

use super::importer_maps_while;
use crate::acts::{the_user_clears_command_mem, the_user_sets_command_mem};
use crate::invariants::reset_restores_access::access_is_restored;
use crate::scenario::{Expected, Scenario};

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
        let (w, fd) = importer_maps_while(revision, the_user_clears_command_mem);

        the_user_sets_command_mem(w);
        access_is_restored(w, fd, "setting Memory Space Enable");
        w.close(true);
    },
};
