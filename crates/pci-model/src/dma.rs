// SPDX-License-Identifier: GPL-2.0-only
//! The DMA API: drivers/iommu/dma-iommu.c, include/linux/dma-mapping.h; and what a device does with an address.

use std::cell::Cell as StdCell;

use kernel_model::prelude::*;
use kernel_model::{Report, report};

use crate::dev::{IORESOURCE_MEM, PciDev, Resource};
use crate::function::{Access, Dead};
use crate::iommu::*;
use crate::p2pdma::shares_switch;

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

/// What a device can address.
#[derive(Debug)]
pub struct DmaParams {
    /// Bits of an address that the device drives: `dma_get_mask`.
    pub dma_mask: StdCell<u64>,
    /// Bytes of the longest segment that it takes: `dma_get_max_seg_size`.
    pub max_segment_size: StdCell<u32>,
    /// A segment must not cross a multiple of this plus one: `dma_get_seg_boundary`.
    pub segment_boundary_mask: StdCell<u64>,
}

impl Default for DmaParams {
    fn default() -> Self {
        DmaParams {
            dma_mask: StdCell::new(u64::MAX),
            max_segment_size: StdCell::new(u32::MAX),
            segment_boundary_mask: StdCell::new(u64::MAX),
        }
    }
}

/// Says which addresses the device can drive.
///
/// # Errors
/// `EIO` for a mask without the low 24 bits: no memory is there for sure.
///
/// In C: `dma_set_mask`, kernel/dma/mapping.c.
pub fn dma_set_mask(dev: Kptr<PciDev>, mask: u64) -> KResult {
    if mask & 0xff_ffff != 0xff_ffff {
        return Err(EIO);
    }
    dev.dma.dma_mask.set(mask);
    Ok(())
}

/// Whether the device can reach `addr..addr + size`.
//= linux v7.3.4 include/linux/dma-direct.h dma_capable
pub fn dma_capable(dev: Kptr<PciDev>, addr: u64, size: u64) -> bool {
    addr.checked_add(size.saturating_sub(1)).is_some_and(|last| last <= dev.dma.dma_mask.get())
}

/// Checks a segment that a driver hands to its device against the limits that it declared; a broken limit is reported.
///
/// In C: `check_sg_segment`, kernel/dma/debug.c.
#[track_caller]
pub fn check_sg_segment(dev: Kptr<PciDev>, addr: u64, len: u64) -> bool {
    let max_seg = u64::from(dev.dma.max_segment_size.get());
    let too_long = WARN_ON(len > max_seg, "DMA-API: mapping sg segment longer than device claims to support");
    let boundary = dev.dma.segment_boundary_mask.get();
    let crosses = len != 0 && (addr ^ (addr + (len - 1))) & !boundary != 0;
    let crosses = WARN_ON(crosses, "DMA-API: mapping sg segment across boundary");
    !too_long && !crosses
}

/// Rights of a mapping. The devices here are coherent: their accesses to memory snoop the caches.
//= linux v7.3.4 drivers/iommu/dma-iommu.c dma_info_to_prot
fn dma_info_to_prot(dir: DmaDataDirection, attrs: u64) -> u32 {
    let kind = if attrs & DMA_ATTR_MMIO != 0 { IOMMU_MMIO } else { IOMMU_CACHE };
    kind | match dir {
        DmaDataDirection::Bidirectional => IOMMU_READ | IOMMU_WRITE,
        DmaDataDirection::ToDevice => IOMMU_READ,
        DmaDataDirection::FromDevice => IOMMU_WRITE,
    }
}

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

/// Reserves IOVA space; `false` when the device has no IOMMU, or there is no room within its mask.
//= linux v7.3.4 drivers/iommu/dma-iommu.c dma_iova_try_alloc
#[track_caller]
pub fn dma_iova_try_alloc(dev: Kptr<PciDev>, state: &DmaIovaState, phys: u64, size: u64) -> bool {
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
    let iova_off = phys & (PAGE_SIZE - 1);
    let Some(addr) = domain.alloc_iova(size + iova_off, dev.dma.dma_mask.get()) else { return false };
    state.addr.set(addr + iova_off);
    state.size.set(size);
    true
}

/// Gives IOVA space back.
//= linux v7.3.4 drivers/iommu/dma-iommu.c dma_iova_free
#[track_caller]
pub fn dma_iova_free(dev: Kptr<PciDev>, state: &DmaIovaState) {
    let domain = dev.iommu.as_ref().expect("a state in use has a domain");
    WARN_ON(
        !domain.free_iova(state.addr.get() & !(PAGE_SIZE - 1)),
        "dma_iova_free() of IOVA space that is not in use",
    );
}

/// The domain of a device that uses the IOVA-based API.
fn domain(dev: &Kptr<PciDev>) -> &IommuDomain {
    dev.iommu.as_ref().expect("a state in use has a domain")
}

/// A range of a mapping must lie in what was reserved: the C trusts its caller, here it is reported.
#[track_caller]
fn check_range(state: &DmaIovaState, offset: u64, size: u64) {
    let inside = offset.checked_add(size).is_some_and(|end| end <= state.size.get());
    WARN_ON(!inside, "DMA-API: range outside of the reserved IOVA space");
}

/// Maps physical memory into reserved IOVA space.
///
/// # Errors
/// `EEXIST` when the range is populated, `EIO` for memory that begins inside a page but not at the beginning.
//= linux v7.3.4 drivers/iommu/dma-iommu.c dma_iova_link
#[track_caller]
pub fn dma_iova_link(
    dev: Kptr<PciDev>,
    state: &DmaIovaState,
    phys: u64,
    offset: u64,
    size: u64,
    dir: DmaDataDirection,
    attrs: u64,
) -> KResult {
    let iova_start_pad = phys & (PAGE_SIZE - 1);
    if WARN_ON_ONCE(iova_start_pad != 0 && offset > 0, "dma_iova_link() of memory inside a page at an offset")
    {
        return Err(EIO);
    }
    check_range(state, offset, size);
    let size = (size + iova_start_pad).next_multiple_of(PAGE_SIZE);
    let iova = state.addr.get() + offset - iova_start_pad;
    domain(&dev).map(iova, phys - iova_start_pad, size, dma_info_to_prot(dir, attrs))
}

/// Unmaps part of a mapping; what was not linked is a warning.
//= linux v7.3.4 drivers/iommu/dma-iommu.c dma_iova_unlink
#[track_caller]
pub fn dma_iova_unlink(
    dev: Kptr<PciDev>,
    state: &DmaIovaState,
    offset: u64,
    size: u64,
    _dir: DmaDataDirection,
    _attrs: u64,
) {
    let addr = state.addr.get() + offset;
    let iova_start_pad = addr & (PAGE_SIZE - 1);
    check_range(state, offset, size);
    let size = (size + iova_start_pad).next_multiple_of(PAGE_SIZE);
    let unmapped = domain(&dev).unmap(addr - iova_start_pad, size);
    WARN_ON(unmapped != size, "dma_iova_unlink() of a range that is not linked, or only in part");
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
    dir: DmaDataDirection,
    attrs: u64,
) {
    if mapped_len != 0 {
        dma_iova_unlink(dev, state, 0, mapped_len, dir, attrs);
    }
    let left = domain(&dev).populated(state.addr.get(), state.size.get());
    WARN_ON(left, "DMA-API: IOVA space is given back while part of it is linked");
    dma_iova_free(dev, state);
}

/// Maps one physical range; gives the address that the device uses.
///
/// # Errors
/// `EIO`, for `DMA_MAPPING_ERROR`: the device cannot reach the address, or there is no room.
///
/// In C: `dma_map_phys`, kernel/dma/mapping.c.
#[track_caller]
pub fn dma_map_phys(
    dev: Kptr<PciDev>,
    phys: u64,
    size: u64,
    dir: DmaDataDirection,
    attrs: u64,
) -> KResult<u64> {
    let Some(domain) = &dev.iommu else {
        return if dma_capable(dev, phys, size) { Ok(phys) } else { Err(EIO) };
    };
    let iova_off = phys & (PAGE_SIZE - 1);
    let size = (size + iova_off).next_multiple_of(PAGE_SIZE);
    let iova = domain.alloc_iova(size, dev.dma.dma_mask.get()).ok_or(EIO)?;
    if domain.map(iova, phys - iova_off, size, dma_info_to_prot(dir, attrs)).is_err() {
        domain.free_iova(iova);
        return Err(EIO);
    }
    Ok(iova + iova_off)
}

/// Unmaps what [`dma_map_phys`] mapped; another size than it was mapped with is a warning.
///
/// In C: `dma_unmap_phys`, kernel/dma/mapping.c.
#[track_caller]
pub fn dma_unmap_phys(dev: Kptr<PciDev>, addr: u64, size: u64, _dir: DmaDataDirection, _attrs: u64) {
    if let Some(domain) = &dev.iommu {
        let iova_off = addr & (PAGE_SIZE - 1);
        let size = (size + iova_off).next_multiple_of(PAGE_SIZE);
        domain.unmap(addr - iova_off, size);
        let mapped = domain.iova_len(addr - iova_off);
        let wrong = mapped.is_some_and(|len| len != size);
        WARN_ON(wrong, "DMA-API: device driver frees DMA memory with different size");
        let freed = domain.free_iova(addr - iova_off);
        WARN_ON(!freed, "dma_unmap_phys() of IOVA space that is not in use");
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
    transact(agent, addr, None, targets)
}

/// `agent` writes eight bytes at a DMA address. The value of the answer means nothing.
#[track_caller]
pub fn dma_write(agent: Kptr<PciDev>, addr: u64, value: u64, targets: &[Kptr<PciDev>]) -> DmaRead {
    transact(agent, addr, Some(value), targets)
}

/// A transaction: a switch below which the target sits takes it by its bus address; what goes upwards is translated.
#[track_caller]
fn transact(agent: Kptr<PciDev>, addr: u64, write: Option<u64>, targets: &[Kptr<PciDev>]) -> DmaRead {
    if let Some((target, bar, phys)) = routed_by_switch(agent, addr, targets) {
        return deliver(agent, (addr, phys, 0), write, target, bar);
    }
    let entry = match &agent.iommu {
        Some(domain) => match domain.translate(addr, write.is_some()) {
            Some(entry) => entry,
            None => {
                pr_note(|| format!("{}: IOMMU fault at {addr:#x}", agent.name));
                return DmaRead::Fault;
            }
        },
        None => Entry { phys: addr, mapped_at: 0 },
    };
    let read = route(agent, addr, write, entry, targets);
    if let Some(domain) = &agent.iommu {
        domain.complete();
    }
    read
}

/// The memory BAR of a target that covers a physical address.
fn hit(target: Kptr<PciDev>, phys: u64) -> Option<usize> {
    let covers = |r: &Resource| r.flags & IORESOURCE_MEM != 0 && phys >= r.start && phys - r.start < r.len;
    target.resource.iter().position(covers)
}

fn routed_by_switch(
    agent: Kptr<PciDev>,
    addr: u64,
    targets: &[Kptr<PciDev>],
) -> Option<(Kptr<PciDev>, usize, u64)> {
    targets.iter().find_map(|target| {
        let offset = target.bus.borrow().as_ref().map_or(0, |b| b.host.bus_offset);
        let phys = addr.wrapping_sub(offset);
        let bar = hit(*target, phys)?;
        shares_switch(*target, agent).then_some((*target, bar, phys))
    })
}

#[track_caller]
fn route(
    agent: Kptr<PciDev>,
    addr: u64,
    write: Option<u64>,
    entry: Entry,
    targets: &[Kptr<PciDev>],
) -> DmaRead {
    let Entry { phys, mapped_at } = entry;
    for target in targets {
        if let Some(bar) = hit(*target, phys) {
            return deliver(agent, (addr, phys, mapped_at), write, *target, bar);
        }
    }
    let page = phys & !(PAGE_SIZE - 1);
    report(Report::Broken {
        invariant: "no-access-outside-the-buffer",
        what: format!("{}: DMA read at {addr:#x} goes to {page:#x}, where no BAR is", agent.name),
    });
    DmaRead::Fault
}

#[track_caller]
fn deliver(
    agent: Kptr<PciDev>,
    (addr, phys, mapped_at): (u64, u64, u64),
    write: Option<u64>,
    target: Kptr<PciDev>,
    bar: usize,
) -> DmaRead {
    let access = Access { agent: agent.name, address: addr, mapped_at };
    let start = target.resource[bar].start;
    let answer = match write {
        None => target.function.access(bar, start, phys, access),
        Some(value) => target.function.store(bar, start, phys, value, access).map(|()| value),
    };
    match answer {
        Ok(value) => {
            let word = if write.is_some() { "write" } else { "read" };
            pr_note(|| format!("{}: DMA {word} at {addr:#x} ok", agent.name));
            DmaRead::Value(value)
        }
        Err(dead) => DmaRead::Dead(dead),
    }
}
