// SPDX-License-Identifier: GPL-2.0-only
//! Accesses of CPUs: loads and stores in user mode, copies by the kernel, and the page faults of both:
//! arch/x86/mm/fault.c, include/linux/uaccess.h.

use kernel_model::prelude::*;

use crate::memory::handle_mm_fault;
use crate::mm_types::*;
use crate::mmap_lock::*;
use crate::pgprot::pgprot2cachemode;
use crate::pgtable::{PAGE_SIZE, TASK_SIZE};
use crate::ram::BusAccess;
use crate::vma::find_vma;

/// What a task is sent when its access is impossible.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// The mapping is there, what is behind it is not.
    Sigbus,
    /// There is no mapping, or it does not allow the access.
    Sigsegv,
    /// Memory ran out.
    Sigkill,
}

/// Whether the VMA forbids the access.
//= linux v7.3.4 arch/x86/mm/fault.c access_error
fn access_error(write: bool, vma: Kptr<VmAreaStruct>) -> bool {
    if write {
        return vma.vm_flags.get() & VM_WRITE == 0;
    }
    vma.vm_flags.get() & VM_ACCESS_FLAGS == 0
}

/// Resolves a page fault, or says which signal it comes to. A fault in user mode tries the VMA lock first; one of the
/// kernel takes `mmap_lock`.
///
/// Context: no lock of the mm is held, unless the kernel's own copy is wrong.
//= linux v7.3.4 arch/x86/mm/fault.c do_user_addr_fault
#[track_caller]
fn do_user_addr_fault(mm: Kptr<MmStruct>, address: u64, write: bool, user: bool) -> Result<(), Signal> {
    let mut flags = if write { FAULT_FLAG_WRITE } else { 0 };
    if user {
        flags |= FAULT_FLAG_USER;
    }

    'lock_mmap: {
        if !user {
            break 'lock_mmap;
        }
        let Some(vma) = lock_vma_under_rcu(mm, address) else { break 'lock_mmap };
        if access_error(write, vma) {
            vma_end_read(vma);
            return Err(Signal::Sigsegv);
        }
        let fault = handle_mm_fault(vma, address, flags | FAULT_FLAG_VMA_LOCK);
        if fault & VM_FAULT_RETRY == 0 {
            vma_end_read(vma);
            return done(fault);
        }
    }

    mmap_read_lock(mm);
    let Some(vma) = find_vma(mm, address).filter(|v| v.vm_start.get() <= address) else {
        mmap_read_unlock(mm);
        return Err(Signal::Sigsegv);
    };
    if access_error(write, vma) {
        mmap_read_unlock(mm);
        return Err(Signal::Sigsegv);
    }
    let fault = handle_mm_fault(vma, address, flags);
    mmap_read_unlock(mm);
    done(fault)
}

fn done(fault: VmFaultT) -> Result<(), Signal> {
    if fault & VM_FAULT_OOM != 0 {
        Err(Signal::Sigkill)
    } else if fault & VM_FAULT_SIGBUS != 0 {
        Err(Signal::Sigbus)
    } else if fault & VM_FAULT_SIGSEGV != 0 {
        Err(Signal::Sigsegv)
    } else {
        Ok(())
    }
}

/// Faults in a row without progress after which the model itself is wrong.
const ENDLESS: u32 = 64;

#[track_caller]
fn access(mm: Kptr<MmStruct>, address: u64, write: Option<u64>, user: bool) -> Result<u64, Signal> {
    if address & 7 != 0 || address >= TASK_SIZE {
        return Err(Signal::Sigsegv);
    }
    for _ in 0..ENDLESS {
        match mm.mmu.translate(address, write.is_some()) {
            Ok(leaf) => {
                let cycle = BusAccess {
                    pfn: leaf.pfn_of(address),
                    offset: address & (PAGE_SIZE - 1),
                    write,
                    cache_mode: pgprot2cachemode(leaf.prot()),
                    virt: address,
                    mapped_at: leaf.mapped_at,
                };
                let answer = mm.mem.access(&cycle);
                mm.mmu.complete();
                return Ok(answer.unwrap_or(u64::MAX));
            }
            Err(_) => do_user_addr_fault(mm, address, write.is_some(), user)?,
        }
    }
    WARN_ON(true, "a page fault that makes no progress");
    Err(Signal::Sigkill)
}

/// Loads eight bytes in user mode. What nobody answers reads as all ones.
///
/// # Errors
/// The signal, if the address is not mapped or not aligned.
#[track_caller]
pub fn user_load(mm: Kptr<MmStruct>, address: u64) -> Result<u64, Signal> {
    access(mm, address, None, true)
}

/// Stores eight bytes in user mode.
///
/// # Errors
/// As for [`user_load`].
#[track_caller]
pub fn user_store(mm: Kptr<MmStruct>, address: u64, value: u64) -> Result<(), Signal> {
    access(mm, address, Some(value), true).map(drop)
}

/// Copies words to user memory; gives how many were *not* copied. It may fault, and take `mmap_lock` then.
//= linux v7.3.4 include/linux/uaccess.h copy_to_user
#[track_caller]
pub fn copy_to_user(mm: Kptr<MmStruct>, to: u64, from: &[u64]) -> usize {
    let words = (to..).step_by(8).zip(from);
    words.take_while(|(at, word)| access(mm, *at, Some(**word), false).is_ok()).count().abs_diff(from.len())
}

/// Copies words from user memory.
///
/// # Errors
/// `EFAULT` when they are not all readable.
//= linux v7.3.4 include/linux/uaccess.h copy_from_user
#[track_caller]
pub fn copy_words_from_user(mm: Kptr<MmStruct>, from: u64, words: usize) -> KResult<Vec<u64>> {
    (from..).step_by(8).take(words).map(|at| access(mm, at, None, false).map_err(|_| EFAULT)).collect()
}
