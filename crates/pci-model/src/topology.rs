// SPDX-License-Identifier: GPL-2.0-only
//! Buses: host bridges, root ports and switch ports, and the devices below them; virtual functions.
//!
//! A topology is a constant of the world. One that cannot be is refused when the world is built, with the reason.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use kernel_model::prelude::*;

use crate::dev::{PciDev, pci_setup_device};
use crate::p2pdma::Topology;
use crate::regs::*;
use crate::spec::{BarSpec, DeviceSpec, SpecError};

/// A host bridge and what hangs below it.
#[derive(Clone, Copy, Debug)]
pub struct HostSpec {
    /// Vendor ID of the first device on the root bus, by which the whitelist knows the bridge.
    pub vendor: u16,
    /// Its device ID.
    pub device: u16,
    /// What to add to a CPU address to get the address on the bus.
    pub bus_offset: u64,
    /// The CPU's vendor promises that its root complex routes between ports (AMD Zen).
    pub cpu_supports_p2pdma: bool,
    /// The root bus.
    pub bus: &'static [(u8, NodeSpec)],
}

/// A port or a device, at a device and function number (`device << 3 | function`) of its bus.
#[derive(Clone, Copy, Debug)]
pub enum NodeSpec {
    /// A root port or a port of a switch.
    Bridge {
        /// The ACS control register; `None`: no ACS capability.
        acs: Option<u16>,
        /// A hot-plug controller that can reset the slot below.
        slot: bool,
        /// The secondary bus.
        bus: &'static [(u8, NodeSpec)],
    },
    /// A device.
    Device(&'static DeviceSpec),
}

/// A host bridge.
///
/// In C: `pci_host_bridge`, include/linux/pci.h.
#[derive(Debug)]
pub struct PciHostBridge {
    pub(crate) id: u64,
    pub(crate) vendor: u16,
    pub(crate) device: u16,
    pub(crate) bus_offset: u64,
    pub(crate) cpu_supports_p2pdma: bool,
}

/// A bridge: a root port or a port of a switch.
#[derive(Debug)]
pub struct PciBridge {
    /// Its number in the order of enumeration, unique in the world.
    pub(crate) id: u64,
    /// The ACS control register, if there is one.
    pub acs_ctrl: Cell<Option<u16>>,
    /// The bus above.
    pub(crate) bus: Rc<PciBus>,
}

/// A bus.
///
/// In C: `pci_bus`, include/linux/pci.h.
#[derive(Debug)]
pub struct PciBus {
    /// The bridge above; `None`: a root bus.
    pub self_: Option<Rc<PciBridge>>,
    pub(crate) host: Rc<PciHostBridge>,
    /// The devices on the bus.
    pub devices: RefCell<Vec<Kptr<PciDev>>>,
}

/// The bridge above a device; `None` on a root bus or outside of a topology.
//= linux v7.3.4 include/linux/pci.h pci_upstream_bridge
pub fn pci_upstream_bridge(dev: Kptr<PciDev>) -> Option<Rc<PciBridge>> {
    dev.bus.borrow().as_ref()?.self_.clone()
}

/// Checks a topology: addresses on each bus, the devices, and that no two BARs overlap.
///
/// # Errors
/// The first rule that is broken, with what breaks it.
pub fn validate(hosts: &[HostSpec]) -> Result<(), SpecError> {
    let mut ranges = BTreeMap::new();
    hosts.iter().try_for_each(|host| validate_bus(host, host.bus, false, &mut ranges))
}

type Ranges = BTreeMap<u64, (u64, &'static str, usize)>;

fn validate_bus(
    host: &HostSpec,
    bus: &'static [(u8, NodeSpec)],
    point_to_point: bool,
    ranges: &mut Ranges,
) -> Result<(), SpecError> {
    for (i, (devfn, node)) in bus.iter().enumerate() {
        let (dev, func) = (devfn >> 3, devfn & 7);
        if bus[..i].iter().any(|(other, _)| other == devfn) {
            return Err(SpecError(format!("two devices at {dev:02x}.{func} of one bus")));
        }
        if !bus.iter().any(|(other, _)| *other == dev << 3) {
            return Err(SpecError(format!("device {dev:02x} has function {func} but no function 0")));
        }
        match node {
            NodeSpec::Bridge { bus: below, .. } => {
                // A link has one device at its end, unless it is a switch, whose ports are on an inner bus.
                let is_switch = below.iter().all(|(_, n)| matches!(n, NodeSpec::Bridge { .. }));
                validate_bus(host, below, !is_switch, ranges)?;
            }
            NodeSpec::Device(spec) => {
                if point_to_point && dev != 0 {
                    return Err(SpecError(format!(
                        "{}: device {dev:02x} below a port, a link ends at device 0",
                        spec.name
                    )));
                }
                spec.validate()?;
                validate_ranges(spec, host.bus_offset, ranges)?;
            }
        }
    }
    Ok(())
}

fn validate_ranges(spec: &'static DeviceSpec, bus_offset: u64, ranges: &mut Ranges) -> Result<(), SpecError> {
    for (n, bar) in spec.bars.iter().enumerate() {
        let Some((addr, size)) = bar.memory() else { continue };
        let bus = addr.wrapping_add(bus_offset);
        if matches!(bar, BarSpec::Mem32 { .. }) && bus.saturating_add(size) > 1 << 32 {
            let what = format!("{}: BAR {n} is 32 bits wide and at {bus:#x} on the bus", spec.name);
            return Err(SpecError(what));
        }
        let overlaps =
            ranges.range(..addr + size).next_back().filter(|(start, (len, ..))| *start + len > addr);
        if let Some((_, (_, name, other))) = overlaps {
            let what = format!("{}: BAR {n} at {addr:#x} overlaps BAR {other} of {name}", spec.name);
            return Err(SpecError(what));
        }
        ranges.insert(addr, (size, spec.name, n));
    }
    Ok(())
}

/// Builds a topology; gives the devices in the order of the specification.
///
/// # Errors
/// As for [`validate`], or that memory ran out.
pub fn pci_scan(hosts: &'static [HostSpec]) -> Result<Vec<Kptr<PciDev>>, SpecError> {
    validate(hosts)?;
    let mut found = Vec::new();
    let mut bridges = 0;
    for (id, spec) in hosts.iter().enumerate() {
        let host = Rc::new(PciHostBridge {
            id: id as u64,
            vendor: spec.vendor,
            device: spec.device,
            bus_offset: spec.bus_offset,
            cpu_supports_p2pdma: spec.cpu_supports_p2pdma,
        });
        let root = Rc::new(PciBus { self_: None, host, devices: RefCell::default() });
        scan_bus(&root, spec.bus, false, &mut bridges, &mut found)?;
    }
    // A reset that needs the topology is found now.
    found.iter().for_each(|dev| crate::reset::pci_init_reset_methods(*dev));
    Ok(found)
}

fn scan_bus(
    bus: &Rc<PciBus>,
    nodes: &'static [(u8, NodeSpec)],
    slot: bool,
    bridges: &mut u64,
    found: &mut Vec<Kptr<PciDev>>,
) -> Result<(), SpecError> {
    for (_, node) in nodes {
        match node {
            NodeSpec::Bridge { acs, slot, bus: below } => {
                *bridges += 1;
                let bridge = PciBridge { id: *bridges, acs_ctrl: Cell::new(*acs), bus: Rc::clone(bus) };
                let (self_, host) = (Some(Rc::new(bridge)), Rc::clone(&bus.host));
                let secondary = Rc::new(PciBus { self_, host, devices: RefCell::default() });
                scan_bus(&secondary, below, *slot, bridges, found)?;
            }
            NodeSpec::Device(spec) => {
                let dev = pci_setup_device(spec, spec.bars, Topology::HostBridge, bus.host.bus_offset, None)
                    .map_err(|e| SpecError(format!("{}: {e}", spec.name)))?;
                dev.slot.set(slot);
                *dev.bus.borrow_mut() = Some(Rc::clone(bus));
                bus.devices.borrow_mut().push(dev);
                found.push(dev);
            }
        }
    }
    Ok(())
}

/// Removes the devices of a topology from the world.
pub fn pci_remove_all(devs: &[Kptr<PciDev>]) {
    for dev in devs {
        if let Some(bus) = dev.bus.take() {
            bus.devices.borrow_mut().clear();
        }
        kfree(*dev);
    }
}

/// Turns on virtual functions, whose BARs lie at `bar` and follow each other: memory of all of them is decoded by the
/// physical function's VF memory bit, and their own command registers have none.
///
/// # Errors
/// `EBUSY` when there are some, `EINVAL` for a virtual function itself, `ENOMEM`.
//= linux v7.3.4 drivers/pci/iov.c pci_enable_sriov
#[track_caller]
pub fn pci_enable_sriov(
    pf: Kptr<PciDev>,
    names: &[&'static str],
    bar: (u64, u64),
) -> KResult<Vec<Kptr<PciDev>>> {
    if pf.is_virtfn {
        return Err(EINVAL);
    }
    if !pf.vfs.borrow().is_empty() {
        return Err(EBUSY);
    }
    let mut vfs = Vec::new();
    for (i, name) in names.iter().enumerate() {
        let spec =
            DeviceSpec { name, vendor: pf.vendor, device: pf.device, flr: true, ..DeviceSpec::ENDPOINT };
        let bars = [BarSpec::mem64(bar.0 + i as u64 * bar.1, bar.1), BarSpec::Upper];
        let offset = pf.bus.borrow().as_ref().map_or(0, |b| b.host.bus_offset);
        let vf = pci_setup_device(&spec, &bars, pf.topology, offset, Some(pf))?;
        vf.bus.borrow_mut().clone_from(&pf.bus.borrow());
        vfs.push(vf);
    }
    pf.function.set_vf_memory(true);
    pf.vfs.borrow_mut().clone_from(&vfs);
    Ok(vfs)
}

/// Turns the virtual functions off and removes them.
//= linux v7.3.4 drivers/pci/iov.c pci_disable_sriov
#[track_caller]
pub fn pci_disable_sriov(pf: Kptr<PciDev>) {
    pf.function.set_vf_memory(false);
    for vf in pf.vfs.take() {
        vf.bus.take();
        kfree(vf);
    }
}

/// Whether a bridge sends requests between its ports upwards.
//= linux v7.3.4 drivers/pci/p2pdma.c pci_bridge_has_acs_redir
pub(crate) fn pci_bridge_has_acs_redir(bridge: &PciBridge) -> bool {
    bridge.acs_ctrl.get().is_some_and(|ctrl| ctrl & (PCI_ACS_RR | PCI_ACS_CR | PCI_ACS_EC) != 0)
}
