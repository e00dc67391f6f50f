// SPDX-License-Identifier: GPL-2.0-only
//! The dma-buf exporter of vfio-pci as first posted, on 2025-07-23.

mod vfio_pci_config;
mod vfio_pci_core;
mod vfio_pci_dmabuf;

use crate::revision::{Revision, RevisionOps};

/// The revision.
pub static REVISION: Revision = Revision {
    name: "leon_v0",
    id: "L0",
    title: "vfio/pci: dma-buf export as first posted (2025-07-23)",
    ops: RevisionOps {
        vfio_pci_dma_buf_move: vfio_pci_dmabuf::vfio_pci_dma_buf_move,
        vfio_pci_dma_buf_cleanup: vfio_pci_dmabuf::vfio_pci_dma_buf_cleanup,
        vfio_pci_core_feature_dma_buf: vfio_pci_dmabuf::vfio_pci_core_feature_dma_buf,
        __vfio_pci_memory_enabled: vfio_pci_config::__vfio_pci_memory_enabled,
        vfio_config_init: vfio_pci_config::vfio_config_init,
        vfio_config_free: vfio_pci_config::vfio_config_free,
        vfio_pci_config_rw: vfio_pci_config::vfio_pci_config_rw,
        vfio_pci_zap_and_down_write_memory_lock: vfio_pci_core::vfio_pci_zap_and_down_write_memory_lock,
        vfio_pci_core_init_dev: vfio_pci_core::vfio_pci_core_init_dev,
        vfio_pci_core_enable: vfio_pci_core::vfio_pci_core_enable,
        vfio_pci_core_close_device: vfio_pci_core::vfio_pci_core_close_device,
        vfio_pci_ioctl_reset: vfio_pci_core::vfio_pci_ioctl_reset,
        uapi_dma_buf: vfio_pci_dmabuf::uapi_dma_buf,
    },
};
