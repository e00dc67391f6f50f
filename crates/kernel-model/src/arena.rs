// SPDX-License-Identifier: GPL-2.0-only
//! Kernel memory: `kzalloc`, `kfree` and pointers that know when their object is gone.
//!
//! A [`Kptr`] is `Copy`, as a C pointer is, so that use after free can be written; and it is caught, because freed
//! objects stay in quarantine until the execution ends. A dereference of a freed object is a KASAN report, after
//! which the access goes on with the stale object, as it does on a kernel that only warns.
//!
//! This is the one file of the crate with `unsafe`. The guarantee: an object lives, at a fixed address, from
//! `kzalloc` until the `boot` of the next execution; a pointer carries the number of its execution, and its
//! dereference in any other panics before memory is touched.

use std::any::{TypeId, type_name};
use std::cell::Cell;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::Deref;
use std::panic::Location;
use std::ptr::NonNull;

use crate::errno::{ENOMEM, KResult};
use crate::plain::Value;
use crate::report::{Report, Site, report};
use crate::world::with;

/// What precedes every object.
struct Header {
    /// Sequence number of the allocation within its execution and task: the object's name in state and reports.
    serial: u64,
    execution: u64,
    type_id: TypeId,
    type_name: &'static str,
    allocated: Site,
    freed: Cell<Option<Site>>,
}

/// The header comes first, whatever the value is: an erased pointer relies on it.
#[repr(C)]
struct Object<T> {
    header: Header,
    value: T,
}

/// What an erased pointer points to: an object of a type that only its owner knows.
#[derive(Debug)]
pub struct Erased(());

trait AnyObject {
    fn header(&self) -> &Header;
}

impl<T> AnyObject for Object<T> {
    fn header(&self) -> &Header {
        &self.header
    }
}

/// The memory of one execution.
pub(crate) struct Arena {
    execution: u64,
    objects: Vec<NonNull<dyn AnyObject>>,
    /// Allocations of each task so far.
    serials: Vec<u32>,
}

thread_local! {
    static EXECUTIONS: Cell<u64> = const { Cell::new(0) };
    static EXECUTION: Cell<u64> = const { Cell::new(0) };
}

impl Default for Arena {
    fn default() -> Self {
        let execution = EXECUTIONS.get() + 1;
        EXECUTIONS.set(execution);
        EXECUTION.set(execution);
        Arena { execution, objects: Vec::new(), serials: Vec::new() }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        for object in self.objects.drain(..) {
            // SAFETY: the pointer came from `Box::into_raw` in `kzalloc`, is dropped once (the list is drained),
            // and no reference to it exists: references come only from `Kptr::deref`, whose borrow ends with the
            // task's use of it, and no task of this execution runs any more when its kernel is replaced.
            drop(unsafe { Box::from_raw(object.as_ptr()) });
        }
    }
}

impl Arena {
    /// Objects that were allocated and not freed, as kmemleak reports them; `None` when there is none.
    pub(crate) fn leaks(&self) -> Option<Report> {
        let live = |o: &NonNull<dyn AnyObject>| {
            // SAFETY: as in `Drop`: the object lives until the arena is dropped.
            let h = unsafe { o.as_ref() }.header();
            h.freed.get().is_none().then_some((h.type_name, h.allocated))
        };
        let objects: Vec<_> = self.objects.iter().filter_map(live).collect();
        (!objects.is_empty()).then_some(Report::Leak { objects })
    }
}

/// A pointer to a kernel object.
pub struct Kptr<T> {
    object: NonNull<Object<T>>,
    execution: u64,
    marker: PhantomData<*const T>,
}

impl<T> Clone for Kptr<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Kptr<T> {}

impl<T> PartialEq for Kptr<T> {
    fn eq(&self, other: &Self) -> bool {
        self.object == other.object && self.execution == other.execution
    }
}

impl<T> Eq for Kptr<T> {}

impl<T> Hash for Kptr<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.header().serial.hash(state);
    }
}

impl<T> fmt::Debug for Kptr<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{:x}", short(type_name::<T>()), self.header().serial)
    }
}

impl<T> Kptr<T> {
    fn object(&self) -> &Object<T> {
        assert!(self.execution == EXECUTION.get(), "a kernel pointer was kept from one execution to another");
        // SAFETY: the object was allocated in the execution that runs (checked above) and lives, unmoved, until
        // the arena of that execution is dropped, which happens when no task of it runs. Objects are never handed
        // out by `&mut`. The pointer has the type that it was allocated with, or `Erased`, whose object is a prefix
        // of every object: the header, and a value of no size.
        unsafe { self.object.as_ref() }
    }

    fn header(&self) -> &Header {
        &self.object().header
    }

    /// Whether the object has been freed.
    pub fn is_freed(&self) -> bool {
        self.header().freed.get().is_some()
    }

    /// A number that names the object, the same in every interleaving.
    pub fn serial(&self) -> u64 {
        self.header().serial
    }

    #[cold]
    fn use_after_free(&self, freed: Site, at: Site) {
        let h = self.header();
        report(Report::UseAfterFree { object: h.type_name, at, allocated: h.allocated, freed });
    }
}

impl<T: 'static> Kptr<T> {
    /// The same pointer without its type, as it stands in a list that several kinds of owner share.
    pub fn erase(self) -> Kptr<Erased> {
        Kptr { object: self.object.cast(), execution: self.execution, marker: PhantomData }
    }
}

impl Kptr<Erased> {
    /// `container_of`: the pointer with its type again.
    ///
    /// # Panics
    /// When the object is of another type: the modelled code is wrong about what is on its list.
    pub fn container_of<T: 'static>(self) -> Kptr<T> {
        let header = self.header();
        assert!(header.type_id == TypeId::of::<T>(), "{} is no {}", header.type_name, type_name::<T>());
        Kptr { object: self.object.cast(), execution: self.execution, marker: PhantomData }
    }
}

impl<T> Deref for Kptr<T> {
    type Target = T;

    #[track_caller]
    fn deref(&self) -> &T {
        if let Some(freed) = self.header().freed.get() {
            self.use_after_free(freed, Site::here());
        }
        &self.object().value
    }
}

impl<T: 'static> Value for Kptr<T> {
    fn word(self) -> u64 {
        self.serial() + 1
    }
}

/// The last segment of a type's path: the C name of a structure in CamelCase.
fn short(name: &'static str) -> &'static str {
    let base = name.split('<').next().unwrap_or(name);
    base.rsplit("::").next().unwrap_or(base)
}

/// Allocates an object with the given initial value.
///
/// # Errors
/// `ENOMEM` when the execution's fault budget says that this allocation fails; see [`crate::task::fail_allocation`].
//= linux v7.3.4 include/linux/slab.h kzalloc
#[track_caller]
pub fn kzalloc<T: 'static>(value: T) -> KResult<Kptr<T>> {
    if crate::task::fail_allocation() {
        return Err(ENOMEM);
    }
    let task = explorer::current();
    let allocated = Site::here();
    Ok(with(|k| {
        let arena = &mut k.arena;
        if arena.serials.len() <= task.index() {
            arena.serials.resize(task.index() + 1, 0);
        }
        arena.serials[task.index()] += 1;
        let serial = u64::from(arena.serials[task.index()]) << 8 | task.index() as u64;
        let header = Header {
            serial,
            execution: arena.execution,
            type_id: TypeId::of::<T>(),
            type_name: short(type_name::<T>()),
            allocated,
            freed: Cell::new(None),
        };
        let execution = header.execution;
        let raw = Box::into_raw(Box::new(Object { header, value }));
        // SAFETY: `Box::into_raw` gives a pointer that is not null.
        let object = unsafe { NonNull::new_unchecked(raw) };
        arena.objects.push(object);
        Kptr { object, execution, marker: PhantomData }
    }))
}

/// Frees an object; a second time is a KASAN report.
//= linux v7.3.4 mm/slub.c kfree
#[track_caller]
pub fn kfree<T>(p: Kptr<T>) {
    let here = Site::here();
    let h = p.header();
    match h.freed.get() {
        Some(freed) => {
            report(Report::DoubleFree { object: h.type_name, at: here, allocated: h.allocated, freed });
        }
        None => h.freed.set(Some(here)),
    }
}

impl Site {
    /// The caller's place and the current task.
    #[track_caller]
    pub fn here() -> Site {
        Site { task: explorer::current(), at: Location::caller() }
    }
}
