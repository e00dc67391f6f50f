// SPDX-License-Identifier: GPL-2.0-only
//! `cargo xtask ci`: what has to hold beside the tests. Each step is printed with its seconds; the first that fails
//! ends the run with the command that repeats it.

use crate::error::XtaskError;
use crate::finding::Outcome;
use crate::process::CommandLine;
use crate::tree::Tree;
use crate::{cite, revdiff, tidy};
use std::path::Path;
use std::time::Instant;

/// One step.
#[derive(Clone, Copy)]
pub struct Step {
    /// Its name in the output.
    pub name: &'static str,
    /// What to type to repeat it.
    pub command: CommandLine,
    /// The check inside this program that stands for the command; none when the command is started.
    pub inside: Option<fn(&Tree) -> Outcome>,
}

/// The steps, the quickest answers first.
pub const STEPS: [Step; 6] = [
    Step { name: "format", command: cargo(&["cargo", "fmt", "--all", "--check"]), inside: None },
    Step { name: "tidy", command: cargo(&["cargo", "xtask", "tidy"]), inside: Some(tidy::run) },
    Step { name: "cite", command: cargo(&["cargo", "xtask", "cite"]), inside: Some(cite::check::run) },
    Step {
        name: "revdiff",
        command: cargo(&["cargo", "xtask", "revdiff", "--check"]),
        inside: Some(revdiff::run_check),
    },
    Step {
        name: "clippy",
        command: cargo(&["cargo", "clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
        inside: None,
    },
    Step {
        name: "rustdoc",
        command: CommandLine {
            environment: &[("RUSTDOCFLAGS", "-D warnings")],
            words: &["cargo", "doc", "--workspace", "--no-deps"],
        },
        inside: None,
    },
];

const fn cargo(words: &'static [&'static str]) -> CommandLine {
    CommandLine { environment: &[], words }
}

/// Runs `steps` one after the other, telling `say` what happens. True when all of them pass.
pub fn run(steps: &[Step], root: &Path, say: &mut dyn FnMut(&str)) -> Result<bool, XtaskError> {
    let begin = Instant::now();
    for (at, step) in steps.iter().enumerate() {
        let typed = step.command.typed();
        say(&format!("ci {}/{} {}: {typed}\n", at + 1, steps.len(), step.name));
        let start = Instant::now();
        let ok = match step.inside {
            Some(check) => {
                let outcome = check(&Tree::read(root)?);
                say(&outcome.text);
                outcome.ok
            }
            None => match step.command.run(root, &[]) {
                Ok(()) => true,
                Err(XtaskError::Failed { .. }) => false,
                Err(other) => return Err(other),
            },
        };
        let seconds = start.elapsed().as_secs_f64();
        if !ok {
            say(&format!("ci {}/{} {}: FAILED after {seconds:.1} s\n", at + 1, steps.len(), step.name));
            say(&format!("to repeat it alone: {typed}\n"));
            return Ok(false);
        }
        say(&format!("ci {}/{} {}: {seconds:.1} s\n", at + 1, steps.len(), step.name));
    }
    say(&format!("ci: {} steps passed in {:.1} s\n", steps.len(), begin.elapsed().as_secs_f64()));
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn shell(script: &'static str, words: &'static [&'static str]) -> Step {
        Step { name: script, command: CommandLine { environment: &[], words }, inside: None }
    }

    const GOOD: Step = shell("good", &["sh", "-c", "true"]);
    const BAD: Step = shell("bad", &["sh", "-c", "false"]);

    fn said(steps: &[Step]) -> (Result<bool, XtaskError>, String) {
        let mut text = String::new();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let result = run(steps, root, &mut |words| text += words);
        (result, text)
    }

    #[test]
    fn all_steps_pass_or_the_first_failure_ends_it() {
        let (result, text) = said(&[GOOD, GOOD]);
        assert!(result.is_ok_and(|ok| ok) && text.contains("ci: 2 steps passed in "), "{text}");
        let (result, text) = said(&[GOOD, BAD, GOOD]);
        assert!(result.is_ok_and(|ok| !ok), "{text}");
        assert!(
            text.contains("ci 2/3 bad: FAILED") && text.ends_with("to repeat it alone: sh -c false\n"),
            "{text}"
        );
        assert!(!text.contains("ci 3/3"), "{text}");
    }

    #[test]
    fn a_check_inside_prints_what_it_finds() {
        let fails = |_: &Tree| Outcome { text: "a.rs:1: wrong\n".to_owned(), ok: false };
        let (result, text) = said(&[Step { inside: Some(fails), ..GOOD }]);
        assert!(
            result.is_ok_and(|ok| !ok) && text.contains("\na.rs:1: wrong\nci 1/1 good: FAILED"),
            "{text}"
        );
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error() {
        assert!(matches!(
            said(&[shell("gone", &["no-such-program-anywhere"])]).0,
            Err(XtaskError::Start { .. })
        ));
    }
}
