// SPDX-License-Identifier: GPL-2.0-only
//! Peer-to-peer DMA: drivers/pci/p2pdma.c, include/linux/pci-p2pdma.h.

use std::collections::BTreeMap;

use kernel_model::prelude::*;

use crate::dev::{IORESOURCE_MEM, PciDev, pci_resource_flags};
use crate::regs::PCI_STD_NUM_BARS;
use crate::topology::pci_bridge_has_acs_redir;

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
    /// By client.
    map_types: BTreeMap<u64, PciP2pdmaMapType>,
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
        let memory = pci_resource_flags(pdev, i) & IORESOURCE_MEM != 0;
        let bus_offset = pdev.bus.borrow().as_ref().map_or(0, |bus| bus.host.bus_offset);
        memory.then_some(P2pdmaProvider { owner: pdev, bus_offset })
    });
    *pdev.p2pdma.borrow_mut() = Some(PciP2pdma { mem, map_types: BTreeMap::new() });
    Ok(())
}

/// The provider of a BAR; `None` for one that has none.
//= linux v7.3.4 drivers/pci/p2pdma.c pcim_p2pdma_provider
#[track_caller]
pub fn pcim_p2pdma_provider(pdev: Kptr<PciDev>, bar: usize) -> Option<P2pdmaProvider> {
    if pci_resource_flags(pdev, bar) & IORESOURCE_MEM == 0 || pdev.non_mappable_bars {
        return None;
    }
    let p2p = pdev.p2pdma.borrow();
    if WARN_ON(p2p.is_none(), "pcim_p2pdma_provider() without pcim_p2pdma_init()") {
        return None;
    }
    p2p.as_ref()?.mem[bar]
}

/// A device or bridge on the way to the host bridge.
struct Hop {
    id: u64,
    acs_redir: bool,
}

/// What the whitelist is asked about.
struct Host {
    id: u64,
    vendor: u16,
    device: u16,
    cpu_supports_p2pdma: bool,
}

const REQ_SAME_HOST_BRIDGE: bool = true;

/// Host bridges that are known to route between their ports, or to each other: vendor, device, and whether only within
/// one bridge. Some of the C's table `pci_p2pdma_whitelist`, drivers/pci/p2pdma.c.
pub static PCI_P2PDMA_WHITELIST: &[(u16, u16, bool)] = &[
    (0x8086, 0x3c00, REQ_SAME_HOST_BRIDGE),
    (0x8086, 0x3c01, REQ_SAME_HOST_BRIDGE),
    (0x8086, 0x2f00, REQ_SAME_HOST_BRIDGE),
    (0x8086, 0x2030, false),
    (0x8086, 0x2031, false),
    (0x8086, 0x2020, false),
    (0x8086, 0x09a2, false),
];

/// IDs of bridges begin here, so that they differ from those of devices.
const BRIDGES: u64 = 1 << 48;

/// The way from a device up to its host bridge, the device itself first.
fn path(dev: Kptr<PciDev>) -> (Vec<Hop>, Host) {
    let serial = dev.serial();
    let mut hops = vec![Hop { id: serial, acs_redir: false }];
    let listed = Host { id: 0, vendor: 0x8086, device: 0x2030, cpu_supports_p2pdma: false };
    let bus = dev.bus.borrow();
    let Some(bus) = bus.as_ref() else {
        // Outside of a topology: the short form of a specification.
        let port = |id| Hop { id: BRIDGES << 1 | id, acs_redir: false };
        hops.push(port(1 << 32 | serial));
        return match dev.topology {
            Topology::HostBridge => (hops, listed),
            Topology::UnlistedHostBridge => (hops, Host { vendor: 0, device: 0, ..listed }),
            Topology::Switch(n) => {
                hops.push(port(2 << 32 | u64::from(n)));
                (hops, listed)
            }
        };
    };
    let mut up = bus.self_.clone();
    while let Some(bridge) = up {
        hops.push(Hop { id: BRIDGES | bridge.id, acs_redir: pci_bridge_has_acs_redir(&bridge) });
        up = bridge.bus.self_.clone();
    }
    let host = &bus.host;
    let (vendor, device, cpu_supports_p2pdma) = (host.vendor, host.device, host.cpu_supports_p2pdma);
    (hops, Host { id: host.id, vendor, device, cpu_supports_p2pdma })
}

//= linux v7.3.4 drivers/pci/p2pdma.c __host_bridge_whitelist
fn __host_bridge_whitelist(host: &Host, same_host_bridge: bool) -> bool {
    for (vendor, device, req_same_host_bridge) in PCI_P2PDMA_WHITELIST {
        if host.vendor != *vendor || host.device != *device {
            continue;
        }
        return !req_same_host_bridge || same_host_bridge;
    }
    false
}

//= linux v7.3.4 drivers/pci/p2pdma.c host_bridge_whitelist
fn host_bridge_whitelist(a: &Host, b: &Host) -> bool {
    if a.id == b.id {
        return __host_bridge_whitelist(a, true);
    }
    __host_bridge_whitelist(a, false) && __host_bridge_whitelist(b, false)
}

/// The type of mapping, and the distance in hops. Redirection by ACS is looked for on the provider's side from the
/// device up to the common bridge, then on the client's.
//= linux v7.3.4 drivers/pci/p2pdma.c calc_map_type_and_dist
fn calc_map_type_and_dist(provider: Kptr<PciDev>, client: Kptr<PciDev>) -> (PciP2pdmaMapType, i32) {
    let (a_path, a_host) = path(provider);
    let (b_path, b_host) = path(client);
    let mut acs_cnt = 0;
    let mut dist_b = 0;
    let mut map_type = PciP2pdmaMapType::ThruHostBridge;

    'map_through_host_bridge: {
        for (dist_a, a) in a_path.iter().enumerate() {
            if a.acs_redir {
                acs_cnt += 1;
            }
            dist_b = b_path.len();
            let Some(common) = b_path.iter().position(|bb| bb.id == a.id) else { continue };

            // check_b_path_acs:
            for bb in &b_path[..common] {
                if bb.acs_redir {
                    acs_cnt += 1;
                }
            }
            dist_b = dist_a + common;
            if acs_cnt == 0 {
                map_type = PciP2pdmaMapType::BusAddr;
                break 'map_through_host_bridge;
            }
            break;
        }
        let found = a_path.iter().any(|a| b_path.iter().any(|b| b.id == a.id));
        if !found {
            dist_b += a_path.len();
        }
        if !a_host.cpu_supports_p2pdma && !host_bridge_whitelist(&a_host, &b_host) {
            map_type = PciP2pdmaMapType::NotSupported;
        }
    }
    if let Some(p2pdma) = provider.p2pdma.borrow_mut().as_mut() {
        p2pdma.map_types.insert(client.serial(), map_type);
    }
    (map_type, dist_b as i32)
}

/// Whether a switch takes what `client` sends to the provider before it reaches the host bridge: hardware's view now.
pub(crate) fn shares_switch(provider: Kptr<PciDev>, client: Kptr<PciDev>) -> bool {
    let (a, _) = path(provider);
    let (b, _) = path(client);
    let Some(at) = a.iter().position(|x| b.iter().any(|y| y.id == x.id)) else { return false };
    let common = a[at].id;
    let free = |hops: &[Hop]| hops.iter().take_while(|h| h.id != common).all(|h| !h.acs_redir);
    provider != client && !a[at].acs_redir && free(&a) && free(&b)
}

/// The sum of the distances from a provider to clients; -1 if it does not reach one of them, or there is none.
//= linux v7.3.4 drivers/pci/p2pdma.c pci_p2pdma_distance_many
pub fn pci_p2pdma_distance_many(provider: Kptr<PciDev>, clients: &[Kptr<PciDev>]) -> i32 {
    if clients.is_empty() {
        return -1;
    }
    let mut total_dist = 0;
    for client in clients {
        let (map, distance) = calc_map_type_and_dist(provider, *client);
        if map == PciP2pdmaMapType::NotSupported {
            return -1;
        }
        total_dist += distance;
    }
    total_dist
}

/// The distance from a provider to one client; see [`pci_p2pdma_distance_many`].
///
/// In C: `pci_p2pdma_distance`, include/linux/pci-p2pdma.h.
pub fn pci_p2pdma_distance(provider: Kptr<PciDev>, client: Kptr<PciDev>) -> i32 {
    pci_p2pdma_distance_many(provider, &[client])
}

/// How `dev` reaches the provider's memory. What was found once is kept with the provider, also when ACS changes.
//= linux v7.3.4 drivers/pci/p2pdma.c pci_p2pdma_map_type
pub fn pci_p2pdma_map_type(provider: P2pdmaProvider, dev: Kptr<PciDev>) -> PciP2pdmaMapType {
    let pdev = provider.owner;
    let cached = match pdev.p2pdma.borrow().as_ref() {
        None => return PciP2pdmaMapType::NotSupported,
        Some(p2pdma) => p2pdma.map_types.get(&dev.serial()).copied(),
    };
    cached.unwrap_or_else(|| calc_map_type_and_dist(pdev, dev).0)
}

/// The providers of a device go with its driver.
//= linux v7.3.4 drivers/pci/p2pdma.c pci_p2pdma_release
pub fn pci_p2pdma_release(pdev: Kptr<PciDev>) {
    pdev.p2pdma.take();
}

/// The bus address of a physical address of the provider.
//= linux v7.3.4 include/linux/pci-p2pdma.h pci_p2pdma_bus_addr_map
pub fn pci_p2pdma_bus_addr_map(provider: P2pdmaProvider, paddr: u64) -> u64 {
    paddr.wrapping_add(provider.bus_offset)
}
