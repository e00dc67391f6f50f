// SPDX-License-Identifier: MIT OR Apache-2.0
//! Names of tasks and objects that hold on every machine.
//!
//! Inside one exploration a task's number is given when it is first met, and so depends on what was explored before.
//! A path does not: the root's fourth child's first child. An object is its creator and the how-manieth of its
//! creations it is.

use crate::engine::Engine;
use crate::op::{MAX_TASKS, TaskId};

/// A task, as the places among its siblings from the root down to it; the root's is empty.
pub(crate) type TaskPath = Vec<u32>;

/// An object: its creator, and the how-manieth of its creations it is, from 0.
pub(crate) type ObjectPath = (TaskPath, u32);

/// The path of a task.
pub(crate) fn path_of(e: &Engine, mut t: TaskId) -> TaskPath {
    let mut path = Vec::new();
    while t != TaskId::ROOT {
        let parent = (0..e.tasks.len())
            .find_map(|p| e.tasks[p].children.iter().position(|c| *c == t).map(|nth| (p, nth)))
            .expect("every task but the root has a parent");
        path.push(parent.1 as u32);
        t = TaskId(parent.0 as u8);
    }
    path.reverse();
    path
}

/// The paths of the objects that must become scheduling points.
pub(crate) fn promotions(e: &mut Engine) -> Vec<ObjectPath> {
    let list = std::mem::take(&mut e.promotions);
    let path = |o: u32| {
        let slot = &e.slots[o as usize];
        (path_of(e, slot.creator), slot.nth)
    };
    let mut list: Vec<_> = list.into_iter().map(path).collect();
    list.sort();
    list.dedup();
    list
}

/// Makes objects scheduling points before any of them exists. The engine must be clear.
///
/// # Errors
/// When their creators alone are too many tasks.
pub(crate) fn preset(e: &mut Engine, visible: &[ObjectPath]) -> Result<(), String> {
    if e.tasks.is_empty() && !visible.is_empty() {
        e.new_task();
    }
    for (path, nth) in visible {
        let mut t = TaskId::ROOT;
        for place in path {
            while e.tasks[t.index()].children.len() <= *place as usize {
                if e.tasks.len() == MAX_TASKS {
                    return Err(format!(
                        "an object of task {path:?}: at most {MAX_TASKS} tasks are possible"
                    ));
                }
                let child = e.new_task();
                e.tasks[t.index()].children.push(child);
            }
            t = e.tasks[t.index()].children[*place as usize];
        }
        e.preset.push((t, *nth));
    }
    Ok(())
}
