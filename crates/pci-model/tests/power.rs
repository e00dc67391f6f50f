// SPDX-License-Identifier: GPL-2.0-only
//! Power states, runtime power management, claims, drivers, and devices that are pulled out.

mod common;

use std::cell::Cell;

use common::*;
use explorer::spawn;
use kernel_model::prelude::*;
use pci_model::Dead;
use pci_model::access::*;
use pci_model::dev::*;
use pci_model::driver::*;
use pci_model::p2pdma::*;
use pci_model::power::*;
use pci_model::regs::*;
use pci_model::reset::*;
use pci_model::resource::*;
use pci_model::rpm::*;
use pci_model::spec::*;

const BAR: u64 = 0xe000_0000;
const DEV: DeviceSpec = DeviceSpec {
    name: "dev",
    bars: &[BarSpec::mem32(BAR as u32, 0x1000), BarSpec::None, BarSpec::Io { port: 0x3000, size: 16 }],
    pm: Some(PmSpec { no_soft_reset: false }),
    ..DeviceSpec::ENDPOINT
};

#[test]
fn d3_and_back_restores_the_bars_but_not_the_command_register() {
    for state in [PCI_D3HOT, PCI_D3COLD] {
        holds(move || {
            let dev = device(&DEV);
            pci_enable_device(dev).unwrap();
            pci_save_state(dev);
            pci_set_power_state(dev, state).unwrap();
            assert_eq!(dev.current_state.get(), state);
            let dead = if state == PCI_D3HOT { Dead::D3Hot } else { Dead::D3Cold };
            assert_eq!(dev.function.decodes(0, BAR), Err(dead));
            pci_set_power_state(dev, PCI_D0).unwrap();
            assert_eq!(dev.function.decodes(0, BAR), Err(Dead::MemoryDisabled));
            pci_enable_device(dev).unwrap();
            assert_eq!(dev.function.decodes(0, BAR), Ok(()), "pci_restore_bars()");
            end(&[dev]);
        });
    }
}

#[test]
fn impossible_transitions_are_refused() {
    holds(|| {
        let dev = device(&DeviceSpec { pm: None, ..DEV });
        assert_eq!(pci_set_power_state(dev, PCI_D3HOT), Err(EIO), "no PM capability");
        let other = device(&DeviceSpec { removable: true, ..DEV });
        pci_set_power_state(other, PCI_D3COLD).unwrap();
        assert_eq!(pci_set_power_state(other, PCI_D3HOT), Err(EINVAL), "only deeper");
        pci_set_power_state(other, PCI_D0).unwrap();
        other.function.unplug();
        assert_eq!(pci_set_power_state(other, PCI_D3HOT), Err(EIO));
        assert_eq!(
            other.current_state.get(),
            PCI_D3COLD,
            "the core takes a device that does not answer for off"
        );
        end(&[dev, other]);
    });
}

#[test]
fn reset_methods_are_tried_in_the_kernels_order() {
    for (spec, want) in [
        (DeviceSpec { flr: true, af: true, ..DEV }, &["flr", "af_flr", "pm"][..]),
        (DEV, &["pm"]),
        (DeviceSpec { pm: Some(PmSpec { no_soft_reset: true }), ..DEV }, &[]),
        (DeviceSpec { flr: true, vendor: 0x1022, device: 0x1487, ..DEV }, &["pm"]),
        (DeviceSpec { vendor: 0x15b3, device: 0xcb84, ..DEV }, &[]),
    ] {
        holds(move || {
            let dev = device(&spec);
            assert_eq!(reset_methods(dev), want);
            pci_enable_device(dev).unwrap();
            let ret = pci_try_reset_function(dev);
            assert_eq!(ret, if want.is_empty() { Err(ENOTTY) } else { Ok(()) });
            assert_eq!(dev.function.decodes(0, BAR), Ok(()), "the state is restored");
            end(&[dev]);
        });
    }
}

/// A user that holds a reference finds the device awake, whatever the worker does; afterwards it sleeps.
#[test]
fn a_reference_keeps_the_device_awake() {
    thread_local!(static SLEPT: Cell<bool> = const { Cell::new(false) });
    holds(|| {
        let dev = device(&DEV);
        pci_enable_device(dev).unwrap();
        pm_runtime_put_noidle(dev);
        let worker = spawn("pm worker", move || {
            let _ = pm_runtime_work(dev);
        });
        let user = spawn("user", move || {
            pm_runtime_resume_and_get(dev).unwrap();
            assert_eq!(dev.function.decodes(0, BAR), Ok(()));
            pm_runtime_put_noidle(dev);
        });
        worker.join();
        user.join();
        SLEPT.set(SLEPT.get() || dev.power.status() == RpmStatus::Suspended);
        let _ = pm_runtime_work(dev);
        assert_eq!(dev.function.decodes(0, BAR), Err(Dead::D3Hot));
        pci_pme_wakeup(dev).unwrap();
        assert_eq!(dev.function.decodes(0, BAR), Ok(()));
        end(&[dev]);
    });
    assert!(SLEPT.get(), "the worker ran last in some execution");
}

#[test]
fn without_the_resume_it_does_not() {
    breaks("panic", || {
        let dev = device(&DEV);
        pci_enable_device(dev).unwrap();
        pm_runtime_put_noidle(dev);
        let worker = spawn("pm worker", move || {
            let _ = pm_runtime_work(dev);
        });
        let user = spawn("user", move || assert_eq!(dev.function.decodes(0, BAR), Ok(())));
        worker.join();
        user.join();
    });
    breaks("usage count underflow", || {
        let dev = device(&DEV);
        pm_runtime_put_noidle(dev);
        pm_runtime_put_noidle(dev);
        end(&[dev]);
    });
}

#[test]
fn a_bar_belongs_to_one_driver() {
    holds(|| {
        let dev = device(&DEV);
        assert_eq!(pci_select_bars(dev, IORESOURCE_MEM), 1);
        assert_eq!(pci_select_bars(dev, IORESOURCE_MEM | IORESOURCE_IO), 5);
        pci_request_selected_regions(dev, 1 << 2, "other").unwrap();
        assert_eq!(pci_request_selected_regions(dev, 0b111, "vfio-pci"), Err(EBUSY));
        assert_eq!(claimed_by(dev, 0), None, "all or none");
        pci_release_selected_regions(dev, 1 << 2);
        pci_request_selected_regions(dev, 0b111, "vfio-pci").unwrap();
        assert_eq!((claimed_by(dev, 0), claimed_by(dev, 1)), (Some("vfio-pci"), None));
        pci_release_selected_regions(dev, 0b111);
        end(&[dev]);
    });
    breaks("nonexistent resource", || {
        let dev = device(&DEV);
        pci_release_selected_regions(dev, 1);
        end(&[dev]);
    });
}

static DRIVER: PciDriver = PciDriver {
    name: "test",
    probe: |dev| {
        pcim_p2pdma_init(dev)?;
        pci_enable_device(dev)
    },
    remove: pci_disable_device,
};

#[test]
fn providers_live_as_long_as_the_driver() {
    holds(|| {
        let (dev, peer) = (device(&DEV), device(&DEV));
        device_driver_attach(&DRIVER, dev).unwrap();
        assert_eq!(device_driver_attach(&DRIVER, dev), Err(EBUSY));
        assert_eq!(bound_driver(dev), Some("test"));
        let provider = pcim_p2pdma_provider(dev, 0).unwrap();
        assert_eq!(pcim_p2pdma_provider(dev, 2), None, "I/O ports are no memory");
        assert_eq!(pci_p2pdma_map_type(provider, peer), PciP2pdmaMapType::ThruHostBridge);
        device_release_driver(dev);
        assert_eq!(pci_p2pdma_map_type(provider, peer), PciP2pdmaMapType::NotSupported);
        end(&[dev, peer]);
    });
}

/// Unbinding waits for a reset that holds the device lock; a reset beside it gives up.
#[test]
fn unbind_and_reset_exclude_each_other() {
    holds(|| {
        let dev = device(&DeviceSpec { flr: true, ..DEV });
        device_driver_attach(&DRIVER, dev).unwrap();
        let unbinder = spawn("unbind", move || device_release_driver(dev));
        let resetter = spawn("reset", move || {
            let ret = pci_try_reset_function(dev);
            assert!(ret == Ok(()) || ret == Err(EAGAIN));
        });
        unbinder.join();
        resetter.join();
        end(&[dev]);
    });
}

#[test]
fn a_pulled_device_is_unbound_and_reads_as_ones() {
    holds(|| {
        let dev = device(&DeviceSpec { removable: true, ..DEV });
        device_driver_attach(&DRIVER, dev).unwrap();
        let hand = spawn("hand", move || {
            dev.function.unplug();
            pciehp_unconfigure_device(dev);
        });
        let driver = spawn("driver", move || {
            let id = pci_read_config_word(dev, PCI_VENDOR_ID);
            assert!(id == 0x1b36 || id == 0xffff && dev.function.is_gone());
        });
        hand.join();
        driver.join();
        assert!(pci_dev_is_disconnected(dev));
        assert_eq!((bound_driver(dev), dev.function.decodes(0, BAR)), (None, Err(Dead::Gone)));
        end(&[dev]);
    });
}
