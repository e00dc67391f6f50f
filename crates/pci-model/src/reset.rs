// SPDX-License-Identifier: GPL-2.0-only
//! Function resets: drivers/pci/pci.c. FLR of the PCIe and the AF capability.

use kernel_model::prelude::*;

use crate::access::*;
use crate::dev::PciDev;
use crate::regs::*;

/// Enables a device: memory and I/O space come on.
///
/// # Errors
/// None yet.
//= linux v7.3.4 drivers/pci/pci.c pci_enable_device
pub fn pci_enable_device(dev: Kptr<PciDev>) -> KResult {
    let cmd = pci_read_config_word(dev, PCI_COMMAND);
    pci_write_config_word(dev, PCI_COMMAND, cmd | PCI_COMMAND_MEMORY);
    Ok(())
}

/// Disables a device: it may not be bus master any more. Memory space stays as it is.
//= linux v7.3.4 drivers/pci/pci.c pci_disable_device
pub fn pci_disable_device(dev: Kptr<PciDev>) {
    pci_clear_master(dev);
}

/// Stops the device from being bus master.
//= linux v7.3.4 drivers/pci/pci.c pci_clear_master
pub fn pci_clear_master(dev: Kptr<PciDev>) {
    let cmd = pci_read_config_word(dev, PCI_COMMAND);
    if cmd & PCI_COMMAND_MASTER != 0 {
        pci_write_config_word(dev, PCI_COMMAND, cmd & !PCI_COMMAND_MASTER);
    }
}

/// Saves the standard header and the PCIe control registers.
//= linux v7.3.4 drivers/pci/pci.c pci_save_state
pub fn pci_save_state(dev: Kptr<PciDev>) {
    dev.saved_config_space.set(std::array::from_fn(|i| pci_read_config_dword(dev, i * 4)));
    let exp = pci_find_capability(dev, PCI_CAP_ID_EXP);
    dev.saved_devctl.set(pci_read_config_word(dev, exp + PCI_EXP_DEVCTL));
}

//= linux v7.3.4 drivers/pci/pci.c pci_restore_config_dword
fn pci_restore_config_dword(pdev: Kptr<PciDev>, offset: usize, saved_val: u32) {
    let val = pci_read_config_dword(pdev, offset);
    if val == saved_val {
        return;
    }

    pci_write_config_dword(pdev, offset, saved_val);
}

//= linux v7.3.4 drivers/pci/pci.c pci_restore_config_space_range
fn pci_restore_config_space_range(pdev: Kptr<PciDev>, start: usize, end: usize) {
    for index in (start..=end).rev() {
        pci_restore_config_dword(pdev, 4 * index, pdev.saved_config_space.get()[index]);
    }
}

/// Restores what [`pci_save_state`] saved: BARs before the command register.
//= linux v7.3.4 drivers/pci/pci.c pci_restore_state
pub fn pci_restore_state(dev: Kptr<PciDev>) {
    let exp = pci_find_capability(dev, PCI_CAP_ID_EXP);
    pci_write_config_word(dev, exp + PCI_EXP_DEVCTL, dev.saved_devctl.get());
    pci_restore_config_space_range(dev, 10, 15);
    pci_restore_config_space_range(dev, 4, 9);
    pci_restore_config_space_range(dev, 0, 3);
}

/// The state that a driver keeps from its first enabling.
pub type PciSavedState = [u32; 16];

/// A copy of the saved state.
//= linux v7.3.4 drivers/pci/pci.c pci_store_saved_state
pub fn pci_store_saved_state(dev: Kptr<PciDev>) -> PciSavedState {
    dev.saved_config_space.get()
}

/// Makes a copy the saved state again.
//= linux v7.3.4 drivers/pci/pci.c pci_load_and_free_saved_state
pub fn pci_load_and_free_saved_state(dev: Kptr<PciDev>, state: PciSavedState) {
    dev.saved_config_space.set(state);
}

/// Waits until the function answers after a reset.
//= linux v7.3.4 drivers/pci/pci.c pci_dev_wait
fn pci_dev_wait(dev: Kptr<PciDev>) -> KResult {
    // The reset takes up to 100 ms; the caller has slept that long.
    dev.function.end_reset();
    if pci_read_config_dword(dev, PCI_COMMAND) == u32::MAX {
        return Err(ENOTTY);
    }
    Ok(())
}

/// Function level reset through the PCIe capability.
///
/// # Errors
/// `ENOTTY` when the function does not come back.
//= linux v7.3.4 drivers/pci/pci.c pcie_flr
pub fn pcie_flr(dev: Kptr<PciDev>) -> KResult {
    let exp = pci_find_capability(dev, PCI_CAP_ID_EXP);
    let ctl = pci_read_config_word(dev, exp + PCI_EXP_DEVCTL);
    pci_write_config_word(dev, exp + PCI_EXP_DEVCTL, ctl | PCI_EXP_DEVCTL_BCR_FLR);
    pci_dev_wait(dev)
}

//= linux v7.3.4 drivers/pci/pci.c pcie_reset_flr
fn pcie_reset_flr(dev: Kptr<PciDev>) -> KResult {
    if !dev.flr {
        return Err(ENOTTY);
    }
    pcie_flr(dev)
}

//= linux v7.3.4 drivers/pci/pci.c pci_af_flr
fn pci_af_flr(dev: Kptr<PciDev>) -> KResult {
    let pos = pci_find_capability(dev, PCI_CAP_ID_AF);
    if pos == 0 {
        return Err(ENOTTY);
    }
    let cap = pci_read_config_byte(dev, pos + PCI_AF_CAP);
    if cap & PCI_AF_CAP_TP == 0 || cap & PCI_AF_CAP_FLR == 0 {
        return Err(ENOTTY);
    }
    pci_write_config_byte(dev, pos + PCI_AF_CTRL, PCI_AF_CTRL_FLR);
    pci_dev_wait(dev)
}

/// Resets a function by the first method that it has; the caller holds the device lock.
///
/// # Errors
/// `ENOTTY` when there is none, or that of the method.
//= linux v7.3.4 drivers/pci/pci.c __pci_reset_function_locked
pub fn __pci_reset_function_locked(dev: Kptr<PciDev>) -> KResult {
    match pcie_reset_flr(dev) {
        Err(ENOTTY) => pci_af_flr(dev),
        rc => rc,
    }
}

/// Puts the device into D0 and disables it, after its state was saved.
//= linux v7.3.4 drivers/pci/pci.c pci_dev_save_and_disable
fn pci_dev_save_and_disable(dev: Kptr<PciDev>) {
    // The C ignores the result.
    let _ = pci_set_power_state(dev, PCI_D0);
    pci_save_state(dev);
    pci_write_config_word(dev, PCI_COMMAND, PCI_COMMAND_INTX_DISABLE);
}

/// Sets the power state that the core believes in. Functions have no power management capability yet: only D0.
///
/// # Errors
/// `EIO` for another state.
//= linux v7.3.4 drivers/pci/pci.c pci_set_power_state
pub fn pci_set_power_state(dev: Kptr<PciDev>, state: u32) -> KResult {
    if state != dev.current_state.get() {
        return Err(EIO);
    }
    Ok(())
}

//= linux v7.3.4 drivers/pci/pci.c pci_dev_restore
fn pci_dev_restore(dev: Kptr<PciDev>) {
    pci_restore_state(dev);
}

/// Takes the device lock if it is free.
//= linux v7.3.4 drivers/pci/pci.c pci_dev_trylock
pub fn pci_dev_trylock(dev: Kptr<PciDev>) -> bool {
    mutex_trylock(&dev.device_lock)
}

/// Releases the device lock.
//= linux v7.3.4 drivers/pci/pci.c pci_dev_unlock
pub fn pci_dev_unlock(dev: Kptr<PciDev>) {
    mutex_unlock(&dev.device_lock);
}

/// Resets a function unless its device lock is taken.
///
/// # Errors
/// `ENOTTY` without a reset method, `EAGAIN` when the device lock is taken.
//= linux v7.3.4 drivers/pci/pci.c pci_try_reset_function
pub fn pci_try_reset_function(dev: Kptr<PciDev>) -> KResult {
    if !dev.flr && !dev.af_flr {
        return Err(ENOTTY);
    }

    if !pci_dev_trylock(dev) {
        return Err(EAGAIN);
    }

    pci_dev_save_and_disable(dev);
    let rc = __pci_reset_function_locked(dev);
    pci_dev_restore(dev);
    pci_dev_unlock(dev);

    rc
}
