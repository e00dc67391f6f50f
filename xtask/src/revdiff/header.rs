// SPDX-License-Identifier: GPL-2.0-only
//! The header of a revision's file: which C file, from where, which parent, what for, which functions differ.
//!
//! ```text
//! //! Kernel file: drivers/vfio/pci/vfio_pci_dmabuf.c
//! //! Message-ID: <…>                     (or `Version: v7.3.4`)
//! //! Parent: v7_3                         (`none` for a revision that starts a line)
//! //! Intent: one sentence.
//! //! Functions changed: a, b, c           (`none`; may go on over several lines)
//! ```

use std::collections::BTreeMap;

/// The words that a header knows.
const KEYS: [&str; 6] = ["Kernel file", "Version", "Message-ID", "Parent", "Intent", "Functions changed"];

/// A header as written: value and line of each key that is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    entries: BTreeMap<&'static str, (String, usize)>,
}

impl Header {
    /// Reads the module documentation at the top of the file.
    pub fn parse(text: &str) -> Self {
        let mut entries: BTreeMap<&'static str, (String, usize)> = BTreeMap::new();
        let mut open = None;
        for (at, line) in text.lines().enumerate() {
            let Some(words) = line.strip_prefix("//!") else {
                if line.starts_with("//") || line.trim().is_empty() || line.starts_with("#!") {
                    open = None;
                    continue;
                }
                break;
            };
            let words = words.trim();
            let key =
                KEYS.iter().find(|key| words.strip_prefix(**key).is_some_and(|rest| rest.starts_with(':')));
            if let Some(key) = key {
                let value = words[key.len() + 1..].trim().to_owned();
                entries.entry(key).or_insert((value, at + 1));
                open = Some(*key);
            } else if words.is_empty() {
                open = None;
            } else if let Some((value, _)) = open.and_then(|key| entries.get_mut(key)) {
                *value += " ";
                *value += words;
            }
        }
        Self { entries }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entries.get(key).map(|(value, _)| value.as_str())
    }

    /// The line of a key; 1 when it is missing.
    pub fn line(&self, key: &str) -> usize {
        self.entries.get(key).map_or(1, |(_, line)| *line)
    }

    /// The parent, unless there is none.
    pub fn parent(&self) -> Option<&str> {
        self.get("Parent")
            .map(|name| name.trim_matches(['`', '.']))
            .filter(|name| !matches!(*name, "none" | ""))
    }

    /// The functions that it lists as changed.
    pub fn functions(&self) -> Vec<&str> {
        let list = self.get("Functions changed").unwrap_or_default().trim_end_matches('.');
        list.split(',')
            .map(|name| name.trim().trim_matches('`'))
            .filter(|n| !matches!(*n, "" | "none"))
            .collect()
    }

    /// What every header must say and this one does not.
    pub fn missing(&self) -> Vec<&'static str> {
        let mut missing: Vec<_> =
            ["Kernel file", "Parent", "Intent"].into_iter().filter(|key| self.get(key).is_none()).collect();
        if self.get("Version").is_none() && self.get("Message-ID").is_none() {
            missing.push("Version: … or Message-ID");
        }
        if self.parent().is_some() && self.get("Functions changed").is_none() {
            missing.push("Functions changed");
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "// SPDX-License-Identifier: GPL-2.0-only\n//! Kernel file: a.c\n//! Message-ID: <x@y>\n\
                         //! Parent: v7_3\n//! Intent: to see: it all.\n//! Functions changed: f, `S::g`,\n//!   h\n\
                         //!\n//! More words, no list.\n\nfn f() {}\n//! Parent: other\n";

    #[test]
    fn a_whole_header_is_read() {
        let header = Header::parse(WHOLE);
        assert_eq!(header.missing(), Vec::<&str>::new());
        assert_eq!((header.parent(), header.line("Parent")), (Some("v7_3"), 4));
        assert_eq!(header.functions(), ["f", "S::g", "h"]);
        assert_eq!(header.get("Intent"), Some("to see: it all."));
    }

    #[test]
    fn what_is_missing_is_said() {
        for (line, name) in [
            ("//! Kernel file: a.c\n", "Kernel file"),
            ("//! Parent: v7_3\n", "Parent"),
            ("//! Intent: to see: it all.\n", "Intent"),
            ("//! Message-ID: <x@y>\n", "Version: … or Message-ID"),
            ("//! Functions changed: f, `S::g`,\n//!   h\n", "Functions changed"),
        ] {
            assert_eq!(Header::parse(&WHOLE.replacen(line, "", 1)).missing(), [name]);
        }
    }

    #[test]
    fn a_base_needs_no_list() {
        let header = Header::parse(
            "//! Kernel file: a.c\n//! Version: v7.3.4\n//! Parent: none\n//! Intent: as released.\n",
        );
        assert_eq!((header.missing(), header.parent(), header.functions()), (Vec::new(), None, Vec::new()));
    }
}
