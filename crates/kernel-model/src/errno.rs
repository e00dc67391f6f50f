// SPDX-License-Identifier: GPL-2.0-only
//! Error numbers, in the order of the headers that define them.

use std::fmt;

/// An error number, positive as in `errno(3)`. Modelled code returns it where C returns its negative.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Errno(pub i32);

/// What a modelled function returns where the C returns 0 or a negative error number.
pub type KResult<T = ()> = Result<T, Errno>;

macro_rules! errnos {
    ($($name:ident = $value:literal, $text:literal;)*) => {
        $(#[doc = concat!($text, ".")]
        pub const $name: Errno = Errno($value);)*

        impl Errno {
            /// The constant's name, e.g. `ENODEV`.
            pub fn name(self) -> &'static str {
                match self.0 {
                    $($value => stringify!($name),)*
                    _ => "E?",
                }
            }
        }
    };
}

// include/uapi/asm-generic/errno-base.h, include/uapi/asm-generic/errno.h, include/linux/errno.h (linux v7.3.4).
errnos! {
    EPERM = 1, "Operation not permitted";
    ENOENT = 2, "No such file or directory";
    EINTR = 4, "Interrupted system call";
    EIO = 5, "I/O error";
    ENXIO = 6, "No such device or address";
    EBADF = 9, "Bad file number";
    EAGAIN = 11, "Try again";
    ENOMEM = 12, "Out of memory";
    EACCES = 13, "Permission denied";
    EFAULT = 14, "Bad address";
    EBUSY = 16, "Device or resource busy";
    EEXIST = 17, "File exists";
    ENODEV = 19, "No such device";
    EINVAL = 22, "Invalid argument";
    EMFILE = 24, "Too many open files";
    ENOTTY = 25, "Not a typewriter";
    ENOSPC = 28, "No space left on device";
    ERANGE = 34, "Math result not representable";
    EDEADLK = 35, "Resource deadlock would occur";
    EOVERFLOW = 75, "Value too large for defined data type";
    EBADFD = 77, "File descriptor in bad state";
    EOPNOTSUPP = 95, "Operation not supported on transport endpoint";
    EALREADY = 114, "Operation already in progress";
    ETIMEDOUT = 110, "Connection timed out";
    ERESTARTSYS = 512, "Restart the system call, unless a handler says otherwise";
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            "E?" => write!(f, "-{}", self.0),
            name => write!(f, "-{name}"),
        }
    }
}
