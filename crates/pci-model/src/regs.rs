// SPDX-License-Identifier: GPL-2.0-only
//! Register offsets and bits: include/uapi/linux/pci_regs.h, in the header's order.
#![expect(missing_docs, reason = "the names are the header's")]

pub const PCI_CFG_SPACE_SIZE: usize = 256;
pub const PCI_STD_HEADER_SIZEOF: usize = 64;
pub const PCI_STD_NUM_BARS: usize = 6;

pub const PCI_VENDOR_ID: usize = 0x00;
pub const PCI_DEVICE_ID: usize = 0x02;
pub const PCI_COMMAND: usize = 0x04;
pub const PCI_COMMAND_IO: u16 = 0x1;
pub const PCI_COMMAND_MEMORY: u16 = 0x2;
pub const PCI_COMMAND_MASTER: u16 = 0x4;
pub const PCI_COMMAND_INTX_DISABLE: u16 = 0x400;
pub const PCI_STATUS: usize = 0x06;
pub const PCI_STATUS_CAP_LIST: u16 = 0x10;
pub const PCI_CACHE_LINE_SIZE: usize = 0x0c;
pub const PCI_LATENCY_TIMER: usize = 0x0d;
pub const PCI_BIST: usize = 0x0f;
pub const PCI_BASE_ADDRESS_0: usize = 0x10;
pub const PCI_BASE_ADDRESS_5: usize = 0x24;
pub const PCI_BASE_ADDRESS_SPACE_IO: u32 = 0x01;
pub const PCI_BASE_ADDRESS_MEM_TYPE_64: u32 = 0x04;
pub const PCI_BASE_ADDRESS_MEM_PREFETCH: u32 = 0x08;
pub const PCI_ROM_ADDRESS: usize = 0x30;
pub const PCI_ROM_ADDRESS_ENABLE: u32 = 0x01;
pub const PCI_CAPABILITY_LIST: usize = 0x34;
pub const PCI_INTERRUPT_LINE: usize = 0x3c;
pub const PCI_INTERRUPT_PIN: usize = 0x3d;

pub const PCI_CAP_LIST_ID: usize = 0;
pub const PCI_CAP_LIST_NEXT: usize = 1;
pub const PCI_CAP_ID_PM: u8 = 0x01;
pub const PCI_CAP_ID_EXP: u8 = 0x10;
pub const PCI_CAP_ID_MSIX: u8 = 0x11;
pub const PCI_CAP_ID_AF: u8 = 0x13;
pub const PCI_CAP_ID_MAX: u8 = 0x14;
pub const PCI_CAP_SIZEOF: usize = 4;

pub const PCI_PM_CTRL: usize = 4;
pub const PCI_PM_CTRL_STATE_MASK: u16 = 0x0003;
pub const PCI_PM_CTRL_NO_SOFT_RESET: u16 = 0x0008;
pub const PCI_PM_CTRL_PME_ENABLE: u16 = 0x0100;
pub const PCI_PM_CTRL_PME_STATUS: u16 = 0x8000;
pub const PCI_PM_SIZEOF: usize = 8;

pub const PCI_MSIX_FLAGS: usize = 2;
pub const PCI_MSIX_FLAGS_QSIZE: u16 = 0x07ff;
pub const PCI_MSIX_FLAGS_MASKALL: u16 = 0x4000;
pub const PCI_MSIX_FLAGS_ENABLE: u16 = 0x8000;
pub const PCI_MSIX_TABLE: usize = 4;
pub const PCI_MSIX_TABLE_BIR: u32 = 0x7;
pub const PCI_MSIX_PBA: usize = 8;
pub const PCI_MSIX_ENTRY_SIZE: u64 = 16;

pub const PCI_ACS_RR: u16 = 0x0004;
pub const PCI_ACS_CR: u16 = 0x0008;
pub const PCI_ACS_EC: u16 = 0x0020;

pub const PCI_EXP_FLAGS: usize = 0x02;
pub const PCI_EXP_DEVCAP: usize = 0x04;
pub const PCI_EXP_DEVCAP_FLR: u32 = 0x1000_0000;
pub const PCI_EXP_DEVCTL: usize = 0x08;
pub const PCI_EXP_DEVCTL_PAYLOAD: u16 = 0x00e0;
pub const PCI_EXP_DEVCTL_PHANTOM: u16 = 0x0200;
pub const PCI_EXP_DEVCTL_READRQ: u16 = 0x7000;
pub const PCI_EXP_DEVCTL_BCR_FLR: u16 = 0x8000;
pub const PCI_EXP_DEVCTL2: usize = 0x28;
pub const PCI_EXP_DEVCTL2_ARI: u16 = 0x0020;
pub const PCI_CAP_EXP_ENDPOINT_SIZEOF_V2: usize = 0x2c;

pub const PCI_AF_LENGTH: usize = 2;
pub const PCI_AF_CAP: usize = 3;
pub const PCI_AF_CAP_TP: u8 = 0x01;
pub const PCI_AF_CAP_FLR: u8 = 0x02;
pub const PCI_AF_CTRL: usize = 4;
pub const PCI_AF_CTRL_FLR: u8 = 0x01;
pub const PCI_CAP_AF_SIZEOF: usize = 6;

/// Power states: include/linux/pci.h `pci_power_t`.
pub const PCI_D0: u32 = 0;
pub const PCI_D3HOT: u32 = 3;
pub const PCI_D3COLD: u32 = 4;
pub const PCI_UNKNOWN: u32 = 5;
