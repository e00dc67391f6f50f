// SPDX-License-Identifier: GPL-2.0-only
//! Permission bits of the virtual config space: the tables of drivers/vfio/pci/vfio_pci_config.c, linux v7.3.4, which
//! no series here touches.
//!
//! For each bit of a capability: is it virtualised (read from and written to the virtual copy), may it be written?

use pci_model::regs::*;

/// Stands for the standard header in the map of capabilities.
pub const PCI_CAP_ID_BASIC: u8 = 0;
/// Bytes that belong to no capability.
pub const PCI_CAP_ID_INVALID: u8 = 0xff;

const NO_VIRT: u32 = 0;
const ALL_VIRT: u32 = u32::MAX;
const NO_WRITE: u32 = 0;
const ALL_WRITE: u32 = u32::MAX;

/// The permission bits of one capability.
#[derive(Debug)]
pub struct PermBits {
    virt: Vec<u8>,
    write: Vec<u8>,
}

impl PermBits {
    //= linux v7.3.4 drivers/vfio/pci/vfio_pci_config.c alloc_perm_bits
    fn alloc_perm_bits(size: usize) -> PermBits {
        let size = size.next_multiple_of(4);
        PermBits { virt: vec![0; size], write: vec![0; size] }
    }

    fn set(&mut self, off: usize, n: usize, virt: u32, write: u32) {
        self.virt[off..off + n].copy_from_slice(&virt.to_le_bytes()[..n]);
        self.write[off..off + n].copy_from_slice(&write.to_le_bytes()[..n]);
    }

    //= linux v7.3.4 drivers/vfio/pci/vfio_pci_config.c p_setb
    fn p_setb(&mut self, off: usize, virt: u32, write: u32) {
        self.set(off, 1, virt, write);
    }

    //= linux v7.3.4 drivers/vfio/pci/vfio_pci_config.c p_setw
    fn p_setw(&mut self, off: usize, virt: u32, write: u32) {
        self.set(off, 2, virt, write);
    }

    //= linux v7.3.4 drivers/vfio/pci/vfio_pci_config.c p_setd
    fn p_setd(&mut self, off: usize, virt: u32, write: u32) {
        self.set(off, 4, virt, write);
    }

    /// The virtualised and the writable bits of `count` bytes at `offset`.
    pub fn at(&self, offset: usize, count: usize) -> (u32, u32) {
        let word = |bytes: &[u8]| {
            let mut w = [0; 4];
            w[..count].copy_from_slice(&bytes[offset..offset + count]);
            u32::from_le_bytes(w)
        };
        (word(&self.virt), word(&self.write))
    }
}

/// Permissions for the standard header.
//= linux v7.3.4 drivers/vfio/pci/vfio_pci_config.c init_pci_cap_basic_perm
fn init_pci_cap_basic_perm() -> PermBits {
    let mut perm = PermBits::alloc_perm_bits(PCI_STD_HEADER_SIZEOF);

    /* Virtualized for SR-IOV functions, which just have FFFF */
    perm.p_setw(PCI_VENDOR_ID, ALL_VIRT, NO_WRITE);
    perm.p_setw(PCI_DEVICE_ID, ALL_VIRT, NO_WRITE);

    /* INTx disable is used internally for interrupt control */
    perm.p_setw(PCI_COMMAND, u32::from(PCI_COMMAND_INTX_DISABLE), ALL_WRITE);

    /* The capability list may be skipped or disabled */
    perm.p_setw(PCI_STATUS, u32::from(PCI_STATUS_CAP_LIST), NO_WRITE);

    /* No harm to write */
    perm.p_setb(PCI_CACHE_LINE_SIZE, NO_VIRT, ALL_WRITE);
    perm.p_setb(PCI_LATENCY_TIMER, NO_VIRT, ALL_WRITE);
    perm.p_setb(PCI_BIST, NO_VIRT, ALL_WRITE);

    /* All BARs are virtual: the real ones are not touched */
    for bar in (PCI_BASE_ADDRESS_0..=PCI_BASE_ADDRESS_5).step_by(4) {
        perm.p_setd(bar, ALL_VIRT, ALL_WRITE);
    }
    perm.p_setd(PCI_ROM_ADDRESS, ALL_VIRT, ALL_WRITE);

    /* The capability chain may be adjusted */
    perm.p_setb(PCI_CAPABILITY_LIST, ALL_VIRT, NO_WRITE);

    /* Sometimes used by software, just virtualize */
    perm.p_setb(PCI_INTERRUPT_LINE, ALL_VIRT, ALL_WRITE);

    /* The pin is virtual to allow hiding INTx */
    perm.p_setb(PCI_INTERRUPT_PIN, ALL_VIRT, NO_WRITE);

    perm
}

/// Permissions for the PCI Express capability.
//= linux v7.3.4 drivers/vfio/pci/vfio_pci_config.c init_pci_cap_exp_perm
fn init_pci_cap_exp_perm() -> PermBits {
    let mut perm = PermBits::alloc_perm_bits(PCI_CAP_EXP_ENDPOINT_SIZEOF_V2);

    perm.p_setb(PCI_CAP_LIST_NEXT, ALL_VIRT, NO_WRITE);

    /* Device control may be written, but for phantom functions; FLR, payload and read request sizes are virtual */
    let virt = PCI_EXP_DEVCTL_BCR_FLR | PCI_EXP_DEVCTL_PAYLOAD | PCI_EXP_DEVCTL_READRQ;
    perm.p_setw(PCI_EXP_DEVCTL, u32::from(virt), !u32::from(PCI_EXP_DEVCTL_PHANTOM));
    perm.p_setw(PCI_EXP_DEVCTL2, NO_VIRT, !u32::from(PCI_EXP_DEVCTL2_ARI));
    perm
}

/// Permissions for the Advanced Features capability.
//= linux v7.3.4 drivers/vfio/pci/vfio_pci_config.c init_pci_cap_af_perm
fn init_pci_cap_af_perm() -> PermBits {
    let mut perm = PermBits::alloc_perm_bits(PCI_CAP_AF_SIZEOF);

    perm.p_setb(PCI_CAP_LIST_NEXT, ALL_VIRT, NO_WRITE);
    perm.p_setb(PCI_AF_CTRL, u32::from(PCI_AF_CTRL_FLR), u32::from(PCI_AF_CTRL_FLR));
    perm
}

/// The tables of the capabilities that the modelled functions have.
#[derive(Debug)]
pub struct CapPerms {
    basic: PermBits,
    exp: PermBits,
    af: PermBits,
}

thread_local! {
    static CAP_PERMS: std::rc::Rc<CapPerms> = std::rc::Rc::new(CapPerms {
        basic: init_pci_cap_basic_perm(),
        exp: init_pci_cap_exp_perm(),
        af: init_pci_cap_af_perm(),
    });
}

/// The constant tables; computed once a thread, as the module computes them once when it is loaded.
//= linux v7.3.4 drivers/vfio/pci/vfio_pci_config.c vfio_pci_init_perm_bits
pub fn cap_perms() -> std::rc::Rc<CapPerms> {
    CAP_PERMS.with(std::rc::Rc::clone)
}

impl CapPerms {
    /// The permission bits of a capability; `None`: everything may be read, nothing is written.
    pub fn get(&self, cap_id: u8) -> Option<&PermBits> {
        match cap_id {
            PCI_CAP_ID_BASIC => Some(&self.basic),
            PCI_CAP_ID_EXP => Some(&self.exp),
            PCI_CAP_ID_AF => Some(&self.af),
            _ => None,
        }
    }
}

/// Length of a capability in bytes, as the user sees it; 0: removed from the list.
///
/// In C: `pci_cap_length`, drivers/vfio/pci/vfio_pci_config.c.
pub fn pci_cap_length(cap: u8) -> usize {
    match cap {
        PCI_CAP_ID_EXP => PCI_CAP_EXP_ENDPOINT_SIZEOF_V2,
        PCI_CAP_ID_AF => PCI_CAP_AF_SIZEOF,
        _ => 0,
    }
}
