// SPDX-License-Identifier: GPL-2.0-only
//! What a function is like, and the config space that follows from it.
//!
//! A specification that cannot be is refused with the reason, see [`DeviceSpec::validate`].

use std::fmt;

use crate::regs::*;
use crate::resets::ResetEffect;

/// A BAR. A 64-bit BAR takes two slots: it is followed by [`BarSpec::Upper`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BarSpec {
    /// Not implemented: reads as 0.
    None,
    /// 32-bit memory.
    Mem32 {
        /// Address, as CPUs see it.
        addr: u32,
        /// Bytes, a power of two of at least 16.
        size: u32,
        /// Reads have no side effects.
        prefetch: bool,
    },
    /// 64-bit memory.
    Mem64 {
        /// Address, as CPUs see it.
        addr: u64,
        /// Bytes, a power of two of at least 16.
        size: u64,
        /// Reads have no side effects.
        prefetch: bool,
    },
    /// The upper half of a 64-bit BAR.
    Upper,
    /// I/O ports.
    Io {
        /// First port.
        port: u32,
        /// Ports, a power of two from 4 to 256.
        size: u32,
    },
}

impl BarSpec {
    /// A 32-bit BAR without prefetch; a size of 0 is none.
    pub const fn mem32(addr: u32, size: u32) -> Self {
        if size == 0 { BarSpec::None } else { BarSpec::Mem32 { addr, size, prefetch: false } }
    }

    /// A prefetchable 64-bit BAR.
    pub const fn mem64(addr: u64, size: u64) -> Self {
        BarSpec::Mem64 { addr, size, prefetch: true }
    }

    /// Memory: address and bytes.
    pub fn memory(self) -> Option<(u64, u64)> {
        match self {
            BarSpec::Mem32 { addr, size, .. } => Some((u64::from(addr), u64::from(size))),
            BarSpec::Mem64 { addr, size, .. } => Some((addr, size)),
            _ => None,
        }
    }
}

/// The PM capability.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PmSpec {
    /// State survives D3hot.
    pub no_soft_reset: bool,
}

/// A function.
#[derive(Clone, Copy, Debug)]
pub struct DeviceSpec {
    /// Domain, bus, device and function.
    pub name: &'static str,
    /// Vendor ID.
    pub vendor: u16,
    /// Device ID.
    pub device: u16,
    /// BARs from slot 0 on.
    pub bars: &'static [BarSpec],
    /// Expansion ROM: address and bytes.
    pub rom: Option<(u32, u32)>,
    /// The PM capability, if there is one.
    pub pm: Option<PmSpec>,
    /// The PCIe capability advertises a function level reset.
    pub flr: bool,
    /// There is an Advanced Features capability with a function level reset.
    pub af: bool,
    /// Vectors, the BAR of the table and the offset in it; the pending bits follow the table.
    pub msix: Option<(u16, u8, u32)>,
    /// Sits in a slot from which it can be pulled.
    pub removable: bool,
    /// Whether its DMA goes through the IOMMU.
    pub iommu: bool,
}

/// Why a specification cannot be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpecError(pub String);

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SpecError {}

impl DeviceSpec {
    /// An endpoint without anything but a PCIe capability.
    pub const ENDPOINT: DeviceSpec = DeviceSpec {
        name: "0000:00:00.0",
        vendor: 0x1b36,
        device: 0x0005,
        bars: &[],
        rom: None,
        pm: None,
        flr: false,
        af: false,
        msix: None,
        removable: false,
        iommu: true,
    };

    /// Checks that such a function can exist.
    ///
    /// # Errors
    /// The first rule that is broken, with the device and the BAR.
    pub fn validate(&self) -> Result<(), SpecError> {
        let fail = |what: String| Err(SpecError(format!("{}: {what}", self.name)));
        if self.bars.len() > PCI_STD_NUM_BARS {
            return fail(format!("{} BARs, a function has {PCI_STD_NUM_BARS}", self.bars.len()));
        }
        for (i, bar) in self.bars.iter().enumerate() {
            let after = self.bars.get(i + 1);
            match *bar {
                BarSpec::Mem64 { .. } if i == PCI_STD_NUM_BARS - 1 => {
                    return fail(format!(
                        "BAR {i} is 64 bits wide and the last slot, its upper half has no place"
                    ));
                }
                BarSpec::Mem64 { .. } if after != Some(&BarSpec::Upper) => {
                    return fail(format!("BAR {i} is 64 bits wide, slot {} must be its upper half", i + 1));
                }
                BarSpec::Upper if i == 0 || !matches!(self.bars[i - 1], BarSpec::Mem64 { .. }) => {
                    return fail(format!("slot {i} is an upper half, but no 64-bit BAR is before it"));
                }
                BarSpec::Io { port, size } if !size.is_power_of_two() || !(4..=256).contains(&size) => {
                    return fail(format!(
                        "BAR {i} at port {port:#x} has {size} ports, not a power of two from 4 to 256"
                    ));
                }
                BarSpec::Io { port, size } if port & (size - 1) != 0 => {
                    return fail(format!("BAR {i} at port {port:#x} is not aligned to its size"));
                }
                _ => {}
            }
            let Some((addr, size)) = bar.memory() else { continue };
            if !size.is_power_of_two() || size < 16 {
                return fail(format!("BAR {i} has {size:#x} bytes, not a power of two of at least 16"));
            }
            if addr & (size - 1) != 0 {
                return fail(format!("BAR {i} at {addr:#x} is not aligned to its size {size:#x}"));
            }
            if addr.checked_add(size).is_none() {
                return fail(format!("BAR {i} at {addr:#x} goes beyond the last address"));
            }
        }
        if let Some((addr, size)) = self.rom
            && (!size.is_power_of_two() || size < 2048 || addr & (size - 1) != 0)
        {
            return fail(format!(
                "the ROM at {addr:#x} has {size:#x} bytes: not a power of two of at least 2 KiB, or not aligned"
            ));
        }
        if let Some((vectors, bir, offset)) = self.msix {
            let bar = self.bars.get(usize::from(bir)).and_then(|b| b.memory());
            let end = u64::from(offset)
                + u64::from(vectors) * PCI_MSIX_ENTRY_SIZE
                + u64::from(vectors).div_ceil(64) * 8;
            if vectors == 0 || vectors > 2048 || offset & 7 != 0 || bar.is_none_or(|(_, size)| end > size) {
                return fail(format!(
                    "the MSI-X table of {vectors} vectors at {offset:#x} does not fit BAR {bir}"
                ));
            }
        }
        Ok(())
    }
}

/// Offsets of the capabilities; 0: there is none.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Caps {
    /// PCI Express.
    pub exp: usize,
    /// Advanced Features.
    pub af: usize,
    /// Power Management.
    pub pm: usize,
    /// MSI-X.
    pub msix: usize,
}

/// The registers that only the host touches.
pub(crate) struct Registers {
    pub(crate) bytes: [u8; PCI_CFG_SPACE_SIZE],
    /// Bits that a write changes.
    pub(crate) writable: [u8; PCI_CFG_SPACE_SIZE],
    /// Values after a reset.
    pub(crate) reset: [u8; PCI_CFG_SPACE_SIZE],
}

impl Registers {
    /// The address that a memory BAR decodes; `None` for a slot that is none.
    pub(crate) fn bar_address(&self, bar: usize) -> Option<u64> {
        let word = |bar: usize| {
            let at = PCI_BASE_ADDRESS_0 + 4 * bar;
            let b = &self.bytes;
            u32::from_le_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
        };
        let low = word(bar);
        if low & PCI_BASE_ADDRESS_SPACE_IO != 0 {
            return None;
        }
        let high = if low & PCI_BASE_ADDRESS_MEM_TYPE_64 != 0 { word(bar + 1) } else { 0 };
        Some(u64::from(high) << 32 | u64::from(low & !0xf))
    }

    /// What a reset leaves.
    pub(crate) fn reset(&mut self, effect: &ResetEffect, caps: Caps) {
        let before = self.bytes;
        self.bytes = self.reset;
        let mut keep = |at: usize, mask: u16| {
            for (i, mask) in mask.to_le_bytes().into_iter().enumerate() {
                self.bytes[at + i] = self.bytes[at + i] & !mask | before[at + i] & mask;
            }
        };
        if effect.keeps_payload_size && caps.exp != 0 {
            keep(caps.exp + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_PAYLOAD);
        }
        if effect.keeps_sticky && caps.pm != 0 {
            keep(caps.pm + PCI_PM_CTRL, PCI_PM_CTRL_PME_ENABLE | PCI_PM_CTRL_PME_STATUS);
        }
    }
}

fn put16(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
}

fn put32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

const EXP_CAP: usize = 0x40;
const AF_CAP: usize = 0x80;
const PM_CAP: usize = 0x90;
const MSIX_CAP: usize = 0xa0;

/// The config space of a function, with its BARs programmed.
pub(crate) fn layout(spec: &DeviceSpec, bars: &[BarSpec], bus_offset: u64) -> (Registers, Caps) {
    let mut bytes = [0; PCI_CFG_SPACE_SIZE];
    let mut writable = [0; PCI_CFG_SPACE_SIZE];
    put16(&mut bytes, PCI_VENDOR_ID, spec.vendor);
    put16(&mut bytes, PCI_DEVICE_ID, spec.device);
    put16(&mut bytes, PCI_STATUS, PCI_STATUS_CAP_LIST);
    writable[PCI_CACHE_LINE_SIZE] = 0xff;
    writable[PCI_INTERRUPT_LINE] = 0xff;

    let mut programmed = Vec::new();
    for (i, bar) in bars.iter().enumerate() {
        let at = PCI_BASE_ADDRESS_0 + 4 * i;
        let fetch = |p: bool| if p { PCI_BASE_ADDRESS_MEM_PREFETCH } else { 0 };
        match *bar {
            BarSpec::None | BarSpec::Upper => {}
            BarSpec::Mem32 { addr, size, prefetch } => {
                put32(&mut bytes, at, fetch(prefetch));
                put32(&mut writable, at, !(size - 1));
                programmed.push((at, u64::from(addr).wrapping_add(bus_offset) as u32));
            }
            BarSpec::Mem64 { addr, size, prefetch } => {
                put32(&mut bytes, at, fetch(prefetch) | PCI_BASE_ADDRESS_MEM_TYPE_64);
                let mask = !(size - 1);
                put32(&mut writable, at, mask as u32);
                put32(&mut writable, at + 4, (mask >> 32) as u32);
                let bus = addr.wrapping_add(bus_offset);
                programmed.extend([(at, bus as u32), (at + 4, (bus >> 32) as u32)]);
            }
            BarSpec::Io { port, size } => {
                put32(&mut bytes, at, PCI_BASE_ADDRESS_SPACE_IO);
                put32(&mut writable, at, !(size - 1));
                programmed.push((at, port));
            }
        }
    }
    if let Some((addr, size)) = spec.rom {
        put32(&mut writable, PCI_ROM_ADDRESS, !(size - 1) | PCI_ROM_ADDRESS_ENABLE);
        programmed.push((PCI_ROM_ADDRESS, addr));
    }

    let mut caps = Caps { exp: EXP_CAP, ..Caps::default() };
    let mut chain = vec![(EXP_CAP, PCI_CAP_ID_EXP)];
    put16(&mut bytes, EXP_CAP + PCI_EXP_FLAGS, 2);
    put32(&mut bytes, EXP_CAP + PCI_EXP_DEVCAP, if spec.flr { PCI_EXP_DEVCAP_FLR } else { 0 });
    put16(&mut bytes, EXP_CAP + PCI_EXP_DEVCTL, 0x2810);
    put16(&mut writable, EXP_CAP + PCI_EXP_DEVCTL, !PCI_EXP_DEVCTL_BCR_FLR);
    put16(&mut writable, EXP_CAP + PCI_EXP_DEVCTL2, 0xffff);
    if spec.af {
        caps.af = AF_CAP;
        chain.push((AF_CAP, PCI_CAP_ID_AF));
        bytes[AF_CAP + PCI_AF_LENGTH] = PCI_CAP_AF_SIZEOF as u8;
        bytes[AF_CAP + PCI_AF_CAP] = PCI_AF_CAP_TP | PCI_AF_CAP_FLR;
    }
    if let Some(pm) = spec.pm {
        caps.pm = PM_CAP;
        chain.push((PM_CAP, PCI_CAP_ID_PM));
        let no_soft_reset = if pm.no_soft_reset { PCI_PM_CTRL_NO_SOFT_RESET } else { 0 };
        put16(&mut bytes, PM_CAP + PCI_PM_CTRL, no_soft_reset);
        put16(&mut writable, PM_CAP + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK | PCI_PM_CTRL_PME_ENABLE);
    }
    if let Some((vectors, bir, offset)) = spec.msix {
        caps.msix = MSIX_CAP;
        chain.push((MSIX_CAP, PCI_CAP_ID_MSIX));
        put16(&mut bytes, MSIX_CAP + PCI_MSIX_FLAGS, (vectors - 1) & PCI_MSIX_FLAGS_QSIZE);
        put16(&mut writable, MSIX_CAP + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
        put32(&mut bytes, MSIX_CAP + PCI_MSIX_TABLE, offset | u32::from(bir));
        let pba = offset + u32::from(vectors) * PCI_MSIX_ENTRY_SIZE as u32;
        put32(&mut bytes, MSIX_CAP + PCI_MSIX_PBA, pba | u32::from(bir));
    }
    bytes[PCI_CAPABILITY_LIST] = EXP_CAP as u8;
    for (i, (at, id)) in chain.iter().enumerate() {
        bytes[at + PCI_CAP_LIST_ID] = *id;
        bytes[at + PCI_CAP_LIST_NEXT] = chain.get(i + 1).map_or(0, |(next, _)| *next as u8);
    }

    let reset = bytes;
    for (at, value) in programmed {
        for (i, byte) in value.to_le_bytes().into_iter().enumerate() {
            bytes[at + i] |= byte & writable[at + i];
        }
    }
    (Registers { bytes, writable, reset }, caps)
}
