// SPDX-License-Identifier: GPL-2.0-only
//! Protection bits and memory types of page table entries: arch/x86/include/asm/pgtable_types.h, in the header's
//! order.
//!
//! An entry is a word as x86 has it: the frame number from bit 12 on, the flags around it. At the 2 MiB and 1 GiB
//! levels bit 7 says that the entry is a leaf, and the PAT bit is bit 12 instead; see [`pgprot_4k_2_large`].

/// The bits of an entry that say how, not where.
pub type Pgprot = u64;

/// Present.
pub const _PAGE_PRESENT: u64 = 1 << 0;
/// Writable.
pub const _PAGE_RW: u64 = 1 << 1;
/// Accessible from user mode.
pub const _PAGE_USER: u64 = 1 << 2;
/// Page write through; with [`_PAGE_PCD`] and [`_PAGE_PAT`] it selects the memory type.
pub const _PAGE_PWT: u64 = 1 << 3;
/// Page cache disable.
pub const _PAGE_PCD: u64 = 1 << 4;
/// Set by hardware when the entry is used.
pub const _PAGE_ACCESSED: u64 = 1 << 5;
/// Set by hardware when the entry is written through.
pub const _PAGE_DIRTY: u64 = 1 << 6;
/// Above the lowest level: a leaf.
pub const _PAGE_PSE: u64 = 1 << 7;
/// At the lowest level: third bit of the memory type.
pub const _PAGE_PAT: u64 = 1 << 7;
/// Software: the frame has no `struct page` that the mm may touch.
pub const _PAGE_SPECIAL: u64 = 1 << 9;
/// Software, of the model: the frame is a page that copy on write made (`PageAnon` of its `struct page` in C).
pub const _PAGE_ANON: u64 = 1 << 10;
/// Above the lowest level: third bit of the memory type.
pub const _PAGE_PAT_LARGE: u64 = 1 << 12;
/// Not executable.
pub const _PAGE_NX: u64 = 1 << 63;

/// Where the frame number is.
pub const PTE_PFN_MASK: u64 = 0x000f_ffff_ffff_f000;
const CACHE_MASK: u64 = _PAGE_PWT | _PAGE_PCD | _PAGE_PAT;

/// How the CPU treats an access.
///
/// In C: `page_cache_mode`, arch/x86/include/asm/pgtable_types.h.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PageCacheMode {
    /// Write back: cached.
    Wb,
    /// Write combining: writes may be gathered.
    Wc,
    /// Uncached, unless an MTRR says write combining.
    UcMinus,
    /// Strongly uncached.
    Uc,
}

/// The bits that select a memory type.
//= linux v7.3.4 arch/x86/mm/init.c cachemode2protval
pub fn cachemode2protval(pcm: PageCacheMode) -> u64 {
    match pcm {
        PageCacheMode::Wb => 0,
        PageCacheMode::Wc => _PAGE_PWT,
        PageCacheMode::UcMinus => _PAGE_PCD,
        PageCacheMode::Uc => _PAGE_PCD | _PAGE_PWT,
    }
}

/// The memory type of a protection at the lowest level; `None` for the two types that nothing here selects.
///
/// In C: `pgprot2cachemode`, arch/x86/include/asm/memtype.h.
pub fn pgprot2cachemode(prot: Pgprot) -> Option<PageCacheMode> {
    match prot & CACHE_MASK {
        0 => Some(PageCacheMode::Wb),
        _PAGE_PWT => Some(PageCacheMode::Wc),
        _PAGE_PCD => Some(PageCacheMode::UcMinus),
        b if b == _PAGE_PCD | _PAGE_PWT => Some(PageCacheMode::Uc),
        _ => None,
    }
}

/// The protection with another memory type.
///
/// In C: `pgprot_set_cachemode`, arch/x86/mm/pat/memtype.c.
fn pgprot_set_cachemode(prot: Pgprot, pcm: PageCacheMode) -> Pgprot {
    prot & !CACHE_MASK | cachemode2protval(pcm)
}

/// Uncached: UC- on x86.
///
/// In C: `pgprot_noncached`, arch/x86/include/asm/pgtable.h.
pub fn pgprot_noncached(prot: Pgprot) -> Pgprot {
    pgprot_set_cachemode(prot, PageCacheMode::UcMinus)
}

/// Write combining.
//= linux v7.3.4 arch/x86/mm/pat/memtype.c pgprot_writecombine
pub fn pgprot_writecombine(prot: Pgprot) -> Pgprot {
    pgprot_set_cachemode(prot, PageCacheMode::Wc)
}

/// For device registers: as [`pgprot_noncached`] where the architecture knows no difference, and x86 does not.
///
/// In C: `pgprot_device`, include/linux/pgtable.h.
pub fn pgprot_device(prot: Pgprot) -> Pgprot {
    pgprot_noncached(prot)
}

/// Outside the encrypted memory of a confidential guest: nothing to do on a host.
///
/// In C: `pgprot_decrypted`, include/linux/pgtable.h.
pub fn pgprot_decrypted(prot: Pgprot) -> Pgprot {
    prot
}

/// The protection as a leaf above the lowest level has it.
///
/// In C: `pgprot_4k_2_large`, arch/x86/include/asm/pgtable_types.h.
pub fn pgprot_4k_2_large(prot: Pgprot) -> Pgprot {
    let pat = if prot & _PAGE_PAT != 0 { _PAGE_PAT_LARGE } else { 0 };
    prot & !_PAGE_PAT | pat
}

/// The inverse of [`pgprot_4k_2_large`]; the size bit is dropped.
///
/// In C: `pgprot_large_2_4k`, arch/x86/include/asm/pgtable_types.h.
pub fn pgprot_large_2_4k(prot: Pgprot) -> Pgprot {
    let pat = if prot & _PAGE_PAT_LARGE != 0 { _PAGE_PAT } else { 0 };
    prot & !(_PAGE_PSE | _PAGE_PAT_LARGE) | pat
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: u64 = _PAGE_PRESENT | _PAGE_RW | _PAGE_USER | _PAGE_NX;

    #[test]
    fn each_memory_type_is_what_its_function_says() {
        use PageCacheMode::*;
        for (prot, want) in [
            (BASE, Wb),
            (pgprot_noncached(BASE), UcMinus),
            (pgprot_device(BASE), UcMinus),
            (pgprot_writecombine(BASE), Wc),
            (pgprot_set_cachemode(BASE, Uc), Uc),
            (pgprot_writecombine(pgprot_noncached(BASE)), Wc),
            (pgprot_noncached(pgprot_writecombine(BASE)), UcMinus),
            (pgprot_decrypted(pgprot_noncached(BASE)), UcMinus),
        ] {
            assert_eq!(pgprot2cachemode(prot), Some(want));
            assert_eq!(prot & !CACHE_MASK, BASE, "a memory type changes nothing else");
        }
        assert_eq!(pgprot2cachemode(_PAGE_PAT), None);
    }

    #[test]
    fn large_leaves_keep_the_type() {
        for bits in [0, _PAGE_PWT, _PAGE_PCD, _PAGE_PAT, _PAGE_PAT | _PAGE_PWT] {
            let large = pgprot_4k_2_large(BASE | bits);
            assert_eq!(large & _PAGE_PAT, 0, "bit 7 is free for the size");
            assert_eq!(pgprot_large_2_4k(large | _PAGE_PSE), BASE | bits);
        }
    }
}
