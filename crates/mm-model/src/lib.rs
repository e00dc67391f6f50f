// SPDX-License-Identifier: GPL-2.0-only
//! Address spaces: VMAs, page tables, TLBs, faults, and the mappings of a file.
//!
//! What the simulator asks of it: after `unmap_mapping_range()` no CPU reaches a device through an old mapping, and
//! until then one may, through its TLB, whatever the page table says. Hardware ([`tlb`], [`ram`]) knows no locks; the
//! kernel's code takes its own, in the order `mmap_lock`, VMA lock, `i_mmap_rwsem`, page-table lock.
//!
//! Reading order: [`pgprot`], [`pgtable`], [`tlb`], [`ram`] (the hardware), [`mm_types`], [`mmap_lock`],
//! [`interval_tree`], then [`memory`] and [`huge_memory`] (faults), [`zap`] and [`mmu_gather`] (teardown), [`vma`],
//! [`mmap`], [`mprotect`], [`mremap`], [`madvise`] (system calls), and [`fault`] (accesses of CPUs).
//!
//! **Architecture invariant:** this crate knows no device. What answers at a frame that is not memory is a function of
//! the world, see [`ram::Bus`].

#![forbid(unsafe_code)]

pub mod fault;
pub mod huge_memory;
pub mod interval_tree;
pub mod madvise;
pub mod memory;
pub mod mm_types;
pub mod mmap;
pub mod mmap_lock;
pub mod mmu_gather;
pub mod mprotect;
pub mod mremap;
pub mod pgprot;
pub mod pgtable;
pub mod ram;
pub mod tlb;
pub mod vma;
pub mod zap;

/// Everything that modelled code calls, under its C name.
pub mod prelude {
    pub use crate::fault::{Signal, copy_to_user, copy_words_from_user, user_load, user_store};
    pub use crate::huge_memory::{vmf_insert_pfn_pmd, vmf_insert_pfn_pud};
    pub use crate::interval_tree::{vma_last_pgoff, vma_pages, vma_start_pgoff};
    pub use crate::madvise::do_madvise;
    pub use crate::memory::{
        handle_mm_fault, linear_page_delta, linear_page_index, vmf_insert_pfn, vmf_insert_pfn_prot,
    };
    pub use crate::mm_types::*;
    pub use crate::mmap::{__vm_munmap, do_mmap, dup_mmap, exit_mmap, mmdrop, vm_mmap_pgoff};
    pub use crate::mprotect::do_mprotect_pkey;
    pub use crate::mremap::{MREMAP_FIXED, MREMAP_MAYMOVE, do_mremap};
    pub use crate::pgprot::{
        PageCacheMode, Pgprot, pgprot_decrypted, pgprot_device, pgprot_noncached, pgprot_writecombine,
    };
    pub use crate::pgtable::{PAGE_SHIFT, PAGE_SIZE, PMD_ORDER, PMD_SIZE, PUD_ORDER, PUD_SIZE};
    pub use crate::ram::{Bus, BusAccess, PhysMem};
    pub use crate::vma::{find_vma, vma_set_file};
    pub use crate::zap::{unmap_mapping_range, zap_special_vma_range, zap_vma_range};
}

/// Where the text of the modelled functions is, so that traces can name the function of a place.
pub const SOURCES: &[(&str, &str)] = &[
    ("mm-model/src/fault.rs", include_str!("fault.rs")),
    ("mm-model/src/huge_memory.rs", include_str!("huge_memory.rs")),
    ("mm-model/src/interval_tree.rs", include_str!("interval_tree.rs")),
    ("mm-model/src/madvise.rs", include_str!("madvise.rs")),
    ("mm-model/src/memory.rs", include_str!("memory.rs")),
    ("mm-model/src/mmap.rs", include_str!("mmap.rs")),
    ("mm-model/src/mmap_lock.rs", include_str!("mmap_lock.rs")),
    ("mm-model/src/mmu_gather.rs", include_str!("mmu_gather.rs")),
    ("mm-model/src/mprotect.rs", include_str!("mprotect.rs")),
    ("mm-model/src/mremap.rs", include_str!("mremap.rs")),
    ("mm-model/src/vma.rs", include_str!("vma.rs")),
    ("mm-model/src/zap.rs", include_str!("zap.rs")),
];
