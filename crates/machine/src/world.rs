// SPDX-License-Identifier: GPL-2.0-only
//! What there is in a scenario: one vfio device, its open file, and peers that may import.

use std::cell::RefCell;

use importers::peer::*;
use importers::{OnInvalidate, PeerImporter};
use kernel_model::prelude::*;
use kernel_model::{Report, boot, report, shutdown};
use pci_model::dev::pci_remove_function;
use pci_model::p2pdma::Topology;
use pci_model::{FunctionSpec, PciDev, pci_register_function};
use vfio_core::prelude::*;
use vfio_pci::Revision;
use vfio_pci::revision::*;

/// The device whose BAR is exported.
pub const EXPORTER: FunctionSpec = FunctionSpec {
    name: "0000:01:00.0",
    bars: &[(0xe000_0000, 0x1_0000)],
    flr: true,
    af: true,
    iommu: true,
    topology: Topology::HostBridge,
};

/// Devices that may import, each behind the IOMMU.
const PEERS: [FunctionSpec; 2] = [
    FunctionSpec {
        name: "0000:02:00.0",
        bars: &[],
        flr: true,
        af: false,
        iommu: true,
        topology: Topology::HostBridge,
    },
    FunctionSpec {
        name: "0000:03:00.0",
        bars: &[],
        flr: true,
        af: false,
        iommu: true,
        topology: Topology::HostBridge,
    },
];

/// The world of one execution. Handles are copied into tasks.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// The exporter's PCI device.
    pub pdev: Kptr<PciDev>,
    /// The vfio device over it.
    pub vdev: Vdev,
    /// The peers.
    pub peers: [Kptr<PciDev>; 2],
}

thread_local! {
    static IMPORTERS: RefCell<Vec<Kptr<PeerImporter>>> = const { RefCell::new(Vec::new()) };
}

impl World {
    /// Boots a kernel with `revision`, registers the devices and opens the vfio device, as a user does before
    /// anything interesting happens.
    pub fn open(revision: &'static Revision) -> World {
        boot();
        IMPORTERS.take();
        select_revision(revision);
        let make = |spec| pci_register_function(spec).expect("memory while the world is built");
        let pdev = make(&EXPORTER);
        let peers = [make(&PEERS[0]), make(&PEERS[1])];
        let vdev = vfio_pci_core_init_dev(pdev).expect("memory while the world is built");
        let registered = vfio_device_try_get_registration(&vdev.vdev);
        assert!(registered, "a new device is registered");
        vfio_pci_core_enable(vdev).expect("a new device can be opened");
        World { pdev, vdev, peers }
    }

    /// An importer of peer `n`.
    pub fn importer(&self, n: usize, on_invalidate: OnInvalidate) -> Kptr<PeerImporter> {
        let importer =
            peer_create(self.peers[n], &[self.pdev], on_invalidate).expect("memory for an importer");
        IMPORTERS.with_borrow_mut(|i| i.push(importer));
        importer
    }

    /// Ends the scenario: importers unmap and detach, descriptors and the device are closed if they are still open,
    /// the device is unregistered. Then nothing may be left.
    pub fn close(&self, device_is_open: bool) {
        for importer in IMPORTERS.take() {
            crate::acts::syscall("importer exits", || {
                peer_unmap(importer);
                peer_detach(importer);
                peer_destroy(importer);
            });
        }
        for fd in kernel_model::file::open_fds() {
            crate::acts::the_user_closes(fd);
        }
        if device_is_open {
            crate::acts::the_user_closes_the_device(*self);
        }
        for peer in self.peers {
            let left = peer.iommu.as_ref().map_or(0, pci_model::iommu::IommuDomain::iovas_in_use);
            if left != 0 {
                report(Report::Broken {
                    invariant: "references-balance",
                    what: format!(
                        "{left} ranges of IOVA space of {} are still reserved after detach",
                        peer.name
                    ),
                });
            }
        }
        let refs = refcount_read(&self.vdev.vdev.refcount);
        if refs == 1 {
            vfio_unregister_group_dev(&self.vdev.vdev);
        } else {
            report(Report::Broken {
                invariant: "references-balance",
                what: format!(
                    "vfio_unregister_group_dev() would wait for ever: {} registration references are left after \
                     everything was closed",
                    refs - 1
                ),
            });
        }
        kfree(self.vdev);
        pci_remove_function(self.pdev);
        self.peers.into_iter().for_each(pci_remove_function);
        shutdown();
    }
}
