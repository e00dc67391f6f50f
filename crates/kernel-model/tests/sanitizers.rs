// SPDX-License-Identifier: GPL-2.0-only
//! Each sanitizer with a twin that fires and one that does not.

mod common;

use common::*;
use explorer::{FindingKind, JoinHandle};
use kernel_model::prelude::*;
use kernel_model::sanitizer::{PlaceInfo, render};
use kernel_model::task::syscall;

/// What this file says of its own places.
fn place(_file: &str, line: usize) -> PlaceInfo {
    let text = include_str!("sanitizers.rs");
    let function = text.lines().take(line).filter_map(|l| l.strip_prefix("fn ")?.split('(').next()).last();
    PlaceInfo { function: function.map(String::from), text: text.lines().nth(line - 1).map(String::from) }
}

/// The findings of one kind, rendered.
fn rendered(name: &str, kind: FindingKind, body: impl Fn() + 'static) -> Vec<String> {
    let outcome = explored(name, true, body);
    outcome.findings.iter().filter(|f| f.kind == kind).map(|f| render(f, place)).collect()
}

fn two(a: fn(Kptr<Fields>), b: fn(Kptr<Fields>)) -> impl Fn() + 'static {
    move || {
        let f = kstack(Fields {
            x: Plain::new("f->x", 0),
            bits: Bitfield::new("f->bits"),
            lock: mutex_init("f->lock"),
        });
        let tasks = [explorer::spawn("a", move || a(f)), explorer::spawn("b", move || b(f))];
        tasks.into_iter().for_each(JoinHandle::join);
    }
}

#[derive(Debug)]
struct Fields {
    x: Plain<u32>,
    bits: Bitfield,
    lock: Mutex,
}

fn plain_write(f: Kptr<Fields>) {
    f.x.set(1);
}

fn plain_read(f: Kptr<Fields>) {
    f.x.get();
}

fn marked_write(f: Kptr<Fields>) {
    WRITE_ONCE(&f.x, 1);
}

fn marked_read(f: Kptr<Fields>) {
    READ_ONCE(&f.x);
}

fn locked_write(f: Kptr<Fields>) {
    mutex_lock(&f.lock);
    f.x.set(2);
    mutex_unlock(&f.lock);
}

fn first_bit(f: Kptr<Fields>) {
    f.bits.set(0, true);
}

fn second_bit(f: Kptr<Fields>) {
    f.bits.set(1, true);
}

#[test]
fn kcsan_names_both_functions_and_tells_marked_from_plain() {
    let races = rendered("plain/marked", FindingKind::DataRace, two(plain_write, marked_read));
    assert_eq!(races.len(), 1, "{races:#?}");
    assert!(races[0].starts_with("BUG: KCSAN: data-race in marked_read / plain_write\n"), "{}", races[0]);
    assert!(races[0].contains("write to f->x by task a:\n plain_write at "), "{}", races[0]);
    assert!(races[0].contains("read (marked) to f->x by task b:\n marked_read at "), "{}", races[0]);
}

#[test]
fn kcsan_fires_for_plain_accesses_and_not_for_marked_or_ordered_ones() {
    let fires: [fn() -> Box<dyn Fn()>; 2] =
        [|| Box::new(two(plain_write, plain_read)), || Box::new(two(marked_write, plain_read))];
    for body in fires {
        assert_eq!(rendered("race", FindingKind::DataRace, body()).len(), 1);
    }
    let quiet: [fn() -> Box<dyn Fn()>; 3] = [
        || Box::new(two(marked_write, marked_read)),
        || Box::new(two(locked_write, locked_write)),
        || Box::new(two(plain_read, marked_read)),
    ];
    for body in quiet {
        assert_eq!(rendered("no race", FindingKind::DataRace, body()), Vec::<String>::new());
    }
}

#[test]
fn bits_that_share_a_byte_race_and_lose_a_write() {
    let races = rendered("bits", FindingKind::DataRace, two(first_bit, second_bit));
    assert!(races.iter().any(|r| r.contains("data-race in first_bit / second_bit")), "{races:#?}");
    take_reached();
    let lost = explored("lost bit", false, || {
        let bits = kstack(Bitfield::new("bits"));
        let task = explorer::spawn("a", move || bits.set(0, true));
        bits.set(1, true);
        task.join();
        reach(u32::from(bits.get(0)) + u32::from(bits.get(1)));
    });
    assert_eq!((take_reached(), lost.stats.executions), (0b110, 4), "both bits, or one of them");
}

#[test]
fn a_deadlock_is_a_hung_task_with_its_lock_and_holder() {
    fn in_order(f: Kptr<Fields>) {
        mutex_lock(&f.lock);
        mutex_lock(&f.lock);
    }
    let hung = rendered("self deadlock", FindingKind::Deadlock, two(in_order, plain_read));
    assert!(
        hung.iter().any(|h| h
            .contains("INFO: task a blocked for more than 120 seconds: lock f->lock.\nINFO: task a is")
            && h.contains("owned by task a.")),
        "{hung:#?}"
    );
    assert_eq!(
        rendered("no deadlock", FindingKind::Deadlock, two(locked_write, locked_write)),
        Vec::<String>::new()
    );
}

#[test]
fn kasan_knows_the_bounds_of_an_array() {
    fires("out of bounds", 1, "BUG: KASAN: slab-out-of-bounds", || {
        let array = kcalloc(3, |i| i).expect("memory");
        assert_eq!(array.at(3), None);
        kfree(array);
    });
    check("in bounds", 1, || {
        let array = kcalloc(3, |i| i).expect("memory");
        assert_eq!(array.at(2), Some(&2));
        kfree(array);
    });
}

#[test]
fn kasan_knows_scopes_and_double_frees() {
    fires("use after scope", 1, "BUG: KASAN: use-after-scope", || {
        let local = kstack(1u32);
        kstack_end(local);
        assert_eq!(*local, 1);
    });
    fires("double free", 1, "BUG: KASAN: double-free", || {
        let p = kzalloc(0u8).expect("memory");
        kfree(p);
        kfree(p);
    });
}

/// Nothing but the free and the access of two tasks: their order is explored all the same.
#[test]
fn a_free_races_with_an_access_that_nothing_orders() {
    fires("free against access", 2, "BUG: KASAN: slab-use-after-free", || {
        let p = kzalloc(0u8).expect("memory");
        let reader = explorer::spawn("reader", move || assert_eq!(*p, 0));
        kfree(p);
        reader.join();
    });
}

#[test]
fn kmemleak_sees_what_is_left() {
    fires("leak", 1, "kmemleak: 1 unreferenced objects: u8", || {
        kzalloc(0u8).expect("memory");
    });
}

#[test]
fn no_lock_is_held_in_user_mode() {
    fires("return with lock", 1, "lock held when returning to user space!", || {
        let m = kstack(mutex_init("m"));
        syscall("ioctl", || mutex_lock(&m));
        mutex_unlock(&m);
    });
    fires("return in read section", 1, "lock held when returning to user space!", || {
        syscall("ioctl", rcu_read_lock);
        rcu_read_unlock();
    });
}
