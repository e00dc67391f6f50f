// SPDX-License-Identifier: GPL-2.0-only
//! `struct vfio_pci_core_device`: include/linux/vfio_pci_core.h, linux v7.3.4; and the virtual config space.

use std::cell::{Cell, RefCell};

use kernel_model::prelude::*;
use pci_model::PciDev;
use pci_model::regs::*;
use pci_model::reset::PciSavedState;
use vfio_core::prelude::*;

/// Index of the ROM region: regions below it are BARs.
pub const VFIO_PCI_ROM_REGION_INDEX: u32 = 6;

/// The virtual config space: what the user sees. Its command register is read by tasks that do not hold the lock
/// under which it is written, so that word is a shared field.
#[derive(Debug)]
pub struct VConfig {
    command: Plain<u16>,
    bytes: RefCell<[u8; PCI_CFG_SPACE_SIZE]>,
}

impl VConfig {
    /// A copy of `bytes`.
    pub fn new(bytes: [u8; PCI_CFG_SPACE_SIZE]) -> Self {
        let command = u16::from_le_bytes([bytes[PCI_COMMAND], bytes[PCI_COMMAND + 1]]);
        VConfig { command: Plain::new("vdev->vconfig[PCI_COMMAND]", command), bytes: RefCell::new(bytes) }
    }

    /// `le16_to_cpu(*(__le16 *)&vconfig[PCI_COMMAND])`.
    #[track_caller]
    pub fn command(&self) -> u16 {
        self.command.get()
    }

    /// `*(__le16 *)&vconfig[PCI_COMMAND] = cpu_to_le16(value)`.
    #[track_caller]
    pub fn set_command(&self, value: u16) {
        self.command.set(value);
    }

    /// `memcpy(val, vconfig + pos, count)`, as a little-endian word.
    #[track_caller]
    pub fn read(&self, pos: usize, count: usize) -> u32 {
        let mut bytes = [0; 4];
        bytes[..count].copy_from_slice(&self.bytes.borrow()[pos..pos + count]);
        if pos < PCI_STATUS && pos + count > PCI_COMMAND {
            let command = self.command.get().to_le_bytes();
            for (i, byte) in bytes[..count].iter_mut().enumerate() {
                if (PCI_COMMAND..PCI_STATUS).contains(&(pos + i)) {
                    *byte = command[pos + i - PCI_COMMAND];
                }
            }
        }
        u32::from_le_bytes(bytes)
    }

    /// `memcpy(vconfig + pos, &val, count)`.
    #[track_caller]
    pub fn write(&self, pos: usize, count: usize, val: u32) {
        let val = val.to_le_bytes();
        self.bytes.borrow_mut()[pos..pos + count].copy_from_slice(&val[..count]);
        if pos < PCI_STATUS && pos + count > PCI_COMMAND {
            let mut command = self.command.get().to_le_bytes();
            for (i, byte) in val[..count].iter().enumerate() {
                if (PCI_COMMAND..PCI_STATUS).contains(&(pos + i)) {
                    command[pos + i - PCI_COMMAND] = *byte;
                }
            }
            self.command.set(u16::from_le_bytes(command));
        }
    }
}

/// What a variant driver may replace.
///
/// In C: `vfio_pci_device_ops`, include/linux/vfio_pci_core.h.
#[derive(Debug)]
pub struct VfioPciDeviceOps {
    /// Whether buffers can be exported: the one operation, `get_dmabuf_phys`, is the core's own.
    pub get_dmabuf_phys: bool,
}

/// The operations of the plain vfio-pci driver.
///
/// In C: `vfio_pci_dev_ops`, drivers/vfio/pci/vfio_pci.c.
pub static VFIO_PCI_DEV_OPS: VfioPciDeviceOps = VfioPciDeviceOps { get_dmabuf_phys: true };

/// A PCI device under VFIO.
///
/// In C: `vfio_pci_core_device`, include/linux/vfio_pci_core.h.
#[derive(Debug)]
pub struct VfioPciCoreDevice {
    /// The VFIO device.
    pub vdev: VfioDevice,
    /// The PCI device.
    pub pdev: Kptr<PciDev>,
    /// What the driver replaces.
    pub pci_ops: Option<&'static VfioPciDeviceOps>,
    /// BARs that were claimed when the device was opened, or why not.
    pub barmap: RefCell<[Option<KResult>; PCI_STD_NUM_BARS]>,
    /// Which capability each byte of the config space belongs to.
    pub pci_config_map: RefCell<Vec<u8>>,
    /// The virtual config space; `None` while the device is closed.
    pub vconfig: Plain<Option<Kptr<VConfig>>>,
    /// The BAR registers as they must be.
    pub rbar: Cell<[u32; 7]>,
    /// A function reset succeeded when the device was opened.
    pub reset_works: Cell<bool>,
    /// Nobody has reset the device since it was closed.
    pub needs_reset: Cell<bool>,
    /// The user has put the device into low power.
    pub pm_runtime_engaged: Plain<bool>,
    /// The state from before the device was opened.
    pub pci_saved_state: Cell<Option<PciSavedState>>,
    /// Held for write while access to the device ends or comes back; for read while the device is accessed.
    pub memory_lock: RwSemaphore,
    /// Exported buffers; `memory_lock` protects the list. The entries are the revision's own structures.
    pub dmabufs: List<Erased>,
}

impl VfioPciCoreDevice {
    /// The virtual config space. A device that is not open has none: that is a null pointer dereference, after which
    /// zeros are read.
    #[track_caller]
    pub fn vconfig(&self) -> Kptr<VConfig> {
        self.vconfig.get().unwrap_or_else(|| {
            kernel_model::report(kernel_model::Report::NullDeref {
                pointer: "vdev->vconfig",
                at: kernel_model::report::Site::here(),
            });
            kzalloc(VConfig::new([0; PCI_CFG_SPACE_SIZE])).expect("memory for a page of zeros")
        })
    }
}

/// Whether a BAR was claimed, or why not.
///
/// # Errors
/// Why not.
//= linux v7.3.4 include/linux/vfio_pci_core.h vfio_pci_core_get_iomap
#[track_caller]
pub fn vfio_pci_core_get_iomap(vdev: Kptr<VfioPciCoreDevice>, bar: u32) -> KResult {
    if WARN_ON_ONCE(bar as usize >= PCI_STD_NUM_BARS, "bar >= PCI_STD_NUM_BARS") {
        return Err(EINVAL);
    }
    let slot = vdev.barmap.borrow()[bar as usize];
    if WARN_ON_ONCE(slot.is_none(), "!vdev->barmap[bar]") {
        return Err(ENODEV);
    }
    slot.unwrap_or(Err(ENODEV))
}
