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

use explorer::spawn;
use importers::OnInvalidate;
use vfio_pci::Revision;

use crate::acts::*;
use crate::scenario::Scenario;
use crate::world::World;

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

/// An importer is attached; while a user does `act`, it maps, reads through its mapping and unmaps. Gives the world
/// and the buffer's descriptor when both have ended.
fn importer_maps_while(revision: &'static Revision, act: impl FnOnce(World) + 'static) -> (World, i32) {
    let w = World::open(revision);
    let fd = the_user_exports_bar_0(w).expect("memory is enabled");
    let importer = w.importer(0, OnInvalidate::Unmap);
    the_importer_attaches(importer, fd).expect("the buffer is not revoked");

    let user = spawn("user", move || act(w));
    let peer = spawn("importer", move || the_importer_maps_reads_and_unmaps(importer));
    user.join();
    peer.join();
    (w, fd)
}

/// The scenario of that name.
pub fn find(name: &str) -> Option<&'static Scenario> {
    SCENARIOS.iter().copied().find(|s| s.name == name)
}
