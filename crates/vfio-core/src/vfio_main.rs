// SPDX-License-Identifier: GPL-2.0-only
//! VFIO devices.
//!
//! Transcribes: drivers/vfio/vfio_main.c, linux v7.3.4, in part: registration and feature checks.

use kernel_model::prelude::*;

/// A device set: the devices that are reset together. One device each, here.
///
/// In C: `vfio_device_set`, include/linux/vfio.h.
#[derive(Debug)]
pub struct VfioDeviceSet {
    /// Serialises open, close and reset of the devices of the set.
    pub lock: Mutex,
}

/// A VFIO device.
///
/// In C: `vfio_device`, include/linux/vfio.h.
#[derive(Debug)]
pub struct VfioDevice {
    /// Its set.
    pub dev_set: VfioDeviceSet,
    /// Registration references: one of the registration itself, one of each open file and of each buffer.
    pub refcount: RefcountT,
    /// Completed when the last registration reference is gone.
    pub comp: Completion,
}

impl VfioDevice {
    /// A registered device.
    //= linux v7.3.4 drivers/vfio/vfio_main.c __vfio_register_dev
    pub fn register() -> Self {
        VfioDevice {
            dev_set: VfioDeviceSet { lock: mutex_init("dev_set->lock") },
            refcount: refcount_set("device->refcount", 1),
            comp: init_completion("device->comp"),
        }
    }
}

/// Drops a registration reference.
//= linux v7.3.4 drivers/vfio/vfio_main.c vfio_device_put_registration
pub fn vfio_device_put_registration(device: &VfioDevice) {
    if refcount_dec_and_test(&device.refcount) {
        complete(&device.comp);
    }
}

/// Takes a registration reference unless the device is going away; says whether it did.
//= linux v7.3.4 drivers/vfio/vfio_main.c vfio_device_try_get_registration
pub fn vfio_device_try_get_registration(device: &VfioDevice) -> bool {
    refcount_inc_not_zero(&device.refcount)
}

/// Unregisters a device: waits until all registration references are gone.
//= linux v7.3.4 drivers/vfio/vfio_main.c vfio_unregister_group_dev
pub fn vfio_unregister_group_dev(device: &VfioDevice) {
    vfio_device_put_registration(device);
    wait_for_completion(&device.comp);
}

/// Flag of a feature call: get.
pub const VFIO_DEVICE_FEATURE_GET: u32 = 1 << 16;
/// Flag of a feature call: set.
pub const VFIO_DEVICE_FEATURE_SET: u32 = 1 << 17;
/// Flag of a feature call: is the feature there?
pub const VFIO_DEVICE_FEATURE_PROBE: u32 = 1 << 18;

/// Checks the flags and the size of a feature call.
///
/// `Ok(true)`: go on; `Ok(false)`: a probe, which succeeds.
///
/// # Errors
/// `EINVAL` for flags that the feature does not have or an argument that is too short.
//= linux v7.3.4 include/linux/vfio.h vfio_check_feature
pub fn vfio_check_feature(flags: u32, argsz: usize, supported_ops: u32, minsz: usize) -> KResult<bool> {
    if flags & (VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET) & !supported_ops != 0 {
        return Err(EINVAL);
    }
    if flags & VFIO_DEVICE_FEATURE_PROBE != 0 {
        return Ok(false);
    }
    /* Without PROBE one of GET or SET must be requested. */
    if flags & (VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_SET) == 0 {
        return Err(EINVAL);
    }
    if argsz < minsz {
        return Err(EINVAL);
    }
    Ok(true)
}
