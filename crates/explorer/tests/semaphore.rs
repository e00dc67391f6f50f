// SPDX-License-Identifier: MIT OR Apache-2.0
//! The counting semaphore: as many in the room as there are permits; a permit that nobody gives.

mod common;

use common::{check, check_faults, clean, one};
use explorer::FindingKind::Deadlock;
use explorer::sync::{Cell, Semaphore};
use explorer::{JoinHandle, check as assertion, spawn};

/// Three tasks in a room with `permits` places; the most at a time must not be above `most`.
fn room(permits: u32, most: u32) {
    let (s, inside) = (Semaphore::new("s", permits), Cell::new("inside", 0u32));
    let task = move || {
        s.down();
        let before = inside.fetch_update(|n| n + 1);
        assertion(before < most, "the room is not too full");
        inside.fetch_update(|n| n - 1);
        s.up();
    };
    [(); 3].map(|()| spawn("t", task)).into_iter().for_each(JoinHandle::join);
}

#[test]
fn two_permits_let_two_in() {
    assert_eq!(check(|| room(2, 2)).1, []);
}

#[test]
fn three_let_three() {
    assert_eq!(check(|| room(3, 2)).1.len(), 1);
}

#[test]
fn one_permit_is_a_mutex() {
    assert_eq!(check(|| room(1, 1)), clean(6));
}

fn given(give: bool) {
    let s = Semaphore::new("s", 0);
    let taker = spawn("taker", move || s.down());
    let giver = spawn("giver", move || {
        if give {
            s.up();
        }
    });
    [taker, giver].into_iter().for_each(JoinHandle::join);
}

#[test]
fn a_permit_that_nobody_gives_is_a_deadlock() {
    assert_eq!(check(|| given(false)), one(1, Deadlock, "taker waits to down s"));
    assert_eq!(check(|| given(true)), clean(1));
}

#[test]
fn trylock_and_signals_do_not_wait() {
    let model = || {
        let s = Semaphore::new("s", 1);
        assert!(s.down_trylock() && !s.down_trylock());
        s.up();
        let interrupted = s.down_interruptible().is_err();
        assert_eq!(s.down_trylock(), interrupted);
    };
    assert_eq!(check_faults(0, model), clean(1));
    assert_eq!(check_faults(1, model), clean(2));
}
