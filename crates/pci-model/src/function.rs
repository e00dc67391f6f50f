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
use crate::resets::ResetKind;
use crate::spec::{BarSpec, Caps, DeviceSpec, Registers, layout};

/// Bits of the observable word above the 16 of the command register: the function is in reset.
const IN_RESET: u32 = 1 << 16;
/// In D3hot: config space answers, nothing else.
const D3HOT: u32 = 1 << 17;
/// Without power.
const D3COLD: u32 = 1 << 18;
/// The link to the function is down.
const LINK_DOWN: u32 = 1 << 19;
/// Unplugged.
const GONE: u32 = 1 << 20;
/// Of a physical function: memory space of its virtual functions is on.
const VF_MSE: u32 = 1 << 21;
/// Nothing at all reaches the function.
const UNREACHABLE: u32 = D3COLD | LINK_DOWN | GONE;

/// Why a BAR does not answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dead {
    /// Memory Space Enable is clear in the command register.
    MemoryDisabled,
    /// The function is in reset.
    InReset,
    /// The BAR's register does not hold the address any more.
    BarUnprogrammed,
    /// The function is in D3hot.
    D3Hot,
    /// The function has no power.
    D3Cold,
    /// A reset of the bus or the slot, or an error, has taken the link down.
    LinkDown,
    /// The function was unplugged.
    Gone,
    /// The physical function does not decode the memory of its virtual functions.
    VfMemoryDisabled,
}

impl fmt::Display for Dead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dead::MemoryDisabled => "Memory Space Enable was cleared in PCI_COMMAND",
            Dead::InReset => "the function is in reset",
            Dead::BarUnprogrammed => "a reset cleared the BAR's address",
            Dead::D3Hot => "the function is in D3hot",
            Dead::D3Cold => "the function has no power",
            Dead::LinkDown => "the link is down",
            Dead::Gone => "the function was unplugged",
            Dead::VfMemoryDisabled => "VF MSE is clear in the physical function",
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

/// A function.
pub struct Function {
    name: &'static str,
    /// The command register and the reset state: what decides whether a BAR decodes.
    observable: Cell<u32>,
    registers: RefCell<Registers>,
    /// Offsets of the capabilities, 0 if there is none.
    caps: Caps,
    /// Of a virtual function: the word of its physical function, which decides whether memory decodes.
    pf: Option<Cell<u32>>,
    /// What to add to a CPU address to get the address on the bus.
    bus_offset: u64,
    /// May be unplugged: then every config access is a scheduling point.
    removable: bool,
    /// When and why the memory BARs last stopped decoding.
    died: StdCell<(u64, Dead)>,
    memory: RefCell<BTreeMap<u64, u64>>,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Function({})", self.name)
    }
}

/// Why a function in that state answers no memory access, whatever its registers say.
fn why_dead(observable: u32) -> Option<Dead> {
    [
        (GONE, Dead::Gone),
        (D3COLD, Dead::D3Cold),
        (LINK_DOWN, Dead::LinkDown),
        (IN_RESET, Dead::InReset),
        (D3HOT, Dead::D3Hot),
    ]
    .into_iter()
    .find_map(|(bit, dead)| (observable & bit != 0).then_some(dead))
}

impl Function {
    /// A function with 32-bit memory BARs of the given addresses and sizes, a PCIe capability and, if asked for, an
    /// Advanced Features capability. `flr` says whether the PCIe capability advertises a function level reset.
    pub fn new(name: &'static str, bars: &[(u32, u32)], flr: bool, af: bool) -> Self {
        let bars: Vec<_> = bars.iter().map(|(addr, size)| BarSpec::mem32(*addr, *size)).collect();
        let spec = DeviceSpec { name, flr, af, ..DeviceSpec::ENDPOINT };
        Self::build(&spec, &bars, 0, None)
    }

    /// A function as its specification says; the BARs apart, so that they may be computed. `pf`: it is a virtual
    /// function of that one.
    pub(crate) fn build(spec: &DeviceSpec, bars: &[BarSpec], bus_offset: u64, pf: Option<&Function>) -> Self {
        let (registers, caps) = layout(spec, bars, bus_offset);
        Function {
            name: spec.name,
            observable: Cell::new(format!("PCI_COMMAND of {}", spec.name), 0),
            registers: RefCell::new(registers),
            caps,
            pf: pf.map(|pf| pf.observable),
            bus_offset,
            removable: spec.removable,
            died: StdCell::new((0, Dead::MemoryDisabled)),
            memory: RefCell::new(BTreeMap::new()),
        }
    }

    /// Offsets of the capabilities.
    pub fn caps(&self) -> Caps {
        self.caps
    }

    /// The word without a scheduling point: for checks, and for what only the host changes.
    fn peek(&self) -> u32 {
        explorer::update(self.observable.object(), |s| s[0] as u32)
    }

    /// A config read of `N` bytes; all ones while the function is in reset.
    #[track_caller]
    pub fn read<const N: usize>(&self, offset: usize) -> [u8; N] {
        let covers_command = offset < PCI_STATUS && offset + N > PCI_COMMAND;
        let observable = if covers_command || self.removable {
            self.observable.read_once()
        } else {
            self.peek() & UNREACHABLE
        };
        if observable & UNREACHABLE != 0 || covers_command && observable & IN_RESET != 0 {
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
        let observable = if self.removable { self.observable.read_once() } else { self.peek() };
        if observable & UNREACHABLE != 0 {
            return;
        }
        let mut command = None;
        let mut reset = None;
        let mut power = None;
        let Caps { exp, af, pm, .. } = self.caps;
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
            if exp != 0 && at == exp + PCI_EXP_DEVCTL + 1 && byte & flr_bit != 0 {
                reset = Some(ResetKind::Flr);
            }
            if af != 0 && at == af + PCI_AF_CTRL && byte & PCI_AF_CTRL_FLR != 0 {
                reset = Some(ResetKind::AfFlr);
            }
            if pm != 0 && at == pm + PCI_PM_CTRL {
                power = Some(u16::from(*byte) & PCI_PM_CTRL_STATE_MASK);
            }
        }
        if let Some((mask, value)) = command {
            self.write_command(mask, value);
        }
        if let Some(kind) = reset {
            self.reset(kind);
        }
        if let Some(state) = power {
            self.set_power(state);
        }
    }

    /// The power state in the PM control register was written.
    #[track_caller]
    fn set_power(&self, state: u16) {
        let is_d3 = self.peek() & D3HOT != 0;
        match (is_d3, state) {
            (false, 3) => {
                let old = self.observable.fetch_update(|o| o | D3HOT);
                if old & u32::from(PCI_COMMAND_MEMORY) != 0 {
                    self.dies(Dead::D3Hot);
                }
                pr_note(|| format!("{}: D3hot", self.name));
            }
            (true, 0) if self.no_soft_reset() => {
                self.observable.fetch_update(|o| o & !D3HOT);
                pr_note(|| format!("{}: D0, state kept", self.name));
            }
            (true, 0) => self.reset(ResetKind::Pm),
            // D1 and D2 are not implemented: the write changes nothing.
            _ => {}
        }
    }

    fn no_soft_reset(&self) -> bool {
        let at = self.caps.pm + PCI_PM_CTRL;
        self.registers.borrow().bytes[at] & PCI_PM_CTRL_NO_SOFT_RESET as u8 != 0
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

    /// The function enters reset: registers go to what the kind of reset leaves of them, memory space is off, and
    /// config reads give ones until [`end_reset`](Self::end_reset).
    #[track_caller]
    pub fn reset(&self, kind: ResetKind) {
        let effect = kind.effect();
        let to = IN_RESET | if effect.link_down { LINK_DOWN } else { 0 };
        let old = self.observable.fetch_update(|o| o & (GONE | D3COLD) | to);
        if old & u32::from(PCI_COMMAND_MEMORY) != 0 {
            self.dies(if effect.link_down { Dead::LinkDown } else { Dead::InReset });
        }
        self.registers.borrow_mut().reset(effect, self.caps);
        pr_note(|| format!("{}: {} begins", self.name, effect.name));
    }

    /// The function has come out of reset: what the wait after a reset waits for.
    #[track_caller]
    pub fn end_reset(&self) {
        self.observable.fetch_update(|o| o & !(IN_RESET | LINK_DOWN));
        pr_note(|| format!("{}: reset is over", self.name));
    }

    /// Power goes (D3cold) or comes back; the function loses all state.
    #[track_caller]
    pub fn set_powered(&self, on: bool) {
        let old = self.observable.fetch_update(|o| o & GONE | if on { IN_RESET } else { D3COLD });
        if !on && old & u32::from(PCI_COMMAND_MEMORY) != 0 {
            self.dies(Dead::D3Cold);
        }
        self.registers.borrow_mut().reset(ResetKind::PowerCycle.effect(), self.caps);
        pr_note(|| format!("{}: power {}", self.name, if on { "on" } else { "off" }));
    }

    /// The function is pulled out, whoever uses it.
    #[track_caller]
    pub fn unplug(&self) {
        self.observable.fetch_update(|o| o | GONE);
        self.dies(Dead::Gone);
        pr_note(|| format!("{}: unplugged", self.name));
    }

    /// Whether it was unplugged: what a read of the vendor ID says. A scheduling point.
    #[track_caller]
    pub fn is_gone(&self) -> bool {
        self.observable.read_once() & GONE != 0
    }

    /// Of a physical function: decodes the memory of its virtual functions, or stops to.
    #[track_caller]
    pub fn set_vf_memory(&self, on: bool) {
        self.observable.fetch_update(|o| if on { o | VF_MSE } else { o & !VF_MSE });
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
        self.target(bar, start, access)?;
        Ok(self.memory.borrow().get(&(phys - start)).copied().unwrap_or(0))
    }

    /// As [`access`](Self::access), for a write.
    ///
    /// # Errors
    /// Why the BAR does not decode; the write is lost.
    #[track_caller]
    pub fn store(&self, bar: usize, start: u64, phys: u64, value: u64, access: Access) -> Result<(), Dead> {
        self.target(bar, start, access)?;
        self.memory.borrow_mut().insert(phys - start, value);
        Ok(())
    }

    /// Whether memory that belongs at `start` is answered by BAR `bar` now, and if not, why. A scheduling point.
    ///
    /// # Errors
    /// Why the BAR does not decode.
    #[track_caller]
    pub fn decodes(&self, bar: usize, start: u64) -> Result<(), Dead> {
        let observable = self.observable.read_once();
        if let Some(pf) = self.pf {
            let pf = pf.read_once();
            if let Some(dead) = why_dead(pf & !IN_RESET | if pf & VF_MSE == 0 { IN_RESET } else { 0 }) {
                return Err(if dead == Dead::InReset { Dead::VfMemoryDisabled } else { dead });
            }
        }
        if let Some(dead) = why_dead(observable) {
            Err(dead)
        } else if self.pf.is_some() {
            // The address comes from the physical function's VF BAR; the VF has no command memory bit either.
            Ok(())
        } else if observable & u32::from(PCI_COMMAND_MEMORY) == 0 {
            Err(Dead::MemoryDisabled)
        } else if self.registers.borrow().bar_address(bar) != Some(start.wrapping_add(self.bus_offset)) {
            Err(Dead::BarUnprogrammed)
        } else {
            Ok(())
        }
    }

    #[track_caller]
    fn target(&self, bar: usize, start: u64, access: Access) -> Result<(), Dead> {
        let Err(dead) = self.decodes(bar, start) else { return Ok(()) };
        self.report_dead(bar, access);
        Err(dead)
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
