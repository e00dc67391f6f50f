// SPDX-License-Identifier: GPL-2.0-only
//! Config space accessors: drivers/pci/access.c. They do not fail: no function is disconnected here yet.

use kernel_model::prelude::*;

use crate::dev::PciDev;

macro_rules! accessors {
    ($($read:ident $write:ident $user_read:ident $user_write:ident $t:ty;)*) => {$(
        /// Reads a register.
        #[track_caller]
        pub fn $read(dev: Kptr<PciDev>, offset: usize) -> $t {
            <$t>::from_le_bytes(dev.function.read(offset))
        }

        /// Writes a register.
        #[track_caller]
        pub fn $write(dev: Kptr<PciDev>, offset: usize, val: $t) {
            dev.function.write(offset, &val.to_le_bytes());
        }

        /// Reads a register on behalf of user space.
        ///
        /// # Errors
        /// None yet; the type is that of the C, whose callers check.
        #[track_caller]
        pub fn $user_read(dev: Kptr<PciDev>, offset: usize) -> KResult<$t> {
            Ok($read(dev, offset))
        }

        /// Writes a register on behalf of user space.
        ///
        /// # Errors
        /// As for the read.
        #[track_caller]
        pub fn $user_write(dev: Kptr<PciDev>, offset: usize, val: $t) -> KResult {
            $write(dev, offset, val);
            Ok(())
        }
    )*};
}

accessors! {
    pci_read_config_byte pci_write_config_byte pci_user_read_config_byte pci_user_write_config_byte u8;
    pci_read_config_word pci_write_config_word pci_user_read_config_word pci_user_write_config_word u16;
    pci_read_config_dword pci_write_config_dword pci_user_read_config_dword pci_user_write_config_dword u32;
}

/// Offset of a capability, 0 if the function has none of that kind.
//= linux v7.3.4 drivers/pci/pci.c pci_find_capability
pub fn pci_find_capability(dev: Kptr<PciDev>, cap: u8) -> usize {
    let mut pos = usize::from(pci_read_config_byte(dev, crate::regs::PCI_CAPABILITY_LIST));
    while pos != 0 {
        if pci_read_config_byte(dev, pos) == cap {
            return pos;
        }
        pos = usize::from(pci_read_config_byte(dev, pos + crate::regs::PCI_CAP_LIST_NEXT));
    }
    0
}
