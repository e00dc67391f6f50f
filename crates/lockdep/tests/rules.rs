// SPDX-License-Identifier: MIT OR Apache-2.0
//! One rule per test, each with a case that must fire and one that must not.

use lockdep::{Acquire, ClassSpec, Config, Lock, LockId, Report, Site, TaskId, Validator, WaitType, WwRule};

const HERE: Site = Site::function("test");

/// A validator with one task and a few locks.
struct Rig {
    ld: Validator,
    task: TaskId,
    next: u64,
}

impl Rig {
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        let mut ld = Validator::new(config);
        let task = ld.add_task("task", 1);
        Rig { ld, task, next: 0x100 }
    }

    /// A new lock of the class that `spec` describes.
    fn lock(&mut self, spec: &ClassSpec<'_>) -> Lock {
        self.next += 0x10;
        Lock::new(LockId(self.next), self.ld.key(spec))
    }

    fn mutexes<const N: usize>(&mut self) -> [Lock; N] {
        std::array::from_fn(|i| self.lock(&ClassSpec::mutex(&format!("m{i}"))))
    }

    fn take(&mut self, acquire: Acquire) -> usize {
        self.ld.acquire(self.task, &acquire)
    }

    fn write(&mut self, lock: Lock) -> usize {
        self.take(Acquire::write(lock, HERE))
    }

    fn give(&mut self, lock: Lock) -> usize {
        self.ld.release(self.task, lock, HERE)
    }

    /// Takes all in order and gives them back.
    fn chain(&mut self, acquires: &[Acquire], locks: &[Lock]) -> usize {
        let found: usize = acquires.iter().map(|a| self.ld.acquire(self.task, a)).sum();
        found + locks.iter().rev().map(|l| self.ld.release(self.task, *l, HERE)).sum::<usize>()
    }
}

#[test]
fn a_trylock_adds_no_dependency_to_itself_and_one_from_itself() {
    let mut r = Rig::new();
    let [a, b] = r.mutexes();
    let (w, try_) = (|l| Acquire::write(l, HERE), |l| Acquire::write(l, HERE).trylock());
    assert_eq!(r.chain(&[w(a), try_(b)], &[a, b]), 0);
    assert_eq!(r.ld.graph().dependency_count(), 0);
    assert_eq!(r.chain(&[w(b), try_(a)], &[b, a]), 0, "two trylocks in opposite orders");
    assert_eq!(r.chain(&[try_(a), w(b)], &[a, b]), 0);
    assert_eq!(r.chain(&[w(b), w(a)], &[b, a]), 1, "a lock held by trylock is held");
}

#[test]
fn a_dependency_reaches_past_trylocks_and_not_past_a_lock_that_waited() {
    let mut r = Rig::new();
    let [a, b, c, d] = r.mutexes();
    let w = |l| Acquire::write(l, HERE);
    r.chain(&[w(a), w(b), w(c).trylock(), w(d)], &[a, b, c, d]);
    assert_eq!(r.ld.graph().dependency_count(), 3, "a -> b, b -> d, c -> d");
}

#[test]
fn a_lock_behind_a_recursive_reader_is_seen_only_on_request() {
    let inversion = |config| {
        let mut r = Rig::with(config);
        let [a, c] = r.mutexes();
        let b = r.lock(&ClassSpec::rwsem("b"));
        let w = |l| Acquire::write(l, HERE);
        r.chain(&[w(a), Acquire::recursive_read(b, HERE), w(c)], &[a, b, c]);
        r.chain(&[w(c), w(a)], &[c, a])
    };
    assert_eq!(inversion(Config::default()), 0, "as in the kernel");
    assert_eq!(inversion(Config { past_recursive_readers: true, ..Config::default() }), 1);
}

#[test]
fn an_inversion_is_reported_once_and_its_dependency_kept() {
    let mut r = Rig::new();
    let [a, b] = r.mutexes();
    let w = |l| Acquire::write(l, HERE);
    r.chain(&[w(a), w(b)], &[a, b]);
    assert_eq!(r.chain(&[w(b), w(a)], &[b, a]), 1);
    assert_eq!(r.chain(&[w(b), w(a)], &[b, a]), 0);
    assert_eq!(r.ld.graph().dependency_count(), 2);
}

#[test]
fn dependencies_survive_the_growth_of_the_graph() {
    let mut r = Rig::new();
    let locks: [Lock; 40] = r.mutexes();
    // Pairs first, so that each is known before the next class appears.
    for pair in locks.windows(2) {
        assert_eq!(r.chain(&[Acquire::write(pair[0], HERE), Acquire::write(pair[1], HERE)], pair), 0);
    }
    let all: Vec<Acquire> = locks.iter().map(|l| Acquire::write(*l, HERE)).collect();
    assert_eq!(r.chain(&all, &locks), 0);
    let counts = (r.ld.graph().class_count(), r.ld.graph().dependency_count());
    assert_eq!(counts, (40, 39));
    assert_eq!(r.ld.graph().to_text().matches(" -> ").count(), 39);
    assert_eq!(r.chain(&[all[39], all[0]], &[locks[39], locks[0]]), 1);
}

#[test]
fn subclasses_are_classes_of_their_own() {
    let mut r = Rig::new();
    let spec = ClassSpec::mutex("&inode->lock");
    let (parent, child) = (r.lock(&spec), r.lock(&spec));
    assert_eq!(r.write(parent), 0);
    assert_eq!(r.take(Acquire::write(child, HERE).nested(1)), 0);
    assert_eq!(r.ld.held_locks(r.task)[1].class.subclass(), 1);
    assert_eq!(r.give(child), 0);
    assert_eq!(r.write(child), 1);
    // A subclass set on the lock counts for plain acquisitions.
    let mut r = Rig::new();
    let (parent, child) = (r.lock(&spec), r.lock(&spec).with_subclass(1));
    assert_eq!(r.write(parent) + r.write(child), 0);
}

#[test]
fn a_nest_lock_serialises_a_class_only_while_it_lies_below() {
    let mut r = Rig::new();
    let [outer] = r.mutexes();
    let (x, y) = (r.lock(&ClassSpec::mutex("x")), r.lock(&ClassSpec::mutex("x")));
    let nested = |l| Acquire::write(l, HERE).nest_lock(outer);
    // Below both: they share an entry.
    assert_eq!(r.chain(&[Acquire::write(outer, HERE), nested(x), nested(y)], &[outer, x, y]), 0);
    // Taken between the two: it does not serialise them.
    let mut r = Rig::new();
    let [outer] = r.mutexes();
    let (x, y) = (r.lock(&ClassSpec::mutex("x")), r.lock(&ClassSpec::mutex("x")));
    assert_eq!(r.write(x) + r.write(outer), 0);
    assert_eq!(r.take(Acquire::write(y, HERE).nest_lock(outer)), 1);
    assert!(matches!(r.ld.reports()[0], Report::Recursive { .. }));
}

#[test]
fn locks_under_one_nest_lock_are_counted_on_one_entry() {
    let mut r = Rig::new();
    let [outer] = r.mutexes();
    let locks: Vec<Lock> = (0..60).map(|_| r.lock(&ClassSpec::mutex("x"))).collect();
    r.write(outer);
    for lock in &locks {
        assert_eq!(r.take(Acquire::write(*lock, HERE).nest_lock(outer)), 0);
    }
    assert_eq!(r.ld.depth(r.task), 2);
    assert!(r.ld.is_held(r.task, locks[59]));
    assert_eq!(locks.iter().map(|l| r.give(*l)).sum::<usize>(), 0);
    assert_eq!(r.ld.depth(r.task), 1);
    assert_eq!(r.give(locks[0]), 1, "one unlock too many");
}

#[test]
fn a_nest_lock_that_is_given_back_too_early_is_missed() {
    let mut r = Rig::new();
    let [outer] = r.mutexes();
    let x = r.lock(&ClassSpec::mutex("x"));
    let nested = Acquire::write(x, HERE).nest_lock(outer);
    assert_eq!(r.write(outer) + r.take(nested) + r.give(x) + r.give(outer), 0);
    assert_eq!(r.write(outer) + r.take(nested), 0);
    assert_eq!(r.give(outer), 1);
    assert!(matches!(r.ld.reports()[0], Report::NestLockNotHeld { .. }));
    assert_eq!(r.give(x), 0, "what was reported is still held");
}

#[test]
fn the_strictest_held_lock_decides_who_may_wait() {
    let mut r = Rig::new();
    let (raw, spin) = (r.lock(&ClassSpec::raw_spinlock("raw")), r.lock(&ClassSpec::spinlock("spin")));
    let [sleeps, another] = r.mutexes();
    assert_eq!(r.write(sleeps) + r.write(spin) + r.write(raw), 0, "from the loosest to the strictest");
    assert_eq!(r.give(raw) + r.give(spin) + r.give(sleeps), 0);
    assert_eq!(r.write(spin), 0);
    assert_eq!(r.take(Acquire::write(sleeps, HERE).trylock()), 0, "a trylock does not wait");
    assert_eq!(r.give(sleeps), 0);
    assert_eq!(r.write(another), 1);
    assert!(matches!(r.ld.reports()[0], Report::InvalidWaitContext { context: 3, .. }));
}

#[test]
fn a_context_ends_with_its_lock_even_out_of_order() {
    let mut r = Rig::new();
    let spin = r.lock(&ClassSpec::spinlock("spin"));
    let [a, b] = r.mutexes();
    r.write(spin);
    r.take(Acquire::write(a, HERE).trylock());
    r.give(spin);
    assert_eq!(r.write(b), 0);
}

#[test]
fn rcu_may_be_entered_anywhere_and_an_override_replaces_the_context() {
    let mut r = Rig::new();
    let raw = r.lock(&ClassSpec::raw_spinlock("raw"));
    let rcu = r.lock(&ClassSpec::rcu("rcu_read_lock", WaitType::Config));
    let spin = r.lock(&ClassSpec::spinlock("spin"));
    let over = r.lock(&ClassSpec::wait_override("override", WaitType::Config));
    assert_eq!(r.write(raw) + r.take(Acquire::recursive_read(rcu, HERE).unchecked()), 0);
    assert_eq!(r.take(Acquire::write(over, HERE).trylock()), 0);
    assert_eq!(r.write(spin) + r.give(spin) + r.give(over), 0);
    assert_eq!(r.write(spin), 1, "RCU inside a raw spinlock does not loosen it");
}

#[test]
fn locks_may_be_released_in_any_order_and_only_once() {
    let mut r = Rig::new();
    let [a, b, c] = r.mutexes();
    assert_eq!(r.write(a) + r.write(b) + r.write(c), 0);
    assert_eq!(r.ld.graph().dependency_count(), 2);
    assert_eq!(r.give(b), 0);
    assert_eq!(r.ld.graph().dependency_count(), 3, "a -> c is now direct");
    assert_eq!(r.give(a) + r.give(c), 0);
    assert_eq!(r.give(a), 1);
    assert!(matches!(&r.ld.reports()[0], Report::BadUnlock { lock, .. } if lock == "m0"));
}

#[test]
fn of_two_holds_on_one_lock_the_inner_one_is_released_first() {
    let mut r = Rig::new();
    let (a, [m]) = (r.lock(&ClassSpec::rwlock("a")), r.mutexes());
    r.take(Acquire::recursive_read(a, HERE));
    r.take(Acquire::write(m, HERE).trylock());
    r.take(Acquire::recursive_read(a, HERE));
    assert_eq!(r.give(a), 0);
    let held: Vec<LockId> = r.ld.held_locks(r.task).iter().filter_map(|line| line.id).collect();
    assert_eq!(held, [a.id(), m.id()]);
}

#[test]
fn what_was_reported_is_not_reported_again_when_a_lock_below_it_goes() {
    let mut r = Rig::new();
    let [below] = r.mutexes();
    let (x, y) = (r.lock(&ClassSpec::mutex("x")), r.lock(&ClassSpec::mutex("x")));
    assert_eq!(r.write(below) + r.write(x), 0);
    assert_eq!(r.write(y), 1);
    assert_eq!(r.give(below) + r.give(x) + r.give(y), 0);
}

#[test]
fn another_task_cannot_release() {
    let mut r = Rig::new();
    let [a] = r.mutexes();
    let other = r.ld.add_task("other", 2);
    r.write(a);
    assert_eq!(r.ld.release(other, a, HERE), 1);
    assert_eq!(r.give(a), 0);
}

#[test]
fn a_downgraded_lock_is_read_and_only_a_written_one_can_be() {
    let mut r = Rig::new();
    let (a, [b]) = (r.lock(&ClassSpec::rwsem("a")), r.mutexes());
    r.write(a);
    r.write(b);
    assert_eq!(r.ld.assert_held_write(r.task, a, HERE), 0);
    assert_eq!(r.ld.downgrade(r.task, a, HERE), 0);
    assert_eq!(r.ld.assert_held_read(r.task, a, HERE), 0);
    assert_eq!(r.ld.held_locks(r.task).len(), 2);
    assert_eq!(r.ld.downgrade(r.task, a, HERE), 1);
    r.give(b);
    r.give(a);
    assert_eq!(r.ld.downgrade(r.task, a, HERE), 1);
    assert!(matches!(r.ld.reports(), [Report::DowngradeOfRead { .. }, Report::BadUnlock { .. }]));
}

#[test]
fn assertions_tell_readers_from_writers() {
    let mut r = Rig::new();
    let (a, t) = (r.lock(&ClassSpec::rwsem("a")), r.task);
    let all = |ld: &mut Validator| {
        let held = (ld.assert_held(t, a, HERE), ld.assert_held_write(t, a, HERE));
        let rest = (ld.assert_held_read(t, a, HERE), ld.assert_not_held(t, a, HERE));
        (held, rest, ld.assert_none_held(t, HERE))
    };
    assert_eq!(all(&mut r.ld), ((1, 1), (1, 0), 0));
    r.write(a);
    assert_eq!(all(&mut r.ld), ((0, 0), (1, 1), 1));
    r.give(a);
    r.take(Acquire::read(a, HERE));
    assert_eq!(all(&mut r.ld), ((0, 1), (0, 1), 1));
}

#[test]
fn freed_memory_holds_no_held_lock_of_the_task() {
    let mut r = Rig::new();
    let [a] = r.mutexes();
    let (at, other) = (a.id().0, r.ld.add_task("other", 2));
    r.write(a);
    assert_eq!(r.ld.memory_freed(r.task, at + 1, at + 64, HERE), 0);
    assert_eq!(r.ld.memory_freed(r.task, at - 64, at, HERE), 0);
    assert_eq!(r.ld.memory_freed(other, at, at + 1, HERE), 0, "another task's lock, as in the kernel");
    assert_eq!(r.ld.memory_freed(r.task, at - 64, at + 64, HERE), 1);
}

#[test]
fn nothing_is_held_on_the_way_out() {
    let mut r = Rig::new();
    let [a] = r.mutexes();
    assert_eq!(r.ld.return_to_user(r.task) + r.ld.task_exit(r.task), 0);
    r.write(a);
    assert_eq!(r.ld.return_to_user(r.task), 1);
    assert_eq!(r.ld.task_exit(r.task), 1);
}

#[test]
fn a_class_without_validation_is_only_balanced() {
    let mut r = Rig::new();
    let spec = ClassSpec::mutex("&dev->mutex").novalidate();
    let (x, y, [a]) = (r.lock(&spec), r.lock(&spec), r.mutexes());
    assert_eq!(r.write(x) + r.write(y) + r.write(a) + r.give(a) + r.give(y) + r.give(x), 0);
    assert_eq!(r.write(a) + r.write(x), 0);
    assert_eq!(r.ld.graph().dependency_count(), 0);
    assert_eq!(r.give(y), 1);
}

#[test]
fn the_stack_of_the_kernel_has_an_end() {
    let mut r = Rig::new();
    let locks: [Lock; 48] = r.mutexes();
    assert_eq!(locks[..47].iter().map(|l| r.write(*l)).sum::<usize>(), 0);
    assert_eq!(r.write(locks[47]), 1);
    assert!(matches!(r.ld.reports()[0], Report::TooDeep { .. }));
}

#[test]
fn waiting_without_keeping_orders_like_taking() {
    let mut r = Rig::new();
    let ([a], work) = (r.mutexes(), r.lock(&ClassSpec::map("(work_completion)(&dev->work)")));
    // The work item takes a.
    assert_eq!(r.write(work) + r.write(a) + r.give(a) + r.give(work), 0);
    assert_eq!(r.ld.sync(r.task, &Acquire::write(work, HERE)), 0, "flushing with nothing held");
    r.write(a);
    assert_eq!(r.ld.sync(r.task, &Acquire::write(work, HERE)), 1, "flushing with a held");
    assert_eq!(r.ld.depth(r.task), 1);
    r.give(a);
    assert_eq!(r.ld.might_lock(r.task, &Acquire::write(a, HERE)), 0);
    assert_eq!(r.ld.depth(r.task), 0);
}

#[test]
fn two_mutexes_of_a_ww_class_need_one_context() {
    use lockdep::{WwCtx, WwMutex};
    let mut r = Rig::new();
    let (class, t) = (r.ld.ww_class("reservation_ww_class"), r.task);
    let [mut x, mut y] = [0x10, 0x20].map(|id| WwMutex::new(LockId(id), class));
    let mut ctx = WwCtx::new(LockId(0x30), class);
    assert_eq!(r.ld.ww_mutex_lock(t, &x, None, HERE), 0);
    assert_eq!(r.ld.ww_mutex_lock(t, &y, None, HERE), 1, "no context");
    r.ld.ww_mutex_unlock(t, &mut y, None, HERE);
    r.ld.ww_mutex_unlock(t, &mut x, None, HERE);

    let mut found = r.ld.ww_acquire_init(t, &mut ctx, HERE);
    for lock in [&mut y, &mut x] {
        found += r.ld.ww_mutex_lock(t, lock, Some(&ctx), HERE);
        found += r.ld.ww_mutex_acquired(t, lock, &mut ctx, HERE);
    }
    for lock in [&mut y, &mut x] {
        found += r.ld.ww_mutex_unlock(t, lock, Some(&mut ctx), HERE);
    }
    assert_eq!(found + r.ld.ww_acquire_fini(t, &ctx, HERE), 0, "any order under a context");
    assert_eq!(r.ld.ww_mutex_slow(t, &x, &ctx, HERE), 1);
    assert!(matches!(r.ld.reports()[1], Report::WwMisuse { rule: WwRule::SlowWithoutContention, .. }));
}

#[test]
fn backing_off_lets_go_of_the_mutex() {
    use lockdep::{WwCtx, WwMutex};
    let mut r = Rig::new();
    let (class, t) = (r.ld.ww_class("reservation_ww_class"), r.task);
    let (x, mut ctx) = (WwMutex::new(LockId(0x10), class), WwCtx::new(LockId(0x30), class));
    r.ld.ww_acquire_init(t, &mut ctx, HERE);
    let mut found = r.ld.ww_mutex_lock(t, &x, Some(&ctx), HERE);
    found += r.ld.ww_mutex_deadlock(t, &x, &mut ctx, HERE);
    assert_eq!(found + r.ld.ww_acquire_fini(t, &ctx, HERE), 0);
    assert_eq!(r.ld.depth(t), 0);
    assert_eq!(r.ld.release(t, x.map, HERE), 1);
}
