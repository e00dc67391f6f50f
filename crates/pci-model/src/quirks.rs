// SPDX-License-Identifier: GPL-2.0-only
//! Devices that are not as the specification says, as a table: drivers/pci/quirks.c, arch/s390/pci/pci_fixup.c.

/// What is odd about a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quirk {
    /// BARs can be mapped neither by CPUs nor by peers: `non_mappable_bars`.
    NonMappableBars,
    /// A function level reset is advertised but does not work: `PCI_DEV_FLAGS_NO_FLR_RESET`.
    NoFlr,
    /// A reset of the bus breaks the device: `PCI_DEV_FLAGS_NO_BUS_RESET`.
    NoBusReset,
    /// D3hot to D0 resets nothing, though `No_Soft_Reset` is clear: `PCI_DEV_FLAGS_NO_PM_RESET`.
    NoPmReset,
}

/// A row: vendor, device, what, and where the kernel says so.
pub static QUIRKS: &[(u16, u16, Quirk, &str)] = &[
    (
        0x1014,
        0x04ed,
        Quirk::NonMappableBars,
        "the s390 ISM device; zpci_ism_bar_no_mmap, arch/s390/pci/pci_fixup.c",
    ),
    (0x1022, 0x1487, Quirk::NoFlr, "AMD Matisse HD audio; quirk_no_flr, drivers/pci/quirks.c"),
    (0x168c, 0x0030, Quirk::NoBusReset, "Atheros AR93xx; quirk_no_bus_reset, drivers/pci/quirks.c"),
    (0x15b3, 0xcb84, Quirk::NoPmReset, "a Mellanox switch; quirk_no_pm_reset, drivers/pci/quirks.c"),
];

/// Whether a device has a quirk.
pub fn has_quirk(vendor: u16, device: u16, quirk: Quirk) -> bool {
    QUIRKS.iter().any(|q| (q.0, q.1, q.2) == (vendor, device, quirk))
}

/// Whether nobody may map the BARs of the device.
pub fn non_mappable_bars(vendor: u16, device: u16) -> bool {
    has_quirk(vendor, device, Quirk::NonMappableBars)
}
