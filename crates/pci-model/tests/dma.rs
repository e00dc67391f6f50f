// SPDX-License-Identifier: GPL-2.0-only
//! IOMMU and DMA API: against a byte-exact reference, and each contract in both directions.

mod common;

use std::collections::BTreeMap;

use common::*;
use explorer::spawn;
use kernel_model::prelude::*;
use pci_model::access::pci_write_config_word;
use pci_model::dma::DmaDataDirection::*;
use pci_model::dma::*;
use pci_model::engine::*;
use pci_model::iommu::*;
use pci_model::regs::*;
use pci_model::spec::*;
use proptest::prelude::*;

const BAR: u64 = 0xe000_0000;
const TARGET: DeviceSpec =
    DeviceSpec { name: "target", bars: &[BarSpec::mem32(BAR as u32, 0x10000)], ..DeviceSpec::ENDPOINT };
const AGENT: DeviceSpec = DeviceSpec { name: "agent", ..DeviceSpec::ENDPOINT };

#[derive(Clone, Debug)]
enum Act {
    Link(u64, u64, u64, bool),
    Unlink(u64, u64),
    Sync(u64, u64),
}

/// Pages of the reserved space: 4 MiB, so that a 2 MiB leaf fits.
const SPACE: u64 = 1024;

fn act() -> impl Strategy<Value = Act> {
    let page = prop_oneof![0..8u64, 508..520u64, Just(512), Just(0)];
    let pages = prop_oneof![1..6u64, Just(512), Just(520)];
    let phys = prop_oneof![Just(0u64), 0..2000u64, Just(512), Just(1024)];
    prop_oneof![
        (page.clone(), pages.clone(), phys, any::<bool>()).prop_map(|(o, n, p, w)| Act::Link(o, n, p, w)),
        (page.clone(), pages.clone()).prop_map(|(o, n)| Act::Unlink(o, n)),
        (page, pages).prop_map(|(o, n)| Act::Sync(o, n)),
    ]
}

fn run_acts(acts: &[Act]) {
    let dev = device(&AGENT);
    let state = DmaIovaState::default();
    assert!(dma_iova_try_alloc(dev, &state, 0, SPACE * PAGE_SIZE));
    let domain = dev.iommu.as_ref().unwrap();
    // Page of the space to page of memory, right to write, and the leaf to which it belongs.
    let mut reference: BTreeMap<u64, (u64, bool)> = BTreeMap::new();
    for act in acts {
        match *act {
            Act::Link(o, n, phys, write) => {
                let n = n.min(SPACE - o);
                let dir = if write { Bidirectional } else { ToDevice };
                let busy = reference.range(o..o + n).next().is_some();
                let ret = dma_iova_link(
                    dev,
                    &state,
                    phys * PAGE_SIZE,
                    o * PAGE_SIZE,
                    n * PAGE_SIZE,
                    dir,
                    DMA_ATTR_MMIO,
                );
                assert_eq!(ret, if busy { Err(EEXIST) } else { Ok(()) });
                if !busy {
                    (0..n).for_each(|i| {
                        reference.insert(o + i, (phys + i, write));
                    });
                }
            }
            Act::Unlink(o, n) => {
                // Only what was linked as a whole may be unlinked: extend to whole links in the reference.
                let n = n.min(SPACE - o);
                if (o..o + n).all(|i| reference.contains_key(&i)) && !splits_a_leaf(domain, &state, o, n) {
                    dma_iova_unlink(dev, &state, o * PAGE_SIZE, n * PAGE_SIZE, ToDevice, 0);
                    (o..o + n).for_each(|i| {
                        reference.remove(&i);
                    });
                }
            }
            Act::Sync(o, n) => dma_iova_sync(dev, &state, o * PAGE_SIZE, n * PAGE_SIZE).unwrap(),
        }
        for i in 0..SPACE {
            for byte in [0, 1, PAGE_SIZE - 1] {
                let got = domain.walk(state.addr.get() + i * PAGE_SIZE + byte);
                let want = reference.get(&i).map(|(p, w)| {
                    (p * PAGE_SIZE + byte, IOMMU_MMIO | IOMMU_READ | if *w { IOMMU_WRITE } else { 0 })
                });
                assert_eq!(got, want, "page {i} byte {byte}");
            }
        }
    }
    domain.unmap(state.addr.get(), SPACE * PAGE_SIZE);
    dma_iova_destroy(dev, &state, 0, ToDevice, 0);
    assert_eq!((domain.iovas_in_use(), domain.leaves()), (0, 0));
    end(&[dev]);
}

/// Whether a border of the range lies inside a 2 MiB leaf: both neighbours continue each other within one.
fn splits_a_leaf(domain: &IommuDomain, state: &DmaIovaState, o: u64, n: u64) -> bool {
    [o, o + n].into_iter().any(|border| {
        domain
            .leaf_at(state.addr.get() + border * PAGE_SIZE)
            .is_some_and(|base| base != state.addr.get() + border * PAGE_SIZE)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn link_and_unlink_agree_with_a_reference(acts in prop::collection::vec(act(), 1..25)) {
        holds(move || run_acts(&acts));
    }
}

#[test]
fn large_ranges_take_large_leaves() {
    holds(|| {
        let dev = device(&AGENT);
        let state = DmaIovaState::default();
        assert!(dma_iova_try_alloc(dev, &state, 0, 1 << 40), "above 4 GiB");
        dma_iova_link(dev, &state, 1 << 41, 0, 1 << 40, Bidirectional, DMA_ATTR_MMIO).unwrap();
        assert_eq!(dev.iommu.as_ref().unwrap().leaves(), 1024);
        dma_iova_destroy(dev, &state, 1 << 40, Bidirectional, 0);
        end(&[dev]);
    });
}

#[test]
fn contracts_of_the_dma_api_are_checked() {
    type Case = (&'static str, fn(Kptr<pci_model::PciDev>, &DmaIovaState));
    const CASES: &[Case] = &[
        ("not linked", |d, s| dma_iova_unlink(d, s, 0, 4096, ToDevice, 0)),
        ("outside of the reserved", |d, s| {
            dma_iova_link(d, s, 0, 8192, 4096, ToDevice, 0).unwrap();
            d.iommu.as_ref().unwrap().unmap(s.addr.get() + 8192, 4096);
        }),
        ("inside a page at an offset", |d, s| {
            assert_eq!(dma_iova_link(d, s, 8, 4096, 8, ToDevice, 0), Err(EIO));
        }),
        ("different size", |d, _| {
            let addr = dma_map_phys(d, 0, 8192, ToDevice, 0).unwrap();
            dma_unmap_phys(d, addr, 4096, ToDevice, 0);
        }),
        ("longer than device claims", |d, _| {
            d.dma.max_segment_size.set(4096);
            assert!(!check_sg_segment(d, 0, 8192));
        }),
        ("across boundary", |d, _| {
            d.dma.segment_boundary_mask.set(0xffff);
            assert!(!check_sg_segment(d, 0xf000, 0x2000));
        }),
    ];
    for (key, bad) in CASES {
        breaks(key, move || {
            let dev = device(&AGENT);
            let state = DmaIovaState::default();
            assert!(dma_iova_try_alloc(dev, &state, 0, 8192));
            bad(dev, &state);
            dma_iova_destroy(dev, &state, 0, ToDevice, 0);
            end(&[dev]);
        });
    }
    breaks("while part of it is linked", || {
        let dev = device(&AGENT);
        let state = DmaIovaState::default();
        assert!(dma_iova_try_alloc(dev, &state, 0, 8192));
        dma_iova_link(dev, &state, 0, 0, 8192, ToDevice, 0).unwrap();
        dma_iova_destroy(dev, &state, 4096, ToDevice, 0);
        end(&[dev]);
    });
}

#[test]
fn masks_and_rights_hold() {
    holds(|| {
        let (dev, target) = (device(&AGENT), device(&TARGET));
        pci_write_config_word(target, PCI_COMMAND, PCI_COMMAND_MEMORY);
        assert_eq!(dma_set_mask(dev, 0xffff), Err(EIO));
        dma_set_mask(dev, 0xff_ffff).unwrap();
        let state = DmaIovaState::default();
        assert!(!dma_iova_try_alloc(dev, &state, 0, 1 << 25), "no room within the mask");
        assert_eq!(dma_map_phys(dev, 0, 1 << 25, ToDevice, 0), Err(EIO));
        let addr = dma_map_phys(dev, BAR + 8, 16, ToDevice, DMA_ATTR_MMIO).unwrap();
        assert!(addr <= 0xff_ffff && addr & 4095 == 8, "within the mask, at the offset of the memory");
        assert_eq!(dma_read(dev, addr, &[target]), DmaRead::Value(0));
        assert_eq!(dma_write(dev, addr, 1, &[target]), DmaRead::Fault, "the device may only read");
        dma_unmap_phys(dev, addr, 16, ToDevice, 0);
        assert_eq!(dma_read(dev, addr, &[target]), DmaRead::Fault);
        let faults = dev.iommu.as_ref().unwrap().faults();
        assert_eq!(
            faults.iter().map(|f| (f.write, f.permission)).collect::<Vec<_>>(),
            [(true, true), (false, false)]
        );
        let direct = device(&DeviceSpec { iommu: false, ..AGENT });
        assert_eq!(dma_map_phys(direct, BAR, 16, ToDevice, 0), Ok(BAR));
        dma_set_mask(direct, 0xff_ffff).unwrap();
        assert_eq!(dma_map_phys(direct, BAR, 16, ToDevice, 0), Err(EIO), "out of the device's reach");
        end(&[dev, target, direct]);
    });
}

/// The engine copies while the host takes the mapping away by `take`; then the target is switched off.
fn engine_beside(take: fn(&IommuDomain, u64)) {
    let (dev, target) = (device(&AGENT), device(&TARGET));
    pci_write_config_word(target, PCI_COMMAND, PCI_COMMAND_MEMORY);
    let addr = dma_map_phys(dev, BAR, 4096, Bidirectional, DMA_ATTR_MMIO).unwrap();
    let engine = engine_create(dev, &[target]).unwrap();
    engine_write(engine, REG_SRC, addr);
    engine_write(engine, REG_LEN, 16);
    engine_write(engine, REG_DOORBELL, 1);
    let task = spawn("engine", move || engine_run(engine));
    let host = spawn("host", move || {
        take(dev.iommu.as_ref().unwrap(), addr);
        pci_write_config_word(target, PCI_COMMAND, 0);
    });
    host.join();
    engine_write(engine, REG_DOORBELL, 0);
    task.join();
    dev.iommu.as_ref().unwrap().iotlb_sync(addr, 4096);
    engine_destroy(engine);
    end(&[dev, target]);
}

#[test]
fn an_unmap_ends_the_engines_access() {
    let executions = holds(|| {
        engine_beside(|d, a| {
            d.unmap(a, 4096);
        });
    });
    assert!(executions > 2);
    holds(|| {
        engine_beside(|d, a| {
            d.unmap_fast(a, 4096);
            d.iotlb_sync(a, 4096);
            assert!(!d.cached(a, 4096));
        });
    });
}

#[test]
fn an_unmap_without_invalidation_does_not() {
    breaks("no-access-to-dead-bar", || {
        engine_beside(|d, a| {
            d.unmap_fast(a, 4096);
        });
    });
}
