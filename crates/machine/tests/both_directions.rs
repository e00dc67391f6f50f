// SPDX-License-Identifier: GPL-2.0-only
//! For each invariant, the smallest change of a function of `v7_3` that breaks it, and it alone; that it holds
//! without the change is what `scenarios.rs` tests.

use std::collections::BTreeSet;

use kernel_model::prelude::*;
use machine::scenarios;
use vfio_core::prelude::*;
use vfio_pci::Revision;
use vfio_pci::revision::{RevisionOps, Vdev, vfio_pci_dma_buf_move};
use vfio_pci::revisions::v7_3;

const OPS: RevisionOps = v7_3::REVISION.ops;

const fn changed(ops: RevisionOps) -> Revision {
    Revision { name: "changed", id: "-", title: "v7_3 with one function changed", ops }
}

#[track_caller]
fn check(scenario: &str, revision: &'static Revision, expected: &[&str]) {
    let run = machine::explore(scenarios::find(scenario).unwrap(), revision, |_| true).unwrap();
    assert!(run.exhausted);
    let expected: BTreeSet<&str> = expected.iter().copied().collect();
    assert_eq!(run.broken(), expected, "{:#?}", run.findings);
}

static NO_REVOKE: Revision = changed(RevisionOps { vfio_pci_dma_buf_move: |_, _| {}, ..OPS });

#[test]
fn no_access_to_dead_bar_breaks_when_nothing_is_revoked() {
    check("command-memory-against-map", &NO_REVOKE, &["no-access-to-dead-bar"]);
}

fn revoke_only(vdev: Vdev, revoked: bool) {
    if revoked {
        (OPS.vfio_pci_dma_buf_move)(vdev, true);
    }
}

static NO_RESTORE: Revision = changed(RevisionOps { vfio_pci_dma_buf_move: revoke_only, ..OPS });

#[test]
fn reset_restores_access_breaks_when_nothing_is_restored() {
    for scenario in ["command-memory-against-map", "pcie-flr-against-map", "device-reset-against-map"] {
        check(scenario, &NO_RESTORE, &["reset-restores-access"]);
    }
}

fn export_with_an_extra_reference(vdev: Vdev, flags: u32, arg: &UserPtr, argsz: usize) -> KResult<i32> {
    vfio_device_try_get_registration(&vdev.vdev);
    (OPS.vfio_pci_core_feature_dma_buf)(vdev, flags, arg, argsz)
}

static EXTRA_REFERENCE: Revision =
    changed(RevisionOps { vfio_pci_core_feature_dma_buf: export_with_an_extra_reference, ..OPS });

#[test]
fn references_balance_breaks_when_one_is_kept() {
    check("two-closes", &EXTRA_REFERENCE, &["references-balance"]);
}

fn reset_with_the_lock_twice(vdev: Vdev) -> KResult {
    down_write(&vdev.memory_lock);
    let ret = (OPS.vfio_pci_ioctl_reset)(vdev);
    up_write(&vdev.memory_lock);
    ret
}

static LOCK_TWICE: Revision = changed(RevisionOps { vfio_pci_ioctl_reset: reset_with_the_lock_twice, ..OPS });

#[test]
fn no_deadlock_breaks_when_the_lock_is_taken_twice() {
    check("device-reset-against-map", &LOCK_TWICE, &["lock-order", "no-deadlock"]);
}

fn free_twice(vdev: Vdev) {
    let vconfig = vdev.vconfig.get();
    (OPS.vfio_config_free)(vdev);
    if let Some(vconfig) = vconfig {
        kfree(vconfig);
    }
}

static FREE_TWICE: Revision = changed(RevisionOps { vfio_config_free: free_twice, ..OPS });

#[test]
fn no_use_after_free_breaks_when_memory_is_freed_twice() {
    check("two-closes", &FREE_TWICE, &["no-use-after-free"]);
}

fn reset_then_move_unlocked(vdev: Vdev) -> KResult {
    let ret = (OPS.vfio_pci_ioctl_reset)(vdev);
    vfio_pci_dma_buf_move(vdev, false);
    ret
}

static UNLOCKED: Revision = changed(RevisionOps { vfio_pci_ioctl_reset: reset_then_move_unlocked, ..OPS });

#[test]
fn no_warning_breaks_when_the_lock_is_not_held() {
    check("device-reset-against-map", &UNLOCKED, &["no-warning"]);
}

fn reset_and_keep_the_lock(vdev: Vdev) -> KResult {
    let ret = (OPS.vfio_pci_ioctl_reset)(vdev);
    down_read(&vdev.memory_lock);
    ret
}

static KEPT: Revision = changed(RevisionOps { vfio_pci_ioctl_reset: reset_and_keep_the_lock, ..OPS });

#[test]
fn a_lock_kept_over_the_return_to_user_mode_is_a_warning_and_blocks_the_close() {
    check("device-reset-against-map", &KEPT, &["no-deadlock", "no-warning"]);
}

fn reset_with_the_locks_inverted(vdev: Vdev) -> KResult {
    down_write(&vdev.memory_lock);
    mutex_lock(&vdev.vdev.dev_set.lock);
    mutex_unlock(&vdev.vdev.dev_set.lock);
    up_write(&vdev.memory_lock);
    (OPS.vfio_pci_ioctl_reset)(vdev)
}

static INVERTED: Revision =
    changed(RevisionOps { vfio_pci_ioctl_reset: reset_with_the_locks_inverted, ..OPS });

#[test]
fn lock_order_breaks_when_the_close_takes_them_the_other_way_round_and_nothing_hangs() {
    check("device-reset-against-map", &INVERTED, &["lock-order"]);
}
