// SPDX-License-Identifier: GPL-2.0-only
//! Framework for buffer objects that can be shared across devices and subsystems.
//!
//! Transcribes: drivers/dma-buf/dma-buf.c, linux v7.3.4, in part: export, descriptors, attachments, mappings and
//! invalidation.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;

use kernel_model::list_for_each_entry;
use kernel_model::prelude::*;
use pci_model::PciDev;
use pci_model::dma::DmaDataDirection;

use crate::dma_resv::*;
use crate::scatterlist::SgTable;

/// A buffer.
///
/// In C: `dma_buf`, include/linux/dma-buf.h.
#[derive(Debug)]
pub struct DmaBuf {
    /// Size in bytes, invariant over the lifetime of the buffer.
    pub size: u64,
    /// The file that users hold; not cleared when the file goes.
    pub file: Plain<Option<Kptr<File>>>,
    /// Attachments; the reservation lock protects the list.
    pub attachments: List<DmaBufAttachment>,
    /// The exporter's operations.
    pub ops: &'static DmaBufOps,
    /// The exporter's object.
    priv_: RefCell<Box<dyn Any>>,
    /// The reservation object.
    pub resv: DmaResv,
}

impl DmaBuf {
    /// The exporter's object, if it is a `T`.
    pub fn priv_<T: Copy + 'static>(&self) -> Option<T> {
        self.priv_.borrow().downcast_ref::<T>().copied()
    }
}

/// What an exporter does.
///
/// In C: `dma_buf_ops`, include/linux/dma-buf.h.
pub struct DmaBufOps {
    /// Called by `dma_buf_dynamic_attach()`, without the reservation lock.
    pub attach: Option<fn(Kptr<DmaBuf>, Kptr<DmaBufAttachment>) -> KResult>,
    /// Called by `dma_buf_detach()`, without the reservation lock.
    pub detach: Option<fn(Kptr<DmaBuf>, Kptr<DmaBufAttachment>)>,
    /// Called by `dma_buf_pin()`, with the reservation lock.
    pub pin: Option<fn(Kptr<DmaBufAttachment>) -> KResult>,
    /// Called by `dma_buf_unpin()`, with the reservation lock.
    pub unpin: Option<fn(Kptr<DmaBufAttachment>)>,
    /// Called by `dma_buf_map_attachment()`, with the reservation lock.
    pub map_dma_buf: fn(Kptr<DmaBufAttachment>, DmaDataDirection) -> KResult<Kptr<SgTable>>,
    /// Called by `dma_buf_unmap_attachment()`, with the reservation lock.
    pub unmap_dma_buf: fn(Kptr<DmaBufAttachment>, Kptr<SgTable>, DmaDataDirection),
    /// Called when the last reference to the buffer is gone.
    pub release: fn(Kptr<DmaBuf>),
}

impl fmt::Debug for DmaBufOps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DmaBufOps")
    }
}

/// What an importer does.
///
/// In C: `dma_buf_attach_ops`, include/linux/dma-buf.h.
#[derive(Debug)]
pub struct DmaBufAttachOps {
    /// The importer can reach peer memory without pages.
    pub allow_peer2peer: bool,
    /// Called with the reservation lock when mappings must go; called `move_notify` until 6.19.
    pub invalidate_mappings: Option<fn(Kptr<DmaBufAttachment>)>,
}

/// A device that is attached to a buffer.
///
/// In C: `dma_buf_attachment`, include/linux/dma-buf.h.
#[derive(Debug)]
pub struct DmaBufAttachment {
    /// The buffer.
    pub dmabuf: Kptr<DmaBuf>,
    /// The device.
    pub dev: Kptr<PciDev>,
    /// Whether the importer accepts peer memory.
    pub peer2peer: bool,
    /// The importer's operations; none for a static importer.
    pub importer_ops: Option<&'static DmaBufAttachOps>,
    importer_priv: Option<Box<dyn Any>>,
    /// The exporter's own data of the attachment.
    pub priv_: RefCell<Option<Box<dyn Any>>>,
}

impl DmaBufAttachment {
    /// The importer's object, if it is a `T`.
    pub fn importer_priv<T: Copy + 'static>(&self) -> Option<T> {
        self.importer_priv.as_ref()?.downcast_ref::<T>().copied()
    }
}

/// What is needed to export a buffer.
///
/// In C: `dma_buf_export_info`, include/linux/dma-buf.h.
pub struct DmaBufExportInfo {
    /// The exporter's operations.
    pub ops: &'static DmaBufOps,
    /// Size in bytes.
    pub size: u64,
    /// Mode flags of the file.
    pub flags: u32,
    /// The exporter's object.
    pub priv_: Box<dyn Any>,
}

impl fmt::Debug for DmaBufExportInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DmaBufExportInfo {{ size: {:#x}, flags: {:#o} }}", self.size, self.flags)
    }
}

//= linux v7.3.4 drivers/dma-buf/dma-buf.c dma_buf_release
fn dma_buf_release(dentry: Kptr<Dentry>) {
    let Some(dmabuf) = dentry.d_fsdata::<Kptr<DmaBuf>>() else { return };

    (dmabuf.ops.release)(dmabuf);

    dma_resv_fini(&dmabuf.resv);

    WARN_ON(!list_empty(&dmabuf.attachments), "!list_empty(&dmabuf->attachments)");
    kfree(dmabuf);
}

//= linux v7.3.4 drivers/dma-buf/dma-buf.c dma_buf_file_release
fn dma_buf_file_release(_file: Kptr<File>) {
    /* The list of all buffers serves debugfs and iterators only; it is left out, and so is its lock. */
}

/// Operations of the files of buffers and of their dentries.
///
/// In C: `dma_buf_fops`, drivers/dma-buf/dma-buf.c.
static DMA_BUF_FOPS: FileOperations =
    FileOperations { release: dma_buf_file_release, d_release: dma_buf_release };

//= linux v7.3.4 drivers/dma-buf/dma-buf.c is_dma_buf_file
fn is_dma_buf_file(file: Kptr<File>) -> bool {
    std::ptr::eq(file.f_op(), &raw const DMA_BUF_FOPS)
}

/// Makes a buffer and its file.
///
/// Context: process; may sleep. The reservation lock is not held.
///
/// # Errors
/// `EINVAL` for operations that do not fit together, `ENOMEM`.
//= linux v7.3.4 drivers/dma-buf/dma-buf.c dma_buf_export
pub fn dma_buf_export(exp_info: DmaBufExportInfo) -> KResult<Kptr<DmaBuf>> {
    if WARN_ON(
        exp_info.ops.pin.is_some() != exp_info.ops.unpin.is_some(),
        "pin without unpin, or the reverse",
    ) {
        return Err(EINVAL);
    }

    let file = alloc_file(&DMA_BUF_FOPS)?;

    let dmabuf = kzalloc(DmaBuf {
        size: exp_info.size,
        file: Plain::new("dmabuf->file", None),
        attachments: INIT_LIST_HEAD("dmabuf->attachments"),
        ops: exp_info.ops,
        priv_: RefCell::new(exp_info.priv_),
        resv: dma_resv_init(),
    });
    let dmabuf = match dmabuf {
        Ok(dmabuf) => dmabuf,
        Err(ret) => {
            /* err_file: */
            fput(file);
            return Err(ret);
        }
    };

    file.set_private_data(dmabuf);
    file.dentry().set_d_fsdata(dmabuf);
    dmabuf.file.set(Some(file));

    Ok(dmabuf)
}

/// Gives the buffer a descriptor, which takes over the caller's reference.
///
/// # Errors
/// `EMFILE`; the reference stays with the caller then.
//= linux v7.3.4 drivers/dma-buf/dma-buf.c dma_buf_fd
pub fn dma_buf_fd(dmabuf: Kptr<DmaBuf>, flags: u32) -> KResult<i32> {
    let file = dmabuf.file.get().ok_or(EINVAL)?;

    let fd = get_unused_fd_flags(flags)?;

    fd_install(fd, file);
    Ok(fd)
}

/// The buffer behind a descriptor, with a reference.
///
/// # Errors
/// `EBADF`, or `EINVAL` for a descriptor of something else.
//= linux v7.3.4 drivers/dma-buf/dma-buf.c dma_buf_get
pub fn dma_buf_get(fd: i32) -> KResult<Kptr<DmaBuf>> {
    let file = fget(fd).ok_or(EBADF)?;

    if !is_dma_buf_file(file) {
        fput(file);
        return Err(EINVAL);
    }

    file.private_data().ok_or(EINVAL)
}

/// Drops a reference.
//= linux v7.3.4 drivers/dma-buf/dma-buf.c dma_buf_put
pub fn dma_buf_put(dmabuf: Kptr<DmaBuf>) {
    let file = dmabuf.file.get();
    if WARN_ON(file.is_none(), "dma_buf_put() without a file") {
        return;
    }
    if let Some(file) = file {
        fput(file);
    }
}

//= linux v7.3.4 drivers/dma-buf/dma-buf.c dma_buf_attachment_is_dynamic
fn dma_buf_attachment_is_dynamic(attach: Kptr<DmaBufAttachment>) -> bool {
    attach.importer_ops.is_some()
}

//= linux v7.3.4 drivers/dma-buf/dma-buf.c dma_buf_pin_on_map
fn dma_buf_pin_on_map(attach: Kptr<DmaBufAttachment>) -> bool {
    attach.dmabuf.ops.pin.is_some() && !dma_buf_attachment_is_dynamic(attach)
}

/// Attaches a device to a buffer.
///
/// Context: process; may sleep. The reservation lock is not held.
///
/// # Errors
/// `ENOMEM`, or what the exporter says.
//= linux v7.3.4 drivers/dma-buf/dma-buf.c dma_buf_dynamic_attach
pub fn dma_buf_dynamic_attach(
    dmabuf: Kptr<DmaBuf>,
    dev: Kptr<PciDev>,
    importer_ops: Option<&'static DmaBufAttachOps>,
    importer_priv: Option<Box<dyn Any>>,
) -> KResult<Kptr<DmaBufAttachment>> {
    let attach = kzalloc(DmaBufAttachment {
        dmabuf,
        dev,
        peer2peer: importer_ops.is_some_and(|ops| ops.allow_peer2peer),
        importer_ops,
        importer_priv,
        priv_: RefCell::new(None),
    })?;

    if let Some(op) = dmabuf.ops.attach
        && let Err(ret) = op(dmabuf, attach)
    {
        /* err_attach: */
        kfree(attach);
        return Err(ret);
    }
    dma_resv_lock(&dmabuf.resv);
    list_add(attach, &dmabuf.attachments);
    dma_resv_unlock(&dmabuf.resv);

    Ok(attach)
}

/// Detaches a device; the attachment is freed.
///
/// Context: process; may sleep. The reservation lock is not held.
//= linux v7.3.4 drivers/dma-buf/dma-buf.c dma_buf_detach
pub fn dma_buf_detach(dmabuf: Kptr<DmaBuf>, attach: Kptr<DmaBufAttachment>) {
    if WARN_ON(dmabuf != attach.dmabuf, "dmabuf != attach->dmabuf") {
        return;
    }

    dma_resv_lock(&dmabuf.resv);
    list_del(attach, &dmabuf.attachments);
    dma_resv_unlock(&dmabuf.resv);

    if let Some(op) = dmabuf.ops.detach {
        op(dmabuf, attach);
    }

    kfree(attach);
}

/// Maps the buffer for the attached device.
///
/// Context: process; the reservation lock is held. May sleep.
///
/// # Errors
/// What the exporter says.
//= linux v7.3.4 drivers/dma-buf/dma-buf.c dma_buf_map_attachment
pub fn dma_buf_map_attachment(
    attach: Kptr<DmaBufAttachment>,
    direction: DmaDataDirection,
) -> KResult<Kptr<SgTable>> {
    dma_resv_assert_held(&attach.dmabuf.resv);

    if dma_buf_pin_on_map(attach)
        && let Some(pin) = attach.dmabuf.ops.pin
    {
        let ret = pin(attach);
        /* Exporters must not make buffers inaccessible while attachments prevent it. */
        WARN_ON_ONCE(ret == Err(EBUSY), "pin failed with -EBUSY");
        ret?;
    }

    let sg_table = match (attach.dmabuf.ops.map_dma_buf)(attach, direction) {
        Ok(sg_table) => sg_table,
        Err(ret) => {
            /* error_unpin: */
            if dma_buf_pin_on_map(attach)
                && let Some(unpin) = attach.dmabuf.ops.unpin
            {
                unpin(attach);
            }
            return Err(ret);
        }
    };

    /* Importers with static attachments don't wait for fences. */
    if !dma_buf_attachment_is_dynamic(attach) {
        let ret =
            dma_resv_wait_timeout(&attach.dmabuf.resv, DmaResvUsage::Kernel, true, MAX_SCHEDULE_TIMEOUT);
        if let Err(ret) = ret {
            /* error_unmap: */
            (attach.dmabuf.ops.unmap_dma_buf)(attach, sg_table, direction);

            /* error_unpin: */
            if dma_buf_pin_on_map(attach)
                && let Some(unpin) = attach.dmabuf.ops.unpin
            {
                unpin(attach);
            }
            return Err(ret);
        }
    }
    Ok(sg_table)
}

/// As [`dma_buf_map_attachment`], for a caller that does not hold the reservation lock.
///
/// # Errors
/// What the exporter says.
//= linux v7.3.4 drivers/dma-buf/dma-buf.c dma_buf_map_attachment_unlocked
pub fn dma_buf_map_attachment_unlocked(
    attach: Kptr<DmaBufAttachment>,
    direction: DmaDataDirection,
) -> KResult<Kptr<SgTable>> {
    dma_resv_lock(&attach.dmabuf.resv);
    let sg_table = dma_buf_map_attachment(attach, direction);
    dma_resv_unlock(&attach.dmabuf.resv);

    sg_table
}

/// Unmaps the buffer.
///
/// Context: process; the reservation lock is held. May sleep.
//= linux v7.3.4 drivers/dma-buf/dma-buf.c dma_buf_unmap_attachment
pub fn dma_buf_unmap_attachment(
    attach: Kptr<DmaBufAttachment>,
    sg_table: Kptr<SgTable>,
    direction: DmaDataDirection,
) {
    dma_resv_assert_held(&attach.dmabuf.resv);

    (attach.dmabuf.ops.unmap_dma_buf)(attach, sg_table, direction);

    if dma_buf_pin_on_map(attach)
        && let Some(unpin) = attach.dmabuf.ops.unpin
    {
        unpin(attach);
    }
}

/// As [`dma_buf_unmap_attachment`], for a caller that does not hold the reservation lock.
//= linux v7.3.4 drivers/dma-buf/dma-buf.c dma_buf_unmap_attachment_unlocked
pub fn dma_buf_unmap_attachment_unlocked(
    attach: Kptr<DmaBufAttachment>,
    sg_table: Kptr<SgTable>,
    direction: DmaDataDirection,
) {
    dma_resv_lock(&attach.dmabuf.resv);
    dma_buf_unmap_attachment(attach, sg_table, direction);
    dma_resv_unlock(&attach.dmabuf.resv);
}

/// Whether the importer gives mappings up, in bounded time, when it is told to.
//= linux v7.3.4 drivers/dma-buf/dma-buf.c dma_buf_attach_revocable
pub fn dma_buf_attach_revocable(attach: Kptr<DmaBufAttachment>) -> bool {
    attach.importer_ops.is_some_and(|ops| ops.invalidate_mappings.is_some())
}

/// Tells all attachments that their mappings must go. On return importers may still use them: the caller waits for
/// fences and for unmap.
///
/// Context: process; the reservation lock is held.
//= linux v7.3.4 drivers/dma-buf/dma-buf.c dma_buf_invalidate_mappings
pub fn dma_buf_invalidate_mappings(dmabuf: Kptr<DmaBuf>) {
    dma_resv_assert_held(&dmabuf.resv);

    list_for_each_entry!(attach, dmabuf.attachments, {
        if let Some(ops) = attach.importer_ops
            && let Some(invalidate_mappings) = ops.invalidate_mappings
        {
            invalidate_mappings(attach);
        }
    });
}

/// The name of [`dma_buf_invalidate_mappings`] until 6.19, with the same meaning for importers that have the operation.
pub fn dma_buf_move_notify(dmabuf: Kptr<DmaBuf>) {
    dma_buf_invalidate_mappings(dmabuf);
}
