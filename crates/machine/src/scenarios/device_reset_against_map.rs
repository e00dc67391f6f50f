// SPDX-License-Identifier: GPL-2.0-only
//! As `command_memory_against_map`, but the user resets the device with VFIO_DEVICE_RESET.

use super::importer_maps_while;
use crate::acts::the_user_resets_the_device;
use crate::invariants::reset_restores_access::access_is_restored;
use crate::scenario::{Expected, Scenario};

/// See the module's words.
pub(super) static SCENARIO: Scenario = Scenario {
    name: "device-reset-against-map",
    sentence: "The user calls VFIO_DEVICE_RESET while an attached importer maps, reads and unmaps.",
    results: &[
        ("v7_3", Expected::Holds { executions: 10 }),
        ("leon_v0", Expected::Breaks { invariants: &["no-access-to-dead-bar"], executions: 17 }),
    ],
    sometimes: &[
        "the importer maps",
        "the map is refused",
        "the device reads data",
        "the IOMMU refuses the read",
    ],
    run: |revision| {
        let (w, fd) = importer_maps_while(revision, |w| {
            the_user_resets_the_device(w).expect("nobody else takes the device lock");
        });

        access_is_restored(w, fd, "VFIO_DEVICE_RESET");
        w.close(true);
    },
};
