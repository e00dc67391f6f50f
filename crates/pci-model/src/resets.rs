// SPDX-License-Identifier: GPL-2.0-only
//! What each reset does to a function, as a table. "PCIe" is the PCI Express Base Specification, revision 6.0.

/// The kinds of reset that a function can meet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ResetKind {
    /// Function level reset by the PCIe capability.
    Flr,
    /// Function level reset by the Advanced Features capability.
    AfFlr,
    /// D3hot to D0 of a function without `No_Soft_Reset`.
    Pm,
    /// Secondary bus reset of the bridge above.
    Bus,
    /// Reset of a slot by its hot-plug controller.
    Slot,
    /// Reset of the link by error recovery.
    Link,
    /// Power off and on: D3cold, or a slot that is switched off.
    PowerCycle,
}

/// A row of the table.
#[derive(Debug)]
pub struct ResetEffect {
    /// The kind.
    pub kind: ResetKind,
    /// The words used in traces.
    pub name: &'static str,
    /// Whether the link goes down, and with it every function behind it.
    pub link_down: bool,
    /// Whether `Max_Payload_Size` in Device Control survives.
    pub keeps_payload_size: bool,
    /// Whether sticky bits (`PME_En`, `PME_Status`) survive.
    pub keeps_sticky: bool,
    /// Milliseconds that the kernel waits before its first access.
    pub dead_ms: u32,
    /// Where the effect is specified.
    pub specified: &'static str,
    /// The kernel's function that does it, and its file.
    pub kernel: (&'static str, &'static str),
}

/// All kinds. BARs, the command register and everything else that is not named here go to their reset values each
/// time.
pub static EFFECTS: [ResetEffect; 7] = [
    ResetEffect {
        kind: ResetKind::Flr,
        name: "function level reset",
        link_down: false,
        keeps_payload_size: true,
        keeps_sticky: true,
        dead_ms: 100,
        specified: "PCIe 6.6.2",
        kernel: ("drivers/pci/pci.c", "pcie_flr"),
    },
    ResetEffect {
        kind: ResetKind::AfFlr,
        name: "AF function level reset",
        link_down: false,
        keeps_payload_size: true,
        keeps_sticky: true,
        dead_ms: 100,
        specified: "Advanced Capabilities for Conventional PCI ECN, 2006",
        kernel: ("drivers/pci/pci.c", "pci_af_flr"),
    },
    ResetEffect {
        kind: ResetKind::Pm,
        name: "D3hot to D0 reset",
        link_down: false,
        keeps_payload_size: false,
        keeps_sticky: true,
        dead_ms: 10,
        specified: "PCIe 5.3.1.4.1",
        kernel: ("drivers/pci/pci.c", "pci_pm_reset"),
    },
    ResetEffect {
        kind: ResetKind::Bus,
        name: "secondary bus reset",
        link_down: true,
        keeps_payload_size: false,
        keeps_sticky: true,
        dead_ms: 102,
        specified: "PCIe 6.6.1, 7.5.1.3.13",
        kernel: ("drivers/pci/pci.c", "pci_reset_secondary_bus"),
    },
    ResetEffect {
        kind: ResetKind::Slot,
        name: "slot reset",
        link_down: true,
        keeps_payload_size: false,
        keeps_sticky: true,
        dead_ms: 102,
        specified: "PCIe 6.6.1",
        kernel: ("drivers/pci/pci.c", "pci_dev_reset_slot_function"),
    },
    ResetEffect {
        kind: ResetKind::Link,
        name: "link reset",
        link_down: true,
        keeps_payload_size: false,
        keeps_sticky: true,
        dead_ms: 102,
        specified: "PCIe 6.6.1, 6.2.11",
        kernel: ("drivers/pci/pci.c", "pci_bus_error_reset"),
    },
    ResetEffect {
        kind: ResetKind::PowerCycle,
        name: "power cycle",
        link_down: true,
        keeps_payload_size: false,
        keeps_sticky: false,
        dead_ms: 100,
        specified: "PCIe 5.3.1.4.2, 6.6.1",
        kernel: ("drivers/pci/pci.c", "pci_power_up"),
    },
];

impl ResetKind {
    /// The row of the kind.
    pub fn effect(self) -> &'static ResetEffect {
        &EFFECTS[self as usize]
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_kind_has_its_row() {
        for (i, effect) in super::EFFECTS.iter().enumerate() {
            assert_eq!(effect.kind as usize, i);
        }
    }
}
