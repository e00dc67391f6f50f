// SPDX-License-Identifier: GPL-2.0-only
//! A driver with one region of frames, mapped as vfio-pci maps a BAR: what all tests of this crate share.
#![allow(dead_code, reason = "each test uses a part")]

use std::cell::{Cell as StdCell, RefCell};

use explorer::sync::Cell;
use explorer::{Config, Outcome, explore};
use kernel_model::prelude::*;
use kernel_model::{Report, boot, report, shutdown};
use mm_model::pgtable::Level;
use mm_model::prelude::*;

/// First frame of the region: 1 GiB aligned.
pub(crate) const PFN: u64 = 0x10_0000_0000 >> PAGE_SHIFT;
/// Bytes of the region.
pub(crate) const SIZE: u64 = 4 * PUD_SIZE;
pub(crate) const SHARED: u64 = VM_SHARED | VM_MAYSHARE;
pub(crate) const RW: u64 = VM_READ | VM_WRITE;

/// A device and its driver.
#[derive(Debug)]
pub(crate) struct Dev {
    pub(crate) memory_lock: RwSemaphore,
    /// Whether the region answers: hardware.
    pub(crate) decodes: Cell<bool>,
    /// Whether faults are refused: the driver's flag, under `memory_lock`.
    pub(crate) revoked: StdCell<bool>,
    /// Largest order that the driver offers.
    pub(crate) max_order: u32,
    /// VMAs that are open.
    pub(crate) vmas: StdCell<i64>,
}

/// A world: memory, device, file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct World {
    pub(crate) mem: Kptr<PhysMem>,
    pub(crate) dev: Kptr<Dev>,
    pub(crate) mapping: Kptr<AddressSpace>,
    pub(crate) file: VmFile,
}

static FOPS: FileOperations = FileOperations { release: |_| {}, d_release: |_| {} };
pub(crate) static VM_OPS: VmOperationsStruct = VmOperationsStruct {
    open: Some(|vma| dev_of(vma).vmas.set(dev_of(vma).vmas.get() + 1)),
    close: Some(|vma| dev_of(vma).vmas.set(dev_of(vma).vmas.get() - 1)),
    may_split: None,
    fault: Some(|vmf| dev_huge_fault(vmf, 0)),
    huge_fault: Some(dev_huge_fault),
};

thread_local! {
    static DEV: StdCell<Option<Kptr<Dev>>> = const { StdCell::new(None) };
    static BUS_LOG: RefCell<Vec<BusAccess>> = const { RefCell::new(Vec::new()) };
}

fn dev_of(vma: Kptr<VmAreaStruct>) -> Kptr<Dev> {
    vma.private_data::<Dev>().expect("a VMA of the device")
}

/// As vfio-pci's: alignment first, then the lock, then the entry.
fn dev_huge_fault(vmf: &VmFault, order: u32) -> VmFaultT {
    let vma = vmf.vma;
    let dev = dev_of(vma);
    let addr = vmf.address & !((PAGE_SIZE << order) - 1);
    let inside = addr >= vma.vm_start.get() && addr + (PAGE_SIZE << order) <= vma.vm_end.get();
    if order > dev.max_order || !inside {
        return VM_FAULT_FALLBACK;
    }
    let pfn = PFN + linear_page_index(vma, addr);
    if pfn & ((1 << order) - 1) != 0 {
        return VM_FAULT_FALLBACK;
    }
    down_read(&dev.memory_lock);
    let ret = match order {
        _ if dev.revoked.get() => VM_FAULT_SIGBUS,
        0 => vmf_insert_pfn(vma, vmf.address, pfn),
        PMD_ORDER => vmf_insert_pfn_pmd(vmf, pfn, false),
        PUD_ORDER => vmf_insert_pfn_pud(vmf, pfn, false),
        _ => VM_FAULT_FALLBACK,
    };
    up_read(&dev.memory_lock);
    ret
}

fn dev_mmap(vma: Kptr<VmAreaStruct>) -> KResult {
    if vma.vm_flags.get() & VM_SHARED == 0 || (vma_last_pgoff(vma) + 1) << PAGE_SHIFT > SIZE {
        return Err(EINVAL);
    }
    let dev = DEV.get().expect("a world");
    vma.vm_private_data.set(Some(dev.erase()));
    vma.vm_page_prot.set(pgprot_decrypted(pgprot_noncached(vma.vm_page_prot.get())));
    let flags = VM_ALLOW_ANY_UNCACHED | VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP;
    vma.vm_flags.set(vma.vm_flags.get() | flags);
    vma.vm_ops.set(Some(&VM_OPS));
    dev.vmas.set(dev.vmas.get() + 1);
    Ok(())
}

fn bus(access: &BusAccess) -> Option<u64> {
    let dev = DEV.get().expect("a world");
    assert!(access.pfn >= PFN && access.pfn < PFN + (SIZE >> PAGE_SHIFT), "{access:?} goes nowhere");
    BUS_LOG.with_borrow_mut(|l| l.push(*access));
    if !dev.decodes.read_once() {
        report(Report::DeadBar { what: format!("{access:?}"), kind: "cpu".to_string() });
        return None;
    }
    Some(access.pfn << PAGE_SHIFT | access.offset)
}

impl World {
    pub(crate) fn new(max_order: u32) -> World {
        boot();
        BUS_LOG.take();
        let dev = kzalloc(Dev {
            memory_lock: init_rwsem("memory_lock"),
            decodes: Cell::new("decodes", true),
            revoked: StdCell::new(false),
            max_order,
            vmas: StdCell::new(0),
        })
        .unwrap();
        DEV.set(Some(dev));
        let mapping = address_space_init().unwrap();
        let file = VmFile { file: alloc_file(&FOPS).unwrap(), f_mapping: mapping, mmap: dev_mmap };
        World { mem: kzalloc(PhysMem::new(Box::new(bus))).unwrap(), dev, mapping, file }
    }

    pub(crate) fn mm(&self) -> Kptr<MmStruct> {
        mm_alloc(self.mem).unwrap()
    }

    pub(crate) fn map(&self, mm: Kptr<MmStruct>, len: u64, pgoff: u64) -> u64 {
        vm_mmap_pgoff(mm, Some(self.file), None, len, RW | SHARED, pgoff).unwrap()
    }

    /// The driver takes the region away, as vfio-pci does before it disables memory.
    pub(crate) fn revoke(&self) {
        down_write(&self.dev.memory_lock);
        unmap_mapping_range(self.mapping, 0, 0, true);
        self.dev.revoked.set(true);
        self.dev.decodes.write_once(false);
        up_write(&self.dev.memory_lock);
    }

    /// Everything goes; then nothing may be left.
    pub(crate) fn end(&self, mms: &[Kptr<MmStruct>]) {
        for mm in mms {
            exit_mmap(*mm);
            assert_eq!(mm.mmu.table().leaves(), 0);
            assert_eq!(mm.mmu.table().tables(), 1, "page tables are freed");
            assert!(mm.mmu.cached(0, u64::MAX).is_empty(), "no TLB entry outlives its address space");
            mmdrop(*mm);
        }
        assert_eq!(self.dev.vmas.get(), 0, "each VMA that was opened is closed");
        assert_eq!(self.mem.pages_in_use(), 0, "pages are freed");
        kernel_model::task::syscall("close", || fput(self.file.file));
        kfree(self.mapping);
        kfree(self.dev);
        kfree(self.mem);
        shutdown();
    }
}

/// The accesses that left memory since the world began.
pub(crate) fn bus_log() -> Vec<BusAccess> {
    BUS_LOG.with_borrow(Clone::clone)
}

/// The level at which an address is mapped.
pub(crate) fn level(mm: Kptr<MmStruct>, addr: u64) -> Option<Level> {
    mm.mmu.table().walk(addr).map(|l| l.level)
}

/// Explores a model; it must be exhausted.
#[track_caller]
pub(crate) fn run(model: impl Fn() + 'static) -> Outcome {
    let outcome = explore(&Config::new("mm"), model).unwrap();
    assert!(outcome.exhausted);
    outcome
}

/// Explores a model in which nothing may go wrong; gives the number of executions.
#[track_caller]
pub(crate) fn holds(model: impl Fn() + 'static) -> u64 {
    let outcome = run(model);
    assert!(outcome.findings.is_empty(), "{:#?}", outcome.findings);
    outcome.stats.executions
}

/// Explores a model in which `invariant` must break.
#[track_caller]
pub(crate) fn breaks(invariant: &str, model: impl Fn() + 'static) {
    let outcome = run(model);
    let broken: Vec<_> = outcome.findings.iter().map(|f| f.key.clone()).collect();
    assert!(broken.iter().any(|k| k.starts_with(invariant)), "{broken:#?}");
}
