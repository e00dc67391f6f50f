// SPDX-License-Identifier: GPL-2.0-only
//! The core of vfio-pci: opening and closing a device, and `VFIO_DEVICE_RESET`.
//!
//! Transcribes: drivers/vfio/pci/vfio_pci_core.c, linux v7.3.4, in part: enable, disable, close and reset. There are no
//! interrupts, regions or CPU mappings in the model yet.
//!
//! Kernel file: drivers/vfio/pci/vfio_pci_core.c
//! Version: v7.3.4
//! Parent: none
//! Intent: part buffers from the device before it is disabled, and revoke them around a reset.

use std::cell::{Cell, RefCell};

use kernel_model::prelude::*;
use pci_model::PciDev;
use pci_model::access::*;
use pci_model::dev::pci_resource_len;
use pci_model::p2pdma::pcim_p2pdma_init;
use pci_model::regs::*;
use pci_model::reset::*;
use vfio_core::prelude::*;

use crate::core_device::*;
use crate::revision::*;

/// Sets the power state.
///
/// Context: `memory_lock` held for write when the state is not D0.
///
/// # Errors
/// That of the PCI core.
//= linux v7.3.4 drivers/vfio/pci/vfio_pci_core.c vfio_pci_set_power_state
fn vfio_pci_set_power_state(vdev: Vdev, state: u32) -> KResult {
    if state > PCI_D0 {
        lockdep_assert_held_write(&vdev.memory_lock);
    }

    pci_set_power_state(vdev.pdev, state)
}

//= linux v7.3.4 drivers/vfio/pci/vfio_pci_core.c __vfio_pci_runtime_pm_exit
fn __vfio_pci_runtime_pm_exit(vdev: Vdev) {
    if vdev.pm_runtime_engaged.get() {
        vdev.pm_runtime_engaged.set(false);
    }
}

//= linux v7.3.4 drivers/vfio/pci/vfio_pci_core.c vfio_pci_runtime_pm_exit
fn vfio_pci_runtime_pm_exit(vdev: Vdev) {
    /* The power related flags are protected with memory_lock. */
    down_write(&vdev.memory_lock);
    __vfio_pci_runtime_pm_exit(vdev);
    if __vfio_pci_memory_enabled(vdev) {
        vfio_pci_dma_buf_move(vdev, false);
    }
    up_write(&vdev.memory_lock);
}

/// Claims the BARs when the device is opened. Failures are soft: whoever uses a BAR checks.
//= linux v7.3.4 drivers/vfio/pci/vfio_pci_core.c vfio_pci_core_map_bars
fn vfio_pci_core_map_bars(vdev: Vdev) {
    let pdev = vdev.pdev;

    for bar in 0..PCI_STD_NUM_BARS {
        let mut barmap = vdev.barmap.borrow_mut();
        barmap[bar] = Some(Err(ENODEV));

        if pdev.non_mappable_bars {
            continue;
        }

        if pci_resource_len(pdev, bar) == 0 {
            continue;
        }

        /* Nobody else claims resources in the model yet: the request succeeds. */
        barmap[bar] = Some(Ok(()));
    }
}

/// The first open of a device.
///
/// Context: `dev_set->lock` held.
//= linux v7.3.4 drivers/vfio/pci/vfio_pci_core.c vfio_pci_core_enable
pub(super) fn vfio_pci_core_enable(vdev: Vdev) -> KResult {
    let pdev = vdev.pdev;

    /* The saved state is not to include bus master. */
    pci_clear_master(pdev);

    pci_enable_device(pdev)?;

    /* If the reset fails because of the device lock, fail this path entirely. */
    let ret = pci_try_reset_function(pdev);
    if ret == Err(EAGAIN) {
        /* out_disable_device: */
        pci_disable_device(pdev);
        return ret;
    }

    vdev.reset_works.set(ret.is_ok());
    pci_save_state(pdev);
    vdev.pci_saved_state.set(Some(pci_store_saved_state(pdev)));

    if let Err(ret) = vfio_config_init(vdev) {
        /* out_free_state: */
        vdev.pci_saved_state.set(None);
        pci_disable_device(pdev);
        return Err(ret);
    }

    vfio_pci_core_map_bars(vdev);

    Ok(())
}

/// Disables a device after its last close.
///
/// Context: `dev_set->lock` held.
//= linux v7.3.4 drivers/vfio/pci/vfio_pci_core.c vfio_pci_core_disable
fn vfio_pci_core_disable(vdev: Vdev) {
    let pdev = vdev.pdev;

    vfio_pci_runtime_pm_exit(vdev);

    let _ = vfio_pci_set_power_state(vdev, PCI_D0);

    /* Stop the device from further DMA */
    pci_clear_master(pdev);

    vfio_config_free(vdev);

    for slot in vdev.barmap.borrow_mut().iter_mut() {
        if *slot != Some(Ok(())) {
            continue;
        }
        *slot = None;
    }

    vdev.needs_reset.set(true);

    /*
     * If we have saved state, restore it. If we can reset the device, even better.
     */
    if let Some(state) = vdev.pci_saved_state.take() {
        pci_load_and_free_saved_state(pdev, state);
    }

    /*
     * Disable INTx and MSI, to avoid spurious interrupts during reset.
     */
    pci_write_config_word(pdev, PCI_COMMAND, PCI_COMMAND_INTX_DISABLE);

    /*
     * The device lock is only tried, to prevent a deadlock. The "try" reset interface would overwrite the state that
     * was loaded.
     */
    if vdev.reset_works.get() && pci_dev_trylock(pdev) {
        if __pci_reset_function_locked(pdev).is_ok() {
            vdev.needs_reset.set(false);
        }
        pci_dev_unlock(pdev);
    }

    pci_restore_state(pdev);
    pci_disable_device(pdev);
}

/// The last close of a device.
///
/// Context: `dev_set->lock` held.
//= linux v7.3.4 drivers/vfio/pci/vfio_pci_core.c vfio_pci_core_close_device
pub(super) fn vfio_pci_core_close_device(vdev: Vdev) {
    vfio_pci_dma_buf_cleanup(vdev);

    vfio_pci_core_disable(vdev);
}

/// `VFIO_DEVICE_RESET`.
///
/// Context: process, from an ioctl. May sleep.
//= linux v7.3.4 drivers/vfio/pci/vfio_pci_core.c vfio_pci_ioctl_reset
pub(super) fn vfio_pci_ioctl_reset(vdev: Vdev) -> KResult {
    if !vdev.reset_works.get() {
        return Err(EINVAL);
    }

    vfio_pci_zap_and_down_write_memory_lock(vdev);

    /*
     * The power state may not be D0; the reset would then change it without vfio, and lose state that vfio keeps.
     */
    let _ = vfio_pci_set_power_state(vdev, PCI_D0);

    vfio_pci_dma_buf_move(vdev, true);
    let ret = pci_try_reset_function(vdev.pdev);
    if __vfio_pci_memory_enabled(vdev) {
        vfio_pci_dma_buf_move(vdev, false);
    }
    up_write(&vdev.memory_lock);

    ret
}

/// Takes `memory_lock` for write. There are no CPU mappings to zap in the model yet.
//= linux v7.3.4 drivers/vfio/pci/vfio_pci_core.c vfio_pci_zap_and_down_write_memory_lock
pub(super) fn vfio_pci_zap_and_down_write_memory_lock(vdev: Vdev) {
    down_write(&vdev.memory_lock);
}

/// Makes the structure for a PCI device.
///
/// # Errors
/// `ENOMEM`, and that of the peer-to-peer providers.
//= linux v7.3.4 drivers/vfio/pci/vfio_pci_core.c vfio_pci_core_init_dev
pub(super) fn vfio_pci_core_init_dev(pdev: Kptr<PciDev>) -> KResult<Vdev> {
    let ret = pcim_p2pdma_init(pdev);
    if ret.is_err() && ret != Err(EOPNOTSUPP) {
        ret?;
    }
    kzalloc(VfioPciCoreDevice {
        vdev: VfioDevice::register(),
        pdev,
        pci_ops: Some(&VFIO_PCI_DEV_OPS),
        barmap: RefCell::new([None; PCI_STD_NUM_BARS]),
        pci_config_map: RefCell::new(Vec::new()),
        vconfig: Plain::new("vdev->vconfig", None),
        rbar: Cell::new([0; 7]),
        reset_works: Cell::new(false),
        needs_reset: Cell::new(false),
        pm_runtime_engaged: Plain::new("vdev->pm_runtime_engaged", false),
        pci_saved_state: Cell::new(None),
        memory_lock: init_rwsem("vdev->memory_lock"),
        dmabufs: INIT_LIST_HEAD("vdev->dmabufs"),
    })
}
