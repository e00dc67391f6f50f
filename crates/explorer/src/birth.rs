// SPDX-License-Identifier: MIT OR Apache-2.0
//! Identities: which task and which object a creation is.
//!
//! The nth object that a task creates, and its nth child, are the same in every execution of an exploration, whatever
//! the interleaving: the tables of a task remember them.

use std::borrow::Cow;
use std::panic::Location;

use crate::engine::{Engine, Slot, Status, SyncEvent, Task};
use crate::op::{MAX_TASKS, Object, ObjectClass, Op, State, TaskId};

static UNUSED: ObjectClass = ObjectClass { name: "unused", ops: &[], enabled: |_, _, _| true };

impl Engine {
    /// The root begins.
    pub(crate) fn begin_root(&mut self) {
        let root = if self.tasks.is_empty() { self.new_task() } else { TaskId::ROOT };
        self.current = root;
        self.birth(root, Cow::Borrowed("main"));
    }

    pub(crate) fn new_task(&mut self) -> TaskId {
        let id = TaskId(self.tasks.len() as u8);
        self.tasks.push(Task {
            name: Cow::Borrowed(""),
            status: Status::Absent,
            yielder: std::ptr::null(),
            held: Vec::new(),
            objects: Vec::new(),
            created: 0,
            children: Vec::new(),
            spawned: 0,
            choice: 0,
            at: Location::caller(),
        });
        self.pending.push(Op::NONE);
        id
    }

    fn birth(&mut self, id: TaskId, name: Cow<'static, str>) {
        let task = &mut self.tasks[id.index()];
        task.status = Status::Newborn;
        task.name = name;
        self.births.push(id);
        self.unfinished |= id.bit();
        self.forced |= id.bit();
        if self.live {
            self.races.task_begins(id);
        }
    }

    /// The identity of the current task's next child; `None` past [`MAX_TASKS`].
    pub(crate) fn spawn(&mut self, name: Cow<'static, str>) -> Option<TaskId> {
        let parent = self.current;
        let nth = self.tasks[parent.index()].spawned;
        let child = match self.tasks[parent.index()].children.get(nth) {
            Some(&c) => c,
            None if self.tasks.len() == MAX_TASKS => {
                self.fatal = Some(format!(
                    "task {:?} of {} would be task number {}: at most {MAX_TASKS} are possible in one model",
                    name,
                    self.tasks[parent.index()].name,
                    MAX_TASKS + 1
                ));
                return None;
            }
            None => {
                let c = self.new_task();
                self.tasks[parent.index()].children.push(c);
                c
            }
        };
        self.tasks[parent.index()].spawned += 1;
        self.birth(child, name);
        self.spawned |= child.bit();
        if self.live {
            self.races.spawned(parent, child);
        }
        self.histories.spawned(parent, child);
        self.log.push(SyncEvent::Spawned(parent, child));
        Some(child)
    }

    /// Creates an object owned by the current execution.
    pub(crate) fn create(
        &mut self,
        class: &'static ObjectClass,
        name: Cow<'static, str>,
        state: State,
    ) -> Object {
        let task = &mut self.tasks[self.current.index()];
        let index = match task.objects.get(task.created) {
            Some(&i) => i,
            None => {
                let i = self.slots.len() as u32;
                let (creator, nth) = (self.current, task.created as u32);
                let visible = self.preset.contains(&(creator, nth));
                self.slots.push(Slot {
                    state,
                    class: &UNUSED,
                    name: Cow::Borrowed(""),
                    visible,
                    creator,
                    nth,
                });
                task.objects.push(i);
                i
            }
        };
        task.created += 1;
        let slot = &mut self.slots[index as usize];
        slot.state = state;
        slot.class = class;
        slot.name = name;
        self.alive.push(index);
        if self.live {
            self.races.object_begins(index as usize);
        }
        Object(index)
    }
}
