// SPDX-License-Identifier: GPL-2.0-only
//! The virtual config space, and the writes to it that end or restore access to the BARs.
//!
//! Transcribes: drivers/vfio/pci/vfio_pci_config.c, linux v7.3.4, in part: the standard header, the PCI Express and the
//! Advanced Features capability; with the posted hooks.
//!
//! Kernel file: drivers/vfio/pci/vfio_pci_config.c
//! Message-ID: cover.1753274085.git.leonro@nvidia.com
//! Parent: v7_3
//! Intent: revoke before a write that ends access to memory space reaches the device; after a function level reset the
//! buffers are to come back, but `true` is passed where `false` belongs.
//! Functions changed: vfio_exp_config_write, vfio_af_config_write

use kernel_model::prelude::*;
use pci_model::PciDev;
use pci_model::access::*;
use pci_model::regs::*;
use pci_model::reset::pci_try_reset_function;

use crate::config_perms::*;
use crate::core_device::*;
use crate::revision::*;

//= linux v7.3.4 drivers/vfio/pci/vfio_pci_config.c vfio_user_config_read
fn vfio_user_config_read(pdev: Kptr<PciDev>, offset: usize, count: usize) -> KResult<u32> {
    match count {
        1 => pci_user_read_config_byte(pdev, offset).map(u32::from),
        2 => pci_user_read_config_word(pdev, offset).map(u32::from),
        4 => pci_user_read_config_dword(pdev, offset),
        _ => Err(EINVAL),
    }
}

//= linux v7.3.4 drivers/vfio/pci/vfio_pci_config.c vfio_user_config_write
fn vfio_user_config_write(pdev: Kptr<PciDev>, offset: usize, val: u32, count: usize) -> KResult {
    match count {
        1 => pci_user_write_config_byte(pdev, offset, val as u8),
        2 => pci_user_write_config_word(pdev, offset, val as u16),
        4 => pci_user_write_config_dword(pdev, offset, val),
        _ => Err(EINVAL),
    }
}

//= linux v7.3.4 drivers/vfio/pci/vfio_pci_config.c vfio_default_config_read
fn vfio_default_config_read(
    vdev: Vdev,
    pos: usize,
    count: usize,
    perm: &PermBits,
    offset: usize,
) -> KResult<u32> {
    let mut val = vdev.vconfig().read(pos, count);

    let (virt, _) = perm.at(offset, count);

    /* Any non-virtualized bits? */
    if (u32::MAX >> (32 - count * 8)) != virt {
        let phys_val = vfio_user_config_read(vdev.pdev, pos, count)?;

        val = (phys_val & !virt) | (val & virt);
    }

    Ok(val)
}

//= linux v7.3.4 drivers/vfio/pci/vfio_pci_config.c vfio_default_config_write
fn vfio_default_config_write(
    vdev: Vdev,
    pos: usize,
    count: usize,
    perm: &PermBits,
    offset: usize,
    val: u32,
) -> KResult<usize> {
    let (virt, write) = perm.at(offset, count);

    if write == 0 {
        return Ok(count); /* drop, no writable bits */
    }

    /* Virtualized and writable bits go to vconfig */
    if write & virt != 0 {
        let mut virt_val = vdev.vconfig().read(pos, count);

        virt_val &= !(write & virt);
        virt_val |= val & (write & virt);

        vdev.vconfig().write(pos, count, virt_val);
    }

    /* Non-virtualized and writable bits go to hardware */
    if write & !virt != 0 {
        let mut phys_val = vfio_user_config_read(vdev.pdev, pos, count)?;

        phys_val &= !(write & !virt);
        phys_val |= val & (write & !virt);

        vfio_user_config_write(vdev.pdev, pos, phys_val, count)?;
    }

    Ok(count)
}

/// Direct read from hardware, except for the capability's next pointer.
//= linux v7.3.4 drivers/vfio/pci/vfio_pci_config.c vfio_direct_config_read
fn vfio_direct_config_read(vdev: Vdev, pos: usize, count: usize, offset: usize) -> KResult<u32> {
    let mut val = vfio_user_config_read(vdev.pdev, pos, count)?;

    if pos >= PCI_STD_HEADER_SIZEOF && offset == PCI_CAP_LIST_NEXT {
        val = (val & !0xff) | vdev.vconfig().read(pos, 1);
    }

    Ok(val)
}

/// Is memory space enabled, as far as the user can tell?
///
/// Context: the caller holds `memory_lock`.
//= linux v7.3.4 drivers/vfio/pci/vfio_pci_config.c __vfio_pci_memory_enabled
pub(super) fn __vfio_pci_memory_enabled(vdev: Vdev) -> bool {
    let pdev = vdev.pdev;
    let cmd = vdev.vconfig().command();

    /*
     * Memory cannot be accessed in D3. Memory space of virtual functions is enabled in the physical function: the
     * virtual bit need not trigger faults.
     */
    pdev.current_state.get() < PCI_D3HOT && (pdev.no_command_memory || cmd & PCI_COMMAND_MEMORY != 0)
}

/// Restores the real BARs after a reset behind vfio's back.
//= linux v7.3.4 drivers/vfio/pci/vfio_pci_config.c vfio_bar_restore
fn vfio_bar_restore(vdev: Vdev) {
    let pdev = vdev.pdev;
    let rbar = vdev.rbar.get();

    if pdev.is_virtfn {
        return;
    }

    for (i, pos) in (PCI_BASE_ADDRESS_0..=PCI_BASE_ADDRESS_5).step_by(4).enumerate() {
        let _ = pci_user_write_config_dword(pdev, pos, rbar[i]);
    }

    let _ = pci_user_write_config_dword(pdev, PCI_ROM_ADDRESS, rbar[6]);
}

//= linux v7.3.4 drivers/vfio/pci/vfio_pci_config.c vfio_basic_config_read
fn vfio_basic_config_read(
    vdev: Vdev,
    pos: usize,
    count: usize,
    perm: &PermBits,
    offset: usize,
) -> KResult<u32> {
    let mut val = vfio_default_config_read(vdev, pos, count, perm, offset)?;

    /* Mask in virtual memory enable */
    if offset == PCI_COMMAND && vdev.pdev.no_command_memory {
        let cmd = vdev.vconfig().command();

        val |= u32::from(cmd & PCI_COMMAND_MEMORY);
    }

    Ok(val)
}

/// Do BARs differ from the values that they should contain?
//= linux v7.3.4 drivers/vfio/pci/vfio_pci_config.c vfio_need_bar_restore
fn vfio_need_bar_restore(vdev: Vdev) -> bool {
    let rbar = vdev.rbar.get();

    for (i, pos) in (PCI_BASE_ADDRESS_0..=PCI_BASE_ADDRESS_5).step_by(4).enumerate() {
        if rbar[i] != 0 {
            let bar = pci_user_read_config_dword(vdev.pdev, pos);
            if bar != Ok(rbar[i]) {
                return true;
            }
        }
    }

    false
}

//= linux v7.3.4 drivers/vfio/pci/vfio_pci_config.c vfio_basic_config_write
fn vfio_basic_config_write(
    vdev: Vdev,
    pos: usize,
    count: usize,
    perm: &PermBits,
    offset: usize,
    val: u32,
) -> KResult<usize> {
    let pdev = vdev.pdev;
    let mut new_cmd = 0;

    if offset == PCI_COMMAND {
        let phys_cmd = pci_user_read_config_word(pdev, PCI_COMMAND)?;

        new_cmd = val as u16;

        let phys_io = phys_cmd & PCI_COMMAND_IO != 0;
        let virt_io = vdev.vconfig().command() & PCI_COMMAND_IO != 0;
        let new_io = new_cmd & PCI_COMMAND_IO != 0;

        let phys_mem = phys_cmd & PCI_COMMAND_MEMORY != 0;
        let virt_mem = vdev.vconfig().command() & PCI_COMMAND_MEMORY != 0;
        let new_mem = new_cmd & PCI_COMMAND_MEMORY != 0;

        if !new_mem {
            vfio_pci_zap_and_down_write_memory_lock(vdev);
            vfio_pci_dma_buf_move(vdev, true);
        } else {
            down_write(&vdev.memory_lock);
        }

        /*
         * If the user enables what we think is enabled already, but the hardware shows it disabled, the device was
         * reset behind our back and must be restored before the BARs come on.
         */
        if (new_mem && virt_mem && !phys_mem && !pdev.no_command_memory)
            || (new_io && virt_io && !phys_io)
            || vfio_need_bar_restore(vdev)
        {
            vfio_bar_restore(vdev);
        }
    }

    let count = match vfio_default_config_write(vdev, pos, count, perm, offset, val) {
        Ok(count) => count,
        Err(ret) => {
            if offset == PCI_COMMAND {
                up_write(&vdev.memory_lock);
            }
            return Err(ret);
        }
    };

    /*
     * The enable bits are kept in vconfig for the test above, next time.
     */
    if offset == PCI_COMMAND {
        let mask = PCI_COMMAND_MEMORY | PCI_COMMAND_IO;

        let virt_cmd = vdev.vconfig().command() & !mask;
        vdev.vconfig().set_command(virt_cmd | (new_cmd & mask));

        if __vfio_pci_memory_enabled(vdev) {
            vfio_pci_dma_buf_move(vdev, false);
        }
        up_write(&vdev.memory_lock);
    }

    Ok(count)
}

//= mail cover.1753274085.git.leonro@nvidia.com drivers/vfio/pci/vfio_pci_config.c vfio_exp_config_write
fn vfio_exp_config_write(
    vdev: Vdev,
    pos: usize,
    count: usize,
    perm: &PermBits,
    offset: usize,
    val: u32,
) -> KResult<usize> {
    let ctrl = pos - offset + PCI_EXP_DEVCTL;

    let count = vfio_default_config_write(vdev, pos, count, perm, offset, val)?;

    /*
     * The FLR bit is virtualized: if it is set and the device supports FLR, the function is reset, not necessarily
     * by an FLR. The bit always reads as zero.
     */
    let devctl = vdev.vconfig().read(ctrl, 2) as u16;
    if devctl & PCI_EXP_DEVCTL_BCR_FLR != 0 {
        vdev.vconfig().write(ctrl, 2, u32::from(devctl & !PCI_EXP_DEVCTL_BCR_FLR));

        let cap = pci_user_read_config_dword(vdev.pdev, pos - offset + PCI_EXP_DEVCAP);

        if cap.is_ok_and(|cap| cap & PCI_EXP_DEVCAP_FLR != 0) {
            vfio_pci_zap_and_down_write_memory_lock(vdev);
            vfio_pci_dma_buf_move(vdev, true);
            let _ = pci_try_reset_function(vdev.pdev);
            if __vfio_pci_memory_enabled(vdev) {
                vfio_pci_dma_buf_move(vdev, true);
            }
            up_write(&vdev.memory_lock);
        }
    }

    Ok(count)
}

//= mail cover.1753274085.git.leonro@nvidia.com drivers/vfio/pci/vfio_pci_config.c vfio_af_config_write
fn vfio_af_config_write(
    vdev: Vdev,
    pos: usize,
    count: usize,
    perm: &PermBits,
    offset: usize,
    val: u32,
) -> KResult<usize> {
    let ctrl = pos - offset + PCI_AF_CTRL;

    let count = vfio_default_config_write(vdev, pos, count, perm, offset, val)?;

    /*
     * As for the FLR bit of the PCI Express capability.
     */
    let af_ctrl = vdev.vconfig().read(ctrl, 1) as u8;
    if af_ctrl & PCI_AF_CTRL_FLR != 0 {
        vdev.vconfig().write(ctrl, 1, u32::from(af_ctrl & !PCI_AF_CTRL_FLR));

        let cap = pci_user_read_config_byte(vdev.pdev, pos - offset + PCI_AF_CAP);

        if cap.is_ok_and(|cap| cap & PCI_AF_CAP_FLR != 0 && cap & PCI_AF_CAP_TP != 0) {
            vfio_pci_zap_and_down_write_memory_lock(vdev);
            vfio_pci_dma_buf_move(vdev, true);
            let _ = pci_try_reset_function(vdev.pdev);
            if __vfio_pci_memory_enabled(vdev) {
                vfio_pci_dma_buf_move(vdev, true);
            }
            up_write(&vdev.memory_lock);
        }
    }

    Ok(count)
}

//= linux v7.3.4 drivers/vfio/pci/vfio_pci_config.c vfio_find_cap_start
fn vfio_find_cap_start(vdev: Vdev, mut pos: usize) -> usize {
    let map = vdev.pci_config_map.borrow();
    let cap = map[pos];

    if cap == PCI_CAP_ID_BASIC {
        return 0;
    }

    while pos > PCI_STD_HEADER_SIZEOF && map[pos - 1] == cap {
        pos -= 1;
    }

    pos
}

//= linux v7.3.4 drivers/vfio/pci/vfio_pci_config.c vfio_fill_vconfig_bytes
fn vfio_fill_vconfig_bytes(
    vdev: Vdev,
    bytes: &mut [u8; PCI_CFG_SPACE_SIZE],
    mut offset: usize,
    mut size: usize,
) {
    let pdev = vdev.pdev;

    /*
     * Physical config space is read in the largest chunks that are possible: all fields are taken to support dword
     * access.
     */
    while size != 0 {
        let filled;

        if size >= 4 && offset.is_multiple_of(4) {
            let dword = pci_read_config_dword(pdev, offset);
            bytes[offset..offset + 4].copy_from_slice(&dword.to_le_bytes());
            filled = 4;
        } else if size >= 2 && offset.is_multiple_of(2) {
            let word = pci_read_config_word(pdev, offset);
            bytes[offset..offset + 2].copy_from_slice(&word.to_le_bytes());
            filled = 2;
        } else {
            bytes[offset] = pci_read_config_byte(pdev, offset);
            filled = 1;
        }

        offset += filled;
        size -= filled;
    }
}

//= linux v7.3.4 drivers/vfio/pci/vfio_pci_config.c vfio_cap_init
fn vfio_cap_init(vdev: Vdev, bytes: &mut [u8; PCI_CFG_SPACE_SIZE]) {
    let pdev = vdev.pdev;

    /* Any capabilities? */
    let status = pci_read_config_word(pdev, PCI_STATUS);
    if status & PCI_STATUS_CAP_LIST == 0 {
        return; /* Done */
    }

    let mut pos = usize::from(pci_read_config_byte(pdev, PCI_CAPABILITY_LIST));

    /* The previous position, to skip a capability */
    let mut prev = PCI_CAPABILITY_LIST;
    let mut loops = (PCI_CFG_SPACE_SIZE - PCI_STD_HEADER_SIZEOF) / PCI_CAP_SIZEOF;
    let mut caps = 0;

    while pos != 0 && loops > 0 {
        loops -= 1;
        let cap = pci_read_config_byte(pdev, pos);
        let next = pci_read_config_byte(pdev, pos + PCI_CAP_LIST_NEXT);
        let len = if cap != 0 && cap <= PCI_CAP_ID_MAX { pci_cap_length(cap) } else { 0 };

        if len == 0 {
            bytes[prev] = next;
            pos = usize::from(next);
            continue;
        }

        vdev.pci_config_map.borrow_mut()[pos..pos + len].fill(cap);
        vfio_fill_vconfig_bytes(vdev, bytes, pos, len);

        prev = pos + PCI_CAP_LIST_NEXT;
        pos = usize::from(next);
        caps += 1;
    }

    /* If we didn't fill any capabilities, clear the status flag */
    if caps == 0 {
        bytes[PCI_STATUS] &= !(PCI_STATUS_CAP_LIST as u8);
    }
}

/// Sets up the map of capabilities and the virtual config space, from the device.
//= linux v7.3.4 drivers/vfio/pci/vfio_pci_config.c vfio_config_init
pub(super) fn vfio_config_init(vdev: Vdev) -> KResult {
    let pdev = vdev.pdev;
    let mut bytes = [0; PCI_CFG_SPACE_SIZE];

    let mut map = vec![PCI_CAP_ID_INVALID; pdev.cfg_size];
    map[..PCI_STD_HEADER_SIZEOF].fill(PCI_CAP_ID_BASIC);
    *vdev.pci_config_map.borrow_mut() = map;

    vfio_fill_vconfig_bytes(vdev, &mut bytes, 0, PCI_STD_HEADER_SIZEOF);

    /* For restore after reset */
    let mut rbar = [0; 7];
    for (i, pos) in (PCI_BASE_ADDRESS_0..=PCI_BASE_ADDRESS_5).step_by(4).enumerate() {
        rbar[i] = get_u32(&bytes, pos);
    }
    rbar[6] = get_u32(&bytes, PCI_ROM_ADDRESS);
    vdev.rbar.set(rbar);

    if pdev.no_command_memory {
        /* The memory enable bit is not implemented: set the virtual one for consistency. */
        bytes[PCI_COMMAND] |= PCI_COMMAND_MEMORY as u8;
    }

    vfio_cap_init(vdev, &mut bytes);

    vdev.vconfig.set(Some(kzalloc(VConfig::new(bytes))?));
    Ok(())
}

/// Tears the virtual config space down.
//= linux v7.3.4 drivers/vfio/pci/vfio_pci_config.c vfio_config_free
pub(super) fn vfio_config_free(vdev: Vdev) {
    if let Some(vconfig) = vdev.vconfig.get() {
        kfree(vconfig);
    }
    vdev.vconfig.set(None);
    vdev.pci_config_map.borrow_mut().clear();
}

/// Remaining bytes of the dword that belong to the same capability.
//= linux v7.3.4 drivers/vfio/pci/vfio_pci_config.c vfio_pci_cap_remaining_dword
fn vfio_pci_cap_remaining_dword(vdev: Vdev, pos: usize) -> usize {
    let map = vdev.pci_config_map.borrow();
    let cap = map[pos];
    let mut i = 1;

    while !(pos + i).is_multiple_of(4) && map[pos + i] == cap {
        i += 1;
    }

    i
}

//= linux v7.3.4 drivers/vfio/pci/vfio_pci_config.c vfio_pci_config_rw_single
fn vfio_pci_config_rw_single(vdev: Vdev, buf: &mut [u8], pos: usize, iswrite: bool) -> KResult<usize> {
    let pdev = vdev.pdev;

    if pos >= pdev.cfg_size || pos + buf.len() > pdev.cfg_size {
        return Err(EFAULT);
    }

    /*
     * Accesses are chopped into aligned chunks of no more than a single capability.
     */
    let mut count = buf.len().min(vfio_pci_cap_remaining_dword(vdev, pos));
    if count >= 4 && pos.is_multiple_of(4) {
        count = 4;
    } else if count >= 2 && pos.is_multiple_of(2) {
        count = 2;
    } else {
        count = 1;
    }

    let cap_id = vdev.pci_config_map.borrow()[pos];
    let cap_start = if cap_id == PCI_CAP_ID_INVALID { pos } else { vfio_find_cap_start(vdev, pos) };
    let offset = pos - cap_start;
    let perms = cap_perms();
    let perm = perms.get(cap_id);

    if iswrite {
        let mut val = [0; 4];
        val[..count].copy_from_slice(&buf[..count]);
        let val = u32::from_le_bytes(val);

        match (cap_id, perm) {
            /* Unassigned bytes are raw. */
            (PCI_CAP_ID_INVALID, _) => vfio_user_config_write(pdev, pos, val, count).map(|()| count),
            (PCI_CAP_ID_BASIC, Some(perm)) => vfio_basic_config_write(vdev, pos, count, perm, offset, val),
            (PCI_CAP_ID_EXP, Some(perm)) => vfio_exp_config_write(vdev, pos, count, perm, offset, val),
            (PCI_CAP_ID_AF, Some(perm)) => vfio_af_config_write(vdev, pos, count, perm, offset, val),
            /* No write function: dropped. */
            _ => Ok(count),
        }
    } else {
        let val = match (cap_id, perm) {
            (PCI_CAP_ID_INVALID, _) => vfio_user_config_read(pdev, pos, count)?,
            (PCI_CAP_ID_BASIC, Some(perm)) => vfio_basic_config_read(vdev, pos, count, perm, offset)?,
            (_, Some(perm)) => vfio_default_config_read(vdev, pos, count, perm, offset)?,
            (_, None) => vfio_direct_config_read(vdev, pos, count, offset)?,
        };

        buf[..count].copy_from_slice(&val.to_le_bytes()[..count]);
        Ok(count)
    }
}

/// Reads or writes the config space on behalf of the user; gives the number of bytes.
//= linux v7.3.4 drivers/vfio/pci/vfio_pci_config.c vfio_pci_config_rw
pub(super) fn vfio_pci_config_rw(vdev: Vdev, buf: &mut [u8], pos: usize, iswrite: bool) -> KResult<usize> {
    let mut done = 0;

    while done < buf.len() {
        done += vfio_pci_config_rw_single(vdev, &mut buf[done..], pos + done, iswrite)?;
    }

    Ok(done)
}
