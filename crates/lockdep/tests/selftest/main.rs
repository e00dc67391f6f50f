// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kernel's own table of locking patterns and verdicts, over the validator.
//!
//! `lib/locking-selftest.c` (linux v7.3.4) says for each pattern and lock type whether lockdep must object. Each cell
//! here is such a pattern, written anew from its meaning, with the verdict of the table, and a *twin*: the pattern
//! changed as little as possible so that the opposite verdict is due. What the table has and this one has not is
//! listed in [`omitted`] with its reason; the counts of both together are the count of the kernel's table.

mod mixed;
mod omitted;
mod plain;
mod rig;
mod wait;
mod ww;

use lockdep::{Config, Report};
use rig::{Rig, Verdict};

type Body = Box<dyn Fn(&mut Rig)>;

/// One test of the table.
struct Cell {
    column: &'static str,
    expect: Verdict,
    body: Body,
    /// The same with one change, of the opposite verdict.
    twin: Body,
}

/// One line of the table.
struct Row {
    section: &'static str,
    name: String,
    cells: Vec<Cell>,
}

/// A cell from its four parts.
fn cell(
    column: &'static str,
    expect: Verdict,
    body: impl Fn(&mut Rig) + 'static,
    twin: impl Fn(&mut Rig) + 'static,
) -> Cell {
    Cell { column, expect, body: Box::new(body), twin: Box::new(twin) }
}

fn table() -> Vec<Row> {
    [plain::rows(), mixed::rows(), ww::rows(), wait::rows()].into_iter().flatten().collect()
}

/// Prints the matrix as the kernel prints its own, and returns how many cells gave the wrong verdict.
fn run(rows: &[Row], config: Config, body: impl Fn(&Cell) -> (&Body, Verdict)) -> usize {
    let mut failures = 0;
    let mut section = "";
    for row in rows {
        if row.section != section {
            section = row.section;
            println!("  {}\n  | {section} |", "-".repeat(74));
        }
        print!("{:>33}:", row.name);
        for cell in &row.cells {
            let (body, expect) = body(cell);
            let mut rig = Rig::new(config);
            body(&mut rig);
            let ok = rig.verdict() == expect;
            failures += usize::from(!ok);
            print!("{:>7}{}|", cell.column, if ok { "  ok  " } else { " FAILED " });
        }
        println!();
    }
    failures
}

const CELLS: usize = 157;

#[test]
fn every_cell_has_the_verdict_of_the_kernel() {
    let rows = table();
    let cells: usize = rows.iter().map(|row| row.cells.len()).sum();
    assert_eq!(cells, CELLS);
    assert_eq!(run(&rows, Config::default(), |cell| (&cell.body, cell.expect)), 0);
    println!("Good, all {cells} testcases passed!");
}

/// What the first report of each cell is, so that a verdict is not right for the wrong reason.
#[test]
fn a_failure_is_reported_for_what_it_is() {
    let kind = |cell: &Cell| {
        let mut rig = Rig::new(Config::default());
        (cell.body)(&mut rig);
        match rig.ld.reports().first() {
            None => "-".to_string(),
            Some(Report::WwMisuse { rule, .. }) => format!("{rule:?}"),
            Some(report) => format!("{report:?}").split(' ').next().unwrap_or_default().to_string(),
        }
    };
    let line = |row: &Row| {
        let kinds: Vec<String> = row.cells.iter().map(kind).collect();
        let kinds: Vec<String> = kinds.chunks(6).map(|some| some.join(" ")).collect();
        format!("{}: {}", row.name, kinds.join("\n  "))
    };
    let lines: Vec<String> = table().iter().map(line).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    A-A deadlock: Recursive Recursive - Recursive Recursive Recursive
    A-B-B-A deadlock: Circular Circular - Circular Circular Circular
    A-B-B-C-C-A deadlock: Circular Circular - Circular Circular Circular
    A-B-C-A-B-C deadlock: Circular Circular - Circular Circular Circular
    A-B-B-C-C-D-D-A deadlock: Circular Circular - Circular Circular Circular
    A-B-C-D-B-D-D-A deadlock: Circular Circular - Circular Circular Circular
    A-B-C-D-B-C-D-A deadlock: Circular Circular - Circular Circular Circular
    double unlock: BadUnlock BadUnlock BadUnlock BadUnlock BadUnlock BadUnlock
    initialize held: HeldLockFreed HeldLockFreed HeldLockFreed HeldLockFreed HeldLockFreed HeldLockFreed
    recursive read-lock: - Recursive
    recursive read-lock #2: - Recursive
    mixed read-write-lock: Recursive Recursive
    mixed write-read-lock: Recursive Recursive
    mixed read-lock/lock-write ABBA: Circular Circular
    mixed read-lock/lock-read ABBA: - Circular
    mixed write-lock/lock-write ABBA: Circular Circular
    chain cached mixed R-L/L-W ABBA: Circular
    rlock W1R2/W2R3/W3R1/123: Circular
    rlock W1R2/W2R3/W3R1/132: Circular
    rlock W1R2/W2R3/W3R1/213: Circular
    rlock W1R2/W2R3/W3R1/231: Circular
    rlock W1R2/W2R3/W3R1/312: Circular
    rlock W1R2/W2R3/W3R1/321: Circular
    rlock W1W2/R2R3/W3R1/123: Circular
    rlock W1W2/R2R3/W3R1/132: Circular
    rlock W1W2/R2R3/W3R1/213: Circular
    rlock W1W2/R2R3/W3R1/231: Circular
    rlock W1W2/R2R3/W3R1/312: Circular
    rlock W1W2/R2R3/W3R1/321: Circular
    rlock W1W2/R2R3/R3W1/123: -
    rlock W1W2/R2R3/R3W1/132: -
    rlock W1W2/R2R3/R3W1/213: -
    rlock W1W2/R2R3/R3W1/231: -
    rlock W1W2/R2R3/R3W1/312: -
    rlock W1W2/R2R3/R3W1/321: -
    rlock W1R2/R2R3/W3W1/123: -
    rlock W1R2/R2R3/W3W1/132: -
    rlock W1R2/R2R3/W3W1/213: -
    rlock W1R2/R2R3/W3W1/231: -
    rlock W1R2/R2R3/W3W1/312: -
    rlock W1R2/R2R3/W3W1/321: -
    ww api failures: - - SlowWithoutContention
    ww contexts mixing: Recursive OneClass
    finishing ww context: AcquireIsDone BadUnlock NestLockNotHeld AcquireIsDone
    locking mismatches: BadUnlock UnlockUnbalanced ContextIsStale
    EDEADLK handling: - - BackOffFirst BackOffFirst ContendedFirst ContendedFirst
      ContendedTwice ContendedTwice ContendedFirst ContendedFirst
    spinlock nest unlocked: NestLockNotHeld
    spinlock nest test: -
    context: Recursive - -
    try: Recursive - Recursive
    block: Recursive - Recursive
    spinlock: InvalidWaitContext - InvalidWaitContext
    correct nesting: -
    wrong nesting: Recursive
    protected nesting: -
    in RCU context: - - - InvalidWaitContext
    in RCU-bh context: - - - InvalidWaitContext
    in RCU-sched context: - - InvalidWaitContext InvalidWaitContext
    in RAW_SPINLOCK context: - - InvalidWaitContext InvalidWaitContext
    in SPINLOCK context: - - - InvalidWaitContext
    in MUTEX context: - - - -
    compare name before and after: -
    ");
}

#[test]
fn every_twin_has_the_opposite_verdict() {
    assert_eq!(run(&table(), Config::default(), |cell| (&cell.twin, cell.expect.opposite())), 0);
}

#[test]
fn options_that_find_more_do_not_change_the_table() {
    let config = Config { past_recursive_readers: true, cross_release: true };
    assert_eq!(run(&table(), config, |cell| (&cell.body, cell.expect)), 0);
}

#[test]
fn expected_verdicts_are_as_many_as_in_the_kernel() {
    let rows = table();
    let count = |verdict| rows.iter().flat_map(|r| &r.cells).filter(|c| c.expect == verdict).count();
    assert_eq!((count(Verdict::Success), count(Verdict::Failure)), (52, 105));
}

#[test]
fn what_is_here_and_what_is_omitted_is_the_whole_table() {
    for row in omitted::OMITTED {
        println!("{:>33}: {:3}  {}", row.name, row.count, row.reason);
        assert!(row.reason.len() > 20 && row.count > 0, "{} needs a reason", row.name);
    }
    let omitted: usize = omitted::OMITTED.iter().map(|row| row.count).sum();
    assert_eq!((CELLS, omitted, CELLS + omitted), (157, 238, 395));
}
