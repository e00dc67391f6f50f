// SPDX-License-Identifier: MIT OR Apache-2.0
//! An execution that begins as the last one did repeats the beginning without asking the strategy. That must change
//! nothing: on random programs, a search that is asked for every decision finds the same.

mod program;

use explorer::strategy::dpor::Dpor;
use explorer::strategy::{Divergence, Strategy, View};
use explorer::{Config, TaskId, explore_with};
use program::Program;

/// Hides that a strategy remembers executions.
struct Asked(Dpor);

impl Strategy for Asked {
    fn begin(&mut self) -> bool {
        self.0.begin()
    }
    fn decide(&mut self, view: &View<'_>) -> Result<TaskId, Divergence> {
        self.0.decide(view)
    }
    fn choose(&mut self, task: TaskId, n: u32) -> Result<u32, Divergence> {
        self.0.choose(task, n)
    }
    fn end(&mut self, view: &View<'_>) {
        self.0.end(view);
    }
    fn redundant(&self) -> bool {
        self.0.redundant()
    }
    fn restart(&mut self) {
        self.0.restart();
    }
}

#[test]
fn repeating_changes_nothing() {
    for seed in 0..1_500 {
        let program = Program::random(seed);
        let config = Config { max_executions: 300, report_data_races: true, ..Config::new("repeats") };
        let (a, b) = (program.clone(), program.clone());
        let asked = explore_with(&config, &mut Asked(Dpor::new()), move || a.run(), |_| true).unwrap();
        let repeated = explore_with(&config, &mut Dpor::new(), move || b.run(), |_| true).unwrap();
        assert_eq!(asked.stats, repeated.stats, "seed {seed}\n{program}");
        assert_eq!(asked.findings, repeated.findings, "seed {seed}\n{program}");
    }
}
