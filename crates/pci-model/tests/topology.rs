// SPDX-License-Identifier: GPL-2.0-only
//! Routing between devices: the type of mapping and the distance by topology, and what is refused.

mod common;

use common::*;
use kernel_model::prelude::*;
use pci_model::PciDev;
use pci_model::dma::*;
use pci_model::p2pdma::PciP2pdmaMapType::*;
use pci_model::p2pdma::*;
use pci_model::regs::*;
use pci_model::reset::reset_methods;
use pci_model::spec::*;
use pci_model::topology::*;

const fn dev(name: &'static str, bars: &'static [BarSpec]) -> DeviceSpec {
    DeviceSpec { name, bars, ..DeviceSpec::ENDPOINT }
}
static A: DeviceSpec = dev("a", &[BarSpec::mem32(0xe000_0000, 0x1000)]);
static B: DeviceSpec = dev("b", &[BarSpec::mem32(0xe000_1000, 0x1000)]);
static C: DeviceSpec = dev("c", &[BarSpec::mem32(0xe000_2000, 0x1000)]);

const fn port(acs: Option<u16>, bus: &'static [(u8, NodeSpec)]) -> NodeSpec {
    NodeSpec::Bridge { acs, slot: false, bus }
}
const fn host(device: u16, bus: &'static [(u8, NodeSpec)]) -> HostSpec {
    HostSpec { vendor: 0x8086, device, bus_offset: 0, cpu_supports_p2pdma: false, bus }
}

const A_: NodeSpec = NodeSpec::Device(&A);
const B_: NodeSpec = NodeSpec::Device(&B);
const C_: NodeSpec = NodeSpec::Device(&C);
const REDIR: Option<u16> = Some(PCI_ACS_RR | PCI_ACS_CR);

/// A root port, a switch with two downstream ports whose ACS is given, `a` and `b` below them.
macro_rules! switch {
    ($acs:expr) => {
        port(None, &[(0, port(None, &[(0, port($acs, &[(0, A_)])), (8, port($acs, &[(0, B_)]))]))])
    };
}

#[track_caller]
fn check(hosts: &'static [HostSpec], want: PciP2pdmaMapType, distance: i32) {
    holds(move || {
        let devs = pci_scan(hosts).unwrap();
        let (a, b) = (devs[0], devs[1]);
        pcim_p2pdma_init(a).unwrap();
        assert_eq!(pci_p2pdma_distance(a, b), distance);
        assert_eq!(pci_p2pdma_map_type(pcim_p2pdma_provider(a, 0).unwrap(), b), want);
        pci_remove_all(&devs);
        end(&[]);
    });
}

#[test]
fn below_one_switch() {
    static OFF: [HostSpec; 1] = [host(0, &[(8, switch!(None))])];
    check(&OFF, BusAddr, 4);
    static CLEAR: [HostSpec; 1] = [host(0, &[(8, switch!(Some(0)))])];
    check(&CLEAR, BusAddr, 4);
    static REDIRECTS: [HostSpec; 1] = [host(0x2030, &[(8, switch!(REDIR))])];
    check(&REDIRECTS, ThruHostBridge, 4);
    static UNLISTED: [HostSpec; 1] = [host(0, &[(8, switch!(REDIR))])];
    check(&UNLISTED, NotSupported, -1);
}

#[test]
fn functions_of_one_device() {
    static TWO: [HostSpec; 1] = [host(0, &[(8, port(None, &[(0, A_), (1, B_)]))])];
    check(&TWO, BusAddr, 2);
}

#[test]
fn below_two_root_ports() {
    const PORTS: &[(u8, NodeSpec)] = &[(8, port(None, &[(0, A_)])), (16, port(None, &[(0, B_)]))];
    static LISTED: [HostSpec; 1] = [host(0x2030, PORTS)];
    check(&LISTED, ThruHostBridge, 4);
    static SAME_ONLY: [HostSpec; 1] = [host(0x3c00, PORTS)];
    check(&SAME_ONLY, ThruHostBridge, 4);
    static UNLISTED: [HostSpec; 1] = [host(0, PORTS)];
    check(&UNLISTED, NotSupported, -1);
    static ZEN: [HostSpec; 1] = [HostSpec { cpu_supports_p2pdma: true, ..host(0, PORTS) }];
    check(&ZEN, ThruHostBridge, 4);
}

#[test]
fn below_two_host_bridges() {
    const LEFT: &[(u8, NodeSpec)] = &[(8, port(None, &[(0, A_)]))];
    const RIGHT: &[(u8, NodeSpec)] = &[(8, port(None, &[(0, B_)]))];
    static LISTED: [HostSpec; 2] = [host(0x2030, LEFT), host(0x2031, RIGHT)];
    check(&LISTED, ThruHostBridge, 4);
    static SAME_ONLY: [HostSpec; 2] = [host(0x3c00, LEFT), host(0x3c00, RIGHT)];
    check(&SAME_ONLY, NotSupported, -1);
    static ONE: [HostSpec; 2] = [host(0x2030, LEFT), host(0, RIGHT)];
    check(&ONE, NotSupported, -1);
}

#[test]
fn the_same_function_is_near() {
    static ONE: [HostSpec; 1] = [host(0, &[(8, port(None, &[(0, A_)]))])];
    holds(|| {
        let devs = pci_scan(&ONE).unwrap();
        assert_eq!(pci_p2pdma_distance(devs[0], devs[0]), 0);
        assert_eq!(pci_p2pdma_distance_many(devs[0], &[]), -1);
        pci_remove_all(&devs);
        end(&[]);
    });
}

/// The bus has other addresses than the CPU: 2 GiB lower.
const OFFSET: u64 = 0u64.wrapping_sub(0x8000_0000);

fn scan_one_switch() -> Vec<Kptr<PciDev>> {
    static SWITCH: [HostSpec; 1] =
        [HostSpec { bus_offset: OFFSET, ..host(0x2030, &[(8, switch!(Some(0)))]) }];
    pci_scan(&SWITCH).unwrap()
}

#[test]
fn the_type_is_kept_when_acs_changes_but_hardware_follows() {
    holds(|| {
        let devs = scan_one_switch();
        let (a, b) = (devs[0], devs[1]);
        pcim_p2pdma_init(a).unwrap();
        let provider = pcim_p2pdma_provider(a, 0).unwrap();
        assert_eq!(provider.bus_offset, OFFSET);
        assert_eq!(pci_p2pdma_map_type(provider, b), BusAddr);
        pci_model::access::pci_write_config_word(a, PCI_COMMAND, PCI_COMMAND_MEMORY);
        let addr = pci_p2pdma_bus_addr_map(provider, 0xe000_0010);
        assert_eq!(dma_write(b, addr, 7, &[a]), DmaRead::Value(7));
        assert_eq!(dma_read(b, addr, &[a]), DmaRead::Value(7), "the switch routes by bus address");
        pci_upstream_bridge(b).unwrap().acs_ctrl.set(REDIR);
        assert_eq!(pci_p2pdma_map_type(provider, b), BusAddr, "kept with the provider");
        assert_eq!(
            dma_read(b, addr, &[a]),
            DmaRead::Fault,
            "redirected to the IOMMU, which does not know it"
        );
        pci_p2pdma_release(a);
        assert_eq!(pci_p2pdma_map_type(provider, b), NotSupported, "the provider is gone");
        pci_remove_all(&devs);
        end(&[]);
    });
}

#[test]
fn resets_that_need_the_topology() {
    const D: &[(u8, NodeSpec)] = &[(0, A_)];
    static ALONE: [HostSpec; 1] = [host(0, &[(8, port(None, D))])];
    static SLOT: [HostSpec; 1] = [host(0, &[(8, NodeSpec::Bridge { acs: None, slot: true, bus: D })])];
    static SHARED: [HostSpec; 1] = [host(0, &[(8, port(None, &[(0, A_), (1, B_)]))])];
    static ROOT: [HostSpec; 1] = [host(0, &[(8, A_)])];
    for (hosts, want) in [(&ALONE, &["bus"][..]), (&SLOT, &["bus"]), (&SHARED, &[]), (&ROOT, &[])] {
        holds(move || {
            let devs = pci_scan(hosts).unwrap();
            assert_eq!(reset_methods(devs[0]), want);
            let ret = pci_model::reset::pci_try_reset_function(devs[0]);
            assert_eq!(ret, if want.is_empty() { Err(ENOTTY) } else { Ok(()) });
            pci_remove_all(&devs);
            end(&[]);
        });
    }
}

#[test]
fn an_impossible_topology_is_refused_with_the_reason() {
    static TWICE: [HostSpec; 1] = [host(0, &[(8, A_), (8, B_)])];
    static OVERLAP: [HostSpec; 1] = [host(0, &[(8, A_), (16, NodeSpec::Device(&OTHER))])];
    static OTHER: DeviceSpec = dev("other", &[BarSpec::mem32(0xe000_0800, 0x800)]);
    static LAST: DeviceSpec = dev(
        "last",
        &[BarSpec::None, BarSpec::None, BarSpec::None, BarSpec::None, BarSpec::None, BarSpec::mem64(0, 4096)],
    );
    static LAST_SLOT: [HostSpec; 1] = [host(0, &[(8, NodeSpec::Device(&LAST))])];
    static NO_ZERO: [HostSpec; 1] = [host(0, &[(9, A_)])];
    static LINK: [HostSpec; 1] = [host(0, &[(8, port(None, &[(8, A_)]))])];
    for (hosts, reason) in [
        (&TWICE, "two devices at 01.0 of one bus"),
        (&OVERLAP, "other: BAR 0 at 0xe0000800 overlaps BAR 0 of a"),
        (&LAST_SLOT, "last: BAR 5 is 64 bits wide and the last slot"),
        (&NO_ZERO, "function 1 but no function 0"),
        (&LINK, "a link ends at device 0"),
    ] {
        let error = validate(hosts).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    static FINE: [HostSpec; 1] = [host(0, &[(8, A_), (16, B_), (17, C_), (24, port(None, &[]))])];
    assert_eq!(validate(&FINE), Ok(()));
    static FAR: [HostSpec; 1] = [HostSpec { bus_offset: 1 << 40, ..host(0, &[(8, A_)]) }];
    assert!(validate(&FAR).unwrap_err().to_string().contains("32 bits wide"));
}

#[test]
fn virtual_functions_have_no_memory_bit_of_their_own() {
    use pci_model::Dead;
    static PF: [HostSpec; 1] = [host(0, &[(8, port(None, &[(0, A_)]))])];
    holds(|| {
        let devs = pci_scan(&PF).unwrap();
        let vfs = pci_enable_sriov(devs[0], &["vf0", "vf1"], (0xe100_0000, 0x1000)).unwrap();
        assert_eq!(pci_enable_sriov(devs[0], &["vf2"], (0, 0)).unwrap_err(), EBUSY);
        assert_eq!(pci_enable_sriov(vfs[0], &["vf2"], (0, 0)).unwrap_err(), EINVAL);
        let vf = vfs[1];
        assert!(vf.is_virtfn && vf.no_command_memory);
        assert_eq!(vf.function.decodes(0, 0xe100_1000), Ok(()), "its own command register is 0");
        devs[0].function.set_vf_memory(false);
        assert_eq!(vf.function.decodes(0, 0xe100_1000), Err(Dead::VfMemoryDisabled));
        devs[0].function.set_vf_memory(true);
        vf.function.reset(pci_model::resets::ResetKind::Flr);
        assert_eq!(vf.function.decodes(0, 0xe100_1000), Err(Dead::InReset));
        vf.function.end_reset();
        assert_eq!(vf.function.decodes(0, 0xe100_1000), Ok(()), "a VF's reset is its own");
        devs[0].function.reset(pci_model::resets::ResetKind::Flr);
        assert_eq!(
            vf.function.decodes(0, 0xe100_1000),
            Err(Dead::VfMemoryDisabled),
            "the PF's reset clears VF MSE"
        );
        pci_disable_sriov(devs[0]);
        pci_remove_all(&devs);
        end(&[]);
    });
}

#[test]
fn the_ism_device_has_no_providers() {
    static ISM: DeviceSpec =
        DeviceSpec { vendor: 0x1014, device: 0x04ed, ..dev("ism", &[BarSpec::mem32(0, 4096)]) };
    holds(|| {
        let dev = device(&ISM);
        assert!(dev.non_mappable_bars);
        assert_eq!(pcim_p2pdma_init(dev), Err(EOPNOTSUPP));
        assert_eq!(pcim_p2pdma_provider(dev, 0), None);
        let other = device(&A);
        assert!(!other.non_mappable_bars);
        end(&[dev, other]);
    });
}
