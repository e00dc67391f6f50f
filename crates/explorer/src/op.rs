// SPDX-License-Identifier: MIT OR Apache-2.0
//! Operations: what a task is about to do, seen before it happens.
//!
//! A task suspends *with its pending operation*. Everything the search needs is a property of that operation:
//!
//! * **enabledness** — may it happen in this state? ([`ObjectClass::enabled`])
//! * **dependence** — does its order against another operation matter? ([`OpInfo::conflicts`])
//! * **co-enabledness** — could the two ever be chosen in the same state? ([`OpInfo::irreversible`])
//!
//! A primitive is an [`ObjectClass`] (a table) and a few functions that call [`crate::step`] and then change the
//! object's [`State`]. Nothing here is reserved to this crate: a user writes a new primitive in the same way.

/// A task of the program under test: 0 is the model's body, children follow in the order of creation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TaskId(pub u8);

impl TaskId {
    /// The task that runs the model's body.
    pub const ROOT: TaskId = TaskId(0);

    /// The task's place in tables.
    #[inline]
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The task's bit in a [`TaskSet`].
    #[inline]
    pub(crate) fn bit(self) -> TaskSet {
        1 << self.0
    }

    /// The letter of the task in a replay string: `@` for the root, then `a`–`z`, `A`–`Z`.
    pub fn letter(self) -> char {
        match self.0 {
            0 => '@',
            n @ 1..=26 => (b'a' + n - 1) as char,
            n => (b'A' + n - 27) as char,
        }
    }

    /// The inverse of [`letter`](Self::letter).
    pub fn from_letter(c: char) -> Option<TaskId> {
        match c {
            '@' => Some(TaskId(0)),
            'a'..='z' => Some(TaskId(c as u8 - b'a' + 1)),
            'A'..='Z' => Some(TaskId(c as u8 - b'A' + 27)),
            _ => None,
        }
    }
}

/// A set of tasks, one bit each.
pub type TaskSet = u64;

/// The most tasks that one execution may create, the root included (one letter each in a replay string).
pub const MAX_TASKS: usize = 53;

/// Iterates over the members of a set, least first.
pub(crate) fn members(mut set: TaskSet) -> impl Iterator<Item = TaskId> {
    std::iter::from_fn(move || {
        if set == 0 {
            return None;
        }
        let t = TaskId(set.trailing_zeros() as u8);
        set &= set - 1;
        Some(t)
    })
}

/// A handle on an object of the current execution.
///
/// Handles are stable: the nth object that a task creates has the same handle in every execution of one
/// exploration, whatever the interleaving.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Object(pub(crate) u32);

impl Object {
    /// The handle as a number, stable within one exploration.
    #[inline]
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The handle of that number, for a primitive that keeps handles in its objects' states.
    #[inline]
    pub fn from_index(index: usize) -> Object {
        Object(index as u32)
    }
}

/// The state of an object that the engine can see: four words whose meaning the class defines.
pub type State = [u64; 4];

/// One kind of operation of a class.
#[derive(Debug)]
pub struct OpInfo {
    /// The word used in traces, e.g. `lock`.
    pub name: &'static str,
    /// Bit k: dependent on kind k of the same class, on the same object. Must be symmetric.
    pub conflicts: u16,
    /// Bit k, a subset of `conflicts`: dependent, but never both enabled in one state, so that the pair orders
    /// events and is no race to reverse. Must be symmetric.
    pub irreversible: u16,
    /// Bit k: while another task is pending with kind k on the object, this operation does not happen. For the words of
    /// deadlock reports only; holders of the object need not be told.
    pub behind: u16,
    /// Whether [`ObjectClass::enabled`] is to be asked; `false` means always enabled.
    pub blocking: bool,
}

impl OpInfo {
    /// A kind that may always happen, depends on nothing and waits behind nobody.
    pub const fn new(name: &'static str) -> OpInfo {
        OpInfo { name, conflicts: 0, irreversible: 0, behind: 0, blocking: false }
    }

    /// Dependent on these kinds, a set of bits as [`kinds`] makes it.
    pub const fn conflicts(self, set: u16) -> OpInfo {
        OpInfo { conflicts: set, ..self }
    }

    /// Never enabled together with these kinds.
    pub const fn irreversible(self, set: u16) -> OpInfo {
        OpInfo { irreversible: set, ..self }
    }

    /// Waits while somebody is pending with one of these kinds.
    pub const fn behind(self, set: u16) -> OpInfo {
        OpInfo { behind: set, ..self }
    }

    /// May have to wait: [`ObjectClass::enabled`] decides.
    pub const fn blocking(self) -> OpInfo {
        OpInfo { blocking: true, ..self }
    }
}

/// The set of these kinds, for [`OpInfo::conflicts`] and [`OpInfo::irreversible`].
pub const fn kinds<const N: usize>(list: [u8; N]) -> u16 {
    let mut set = 0;
    let mut i = 0;
    while i < N {
        set |= 1 << list[i];
        i += 1;
    }
    set
}

/// A class of objects: its operations, and when each may happen.
#[derive(Debug)]
pub struct ObjectClass {
    /// The word used in traces, e.g. `mutex`.
    pub name: &'static str,
    /// The kinds of operation, at most 16; their index is [`Op::kind`].
    pub ops: &'static [OpInfo],
    /// May `op` of `task` happen in this state? Asked only for blocking kinds.
    pub enabled: fn(&State, TaskId, Op) -> bool,
}

impl ObjectClass {
    /// Builds the operation of `kind` on `object`.
    #[inline]
    pub fn op(&'static self, object: Object, kind: u8, arg: u32) -> Op {
        let info = &self.ops[kind as usize];
        Op {
            object,
            group: object,
            arg,
            conflicts: info.conflicts,
            irreversible: info.irreversible,
            kind,
            blocking: info.blocking,
        }
    }

    /// Checks what the search relies on: at most 16 kinds, `conflicts` and `irreversible` symmetric, the latter
    /// a subset of the former.
    ///
    /// # Errors
    /// The first rule that does not hold, in words.
    pub fn validate(&self) -> Result<(), String> {
        let n = self.ops.len();
        if n > 16 {
            return Err(format!("class {}: {n} kinds of operation, at most 16 are possible", self.name));
        }
        for (i, a) in self.ops.iter().enumerate() {
            if a.irreversible & !a.conflicts != 0 {
                return Err(format!(
                    "class {}: {} is irreversible with a kind it does not conflict with",
                    self.name, a.name
                ));
            }
            if u32::from(a.conflicts) >> n != 0 {
                return Err(format!(
                    "class {}: {} conflicts with a kind that does not exist",
                    self.name, a.name
                ));
            }
            for (j, b) in self.ops.iter().enumerate() {
                if (a.conflicts >> j) & 1 != (b.conflicts >> i) & 1
                    || (a.irreversible >> j) & 1 != (b.irreversible >> i) & 1
                {
                    return Err(format!(
                        "class {}: {} and {} do not agree on their dependence",
                        self.name, a.name, b.name
                    ));
                }
            }
        }
        Ok(())
    }
}

/// A pending operation: a kind of operation on an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Op {
    /// The object it works on.
    pub object: Object,
    /// Operations on different objects of one group are dependent as if they were on one object.
    pub(crate) group: Object,
    /// A word for the primitive's own use; takes no part in dependence.
    pub arg: u32,
    pub(crate) conflicts: u16,
    pub(crate) irreversible: u16,
    /// Index into [`ObjectClass::ops`].
    pub kind: u8,
    pub(crate) blocking: bool,
}

impl Op {
    /// The operation of a task that has none.
    pub(crate) const NONE: Op = Op {
        object: Object(u32::MAX),
        group: Object(u32::MAX),
        arg: 0,
        conflicts: 0,
        irreversible: 0,
        kind: 0,
        blocking: false,
    };

    /// The same operation as a member of the group of `leader`: dependent, by the tables of their class, on
    /// operations on every object of the group. For objects whose operations may change whether those on another
    /// are enabled. All must be of one class, and nothing may be done to `leader` outside of the group.
    #[inline]
    pub fn in_group(self, leader: Object) -> Op {
        Op { group: leader, ..self }
    }

    /// Does the order of `self` and `other` matter?
    #[inline]
    pub fn dependent(self, other: Op) -> bool {
        self.group == other.group && (self.conflicts >> other.kind) & 1 != 0
    }

    /// Dependent, and possibly both enabled in one state: a race that the search must reverse.
    #[inline]
    pub(crate) fn reversible(self, kind: u8) -> bool {
        (self.irreversible >> kind) & 1 == 0
    }
}
