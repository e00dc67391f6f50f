// SPDX-License-Identifier: GPL-2.0-only
//! What the tests of this crate share: one execution or all of them, and devices.
#![allow(dead_code, reason = "each test uses a part")]

use explorer::{Config, Outcome, explore};
use kernel_model::prelude::*;
use kernel_model::{boot, shutdown};
use pci_model::PciDev;
use pci_model::dev::{pci_register_device, pci_remove_function};
use pci_model::spec::DeviceSpec;

/// A device alone in the world.
pub(crate) fn device(spec: &DeviceSpec) -> Kptr<PciDev> {
    pci_register_device(spec).unwrap()
}

/// The end of the world: nothing may be left.
pub(crate) fn end(devs: &[Kptr<PciDev>]) {
    devs.iter().for_each(|dev| pci_remove_function(*dev));
    shutdown();
}

/// Explores a model; it must be exhausted.
#[track_caller]
pub(crate) fn run(model: impl Fn() + 'static) -> Outcome {
    let outcome = explore(&Config::new("pci"), move || {
        boot();
        model();
    });
    let outcome = outcome.unwrap();
    assert!(outcome.exhausted);
    outcome
}

/// Explores a model in which nothing may go wrong; gives the number of executions.
#[track_caller]
pub(crate) fn holds(model: impl Fn() + 'static) -> u64 {
    let outcome = run(model);
    assert!(outcome.findings.is_empty(), "{:#?}", outcome.findings);
    outcome.stats.executions
}

/// Explores a model in which `key` must be found.
#[track_caller]
pub(crate) fn breaks(key: &str, model: impl Fn() + 'static) {
    let outcome = run(model);
    let keys: Vec<_> = outcome.findings.iter().map(|f| f.key.clone()).collect();
    assert!(keys.iter().any(|k| k.contains(key)), "{keys:#?}");
}
