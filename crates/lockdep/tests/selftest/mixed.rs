// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rows that mix readers with writers, or reader/writer locks with another type.

use crate::rig::How::{self, Mutex, PlainRlock, Rlock, Rsem, Spin, Wlock, Wsem};
use crate::rig::Rig;
use crate::rig::Verdict::{self, Failure, Success};
use crate::{Cell, Row, cell};

const SECTION: &str = "readers and writers mixed";

/// The two families that have readers: how each reads and writes, and the other lock that goes with it.
const RWLOCK: (How, How, How, &str) = (Rlock, Wlock, Spin, "rlock");
const RWSEM: (How, How, How, &str) = (Rsem, Wsem, Mutex, "rsem");

fn row(name: &str, cells: Vec<Cell>) -> Row {
    Row { section: SECTION, name: name.into(), cells }
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = vec![
        row("recursive read-lock", vec![recursive(RWLOCK, "X1"), recursive(RWSEM, "X1")]),
        row("recursive read-lock #2", vec![recursive(RWLOCK, "X2"), recursive(RWSEM, "X2")]),
        row("mixed read-write-lock", vec![both("rlock", Rlock, Wlock), both("rsem", Rsem, Wsem)]),
        row("mixed write-read-lock", vec![both("rlock", Wlock, Rlock), both("rsem", Wsem, Rsem)]),
        row(
            "mixed read-lock/lock-write ABBA",
            vec![abba("rlock", Failure, Rlock, Spin, Wlock), abba("rsem", Failure, Rsem, Mutex, Wsem)],
        ),
        row(
            "mixed read-lock/lock-read ABBA",
            vec![abba("rlock", Success, Rlock, Spin, Rlock), abba("rsem", Failure, Rsem, Mutex, Rsem)],
        ),
        row(
            "mixed write-lock/lock-write ABBA",
            vec![abba("rlock", Failure, Wlock, Spin, Wlock), abba("rsem", Failure, Wsem, Mutex, Wsem)],
        ),
        row("chain cached mixed R-L/L-W ABBA", vec![chain_cached()]),
    ];
    for (name, expect, events, changed) in THREE_EVENTS {
        for order in [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]] {
            let name = format!("{name}/{}{}{}", order[0], order[1], order[2]);
            rows.push(row(&name, vec![permuted(order, expect, events, changed)]));
        }
    }
    rows
}

/// Two read locks, of one lock or of two of a class. Only readers that may recurse are fine.
fn recursive((read, _, _, column): (How, How, How, &'static str), second: &'static str) -> Cell {
    let body = move |r: &mut Rig| {
        r.lock(read, "X1");
        r.lock(read, second);
    };
    let twin = move |r: &mut Rig| match read {
        Rlock => {
            r.lock(PlainRlock, "X1");
            r.lock(PlainRlock, second);
        }
        _ => {
            r.lock(read, "X1");
            r.unlock(read, "X1");
            r.lock(read, second);
        }
    };
    cell(column, if read == Rlock { Success } else { Failure }, body, twin)
}

/// A reader and a writer of one class nested, either way round; the twin takes another class inside.
fn both(column: &'static str, outer: How, inner: How) -> Cell {
    let body = move |r: &mut Rig| {
        r.lock(outer, "X1");
        r.lock(inner, "X2");
    };
    let twin = move |r: &mut Rig| {
        r.lock(outer, "X1");
        r.lock(inner, "Y1");
    };
    cell(column, Failure, body, twin)
}

/// `first` outside `other`, then `second` inside it.
fn abba(column: &'static str, expect: Verdict, first: How, other: How, second: How) -> Cell {
    let body = move |r: &mut Rig| {
        r.pair((first, "X1"), (other, "Y1"));
        r.pair((other, "Y1"), (second, "X1"));
    };
    let twin = move |r: &mut Rig| {
        r.pair((first, "X1"), (other, "Y1"));
        match expect {
            Success => r.pair((other, "Y1"), (PlainRlock, "X1")), // a reader that a waiting writer blocks
            Failure => r.pair((second, "X1"), (other, "Y1")),     // the same order again
        }
    };
    cell(column, expect, body, twin)
}

/// A harmless reader first, so that the chain of classes is known when the writer comes.
fn chain_cached() -> Cell {
    let harmless = |r: &mut Rig| {
        r.pair((Rlock, "X1"), (Spin, "Y1"));
        r.pair((Spin, "Y1"), (Rlock, "X1"));
    };
    let body = move |r: &mut Rig| {
        harmless(r);
        r.pair((Spin, "Y1"), (Wlock, "X1"));
    };
    cell("rlock", Failure, body, harmless)
}

/// One event: a lock and the one taken under it.
type Event = ((How, &'static str), (How, &'static str));

const fn event(outer: How, a: &'static str, inner: How, b: &'static str) -> Event {
    ((outer, a), (inner, b))
}

/// Name, verdict, three events, and which of them the twin changes, into what.
type Pattern = (&'static str, Verdict, [Event; 3], (usize, Event));

const THREE_EVENTS: [Pattern; 4] = [
    (
        "rlock W1R2/W2R3/W3R1",
        Failure,
        [event(Wlock, "X1", Rlock, "Y1"), event(Wlock, "Y1", Rlock, "Z1"), event(Wlock, "Z1", Rlock, "X1")],
        (2, event(Rlock, "Z1", Rlock, "X1")),
    ),
    (
        "rlock W1W2/R2R3/W3R1",
        Failure,
        [event(Wlock, "X1", Wlock, "Y1"), event(Rlock, "Y1", Rlock, "Z1"), event(Wlock, "Z1", Rlock, "X1")],
        (2, event(Rlock, "Z1", Rlock, "X1")),
    ),
    (
        "rlock W1W2/R2R3/R3W1",
        Success,
        [event(Wlock, "X1", Wlock, "Y1"), event(Rlock, "Y1", Rlock, "Z1"), event(Rlock, "Z1", Wlock, "X1")],
        (1, event(Rlock, "Y1", Wlock, "Z1")),
    ),
    (
        "rlock W1R2/R2R3/W3W1",
        Success,
        [event(Wlock, "X1", Rlock, "Y1"), event(Rlock, "Y1", Rlock, "Z1"), event(Wlock, "Z1", Wlock, "X1")],
        (1, event(Wlock, "Y1", Rlock, "Z1")),
    ),
];

fn permuted(order: [usize; 3], expect: Verdict, events: [Event; 3], (at, change): (usize, Event)) -> Cell {
    let play = move |r: &mut Rig, events: &[Event; 3]| {
        order.iter().for_each(|i| r.pair(events[i - 1].0, events[i - 1].1));
    };
    let twin = move |r: &mut Rig| {
        let mut events = events;
        events[at] = change;
        play(r, &events);
    };
    cell("rlock", expect, move |r: &mut Rig| play(r, &events), twin)
}
