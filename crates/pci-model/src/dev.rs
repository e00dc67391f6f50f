// SPDX-License-Identifier: GPL-2.0-only
//! `struct pci_dev` and the devices of the world: include/linux/pci.h, drivers/pci/probe.c.

use std::cell::{Cell as StdCell, RefCell};
use std::rc::Rc;

use kernel_model::prelude::*;

use crate::dma::DmaParams;
use crate::driver::PciDriver;
use crate::function::Function;
use crate::iommu::IommuDomain;
use crate::p2pdma::{PciP2pdma, Topology};
use crate::regs::*;
use crate::reset::PciResetFnMethod;
use crate::rpm::DevPmInfo;
use crate::spec::{BarSpec, DeviceSpec};
use crate::topology::PciBus;

/// A resource: the address range of a BAR.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Resource {
    /// First address.
    pub start: u64,
    /// Length in bytes; 0 for a BAR that is not implemented.
    pub len: u64,
    /// `IORESOURCE_*`; 0 for a BAR that is not implemented.
    pub flags: u32,
}

/// Resource flag: I/O ports.
pub const IORESOURCE_IO: u32 = 0x100;
/// Resource flag: memory.
pub const IORESOURCE_MEM: u32 = 0x200;
/// Resource flag: reads have no side effects.
pub const IORESOURCE_PREFETCH: u32 = 0x2000;
/// Resource flag: a 64-bit BAR.
pub const IORESOURCE_MEM_64: u32 = 0x10_0000;

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
    /// Vendor ID.
    pub vendor: u16,
    /// Device ID.
    pub device: u16,
    /// Its bus, if it was found by enumeration; see [`crate::topology`].
    pub(crate) bus: RefCell<Option<Rc<PciBus>>>,
    /// A slot with a hot-plug controller that can reset it.
    pub slot: StdCell<bool>,
    /// Offset of the PM capability, 0 if there is none.
    pub pm_cap: usize,
    /// The reset methods that were found, in the order in which they are tried.
    pub(crate) reset_methods: RefCell<Vec<&'static PciResetFnMethod>>,
    /// See [`crate::rpm`].
    pub power: DevPmInfo,
    /// See [`crate::driver`].
    pub(crate) driver: StdCell<Option<&'static PciDriver>>,
    /// `pci_dev_is_disconnected`: the core knows that the device is gone.
    pub(crate) disconnected: Plain<bool>,
    /// Claimed resources, one bit a BAR, and by whom.
    pub(crate) claimed: RefCell<[Option<&'static str>; PCI_STD_NUM_BARS]>,
    /// DMA limits of the device.
    pub dma: DmaParams,
    /// Virtual functions that are on.
    pub(crate) vfs: RefCell<Vec<Kptr<PciDev>>>,
    /// Of a virtual function.
    pub physfn: Option<Kptr<PciDev>>,
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
    let bars: Vec<_> = spec.bars.iter().map(|(addr, size)| BarSpec::mem32(*addr, *size)).collect();
    let FunctionSpec { name, flr, af, iommu, .. } = *spec;
    let spec_ = DeviceSpec { name, flr, af, iommu, ..DeviceSpec::ENDPOINT };
    pci_setup_device(&spec_, &bars, spec.topology, 0, None)
}

/// Makes a device of any kind, alone under a listed host bridge.
///
/// # Errors
/// `EINVAL` for a specification that cannot be (see [`DeviceSpec::validate`] for the reason), `ENOMEM`.
pub fn pci_register_device(spec: &DeviceSpec) -> KResult<Kptr<PciDev>> {
    spec.validate().map_err(|_| EINVAL)?;
    pci_setup_device(spec, spec.bars, Topology::HostBridge, 0, None)
}

/// Makes the device of a function that was found.
//= linux v7.3.4 drivers/pci/probe.c pci_setup_device
pub(crate) fn pci_setup_device(
    spec: &DeviceSpec,
    bars: &[BarSpec],
    topology: Topology,
    bus_offset: u64,
    physfn: Option<Kptr<PciDev>>,
) -> KResult<Kptr<PciDev>> {
    let mut resource = [Resource::default(); PCI_STD_NUM_BARS];
    for (r, bar) in resource.iter_mut().zip(bars) {
        *r = match *bar {
            BarSpec::Io { port, size } => {
                Resource { start: u64::from(port), len: u64::from(size), flags: IORESOURCE_IO }
            }
            bar => bar.memory().map_or(Resource::default(), |(start, len)| {
                let prefetch = match bar {
                    BarSpec::Mem32 { prefetch, .. } | BarSpec::Mem64 { prefetch, .. } => prefetch,
                    _ => false,
                };
                let more = if prefetch { IORESOURCE_PREFETCH } else { 0 };
                let wide = if matches!(bar, BarSpec::Mem64 { .. }) { IORESOURCE_MEM_64 } else { 0 };
                Resource { start, len, flags: IORESOURCE_MEM | more | wide }
            }),
        };
    }
    let function = Function::build(spec, bars, bus_offset, physfn.as_ref().map(|pf| &pf.function));
    let pm_cap = function.caps().pm;
    let dev = kzalloc(PciDev {
        name: spec.name,
        function,
        resource,
        cfg_size: PCI_CFG_SPACE_SIZE,
        current_state: Plain::new("pdev->current_state", PCI_D0),
        no_command_memory: physfn.is_some(),
        is_virtfn: physfn.is_some(),
        non_mappable_bars: crate::quirks::non_mappable_bars(spec.vendor, spec.device),
        flr: spec.flr,
        af_flr: spec.af,
        device_lock: mutex_init("dev->mutex"),
        saved_config_space: StdCell::new([0; 16]),
        saved_devctl: StdCell::new(0),
        p2pdma: RefCell::new(None),
        iommu: spec.iommu.then(|| IommuDomain::new(spec.name)),
        topology,
        vendor: spec.vendor,
        device: spec.device,
        bus: RefCell::new(None),
        slot: StdCell::new(false),
        pm_cap,
        reset_methods: RefCell::default(),
        power: DevPmInfo::new(),
        driver: StdCell::new(None),
        disconnected: Plain::new("pdev->error_state", false),
        claimed: RefCell::default(),
        dma: DmaParams::default(),
        vfs: RefCell::default(),
        physfn,
    })?;
    crate::reset::pci_init_reset_methods(dev);
    Ok(dev)
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

/// Flags of a BAR.
//= linux v7.3.4 include/linux/pci.h pci_resource_flags
pub fn pci_resource_flags(pdev: Kptr<PciDev>, bar: usize) -> u32 {
    pdev.resource[bar].flags
}
