// SPDX-License-Identifier: MIT OR Apache-2.0
//! Time for a whole exploration, with criterion's statistics: for comparing two versions of the crate.

#[path = "models/mod.rs"]
mod models;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use explorer::{Config, explore};

fn explorations(c: &mut Criterion) {
    let config = Config::new("bench");
    let mut group = c.benchmark_group("explore");
    group.sample_size(20);
    let steps = explore(&config, models::s1(3)).expect("well-formed").stats.steps;
    group.throughput(Throughput::Elements(steps));
    group.bench_function("s1 k=3", |b| b.iter(|| explore(&config, models::s1(3)).expect("well-formed")));
    let steps = explore(&config, models::s2(3)).expect("well-formed").stats.steps;
    group.throughput(Throughput::Elements(steps));
    group.bench_function("s2+3", |b| b.iter(|| explore(&config, models::s2(3)).expect("well-formed")));
    group.finish();
}

criterion_group!(benches, explorations);
criterion_main!(benches);
