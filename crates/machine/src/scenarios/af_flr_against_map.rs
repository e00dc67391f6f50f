// SPDX-License-Identifier: GPL-2.0-only
//! As `command_memory_against_map`, but the user resets the function through its Advanced Features capability.

use super::importer_maps_while;
use crate::acts::the_user_starts_an_af_flr;
use crate::invariants::reset_restores_access::access_is_restored;
use crate::scenario::{Expected, Scenario};

/// See the module's words.
pub(super) static SCENARIO: Scenario = Scenario {
    name: "af-flr-against-map",
    sentence: "The user starts an AF FLR, with memory enabled, while an attached importer maps, reads and unmaps.",
    results: &[
        ("v7_3", Expected::Holds { executions: 10 }),
        (
            "leon_v0",
            Expected::Breaks {
                invariants: &["no-access-to-dead-bar", "reset-restores-access"],
                executions: 8,
            },
        ),
    ],
    sometimes: &[
        "the importer maps",
        "the map is refused",
        "the device reads data",
        "the IOMMU refuses the read",
    ],
    run: |revision| {
        let (w, fd) = importer_maps_while(revision, the_user_starts_an_af_flr);

        access_is_restored(w, fd, "an AF FLR");
        w.close(true);
    },
};
