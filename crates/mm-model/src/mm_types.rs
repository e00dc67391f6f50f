// SPDX-License-Identifier: GPL-2.0-only
//! `struct mm_struct`, `struct vm_area_struct`, `struct address_space` and their like: include/linux/mm_types.h,
//! include/linux/fs.h, include/linux/mm.h.
//!
//! Lock order, outermost first: `mmap_lock`, the VMA locks, `i_mmap_rwsem`, the page-table lock. One page-table lock
//! stands for the split ones of the kernel.

use std::cell::{Cell as StdCell, RefCell};
use std::collections::BTreeMap;
use std::fmt;

use explorer::sync::Cell;
use kernel_model::prelude::*;

use crate::interval_tree::RmapTree;
use crate::pgprot::*;
use crate::ram::PhysMem;
use crate::tlb::Mmu;

/// Flags of a VMA, in the header's order.
pub type VmFlags = u64;
/// May be read now.
pub const VM_READ: VmFlags = 0x1;
/// May be written now.
pub const VM_WRITE: VmFlags = 0x2;
/// May be executed now.
pub const VM_EXEC: VmFlags = 0x4;
/// Changes are seen by all who map the file.
pub const VM_SHARED: VmFlags = 0x8;
/// `mprotect()` may set [`VM_READ`].
pub const VM_MAYREAD: VmFlags = 0x10;
/// `mprotect()` may set [`VM_WRITE`].
pub const VM_MAYWRITE: VmFlags = 0x20;
/// `mprotect()` may set [`VM_EXEC`].
pub const VM_MAYEXEC: VmFlags = 0x40;
/// Was mapped with `MAP_SHARED`.
pub const VM_MAYSHARE: VmFlags = 0x80;
/// Frames without `struct page`.
pub const VM_PFNMAP: VmFlags = 0x400;
/// Memory mapped I/O.
pub const VM_IO: VmFlags = 0x4000;
/// Not copied by `fork()`.
pub const VM_DONTCOPY: VmFlags = 0x2_0000;
/// Not expanded by `mremap()`.
pub const VM_DONTEXPAND: VmFlags = 0x4_0000;
/// Left out of core dumps.
pub const VM_DONTDUMP: VmFlags = 0x400_0000;
/// Both frames without and pages with `struct page`.
pub const VM_MIXEDMAP: VmFlags = 0x1000_0000;
/// KVM may give a guest any uncached type (arm64).
pub const VM_ALLOW_ANY_UNCACHED: VmFlags = 1 << 39;
/// Access as `mmap()` and `mprotect()` give it.
pub const VM_ACCESS_FLAGS: VmFlags = VM_READ | VM_WRITE | VM_EXEC;
/// `fork()` copies the page table, since a fault could not bring the entries back.
pub const VM_COPY_ON_FORK: VmFlags = VM_PFNMAP | VM_MIXEDMAP;

/// Result of a fault: bits.
pub type VmFaultT = u32;
/// Out of memory.
pub const VM_FAULT_OOM: VmFaultT = 0x1;
/// Bad access: SIGBUS.
pub const VM_FAULT_SIGBUS: VmFaultT = 0x2;
/// Bad access: SIGSEGV.
pub const VM_FAULT_SIGSEGV: VmFaultT = 0x40;
/// The handler installed the entry.
pub const VM_FAULT_NOPAGE: VmFaultT = 0x100;
/// Fault again with `mmap_lock`; the VMA lock is dropped.
pub const VM_FAULT_RETRY: VmFaultT = 0x400;
/// The order is not possible; try a smaller one.
pub const VM_FAULT_FALLBACK: VmFaultT = 0x800;
/// Any of the errors.
pub const VM_FAULT_ERROR: VmFaultT = VM_FAULT_OOM | VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV | VM_FAULT_FALLBACK;

/// The fault is a write.
pub const FAULT_FLAG_WRITE: u32 = 1 << 0;
/// The fault came from user mode.
pub const FAULT_FLAG_USER: u32 = 1 << 6;
/// The VMA lock is held, not `mmap_lock`.
pub const FAULT_FLAG_VMA_LOCK: u32 = 1 << 12;

/// A fault as a handler sees it.
///
/// In C: `vm_fault`, include/linux/mm.h.
#[derive(Debug)]
pub struct VmFault {
    /// The VMA.
    pub vma: Kptr<VmAreaStruct>,
    /// The address, cut to a page.
    pub address: u64,
    /// `FAULT_FLAG_*`.
    pub flags: u32,
    /// Page of the file.
    pub pgoff: u64,
    /// Set by a handler that gives a page of memory instead of an entry; with a reference for the mm.
    pub page: StdCell<Option<u64>>,
}

/// What a driver does for its mappings. A missing function is a null pointer in C.
///
/// In C: `vm_operations_struct`, include/linux/mm.h.
#[derive(Clone, Copy, Debug)]
pub struct VmOperationsStruct {
    /// A VMA was copied: fork, split, move.
    pub open: Option<fn(Kptr<VmAreaStruct>)>,
    /// A VMA goes.
    pub close: Option<fn(Kptr<VmAreaStruct>)>,
    /// May a VMA be split at this address?
    pub may_split: Option<fn(Kptr<VmAreaStruct>, u64) -> KResult>,
    /// A page is missing.
    pub fault: Option<fn(&VmFault) -> VmFaultT>,
    /// A leaf of this order would fit.
    pub huge_fault: Option<fn(&VmFault, u32) -> VmFaultT>,
}

impl VmOperationsStruct {
    /// No function at all.
    pub const NONE: VmOperationsStruct =
        VmOperationsStruct { open: None, close: None, may_split: None, fault: None, huge_fault: None };
}

/// A file as the mm sees it: what `struct file` holds of it in C.
#[derive(Clone, Copy, Debug)]
pub struct VmFile {
    /// The file; each VMA holds a reference.
    pub file: Kptr<File>,
    /// `file->f_mapping`.
    pub f_mapping: Kptr<AddressSpace>,
    /// `file->f_op->mmap`.
    pub mmap: fn(Kptr<VmAreaStruct>) -> KResult,
}

/// A contiguous part of an address space.
pub struct VmAreaStruct {
    /// First address.
    pub vm_start: Plain<u64>,
    /// First address behind it.
    pub vm_end: Plain<u64>,
    /// The address space.
    pub vm_mm: Kptr<MmStruct>,
    /// Protection of its entries.
    pub vm_page_prot: StdCell<Pgprot>,
    /// `VM_*`.
    pub vm_flags: StdCell<VmFlags>,
    /// Page of the file at `vm_start`.
    pub vm_pgoff: Plain<u64>,
    /// Functions of the driver; `None` for anonymous memory.
    pub vm_ops: StdCell<Option<&'static VmOperationsStruct>>,
    /// The file, if there is one; see [`VmAreaStruct::file`].
    pub(crate) vm_file: Plain<Option<Kptr<File>>>,
    pub(crate) vm_file_ops: StdCell<Option<VmFile>>,
    /// The driver's.
    pub vm_private_data: StdCell<Option<Kptr<Erased>>>,
    /// Anonymous pages were made here: `anon_vma` is set in C.
    pub(crate) anon_vma: StdCell<bool>,
    /// See [`crate::mmap_lock`].
    pub(crate) vm_lock_seq: Plain<u64>,
    pub(crate) vm_refcnt: Cell<u32>,
    /// Its key in the tree of the file, once it is there.
    pub(crate) rmap_key: StdCell<Option<(u64, u64)>>,
}

impl fmt::Debug for VmAreaStruct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vma({:?}-{:?})", self.vm_start, self.vm_end)
    }
}

impl VmAreaStruct {
    /// The file, with what the mm knows of it.
    pub fn file(&self) -> Option<VmFile> {
        self.vm_file_ops.get()
    }

    /// The driver's data.
    ///
    /// # Panics
    /// When it is of another type: the modelled driver is wrong about its own mapping.
    pub fn private_data<T: 'static>(&self) -> Option<Kptr<T>> {
        self.vm_private_data.get().map(Kptr::container_of::<T>)
    }
}

/// The mappings of a file: what `unmap_mapping_range()` walks.
///
/// In C: `address_space`, include/linux/fs.h.
#[derive(Debug)]
pub struct AddressSpace {
    /// Protects `i_mmap`.
    pub i_mmap_rwsem: RwSemaphore,
    pub(crate) i_mmap: RefCell<RmapTree>,
}

/// An address space without mappings.
///
/// # Errors
/// `ENOMEM`.
pub fn address_space_init() -> KResult<Kptr<AddressSpace>> {
    kzalloc(AddressSpace { i_mmap_rwsem: init_rwsem("mapping->i_mmap_rwsem"), i_mmap: RefCell::default() })
}

/// An address space of a process.
pub struct MmStruct {
    /// Protects the set of VMAs.
    pub mmap_lock: RwSemaphore,
    /// Changes when a writer of `mmap_lock` begins and ends: odd while one is inside.
    pub(crate) mm_lock_seq: Cell<u64>,
    /// A change of the tree of VMAs, as those see it who walk it without a lock.
    pub(crate) mt_version: Cell<u64>,
    /// VMAs by their first address, with the first address behind them.
    pub(crate) mm_mt: RefCell<BTreeMap<u64, (u64, Kptr<VmAreaStruct>)>>,
    /// VMAs that are gone; their memory is reused for VMAs only, so a late reader finds a detached VMA.
    pub(crate) vm_areas_freed: RefCell<Vec<Kptr<VmAreaStruct>>>,
    /// The page-table lock.
    pub page_table_lock: Mutex,
    /// The page table and the TLBs.
    pub mmu: Mmu,
    /// The memory of the machine.
    pub mem: Kptr<PhysMem>,
}

impl fmt::Debug for MmStruct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mm({} VMAs, {:?})", self.mm_mt.borrow().len(), self.mmu)
    }
}

/// A new, empty address space over the machine's memory.
///
/// # Errors
/// `ENOMEM`.
///
/// In C: `mm_alloc`, kernel/fork.c.
pub fn mm_alloc(mem: Kptr<PhysMem>) -> KResult<Kptr<MmStruct>> {
    kzalloc(MmStruct {
        mmap_lock: init_rwsem("mm->mmap_lock"),
        mm_lock_seq: Cell::new("mm->mm_lock_seq", 0),
        mt_version: Cell::new("mm->mm_mt", 0),
        mm_mt: RefCell::default(),
        vm_areas_freed: RefCell::default(),
        page_table_lock: mutex_init("page table lock"),
        mmu: Mmu::new("mmu"),
        mem,
    })
}
