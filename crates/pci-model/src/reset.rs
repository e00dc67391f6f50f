// SPDX-License-Identifier: GPL-2.0-only
//! Function resets: drivers/pci/pci.c. What each does to hardware is the table of [`crate::resets`].

use kernel_model::prelude::*;

use crate::access::*;
use crate::dev::PciDev;
pub use crate::power::pci_set_power_state;
use crate::quirks::{Quirk, has_quirk};
use crate::regs::*;
use crate::resets::ResetKind;
use crate::topology::pci_upstream_bridge;

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
pub(crate) fn pci_restore_config_space_range(pdev: Kptr<PciDev>, start: usize, end: usize) {
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
pub(crate) fn pci_dev_wait(dev: Kptr<PciDev>) -> KResult {
    // The reset takes up to 100 ms; the caller has slept that long.
    dev.function.end_reset();
    if dev.disconnected.get() {
        return Err(ENOTTY);
    }
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
fn pcie_reset_flr(dev: Kptr<PciDev>, probe: bool) -> KResult {
    if has_quirk(dev.vendor, dev.device, Quirk::NoFlr) {
        return Err(ENOTTY);
    }
    if !dev.flr {
        return Err(ENOTTY);
    }
    if probe {
        return Ok(());
    }
    pcie_flr(dev)
}

//= linux v7.3.4 drivers/pci/pci.c pci_af_flr
fn pci_af_flr(dev: Kptr<PciDev>, probe: bool) -> KResult {
    let pos = pci_find_capability(dev, PCI_CAP_ID_AF);
    if pos == 0 {
        return Err(ENOTTY);
    }
    if has_quirk(dev.vendor, dev.device, Quirk::NoFlr) {
        return Err(ENOTTY);
    }
    let cap = pci_read_config_byte(dev, pos + PCI_AF_CAP);
    if cap & PCI_AF_CAP_TP == 0 || cap & PCI_AF_CAP_FLR == 0 {
        return Err(ENOTTY);
    }
    if probe {
        return Ok(());
    }
    pci_write_config_byte(dev, pos + PCI_AF_CTRL, PCI_AF_CTRL_FLR);
    pci_dev_wait(dev)
}

//= linux v7.3.4 drivers/pci/pci.c pci_pm_reset
fn pci_pm_reset(dev: Kptr<PciDev>, probe: bool) -> KResult {
    if dev.pm_cap == 0 || has_quirk(dev.vendor, dev.device, Quirk::NoPmReset) {
        return Err(ENOTTY);
    }
    let mut csr = pci_read_config_word(dev, dev.pm_cap + PCI_PM_CTRL);
    if csr & PCI_PM_CTRL_NO_SOFT_RESET != 0 {
        return Err(ENOTTY);
    }
    if probe {
        return Ok(());
    }
    if dev.current_state.get() != PCI_D0 {
        return Err(EINVAL);
    }

    csr &= !PCI_PM_CTRL_STATE_MASK;
    csr |= PCI_D3HOT as u16;
    pci_write_config_word(dev, dev.pm_cap + PCI_PM_CTRL, csr);

    csr &= !PCI_PM_CTRL_STATE_MASK;
    csr |= PCI_D0 as u16;
    pci_write_config_word(dev, dev.pm_cap + PCI_PM_CTRL, csr);

    pci_dev_wait(dev)
}

//= linux v7.3.4 drivers/pci/pci.c pci_dev_reset_slot_function
fn pci_dev_reset_slot_function(dev: Kptr<PciDev>, probe: bool) -> KResult {
    let bus = dev.bus.borrow().clone();
    let alone = bus.as_ref().is_some_and(|b| b.devices.borrow().len() == 1);
    if !dev.slot.get() || !alone || has_quirk(dev.vendor, dev.device, Quirk::NoBusReset) {
        return Err(ENOTTY);
    }
    if probe {
        return Ok(());
    }
    reset_bus(dev, ResetKind::Slot)
}

//= linux v7.3.4 drivers/pci/pci.c pci_parent_bus_reset
fn pci_parent_bus_reset(dev: Kptr<PciDev>, probe: bool) -> KResult {
    let bus = dev.bus.borrow().clone();
    let Some(bus) = bus.filter(|b| b.self_.is_some()) else { return Err(ENOTTY) };
    if has_quirk(dev.vendor, dev.device, Quirk::NoBusReset) {
        return Err(ENOTTY);
    }
    if bus.devices.borrow().iter().any(|pdev| *pdev != dev) {
        return Err(ENOTTY);
    }
    if probe {
        return Ok(());
    }
    pci_bridge_secondary_bus_reset(dev)
}

/// Resets the bus that `dev` is on.
//= linux v7.3.4 drivers/pci/pci.c pci_bridge_secondary_bus_reset
fn pci_bridge_secondary_bus_reset(dev: Kptr<PciDev>) -> KResult {
    reset_bus(dev, ResetKind::Bus)
}

/// The hardware's side of a reset that takes a link down: every function on the bus is reset, then the link comes up.
#[track_caller]
fn reset_bus(dev: Kptr<PciDev>, kind: ResetKind) -> KResult {
    let bus = dev.bus.borrow().clone().ok_or(ENOTTY)?;
    let devices = bus.devices.borrow().clone();
    for pdev in &devices {
        pdev.function.reset(kind);
    }
    for pdev in &devices {
        pci_dev_wait(*pdev)?;
    }
    Ok(())
}

/// Error recovery resets the link that `dev` is on; its state is not saved.
///
/// # Errors
/// `ENOTTY` on a root bus, or when a device does not come back.
//= linux v7.3.4 drivers/pci/pci.c pci_bus_error_reset
pub fn pci_bus_error_reset(dev: Kptr<PciDev>) -> KResult {
    if pci_upstream_bridge(dev).is_none() {
        return Err(ENOTTY);
    }
    reset_bus(dev, ResetKind::Link)
}

//= linux v7.3.4 drivers/pci/pci.c pci_reset_bus_function
fn pci_reset_bus_function(dev: Kptr<PciDev>, probe: bool) -> KResult {
    match pci_dev_reset_slot_function(dev, probe) {
        Err(ENOTTY) => pci_parent_bus_reset(dev, probe),
        rc => rc,
    }
}

/// A way to reset a function.
///
/// In C: `pci_reset_fn_method`, drivers/pci/pci.h.
#[derive(Debug)]
pub struct PciResetFnMethod {
    reset_fn: fn(Kptr<PciDev>, bool) -> KResult,
    /// Its name in sysfs.
    pub name: &'static str,
}

/// The methods in the order in which they are tried. Device specific, ACPI and CXL methods are not modelled.
static PCI_RESET_FN_METHODS: [PciResetFnMethod; 4] = [
    PciResetFnMethod { reset_fn: pcie_reset_flr, name: "flr" },
    PciResetFnMethod { reset_fn: pci_af_flr, name: "af_flr" },
    PciResetFnMethod { reset_fn: pci_pm_reset, name: "pm" },
    PciResetFnMethod { reset_fn: pci_reset_bus_function, name: "bus" },
];

/// Finds out which methods a function has.
//= linux v7.3.4 drivers/pci/pci.c pci_init_reset_methods
pub(crate) fn pci_init_reset_methods(dev: Kptr<PciDev>) {
    let mut found = Vec::new();
    for method in &PCI_RESET_FN_METHODS {
        match (method.reset_fn)(dev, true) {
            Ok(()) => found.push(method),
            Err(ENOTTY) => {}
            Err(_) => break,
        }
    }
    *dev.reset_methods.borrow_mut() = found;
}

/// The names of the methods that a function has, as `reset_method` in sysfs shows them.
pub fn reset_methods(dev: Kptr<PciDev>) -> Vec<&'static str> {
    dev.reset_methods.borrow().iter().map(|m| m.name).collect()
}

/// Resets a function by the first method that it has; the caller holds the device lock.
///
/// # Errors
/// `ENOTTY` when there is none, or that of the method.
//= linux v7.3.4 drivers/pci/pci.c __pci_reset_function_locked
pub fn __pci_reset_function_locked(dev: Kptr<PciDev>) -> KResult {
    let methods = dev.reset_methods.borrow().clone();
    for method in methods {
        match (method.reset_fn)(dev, false) {
            Err(ENOTTY) => {}
            rc => return rc,
        }
    }
    Err(ENOTTY)
}

/// Puts the device into D0 and disables it, after its state was saved.
//= linux v7.3.4 drivers/pci/pci.c pci_dev_save_and_disable
fn pci_dev_save_and_disable(dev: Kptr<PciDev>) {
    // The C ignores the result.
    let _ = pci_set_power_state(dev, PCI_D0);
    pci_save_state(dev);
    pci_write_config_word(dev, PCI_COMMAND, PCI_COMMAND_INTX_DISABLE);
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
    if dev.reset_methods.borrow().is_empty() {
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
