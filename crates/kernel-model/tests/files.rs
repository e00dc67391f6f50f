// SPDX-License-Identifier: GPL-2.0-only
//! Files, their dentries and the memory of both.

mod common;

use common::*;
use kernel_model::prelude::*;
use kernel_model::task::{set_fault_budget, syscall};

const RELEASED: u32 = 0;
const D_RELEASED: u32 = 1;
const FOUND: u32 = 2;
const NOT_FOUND: u32 = 3;

static OPS: FileOperations =
    FileOperations { release: |_| reach(RELEASED), d_release: |_| reach(D_RELEASED) };

/// A file under a descriptor.
fn open() -> (i32, Kptr<File>) {
    let file = alloc_file(&OPS).expect("memory");
    let fd = get_unused_fd_flags(O_CLOEXEC).expect("a descriptor");
    fd_install(fd, file);
    (fd, file)
}

fn close(fd: i32) {
    syscall("close", || close_fd(fd));
}

#[test]
fn a_descriptor_that_was_duplicated_keeps_the_file() {
    check("dup", 1, || {
        take_reached();
        let (fd, file) = open();
        let other = dup(fd).expect("a descriptor");
        close(fd);
        assert_eq!(take_reached(), 0);
        assert_eq!(fget(other), Some(file));
        syscall("fput", || fput(file));
        close(other);
        assert_eq!(take_reached(), 1 << RELEASED | 1 << D_RELEASED);
        assert_eq!(dup(fd), Err(EBADF));
    });
}

#[test]
fn a_path_keeps_the_dentry_and_not_the_file() {
    check("O_PATH", 1, || {
        take_reached();
        let (fd, _) = open();
        let path = open_path(fd).expect("a descriptor");
        assert_eq!(fget(path), None, "no file to work with");
        close(fd);
        assert_eq!(take_reached(), 1 << RELEASED);
        close(path);
        assert_eq!(take_reached(), 1 << D_RELEASED);
    });
}

/// Somebody who goes away with the dentry, as a dma-buf does, still points to the file.
#[test]
fn a_pointer_to_a_freed_file_is_a_use_after_free() {
    fires("stale file", 1, "BUG: KASAN: slab-use-after-free", || {
        let (fd, file) = open();
        let pointer = kstack(Plain::new("dmabuf->file", Some(file)));
        let path = open_path(fd).expect("a descriptor");
        close(fd);
        assert_eq!(get_file_active(&pointer), None);
        close(path);
    });
}

/// As above, but the memory is another file's by then: no report, and the wrong file.
#[test]
fn a_pointer_to_a_file_whose_memory_was_reused_finds_the_other_file() {
    take_reached();
    check("reused file", 4, || {
        let (fd, file) = open();
        let pointer = kstack(Plain::new("dmabuf->file", Some(file)));
        close(fd);
        set_fault_budget(2);
        let Ok(new) = alloc_file(&OPS) else { return };
        set_fault_budget(0);
        if new == file {
            assert_eq!(get_file_active(&pointer), Some(new));
            syscall("fput", || fput(new));
            reach(FOUND);
        }
        syscall("fput", || fput(new));
    });
    assert_ne!(take_reached() & 1 << FOUND, 0);
}

/// One task looks at a pointer that its owner clears before the file goes; the reader's section keeps the memory.
#[test]
fn a_reader_of_a_pointer_that_is_cleared_in_time_sees_the_file_or_none() {
    take_reached();
    check("cleared in time", 6, || {
        let (fd, file) = open();
        let pointer = kstack(Plain::new("pointer", Some(file)));
        let reader = explorer::spawn("reader", move || {
            syscall("read", || match get_file_rcu(&pointer) {
                Some(file) => {
                    reach(FOUND);
                    fput(file);
                }
                None => reach(NOT_FOUND),
            });
        });
        WRITE_ONCE(&pointer, None);
        close(fd);
        reader.join();
    });
    assert_eq!(take_reached() >> FOUND, 0b11);
}

#[test]
fn descriptors_run_out() {
    check("EMFILE", 1, || {
        let fds: Vec<_> = (0..6).map(|_| open().0).collect();
        assert_eq!(dup(fds[0]), Err(EMFILE));
        fds.into_iter().for_each(close);
    });
}
