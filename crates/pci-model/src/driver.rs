// SPDX-License-Identifier: GPL-2.0-only
//! Drivers and devices: drivers/base/dd.c, drivers/pci/pci-driver.c, drivers/pci/remove.c. Binding, unbinding, and
//! devices that are pulled out.

use kernel_model::prelude::*;

use crate::dev::PciDev;
use crate::p2pdma::pci_p2pdma_release;

/// A driver.
///
/// In C: `pci_driver`, include/linux/pci.h.
#[derive(Debug)]
pub struct PciDriver {
    /// Its name.
    pub name: &'static str,
    /// Takes a device.
    pub probe: fn(Kptr<PciDev>) -> KResult,
    /// Gives a device up, whether it is still there or not.
    pub remove: fn(Kptr<PciDev>),
}

/// Locks a device.
//= linux v7.3.4 include/linux/device.h device_lock
#[track_caller]
pub fn device_lock(dev: Kptr<PciDev>) {
    mutex_lock(&dev.device_lock);
}

/// Locks a device if nobody else has; says whether it did.
//= linux v7.3.4 include/linux/device.h device_trylock
#[track_caller]
pub fn device_trylock(dev: Kptr<PciDev>) -> bool {
    mutex_trylock(&dev.device_lock)
}

/// Unlocks a device.
//= linux v7.3.4 include/linux/device.h device_unlock
#[track_caller]
pub fn device_unlock(dev: Kptr<PciDev>) {
    mutex_unlock(&dev.device_lock);
}

/// Binds a driver.
///
/// # Errors
/// `EBUSY` when there is one, or what its `probe` says.
///
/// In C: `device_driver_attach`, drivers/base/dd.c.
#[track_caller]
pub fn device_driver_attach(drv: &'static PciDriver, dev: Kptr<PciDev>) -> KResult {
    device_lock(dev);
    let ret = if dev.driver.get().is_some() {
        Err(EBUSY)
    } else {
        let ret = (drv.probe)(dev);
        match ret {
            Ok(()) => dev.driver.set(Some(drv)),
            Err(_) => devres_release_all(dev),
        }
        ret
    };
    device_unlock(dev);
    ret
}

/// Unbinds the driver, if there is one. What was allocated on its behalf goes after its `remove`.
///
/// In C: `device_release_driver`, drivers/base/dd.c.
#[track_caller]
pub fn device_release_driver(dev: Kptr<PciDev>) {
    device_lock(dev);
    if let Some(drv) = dev.driver.take() {
        (drv.remove)(dev);
        devres_release_all(dev);
    }
    device_unlock(dev);
}

/// In C: `devres_release_all`, drivers/base/devres.c.
fn devres_release_all(dev: Kptr<PciDev>) {
    pci_p2pdma_release(dev);
}

/// The driver that is bound.
pub fn bound_driver(dev: Kptr<PciDev>) -> Option<&'static str> {
    dev.driver.get().map(|d| d.name)
}

/// Whether the core knows that the device is gone.
//= linux v7.3.4 include/linux/pci.h pci_dev_is_disconnected
pub fn pci_dev_is_disconnected(dev: Kptr<PciDev>) -> bool {
    dev.disconnected.get()
}

/// A device was pulled out: the core marks it and unbinds its driver. The hardware is gone before anybody knows, see
/// [`crate::function::Function::unplug`].
//= linux v7.3.4 drivers/pci/hotplug/pciehp_pci.c pciehp_unconfigure_device
#[track_caller]
pub fn pciehp_unconfigure_device(dev: Kptr<PciDev>) {
    dev.disconnected.set(true);
    device_release_driver(dev);
}
