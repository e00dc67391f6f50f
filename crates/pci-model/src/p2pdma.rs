// SPDX-License-Identifier: GPL-2.0-only
//! Peer-to-peer DMA: drivers/pci/p2pdma.c, include/linux/pci-p2pdma.h.

use kernel_model::prelude::*;

use crate::dev::PciDev;
use crate::regs::PCI_STD_NUM_BARS;

/// Where a device sits: two devices under the same switch reach each other without the host bridge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Topology {
    /// Under a root port of a host bridge that is on the whitelist.
    HostBridge,
    /// Under the switch of that number, whose ports do not redirect (ACS off).
    Switch(u8),
    /// Under a root port of a host bridge that is not on the whitelist.
    UnlistedHostBridge,
}

/// How peer-to-peer traffic is routed.
///
/// In C: `pci_p2pdma_map_type`, include/linux/pci-p2pdma.h.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PciP2pdmaMapType {
    /// Not at all.
    NotSupported,
    /// By bus address, between ports of a switch.
    BusAddr,
    /// Through the host bridge, and its IOMMU.
    ThruHostBridge,
}

/// A provider of peer-to-peer memory: one BAR.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct P2pdmaProvider {
    /// The device whose BAR it is.
    pub owner: Kptr<PciDev>,
    /// What to add to a physical address to get the bus address.
    pub bus_offset: u64,
}

/// The providers of a device.
#[derive(Debug)]
pub struct PciP2pdma {
    mem: [Option<P2pdmaProvider>; PCI_STD_NUM_BARS],
}

/// Initialises the providers of a device.
///
/// # Errors
/// `EOPNOTSUPP` for a device whose BARs must not be mapped.
//= linux v7.3.4 drivers/pci/p2pdma.c pcim_p2pdma_init
pub fn pcim_p2pdma_init(pdev: Kptr<PciDev>) -> KResult {
    if pdev.non_mappable_bars {
        return Err(EOPNOTSUPP);
    }
    if pdev.p2pdma.borrow().is_some() {
        return Ok(());
    }
    let mem = std::array::from_fn(|i| {
        let implemented = pdev.resource[i].len != 0;
        implemented.then_some(P2pdmaProvider { owner: pdev, bus_offset: 0 })
    });
    *pdev.p2pdma.borrow_mut() = Some(PciP2pdma { mem });
    Ok(())
}

/// The provider of a BAR; `None` for one that has none.
//= linux v7.3.4 drivers/pci/p2pdma.c pcim_p2pdma_provider
#[track_caller]
pub fn pcim_p2pdma_provider(pdev: Kptr<PciDev>, bar: usize) -> Option<P2pdmaProvider> {
    if pdev.resource[bar].len == 0 || pdev.non_mappable_bars {
        return None;
    }
    let p2p = pdev.p2pdma.borrow();
    if WARN_ON(p2p.is_none(), "pcim_p2pdma_provider() without pcim_p2pdma_init()") {
        return None;
    }
    p2p.as_ref()?.mem[bar]
}

/// How `dev` reaches the provider's memory.
//= linux v7.3.4 drivers/pci/p2pdma.c pci_p2pdma_map_type
pub fn pci_p2pdma_map_type(provider: P2pdmaProvider, dev: Kptr<PciDev>) -> PciP2pdmaMapType {
    match (provider.owner.topology, dev.topology) {
        (Topology::Switch(a), Topology::Switch(b)) if a == b => PciP2pdmaMapType::BusAddr,
        (Topology::UnlistedHostBridge, _) | (_, Topology::UnlistedHostBridge) => {
            PciP2pdmaMapType::NotSupported
        }
        _ => PciP2pdmaMapType::ThruHostBridge,
    }
}

/// The bus address of a physical address of the provider.
//= linux v7.3.4 include/linux/pci-p2pdma.h pci_p2pdma_bus_addr_map
pub fn pci_p2pdma_bus_addr_map(provider: P2pdmaProvider, paddr: u64) -> u64 {
    paddr.wrapping_add(provider.bus_offset)
}
