// SPDX-License-Identifier: GPL-2.0-only
//! The files of the repository as a value, so that a rule can be tested on three lines written in a test.

use crate::error::XtaskError;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Files by their path from the root, always with `/`; `None` for a file that is not text.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    files: BTreeMap<String, Option<String>>,
}

impl Tree {
    /// A tree of a few files, for tests.
    pub fn of(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|&(path, text)| (path.to_owned(), Some(text.to_owned()))).collect() }
    }

    /// Reads every file that is tracked, or that is new and not ignored; outside git, every file but `target`'s.
    pub fn read(root: &Path) -> Result<Self, XtaskError> {
        let paths = match git_files(root) {
            Some(paths) => paths,
            None => walk(root)?,
        };
        let mut files = BTreeMap::new();
        for path in paths {
            let full = root.join(&path);
            // A file that is deleted but still in the index is no longer part of the tree.
            if !full.is_file() {
                continue;
            }
            let bytes = std::fs::read(&full).map_err(|source| XtaskError::Read { path: full, source })?;
            let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
            files.insert(path, text);
        }
        Ok(Self { files })
    }

    /// Number of files.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is no file at all.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The text of one file.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.as_deref()
    }

    /// All text files in the order of their paths.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)))
    }

    /// All Rust files in the order of their paths.
    pub fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts().filter(|(path, _)| path.ends_with(".rs"))
    }

    /// Whether `path` is a file, or a folder with at least one file.
    pub fn exists(&self, path: &str) -> bool {
        path.is_empty() || self.files.contains_key(path) || {
            let folder = format!("{path}/");
            self.files.range(folder.clone()..).next().is_some_and(|(file, _)| file.starts_with(&folder))
        }
    }
}

/// The root of the workspace: the nearest folder from `start` upwards whose `Cargo.toml` has `[workspace]`.
pub fn workspace_root(start: &Path) -> Result<PathBuf, XtaskError> {
    let is_root = |dir: &Path| {
        std::fs::read_to_string(dir.join("Cargo.toml"))
            .is_ok_and(|text| text.lines().any(|line| line.trim_end() == "[workspace]"))
    };
    let root = start.ancestors().find(|dir| is_root(dir));
    root.map(Path::to_path_buf).ok_or_else(|| XtaskError::NoWorkspace(start.to_path_buf()))
}

/// What git tracks or would offer to add; `None` where there is no git or no repository.
fn git_files(root: &Path) -> Option<Vec<String>> {
    let output = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let names = String::from_utf8(output.stdout).ok()?;
    Some(names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

/// Every file below `root`, but for build output and hidden folders other than `.cargo` and `.ci`.
fn walk(root: &Path) -> Result<Vec<String>, XtaskError> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let cannot = |source| XtaskError::Read { path: folder.clone(), source };
        for entry in std::fs::read_dir(&folder).map_err(cannot)? {
            let path = entry.map_err(cannot)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let hidden = name.starts_with('.') && name != ".cargo" && name != ".ci";
            if path.is_dir() && !hidden && name != "target" {
                folders.push(path);
            } else if path.is_file() {
                let relative = path.strip_prefix(root).unwrap_or(&path);
                found.push(relative.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_exists_when_it_has_a_file_and_only_then() {
        let tree = Tree::of(&[("docs/adr/one.md", "x"), ("docs-old.md", "y")]);
        assert!(tree.exists("docs") && tree.exists("docs/adr") && tree.exists("docs/adr/one.md"));
        assert!(!tree.exists("doc") && !tree.exists("docs/adr/one") && !tree.exists("docs-old"));
    }

    #[test]
    fn the_root_is_found_from_below_and_nowhere_else() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = workspace_root(&here.join("src")).expect("this crate lies in a workspace");
        assert!(root.join("xtask").is_dir());
        assert!(matches!(workspace_root(Path::new("/")), Err(XtaskError::NoWorkspace(_))));
    }

    #[test]
    fn git_and_a_plain_walk_see_the_same_sources() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let seen = walk(here).expect("this crate's folder can be read");
        assert!(seen.contains(&"src/tree.rs".to_owned()) && seen.contains(&"Cargo.toml".to_owned()));
        if let Some(tracked) = git_files(here) {
            assert!(tracked.iter().all(|path| seen.contains(path) || !here.join(path).exists()), "{seen:?}");
        }
    }
}
