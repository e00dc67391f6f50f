// SPDX-License-Identifier: MIT OR Apache-2.0
//! The written form of explorations, units and results: JSON lines, version 1.
//!
//! Each line is an object; `is` says of what kind, `check` is a checksum of the rest (FNV-1a, 64 bits, of the object
//! without it, keys in alphabetical order, no spaces).
//!
//! ```text
//! {"is":"exploration","version":1,"model":"9c2f11d0","round":1,"visible":[[[],4]],"executions":64,
//!  "sleep_blocked":0,"steps":700,"findings":1,"units":12,"results":0,"check":".."}
//! {"is":"finding","kind":"deadlock","key":"..","message":"..","schedule":"v1:..","step":9,"executions":2,"check":".."}
//! {"is":"unit","version":1,"model":"9c2f11d0","round":1,"visible":[[[],4]],"prefix":"a3!1b","alternatives":{"3":"ab"},
//!  "budget":1024,"check":".."}
//! {"is":"result","version":1,"model":"9c2f11d0","round":1,"prefix":"a3!1b","alternatives":{"3":"ab"},"executions":32,
//!  "sleep_blocked":0,"steps":400,"findings":[{..}],"additions":[[2,"c"]],"left":[["b","a","c"],["!0","","!1"]],
//!  "promotions":[],"check":".."}
//! ```
//!
//! * An exploration is its first line and as many findings, units and results as that says.
//! * `prefix`, and decisions elsewhere, are written as in a [`Schedule`]; `alternatives` gives, for decisions (from 0)
//!   that have others beside them, all of them in order.
//! * An object is `[path, n]`: its creator, as places among siblings from the root down, and how many objects that has
//!   created before.
//! * `additions` are a decision of the prefix and a task; `left` is a decision, those explored before it, those open.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value, json};

use super::exploration::Exploration;
use super::tree::Tree;
use super::unit::{Unit, UnitResult};
use crate::explore::Stats;
use crate::finding::{Finding, FindingKind};
use crate::identity::ObjectPath;
use crate::op::TaskId;
use crate::schedule::{Decision, Schedule};
use crate::strategy::dpor::{Guide, Left};

/// The version of the form that is written, and the only one that is read.
pub const VERSION: u64 = 1;

/// What is wrong with a file of this form.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FormatError {
    /// The line, counted from 1; one past the last when something is missing at the end.
    pub line: usize,
    /// What was expected there.
    pub expected: String,
    /// What stands there, shortened.
    pub found: String,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: expected {}, found {}", self.line, self.expected, self.found)
    }
}

impl std::error::Error for FormatError {}

type Result<T> = std::result::Result<T, FormatError>;

fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

/// Writes an object as a line, with its checksum.
fn line(value: Value) -> String {
    let Value::Object(mut map) = value else { unreachable!("lines are objects") };
    let check = fnv(&Value::Object(map.clone()).to_string());
    map.insert("check".into(), json!(format!("{check:016x}")));
    Value::Object(map).to_string()
}

/// A line that is being read.
struct Line {
    number: usize,
    map: Map<String, Value>,
}

impl Line {
    fn parse(number: usize, text: &str) -> Result<Line> {
        let mut found: String = text.chars().take(60).collect();
        if found.len() < text.len() {
            found.push('…');
        }
        let error = |expected: &str| FormatError {
            line: number,
            expected: expected.into(),
            found: format!("`{found}`"),
        };
        let map = match serde_json::from_str(text) {
            Ok(Value::Object(map)) => map,
            Ok(_) => return Err(error("a JSON object")),
            Err(e) => return Err(error(&format!("a JSON object ({e})"))),
        };
        let mut line = Line { number, map };
        let check = line.text("check", "a checksum")?.to_string();
        line.map.remove("check");
        let right = format!("{:016x}", fnv(&Value::Object(line.map.clone()).to_string()));
        if check != right {
            let expected = format!("the checksum {right} (the line was changed or damaged)");
            return Err(FormatError { line: number, expected, found: check });
        }
        Ok(line)
    }

    fn error<T>(&self, key: &str, expected: &str) -> Result<T> {
        let found = self.map.get(key).map_or("nothing".to_string(), |v| format!("`{v}`"));
        Err(FormatError { line: self.number, expected: format!("{expected} as \"{key}\""), found })
    }

    fn text(&self, key: &str, expected: &str) -> Result<&str> {
        match self.map.get(key) {
            Some(Value::String(s)) => Ok(s),
            _ => self.error(key, expected),
        }
    }

    fn number(&self, key: &str) -> Result<u64> {
        match self.map.get(key).and_then(Value::as_u64) {
            Some(n) => Ok(n),
            None => self.error(key, "a number"),
        }
    }

    fn list(&self, key: &str) -> Result<&[Value]> {
        match self.map.get(key) {
            Some(Value::Array(list)) => Ok(list),
            _ => self.error(key, "a list"),
        }
    }

    /// Checks the kind and, for kinds that stand alone, the version.
    fn is(&self, kind: &str, versioned: bool) -> Result<()> {
        if self.text("is", "a word")? != kind {
            return self.error("is", &format!("\"{kind}\""));
        }
        if versioned && self.number("version")? != VERSION {
            return self.error("version", &format!("{VERSION}"));
        }
        Ok(())
    }

    fn model(&self) -> Result<u32> {
        let text = self.text("model", "a hash")?;
        let hash = if text.len() == 8 { u32::from_str_radix(text, 16).ok() } else { None };
        hash.map_or_else(|| self.error("model", "eight hexadecimal digits"), Ok)
    }

    fn round(&self) -> Result<u32> {
        self.number("round")?.try_into().or_else(|_| self.error("round", "a number below 2^32"))
    }

    fn objects(&self, key: &str) -> Result<Vec<ObjectPath>> {
        let word = |v: &Value| v.as_u64().and_then(|n| u32::try_from(n).ok());
        let object = |v: &Value| {
            let [path, nth] = v.as_array()?.as_slice() else { return None };
            let path = path.as_array()?.iter().map(word).collect::<Option<_>>()?;
            Some((path, word(nth)?))
        };
        let objects: Option<Vec<_>> = self.list(key)?.iter().map(object).collect();
        objects.map_or_else(|| self.error(key, "a list of [path, number]"), Ok)
    }

    fn prefix(&self) -> Result<Vec<Guide>> {
        let Some(list) = read_decisions(self.text("prefix", "decisions")?) else {
            return self.error("prefix", "decisions");
        };
        let Some(Value::Object(map)) = self.map.get("alternatives") else {
            return self.error("alternatives", "an object");
        };
        let mut prefix: Vec<Guide> = Vec::with_capacity(list.len());
        for decision in list {
            let alternatives = match decision {
                Decision::Task(t) => vec![t],
                Decision::Choice(_) => Vec::new(),
            };
            prefix.push(Guide { decision, alternatives });
        }
        for (at, tasks) in map {
            let tasks =
                tasks.as_str().and_then(|s| s.chars().map(TaskId::from_letter).collect::<Option<Vec<_>>>());
            let guide = at.parse().ok().and_then(|at: usize| prefix.get_mut(at));
            match (guide, tasks) {
                (Some(guide), Some(tasks))
                    if guide.alternatives.len() == 1 && tasks.contains(&guide.alternatives[0]) =>
                {
                    guide.alternatives = tasks;
                }
                _ => {
                    return self
                        .error("alternatives", "tasks at steps of the prefix, the step's own among them");
                }
            }
        }
        Ok(prefix)
    }

    fn stats(&self, round: u32) -> Result<Stats> {
        Ok(Stats {
            executions: self.number("executions")?,
            sleep_blocked: self.number("sleep_blocked")?,
            steps: self.number("steps")?,
            rounds: round,
        })
    }
}

fn read_decisions(text: &str) -> Option<Vec<Decision>> {
    Schedule::parse(&format!("v1:00000000:{text}")).ok().map(|s| s.decisions)
}

fn write_decisions(decisions: Vec<Decision>) -> String {
    let text = Schedule { model: 0, visible: Vec::new(), decisions }.to_string();
    text["v1:00000000:".len()..].to_string()
}

fn write_prefix(prefix: &[Guide]) -> (String, Value) {
    let letters = |l: &[TaskId]| l.iter().map(|t| t.letter()).collect::<String>();
    let beside = prefix.iter().enumerate().filter(|(_, g)| g.alternatives.len() > 1);
    let map: Map<String, Value> =
        beside.map(|(i, g)| (i.to_string(), json!(letters(&g.alternatives)))).collect();
    (write_decisions(super::exploration::decisions(prefix)), Value::Object(map))
}

fn write_finding(f: &Finding) -> Value {
    json!({
        "is": "finding", "kind": f.kind.to_string(), "key": f.key, "message": f.message,
        "schedule": f.schedule.to_string(), "step": f.step, "executions": f.executions,
    })
}

fn read_finding(line: &Line) -> Result<Finding> {
    line.is("finding", false)?;
    let kind = line.text("kind", "a word")?;
    let Some(kind) = FindingKind::ALL.into_iter().find(|k| k.to_string() == kind) else {
        return line.error("kind", "a kind of finding");
    };
    let schedule = match Schedule::parse(line.text("schedule", "a schedule")?) {
        Ok(s) => s,
        Err(e) => return line.error("schedule", &format!("a schedule ({e})")),
    };
    Ok(Finding {
        kind,
        key: line.text("key", "a text")?.into(),
        message: line.text("message", "a text")?.into(),
        schedule,
        step: line.number("step")?,
        executions: line.number("executions")?,
    })
}

impl Unit {
    /// The unit as a line, without the line's end.
    pub fn to_line(&self) -> String {
        let (prefix, alternatives) = write_prefix(&self.prefix);
        line(json!({
            "is": "unit", "version": VERSION, "model": format!("{:08x}", self.model), "round": self.round,
            "visible": self.visible, "prefix": prefix, "alternatives": alternatives, "budget": self.budget,
        }))
    }

    /// Reads a unit from a line; `number` is the line's, for errors.
    ///
    /// # Errors
    /// What does not fit, and what was expected.
    pub fn parse(number: usize, text: &str) -> Result<Unit> {
        Unit::read(&Line::parse(number, text)?)
    }

    fn read(line: &Line) -> Result<Unit> {
        line.is("unit", true)?;
        Ok(Unit {
            model: line.model()?,
            round: line.round()?,
            visible: line.objects("visible")?,
            prefix: line.prefix()?,
            budget: line.number("budget")?,
        })
    }
}

impl UnitResult {
    /// The result as a line, without the line's end.
    pub fn to_line(&self) -> String {
        let (prefix, alternatives) = write_prefix(&self.prefix);
        let additions: Vec<_> =
            self.additions.iter().map(|(i, t)| json!([i, t.letter().to_string()])).collect();
        let left = |l: &Left| {
            json!([
                write_decisions(vec![l.decision]),
                write_decisions(l.done.clone()),
                write_decisions(l.open.clone())
            ])
        };
        line(json!({
            "is": "result", "version": VERSION, "model": format!("{:08x}", self.model), "round": self.round,
            "prefix": prefix, "alternatives": alternatives, "executions": self.stats.executions,
            "sleep_blocked": self.stats.sleep_blocked, "steps": self.stats.steps,
            "findings": self.findings.iter().map(write_finding).collect::<Vec<_>>(),
            "additions": additions, "left": self.left.iter().map(left).collect::<Vec<_>>(),
            "promotions": self.promotions,
        }))
    }

    /// Reads a result from a line; `number` is the line's, for errors.
    ///
    /// # Errors
    /// What does not fit, and what was expected.
    pub fn parse(number: usize, text: &str) -> Result<UnitResult> {
        UnitResult::read(&Line::parse(number, text)?)
    }

    /// Reads all results of a text and gives those that can be read, and what is wrong with the others.
    pub fn parse_all(text: &str) -> (Vec<UnitResult>, Vec<FormatError>) {
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
            match UnitResult::parse(i + 1, line) {
                Ok(r) => good.push(r),
                Err(e) => bad.push(e),
            }
        }
        (good, bad)
    }

    fn read(line: &Line) -> Result<UnitResult> {
        line.is("result", true)?;
        let round = line.round()?;
        let prefix = line.prefix()?;
        let mut findings = Vec::new();
        for f in line.list("findings")? {
            let Value::Object(map) = f else { return line.error("findings", "a list of findings") };
            findings.push(read_finding(&Line { number: line.number, map: map.clone() })?);
        }
        let addition = |v: &Value| {
            let [at, task] = v.as_array()?.as_slice() else { return None };
            let at = at.as_u64().map(|n| n as usize).filter(|n| *n < prefix.len())?;
            let mut letters = task.as_str()?.chars();
            Some((at, letters.next().and_then(TaskId::from_letter).filter(|_| letters.next().is_none())?))
        };
        let additions: Option<Vec<_>> = line.list("additions")?.iter().map(addition).collect();
        let left = |v: &Value| {
            let [own, done, open] = v.as_array()?.as_slice() else { return None };
            let read = |v: &Value| read_decisions(v.as_str()?);
            let own = read(own)?;
            Some(Left {
                decision: *own.first().filter(|_| own.len() == 1)?,
                done: read(done)?,
                open: read(open)?,
            })
        };
        let left: Option<Vec<_>> = line.list("left")?.iter().map(left).collect();
        Ok(UnitResult {
            model: line.model()?,
            round,
            stats: line.stats(round)?,
            findings,
            additions: additions.map_or_else(|| line.error("additions", "a list of [decision, task]"), Ok)?,
            left: left.map_or_else(|| line.error("left", "a list of [decision, done, open]"), Ok)?,
            promotions: line.objects("promotions")?,
            prefix,
        })
    }
}

impl fmt::Display for Exploration {
    /// The exploration's written form, each line with its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = self.units(u64::MAX);
        let header = json!({
            "is": "exploration", "version": VERSION, "model": format!("{:08x}", self.model),
            "round": self.stats.rounds, "visible": self.visible, "executions": self.stats.executions,
            "sleep_blocked": self.stats.sleep_blocked, "steps": self.stats.steps,
            "findings": self.findings.len(), "units": units.len(), "results": self.waiting.len(),
        });
        writeln!(f, "{}", line(header))?;
        self.findings.values().try_for_each(|x| writeln!(f, "{}", line(write_finding(x))))?;
        units.iter().try_for_each(|u| writeln!(f, "{}", u.to_line()))?;
        self.waiting.iter().try_for_each(|r| writeln!(f, "{}", r.to_line()))
    }
}

impl Exploration {
    /// Reads an exploration's written form.
    ///
    /// # Errors
    /// The first line that does not fit, and what was expected there; lines that are missing.
    pub fn parse(text: &str) -> Result<Exploration> {
        let mut lines = text.lines().enumerate();
        let mut next = |what: &str| match lines.next() {
            Some((i, l)) => Line::parse(i + 1, l),
            None => Err(FormatError {
                line: text.lines().count() + 1,
                expected: what.to_string(),
                found: "the end of the file".into(),
            }),
        };
        let header = next("the first line of an exploration")?;
        header.is("exploration", true)?;
        let (model, round, visible) = (header.model()?, header.round()?, header.objects("visible")?);
        let mut findings = BTreeMap::new();
        for i in 0..header.number("findings")? {
            let f = read_finding(&next(&format!("finding {} of {}", i + 1, header.number("findings")?))?)?;
            findings.insert(f.key.clone(), f);
        }
        let same = |line: &Line, m: u32, r: u32| match (m == model, r == round) {
            (false, _) => line.error("model", &format!("the exploration's model {model:08x}")),
            (true, false) => line.error("round", &format!("the exploration's round {round}")),
            (true, true) => Ok(()),
        };
        let mut tree = Tree::explored();
        for i in 0..header.number("units")? {
            let line = next(&format!("unit {} of {}", i + 1, header.number("units")?))?;
            let unit = Unit::read(&line)?;
            same(&line, unit.model, unit.round)?;
            if let Err(why) = tree.insert(&unit.prefix) {
                return line.error("prefix", &format!("a unit that fits to the others ({why})"));
            }
        }
        let mut waiting = Vec::new();
        for i in 0..header.number("results")? {
            let line = next(&format!("result {} of {}", i + 1, header.number("results")?))?;
            let result = UnitResult::read(&line)?;
            same(&line, result.model, result.round)?;
            waiting.push(result);
        }
        if let Some((i, l)) = lines.find(|(_, l)| !l.trim().is_empty()) {
            let found = format!("`{}`", l.chars().take(60).collect::<String>());
            return Err(FormatError { line: i + 1, expected: "the end of the file".into(), found });
        }
        Ok(Exploration { model, stats: header.stats(round)?, visible, findings, tree, waiting })
    }
}
