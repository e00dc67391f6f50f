// SPDX-License-Identifier: GPL-2.0-only
//! Runtime power management: drivers/base/power/runtime.c, drivers/pci/pci-driver.c. A usage count, and a worker that
//! suspends the device when it is 0.
//!
//! The guarantee: while somebody holds a usage reference that came from a resume, the device is in D0.

use std::cell::Cell as StdCell;
use std::fmt;

use explorer::sync::Cell;
use kernel_model::prelude::*;

use crate::dev::PciDev;
use crate::power::pci_set_power_state;
use crate::regs::*;
use crate::reset::{pci_restore_state, pci_save_state};

/// What the core believes of the device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RpmStatus {
    /// Usable.
    Active,
    /// Asleep.
    Suspended,
}

/// The part of a device that power management owns.
pub struct DevPmInfo {
    /// Serialises suspend and resume: `power.lock` with the waiting that its states stand for.
    lock: Mutex,
    usage_count: Cell<i64>,
    status: StdCell<RpmStatus>,
    /// The state to which it suspends: D3hot or D3cold.
    pub suspend_to: StdCell<u32>,
}

impl fmt::Debug for DevPmInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DevPmInfo({:?})", self.status.get())
    }
}

impl DevPmInfo {
    /// Active, with the one reference that the driver core holds.
    pub(crate) fn new() -> Self {
        DevPmInfo {
            lock: mutex_init("dev->power.lock"),
            usage_count: Cell::new("dev->power.usage_count", 1),
            status: StdCell::new(RpmStatus::Active),
            suspend_to: StdCell::new(PCI_D3HOT),
        }
    }

    /// What the core believes.
    pub fn status(&self) -> RpmStatus {
        self.status.get()
    }
}

/// Suspends the device if nobody uses it.
///
/// In C: `rpm_suspend`, drivers/base/power/runtime.c.
#[track_caller]
fn rpm_suspend(dev: Kptr<PciDev>) -> KResult {
    mutex_lock(&dev.power.lock);
    let busy = dev.power.usage_count.load() > 0;
    let retval = if busy {
        Err(EAGAIN)
    } else if dev.power.status.get() == RpmStatus::Suspended {
        Ok(())
    } else {
        pci_pm_runtime_suspend(dev)
    };
    if retval.is_ok() {
        dev.power.status.set(RpmStatus::Suspended);
    }
    mutex_unlock(&dev.power.lock);
    retval
}

/// Resumes the device.
///
/// In C: `rpm_resume`, drivers/base/power/runtime.c.
#[track_caller]
fn rpm_resume(dev: Kptr<PciDev>) -> KResult {
    mutex_lock(&dev.power.lock);
    let mut retval = Ok(());
    if dev.power.status.get() == RpmStatus::Suspended {
        retval = pci_pm_runtime_resume(dev);
        if retval.is_ok() {
            dev.power.status.set(RpmStatus::Active);
        }
    }
    mutex_unlock(&dev.power.lock);
    retval
}

//= linux v7.3.4 drivers/pci/pci-driver.c pci_pm_runtime_suspend
fn pci_pm_runtime_suspend(dev: Kptr<PciDev>) -> KResult {
    pci_save_state(dev);
    pci_set_power_state(dev, dev.power.suspend_to.get())
}

//= linux v7.3.4 drivers/pci/pci-driver.c pci_pm_runtime_resume
fn pci_pm_runtime_resume(dev: Kptr<PciDev>) -> KResult {
    pci_set_power_state(dev, PCI_D0)?;
    pci_restore_state(dev);
    Ok(())
}

/// Takes a usage reference and resumes the device; on failure the reference is dropped again.
///
/// # Errors
/// `EIO` when the device does not come back.
//= linux v7.3.4 include/linux/pm_runtime.h pm_runtime_resume_and_get
#[track_caller]
pub fn pm_runtime_resume_and_get(dev: Kptr<PciDev>) -> KResult {
    dev.power.usage_count.fetch_update(|n| n + 1);
    let ret = rpm_resume(dev);
    if ret.is_err() {
        dev.power.usage_count.fetch_update(|n| n - 1);
    }
    ret
}

/// Drops a usage reference; the worker suspends the device later.
//= linux v7.3.4 include/linux/pm_runtime.h pm_runtime_put_noidle
#[track_caller]
pub fn pm_runtime_put_noidle(dev: Kptr<PciDev>) {
    let old = dev.power.usage_count.fetch_update(|n| n - 1);
    WARN_ON(old <= 0, "Runtime PM usage count underflow!");
}

/// What the worker does once: an idle device is suspended. Run by a task of its own.
///
/// # Errors
/// `EAGAIN` when the device is in use.
///
/// In C: `pm_runtime_work`, drivers/base/power/runtime.c.
#[track_caller]
pub fn pm_runtime_work(dev: Kptr<PciDev>) -> KResult {
    rpm_suspend(dev)
}

/// A wake event (PME): the device asks to be resumed.
///
/// # Errors
/// `EIO` when it does not come back.
//= linux v7.3.4 drivers/pci/pci.c pci_pme_wakeup
#[track_caller]
pub fn pci_pme_wakeup(dev: Kptr<PciDev>) -> KResult {
    rpm_resume(dev)
}
