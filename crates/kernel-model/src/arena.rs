// SPDX-License-Identifier: GPL-2.0-only
//! Kernel memory: `kzalloc`, `kfree` and pointers that know when their object is gone.
//!
//! A [`Kptr`] is `Copy`, as a C pointer is, so that use after free can be written; and it is caught, because freed
//! objects stay in quarantine until the execution ends. A dereference of a freed object is a KASAN report, after
//! which the access goes on with the stale object, as it does on a kernel that only warns.
//!
//! A pointer may lead to a member of an object ([`Kptr::member`], `&p->base`) and back
//! ([`Kptr::container_of`]). Memory that is freed after a grace period ([`crate::rcu`]) may be read by those who were
//! inside of a read section when it was given up, and by nobody else once they have left it.
//!
//! This is the one file of the crate with `unsafe`. The guarantee: an object lives, at a fixed address, from
//! `kzalloc` until the `boot` of the next execution, and is never borrowed mutably; a pointer carries the number of
//! its execution, and its dereference in any other panics before memory is touched.

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
#[derive(Debug)]
struct Header {
    /// Sequence number of the allocation within its execution and task: the object's name in state and reports.
    serial: u64,
    execution: u64,
    type_id: TypeId,
    type_name: &'static str,
    allocated: Cell<Site>,
    freed: Cell<Option<Site>>,
    /// Readers that were inside of a read section when the object was given up, and are still: until they have left,
    /// the memory is there. One bit a task.
    grace: Cell<u64>,
    region: Region,
    /// The object's memory as the search sees it: a dereference reads it, a free writes it. A free that is not ordered
    /// after every access is a race, and its order against them is then explored.
    memory: explorer::sync::Cell<u64>,
}

/// Where an object is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Region {
    Slab,
    Stack,
    Static,
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
    /// Objects that are given up and wait for readers.
    grace: Vec<NonNull<Header>>,
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
        Arena { execution, objects: Vec::new(), serials: Vec::new(), grace: Vec::new() }
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
            (h.freed.get().is_none() && h.region == Region::Slab).then_some((h.type_name, h.allocated.get()))
        };
        let objects: Vec<_> = self.objects.iter().filter_map(live).collect();
        (!objects.is_empty()).then_some(Report::Leak { objects })
    }

    /// The task with this bit has left its read section.
    pub(crate) fn reader_left(&mut self, bit: u64) {
        self.grace.retain(|h| {
            // SAFETY: as in `Drop`: the header is part of an object of this arena, which lives until the arena is
            // dropped, and is only ever borrowed shared.
            let h = unsafe { h.as_ref() };
            h.grace.set(h.grace.get() & !bit);
            h.grace.get() != 0
        });
    }
}

/// A pointer to a kernel object, or to a member of one.
pub struct Kptr<T> {
    header: NonNull<Header>,
    value: NonNull<T>,
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
        self.value == other.value && self.execution == other.execution
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
    fn header(&self) -> &Header {
        assert!(self.execution == EXECUTION.get(), "a kernel pointer was kept from one execution to another");
        // SAFETY: the object was allocated in the execution that runs (checked above) and lives, unmoved, until the
        // arena of that execution is dropped, which happens when no task of it runs. Objects are never borrowed
        // mutably. The header is the first field of the object, whatever its type.
        unsafe { self.header.as_ref() }
    }

    fn value(&self) -> &T {
        let _alive = self.header();
        // SAFETY: the object is there (see `header`). `value` is the object's value, of the type that it was allocated
        // with (checked by `container_of`), or a member of it that `member` was given a shared reference to, or
        // `Erased`, which has no size. Nothing of an object is ever borrowed mutably or moved out.
        unsafe { self.value.as_ref() }
    }

    /// `&p->member`: a pointer to a part of the object. It is no access.
    pub fn member<U>(self, f: impl for<'a> FnOnce(&'a T) -> &'a U) -> Kptr<U> {
        Kptr {
            header: self.header,
            value: NonNull::from(f(self.value())),
            execution: self.execution,
            marker: PhantomData,
        }
    }

    /// `container_of`, if the object was allocated as a `U`: the pointer to the whole object.
    pub fn try_container_of<U: 'static>(self) -> Option<Kptr<U>> {
        if self.header().type_id != TypeId::of::<U>() {
            return None;
        }
        let object: *mut Object<U> = self.header.cast().as_ptr();
        // SAFETY: `header` points to the start of a live `Object<U>`: the type was checked above, and the pointer was
        // made from the whole allocation. The address of its value is not null.
        let value = unsafe { NonNull::new_unchecked(&raw mut (*object).value) };
        Some(Kptr { header: self.header, value, execution: self.execution, marker: PhantomData })
    }

    /// `container_of`: the pointer to the whole object.
    ///
    /// # Panics
    /// When the object is of another type: the modelled code is wrong about what is on its list.
    pub fn container_of<U: 'static>(self) -> Kptr<U> {
        match self.try_container_of() {
            Some(p) => p,
            None => panic!("{} is no {}", self.header().type_name, type_name::<U>()),
        }
    }

    /// Whether the object has been freed.
    pub fn is_freed(&self) -> bool {
        self.freed().is_some()
    }

    /// Where it was freed, if the current task may no longer touch it.
    fn freed(&self) -> Option<Site> {
        let h = self.header();
        h.freed.get().filter(|_| h.grace.get() == 0)
    }

    /// A number that names the object, the same in every interleaving.
    pub fn serial(&self) -> u64 {
        self.header().serial
    }

    #[cold]
    fn use_after_free(&self, freed: Site, at: Site) {
        let h = self.header();
        let bug = match h.region {
            Region::Stack => "use-after-scope",
            Region::Slab | Region::Static => "slab-use-after-free",
        };
        report(Report::UseAfterFree { bug, object: h.type_name, at, allocated: h.allocated.get(), freed });
    }
}

impl<T: 'static> Kptr<T> {
    /// The same pointer without its type, as it stands in a list that several kinds of owner share.
    pub fn erase(self) -> Kptr<Erased> {
        Kptr {
            header: self.header,
            value: self.header.cast(),
            execution: self.execution,
            marker: PhantomData,
        }
    }
}

impl<T> Deref for Kptr<T> {
    type Target = T;

    #[track_caller]
    fn deref(&self) -> &T {
        let h = self.header();
        if h.region == Region::Slab {
            h.memory.get();
        }
        if let Some(freed) = self.freed() {
            self.use_after_free(freed, Site::here());
        }
        self.value()
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
    Ok(allocate(value, Region::Slab, Site::here()))
}

/// An object on the current task's stack: what C declares as a local variable and gives away by address.
#[track_caller]
pub fn kstack<T: 'static>(value: T) -> Kptr<T> {
    allocate(value, Region::Stack, Site::here())
}

/// The end of the scope of a [`kstack`] object.
#[track_caller]
pub fn kstack_end<T>(p: Kptr<T>) {
    p.header().freed.set(Some(Site::here()));
}

/// A static object of a module; see [`crate::world::module_static`].
#[track_caller]
pub(crate) fn kstatic<T: 'static>(value: T) -> Kptr<T> {
    allocate(value, Region::Static, Site::here())
}

fn allocate<T: 'static>(value: T, region: Region, allocated: Site) -> Kptr<T> {
    let task = explorer::current();
    let memory = explorer::sync::Cell::new(short(type_name::<T>()), 0);
    with(|k| {
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
            allocated: Cell::new(allocated),
            freed: Cell::new(None),
            grace: Cell::new(0),
            region,
            memory,
        };
        let execution = header.execution;
        let raw = Box::into_raw(Box::new(Object { header, value }));
        // SAFETY: `Box::into_raw` gives a pointer that is not null, and so are the addresses of the object's parts.
        let (object, value) =
            unsafe { (NonNull::new_unchecked(raw), NonNull::new_unchecked(&raw mut (*raw).value)) };
        arena.objects.push(object);
        Kptr { header: object.cast(), value, execution, marker: PhantomData }
    })
}

/// Frees an object; a second time is a KASAN report.
//= linux v7.3.4 mm/slub.c kfree
#[track_caller]
pub fn kfree<T>(p: Kptr<T>) {
    p.header().memory.set(0);
    free(p);
}

#[track_caller]
fn free<T>(p: Kptr<T>) {
    let here = Site::here();
    let h = p.header();
    match h.freed.get() {
        Some(freed) => {
            report(Report::DoubleFree { object: h.type_name, at: here, allocated: h.allocated.get(), freed });
        }
        None => h.freed.set(Some(here)),
    }
}

impl<T> Kptr<T> {
    /// Gives the object up: it is freed when the readers in `readers`, one bit a task, have left their read sections.
    #[track_caller]
    pub(crate) fn free_after(self, readers: u64) {
        free(self);
        let h = self.header();
        h.grace.set(readers);
        if readers != 0 {
            with(|k| k.arena.grace.push(self.header));
        }
    }

    /// The memory of a freed object of a `SLAB_TYPESAFE_BY_RCU` cache is an object of that cache again.
    #[track_caller]
    pub(crate) fn reuse(self) {
        let here = Site::here();
        let h = self.header();
        h.freed.set(None);
        h.grace.set(0);
        h.allocated.set(here);
        with(|k| k.arena.grace.retain(|g| *g != self.header));
    }
}

impl Site {
    /// The caller's place and the current task.
    #[track_caller]
    pub fn here() -> Site {
        Site { task: explorer::current(), at: Location::caller() }
    }
}
