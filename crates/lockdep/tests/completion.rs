// SPDX-License-Identifier: MIT OR Apache-2.0
//! Cross-release: each case with the option on and off, and with one thing changed so that nothing is wrong.

use lockdep::{Acquire, ClassSpec, Config, Lock, LockId, Site, TaskId, Validator};

const HERE: Site = Site::function("test");

/// One waiter, one completer, a mutex and a completion.
struct Rig {
    ld: Validator,
    waiter: TaskId,
    completer: TaskId,
    mutex: Lock,
    done: Lock,
}

impl Rig {
    fn new(cross_release: bool) -> Self {
        let mut ld = Validator::new(Config { cross_release, ..Config::default() });
        let (waiter, completer) = (ld.add_task("waiter", 1), ld.add_task("completer", 2));
        let mutex = Lock::new(LockId(0x10), ld.key(&ClassSpec::mutex("&dev->lock")));
        let done = Lock::new(LockId(0x20), ld.key(&ClassSpec::map("(completion)&dev->done")));
        Rig { ld, waiter, completer, mutex, done }
    }

    fn take(&mut self, task: TaskId) -> usize {
        self.ld.acquire(task, &Acquire::write(self.mutex, HERE))
    }

    fn give(&mut self, task: TaskId) -> usize {
        self.ld.release(task, self.mutex, HERE)
    }

    fn take_and_give(&mut self, task: TaskId) -> usize {
        self.take(task) + self.give(task)
    }

    fn wait(&mut self) -> usize {
        self.ld.wait_for_completion(self.waiter, self.done, HERE)
    }

    fn complete(&mut self) -> usize {
        self.ld.complete(self.completer, self.done, HERE)
    }
}

#[test]
fn waiting_with_the_lock_that_the_completer_needs_is_an_inversion() {
    for (cross_release, expect) in [(true, 1), (false, 0)] {
        let mut r = Rig::new(cross_release);
        r.take(r.waiter);
        r.wait();
        r.take(r.completer); // will not get it; that it wants it is enough
        assert_eq!(r.complete(), expect);
    }
}

#[test]
fn waiting_with_nothing_held_is_none() {
    let mut r = Rig::new(true);
    assert_eq!(r.take_and_give(r.waiter) + r.wait(), 0);
    assert_eq!(r.take_and_give(r.completer) + r.complete(), 0);
    assert_eq!(r.ld.graph().dependency_count(), 1, "the completion depends on the mutex");
}

#[test]
fn what_the_completer_took_before_the_wait_is_its_own_affair() {
    let mut r = Rig::new(true);
    assert_eq!(r.take_and_give(r.completer), 0);
    r.take(r.waiter);
    assert_eq!(r.wait() + r.complete(), 0);
}

#[test]
fn what_the_completer_only_tried_could_not_hang_it() {
    let mut r = Rig::new(true);
    r.take(r.waiter);
    r.wait();
    r.ld.acquire(r.completer, &Acquire::write(r.mutex, HERE).trylock());
    assert_eq!(r.complete(), 0);
}

#[test]
fn what_the_completer_took_in_an_earlier_work_item_is_forgotten() {
    let mut r = Rig::new(true);
    r.take(r.waiter);
    r.wait();
    r.take_and_give(r.completer);
    r.ld.forget_history(r.completer);
    assert_eq!(r.complete(), 0);
}

#[test]
fn a_wait_that_ended_binds_nobody() {
    let mut r = Rig::new(true);
    r.take(r.waiter);
    r.wait();
    r.ld.wait_ended(r.waiter, r.done);
    r.take_and_give(r.completer);
    assert_eq!(r.complete(), 0);
}

#[test]
fn the_order_of_the_two_halves_does_not_matter() {
    let mut r = Rig::new(true);
    // First the completion depends on the mutex, with nobody in danger; then somebody waits with the mutex held.
    r.wait();
    r.take_and_give(r.completer);
    assert_eq!(r.complete(), 0);
    r.ld.wait_ended(r.waiter, r.done);
    r.take(r.waiter);
    assert_eq!(r.wait(), 1);
}
