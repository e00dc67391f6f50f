// SPDX-License-Identifier: GPL-2.0-only
//! The explorer's own findings in the kernel's words: data races as KCSAN reports them, tasks that cannot go on as the
//! hung task detector does. Other findings have their words already ([`mod@crate::report`]).

use explorer::{Finding, FindingKind};

/// Seconds after which the kernel says so.
///
/// In C: `CONFIG_DEFAULT_HUNG_TASK_TIMEOUT`.
const HUNG_TASK_TIMEOUT: u32 = 120;

/// Operations that are marked accesses; others that the race detector sees are plain.
const MARKED: &[&str] = &[
    "READ_ONCE",
    "WRITE_ONCE",
    "rcu_access_pointer",
    "rcu_dereference",
    "rcu_assign_pointer",
    "rcu_cmpxchg",
    "test_bit",
    "set_bit",
    "test_and_set_bit",
    "test_and_clear_bit",
    "atomic_read_acquire",
    "atomic_set",
    "atomic_fetch_add",
    "atomic_dec_and_test",
    "atomic_cmpxchg",
    "read_once",
    "write_once",
];

/// What is known of a place in the modelled code.
#[derive(Clone, Debug, Default)]
pub struct PlaceInfo {
    /// The function around it.
    pub function: Option<String>,
    /// The line's text.
    pub text: Option<String>,
}

/// Renders a finding. `place` looks up a file and a line, counted from 1.
pub fn render(finding: &Finding, place: impl Fn(&str, usize) -> PlaceInfo) -> String {
    match finding.kind {
        FindingKind::DataRace => kcsan(&finding.message, place),
        FindingKind::Deadlock => Some(hung_tasks(&finding.message)),
        _ => None,
    }
    .unwrap_or_else(|| finding.message.clone())
}

/// One side of a race.
struct Access<'a> {
    word: &'a str,
    task: &'a str,
    at: &'a str,
    function: String,
    marked: bool,
}

impl<'a> Access<'a> {
    /// From `write by TASK at FILE:LINE:COLUMN`.
    fn parse(text: &'a str, place: &impl Fn(&str, usize) -> PlaceInfo) -> Option<Self> {
        let (word, rest) = text.split_once(" by ")?;
        let (task, at) = rest.split_once(" at ")?;
        let (line, column) = at.rsplit_once(':')?;
        let (file, line) = line.rsplit_once(':')?;
        let info = place(file, line.parse().ok()?);
        let column: usize = column.parse().ok()?;
        let name = info.text.as_deref().and_then(|t| t.get(column.checked_sub(1)?..)).map(first_word);
        Some(Access {
            word,
            task,
            at,
            function: info.function.unwrap_or_else(|| at.to_string()),
            marked: name.is_some_and(|n| MARKED.contains(&n)),
        })
    }

    fn line(&self, name: &str) -> String {
        let marked = if self.marked { " (marked)" } else { "" };
        format!("{}{marked} to {name} by task {}:\n {} at {}", self.word, self.task, self.function, self.at)
    }
}

/// The identifier that a text begins with, without the path before it.
fn first_word(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(text.len());
    text[..end].rsplit("::").next().unwrap_or_default()
}

/// `data race on NAME: ACCESS, then ACCESS, unordered` in KCSAN's words.
fn kcsan(message: &str, place: impl Fn(&str, usize) -> PlaceInfo) -> Option<String> {
    let rest = message.strip_prefix("data race on ")?.strip_suffix(", unordered")?;
    let (name, accesses) = rest.split_once(": ")?;
    let (first, second) = accesses.split_once(", then ")?;
    let (first, second) = (Access::parse(first, &place)?, Access::parse(second, &place)?);
    let mut functions = [&first.function, &second.function];
    functions.sort();
    let [f, g] = functions;
    Some(format!("BUG: KCSAN: data-race in {f} / {g}\n\n{}\n\n{}", first.line(name), second.line(name)))
}

/// `A waits to lock m, held by B; B waits to …` in the hung task detector's words, one task a paragraph.
fn hung_tasks(message: &str) -> String {
    let mut out = Vec::new();
    for wait in message.split("; ") {
        let Some((task, what)) = wait.split_once(" waits to ") else {
            out.push(wait.to_string());
            continue;
        };
        let (what, holders) = match what.split_once(", held by ") {
            Some((what, holders)) => (what, Some(holders)),
            None => (what, None),
        };
        let mut text =
            format!("INFO: task {task} blocked for more than {HUNG_TASK_TIMEOUT} seconds: {what}.");
        if let Some(holders) = holders {
            text += &format!("\nINFO: task {task} is blocked on a lock owned by task {holders}.");
        }
        out.push(text);
    }
    out.join("\n")
}
