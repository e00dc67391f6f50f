// SPDX-License-Identifier: GPL-2.0-only
//! `cargo xtask revdiff`: two revisions function by function; a header that lists exactly what it changes.

pub mod header;
pub mod items;

use crate::error::XtaskError;
use crate::finding::{Finding, Outcome, plural};
use crate::tidy::revisions::{FOLDER, split};
use crate::tree::Tree;
use header::Header;
use items::Item;
use similar::TextDiff;
use std::collections::{BTreeMap, BTreeSet};

/// An item that differs: its name, and what it was and is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The name as [`items::items`] gives it.
    pub name: String,
    /// The parent's item; none for an added one.
    pub old: Option<Item>,
    /// The child's item; none for a removed one.
    pub new: Option<Item>,
}

impl Change {
    /// Whether it is a function, in either of the two.
    pub fn is_function(&self) -> bool {
        self.old.as_ref().or(self.new.as_ref()).is_some_and(|item| item.is_function)
    }

    fn verb(&self) -> &'static str {
        match (&self.old, &self.new) {
            (None, _) => "added",
            (_, None) => "removed",
            _ => "changed",
        }
    }
}

/// The items that differ between two texts of one file, by name. The error is the line and the parser's words.
pub fn changes(old: &str, new: &str) -> Result<Vec<Change>, (usize, String)> {
    let (mut old, new) = (items::items(old)?, items::items(new)?);
    let mut found: BTreeMap<String, Change> = BTreeMap::new();
    for (name, new) in new {
        let old = old.remove(&name);
        if old.as_ref().is_none_or(|old| old.tokens != new.tokens) {
            found.insert(name.clone(), Change { name, old, new: Some(new) });
        }
    }
    found.extend(
        old.into_iter().map(|(name, old)| (name.clone(), Change { name, old: Some(old), new: None })),
    );
    Ok(found.into_values().collect())
}

/// Compares two revisions, each by its name or its folder: a diff for each item, or with `names_only` the list.
pub fn compare(tree: &Tree, old: &str, new: &str, names_only: bool) -> Result<Outcome, XtaskError> {
    let (old, new) = (known(tree, old)?, known(tree, new)?);
    let mut text = String::new();
    let mut count = 0;
    let names: BTreeSet<&str> = files(tree, new).into_iter().chain(files(tree, old)).collect();
    for file in names {
        // A file that the child does not have comes from its parent: nothing differs.
        let Some(after) = tree.text(&format!("{FOLDER}{new}/{file}")) else { continue };
        let before = effective(tree, old, file).unwrap_or_default();
        let changes = changes(before, after).map_err(|(line, message)| {
            XtaskError::usage(
                format!("{file} of {old} or {new}, line {line}: {message}"),
                "see `cargo check`",
            )
        })?;
        count += changes.len();
        for change in &changes {
            text += &rendered(change, old, new, file, names_only);
        }
    }
    text += &format!("revdiff: {count} item{} differing between {old} and {new}\n", plural(count));
    Ok(Outcome { text, ok: true })
}

fn rendered(change: &Change, old: &str, new: &str, file: &str, names_only: bool) -> String {
    let Change { name, old: before, new: after } = change;
    if names_only {
        return format!("{file}: {name} ({})\n", change.verb());
    }
    let text = |item: &Option<Item>| item.as_ref().map_or(String::new(), |item| item.text.clone());
    let (before, after) = (text(before), text(after));
    let heads = (format!("{old}/{file} {name}"), format!("{new}/{file} {name}"));
    TextDiff::from_lines(&before, &after)
        .unified_diff()
        .context_radius(3)
        .header(&heads.0, &heads.1)
        .to_string()
}

/// Checks that each file's header is whole and lists exactly the functions that differ from the parent's file.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.rust() {
        let Some((revision, file)) = split(path) else { continue };
        if file == "mod.rs" {
            continue;
        }
        let header = Header::parse(text);
        for key in header.missing() {
            let instead = "add it; CONTRIBUTING.md shows a whole header";
            findings.push(Finding::new(
                "revdiff",
                path,
                1,
                format!("the header has no `{key}: …` line"),
                instead,
            ));
        }
        let Some(parent) = header.parent() else { continue };
        let parent_line = header.line("Parent");
        let mut push = |line, what: String, instead: &str| {
            findings.push(Finding::new("revdiff", path, line, what, instead));
        };
        if files(tree, parent).is_empty() || parent == revision {
            push(parent_line, format!("the parent `{parent}` is no other revision"), "name one, or `none`");
            continue;
        }
        let Some(before) = effective(tree, parent, file) else {
            // A file that is new with this revision: everything in it is a change.
            check_list(&header, changes("", text), file, parent, &mut push);
            continue;
        };
        check_list(&header, changes(before, text), file, parent, &mut push);
    }
    findings
}

fn check_list(
    header: &Header,
    changes: Result<Vec<Change>, (usize, String)>,
    file: &str,
    parent: &str,
    push: &mut impl FnMut(usize, String, &str),
) {
    let line = header.line("Functions changed");
    let changes = match changes {
        Ok(changes) => changes,
        Err((line, message)) => {
            let what = format!("{file} or its parent in {parent} is no Rust ({message})");
            return push(line, what, "mend it; `cargo check` says more");
        }
    };
    let listed = header.functions();
    // A method may be listed with or without its type.
    let lists =
        |name: &str| listed.iter().any(|entry| *entry == name || name.ends_with(&format!("::{entry}")));
    for change in changes.iter().filter(|change| change.is_function() && !lists(&change.name)) {
        let what =
            format!("{} is {} against {parent}, and the header does not list it", change.name, change.verb());
        push(line, what, "add it to `Functions changed:`, or take the change back");
    }
    for entry in listed {
        let tail = |name: &str| {
            name == entry || name.ends_with(&format!("::{entry}")) || name.ends_with(&format!(" {entry}"))
        };
        if !changes.iter().any(|change| tail(&change.name)) {
            let what = format!("the header lists {entry}, which is the same in {parent}");
            push(line, what, "remove it from `Functions changed:`, or make the change");
        }
    }
}

/// The subcommand with `--check`.
pub fn run_check(tree: &Tree) -> Outcome {
    let count = tree.rust().filter(|(path, _)| split(path).is_some()).count();
    Outcome::of("", check(tree), &format!("revdiff: {count} revision file{}", plural(count)))
}

/// The text of a file as the revision has it: its own, or that of the nearest forebear with one.
fn effective<'t>(tree: &'t Tree, revision: &str, file: &str) -> Option<&'t str> {
    let mut seen = BTreeSet::new();
    let mut revision = revision.to_owned();
    // A line of parents that runs in a circle ends where it started.
    while seen.insert(revision.clone()) {
        if let Some(text) = tree.text(&format!("{FOLDER}{revision}/{file}")) {
            return Some(text);
        }
        let parents = files(tree, &revision).into_iter().filter_map(|other| {
            Header::parse(tree.text(&format!("{FOLDER}{revision}/{other}"))?).parent().map(str::to_owned)
        });
        revision = parents.into_iter().next()?;
    }
    None
}

/// The files of a revision, without its `mod.rs`.
fn files<'t>(tree: &'t Tree, revision: &str) -> Vec<&'t str> {
    let of = |(path, _): (&'t str, &str)| {
        split(path).filter(|(name, file)| *name == revision && *file != "mod.rs")
    };
    tree.rust().filter_map(of).map(|(_, file)| file).collect()
}

/// The name of a revision that exists, from its name or its folder.
fn known<'n>(tree: &Tree, name: &'n str) -> Result<&'n str, XtaskError> {
    let name = name.trim_end_matches('/').rsplit('/').next().unwrap_or(name);
    if !files(tree, name).is_empty() {
        return Ok(name);
    }
    let all: BTreeSet<&str> = tree.rust().filter_map(|(path, _)| Some(split(path)?.0)).collect();
    let all = all.into_iter().collect::<Vec<_>>().join(", ");
    Err(XtaskError::usage(format!("there is no revision `{name}` in {FOLDER}"), format!("there are: {all}")))
}

#[cfg(test)]
mod tests;
