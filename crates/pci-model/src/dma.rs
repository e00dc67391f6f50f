// SPDX-License-Identifier: GPL-2.0-only
//! The DMA API: drivers/iommu/dma-iommu.c, include/linux/dma-mapping.h; and what a device does with an address.

use std::cell::Cell as StdCell;

use kernel_model::prelude::*;
use kernel_model::{Report, report};

use crate::dev::PciDev;
use crate::function::{Access, Dead};
use crate::iommu::PAGE_SIZE;

/// Direction of a transfer.
///
/// In C: `dma_data_direction`, include/linux/dma-direction.h.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DmaDataDirection {
    /// Both ways.
    Bidirectional,
    /// From memory to the device.
    ToDevice,
    /// From the device to memory.
    FromDevice,
}

/// Attribute: the physical address is MMIO.
pub const DMA_ATTR_MMIO: u64 = 1 << 10;
/// Attribute: do not sync CPU caches.
pub const DMA_ATTR_SKIP_CPU_SYNC: u64 = 1 << 5;
/// Bit of a size that must not be used: set internally when a bounce buffer is.
pub const DMA_IOVA_USE_SWIOTLB: u64 = 1 << 63;

/// The state of an IOVA-based mapping.
#[derive(Debug, Default)]
pub struct DmaIovaState {
    /// First IOVA.
    pub addr: StdCell<u64>,
    size: StdCell<u64>,
}

/// Whether the IOVA-based API is in use.
//= linux v7.3.4 include/linux/dma-mapping.h dma_use_iova
pub fn dma_use_iova(state: &DmaIovaState) -> bool {
    state.size.get() != 0
}

/// Reserves IOVA space; `false` when the device has no IOMMU.
//= linux v7.3.4 drivers/iommu/dma-iommu.c dma_iova_try_alloc
#[track_caller]
pub fn dma_iova_try_alloc(dev: Kptr<PciDev>, state: &DmaIovaState, _phys: u64, size: u64) -> bool {
    state.addr.set(0);
    state.size.set(0);
    let Some(domain) = &dev.iommu else { return false };
    if WARN_ON_ONCE(size == 0, "dma_iova_try_alloc() of nothing") {
        return false;
    }
    if WARN_ON_ONCE(
        size & DMA_IOVA_USE_SWIOTLB != 0,
        "dma_iova_try_alloc() of a size with DMA_IOVA_USE_SWIOTLB",
    ) {
        return false;
    }
    state.addr.set(domain.alloc_iova(size));
    state.size.set(size);
    true
}

/// Gives IOVA space back.
//= linux v7.3.4 drivers/iommu/dma-iommu.c dma_iova_free
#[track_caller]
pub fn dma_iova_free(dev: Kptr<PciDev>, state: &DmaIovaState) {
    let domain = dev.iommu.as_ref().expect("a state in use has a domain");
    WARN_ON(!domain.free_iova(state.addr.get()), "dma_iova_free() of IOVA space that is not in use");
}

/// Maps physical memory into reserved IOVA space.
///
/// # Errors
/// `EEXIST` when the range is populated.
//= linux v7.3.4 drivers/iommu/dma-iommu.c dma_iova_link
#[track_caller]
pub fn dma_iova_link(
    dev: Kptr<PciDev>,
    state: &DmaIovaState,
    phys: u64,
    offset: u64,
    size: u64,
    _dir: DmaDataDirection,
    _attrs: u64,
) -> KResult {
    let domain = dev.iommu.as_ref().expect("a state in use has a domain");
    domain.map(state.addr.get() + offset, phys, size)
}

/// Makes linked ranges visible to the device. Translation tables are coherent here: nothing to do.
///
/// # Errors
/// None.
//= linux v7.3.4 drivers/iommu/dma-iommu.c dma_iova_sync
pub fn dma_iova_sync(_dev: Kptr<PciDev>, _state: &DmaIovaState, _offset: u64, _size: u64) -> KResult {
    Ok(())
}

/// Unmaps and gives back IOVA space.
//= linux v7.3.4 drivers/iommu/dma-iommu.c dma_iova_destroy
#[track_caller]
pub fn dma_iova_destroy(
    dev: Kptr<PciDev>,
    state: &DmaIovaState,
    mapped_len: u64,
    _dir: DmaDataDirection,
    _attrs: u64,
) {
    if mapped_len != 0 {
        dev.iommu.as_ref().expect("a state in use has a domain").unmap(state.addr.get(), mapped_len);
    }
    dma_iova_free(dev, state);
}

/// Maps one physical range; gives the address that the device uses.
///
/// # Errors
/// That of the IOMMU.
///
/// In C: `dma_map_phys`, kernel/dma/mapping.c.
#[track_caller]
pub fn dma_map_phys(
    dev: Kptr<PciDev>,
    phys: u64,
    size: u64,
    _dir: DmaDataDirection,
    _attrs: u64,
) -> KResult<u64> {
    let Some(domain) = &dev.iommu else { return Ok(phys) };
    let iova = domain.alloc_iova(size);
    domain.map(iova, phys, size)?;
    Ok(iova)
}

/// Unmaps what [`dma_map_phys`] mapped.
///
/// In C: `dma_unmap_phys`, kernel/dma/mapping.c.
#[track_caller]
pub fn dma_unmap_phys(dev: Kptr<PciDev>, addr: u64, size: u64, _dir: DmaDataDirection, _attrs: u64) {
    if let Some(domain) = &dev.iommu {
        domain.unmap(addr, size);
        WARN_ON(!domain.free_iova(addr), "dma_unmap_phys() of IOVA space that is not in use");
    }
}

/// What a device's read came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DmaRead {
    /// Data.
    Value(u64),
    /// The IOMMU has no translation: a fault, which is safe.
    Fault,
    /// Nobody answered.
    Dead(Dead),
}

/// `agent` reads eight bytes at a DMA address, of memory that belongs to one of `targets`.
#[track_caller]
pub fn dma_read(agent: Kptr<PciDev>, addr: u64, targets: &[Kptr<PciDev>]) -> DmaRead {
    let entry = match &agent.iommu {
        Some(domain) => match domain.translate(addr) {
            Some(entry) => entry,
            None => {
                pr_note(|| format!("{}: IOMMU fault at {addr:#x}", agent.name));
                return DmaRead::Fault;
            }
        },
        None => crate::iommu::Entry { phys: addr, mapped_at: 0 },
    };
    let read = route(agent, addr, entry.phys, entry.mapped_at, targets);
    if let Some(domain) = &agent.iommu {
        domain.complete();
    }
    read
}

#[track_caller]
fn route(agent: Kptr<PciDev>, addr: u64, phys: u64, mapped_at: u64, targets: &[Kptr<PciDev>]) -> DmaRead {
    for target in targets {
        let hit = target.resource.iter().position(|r| phys >= r.start && phys < r.start + r.len);
        if let Some(bar) = hit {
            let access = Access { agent: agent.name, address: addr, mapped_at };
            return match target.function.access(bar, target.resource[bar].start, phys, access) {
                Ok(value) => {
                    pr_note(|| format!("{}: DMA read at {addr:#x} ok", agent.name));
                    DmaRead::Value(value)
                }
                Err(dead) => DmaRead::Dead(dead),
            };
        }
    }
    let page = phys & !(PAGE_SIZE - 1);
    report(Report::Broken {
        invariant: "no-access-outside-the-buffer",
        what: format!("{}: DMA read at {addr:#x} goes to {page:#x}, where no BAR is", agent.name),
    });
    DmaRead::Fault
}
