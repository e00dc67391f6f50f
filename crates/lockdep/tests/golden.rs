// SPDX-License-Identifier: MIT OR Apache-2.0
//! The text of each report and of both dumps, on the locks of a driver.

use insta::assert_snapshot;
use lockdep::{Acquire, ClassSpec, Config, Lock, LockId, Site, TaskId, Validator, WwCtx, WwMutex};

/// A driver's locks, two tasks, and the functions in which things happen.
struct Rig {
    ld: Validator,
    user: TaskId,
    revoker: TaskId,
    memory_lock: Lock,
    resv: Lock,
    mmap_lock: Lock,
    fence_lock: Lock,
}

const fn at(function: &'static str) -> Site {
    Site::function(function)
}

impl Rig {
    fn new() -> Self {
        let mut ld = Validator::new(Config::default());
        let (user, revoker) = (ld.add_task("user", 100), ld.add_task("revoker", 101));
        let mut lock =
            |id: u64, spec: ClassSpec<'_>| Lock::new(LockId(0xffff_8880_0000_0000 + id), ld.key(&spec));
        let memory_lock = lock(0x10, ClassSpec::rwsem("&vdev->memory_lock"));
        let resv = lock(0x20, ClassSpec::mutex("reservation_ww_class_mutex"));
        let mmap_lock = lock(0x30, ClassSpec::rwsem("&mm->mmap_lock"));
        let fence_lock = lock(0x40, ClassSpec::spinlock("&fence->lock"));
        Rig { ld, user, revoker, memory_lock, resv, mmap_lock, fence_lock }
    }

    fn write(&mut self, task: TaskId, lock: Lock, function: &'static str) {
        self.ld.acquire(task, &Acquire::write(lock, at(function)));
    }

    fn read(&mut self, task: TaskId, lock: Lock, function: &'static str) {
        self.ld.acquire(task, &Acquire::read(lock, at(function)));
    }

    fn give(&mut self, task: TaskId, locks: &[Lock]) {
        locks.iter().for_each(|lock| _ = self.ld.release(task, *lock, at("unlock")));
    }

    /// The only report so far.
    #[track_caller]
    fn report(&self) -> String {
        assert_eq!(self.ld.reports().len(), 1);
        self.ld.reports()[0].to_string()
    }

    /// memory_lock, then resv; resv, then mmap_lock; mmap_lock, then memory_lock.
    fn three_way(&mut self) {
        let Rig { user, revoker, memory_lock, resv, mmap_lock, .. } = *self;
        self.write(revoker, memory_lock, "vfio_pci_zap_and_down_write_memory_lock");
        self.write(revoker, resv, "vfio_pci_dma_buf_move");
        self.give(revoker, &[resv, memory_lock]);
        self.write(user, resv, "importer_map");
        self.read(user, mmap_lock, "importer_fault_in");
        self.give(user, &[mmap_lock, resv]);
        self.read(user, mmap_lock, "do_user_addr_fault");
        self.read(user, memory_lock, "vfio_pci_mmap_huge_fault");
    }
}

#[test]
fn circular_of_two() {
    let mut r = Rig::new();
    let Rig { user, revoker, memory_lock, resv, .. } = r;
    r.write(revoker, memory_lock, "vfio_pci_zap_and_down_write_memory_lock");
    r.write(revoker, resv, "vfio_pci_dma_buf_move");
    r.give(revoker, &[resv, memory_lock]);
    r.write(user, resv, "dma_buf_map_attachment_unlocked");
    r.read(user, memory_lock, "vfio_pci_dma_buf_map");
    assert_snapshot!(r.report(), @r"
    ======================================================
    WARNING: possible circular locking dependency detected
    ------------------------------------------------------
    user/100 is trying to acquire lock:
    ffff888000000010 (&vdev->memory_lock){++++}-{4:4}, at: vfio_pci_dma_buf_map

    but task is already holding lock:
    ffff888000000020 (reservation_ww_class_mutex){+.+.}-{4:4}, at: dma_buf_map_attachment_unlocked

    which lock already depends on the new lock.

    the existing dependency chain (in reverse order) is:

    -> #1 (reservation_ww_class_mutex){+.+.}-{4:4}:
           vfio_pci_dma_buf_move
           &vdev->memory_lock -(EN)-> reservation_ww_class_mutex, by revoker/101,
           which held &vdev->memory_lock since vfio_pci_zap_and_down_write_memory_lock

    -> #0 (&vdev->memory_lock){++++}-{4:4}:
           vfio_pci_dma_buf_map

    other info that might help us debug this:

     Possible unsafe locking scenario:

           CPU0                    CPU1
           ----                    ----
      lock(reservation_ww_class_mutex);
                                   lock(&vdev->memory_lock);
                                   lock(reservation_ww_class_mutex);
      rlock(&vdev->memory_lock);

     *** DEADLOCK ***

    locks held by user/100: 1:
     #0: ffff888000000020 (reservation_ww_class_mutex){+.+.}-{4:4}, at: dma_buf_map_attachment_unlocked
    ");
}

#[test]
fn circular_of_three() {
    let mut r = Rig::new();
    r.three_way();
    assert_snapshot!(r.report(), @r"
    ======================================================
    WARNING: possible circular locking dependency detected
    ------------------------------------------------------
    user/100 is trying to acquire lock:
    ffff888000000010 (&vdev->memory_lock){++++}-{4:4}, at: vfio_pci_mmap_huge_fault

    but task is already holding lock:
    ffff888000000030 (&mm->mmap_lock){.+.+}-{4:4}, at: do_user_addr_fault

    which lock already depends on the new lock.

    the existing dependency chain (in reverse order) is:

    -> #2 (&mm->mmap_lock){.+.+}-{4:4}:
           importer_fault_in
           reservation_ww_class_mutex -(EN)-> &mm->mmap_lock, by user/100,
           which held reservation_ww_class_mutex since importer_map

    -> #1 (reservation_ww_class_mutex){+.+.}-{4:4}:
           vfio_pci_dma_buf_move
           &vdev->memory_lock -(EN)-> reservation_ww_class_mutex, by revoker/101,
           which held &vdev->memory_lock since vfio_pci_zap_and_down_write_memory_lock

    -> #0 (&vdev->memory_lock){++++}-{4:4}:
           vfio_pci_mmap_huge_fault

    other info that might help us debug this:

    Chain exists of:
      &vdev->memory_lock --> reservation_ww_class_mutex --> &mm->mmap_lock

     Possible unsafe locking scenario:

           CPU0                    CPU1
           ----                    ----
      rlock(&mm->mmap_lock);
                                   lock(reservation_ww_class_mutex);
                                   lock(&mm->mmap_lock);
      rlock(&vdev->memory_lock);

     *** DEADLOCK ***

    locks held by user/100: 1:
     #0: ffff888000000030 (&mm->mmap_lock){.+.+}-{4:4}, at: do_user_addr_fault
    ");
}

#[test]
fn inversion_of_a_whole_graph() {
    let mut r = Rig::new();
    r.three_way();
    let reports = r.ld.graph().inversions();
    assert_eq!(reports.len(), 1);
    assert_snapshot!(reports[0], @r"
    ======================================================
    WARNING: possible circular locking dependency detected
    ------------------------------------------------------
    user/100 is trying to acquire lock:
    (&mm->mmap_lock){.+.+}-{4:4}, at: importer_fault_in

    but task is already holding lock:
    (reservation_ww_class_mutex){+.+.}-{4:4}, at: importer_map

    which lock already depends on the new lock.

    the existing dependency chain (in reverse order) is:

    -> #2 (reservation_ww_class_mutex){+.+.}-{4:4}:
           vfio_pci_dma_buf_move
           &vdev->memory_lock -(EN)-> reservation_ww_class_mutex, by revoker/101,
           which held &vdev->memory_lock since vfio_pci_zap_and_down_write_memory_lock

    -> #1 (&vdev->memory_lock){++++}-{4:4}:
           vfio_pci_mmap_huge_fault
           &mm->mmap_lock -(SN)-> &vdev->memory_lock, by user/100,
           which held &mm->mmap_lock since do_user_addr_fault

    -> #0 (&mm->mmap_lock){.+.+}-{4:4}:
           importer_fault_in

    other info that might help us debug this:

    Chain exists of:
      &mm->mmap_lock --> &vdev->memory_lock --> reservation_ww_class_mutex

     Possible unsafe locking scenario:

           CPU0                    CPU1
           ----                    ----
      lock(reservation_ww_class_mutex);
                                   lock(&vdev->memory_lock);
                                   lock(reservation_ww_class_mutex);
      rlock(&mm->mmap_lock);

     *** DEADLOCK ***

    locks held by user/100: 1:
     #0: (reservation_ww_class_mutex){+.+.}-{4:4}, at: importer_map
    ");
}

#[test]
fn recursive() {
    let mut r = Rig::new();
    let Rig { user, memory_lock, .. } = r;
    r.write(user, memory_lock, "vfio_pci_core_ioctl_reset");
    r.read(user, memory_lock, "vfio_pci_core_do_io_rw");
    assert_snapshot!(r.report(), @r"
    ============================================
    WARNING: possible recursive locking detected
    --------------------------------------------
    user/100 is trying to acquire lock:
    ffff888000000010 (&vdev->memory_lock){++++}-{4:4}, at: vfio_pci_core_do_io_rw

    but task is already holding lock:
    ffff888000000010 (&vdev->memory_lock){++++}-{4:4}, at: vfio_pci_core_ioctl_reset

    other info that might help us debug this:
     Possible unsafe locking scenario:

           CPU0
           ----
      lock(&vdev->memory_lock);
      lock(&vdev->memory_lock);

     *** DEADLOCK ***

     May be due to missing lock nesting notation

    locks held by user/100: 1:
     #0: ffff888000000010 (&vdev->memory_lock){++++}-{4:4}, at: vfio_pci_core_ioctl_reset
    ");
}

#[test]
fn invalid_wait_context() {
    let mut r = Rig::new();
    let Rig { user, fence_lock, resv, .. } = r;
    r.write(user, fence_lock, "dma_fence_signal");
    r.write(user, resv, "dma_resv_lock");
    assert_snapshot!(r.report(), @r"
    =============================
    [ BUG: Invalid wait context ]
    -----------------------------
    user/100 is trying to lock:
    ffff888000000020 (reservation_ww_class_mutex){+.+.}-{4:4}, at: dma_resv_lock
    other info that might help us debug this:
    context-{3:3}
    locks held by user/100: 1:
     #0: ffff888000000040 (&fence->lock){+.+.}-{3:3}, at: dma_fence_signal
    ");
}

#[test]
fn nest_lock_not_held() {
    let mut r = Rig::new();
    let acquire = Acquire::write(r.resv, at("dma_resv_lock")).nest_lock(r.mmap_lock);
    r.ld.acquire(r.user, &acquire);
    assert_snapshot!(r.report(), @r"
    ==================================
    WARNING: Nested lock was not taken
    ----------------------------------
    user/100 is trying to lock:
    ffff888000000020 (reservation_ww_class_mutex){+.+.}-{4:4}, at: dma_resv_lock

    but this task is not holding:
    &mm->mmap_lock

    other info that might help us debug this:
    locks held by user/100: 0
    ");
}

#[test]
fn bad_unlock() {
    let mut r = Rig::new();
    let Rig { user, memory_lock, resv, .. } = r;
    r.write(user, memory_lock, "vfio_pci_core_ioctl_reset");
    r.ld.release(user, resv, Site::at("dma_resv_unlock", "include/linux/dma-resv.h", 430));
    assert_snapshot!(r.report(), @r"
    =====================================
    WARNING: bad unlock balance detected!
    -------------------------------------
    user/100 is trying to release lock (reservation_ww_class_mutex) at:
    dma_resv_unlock (include/linux/dma-resv.h:430)
    but there are no more locks to release!

    other info that might help us debug this:
    locks held by user/100: 1:
     #0: ffff888000000010 (&vdev->memory_lock){+.+.}-{4:4}, at: vfio_pci_core_ioctl_reset
    ");
}

#[test]
fn held_lock_freed() {
    let mut r = Rig::new();
    let Rig { user, memory_lock, .. } = r;
    r.write(user, memory_lock, "vfio_pci_core_ioctl_reset");
    let from = memory_lock.id().0 - 0x10;
    r.ld.memory_freed(user, from, from + 0x400, at("vfio_pci_core_release_dev"));
    assert_snapshot!(r.report(), @r"
    =========================
    WARNING: held lock freed!
    -------------------------
    user/100 is freeing memory ffff888000000000-ffff8880000003ff, with a lock still held there!
    ffff888000000010 (&vdev->memory_lock){+.+.}-{4:4}, at: vfio_pci_core_ioctl_reset
    freed at: vfio_pci_core_release_dev
    locks held by user/100: 1:
     #0: ffff888000000010 (&vdev->memory_lock){+.+.}-{4:4}, at: vfio_pci_core_ioctl_reset
    ");
}

#[test]
fn held_on_the_way_out() {
    let mut r = Rig::new();
    let Rig { user, memory_lock, .. } = r;
    r.read(user, memory_lock, "vfio_pci_core_do_io_rw");
    r.ld.return_to_user(user);
    assert_snapshot!(r.report(), @r"
    ================================================
    WARNING: lock held when returning to user space!
    ------------------------------------------------
    user/100 is leaving the kernel with locks still held!
    locks held by user/100: 1:
     #0: ffff888000000010 (&vdev->memory_lock){.+.+}-{4:4}, at: vfio_pci_core_do_io_rw
    ");
    r.ld.take_reports();
    r.ld.task_exit(user);
    assert_snapshot!(r.report(), @r"
    =======================================
    WARNING: user/100 still has locks held!
    ---------------------------------------
    locks held by user/100: 1:
     #0: ffff888000000010 (&vdev->memory_lock){.+.+}-{4:4}, at: vfio_pci_core_do_io_rw
    ");
}

#[test]
fn too_deep() {
    let mut r = Rig::new();
    for i in 0..48 {
        let lock = Lock::new(LockId(i), r.ld.key(&ClassSpec::mutex(&format!("m{i}"))));
        r.write(r.user, lock, "lock_all");
    }
    let text = r.report();
    let first: Vec<&str> = text.lines().take(4).collect();
    assert_snapshot!(first.join("\n"), @r"
    BUG: MAX_LOCK_DEPTH too low!
    depth: 48  max: 48!
    locks held by user/100: 48:
     #0: 0000000000000000 (m0){+.+.}-{4:4}, at: lock_all
    ");
}

#[test]
fn assertions() {
    let mut r = Rig::new();
    let Rig { user, memory_lock, .. } = r;
    r.read(user, memory_lock, "vfio_pci_core_do_io_rw");
    r.ld.assert_held_write(user, memory_lock, at("vfio_pci_dma_buf_move"));
    assert_snapshot!(r.report(), @r"
    WARNING: at vfio_pci_dma_buf_move, by user/100
    lockdep_assert_held_write(&vdev->memory_lock)
    locks held by user/100: 1:
     #0: ffff888000000010 (&vdev->memory_lock){.+.+}-{4:4}, at: vfio_pci_core_do_io_rw
    ");
    r.ld.take_reports();
    r.ld.assert_none_held(user, at("vfio_pci_core_close_device"));
    assert_snapshot!(r.report(), @r"
    WARNING: at vfio_pci_core_close_device, by user/100
    lockdep_assert_none_held_once()
    locks held by user/100: 1:
     #0: ffff888000000010 (&vdev->memory_lock){.+.+}-{4:4}, at: vfio_pci_core_do_io_rw
    ");
    r.ld.take_reports();
    r.ld.downgrade(user, memory_lock, at("vfio_pci_core_do_io_rw"));
    assert_snapshot!(r.report(), @r"
    WARNING: at vfio_pci_core_do_io_rw, by user/100
    downgrading a read lock
    ffff888000000010 (&vdev->memory_lock){.+.+}-{4:4}, at: vfio_pci_core_do_io_rw
    locks held by user/100: 1:
     #0: ffff888000000010 (&vdev->memory_lock){.+.+}-{4:4}, at: vfio_pci_core_do_io_rw
    ");
}

#[test]
fn ww_misuse() {
    let mut r = Rig::new();
    let class = r.ld.ww_class("reservation_ww_class");
    let (mut resv, mut ctx) = (WwMutex::new(LockId(0x10), class), WwCtx::new(LockId(0x20), class));
    r.ld.ww_acquire_init(r.user, &mut ctx, at("drm_exec_init"));
    r.ld.ww_acquire_done(r.user, &mut ctx, at("drm_exec_until_all_locked"));
    r.ld.ww_mutex_lock(r.user, &resv, Some(&ctx), at("drm_exec_lock_obj"));
    r.ld.ww_mutex_acquired(r.user, &mut resv, &mut ctx, at("drm_exec_lock_obj"));
    assert_snapshot!(r.report(), @r"
    WARNING: at drm_exec_lock_obj, by user/100
    DEBUG_LOCKS_WARN_ON(ww_ctx->done_acquire)
    reservation_ww_class_mutex: the context said that it has taken all it needs
    locks held by user/100: 2:
     #0: 0000000000000020 (reservation_ww_class_acquire){+.+.}-{0:0}, at: drm_exec_init
     #1: 0000000000000021 (reservation_ww_class_mutex){+.+.}-{4:4}, at: drm_exec_init
    ");
}

#[test]
fn dumps() {
    let mut r = Rig::new();
    r.three_way();
    let Rig { user, fence_lock, .. } = r;
    r.write(user, fence_lock, "dma_fence_signal");
    assert_snapshot!(r.ld.graph().to_text(), @r"
    lock classes: 4
    direct dependencies: 4

    (&fence->lock){+.+.}-{3:3}

    (&mm->mmap_lock){.+.+}-{4:4}
     -> (&vdev->memory_lock){++++}-{4:4}  SN
          vfio_pci_mmap_huge_fault, by user/100, which held it since do_user_addr_fault

    (&vdev->memory_lock){++++}-{4:4}
     -> (&fence->lock){+.+.}-{3:3}  SN
          dma_fence_signal, by user/100, which held it since vfio_pci_mmap_huge_fault
     -> (reservation_ww_class_mutex){+.+.}-{4:4}  EN
          vfio_pci_dma_buf_move, by revoker/101, which held it since vfio_pci_zap_and_down_write_memory_lock

    (reservation_ww_class_mutex){+.+.}-{4:4}
     -> (&mm->mmap_lock){.+.+}-{4:4}  EN
          importer_fault_in, by user/100, which held it since importer_map
    ");
    assert_snapshot!(r.ld.graph().to_dot(), @r#"
    digraph lockdep {
      node [shape=box];
      "(&fence->lock){+.+.}-{3:3}";
      "(&mm->mmap_lock){.+.+}-{4:4}";
      "(&vdev->memory_lock){++++}-{4:4}";
      "(reservation_ww_class_mutex){+.+.}-{4:4}";
      "(&mm->mmap_lock){.+.+}-{4:4}" -> "(&vdev->memory_lock){++++}-{4:4}" [label="SN", color=red];
      "(&vdev->memory_lock){++++}-{4:4}" -> "(&fence->lock){+.+.}-{3:3}" [label="SN"];
      "(&vdev->memory_lock){++++}-{4:4}" -> "(reservation_ww_class_mutex){+.+.}-{4:4}" [label="EN", color=red];
      "(reservation_ww_class_mutex){+.+.}-{4:4}" -> "(&mm->mmap_lock){.+.+}-{4:4}" [label="EN", color=red];
    }
    "#);
}

/// The same pair in three ways: the dump shows all kinds, and a place for the strongest.
#[test]
fn dump_of_several_kinds() {
    let mut r = Rig::new();
    let Rig { user, memory_lock, mmap_lock, .. } = r;
    let nested = Lock::new(LockId(0x50), r.ld.key(&ClassSpec::mutex("\"odd\\name\""))).with_subclass(2);
    r.read(user, memory_lock, "reader");
    r.ld.acquire(user, &Acquire::recursive_read(mmap_lock, at("recursive")));
    r.give(user, &[mmap_lock]);
    r.read(user, mmap_lock, "plain");
    r.write(user, nested, "nested");
    assert_snapshot!(r.ld.graph().to_text(), @r#"
    lock classes: 3
    direct dependencies: 2

    ("odd\name"/2){+.+.}-{4:4}

    (&mm->mmap_lock){.+.+}-{4:4}
     -> ("odd\name"/2){+.+.}-{4:4}  SN
          nested, by user/100, which held it since plain

    (&vdev->memory_lock){.+.+}-{4:4}
     -> (&mm->mmap_lock){.+.+}-{4:4}  SR SN
          plain, by user/100, which held it since reader
    "#);
    assert_snapshot!(r.ld.graph().to_dot(), @r#"
    digraph lockdep {
      node [shape=box];
      "(\"odd\\name\"/2){+.+.}-{4:4}";
      "(&mm->mmap_lock){.+.+}-{4:4}";
      "(&vdev->memory_lock){.+.+}-{4:4}";
      "(&mm->mmap_lock){.+.+}-{4:4}" -> "(\"odd\\name\"/2){+.+.}-{4:4}" [label="SN"];
      "(&vdev->memory_lock){.+.+}-{4:4}" -> "(&mm->mmap_lock){.+.+}-{4:4}" [label="SR SN"];
    }
    "#);
}
