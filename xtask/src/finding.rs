// SPDX-License-Identifier: GPL-2.0-only
//! One thing that a rule found wrong, and how all of them are printed.

use std::fmt;

/// A broken rule at a place: what is wrong, and what to do instead.
///
/// The order of the fields is the order of the report: by file, then by line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Path from the root of the repository, with `/`.
    pub path: String,
    /// Line from 1; 1 for what concerns the file as a whole.
    pub line: usize,
    /// Short name of the rule, such as `size`.
    pub rule: &'static str,
    /// What is wrong.
    pub what: String,
    /// What to do instead.
    pub instead: String,
}

impl Finding {
    /// A finding at `path:line`.
    pub fn new(
        rule: &'static str,
        path: &str,
        line: usize,
        what: impl Into<String>,
        instead: impl Into<String>,
    ) -> Self {
        Self { path: path.to_owned(), line, rule, what: what.into(), instead: instead.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}; {} [{}]", self.path, self.line, self.what, self.instead, self.rule)
    }
}

/// What a subcommand has to say: the lines to print, and whether all is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The text, complete with its final line break.
    pub text: String,
    /// False makes the exit status 1.
    pub ok: bool,
}

impl Outcome {
    /// Renders sorted findings under `preface`, closed by `summary` (which is completed with their number).
    pub fn of(preface: &str, mut findings: Vec<Finding>, summary: &str) -> Self {
        findings.sort();
        findings.dedup();
        let mut text = preface.to_owned();
        for finding in &findings {
            text += &format!("{finding}\n");
        }
        text += &format!("{summary}, {} finding{}\n", findings.len(), plural(findings.len()));
        Self { text, ok: findings.is_empty() }
    }
}

/// The ending of a noun that is counted: nothing for one, `s` otherwise.
pub fn plural(n: usize) -> &'static str {
    if n == 1 { "" } else { "s" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_come_sorted_and_fail_the_command() {
        let late = Finding::new("size", "b.rs", 1, "too long", "split it");
        let early = Finding::new("size", "a.rs", 7, "too long", "split it");
        let outcome = Outcome::of("", vec![late.clone(), early, late], "tidy: 2 files");
        assert!(!outcome.ok);
        assert_eq!(
            outcome.text,
            "a.rs:7: too long; split it [size]\nb.rs:1: too long; split it [size]\ntidy: 2 files, 2 findings\n"
        );
    }

    #[test]
    fn no_finding_is_one_line_and_a_success() {
        let outcome = Outcome::of("", Vec::new(), "tidy: 2 files");
        assert_eq!(outcome, Outcome { text: "tidy: 2 files, 0 findings\n".to_owned(), ok: true });
    }
}
