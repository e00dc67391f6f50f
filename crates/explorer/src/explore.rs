// SPDX-License-Identifier: MIT OR Apache-2.0
//! The exploration: executions under a strategy, rounds until nothing new is learnt, findings with schedules.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use crate::engine::{Engine, Limits, Status, install, with};
use crate::finding::Finding;
use crate::minimise::minimise_shared;
use crate::op::{TaskId, TaskSet, members};
use crate::schedule::{Decision, Schedule, model_hash};
use crate::strategy::dpor::Dpor;
use crate::strategy::replay::Replay;
use crate::strategy::{Divergence, Strategy, View, World};
use crate::task::{Lease, Running, attach, install_panic_hook};
use crate::trace::{Recorder, Trace};

/// What to explore and how far.
#[derive(Clone, Debug)]
pub struct Config {
    /// The model's name; its hash is part of every replay string.
    pub name: String,
    /// Executions after which the exploration gives up, sleep-blocked ones included.
    pub max_executions: u64,
    /// Steps after which one execution is cut short and reported as [`crate::FindingKind::StepBudget`].
    pub max_steps: u64,
    /// What a task may do between two of its steps (plain accesses, silent releases, choices) before the execution is
    /// cut short and reported as [`crate::FindingKind::Livelock`].
    pub max_quiet: u32,
    /// Faults (signals, failing allocations) that one execution may inject, see [`crate::fault`].
    pub fault_budget: u32,
    /// End at the first finding, instead of collecting distinct ones.
    pub stop_at_first: bool,
    /// Executions that each finding may cost at the end, to make its schedule simpler (see [`crate::minimise()`]);
    /// 0 leaves the schedules as the search found them.
    pub minimise: u64,
    /// Report data races as findings. Without it they still become scheduling points.
    pub report_data_races: bool,
}

impl Config {
    /// The usual limits for a model of that name: 10^8 executions, 10^5 steps each, 10^6 accesses between two steps, no
    /// faults, all findings.
    pub fn new(name: impl Into<String>) -> Self {
        Config {
            name: name.into(),
            max_executions: 100_000_000,
            max_steps: 100_000,
            max_quiet: 1_000_000,
            fault_budget: 0,
            stop_at_first: false,
            minimise: 0,
            report_data_races: false,
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            steps: self.max_steps,
            quiet: self.max_quiet,
            faults: self.fault_budget,
            report_data_races: self.report_data_races,
        }
    }
}

/// What an exploration has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Complete executions of the last round; for an exhaustive strategy the number of distinct ones.
    pub executions: u64,
    /// Executions of the last round that brought nothing new because every enabled task slept.
    pub sleep_blocked: u64,
    /// Steps taken in the last round, replayed prefixes included.
    pub steps: u64,
    /// Rounds: one, and one more each time that an object had to become a scheduling point.
    pub rounds: u32,
}

/// The result of an exploration.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was done.
    pub stats: Stats,
    /// Whether the strategy ran out of executions: everything that it promises to cover is covered.
    pub exhausted: bool,
    /// Distinct findings, by key.
    pub findings: Vec<Finding>,
}

/// Why an exploration or replay could not be carried out: the model or the schedule is at fault.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ExploreError {
    /// The same decisions led to another state: the model depends on something else than its schedule.
    Nondeterministic(Divergence),
    /// A strict replay met a decision that is impossible.
    Diverged(Divergence),
    /// The replay string belongs to another model: its hash, and this model's.
    OtherModel(u32, u32),
    /// The model asked for something impossible, e.g. too many tasks.
    Model(String),
}

impl fmt::Display for ExploreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExploreError::Nondeterministic(d) => {
                write!(f, "the model is not deterministic: at decision {}, {}", d.decision, d.what)
            }
            ExploreError::Diverged(d) => {
                write!(f, "the schedule diverges at decision {}: {}", d.decision, d.what)
            }
            ExploreError::OtherModel(theirs, ours) => write!(
                f,
                "the schedule was recorded on another model (hash {theirs:08x}); this model's hash is {ours:08x}"
            ),
            ExploreError::Model(what) => write!(f, "{what}"),
        }
    }
}

impl std::error::Error for ExploreError {}

/// What an observer is told while an exploration runs.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// See [`Stats`].
    pub stats: Stats,
    /// Distinct findings so far.
    pub findings: usize,
}

/// How an execution ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    Finished,
    Deadlock,
    Panicked,
    OutOfSteps,
    Spinning,
}

/// Explores `model` exhaustively with [`Dpor`].
///
/// The model is run from the start for each execution, on this thread; it must depend on nothing but what it is
/// given by [`crate::choose`] and by the order of its tasks' operations.
///
/// # Errors
/// [`ExploreError::Nondeterministic`] and [`ExploreError::Model`].
pub fn explore(config: &Config, model: impl Fn() + 'static) -> Result<Outcome, ExploreError> {
    explore_with(config, &mut Dpor::new(), model, |_| true)
}

/// Explores `model` with a given strategy. `observe` is called after each execution; `false` ends the exploration.
///
/// # Errors
/// [`ExploreError::Nondeterministic`] and [`ExploreError::Model`].
pub fn explore_with<S: Strategy>(
    config: &Config,
    strategy: &mut S,
    model: impl Fn() + 'static,
    mut observe: impl FnMut(&Progress) -> bool,
) -> Result<Outcome, ExploreError> {
    let model: Rc<dyn Fn()> = Rc::new(model);
    let lease = prepare(config);
    with(|e| e.histories.on = strategy.observes());
    let mut stats = Stats { rounds: 1, ..Stats::default() };
    let mut findings: BTreeMap<String, Finding> = BTreeMap::new();
    let mut exhausted = !strategy.samples();
    while strategy.begin() {
        if stats.executions + stats.sleep_blocked >= config.max_executions {
            exhausted = false;
            break;
        }
        execute(strategy, &model).map_err(ExploreError::Nondeterministic)?;
        if let Some(fatal) = with(|e| e.fatal.take()) {
            return Err(ExploreError::Model(fatal));
        }
        stats.steps += with(|e| e.steps);
        if strategy.redundant() {
            stats.sleep_blocked += 1;
        } else {
            stats.executions += 1;
        }
        // A sleep-blocked execution is a legal one all the same: what it shows is kept.
        with(|e| collect(e, config, &mut findings));
        if with(promote) {
            strategy.restart();
            findings.clear();
            stats = Stats { rounds: stats.rounds + 1, ..Stats::default() };
            continue;
        }
        let progress = Progress { stats, findings: findings.len() };
        if !observe(&progress) || (config.stop_at_first && !findings.is_empty()) {
            exhausted = false;
            break;
        }
    }
    let mut findings: Vec<Finding> = findings.into_values().collect();
    drop(lease);
    if config.minimise > 0 {
        for f in &mut findings {
            *f = minimise_shared(config, f, config.minimise, &model)?.finding;
        }
    }
    Ok(Outcome { stats, exhausted, findings })
}

/// Gives this thread an engine for a new exploration, for as long as the lease is kept.
pub(crate) fn prepare(config: &Config) -> Lease {
    install_panic_hook();
    install(config.limits());
    Lease::new()
}

/// Makes scheduling points of what the last execution asked for; `true` if there is something new.
fn promote(e: &mut Engine) -> bool {
    let new = !e.promotions.is_empty();
    for o in std::mem::take(&mut e.promotions) {
        e.slots[o as usize].visible = true;
    }
    new
}

/// What a replay showed.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// The events.
    pub trace: Trace,
    /// The findings, in the order in which they were reported; their schedule is the whole execution's.
    pub findings: Vec<Finding>,
    /// For a tolerant replay, the first place where the schedule did not fit.
    pub divergence: Option<Divergence>,
    /// The execution's own schedule.
    pub schedule: Schedule,
    /// Switches away from a task that could have gone on.
    pub preemptions: usize,
}

/// Replays one schedule and records its trace. Strict, unless `tolerant`: then impossible decisions are skipped and
/// the first of them is told in [`Replayed::divergence`]. A schedule that ends early is finished by the default
/// policy (the last task while it can, else the least); [`Replayed::schedule`] is then longer than what was given.
///
/// # Errors
/// [`ExploreError::OtherModel`], [`ExploreError::Diverged`] and [`ExploreError::Model`].
pub fn replay(
    config: &Config,
    schedule: &Schedule,
    tolerant: bool,
    model: impl Fn() + 'static,
) -> Result<Replayed, ExploreError> {
    let model: Rc<dyn Fn()> = Rc::new(model);
    let run = rerun(config, schedule, tolerant, true, &model)?;
    let Rerun { trace, findings, divergence, schedule, preempted } = run;
    Ok(Replayed { trace, findings, divergence, schedule, preemptions: preempted.len() })
}

/// What one execution under a schedule showed.
pub(crate) struct Rerun {
    /// Empty unless it was asked for.
    pub(crate) trace: Trace,
    pub(crate) findings: Vec<Finding>,
    pub(crate) divergence: Option<Divergence>,
    pub(crate) schedule: Schedule,
    /// The steps, counted from 1, that were taken by preempting another task.
    pub(crate) preempted: Vec<u64>,
}

/// Runs one schedule, with a record if one is asked for.
pub(crate) fn rerun(
    config: &Config,
    schedule: &Schedule,
    tolerant: bool,
    record: bool,
    model: &Rc<dyn Fn()>,
) -> Result<Rerun, ExploreError> {
    let hash = model_hash(&config.name);
    if schedule.model != hash && !tolerant {
        return Err(ExploreError::OtherModel(schedule.model, hash));
    }
    let _lease = prepare(config);
    with(|e| {
        e.preset.clone_from(&schedule.visible);
        e.recorder = record.then(Recorder::default);
    });
    let mut strategy = Replay::new(schedule.decisions.clone(), tolerant);
    strategy.begin();
    execute(&mut strategy, model).map_err(ExploreError::Diverged)?;
    let divergence = strategy.divergence().cloned();
    let divergence = divergence.or_else(|| with(|e| other_objects(e, schedule, config)));
    if let (Some(d), false) = (&divergence, tolerant) {
        return Err(ExploreError::Diverged(d.clone()));
    }
    with(|e| {
        if let Some(fatal) = e.fatal.take() {
            return Err(ExploreError::Model(fatal));
        }
        let mut findings = BTreeMap::new();
        collect(e, config, &mut findings);
        let mut findings: Vec<Finding> = findings.into_values().collect();
        findings.sort_by_key(|f| f.step);
        let tasks = e.births.iter().map(|t| e.tasks[t.index()].name.to_string()).collect();
        let events = e.recorder.take().map_or(Vec::new(), |r| r.events);
        Ok(Rerun {
            trace: Trace { tasks, events },
            findings,
            divergence,
            schedule: schedule_of(e, config),
            preempted: strategy.into_preempted(),
        })
    })
}

/// Whether the objects that the schedule makes scheduling points are those of the execution.
fn other_objects(e: &Engine, schedule: &Schedule, config: &Config) -> Option<Divergence> {
    let what = if e.promotions.is_empty() {
        let named = schedule_of(e, config).visible;
        let lost = schedule.visible.iter().find(|v| !named.contains(v))?;
        format!("task {} creates no object number {}", lost.0.letter(), lost.1 + 1)
    } else {
        let slot = &e.slots[e.promotions[0] as usize];
        format!(
            "{} has to be a scheduling point, but the schedule does not say so: +{}{} is missing",
            slot.name,
            e.birth_index(slot.creator).letter(),
            slot.nth + 1
        )
    };
    Some(Divergence { decision: 0, what })
}

/// The schedule of the execution that just ended, with tasks numbered by their order of creation.
fn schedule_of(e: &Engine, config: &Config) -> Schedule {
    let decisions = e
        .schedule
        .iter()
        .map(|d| match d {
            Decision::Task(t) => Decision::Task(e.birth_index(*t)),
            c => *c,
        })
        .collect();
    let visible = e
        .alive
        .iter()
        .map(|o| &e.slots[*o as usize])
        .filter(|s| s.visible)
        .map(|s| (e.birth_index(s.creator), s.nth))
        .collect();
    Schedule { model: model_hash(&config.name), visible, decisions }
}

/// Adds the findings of the execution that just ended; of two with one key the better schedule stays.
pub(crate) fn collect(e: &mut Engine, config: &Config, findings: &mut BTreeMap<String, Finding>) {
    if e.findings.is_empty() {
        return;
    }
    let schedule = schedule_of(e, config);
    for raw in e.findings.clone() {
        let new = Finding {
            kind: raw.kind,
            key: raw.key,
            message: raw.message,
            schedule: schedule.clone(),
            step: raw.step,
            executions: 1,
        };
        keep_best(findings, new);
    }
}

/// Adds a finding; of two with one key the better schedule stays, and their executions add up.
pub(crate) fn keep_best(findings: &mut BTreeMap<String, Finding>, new: Finding) {
    let Some(old) = findings.get_mut(&new.key) else {
        findings.insert(new.key.clone(), new);
        return;
    };
    let executions = old.executions + new.executions;
    if merit(&new.schedule) < merit(&old.schedule) {
        *old = new;
    }
    old.executions = executions;
}

/// Order of merit of two witnesses: switches, steps, then the decisions themselves.
fn merit(s: &Schedule) -> (usize, usize, &[Decision]) {
    (s.switches(), s.steps(), &s.decisions)
}

/// What the run loop does next.
enum Move {
    Run(TaskId),
    Choose(TaskId, u32),
    End(End),
}

/// Runs the model once under `strategy`.
pub(crate) fn execute<S: Strategy>(strategy: &mut S, model: &Rc<dyn Fn()>) -> Result<(), Divergence> {
    let repeats = strategy.repeats();
    with(|e| e.reset(repeats));
    let root = Rc::clone(model);
    attach(TaskId::ROOT, move || root());
    let mut running = Running::new();
    loop {
        match with(|e| next_move(e, strategy))? {
            Move::Run(t) => running.resume(t),
            Move::Choose(t, n) => {
                let value = match with(|e| e.to_repeat()) {
                    Some((Decision::Choice(value), op)) if op.arg == n => value,
                    Some(_) => {
                        return Err(Divergence::other_choice(with(|e| e.cursor) + 1, t, n));
                    }
                    None => strategy.choose(t, n)?,
                };
                with(|e| e.take_choice(t, value));
                running.resume(t);
            }
            Move::End(end) => {
                with(|e| {
                    strategy.end(&view(e, 0));
                    conclude(e, end);
                });
                // A fatal error also ends the execution early, and says more.
                let fault = if with(|e| e.fatal.is_some()) { None } else { strategy.fault() };
                return fault.map_or(Ok(()), Err);
            }
        }
    }
}

/// Reports what the end of the execution shows, before anything is taken down.
fn conclude(e: &mut Engine, end: End) {
    match end {
        End::OutOfSteps => e.report_step_budget(),
        End::Spinning => e.report_spinning(),
        End::Finished | End::Panicked | End::Deadlock => {}
    }
    if end == End::Deadlock || !e.cycles.is_empty() {
        e.report_deadlocks(end == End::Deadlock);
    }
}

fn view(e: &Engine, enabled: TaskSet) -> View<'_> {
    View { pending: &e.pending, ready: e.ready, enabled, log: &e.log, births: &e.births, world: World(e) }
}

#[inline]
fn next_move<S: Strategy>(e: &mut Engine, strategy: &mut S) -> Result<Move, Divergence> {
    if e.forced != 0 || e.panicked || e.spinning || e.fatal.is_some() {
        return Ok(forced_move(e));
    }
    if let Some((decision, op)) = e.to_repeat() {
        let Decision::Task(t) = decision else { return Err(different(e)) };
        if e.ready & t.bit() == 0 || e.pending[t.index()] != op || !e.enabled(t, op) {
            return Err(different(e));
        }
        e.commit(t);
        return Ok(Move::Run(t));
    }
    let enabled = e.enabled_set();
    if e.owners & !enabled != 0 {
        e.look_for_cycles(enabled);
    }
    if enabled == 0 {
        return Ok(Move::End(if e.unfinished == 0 { End::Finished } else { End::Deadlock }));
    }
    if e.steps >= e.limits.steps {
        return Ok(Move::End(End::OutOfSteps));
    }
    let t = strategy.decide(&view(e, enabled))?;
    debug_assert!(enabled & t.bit() != 0, "a strategy chose a task that is not enabled");
    e.commit(t);
    Ok(Move::Run(t))
}

/// How the execution differs from the decision that is to be repeated.
#[cold]
fn different(e: &Engine) -> Divergence {
    let view = view(e, e.enabled_set());
    let at = e.cursor + 1;
    match e.to_repeat() {
        Some((Decision::Task(t), op)) if e.ready & t.bit() != 0 && e.pending[t.index()] != op => {
            Divergence::other_op(at, &view, t, op)
        }
        Some((Decision::Task(t), op)) => Divergence::blocked(at, &view, t, op),
        Some((Decision::Choice(_), op)) => Divergence::no_choice(at, &view, op.arg),
        None => Divergence::early(e.cursor),
    }
}

/// The move that is no decision: an early end, or a task that is newborn, choosing, or joining a finished one.
fn forced_move(e: &mut Engine) -> Move {
    if e.panicked || e.fatal.is_some() {
        return Move::End(End::Panicked);
    }
    if e.spinning {
        return Move::End(End::Spinning);
    }
    let t = members(e.forced).next().expect("not empty");
    e.forced &= !t.bit();
    e.current = t;
    match e.tasks[t.index()].status {
        Status::Newborn => e.tasks[t.index()].status = Status::Live,
        Status::Joining(child) => e.join_done(t, child),
        Status::Choosing(n) => return Move::Choose(t, n),
        Status::Absent | Status::Live | Status::Finished => unreachable!("not a forced state"),
    }
    Move::Run(t)
}
