// SPDX-License-Identifier: MIT OR Apache-2.0
//! What happened in one execution, event by event. Recorded only when asked for, by a replay.

use std::panic::Location;

use crate::engine::{Mode, Slot};
use crate::op::{Object, TaskId};

/// What an event of a trace is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EventKind {
    /// A step: the operation that was chosen.
    Step {
        /// The step's number, counted from 1; 0 before the first decision.
        step: u64,
        /// The operation's word, e.g. `down_read`.
        operation: &'static str,
        /// The object's name.
        object: String,
    },
    /// An operation that is no scheduling point, e.g. a silent release.
    Silent {
        /// The operation's word.
        operation: &'static str,
        /// The object's name.
        object: String,
    },
    /// Words of the program under test, see [`crate::note`].
    Note(String),
    /// A finding was reported here.
    Finding(String),
}

/// One event of a trace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TraceEvent {
    /// The task, by its order of creation: 0 is the root.
    pub task: TaskId,
    /// What happened.
    pub kind: EventKind,
    /// Where, for steps.
    pub at: Option<&'static Location<'static>>,
    /// What the task holds after the event, in the order of acquisition: object and how.
    pub held: Vec<(String, Mode)>,
}

/// The record of one execution.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Trace {
    /// Names of the tasks, in the order of their creation; the root comes first.
    pub tasks: Vec<String>,
    /// The events, in order.
    pub events: Vec<TraceEvent>,
}

/// Collects the events of the execution that runs.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    pub(crate) events: Vec<TraceEvent>,
}

impl Recorder {
    pub(crate) fn push(
        &mut self,
        task: TaskId,
        kind: EventKind,
        at: Option<&'static Location<'static>>,
        held: Held<'_>,
    ) {
        self.events.push(TraceEvent { task, kind, at, held: held.names() });
    }

    /// The locks of `t` changed: its latest event shows them.
    pub(crate) fn held_changed(&mut self, t: TaskId, held: Held<'_>) {
        if let Some(event) = self.events.iter_mut().rev().find(|e| e.task == t) {
            event.held = held.names();
        }
    }
}

/// What a task holds, and where the names are.
#[derive(Clone, Copy)]
pub(crate) struct Held<'a>(pub(crate) &'a [(Object, Mode)], pub(crate) &'a [Slot]);

impl Held<'_> {
    fn names(self) -> Vec<(String, Mode)> {
        self.0.iter().map(|(o, m)| (self.1[o.index()].name.to_string(), *m)).collect()
    }
}
