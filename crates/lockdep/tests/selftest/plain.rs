// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rows over all six ways to take a lock: recursion, chains that close, double unlock, initialising a held lock.

use crate::rig::{How, Rig, Verdict};
use crate::{Row, cell};

/// A chain of pairs, each taken and released in turn.
type Chain = &'static [(&'static str, &'static str)];

const CHAINS: [(&str, Chain); 6] = [
    ("A-B-B-A deadlock", &[("A", "B"), ("B", "A")]),
    ("A-B-B-C-C-A deadlock", &[("A", "B"), ("B", "C"), ("C", "A")]),
    ("A-B-C-A-B-C deadlock", &[("A", "B"), ("C", "A"), ("B", "C")]),
    ("A-B-B-C-C-D-D-A deadlock", &[("A", "B"), ("B", "C"), ("C", "D"), ("D", "A")]),
    ("A-B-C-D-B-D-D-A deadlock", &[("A", "B"), ("C", "D"), ("B", "D"), ("D", "A")]),
    ("A-B-C-D-B-C-D-A deadlock", &[("A", "B"), ("C", "D"), ("B", "C"), ("D", "A")]),
];

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = vec![recursion()];
    rows.extend(CHAINS.map(|(name, chain)| chain_row(name, chain)));
    rows.push(double_unlock());
    rows.push(init_held());
    rows
}

fn row(name: &str, cells: Vec<crate::Cell>) -> Row {
    Row { section: "Locking API testsuite", name: name.into(), cells }
}

/// Readers that may recurse are the one column in which nothing is wrong.
fn expect(how: How) -> Verdict {
    if how == How::Rlock { Verdict::Success } else { Verdict::Failure }
}

fn recursion() -> Row {
    let cells = How::COLUMNS.map(|(how, column)| {
        let body = move |r: &mut Rig| {
            r.lock(how, "X1");
            r.lock(how, "X2");
        };
        let twin = move |r: &mut Rig| {
            r.lock(how, "X1");
            match how {
                How::Rlock => r.lock(How::Wlock, "X2"), // the second one writes
                _ => r.lock(how, "Y1"),                 // of another class
            }
        };
        cell(column, expect(how), body, twin)
    });
    row("A-A deadlock", cells.into())
}

fn chain_row(name: &str, chain: Chain) -> Row {
    let cells = How::COLUMNS.map(|(how, column)| {
        let body = move |r: &mut Rig| chain.iter().for_each(|(a, b)| r.pair((how, a), (how, b)));
        let twin = move |r: &mut Rig| {
            let (last, first) = chain.split_last().expect("a chain has links");
            match how {
                // What is held is read, what is taken then is written: every dependency is of kind SN.
                How::Rlock => chain.iter().for_each(|(a, b)| r.pair((How::Rlock, a), (How::Wlock, b))),
                // The last pair the other way round.
                _ => {
                    first.iter().for_each(|(a, b)| r.pair((how, a), (how, b)));
                    r.pair((how, last.1), (how, last.0));
                }
            }
        };
        cell(column, expect(how), body, twin)
    });
    row(name, cells.into())
}

fn double_unlock() -> Row {
    let cells = How::COLUMNS.map(|(how, column)| {
        let once = move |r: &mut Rig| {
            r.lock(how, "A");
            r.unlock(how, "A");
        };
        let twice = move |r: &mut Rig| {
            once(r);
            r.unlock(how, "A");
        };
        cell(column, Verdict::Failure, twice, once)
    });
    row("double unlock", cells.into())
}

fn init_held() -> Row {
    let cells = How::COLUMNS.map(|(how, column)| {
        let body = move |r: &mut Rig| {
            r.lock(how, "A");
            r.init(how, "A");
        };
        let twin = move |r: &mut Rig| {
            r.lock(how, "A");
            r.unlock(how, "A");
            r.init(how, "A");
        };
        cell(column, Verdict::Failure, body, twin)
    });
    row("initialize held", cells.into())
}
