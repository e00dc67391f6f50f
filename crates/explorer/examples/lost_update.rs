// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two tasks read, add one and write back: an update can be lost.
//!
//! ```text
//! cargo run -p explorer --example lost_update
//! ```

use explorer::sync::Cell;
use explorer::{Config, JoinHandle, check, explore, spawn};

fn model() {
    let x = Cell::new("x", 0);
    let add = move || x.set(x.get() + 1);
    [spawn("left", add), spawn("right", add)].into_iter().for_each(JoinHandle::join);
    check(x.get() == 2, "both updates count");
}

fn main() {
    // The race makes the plain cell a scheduling point: round two interleaves its accesses.
    let config = Config { report_data_races: true, ..Config::new("lost_update") };
    let outcome = explore(&config, model).expect("the model is deterministic");
    println!("{} executions in round {}", outcome.stats.executions, outcome.stats.rounds);
    for f in outcome.findings {
        println!("{}: {}\n  replay {}", f.kind, f.message, f.schedule);
    }
}
