// SPDX-License-Identifier: GPL-2.0-only
//! `struct file`, its dentry, and the file table of the process: fs/file_table.c, fs/file.c, include/linux/file_ref.h.
//!
//! The last `fput` of a task does not release the file but queues `____fput` for its return to user mode. A dentry
//! of a pseudo file system belongs to one file here and goes with it: `O_PATH` references, which would keep it, are
//! not modelled yet. The memory of a file is freed after its dentry, so that nobody who finds a file through a live
//! object of its exporter can meet freed memory.

use std::any::Any;
use std::cell::{Cell as StdCell, RefCell};
use std::fmt;

use explorer::sync::{Cell, Mutex};

use crate::arena::{Kptr, kfree, kzalloc};
use crate::errno::{EMFILE, KResult};
use crate::plain::Plain;
use crate::report::{Report, Site, report};
use crate::task::task_work_add;
use crate::world::with;

/// Open flag: close on exec.
pub const O_CLOEXEC: u32 = 0o2_000_000;

/// The operations of a kind of file, and of its dentries.
pub struct FileOperations {
    /// Called when the last reference to the file is gone.
    pub release: fn(Kptr<File>),
    /// Called when the file's dentry is freed.
    pub d_release: fn(Kptr<File>),
}

impl fmt::Debug for FileOperations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileOperations")
    }
}

/// An open file.
#[derive(Debug)]
pub struct File {
    /// References minus one; negative for ever once the last is gone, as in `file_ref_t`.
    f_ref: Cell<i64>,
    /// Its operations; their address tells what kind of file it is.
    pub f_op: &'static FileOperations,
    private_data: RefCell<Option<Box<dyn Any>>>,
}

impl File {
    /// The object behind the file, if it is a `T`.
    pub fn private_data<T: Copy + 'static>(&self) -> Option<T> {
        self.private_data.borrow().as_ref()?.downcast_ref::<T>().copied()
    }

    /// Puts an object behind the file; done once, before the file is known to anyone.
    pub fn set_private_data<T: Copy + 'static>(&self, value: T) {
        *self.private_data.borrow_mut() = Some(Box::new(value));
    }
}

/// A new file with one reference.
///
/// # Errors
/// `ENOMEM`.
//= linux v7.3.4 fs/file_table.c alloc_file_pseudo
#[track_caller]
pub fn alloc_file(f_op: &'static FileOperations) -> KResult<Kptr<File>> {
    let f_ref = Cell::new("file->f_ref", 0);
    kzalloc(File { f_ref, f_op, private_data: RefCell::new(None) })
}

/// Takes a reference unless the last is gone; says whether it did.
//= linux v7.3.4 include/linux/file_ref.h file_ref_get
#[track_caller]
fn file_ref_get(file: Kptr<File>) -> bool {
    file.f_ref.fetch_update(|n| if n < 0 { n } else { n + 1 }) >= 0
}

/// Drops a reference; says whether it was the last.
//= linux v7.3.4 include/linux/file_ref.h file_ref_put
#[track_caller]
fn file_ref_put(file: Kptr<File>) -> bool {
    let old = file.f_ref.fetch_update(|n| n - 1);
    if old < 0 {
        report(Report::Refcount {
            what: "imbalanced put on file reference count",
            counter: "file->f_ref".to_string(),
            at: Site::here(),
        });
    }
    old == 0
}

/// Takes a reference to the file that `f` points to, if it still has one.
///
/// Unlike `fget` the pointer is no part of the reference counting: whoever owns `f` must keep it valid.
//= linux v7.3.4 fs/file.c get_file_active
#[track_caller]
pub fn get_file_active(f: &Plain<Option<Kptr<File>>>) -> Option<Kptr<File>> {
    let file = f.get()?;
    if !file_ref_get(file) {
        return None;
    }
    Some(file)
}

/// Drops a reference; the last one queues the release for the task's return to user mode.
//= linux v7.3.4 fs/file_table.c fput
#[track_caller]
pub fn fput(file: Kptr<File>) {
    if file_ref_put(file) {
        task_work_add(Box::new(move || __fput(file)));
    }
}

/// Releases a file whose last reference is gone: its operation, its dentry, its memory.
//= linux v7.3.4 fs/file_table.c __fput
fn __fput(file: Kptr<File>) {
    (file.f_op.release)(file);
    (file.f_op.d_release)(file);
    kfree(file);
}

/// The file table of the one process.
pub(crate) struct FilesStruct {
    file_lock: Mutex,
    slots: Vec<Slot>,
}

#[derive(Clone)]
struct Slot {
    /// What other tasks see: 0 or the name of the file.
    fd: Cell<u64>,
    file: std::rc::Rc<StdCell<Option<Kptr<File>>>>,
    reserved: std::rc::Rc<StdCell<bool>>,
}

/// Descriptors that the process may have open: as many as the small worlds here need.
const RLIMIT_NOFILE: usize = 6;

impl FilesStruct {
    pub(crate) fn new() -> Self {
        let slot = |_| Slot {
            fd: Cell::new("fdt->fd[]", 0),
            file: std::rc::Rc::default(),
            reserved: std::rc::Rc::default(),
        };
        FilesStruct {
            file_lock: Mutex::new("files->file_lock"),
            slots: (0..RLIMIT_NOFILE).map(slot).collect(),
        }
    }
}

fn file_lock() -> Mutex {
    with(|k| k.files.as_ref().expect("booted").file_lock)
}

fn slot(fd: i32) -> Option<Slot> {
    with(|k| k.files.as_ref().expect("booted").slots.get(usize::try_from(fd).ok()?).cloned())
}

/// Reserves the lowest free descriptor.
///
/// # Errors
/// `EMFILE` when all are taken.
//= linux v7.3.4 fs/file.c get_unused_fd_flags
#[track_caller]
pub fn get_unused_fd_flags(_flags: u32) -> KResult<i32> {
    let lock = file_lock();
    lock.lock();
    let free = with(|k| {
        let slots = &k.files.as_ref().expect("booted").slots;
        let free = slots.iter().position(|s| !s.reserved.get());
        if let Some(i) = free {
            slots[i].reserved.set(true);
        }
        free
    });
    lock.unlock();
    free.map(|i| i as i32).ok_or(EMFILE)
}

/// Makes `file` known under a reserved descriptor; the table takes over the caller's reference.
//= linux v7.3.4 fs/file.c fd_install
#[track_caller]
pub fn fd_install(fd: i32, file: Kptr<File>) {
    let slot = slot(fd).expect("a reserved descriptor");
    slot.fd.store(file.serial() + 1);
    slot.file.set(Some(file));
}

/// The file behind a descriptor, with a reference.
//= linux v7.3.4 fs/file.c fget
#[track_caller]
pub fn fget(fd: i32) -> Option<Kptr<File>> {
    let slot = slot(fd)?;
    loop {
        if slot.fd.load() == 0 {
            return None;
        }
        let file = slot.file.get()?;
        if !file_ref_get(file) {
            continue;
        }
        if slot.file.get() == Some(file) {
            return Some(file);
        }
        fput(file);
    }
}

/// Closes a descriptor; the last reference releases the file before the call returns. `false`: it was not open.
//= linux v7.3.4 fs/file.c close_fd
#[track_caller]
pub fn close_fd(fd: i32) -> bool {
    let Some(slot) = slot(fd) else { return false };
    let lock = file_lock();
    lock.lock();
    let file = slot.file.get();
    if file.is_some() {
        slot.fd.store(0);
        slot.file.set(None);
        slot.reserved.set(false);
    }
    lock.unlock();
    match file {
        Some(file) => {
            if file_ref_put(file) {
                __fput(file);
            }
            true
        }
        None => false,
    }
}

/// Descriptors that are open, for the end of a scenario.
pub fn open_fds() -> Vec<i32> {
    with(|k| {
        let slots = &k.files.as_ref().expect("booted").slots;
        (0..slots.len()).filter(|i| slots[*i].file.get().is_some()).map(|i| i as i32).collect()
    })
}
