// SPDX-License-Identifier: GPL-2.0-only
//! Claims of BARs: drivers/pci/pci.c, drivers/pci/pci.h. A BAR belongs to one driver at a time.

use kernel_model::prelude::*;

use crate::dev::PciDev;
use crate::regs::PCI_STD_NUM_BARS;

/// The implemented BARs whose flags have a bit of `flags`, as a mask.
//= linux v7.3.4 drivers/pci/pci.c pci_select_bars
pub fn pci_select_bars(dev: Kptr<PciDev>, flags: u32) -> u32 {
    let mut bars = 0;
    for i in 0..PCI_STD_NUM_BARS {
        if dev.resource[i].flags & flags != 0 {
            bars |= 1 << i;
        }
    }
    bars
}

/// Claims the BARs of a mask, all or none; BARs that are not implemented are claimed by nobody.
///
/// # Errors
/// `EBUSY` when one of them is claimed.
//= linux v7.3.4 drivers/pci/pci.c pci_request_selected_regions
pub fn pci_request_selected_regions(pdev: Kptr<PciDev>, bars: u32, res_name: &'static str) -> KResult {
    for i in 0..PCI_STD_NUM_BARS {
        if bars & 1 << i != 0
            && let Err(e) = pci_request_region(pdev, i, res_name)
        {
            pci_release_selected_regions(pdev, bars & ((1 << i) - 1));
            return Err(e);
        }
    }
    Ok(())
}

/// Claims one BAR.
///
/// # Errors
/// `EBUSY` when it is claimed.
//= linux v7.3.4 drivers/pci/pci.c pci_request_region
pub fn pci_request_region(pdev: Kptr<PciDev>, bar: usize, name: &'static str) -> KResult {
    if pdev.resource[bar].len == 0 {
        return Ok(());
    }
    let claimed = &mut pdev.claimed.borrow_mut()[bar];
    if claimed.is_some() {
        return Err(EBUSY);
    }
    *claimed = Some(name);
    Ok(())
}

/// Gives up the BARs of a mask.
//= linux v7.3.4 drivers/pci/pci.c pci_release_selected_regions
pub fn pci_release_selected_regions(pdev: Kptr<PciDev>, bars: u32) {
    for i in 0..PCI_STD_NUM_BARS {
        if bars & 1 << i != 0 {
            pci_release_region(pdev, i);
        }
    }
}

/// Gives up one BAR; one that nobody has claimed is a warning, as that of a resource that is not there.
//= linux v7.3.4 drivers/pci/pci.c pci_release_region
pub fn pci_release_region(pdev: Kptr<PciDev>, bar: usize) {
    if pdev.resource[bar].len == 0 {
        return;
    }
    let was = pdev.claimed.borrow_mut()[bar].take();
    WARN_ON(was.is_none(), "Trying to free nonexistent resource");
}

/// Who has claimed a BAR.
pub fn claimed_by(pdev: Kptr<PciDev>, bar: usize) -> Option<&'static str> {
    pdev.claimed.borrow()[bar]
}
