// SPDX-License-Identifier: MIT OR Apache-2.0
//! Runs one model of the benches once: the program that instruction counters and profilers look at.
//!
//! ```text
//! cargo build --release -p explorer --example instructions
//! valgrind --tool=callgrind target/release/examples/instructions s1 4
//! ```

#[path = "../benches/models/mod.rs"]
mod models;

use explorer::strategy::dfs::Dfs;
use explorer::{Config, Outcome, explore, explore_with};

#[expect(clippy::disallowed_methods, reason = "a program reads its arguments")]
fn main() {
    let mut args = std::env::args().skip(1);
    let model = args.next().unwrap_or_else(|| "s1".into());
    let n = args.next().map_or(4, |n| n.parse().expect("the model's size, a number"));
    let naive = args.next().is_some_and(|a| a == "naive");
    let out = match model.as_str() {
        "s1" => run(naive, models::s1(n)),
        "s2" => run(naive, models::s2(n)),
        "s3" => run(naive, models::s3(n)),
        _ => panic!("a model: s1, s2 or s3"),
    };
    println!("{model} {n}: {} executions, {} steps", out.stats.executions, out.stats.steps);
}

fn run(naive: bool, model: impl Fn() + 'static) -> Outcome {
    let config = Config::new("instructions");
    let out =
        if naive { explore_with(&config, &mut Dfs::new(), model, |_| true) } else { explore(&config, model) };
    out.expect("the model is well-formed")
}
