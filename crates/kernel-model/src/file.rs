// SPDX-License-Identifier: GPL-2.0-only
//! `struct file`, its dentry, and the file table of the process: fs/file_table.c, fs/file.c, include/linux/file_ref.h.
//!
//! The last `fput` of a task does not release the file but queues `____fput` for its return to user mode. Releasing a
//! file drops its reference to the dentry; whoever opened the file's path (`O_PATH`, [`open_path`]) has another, and
//! `d_release` runs when the last is gone: after the file is freed, then.
//!
//! Files are `SLAB_TYPESAFE_BY_RCU`: the memory of a freed file may be another file at once (a choice, within the
//! fault budget), and goes when a grace period has ended. Whoever looks at a file through a pointer that is no
//! reference meets both; see [`get_file_active`].

use std::any::Any;
use std::cell::{Cell as StdCell, RefCell};
use std::fmt;

use explorer::sync::{Cell, Mutex};

use crate::arena::{Kptr, kfree, kzalloc};
use crate::errno::{EBADF, EMFILE, KResult};
use crate::plain::Plain;
use crate::rcu::{rcu_dereference_raw, rcu_read_lock, rcu_read_unlock, readers};
use crate::refcount::{RefcountT, refcount_dec_and_test, refcount_inc, refcount_set};
use crate::report::{Report, Site, report};
use crate::task::{fault, task_work_add};
use crate::world::with;

/// Open flag: close on exec.
pub const O_CLOEXEC: u32 = 0o2_000_000;

/// The file is a path only: `fget` does not give it.
pub const FMODE_PATH: u32 = 1 << 14;

/// The operations of a kind of file, and of its dentries.
pub struct FileOperations {
    /// Called when the last reference to the file is gone.
    pub release: fn(Kptr<File>),
    /// Called when the last reference to the file's dentry is gone.
    pub d_release: fn(Kptr<Dentry>),
}

impl fmt::Debug for FileOperations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileOperations")
    }
}

/// An object behind a file or a dentry, of a type that its owner knows.
#[derive(Default)]
struct Private(RefCell<Option<Box<dyn Any>>>);

impl Private {
    fn get<T: Copy + 'static>(&self) -> Option<T> {
        self.0.borrow().as_ref()?.downcast_ref::<T>().copied()
    }

    fn set<T: Copy + 'static>(&self, value: T) {
        *self.0.borrow_mut() = Some(Box::new(value));
    }
}

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Private")
    }
}

/// A name of a pseudo file system.
///
/// In C: `dentry`, include/linux/dcache.h.
#[derive(Debug)]
pub struct Dentry {
    d_lockref: RefcountT,
    d_op: &'static FileOperations,
    d_fsdata: Private,
}

impl Dentry {
    /// The object behind the dentry, if it is a `T`.
    pub fn d_fsdata<T: Copy + 'static>(&self) -> Option<T> {
        self.d_fsdata.get()
    }

    /// Puts an object behind the dentry; done once, before the file is known to anyone.
    pub fn set_d_fsdata<T: Copy + 'static>(&self, value: T) {
        self.d_fsdata.set(value);
    }
}

/// An open file.
#[derive(Debug)]
pub struct File {
    /// References minus one; negative once the last is gone, as in `file_ref_t`.
    f_ref: Cell<i64>,
    f_op: StdCell<&'static FileOperations>,
    f_mode: StdCell<u32>,
    f_path: StdCell<Kptr<Dentry>>,
    private_data: Private,
}

impl File {
    /// Its operations; their address tells what kind of file it is.
    pub fn f_op(&self) -> &'static FileOperations {
        self.f_op.get()
    }

    /// Its dentry.
    pub fn dentry(&self) -> Kptr<Dentry> {
        self.f_path.get()
    }

    /// The object behind the file, if it is a `T`.
    pub fn private_data<T: Copy + 'static>(&self) -> Option<T> {
        self.private_data.get()
    }

    /// Puts an object behind the file; done once, before the file is known to anyone.
    pub fn set_private_data<T: Copy + 'static>(&self, value: T) {
        self.private_data.set(value);
    }
}

/// A new file with one reference, and its dentry.
///
/// # Errors
/// `ENOMEM`.
//= linux v7.3.4 fs/file_table.c alloc_file_pseudo
#[track_caller]
pub fn alloc_file(f_op: &'static FileOperations) -> KResult<Kptr<File>> {
    let dentry = kzalloc(Dentry {
        d_lockref: refcount_set("dentry->d_lockref", 1),
        d_op: f_op,
        d_fsdata: Private::default(),
    })?;
    let file = alloc_empty_file(f_op, dentry, 0);
    if file.is_err() {
        kfree(dentry);
    }
    file
}

/// Memory for a file: new, or that of a file which was freed.
//= linux v7.3.4 fs/file_table.c alloc_empty_file
#[track_caller]
fn alloc_empty_file(f_op: &'static FileOperations, dentry: Kptr<Dentry>, f_mode: u32) -> KResult<Kptr<File>> {
    let freed = with(|k| k.filp_cache.last().copied());
    if let Some(file) = freed
        && fault("the memory of a freed file is reused")
    {
        with(|k| k.filp_cache.retain(|f| *f != file));
        file.reuse();
        file.f_op.set(f_op);
        file.f_mode.set(f_mode);
        file.f_path.set(dentry);
        file.private_data.0.take();
        // Last, as in C: from here on a reference can be taken.
        file.f_ref.store(0);
        return Ok(file);
    }
    kzalloc(File {
        f_ref: Cell::new("file->f_ref", 0),
        f_op: StdCell::new(f_op),
        f_mode: StdCell::new(f_mode),
        f_path: StdCell::new(dentry),
        private_data: Private::default(),
    })
}

/// Gives the memory of a file back: to other files at once, to everybody after a grace period.
//= linux v7.3.4 fs/file_table.c file_free
#[track_caller]
fn file_free(file: Kptr<File>) {
    file.free_after(readers());
    with(|k| k.filp_cache.push(file));
}

/// Takes a reference to a dentry of which the caller has one.
//= linux v7.3.4 include/linux/dcache.h dget
#[track_caller]
pub fn dget(dentry: Kptr<Dentry>) -> Kptr<Dentry> {
    refcount_inc(&dentry.d_lockref);
    dentry
}

/// Drops a reference to a dentry; the last one releases it.
//= linux v7.3.4 fs/dcache.c dput
#[track_caller]
pub fn dput(dentry: Kptr<Dentry>) {
    if refcount_dec_and_test(&dentry.d_lockref) {
        (dentry.d_op.d_release)(dentry);
        kfree(dentry);
    }
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

//= linux v7.3.4 fs/file.c __get_file_rcu
#[track_caller]
fn __get_file_rcu(f: &Plain<Option<Kptr<File>>>) -> Result<Option<Kptr<File>>, Again> {
    let Some(file) = rcu_dereference_raw(f) else { return Ok(None) };

    if !file_ref_get(file) {
        return Err(Again);
    }

    /* A pointer that still matches leads to the file that the reference is to; else the memory was reused. */
    let file_reloaded = rcu_dereference_raw(f);
    if file_reloaded == Some(file) {
        return Ok(file_reloaded);
    }

    fput(file);
    Err(Again)
}

/// `-EAGAIN` of `__get_file_rcu()`.
struct Again;

/// Takes a reference to the file that `f` points to, if it still has one. A file whose memory is another file's by now
/// is not told from it unless `f` has changed: whoever owns `f` must clear it in time.
//= linux v7.3.4 fs/file.c get_file_active
#[track_caller]
pub fn get_file_active(f: &Plain<Option<Kptr<File>>>) -> Option<Kptr<File>> {
    rcu_read_lock();
    let file = __get_file_rcu(f);
    rcu_read_unlock();
    file.unwrap_or(None)
}

/// As [`get_file_active`], and looks again until there is a file, or none.
//= linux v7.3.4 fs/file.c get_file_rcu
#[track_caller]
pub fn get_file_rcu(f: &Plain<Option<Kptr<File>>>) -> Option<Kptr<File>> {
    loop {
        if let Ok(file) = __get_file_rcu(f) {
            return file;
        }
    }
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
    if file.f_mode.get() & FMODE_PATH == 0 {
        (file.f_op().release)(file);
    }
    dput(file.dentry());
    file_free(file);
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

//= linux v7.3.4 fs/file.c __fget_files_rcu
#[track_caller]
fn __fget_files_rcu(fd: i32, mask: u32) -> Option<Kptr<File>> {
    let slot = slot(fd)?;
    loop {
        if slot.fd.load() == 0 {
            return None;
        }
        let file = slot.file.get()?;
        if !file_ref_get(file) {
            continue;
        }
        if slot.file.get() != Some(file) {
            fput(file);
            continue;
        }
        if file.f_mode.get() & mask != 0 {
            fput(file);
            return None;
        }
        return Some(file);
    }
}

//= linux v7.3.4 fs/file.c __fget_files
#[track_caller]
fn __fget_files(fd: i32, mask: u32) -> Option<Kptr<File>> {
    rcu_read_lock();
    let file = __fget_files_rcu(fd, mask);
    rcu_read_unlock();

    file
}

/// The file behind a descriptor, with a reference; not one that is a path only.
//= linux v7.3.4 fs/file.c fget
#[track_caller]
pub fn fget(fd: i32) -> Option<Kptr<File>> {
    __fget_files(fd, FMODE_PATH)
}

/// The file behind a descriptor, whatever it is, with a reference.
//= linux v7.3.4 fs/file.c fget_raw
#[track_caller]
pub fn fget_raw(fd: i32) -> Option<Kptr<File>> {
    __fget_files(fd, 0)
}

/// Another descriptor for the same file: `dup(2)`.
///
/// # Errors
/// `EBADF` when `fd` is not open, `EMFILE`.
///
/// In C: `dup`, fs/file.c.
#[track_caller]
pub fn dup(fd: i32) -> KResult<i32> {
    let file = fget_raw(fd).ok_or(EBADF)?;
    match get_unused_fd_flags(0) {
        Ok(new) => {
            fd_install(new, file);
            Ok(new)
        }
        Err(err) => {
            fput(file);
            Err(err)
        }
    }
}

/// Opens the path of an open file: `open("/proc/self/fd/N", O_PATH)`. The new file has a reference to the dentry of the
/// old one, and none to that file.
///
/// # Errors
/// `EBADF` when `fd` is not open, `EMFILE`, `ENOMEM`.
///
/// In C: `do_o_path`, fs/namei.c.
#[track_caller]
pub fn open_path(fd: i32) -> KResult<i32> {
    let file = fget_raw(fd).ok_or(EBADF)?;
    let dentry = dget(file.dentry());
    let opened = alloc_empty_file(file.f_op(), dentry, FMODE_PATH);
    fput(file);
    let path = match opened {
        Ok(path) => path,
        Err(err) => {
            dput(dentry);
            return Err(err);
        }
    };
    match get_unused_fd_flags(0) {
        Ok(new) => {
            fd_install(new, path);
            Ok(new)
        }
        Err(err) => {
            fput(path);
            Err(err)
        }
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
