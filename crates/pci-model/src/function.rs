// SPDX-License-Identifier: GPL-2.0-only
//! A PCI function as hardware: config registers, BARs, function level reset, and whether an access is answered.
//!
//! What a peer can observe is one word, the command register with the reset state above it: every change of it and
//! every access to a BAR is a scheduling point on it. All other registers are read and written by the host under its
//! own locks.

use std::cell::{Cell as StdCell, RefCell};
use std::collections::BTreeMap;
use std::fmt;

use explorer::sync::Cell;
use kernel_model::prelude::pr_note;
use kernel_model::{Report, report};

use crate::regs::*;

/// Bit of the observable word above the 16 of the command register: the function is in reset.
const IN_RESET: u32 = 1 << 16;

/// Why a BAR does not answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dead {
    /// Memory Space Enable is clear in the command register.
    MemoryDisabled,
    /// The function is in reset.
    InReset,
    /// The BAR's register does not hold the address any more.
    BarUnprogrammed,
}

impl fmt::Display for Dead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dead::MemoryDisabled => "Memory Space Enable was cleared in PCI_COMMAND",
            Dead::InReset => "the function is in reset",
            Dead::BarUnprogrammed => "a reset cleared the BAR's address",
        })
    }
}

/// A DMA that was routed to a BAR, and how it got there; part of a finding.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// The device that reads.
    pub agent: &'static str,
    /// The DMA address that it used.
    pub address: u64,
    /// The step at which that address was mapped.
    pub mapped_at: u64,
}

/// The registers that only the host touches.
struct Registers {
    bytes: [u8; PCI_CFG_SPACE_SIZE],
    /// Bits that a write changes.
    writable: [u8; PCI_CFG_SPACE_SIZE],
    /// Values after a function level reset.
    reset: [u8; PCI_CFG_SPACE_SIZE],
}

/// A function.
pub struct Function {
    name: &'static str,
    /// The command register and the reset state: what decides whether a BAR decodes.
    observable: Cell<u32>,
    registers: RefCell<Registers>,
    /// Offsets of the PCIe and AF capabilities, 0 if there is none.
    exp_cap: usize,
    af_cap: usize,
    /// When and why the memory BARs last stopped decoding.
    died: StdCell<(u64, Dead)>,
    memory: RefCell<BTreeMap<u64, u64>>,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Function({})", self.name)
    }
}

fn put16(bytes: &mut [u8], at: usize, value: u16) {
    bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
}

fn put32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

impl Function {
    /// A function with 32-bit memory BARs of the given addresses and sizes, a PCIe capability and, if asked for, an
    /// Advanced Features capability. `flr` says whether the PCIe capability advertises a function level reset.
    pub fn new(name: &'static str, bars: &[(u32, u32)], flr: bool, af: bool) -> Self {
        let mut bytes = [0; PCI_CFG_SPACE_SIZE];
        let mut writable = [0; PCI_CFG_SPACE_SIZE];
        put16(&mut bytes, PCI_VENDOR_ID, 0x1b36);
        put16(&mut bytes, PCI_DEVICE_ID, 0x0005);
        put16(&mut bytes, PCI_STATUS, PCI_STATUS_CAP_LIST);
        writable[PCI_CACHE_LINE_SIZE] = 0xff;
        writable[PCI_INTERRUPT_LINE] = 0xff;
        for (i, (_, size)) in bars.iter().enumerate() {
            put32(&mut writable, PCI_BASE_ADDRESS_0 + 4 * i, !(size - 1));
        }
        let exp_cap = 0x40;
        let af_cap = if af { 0x80 } else { 0 };
        bytes[PCI_CAPABILITY_LIST] = exp_cap as u8;
        bytes[exp_cap + PCI_CAP_LIST_ID] = PCI_CAP_ID_EXP;
        bytes[exp_cap + PCI_CAP_LIST_NEXT] = af_cap as u8;
        put16(&mut bytes, exp_cap + PCI_EXP_FLAGS, 2);
        put32(&mut bytes, exp_cap + PCI_EXP_DEVCAP, if flr { PCI_EXP_DEVCAP_FLR } else { 0 });
        put16(&mut bytes, exp_cap + PCI_EXP_DEVCTL, 0x2810);
        put16(&mut writable, exp_cap + PCI_EXP_DEVCTL, !PCI_EXP_DEVCTL_BCR_FLR);
        put16(&mut writable, exp_cap + PCI_EXP_DEVCTL2, 0xffff);
        if af {
            bytes[af_cap + PCI_CAP_LIST_ID] = PCI_CAP_ID_AF;
            bytes[af_cap + PCI_AF_LENGTH] = PCI_CAP_AF_SIZEOF as u8;
            bytes[af_cap + PCI_AF_CAP] = PCI_AF_CAP_TP | PCI_AF_CAP_FLR;
        }
        let reset = bytes;
        for (i, (address, _)) in bars.iter().enumerate() {
            put32(&mut bytes, PCI_BASE_ADDRESS_0 + 4 * i, *address);
        }
        Function {
            name,
            observable: Cell::new(format!("PCI_COMMAND of {name}"), 0),
            registers: RefCell::new(Registers { bytes, writable, reset }),
            exp_cap,
            af_cap,
            died: StdCell::new((0, Dead::MemoryDisabled)),
            memory: RefCell::new(BTreeMap::new()),
        }
    }

    /// A config read of `N` bytes; all ones while the function is in reset.
    #[track_caller]
    pub fn read<const N: usize>(&self, offset: usize) -> [u8; N] {
        let covers_command = offset < PCI_STATUS && offset + N > PCI_COMMAND;
        let observable = if covers_command { self.observable.read_once() } else { 0 };
        if observable & IN_RESET != 0 {
            return [0xff; N];
        }
        let registers = self.registers.borrow();
        let command = (observable as u16).to_le_bytes();
        std::array::from_fn(|i| match offset + i {
            at @ (0x04 | 0x05) => command[at - PCI_COMMAND],
            at => registers.bytes[at],
        })
    }

    /// A config write; starts a function level reset where the registers say so.
    #[track_caller]
    pub fn write(&self, offset: usize, data: &[u8]) {
        let mut command = None;
        let mut reset = false;
        for (i, byte) in data.iter().enumerate() {
            let at = offset + i;
            match at {
                0x04 | 0x05 => {
                    let shift = 8 * (at - PCI_COMMAND);
                    let (mask, value) = command.unwrap_or((0u16, 0u16));
                    command = Some((mask | 0xff << shift, value | u16::from(*byte) << shift));
                }
                _ => {
                    let r = &mut self.registers.borrow_mut();
                    r.bytes[at] = r.bytes[at] & !r.writable[at] | byte & r.writable[at];
                }
            }
            let flr_bit = (PCI_EXP_DEVCTL_BCR_FLR >> 8) as u8;
            reset |= at == self.exp_cap + PCI_EXP_DEVCTL + 1 && byte & flr_bit != 0;
            reset |= self.af_cap != 0 && at == self.af_cap + PCI_AF_CTRL && byte & PCI_AF_CTRL_FLR != 0;
        }
        if let Some((mask, value)) = command {
            self.write_command(mask, value);
        }
        if reset {
            self.begin_reset();
        }
    }

    #[track_caller]
    fn write_command(&self, mask: u16, value: u16) {
        let implemented = PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE;
        let mask = u32::from(mask & implemented);
        let old = self
            .observable
            .fetch_update(|o| if o & IN_RESET != 0 { o } else { o & !mask | u32::from(value) & mask });
        let memory = u32::from(PCI_COMMAND_MEMORY);
        if old & memory != 0 && mask & memory != 0 && u32::from(value) & memory == 0 {
            self.dies(Dead::MemoryDisabled);
        }
        pr_note(|| {
            let on = u32::from(value) & mask & memory != 0;
            format!("{}: memory space {}", self.name, if on { "enabled" } else { "disabled" })
        });
    }

    /// The function enters reset: registers go to their reset values, memory space is off, config reads give ones.
    #[track_caller]
    fn begin_reset(&self) {
        let old = self.observable.fetch_update(|_| IN_RESET);
        if old & u32::from(PCI_COMMAND_MEMORY) != 0 {
            self.dies(Dead::InReset);
        }
        let mut r = self.registers.borrow_mut();
        r.bytes = r.reset;
        pr_note(|| format!("{}: function level reset begins", self.name));
    }

    /// The function has come out of reset: what the 100 ms after a reset wait for.
    #[track_caller]
    pub fn end_reset(&self) {
        self.observable.fetch_update(|o| o & !IN_RESET);
        pr_note(|| format!("{}: function level reset is over", self.name));
    }

    fn dies(&self, why: Dead) {
        self.died.set((explorer::steps(), why));
    }

    /// A memory read that was routed to BAR `bar`, which belongs at `start`: the value at `phys`, or why nobody
    /// answers.
    ///
    /// The oracle: an access that nobody answers is a finding.
    ///
    /// # Errors
    /// Why the BAR does not decode.
    #[track_caller]
    pub fn access(&self, bar: usize, start: u64, phys: u64, access: Access) -> Result<u64, Dead> {
        let observable = self.observable.read_once();
        let programmed = self.programmed(bar);
        let dead = if observable & IN_RESET != 0 {
            Dead::InReset
        } else if observable & u32::from(PCI_COMMAND_MEMORY) == 0 {
            Dead::MemoryDisabled
        } else if u64::from(programmed) != start {
            Dead::BarUnprogrammed
        } else {
            return Ok(self.memory.borrow().get(&(phys - start)).copied().unwrap_or(0));
        };
        self.report_dead(bar, access);
        Err(dead)
    }

    fn programmed(&self, bar: usize) -> u32 {
        let at = PCI_BASE_ADDRESS_0 + 4 * bar;
        let b = &self.registers.borrow().bytes;
        u32::from_le_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]]) & !0xf
    }

    #[cold]
    fn report_dead(&self, bar: usize, access: Access) {
        let (died_at, why) = self.died.get();
        let Access { agent, address, mapped_at } = access;
        let (mapping, kind) = if mapped_at > died_at {
            (
                format!("the buffer could still be mapped afterwards, at step {mapped_at}"),
                "mapped while revoked",
            )
        } else {
            (
                format!("the mapping made before, at step {mapped_at}, was left in place"),
                "mapping left in place",
            )
        };
        report(Report::DeadBar {
            what: format!(
                "a DMA read by {agent} at {address:#x} reaches BAR {bar} of {}, which has not decoded since step \
                 {died_at} ({why}); {mapping}",
                self.name
            ),
            kind: format!("{kind}: {why}"),
        });
    }
}
