// SPDX-License-Identifier: GPL-2.0-only
//! `docs/kernel-map.toml`: where each cited function stands in the kernel's source, and what it hashes to.
//!
//! The map holds names, line numbers and hashes, never kernel text. It also keeps the names of all functions of
//! each cited C file, so that coverage can be counted without the source.

use serde::{Deserialize, Serialize};

/// Path of the map.
pub const PATH: &str = "docs/kernel-map.toml";

const HEAD: &str = "\
# Written by `cargo xtask cite --kernel DIR --update` from the citations in the Rust sources; not edited by hand.
# lines: first and last line of the function; hash: FNV-1a 64 of its text with white space normalised.
";

/// The whole map.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelMap {
    /// One entry for each version of each file.
    #[serde(default, rename = "file")]
    pub files: Vec<MapFile>,
}

/// One C file of one kernel version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MapFile {
    /// The kernel version, such as `v7.3.4`.
    pub version: String,
    /// The path from the kernel's root.
    pub path: String,
    /// The number of functions that the file defines.
    pub count: usize,
    /// Their names in the order of the file; empty for a header, whose coverage is not counted.
    pub functions: Vec<String>,
    /// The cited ones.
    #[serde(default)]
    pub cited: Vec<MapEntry>,
}

/// A cited function.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MapEntry {
    /// Its first and last line; `"336-378"` in the file.
    #[serde(with = "line_range")]
    pub lines: (usize, usize),
    /// Its name.
    pub name: String,
    /// The hash of its text.
    pub hash: String,
}

/// Line ranges as `"first-last"`.
mod line_range {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(lines: &(usize, usize), to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{}-{}", lines.0, lines.1))
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<(usize, usize), D::Error> {
        let text = String::deserialize(from)?;
        let range =
            text.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
        range.ok_or_else(|| D::Error::custom(format!("`{text}` is no line range such as \"336-378\"")))
    }
}

impl KernelMap {
    /// Reads the map; the error says at which line it is wrong.
    pub fn parse(text: &str) -> Result<Self, (usize, String)> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            (line, error.message().to_owned())
        })
    }

    /// The map as text: files by version and path, functions in the order of the C.
    pub fn render(&self) -> String {
        let mut sorted = self.clone();
        sorted.files.sort();
        for file in &mut sorted.files {
            file.cited.sort();
        }
        let body =
            toml::to_string_pretty(&sorted).unwrap_or_else(|e| unreachable!("plain data is TOML: {e}"));
        format!("{HEAD}\n{}\n", body.trim_end())
    }

    /// The entry of a file.
    pub fn file(&self, version: &str, path: &str) -> Option<&MapFile> {
        self.files.iter().find(|file| file.version == version && file.path == path)
    }
}

/// FNV-1a 64 of the text with every run of white space as one space.
pub fn hash(text: &str) -> String {
    use std::hash::Hasher;
    let mut hasher = fnv::FnvHasher::default();
    for (at, word) in text.split_whitespace().enumerate() {
        if at > 0 {
            hasher.write(b" ");
        }
        hasher.write(word.as_bytes());
    }
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> KernelMap {
        let entry = |name: &str, lines| MapEntry { lines, name: name.to_owned(), hash: hash(name) };
        let file = |path: &str, cited| MapFile {
            version: "v7.3.4".to_owned(),
            path: path.to_owned(),
            count: 2,
            functions: vec!["late".to_owned(), "early".to_owned()],
            cited,
        };
        KernelMap {
            files: vec![
                file("b.c", vec![entry("late", (40, 50)), entry("early", (3, 9))]),
                file("a.c", vec![]),
            ],
        }
    }

    #[test]
    fn what_is_written_is_read_back_in_one_order() {
        let text = sample().render();
        let read = KernelMap::parse(&text).expect("the map reads its own writing");
        assert_eq!(read.render(), text);
        assert_eq!(read.files.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), ["a.c", "b.c"]);
        assert_eq!(
            read.files[1].cited.iter().map(|e| e.name.as_str()).collect::<Vec<_>>(),
            ["early", "late"]
        );
        assert!(text.ends_with("\"\n") && !text.ends_with("\n\n"), "{text}");
    }

    #[test]
    fn an_empty_map_is_text_too() {
        assert_eq!(KernelMap::parse(&KernelMap::default().render()), Ok(KernelMap::default()));
    }

    #[test]
    fn a_broken_map_names_the_line() {
        let entry = sample().render().replace("40-50", "40 to 50");
        assert!(
            KernelMap::parse(&entry)
                .expect_err("a range has a hyphen")
                .1
                .contains("`40 to 50` is no line range")
        );
        assert_eq!(KernelMap::parse("\n[[file]]\nversion = 3\n").expect_err("a version is a string").0, 3);
    }

    #[test]
    fn white_space_does_not_count_and_anything_else_does() {
        assert_eq!(hash("int a(void)\n{\n\treturn 0;\n}"), hash("  int a(void) { return 0; }\n"));
        assert_ne!(hash("int a(void) { return 0; }"), hash("int a(void) { return 1; }"));
        assert_ne!(hash("a b"), hash("ab"));
        // The published test vector of FNV-1a 64 for "foobar".
        assert_eq!(hash("foobar"), "85944171f73967e8");
    }
}
