// SPDX-License-Identifier: GPL-2.0-only
//! The scenarios, one file each, in reading order.

mod af_flr_against_map;
mod close_against_map;
mod command_memory_against_late_unmap;
mod command_memory_against_map;
mod device_reset_against_map;
mod export_against_command_memory;
mod export_without_descriptor;
mod pcie_flr_against_map;
mod two_closes;

use crate::scenario::Scenario;

/// All scenarios.
pub static SCENARIOS: &[&Scenario] = &[
    &command_memory_against_map::SCENARIO,
    &pcie_flr_against_map::SCENARIO,
    &af_flr_against_map::SCENARIO,
    &device_reset_against_map::SCENARIO,
    &command_memory_against_late_unmap::SCENARIO,
    &export_against_command_memory::SCENARIO,
    &export_without_descriptor::SCENARIO,
    &close_against_map::SCENARIO,
    &two_closes::SCENARIO,
];

/// The scenario of that name.
pub fn find(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().copied().find(|s| s.name == name)
}
