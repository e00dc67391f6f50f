// SPDX-License-Identifier: MIT OR Apache-2.0
//! One explorer a thread, and the board from which they take units.
//!
//! The board's lock is held to take a unit, to give a result and, by whoever gives the last one of a generation, to
//! merge them all; never while a unit runs.

use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Condvar, Mutex};

use super::exploration::{Exploration, decisions};
use super::unit::{Unit, UnitResult, run_unit_until};
use crate::explore::{Config, ExploreError};

/// A generation in progress.
struct Board<'a> {
    exploration: &'a mut Exploration,
    units: Vec<Unit>,
    results: Vec<Option<UnitResult>>,
    /// Units from here on have not been taken.
    next: usize,
    /// Nothing is given out any more.
    over: bool,
    error: Option<ExploreError>,
}

impl Board<'_> {
    /// Puts up the next generation; results that a checkpoint brought are in it already.
    fn put_up(&mut self, config: &Config) {
        self.over = self.exploration.is_finished() || self.exploration.past_limit(config);
        if self.over {
            return;
        }
        self.units = self.exploration.generation();
        self.results = vec![None; self.units.len()];
        self.next = 0;
        for result in std::mem::take(&mut self.exploration.waiting) {
            let at = self.units.iter().position(|u| decisions(&u.prefix) == decisions(&result.prefix));
            if let Some(i) = at {
                self.results[i] = Some(result);
            }
        }
        self.skip();
    }

    /// Passes over units whose result is there.
    fn skip(&mut self) {
        while self.results.get(self.next).is_some_and(Option::is_some) {
            self.next += 1;
        }
    }

    fn take(&mut self) -> Option<usize> {
        let i = self.next;
        if i >= self.units.len() {
            return None;
        }
        self.next += 1;
        self.skip();
        Some(i)
    }

    /// Merges the generation if it is complete, and puts up the next; `true` if there is news for those who wait.
    fn advance(&mut self, config: &Config) -> bool {
        if self.over || self.results.iter().any(Option::is_none) {
            return self.over;
        }
        let results = std::mem::take(&mut self.results);
        self.exploration.merge_ordered(results.into_iter().flatten());
        self.put_up(config);
        true
    }
}

/// See [`Exploration::run`].
#[expect(clippy::disallowed_methods, reason = "one explorer a core: the workers are no modelled tasks")]
pub(crate) fn run<M: Fn() + Send + Sync + Clone + 'static>(
    exploration: &mut Exploration,
    config: &Config,
    workers: NonZeroUsize,
    stop: &AtomicBool,
    model: &M,
) -> Result<(), ExploreError> {
    let board =
        Board { exploration, units: Vec::new(), results: Vec::new(), next: 0, over: false, error: None };
    let board = Mutex::new(board);
    let news = Condvar::new();
    {
        let mut b = board.lock();
        b.put_up(config);
        // A checkpoint may hold all results of its generation.
        while !b.over && b.results.iter().all(Option::is_some) {
            b.advance(config);
        }
    }
    std::thread::scope(|scope| {
        for _ in 0..workers.get() {
            scope.spawn(|| work(&board, &news, config, stop, model.clone()));
        }
    });
    let board = board.into_inner();
    board.exploration.waiting = board.results.into_iter().flatten().collect();
    board.error.map_or(Ok(()), Err)
}

fn work<M: Fn() + 'static>(
    board: &Mutex<Board<'_>>,
    news: &Condvar,
    config: &Config,
    stop: &AtomicBool,
    model: M,
) {
    let model: Rc<dyn Fn()> = Rc::new(model);
    let stopped = || stop.load(Ordering::Relaxed);
    let mut b = board.lock();
    while !b.over {
        if stopped() {
            b.over = true;
            break;
        }
        let Some(i) = b.take() else {
            news.wait(&mut b);
            continue;
        };
        let unit = b.units[i].clone();
        drop(b);
        let result = run_unit_until(config, &unit, &model, &stopped);
        b = board.lock();
        match result {
            Ok(Some(result)) => b.results[i] = Some(result),
            Ok(None) => b.over = true,
            Err(e) => {
                b.over = true;
                b.error.get_or_insert(e);
            }
        }
        if b.advance(config) {
            news.notify_all();
        }
    }
    news.notify_all();
}
