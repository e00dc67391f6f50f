// SPDX-License-Identifier: GPL-2.0-only
//! Modelled crates do not print, read a clock, draw lots, read the environment or iterate in hash order.
//!
//! A run must be the same each time it is replayed. clippy.toml bans the same things by their resolved type; this
//! rule sees what clippy does not: macros of ours, code behind a `cfg`, and it says what to write instead.

use crate::finding::Finding;
use crate::rust_text::{self, NamePath, Token};
use crate::tidy::is_modelled_source;
use crate::tree::Tree;

const PRINTING: &str = "record an event or a `Report`; only the root package prints";
const CLOCK: &str = "take the world's own time (jiffies); it advances with the schedule";
const CHANCE: &str = "let the scheduler choose; a draw must be part of the replay string";
const ENVIRONMENT: &str = "take it as an argument; only the root package reads the environment";
const HASH: &str = "use BTreeMap or BTreeSet, an indexed slab, or a map whose hasher is fixed";

const MACROS: [(&str, &str); 5] = [
    ("println", PRINTING),
    ("print", PRINTING),
    ("eprintln", PRINTING),
    ("eprint", PRINTING),
    ("dbg", PRINTING),
];

/// Consecutive segments of a path.
const PATHS: [(&[&str], &str); 6] = [
    (&["time", "Instant"], CLOCK),
    (&["time", "SystemTime"], CLOCK),
    (&["time", "*"], CLOCK),
    (&["std", "env"], ENVIRONMENT),
    (&["thread_rng"], CHANCE),
    (&["RandomState"], HASH),
];

/// Crates that bring randomness.
const CHANCE_CRATES: [&str; 5] = ["rand", "fastrand", "getrandom", "rand_core", "oorandom"];

/// Hash tables, the number of type arguments at which the hasher is given.
const TABLES: [(&str, usize); 2] = [("HashMap", 3), ("HashSet", 2)];
/// Their constructors that take the default hasher.
const DEFAULT_HASHER: [&str; 3] = ["new", "with_capacity", "from"];

/// Finds banned names in the sources of the modelled crates, unit tests apart.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.rust().filter(|(path, _)| is_modelled_source(path)) {
        // A file that does not lex is no finding of this rule: it does not compile either.
        let Ok(tokens) = rust_text::tokens(text) else { continue };
        let tokens = rust_text::without_tests(&tokens);
        for name in rust_text::paths(&tokens) {
            if let Some((what, instead)) = verdict(&tokens, &name) {
                let what = format!("{what} is banned in modelled crates");
                findings.push(Finding::new("banned", path, name.line, what, instead));
            }
        }
    }
    findings
}

fn verdict(tokens: &[Token], name: &NamePath) -> Option<(String, &'static str)> {
    let segments: Vec<&str> = name.segments.iter().map(String::as_str).collect();
    let last = *segments.last()?;
    if tokens.get(name.next).is_some_and(|t| t.is("!"))
        && let Some((_, instead)) = MACROS.iter().find(|(word, _)| *word == last)
    {
        return Some((format!("`{last}!`"), instead));
    }
    if CHANCE_CRATES.contains(&segments[0]) && segments.len() > 1 {
        return Some((format!("`{}`", segments.join("::")), CHANCE));
    }
    for (pattern, instead) in PATHS {
        if segments.windows(pattern.len()).any(|window| window == pattern) {
            return Some((format!("`{}`", segments.join("::")), instead));
        }
    }
    let (table, arguments) = TABLES.iter().find(|(table, _)| segments.contains(table))?;
    let defaulted = match tokens.get(name.next) {
        _ if last != *table => DEFAULT_HASHER.contains(&last),
        Some(open) if open.is("<") => type_arguments(tokens, name.next) < *arguments,
        Some(colons) if colons.is("::") => type_arguments(tokens, name.next + 1) < *arguments,
        _ => false,
    };
    defaulted.then(|| (format!("`{table}` with the default hasher"), HASH))
}

/// Number of type arguments in the angle brackets that open at `open`.
fn type_arguments(tokens: &[Token], open: usize) -> usize {
    let mut count = 1;
    let mut angles = 0usize;
    let mut brackets = 0usize;
    let mut after_comma = false;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        let comma = std::mem::take(&mut after_comma);
        match token.text.as_str() {
            "<" => angles += 1,
            ">" if tokens[at - 1].is("-") => {}
            ">" => angles -= 1,
            "(" | "[" | "{" => brackets += 1,
            ")" | "]" | "}" => brackets -= 1,
            "," if angles == 1 && brackets == 0 => {
                count += 1;
                after_comma = true;
            }
            _ => {}
        }
        if angles == 0 {
            return count - usize::from(comma);
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::expect_places;

    fn found(text: &str) -> Vec<Finding> {
        check(&Tree::of(&[("crates/machine/src/a.rs", text)]))
    }

    #[test]
    fn each_banned_name_fires() {
        for text in [
            "fn a() { println!(\"x\"); }",
            "fn a() { std::eprintln!(\"x\"); }",
            "macro_rules! m { () => { dbg!(1) }; }",
            "use std::time::Instant;",
            "use std::{fmt, time::{Duration, SystemTime}};",
            "use std::time::*;",
            "use std::time;\nfn a() { time::Instant::now(); }",
            "use std::env;",
            "fn a() { std::env::var(\"X\"); }",
            "use rand::Rng;",
            "fn a() { thread_rng(); }",
            "fn a() { fastrand::u8(..); }",
            "fn a(x: HashMap<u8, u8>) {}",
            "fn a(x: HashMap<u8, fn(u8) -> (u8, u8),>) {}",
            "fn a() { std::collections::HashSet::<u8>::default(); }",
            "fn a() { HashMap::new(); }",
            "fn a() { HashSet::with_capacity(3); }",
            "fn a() { std::hash::RandomState::new(); }",
        ] {
            assert_eq!(found(text).len(), 1, "{text}");
        }
    }

    #[test]
    fn what_only_looks_alike_does_not() {
        for text in [
            "use std::collections::{BTreeMap, HashMap};",
            "fn a(x: HashMap<u8, u8, Fixed>, y: HashSet<u8, Fixed>) {}",
            "fn a() { HashMap::<u8, Vec<u8>, Fixed>::with_hasher(Fixed); HashMap::with_hasher(Fixed); }",
            "fn a(x: HashMap<u8, fn() -> u8, Fixed>) {}",
            "use std::time::Duration;",
            "struct Instant; fn a(at: Instant) {}",
            "/// Not `println!`.\nfn a() { let s = \"dbg!()\"; }",
            "fn a() { let rand = 3; let v = env!(\"CARGO_PKG_VERSION\"); }",
            "fn a(env: &Env) { env.var(); writeln!(f); }",
            "#[cfg(test)] mod tests { fn a() { println!(); } }",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn only_the_sources_of_modelled_crates_are_asked() {
        let text = "fn a() {\n    println!();\n}\n";
        let tree = Tree::of(&[
            ("crates/dmabuf/benches/a.rs", text),
            ("crates/dmabuf/src/a.rs", text),
            ("crates/dmabuf/tests/a.rs", text),
            ("src/main.rs", text),
            ("xtask/src/a.rs", text),
        ]);
        expect_places(&check(&tree), &["crates/dmabuf/src/a.rs:2"]);
    }

    #[test]
    fn the_message_names_the_replacement() {
        let message = found("use std::time::Instant;")[0].to_string();
        assert!(
            message.contains("`std::time::Instant` is banned") && message.contains("jiffies"),
            "{message}"
        );
    }
}
