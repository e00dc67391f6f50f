// SPDX-License-Identifier: GPL-2.0-only
//! `struct pci_dev` and the devices of the world: include/linux/pci.h, drivers/pci/probe.c.

use std::cell::{Cell as StdCell, RefCell};

use kernel_model::prelude::*;

use crate::function::Function;
use crate::iommu::IommuDomain;
use crate::p2pdma::{PciP2pdma, Topology};
use crate::regs::*;

/// A resource: the address range of a BAR.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Resource {
    /// First address.
    pub start: u64,
    /// Length in bytes; 0 for a BAR that is not implemented.
    pub len: u64,
}

/// A PCI device as its driver sees it.
#[derive(Debug)]
pub struct PciDev {
    /// Domain, bus, device and function, e.g. `0000:01:00.0`.
    pub name: &'static str,
    /// The hardware.
    pub function: Function,
    /// The BARs.
    pub resource: [Resource; PCI_STD_NUM_BARS],
    /// Size of the config space in bytes.
    pub cfg_size: usize,
    /// The power state that the core believes in.
    pub current_state: Plain<u32>,
    /// The command register has no memory bit (virtual functions).
    pub no_command_memory: bool,
    /// A virtual function.
    pub is_virtfn: bool,
    /// BARs that the host must not map.
    pub non_mappable_bars: bool,
    /// Reset methods: PCIe FLR, AF FLR.
    pub flr: bool,
    /// See `flr`.
    pub af_flr: bool,
    /// `device_lock`.
    pub(crate) device_lock: Mutex,
    pub(crate) saved_config_space: StdCell<[u32; 16]>,
    pub(crate) saved_devctl: StdCell<u16>,
    pub(crate) p2pdma: RefCell<Option<PciP2pdma>>,
    /// Translation of what the device sends; `None`: addresses are physical.
    pub iommu: Option<IommuDomain>,
    /// Where the device sits, as peer-to-peer routing sees it.
    pub topology: Topology,
}

/// What a device of the world is like.
#[derive(Clone, Copy, Debug)]
pub struct FunctionSpec {
    /// Domain, bus, device and function.
    pub name: &'static str,
    /// 32-bit memory BARs from BAR 0 on: address and size.
    pub bars: &'static [(u32, u32)],
    /// The PCIe capability advertises a function level reset.
    pub flr: bool,
    /// There is an Advanced Features capability with a function level reset.
    pub af: bool,
    /// Whether the device's DMA goes through the IOMMU.
    pub iommu: bool,
    /// Where the device sits.
    pub topology: Topology,
}

/// Makes a device: what enumeration leaves to a driver. Memory space is disabled.
///
/// # Errors
/// `ENOMEM`.
pub fn pci_register_function(spec: &FunctionSpec) -> KResult<Kptr<PciDev>> {
    let mut resource = [Resource::default(); PCI_STD_NUM_BARS];
    for (r, (start, len)) in resource.iter_mut().zip(spec.bars) {
        *r = Resource { start: u64::from(*start), len: u64::from(*len) };
    }
    kzalloc(PciDev {
        name: spec.name,
        function: Function::new(spec.name, spec.bars, spec.flr, spec.af),
        resource,
        cfg_size: PCI_CFG_SPACE_SIZE,
        current_state: Plain::new("pdev->current_state", PCI_D0),
        no_command_memory: false,
        is_virtfn: false,
        non_mappable_bars: false,
        flr: spec.flr,
        af_flr: spec.af,
        device_lock: mutex_init("dev->mutex"),
        saved_config_space: StdCell::new([0; 16]),
        saved_devctl: StdCell::new(0),
        p2pdma: RefCell::new(None),
        iommu: spec.iommu.then(|| IommuDomain::new(spec.name)),
        topology: spec.topology,
    })
}

/// Removes a device from the world.
pub fn pci_remove_function(pdev: Kptr<PciDev>) {
    kfree(pdev);
}

/// Start of a BAR.
//= linux v7.3.4 include/linux/pci.h pci_resource_start
pub fn pci_resource_start(pdev: Kptr<PciDev>, bar: usize) -> u64 {
    pdev.resource[bar].start
}

/// Length of a BAR.
//= linux v7.3.4 include/linux/pci.h pci_resource_len
pub fn pci_resource_len(pdev: Kptr<PciDev>, bar: usize) -> u64 {
    pdev.resource[bar].len
}
