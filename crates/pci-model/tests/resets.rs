// SPDX-License-Identifier: GPL-2.0-only
//! Each reset does what its row of the table says, and config space is what the specification of a function makes it.

mod common;

use common::*;
use pci_model::Dead;
use pci_model::access::*;
use pci_model::regs::*;
use pci_model::resets::{EFFECTS, ResetKind};
use pci_model::spec::*;

const FULL: DeviceSpec = DeviceSpec {
    name: "0000:01:00.0",
    bars: &[
        BarSpec::mem64(0x80_0000_0000, 1 << 30),
        BarSpec::Upper,
        BarSpec::mem32(0xe000_0000, 0x1000),
        BarSpec::None,
        BarSpec::Io { port: 0x3000, size: 32 },
        BarSpec::mem32(0xe000_2000, 0x100),
    ],
    rom: Some((0xe010_0000, 0x1_0000)),
    pm: Some(PmSpec { no_soft_reset: false }),
    flr: true,
    af: true,
    msix: Some((8, 2, 0)),
    ..DeviceSpec::ENDPOINT
};

#[test]
fn config_space_is_as_specified() {
    holds(|| {
        let dev = device(&FULL);
        let bar = |n: usize| pci_read_config_dword(dev, PCI_BASE_ADDRESS_0 + 4 * n);
        assert_eq!([bar(0), bar(1)], [0xc, 0x80], "64 bits, prefetchable");
        assert_eq!([bar(2), bar(3), bar(4), bar(5)], [0xe000_0000, 0, 0x3001, 0xe000_2000]);
        // Sizing: all ones are written, the size's bits read back as zeros.
        for (n, want) in [(0, 0xc000_000c), (1, 0xffff_ffff), (2, 0xffff_f000), (3, 0), (4, 0xffff_ffe1)] {
            pci_write_config_dword(dev, PCI_BASE_ADDRESS_0 + 4 * n, u32::MAX);
            assert_eq!(bar(n), want, "BAR {n}");
        }
        assert_eq!(pci_read_config_dword(dev, PCI_ROM_ADDRESS), 0xe010_0000);
        let msix = pci_find_capability(dev, PCI_CAP_ID_MSIX);
        assert_eq!(pci_read_config_word(dev, msix + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_QSIZE, 7);
        assert_eq!(pci_read_config_dword(dev, msix + PCI_MSIX_TABLE), 2);
        assert_eq!(pci_read_config_dword(dev, msix + PCI_MSIX_PBA), 128 | 2);
        assert_ne!(pci_find_capability(dev, PCI_CAP_ID_PM), 0);
        assert_eq!(pci_find_capability(dev, 0x7f), 0);
        end(&[dev]);
    });
}

#[test]
fn each_reset_does_what_its_row_says() {
    for effect in &EFFECTS {
        holds(move || {
            let dev = device(&FULL);
            let f = &dev.function;
            let devctl = f.caps().exp + PCI_EXP_DEVCTL;
            let pmcsr = f.caps().pm + PCI_PM_CTRL;
            pci_write_config_word(dev, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
            pci_write_config_word(dev, devctl, 0x2850);
            pci_write_config_word(dev, pmcsr, PCI_PM_CTRL_PME_ENABLE);
            pci_write_config_byte(dev, PCI_INTERRUPT_LINE, 11);
            assert_eq!(f.decodes(0, 0x80_0000_0000), Ok(()));

            match effect.kind {
                ResetKind::Flr => pci_write_config_word(dev, devctl, 0x2850 | PCI_EXP_DEVCTL_BCR_FLR),
                ResetKind::AfFlr => pci_write_config_byte(dev, f.caps().af + PCI_AF_CTRL, PCI_AF_CTRL_FLR),
                ResetKind::Pm => {
                    pci_write_config_word(dev, pmcsr, PCI_PM_CTRL_PME_ENABLE | 3);
                    assert_eq!(f.decodes(0, 0x80_0000_0000), Err(Dead::D3Hot));
                    assert_eq!(
                        pci_read_config_word(dev, PCI_VENDOR_ID),
                        0x1b36,
                        "config space answers in D3hot"
                    );
                    pci_write_config_word(dev, pmcsr, PCI_PM_CTRL_PME_ENABLE);
                }
                ResetKind::PowerCycle => {
                    f.set_powered(false);
                    assert_eq!(f.decodes(0, 0x80_0000_0000), Err(Dead::D3Cold));
                    assert_eq!(pci_read_config_dword(dev, PCI_VENDOR_ID), u32::MAX);
                    f.set_powered(true);
                }
                kind => f.reset(kind),
            }
            let dead = if effect.link_down && effect.kind != ResetKind::PowerCycle {
                Dead::LinkDown
            } else {
                Dead::InReset
            };
            assert_eq!(f.decodes(0, 0x80_0000_0000), Err(dead), "{}", effect.name);
            assert_eq!(pci_read_config_dword(dev, PCI_COMMAND), u32::MAX, "{}", effect.name);
            f.end_reset();

            assert_eq!(f.decodes(0, 0x80_0000_0000), Err(Dead::MemoryDisabled), "{}", effect.name);
            assert_eq!(pci_read_config_word(dev, PCI_COMMAND), 0);
            assert_eq!(pci_read_config_byte(dev, PCI_INTERRUPT_LINE), 0);
            let payload = if effect.keeps_payload_size { 0x0040 } else { 0 };
            assert_eq!(pci_read_config_word(dev, devctl), 0x2810 | payload, "{}", effect.name);
            let pme = if effect.keeps_sticky { PCI_PM_CTRL_PME_ENABLE } else { 0 };
            assert_eq!(pci_read_config_word(dev, pmcsr), pme, "{}", effect.name);
            pci_write_config_word(dev, PCI_COMMAND, PCI_COMMAND_MEMORY);
            assert_eq!(f.decodes(0, 0x80_0000_0000), Err(Dead::BarUnprogrammed), "{}", effect.name);
            assert_eq!(f.decodes(2, 0xe000_0000), Err(Dead::BarUnprogrammed), "{}", effect.name);
            assert!(effect.dead_ms >= 10 && !effect.specified.is_empty());
            end(&[dev]);
        });
    }
}

#[test]
fn no_soft_reset_keeps_all_state() {
    holds(|| {
        let dev = device(&DeviceSpec { pm: Some(PmSpec { no_soft_reset: true }), ..FULL });
        let pmcsr = dev.function.caps().pm + PCI_PM_CTRL;
        pci_write_config_word(dev, PCI_COMMAND, PCI_COMMAND_MEMORY);
        pci_write_config_word(dev, pmcsr, 3);
        assert_eq!(dev.function.decodes(0, 0x80_0000_0000), Err(Dead::D3Hot));
        pci_write_config_word(dev, pmcsr, 0);
        assert_eq!(dev.function.decodes(0, 0x80_0000_0000), Ok(()));
        end(&[dev]);
    });
}

#[test]
fn a_function_that_was_pulled_answers_nothing() {
    holds(|| {
        let dev = device(&DeviceSpec { removable: true, ..FULL });
        pci_write_config_word(dev, PCI_COMMAND, PCI_COMMAND_MEMORY);
        dev.function.unplug();
        assert_eq!(dev.function.decodes(0, 0x80_0000_0000), Err(Dead::Gone));
        assert_eq!(pci_read_config_word(dev, PCI_VENDOR_ID), 0xffff);
        pci_write_config_word(dev, PCI_COMMAND, PCI_COMMAND_MEMORY);
        assert_eq!(dev.function.decodes(0, 0x80_0000_0000), Err(Dead::Gone));
        end(&[dev]);
    });
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    let bars = |bars: &'static [BarSpec]| DeviceSpec { bars, ..DeviceSpec::ENDPOINT };
    const B: BarSpec = BarSpec::mem32(0xe000_0000, 0x1000);
    for (spec, reason) in [
        (bars(const { &[B, B, B, B, B, BarSpec::mem64(0, 16)] }), "the last slot"),
        (bars(const { &[BarSpec::mem64(0, 16), B] }), "slot 1 must be its upper half"),
        (bars(const { &[B, BarSpec::Upper] }), "no 64-bit BAR is before it"),
        (bars(const { &[BarSpec::mem32(0xe000_0000, 0x1001)] }), "not a power of two"),
        (bars(const { &[BarSpec::mem32(0xe000_0000, 8)] }), "at least 16"),
        (bars(const { &[BarSpec::mem32(0xe000_0800, 0x1000)] }), "not aligned"),
        (bars(const { &[BarSpec::Io { port: 0, size: 512 }] }), "512 ports"),
        (bars(const { &[BarSpec::Io { port: 2, size: 4 }] }), "not aligned"),
        (bars(const { &[B; 7] }), "7 BARs"),
        (DeviceSpec { rom: Some((0, 1024)), ..DeviceSpec::ENDPOINT }, "ROM"),
        (DeviceSpec { msix: Some((8, 0, 0)), ..DeviceSpec::ENDPOINT }, "does not fit BAR 0"),
    ] {
        let error = spec.validate().unwrap_err().to_string();
        assert!(error.starts_with("0000:00:00.0: ") && error.contains(reason), "{error}");
    }
    assert_eq!(FULL.validate(), Ok(()));
}
