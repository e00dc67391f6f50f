// SPDX-License-Identifier: GPL-2.0-only
//! The user closes the device while an attached importer maps, reads and unmaps: the last close disables and resets
//! the device, so that no mapping may be left by then.

use super::importer_maps_while;
use crate::acts::the_user_closes_the_device;
use crate::scenario::{Expected, Scenario};

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
        let (w, _) = importer_maps_while(revision, the_user_closes_the_device);

        w.close(false);
    },
};
