// SPDX-License-Identifier: MIT OR Apache-2.0
//! A reader that takes a reader-writer semaphore twice is stuck behind a writer that came in between.
//!
//! ```text
//! cargo run -p explorer --example reader_behind_writer
//! ```

use explorer::sync::RwSem;
use explorer::{Config, JoinHandle, explore, spawn};

fn model() {
    let s = RwSem::new("s");
    let reader = move || {
        s.down_read();
        s.down_read();
        s.up_read();
        s.up_read();
    };
    let writer = move || {
        s.down_write();
        s.up_write();
    };
    [spawn("reader", reader), spawn("writer", writer)].into_iter().for_each(JoinHandle::join);
}

fn main() {
    let outcome = explore(&Config::new("reader_behind_writer"), model).expect("the model is deterministic");
    println!("{} executions, exhausted: {}", outcome.stats.executions, outcome.exhausted);
    for f in outcome.findings {
        println!("{}: {}\n  replay {}", f.kind, f.message, f.schedule);
    }
}
