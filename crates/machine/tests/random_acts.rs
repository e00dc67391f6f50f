// SPDX-License-Identifier: GPL-2.0-only
//! Random acts of users and importers on the released kernel: every invariant holds, whatever the order.
//!
//! A failing case shrinks to the fewest acts and prints them, with the finding and its schedule.

use explorer::strategy::dpor::Dpor;
use explorer::{Config, JoinHandle, explore_with, spawn};
use importers::{OnInvalidate, PeerImporter};
use kernel_model::prelude::Kptr;
use machine::acts::*;
use machine::world::World;
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestError, TestRunner};
use vfio_pci::{Revision, find_revision};

/// An act of a user on the device.
#[derive(Clone, Copy, Debug)]
enum UserAct {
    ClearMemory,
    SetMemory,
    PcieFlr,
    AfFlr,
    Reset,
}

/// An act of an importer; its task unmaps and detaches at its end, as the contract asks.
#[derive(Clone, Copy, Debug)]
enum ImporterAct {
    Attach,
    Map,
    Read,
    Unmap,
    Detach,
}

#[derive(Clone, Debug)]
enum Task {
    User(Vec<UserAct>),
    Importer(OnInvalidate, Vec<ImporterAct>),
    ClosesTheBuffer,
}

fn act(w: World, a: UserAct) {
    match a {
        UserAct::ClearMemory => the_user_clears_command_mem(w),
        UserAct::SetMemory => the_user_sets_command_mem(w),
        UserAct::PcieFlr => the_user_starts_a_pcie_flr(w),
        UserAct::AfFlr => the_user_starts_an_af_flr(w),
        UserAct::Reset => drop(the_user_resets_the_device(w)),
    }
}

fn import(importer: Kptr<PeerImporter>, fd: i32, acts: &[ImporterAct]) {
    let (mut attached, mut mapped) = (false, false);
    for a in acts {
        match a {
            ImporterAct::Attach if !attached => attached = the_importer_attaches(importer, fd).is_ok(),
            ImporterAct::Map if attached && !mapped => mapped = the_importer_maps(importer).is_ok(),
            ImporterAct::Read if mapped => the_importer_reads(importer),
            ImporterAct::Unmap if mapped => {
                the_importer_unmaps(importer);
                mapped = false;
            }
            ImporterAct::Detach if attached && !mapped => {
                the_importer_detaches(importer);
                attached = false;
            }
            _ => {}
        }
    }
    if mapped {
        the_importer_unmaps(importer);
    }
    if attached {
        the_importer_detaches(importer);
    }
}

fn model(revision: &'static Revision, tasks: &[Task]) {
    let w = World::open(revision);
    let fd = the_user_exports_bar_0(w).expect("memory is enabled");
    let handles: Vec<JoinHandle> = tasks
        .iter()
        .cloned()
        .enumerate()
        .map(|(i, task)| match task {
            Task::User(acts) => spawn("user", move || acts.iter().for_each(|a| act(w, *a))),
            Task::Importer(how, acts) => {
                let importer = w.importer(i % 2, how);
                spawn("importer", move || import(importer, fd, &acts))
            }
            Task::ClosesTheBuffer => spawn("closer", move || the_user_closes(fd)),
        })
        .collect();
    handles.into_iter().for_each(JoinHandle::join);
    w.close(true);
}

fn user_act() -> impl Strategy<Value = UserAct> {
    use UserAct::*;
    prop_oneof![Just(ClearMemory), Just(SetMemory), Just(PcieFlr), Just(AfFlr), Just(Reset)]
}

fn importer_act() -> impl Strategy<Value = ImporterAct> {
    use ImporterAct::*;
    prop_oneof![1 => Just(Attach), 4 => Just(Map), 3 => Just(Read), 2 => Just(Unmap), 1 => Just(Detach)]
}

fn task() -> impl Strategy<Value = Task> {
    let how = prop_oneof![Just(OnInvalidate::Unmap), Just(OnInvalidate::Defer)];
    // An importer that does not attach first does nothing at all.
    let importer = prop::collection::vec(importer_act(), 1..5).prop_map(|mut acts| {
        acts.insert(0, ImporterAct::Attach);
        acts
    });
    prop_oneof![
        3 => prop::collection::vec(user_act(), 1..3).prop_map(Task::User),
        4 => (how, importer).prop_map(|(how, acts)| Task::Importer(how, acts)),
        1 => Just(Task::ClosesTheBuffer),
    ]
}

/// What random tasks show on a revision: nothing, or the findings.
fn findings(revision: &'static Revision, tasks: &[Task]) -> Vec<String> {
    let config = Config { max_executions: 1_500, ..Config::new("random acts") };
    let tasks = tasks.to_vec();
    let out = explore_with(&config, &mut Dpor::new(), move || model(revision, &tasks), |_| true).unwrap();
    out.findings.iter().map(|f| format!("{}: {} {}", f.kind, f.message, f.schedule)).collect()
}

/// Runs the property; the fixed seed makes each run the same.
fn holds_on(revision: &str) -> Result<(), TestError<Vec<Task>>> {
    let revision = find_revision(revision).unwrap();
    let config = ProptestConfig {
        cases: 96,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(73),
        ..Default::default()
    };
    TestRunner::new(config).run(&prop::collection::vec(task(), 1..4), |tasks| {
        let found = findings(revision, &tasks);
        prop_assert!(found.is_empty(), "{found:#?}");
        Ok(())
    })
}

#[test]
fn the_released_kernel_keeps_its_promises() {
    if let Err(e) = holds_on("v7_3") {
        panic!("{e}");
    }
}

#[test]
fn the_patch_as_first_posted_does_not_and_the_case_shrinks() {
    let Err(TestError::Fail(_, tasks)) = holds_on("leon_v0") else { panic!("nothing was found") };
    assert!(tasks.len() <= 2, "the smallest case takes two tasks: {tasks:?}");
}
