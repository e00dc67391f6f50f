// SPDX-License-Identifier: GPL-2.0-only
//! A peer device that reads the buffer directly: a dynamic importer as drivers of RDMA and storage devices write it.
//!
//! It keeps to the contract of `dma_buf_invalidate_mappings()`: after the call it unmaps in bounded time, and may
//! read, and discard, until then. What it does not do is look at the exporter: its device uses an address from the
//! moment that a mapping gave it until the mapping is gone.

use std::cell::Cell;

use dmabuf::prelude::*;
use kernel_model::prelude::*;
use pci_model::PciDev;
use pci_model::dma::{DmaDataDirection, DmaRead, dma_read};

/// When the importer unmaps after it was told to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnInvalidate {
    /// At once, from the callback.
    Unmap,
    /// Later, from its own task: it only takes a note.
    Defer,
}

/// One importer: a device and its attachment.
#[derive(Debug)]
pub struct PeerImporter {
    dev: Kptr<PciDev>,
    /// The devices whose memory the peer can reach.
    targets: Vec<Kptr<PciDev>>,
    dmabuf: Cell<Option<Kptr<DmaBuf>>>,
    attach: Cell<Option<Kptr<DmaBufAttachment>>>,
    /// The mapping; the reservation lock protects it.
    sgt: Plain<Option<Kptr<SgTable>>>,
    /// The address that the device was given.
    address: Cell<u64>,
    on_invalidate: OnInvalidate,
}

fn peer_invalidate_mappings(attach: Kptr<DmaBufAttachment>) {
    let importer: Kptr<PeerImporter> = attach.importer_priv().expect("an attachment of this importer");

    dma_resv_assert_held(&attach.dmabuf.resv);
    pr_note(|| format!("{}: told to give its mapping up", importer.dev.name));
    if importer.on_invalidate == OnInvalidate::Unmap {
        peer_unmap_locked(importer);
    }
}

static PEER_ATTACH_OPS: DmaBufAttachOps =
    DmaBufAttachOps { allow_peer2peer: true, invalidate_mappings: Some(peer_invalidate_mappings) };

/// Makes an importer of `dev`, which can reach the memory of `targets`.
///
/// # Errors
/// `ENOMEM`.
pub fn peer_create(
    dev: Kptr<PciDev>,
    targets: &[Kptr<PciDev>],
    on_invalidate: OnInvalidate,
) -> KResult<Kptr<PeerImporter>> {
    kzalloc(PeerImporter {
        dev,
        targets: targets.to_vec(),
        dmabuf: Cell::new(None),
        attach: Cell::new(None),
        sgt: Plain::new("importer->sgt", None),
        address: Cell::new(0),
        on_invalidate,
    })
}

/// Attaches to the buffer behind a descriptor.
///
/// # Errors
/// Those of `dma_buf_get()` and of the exporter.
pub fn peer_attach(importer: Kptr<PeerImporter>, fd: i32) -> KResult {
    let dmabuf = dma_buf_get(fd)?;
    match dma_buf_dynamic_attach(dmabuf, importer.dev, Some(&PEER_ATTACH_OPS), Some(Box::new(importer))) {
        Ok(attach) => {
            importer.dmabuf.set(Some(dmabuf));
            importer.attach.set(Some(attach));
            Ok(())
        }
        Err(ret) => {
            dma_buf_put(dmabuf);
            Err(ret)
        }
    }
}

/// Maps the buffer and gives the address to the device.
///
/// # Errors
/// `EINVAL` when not attached, or what the exporter says.
pub fn peer_map(importer: Kptr<PeerImporter>) -> KResult {
    let attach = importer.attach.get().ok_or(EINVAL)?;
    let resv = &attach.dmabuf.resv;

    dma_resv_lock(resv);
    let ret = dma_buf_map_attachment(attach, DmaDataDirection::Bidirectional);
    if let Ok(sgt) = ret {
        importer.address.set(sgt.sgl.borrow()[0].dma_address);
        importer.sgt.set(Some(sgt));
        pr_note(|| format!("{}: mapped at {:#x}", importer.dev.name, importer.address.get()));
    }
    dma_resv_unlock(resv);
    ret.map(drop)
}

/// The device reads at the address that it was given, whether or not the mapping is still there.
pub fn peer_read(importer: Kptr<PeerImporter>) -> DmaRead {
    dma_read(importer.dev, importer.address.get(), &importer.targets)
}

fn peer_unmap_locked(importer: Kptr<PeerImporter>) {
    if let (Some(attach), Some(sgt)) = (importer.attach.get(), importer.sgt.get()) {
        dma_buf_unmap_attachment(attach, sgt, DmaDataDirection::Bidirectional);
        importer.sgt.set(None);
        pr_note(|| format!("{}: unmapped", importer.dev.name));
    }
}

/// Unmaps the buffer, if it is still mapped.
pub fn peer_unmap(importer: Kptr<PeerImporter>) {
    let Some(attach) = importer.attach.get() else { return };
    let resv = &attach.dmabuf.resv;

    dma_resv_lock(resv);
    peer_unmap_locked(importer);
    dma_resv_unlock(resv);
}

/// Detaches from the buffer and lets it go.
pub fn peer_detach(importer: Kptr<PeerImporter>) {
    if let (Some(dmabuf), Some(attach)) = (importer.dmabuf.take(), importer.attach.take()) {
        dma_buf_detach(dmabuf, attach);
        dma_buf_put(dmabuf);
    }
}

/// Frees the importer.
pub fn peer_destroy(importer: Kptr<PeerImporter>) {
    kfree(importer);
}
