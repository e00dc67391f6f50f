// SPDX-License-Identifier: MIT OR Apache-2.0
//! Two mutexes in two orders: the AB-BA deadlock, its replay string, and the trace that the string leads to.
//!
//! ```text
//! cargo run -p explorer --example ab_ba
//! ```

use explorer::sync::Mutex;
use explorer::{Config, EventKind, JoinHandle, Schedule, explore, replay, spawn};

fn model() {
    let (a, b) = (Mutex::new("a"), Mutex::new("b"));
    let task = |first: Mutex, second: Mutex| {
        move || {
            first.lock();
            second.lock();
            second.unlock();
            first.unlock();
        }
    };
    [spawn("ab", task(a, b)), spawn("ba", task(b, a))].into_iter().for_each(JoinHandle::join);
}

fn main() {
    let config = Config::new("ab_ba");
    let outcome = explore(&config, model).expect("the model is deterministic");
    println!("{} executions, exhausted: {}", outcome.stats.executions, outcome.exhausted);
    for f in &outcome.findings {
        println!("{}: {}\n  replay {}", f.kind, f.message, f.schedule);
        // What a user would paste.
        let schedule = Schedule::parse(&f.schedule.to_string()).expect("as it was written");
        let again = replay(&config, &schedule, false, model).expect("the schedule fits the model");
        for event in again.trace.events {
            let task = &again.trace.tasks[event.task.index()];
            match event.kind {
                EventKind::Step { operation, object, .. } => println!("    {task}: {operation} {object}"),
                EventKind::Finding(words) => println!("    here: {words}"),
                _ => {}
            }
        }
    }
}
