// SPDX-License-Identifier: GPL-2.0-only
//! Power states: drivers/pci/pci.c. D0, D3hot by the PM capability, D3cold by the platform.

use kernel_model::prelude::*;

use crate::access::*;
use crate::dev::PciDev;
use crate::regs::*;
use crate::reset::{pci_dev_wait, pci_restore_config_space_range};

/// Brings a device to D0; says whether it lost its state.
//= linux v7.3.4 drivers/pci/pci.c pci_power_up
fn pci_power_up(dev: Kptr<PciDev>) -> KResult<bool> {
    if dev.current_state.get() == PCI_D3COLD && !dev.disconnected.get() {
        // platform_pci_set_power_state(): main power comes on.
        dev.function.set_powered(true);
        dev.function.end_reset();
    }
    if dev.pm_cap == 0 {
        dev.current_state.set(PCI_D0);
        return Err(EIO);
    }
    if dev.disconnected.get() {
        dev.current_state.set(PCI_D3COLD);
        return Err(EIO);
    }
    let pmcsr = pci_read_config_word(dev, dev.pm_cap + PCI_PM_CTRL);
    if pmcsr == u16::MAX {
        dev.current_state.set(PCI_D3COLD);
        return Err(EIO);
    }
    let state = u32::from(pmcsr & PCI_PM_CTRL_STATE_MASK);
    let soft_reset = pmcsr & PCI_PM_CTRL_NO_SOFT_RESET == 0;
    let need_restore = (state == PCI_D3HOT || dev.current_state.get() >= PCI_D3HOT) && soft_reset;
    if state != PCI_D0 {
        pci_write_config_word(dev, dev.pm_cap + PCI_PM_CTRL, 0);
        if state == PCI_D3HOT && soft_reset && pci_dev_wait(dev).is_err() {
            dev.current_state.set(PCI_D3COLD);
            return Err(EIO);
        }
    }
    dev.current_state.set(PCI_D0);
    Ok(need_restore)
}

/// Restores the BARs from the saved state, so that the device is accessible again.
//= linux v7.3.4 drivers/pci/pci.c pci_restore_bars
fn pci_restore_bars(dev: Kptr<PciDev>) {
    pci_restore_config_space_range(dev, 4, 9);
}

//= linux v7.3.4 drivers/pci/pci.c pci_set_full_power_state
fn pci_set_full_power_state(dev: Kptr<PciDev>) -> KResult {
    match pci_power_up(dev) {
        Err(_) if dev.current_state.get() == PCI_D0 => Ok(()),
        Err(ret) => Err(ret),
        Ok(need_restore) => {
            if need_restore {
                pci_restore_bars(dev);
            }
            Ok(())
        }
    }
}

//= linux v7.3.4 drivers/pci/pci.c pci_set_low_power_state
fn pci_set_low_power_state(dev: Kptr<PciDev>, state: u32) -> KResult {
    if dev.pm_cap == 0 {
        return Err(EIO);
    }
    if dev.current_state.get() <= PCI_D3COLD && dev.current_state.get() > state {
        return Err(EINVAL);
    }
    if dev.current_state.get() == state {
        return Ok(());
    }
    let mut pmcsr = pci_read_config_word(dev, dev.pm_cap + PCI_PM_CTRL);
    if pmcsr == u16::MAX {
        dev.current_state.set(PCI_D3COLD);
        return Err(EIO);
    }
    pmcsr &= !PCI_PM_CTRL_STATE_MASK;
    pmcsr |= state as u16;
    pci_write_config_word(dev, dev.pm_cap + PCI_PM_CTRL, pmcsr);
    let pmcsr = pci_read_config_word(dev, dev.pm_cap + PCI_PM_CTRL);
    dev.current_state.set(u32::from(pmcsr & PCI_PM_CTRL_STATE_MASK));
    Ok(())
}

/// Puts a device into a power state: D0, D3hot or D3cold. D1 and D2 are not implemented by any device here, and asking
/// for them does nothing.
///
/// # Errors
/// `EIO` when the device cannot be reached or has no PM capability, `EINVAL` for a transition that is not allowed.
//= linux v7.3.4 drivers/pci/pci.c pci_set_power_state
pub fn pci_set_power_state(dev: Kptr<PciDev>, state: u32) -> KResult {
    let state = state.min(PCI_D3COLD);
    if dev.current_state.get() == state {
        return Ok(());
    }
    if state == PCI_D0 {
        return pci_set_full_power_state(dev);
    }
    if state != PCI_D3HOT && state != PCI_D3COLD {
        return Ok(());
    }
    let error = pci_set_low_power_state(dev, PCI_D3HOT);
    if state == PCI_D3COLD && error.is_ok() {
        dev.function.set_powered(false);
        dev.current_state.set(PCI_D3COLD);
    }
    error
}
