// SPDX-License-Identifier: MIT OR Apache-2.0
//! Makes a finding's schedule simpler: fewer tasks, then fewer preemptions, switches and steps.
//!
//! A schedule is taken as segments (a task and how many steps it takes in a row; a choice's value), never as
//! numbered steps: a step's number means something else as soon as one before it is gone, a segment mostly does not.
//! Edits (leave out a task, merge two segments of one task, leave out a segment, halve it, take a choice's first
//! value) are run tolerantly: what is impossible is skipped, and the schedule that was really run is what counts.
//! It is kept when the same finding comes with better merit. So the result is always the schedule of an execution
//! that was seen, and each pass over the segments costs as many executions as there are edits.
//!
//! After Zeller and Hildebrandt, *Simplifying and Isolating Failure-Inducing Input*, TSE 2002, in spirit; greedy and
//! deterministic.

use std::rc::Rc;

use crate::explore::{Config, ExploreError, rerun};
use crate::finding::Finding;
use crate::op::TaskId;
use crate::schedule::{Decision, Schedule};

/// How simple a witness is; less is better.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Merit {
    /// Tasks that take a step.
    pub tasks: usize,
    /// Switches away from a task that could have gone on.
    pub preemptions: usize,
    /// Switches from one task to another.
    pub switches: usize,
    /// Steps up to the finding.
    pub steps: usize,
    /// The decisions themselves, to make the order total.
    pub decisions: Vec<Decision>,
}

/// What [`minimise`] did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Minimised {
    /// The finding with its simplest schedule. The schedule ends with the step that shows the finding; a replay
    /// finishes the execution by its default policy.
    pub finding: Finding,
    /// The merit of that schedule; `None` if the finding could not be reproduced and is returned as it was.
    pub merit: Option<Merit>,
    /// Executions used.
    pub executions: u64,
}

/// Looks for the simplest schedule that shows `finding`, in at most `limit` executions.
///
/// # Errors
/// [`ExploreError::Model`], and [`ExploreError::OtherModel`] if the finding is another model's.
pub fn minimise(
    config: &Config,
    finding: &Finding,
    limit: u64,
    model: impl Fn() + 'static,
) -> Result<Minimised, ExploreError> {
    let model: Rc<dyn Fn()> = Rc::new(model);
    minimise_shared(config, finding, limit, &model)
}

/// As above, for a model that others hold too.
pub(crate) fn minimise_shared(
    config: &Config,
    finding: &Finding,
    limit: u64,
    model: &Rc<dyn Fn()>,
) -> Result<Minimised, ExploreError> {
    let mut search = Search { config, model, wanted: finding, executions: 0, limit };
    let Some(mut best) = search.attempt(&finding.schedule.decisions, false)? else {
        return Ok(Minimised { finding: finding.clone(), merit: None, executions: search.executions });
    };
    while search.executions < search.limit {
        let before = best.0.clone();
        search.pass(&mut best)?;
        if best.0 == before {
            break;
        }
    }
    let (merit, finding) = best;
    Ok(Minimised { finding, merit: Some(merit), executions: search.executions })
}

/// A part of a schedule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Segment {
    Run(TaskId, usize),
    Choice(u32),
}

fn segments(decisions: &[Decision]) -> Vec<Segment> {
    let mut list: Vec<Segment> = Vec::new();
    for d in decisions {
        match (*d, list.last_mut()) {
            (Decision::Task(t), Some(Segment::Run(u, n))) if *u == t => *n += 1,
            (Decision::Task(t), _) => list.push(Segment::Run(t, 1)),
            (Decision::Choice(v), _) => list.push(Segment::Choice(v)),
        }
    }
    list
}

fn decisions(segments: &[Segment]) -> Vec<Decision> {
    let mut list = Vec::new();
    for s in segments {
        match *s {
            Segment::Run(t, n) => list.extend(std::iter::repeat_n(Decision::Task(t), n)),
            Segment::Choice(v) => list.push(Decision::Choice(v)),
        }
    }
    list
}

/// The edits at segment `i`, the boldest first.
fn edits(list: &[Segment], i: usize) -> Vec<Vec<Segment>> {
    let without = |at: usize| {
        let mut l = list.to_vec();
        l.remove(at);
        l
    };
    let mut all = Vec::new();
    match list[i] {
        Segment::Run(t, n) => {
            let first = !list[..i].iter().any(|s| matches!(s, Segment::Run(u, _) if *u == t));
            if first {
                all.push(
                    list.iter().copied().filter(|s| !matches!(s, Segment::Run(u, _) if *u == t)).collect(),
                );
            }
            let next = (i + 1..list.len()).find(|j| matches!(list[*j], Segment::Run(u, _) if u == t));
            if let Some(j) = next {
                let Segment::Run(_, m) = list[j] else { unreachable!("found as a run") };
                let mut early = without(j);
                early[i] = Segment::Run(t, n + m);
                let mut late = list.to_vec();
                late[j] = Segment::Run(t, n + m);
                late.remove(i);
                all.extend([early, late]);
            }
            all.push(without(i));
            if n > 1 {
                let mut half = list.to_vec();
                half[i] = Segment::Run(t, n / 2);
                all.push(half);
            }
        }
        Segment::Choice(v) => {
            if v > 0 {
                let mut first = list.to_vec();
                first[i] = Segment::Choice(0);
                all.push(first);
            }
            all.push(without(i));
        }
    }
    all
}

struct Search<'a> {
    config: &'a Config,
    model: &'a Rc<dyn Fn()>,
    wanted: &'a Finding,
    executions: u64,
    limit: u64,
}

impl Search<'_> {
    /// Runs the decisions; the witness that they led to, if they led to the finding that is wanted.
    fn attempt(
        &mut self,
        decisions: &[Decision],
        tolerant: bool,
    ) -> Result<Option<(Merit, Finding)>, ExploreError> {
        self.executions += 1;
        let schedule = Schedule { decisions: decisions.to_vec(), ..self.wanted.schedule.clone() };
        let run = match rerun(self.config, &schedule, tolerant, false, self.model) {
            Err(ExploreError::Diverged(_)) => return Ok(None),
            other => other?,
        };
        let Some(found) = run.findings.into_iter().find(|f| f.key == self.wanted.key) else {
            return Ok(None);
        };
        let decisions = up_to_step(&run.schedule.decisions, found.step);
        let preemptions = run.preempted.iter().filter(|s| **s <= found.step).count();
        let schedule = Schedule { decisions, ..run.schedule };
        let mut tasks: Vec<_> =
            schedule.decisions.iter().filter(|d| matches!(d, Decision::Task(_))).collect();
        tasks.sort_unstable();
        tasks.dedup();
        let merit = Merit {
            tasks: tasks.len(),
            preemptions,
            switches: schedule.switches(),
            steps: schedule.steps(),
            decisions: schedule.decisions.clone(),
        };
        let finding = Finding { schedule, executions: self.wanted.executions, ..found };
        Ok(Some((merit, finding)))
    }

    /// Tries every edit of every segment once; keeps each improvement and goes on from it.
    fn pass(&mut self, best: &mut (Merit, Finding)) -> Result<(), ExploreError> {
        let mut i = 0;
        loop {
            let list = segments(&best.1.schedule.decisions);
            if i >= list.len() {
                return Ok(());
            }
            let mut better = false;
            for edit in edits(&list, i) {
                if self.executions >= self.limit {
                    return Ok(());
                }
                let Some(new) = self.attempt(&decisions(&edit), true)? else { continue };
                // A tolerant run may have been helped by what it skipped: only what replays strictly counts.
                if new.0 < best.0 && self.attempt(&new.1.schedule.decisions, false)?.is_some() {
                    *best = new;
                    better = true;
                    break;
                }
            }
            if !better {
                i += 1;
            }
        }
    }
}

/// The decisions up to the given step, counted from 1, and the choices made in it.
fn up_to_step(decisions: &[Decision], step: u64) -> Vec<Decision> {
    let mut steps = 0;
    let within = |d: &&Decision| {
        steps += u64::from(matches!(d, Decision::Task(_)));
        steps <= step
    };
    decisions.iter().take_while(within).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_and_decisions_are_each_others_inverse() {
        for text in ["v1:00000000:", "v1:00000000:a3!1a2b!0!2c", "v1:00000000:ababab"] {
            let s = Schedule::parse(text).unwrap();
            assert_eq!(decisions(&segments(&s.decisions)), s.decisions);
        }
    }

    #[test]
    fn a_schedule_is_cut_after_the_choices_of_its_step() {
        let s = Schedule::parse("v1:00000000:a2!1b!0").unwrap();
        let cut = |n| decisions(&segments(&up_to_step(&s.decisions, n))).len();
        assert_eq!([cut(0), cut(1), cut(2), cut(3), cut(9)], [0, 1, 3, 5, 5]);
    }
}
