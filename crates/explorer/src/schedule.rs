// SPDX-License-Identifier: MIT OR Apache-2.0
//! Schedules and their written form, the replay string.
//!
//! ```text
//! v1:9c2f11d0+@4:a17b17!2c3
//! │  │       │   │      └ value 2 of a choice
//! │  │       │   └ task a takes 17 steps, then b 17, ... (`@` is the root, letters follow the order of creation)
//! │  │       └ the fourth object that the root creates is a scheduling point also where it would be silent
//! │  └ hash of the model's name, so that a string is not replayed on another model by mistake
//! └ version of the form
//! ```
//! A count of 1 is left out. Choices are written where they are taken and have no task. An exploration learns that
//! an object must be a scheduling point when it meets a data race or a trylock on it; a replay has to be told.

use std::fmt;

use crate::op::TaskId;

/// One decision of a schedule.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Decision {
    /// The task takes a step.
    Task(TaskId),
    /// The value of a choice.
    Choice(u32),
}

/// A sequence of decisions, with tasks named by their order of creation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Schedule {
    /// Hash of the model's name.
    pub model: u32,
    /// Objects whose silent operations are scheduling points: creator, and how-manieth of its creations from 0.
    pub visible: Vec<(TaskId, u32)>,
    /// The decisions, in order.
    pub decisions: Vec<Decision>,
}

/// What is wrong with a replay string.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScheduleError {
    /// Byte offset, counted from 0, of the character that does not fit; the length of the text at its end.
    pub at: usize,
    /// What was expected there.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "character {}: expected {}, found {}", self.at + 1, self.expected, self.found)
    }
}

impl std::error::Error for ScheduleError {}

/// The 32-bit FNV-1a hash of a model's name, as used in replay strings.
pub fn model_hash(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193))
}

/// The most decisions that a replay string may stand for; a longer one is an error, not an allocation.
const MAX_DECISIONS: usize = 10_000_000;

impl Schedule {
    /// Parses a replay string.
    ///
    /// # Errors
    /// The first character that does not fit, and what was expected there.
    pub fn parse(text: &str) -> Result<Schedule, ScheduleError> {
        Parser { text, at: 0 }.schedule()
    }

    /// Steps of tasks, choices not counted.
    pub fn steps(&self) -> usize {
        self.decisions.iter().filter(|d| matches!(d, Decision::Task(_))).count()
    }

    /// The number of times that the schedule goes from one task to another.
    pub fn switches(&self) -> usize {
        let tasks = self.decisions.iter().filter(|d| matches!(d, Decision::Task(_)));
        tasks.clone().zip(tasks.skip(1)).filter(|(a, b)| a != b).count()
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v1:{:08x}", self.model)?;
        for (creator, nth) in &self.visible {
            write!(f, "+{}{}", creator.letter(), nth + 1)?;
        }
        f.write_str(":")?;
        let mut i = 0;
        while i < self.decisions.len() {
            match self.decisions[i] {
                Decision::Choice(v) => {
                    write!(f, "!{v}")?;
                    i += 1;
                }
                Decision::Task(t) => {
                    let run = self.decisions[i..].iter().take_while(|d| **d == Decision::Task(t)).count();
                    write!(f, "{}", t.letter())?;
                    if run > 1 {
                        write!(f, "{run}")?;
                    }
                    i += run;
                }
            }
        }
        Ok(())
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn error<T>(&self, expected: &str) -> Result<T, ScheduleError> {
        let found = match self.text[self.at..].chars().next() {
            Some(c) => format!("'{}'", c.escape_default()),
            None => "the end".to_string(),
        };
        Err(ScheduleError { at: self.at, expected: expected.to_string(), found })
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn literal(&mut self, word: &str) -> Result<(), ScheduleError> {
        for c in word.chars() {
            if self.peek() != Some(c) {
                return self.error(&format!(
                    "'{c}' (a replay string begins with \"v1:\" and eight hexadecimal digits)"
                ));
            }
            self.at += c.len_utf8();
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Option<u32>, ScheduleError> {
        let start = self.at;
        let mut value: u32 = 0;
        while let Some(d) = self.peek().and_then(|c| c.to_digit(10)) {
            match value.checked_mul(10).and_then(|v| v.checked_add(d)) {
                Some(v) => value = v,
                None => return self.error("a number below 2^32"),
            }
            self.at += 1;
        }
        Ok((self.at > start).then_some(value))
    }

    fn schedule(mut self) -> Result<Schedule, ScheduleError> {
        self.literal("v1:")?;
        let mut model = 0;
        for _ in 0..8 {
            match self.peek().and_then(|c| c.to_digit(16)) {
                Some(d) => model = model << 4 | d,
                None => return self.error("a hexadecimal digit of the model's hash (eight of them)"),
            }
            self.at += 1;
        }
        let mut visible = Vec::new();
        while self.peek() == Some('+') {
            self.at += 1;
            let Some(creator) = self.peek().and_then(TaskId::from_letter) else {
                return self.error("the letter of the task that creates the object ('@', a-z, A-Z)");
            };
            self.at += 1;
            match self.number()? {
                Some(n) if n > 0 => visible.push((creator, n - 1)),
                _ => return self.error("the how-manieth object it is, a number from 1 on"),
            }
        }
        if self.peek() != Some(':') {
            return self.error("':' before the decisions, or '+' and an object");
        }
        self.at += 1;
        let mut decisions = Vec::new();
        while let Some(c) = self.peek() {
            if c == '!' {
                self.at += 1;
                match self.number()? {
                    Some(v) => decisions.push(Decision::Choice(v)),
                    None => return self.error("the value of a choice, a number"),
                }
            } else if let Some(t) = TaskId::from_letter(c) {
                self.at += 1;
                let start = self.at;
                let run = self.number()?.unwrap_or(1) as usize;
                if run == 0 || decisions.len() + run > MAX_DECISIONS {
                    self.at = start;
                    return self.error("a count of steps between 1 and ten million");
                }
                decisions.extend(std::iter::repeat_n(Decision::Task(t), run));
            } else {
                return self.error("a task's letter ('@', a-z, A-Z) or '!' and a number");
            }
        }
        Ok(Schedule { model, visible, decisions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_survives_its_written_form() {
        for text in [
            "v1:9c2f11d0:a17b17!2c3",
            "v1:00000000:",
            "v1:9c2f11d0+@4+b12:ab",
            "v1:ffffffff:@aZ!0!4294967295b2",
        ] {
            assert_eq!(Schedule::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn errors_name_the_character_and_what_was_expected() {
        let cases = [
            (
                "",
                "character 1: expected 'v' (a replay string begins with \"v1:\" and eight hexadecimal digits), \
                 found the end",
            ),
            (
                "v1:12x",
                "character 6: expected a hexadecimal digit of the model's hash (eight of them), found 'x'",
            ),
            (
                "v1:00000000a",
                "character 12: expected ':' before the decisions, or '+' and an object, found 'a'",
            ),
            (
                "v1:00000000+@:",
                "character 14: expected the how-manieth object it is, a number from 1 on, found ':'",
            ),
            (
                "v1:00000000:a2?",
                "character 15: expected a task's letter ('@', a-z, A-Z) or '!' and a number, found '?'",
            ),
            (
                "v1:00000000:a0",
                "character 14: expected a count of steps between 1 and ten million, found '0'",
            ),
            ("v1:00000000:a99999999999", "character 23: expected a number below 2^32, found '9'"),
            ("v1:00000000:!a", "character 14: expected the value of a choice, a number, found 'a'"),
        ];
        for (text, expected) in cases {
            assert_eq!(Schedule::parse(text).unwrap_err().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn switches_and_steps_skip_choices() {
        let s = Schedule::parse("v1:00000000:a2!1ab!0a").unwrap();
        assert_eq!((s.steps(), s.switches()), (5, 2));
    }
}
