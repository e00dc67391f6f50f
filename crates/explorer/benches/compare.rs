// SPDX-License-Identifier: MIT OR Apache-2.0
//! Side by side with loom and shuttle, in one run: executions a second on the same models, and how far each comes.
//!
//! Rates are the best of several rounds that take turns, so that a busy machine slows all down alike, and count the
//! thread's time on a processor where the system tells it. Executions are counted inside the model.

#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "a benchmark measures time")]

#[path = "models/mod.rs"]
mod models;
#[path = "models/others.rs"]
mod others;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use explorer::strategy::dfs::Dfs;
use explorer::{Config, Outcome, explore, explore_with};

/// Executions after which the others are stopped.
const CAP: u64 = 20_000;
const ROUNDS: usize = 5;

/// Executions, steps if they are counted, seconds, and whether everything was explored.
struct Run {
    executions: u64,
    steps: u64,
    seconds: f64,
    exhausted: bool,
}

impl Run {
    fn rate(&self) -> f64 {
        self.executions as f64 / self.seconds
    }
}

fn best(a: Run, b: Run) -> Run {
    if a.rate() > b.rate() { a } else { b }
}

/// Time on a processor since then.
struct Timer(Instant, Option<f64>);

impl Timer {
    fn start() -> Timer {
        Timer(Instant::now(), Timer::on_processor())
    }

    fn on_processor() -> Option<f64> {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        Some(text.split_whitespace().next()?.parse::<f64>().ok()? / 1e9)
    }

    fn seconds(&self) -> f64 {
        let wall = self.0.elapsed().as_secs_f64();
        match (self.1, Timer::on_processor()) {
            // What takes less than a tick is not accounted for yet.
            (Some(then), Some(now)) if wall > 0.02 && now > then => now - then,
            _ => wall,
        }
    }
}

fn timed(f: impl FnOnce() -> Outcome) -> Run {
    let start = Timer::start();
    let out = f();
    let seconds = start.seconds();
    Run {
        executions: out.stats.executions + out.stats.sleep_blocked,
        steps: out.stats.steps,
        seconds,
        exhausted: out.exhausted,
    }
}

/// Explores small models again and again, so that there is something to measure.
fn dpor<M: Fn() + 'static>(model: impl Fn() -> M) -> Run {
    let config = Config { max_executions: 2_000_000, ..Config::new("bench") };
    let start = Timer::start();
    let mut run = Run { executions: 0, steps: 0, seconds: 0.0, exhausted: true };
    while run.seconds < 0.1 {
        let out = explore(&config, model()).expect("well-formed");
        run.executions += out.stats.executions + out.stats.sleep_blocked;
        run.steps += out.stats.steps;
        run.exhausted = out.exhausted;
        run.seconds = start.seconds();
    }
    run
}

fn naive<M: Fn() + 'static>(model: impl Fn() -> M) -> Run {
    let config = Config { max_executions: 100_000, ..Config::new("bench") };
    let start = Timer::start();
    let mut run = Run { executions: 0, steps: 0, seconds: 0.0, exhausted: true };
    while run.seconds < 0.1 {
        let out = explore_with(&config, &mut Dfs::new(), model(), |_| true).expect("well-formed");
        run.executions += out.stats.executions;
        run.steps += out.stats.steps;
        run.exhausted = out.exhausted;
        run.seconds = start.seconds();
    }
    run
}

fn shuttle_dfs(model: fn(usize), n: usize) -> Run {
    let count = std::sync::Arc::new(AtomicU64::new(0));
    let (counter, start) = (std::sync::Arc::clone(&count), Timer::start());
    let model = move || {
        counter.fetch_add(1, Relaxed);
        model(n);
    };
    shuttle::check_dfs(model, Some(CAP as usize));
    let executions = count.load(Relaxed);
    Run { executions, steps: 0, seconds: start.seconds(), exhausted: executions < CAP }
}

/// loom has no cap on executions that ends quietly: the model ends it by a panic.
fn loom_model(model: fn(usize), n: usize, cap: u64) -> Run {
    let count = std::sync::Arc::new(AtomicU64::new(0));
    let (counter, start) = (std::sync::Arc::clone(&count), Timer::start());
    let body = move || {
        if counter.fetch_add(1, Relaxed) == cap {
            std::panic::resume_unwind(Box::new("cap"));
        }
        model(n);
    };
    let done = catch_unwind(AssertUnwindSafe(|| loom::model::Builder::new().check(body)));
    let seconds = start.seconds();
    Run { executions: count.load(Relaxed).min(cap), steps: 0, seconds, exhausted: done.is_ok() }
}

/// A line of the table.
fn line(model: &str, who: &str, run: &Run, reference: f64) {
    let all = if run.exhausted { "all" } else { "cap" };
    let ratio = reference / run.rate();
    let step =
        if run.steps == 0 { String::new() } else { format!("{:.1}", run.seconds * 1e9 / run.steps as f64) };
    println!("| {model} | {who} | {} ({all}) | {:.0} | {step} | {ratio:.2} |", run.executions, run.rate());
}

type Model = Rc<dyn Fn()>;

fn compare(name: &str, ours: impl Fn() -> Model, shuttle: fn(usize), loom: fn(usize), n: usize) {
    let ours = || {
        let model = ours();
        move || model()
    };
    let round = || (dpor(ours), naive(ours), shuttle_dfs(shuttle, n), loom_model(loom, n, CAP / 4));
    let mut runs = round();
    for _ in 1..ROUNDS {
        let (a, b, c, d) = round();
        runs = (best(runs.0, a), best(runs.1, b), best(runs.2, c), best(runs.3, d));
    }
    let reference = runs.0.rate();
    line(name, "explorer, DPOR", &runs.0, reference);
    line(name, "explorer, naive DFS", &runs.1, reference);
    line(name, "shuttle, DFS", &runs.2, reference);
    line(name, "loom", &runs.3, reference);
}

fn main() {
    // The panics that end loom are expected.
    std::panic::set_hook(Box::new(|_| {}));
    println!("| model | explorer | executions | per second | ns a step | DPOR is faster by |");
    println!("|---|---|---|---|---|---|");
    compare("S1 k=2", || Rc::new(models::s1(2)), others::shuttle::s1, others::loom::s1, 2);
    compare("S1 k=4", || Rc::new(models::s1(4)), others::shuttle::s1, others::loom::s1, 4);
    compare("S2", || Rc::new(models::s2(0)), others::shuttle::s2, others::loom::s2, 0);
    println!();
    println!("Time to exhaust:");
    for n in [1, 2, 4] {
        let run = timed(|| explore(&Config::new("bench"), models::s2(n)).expect("well-formed"));
        println!("S2+{n}: DPOR {} executions, {:.3} ms, exhausted", run.executions, run.seconds * 1e3);
    }
    let run = naive(|| models::s2(1));
    println!(
        "S2+1: naive DFS {} executions, {:.1} ms, exhausted: {}",
        run.executions,
        run.seconds * 1e3,
        run.exhausted
    );
    let run = shuttle_dfs(others::shuttle::s2, 1);
    println!(
        "S2+1: shuttle {} executions, {:.1} s, exhausted: {}",
        run.executions, run.seconds, run.exhausted
    );
    let run = loom_model(others::loom::s2, 1, CAP);
    println!("S2+1: loom {} executions, {:.1} s, exhausted: {}", run.executions, run.seconds, run.exhausted);
    for n in [2, 4, 8, 16, 32] {
        let run = timed(|| explore(&Config::new("bench"), models::s3(n)).expect("well-formed"));
        println!("S3 n={n}: DPOR {} executions, {:.3} ms", run.executions, run.seconds * 1e3);
    }
    println!();
    println!("Cost of one execution against its length (two tasks, one mutex, sampled at the cap):");
    for n in [10, 100, 1_000, 10_000] {
        let executions = 2_000_000 / n as u64;
        let config = Config { max_executions: executions, max_steps: 1 << 20, ..Config::new("bench") };
        let run =
            timed(|| explore_with(&config, &mut Dfs::new(), models::long(n), |_| true).expect("well-formed"));
        println!("{:>6} steps: {:.1} ns a step", 2 * n, run.seconds * 1e9 / run.steps as f64);
    }
    println!();
    println!("Resident memory after S1 k=6, in KiB:");
    for executions in [100_000, 1_000_000, 10_000_000] {
        let config = Config { max_executions: executions, ..Config::new("bench") };
        let run = timed(|| explore(&config, models::s1(6)).expect("well-formed"));
        println!(
            "{executions:>9} executions: {} ({:.1} ns a step)",
            resident(),
            run.seconds * 1e9 / run.steps as f64
        );
    }
}

/// Resident memory of this process, in KiB, where the system tells it.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmRSS:"));
    line.and_then(|l| l.split_whitespace().nth(1)).unwrap_or("unknown").to_string()
}
