// SPDX-License-Identifier: GPL-2.0-only
//! After a reset that succeeded with memory enabled, a new importer can attach and map.

use kernel_model::{Report, report};

use super::Invariant;
use crate::acts::{syscall, the_importer_reads};
use crate::world::World;
use importers::OnInvalidate;
use importers::peer::{peer_attach, peer_detach, peer_map, peer_unmap};

/// See the module's words.
pub(super) static INVARIANT: Invariant = Invariant {
    name: "reset-restores-access",
    statement: "After a reset that succeeded with memory enabled, a new importer can attach and map.",
    why: "A buffer that stays revoked is of no use to anyone until it is exported again.",
    rule: "vfio_pci_dma_buf_move(vdev, false): every hook that revokes restores once memory is enabled.",
    checked: "by scenarios, after an act that leaves memory enabled",
    broken_by: "leon_v0, pcie-flr-against-map",
};

/// Lets a new importer attach to the buffer behind `fd`, map it and read, and reports what refuses it.
pub fn access_is_restored(w: World, fd: i32, after: &str) {
    let importer = w.importer(1, OnInvalidate::Unmap);
    let refused = |by: &str, errno: kernel_model::errno::Errno| {
        report(Report::Broken {
            invariant: INVARIANT.name,
            what: format!(
                "after {after} the device answers, but the buffer is still revoked: a new importer's {by} fails with \
                 {errno}"
            ),
        });
    };
    syscall("new importer", || match peer_attach(importer, fd) {
        Err(errno) => refused("dma_buf_dynamic_attach()", errno),
        Ok(()) => {
            match peer_map(importer) {
                Err(errno) => refused("dma_buf_map_attachment()", errno),
                Ok(()) => {
                    the_importer_reads(importer);
                    peer_unmap(importer);
                }
            }
            peer_detach(importer);
        }
    });
}
