// SPDX-License-Identifier: GPL-2.0-only
//! Every relative link of a Markdown file leads to a file or folder of the repository.

use crate::finding::Finding;
use crate::tree::Tree;
use pulldown_cmark::{Event, Parser, Tag};

/// Finds links that lead nowhere.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts().filter(|(path, _)| path.ends_with(".md")) {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (event, range) in Parser::new(text).into_offset_iter() {
            let Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) = event else {
                continue;
            };
            let line = text[..range.start].matches('\n').count() + 1;
            let finding = |what: String, instead| Finding::new("links", path, line, what, instead);
            match resolve(folder, &dest_url) {
                Target::Elsewhere => {}
                Target::Outside => findings.push(finding(
                    format!("the link {dest_url} leaves the repository"),
                    "link to a file of the repository, or to a public address",
                )),
                Target::Inside(target) => {
                    if !tree.exists(&target) {
                        findings.push(finding(
                            format!("the link {dest_url} leads nowhere: there is no {target}"),
                            "correct it, or add the file",
                        ));
                    }
                }
            }
        }
    }
    findings
}

/// Where a link leads.
enum Target {
    /// A web or mail address, or a heading of the same file.
    Elsewhere,
    /// Above the root, or an absolute path.
    Outside,
    /// A path from the root of the repository.
    Inside(String),
}

fn resolve(folder: &str, url: &str) -> Target {
    let path = url.split(['#', '?']).next().unwrap_or_default();
    let scheme = url.split_once(':').is_some_and(|(scheme, _)| scheme.chars().all(char::is_alphanumeric));
    if path.is_empty() || scheme {
        return Target::Elsewhere;
    }
    if path.starts_with('/') {
        return Target::Outside;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if parts.pop().is_none() {
                    return Target::Outside;
                }
            }
            part => parts.push(part),
        }
    }
    Target::Inside(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::expect_places;

    fn found(text: &str) -> Vec<Finding> {
        check(&Tree::of(&[("docs/a.md", text), ("docs/b.md", ""), ("src/main.rs", "")]))
    }

    #[test]
    fn links_that_lead_somewhere() {
        for text in [
            "[b](b.md)",
            "[b](./b.md#heading)",
            "[b][ref]\n\n[ref]: ../src/main.rs \"title\"",
            "[src](../src)",
            "[root](..)",
            "[here](#heading)",
            "[web](https://example.org/gone.md) <mailto:a@example.org>",
            "`[code](gone.md)`\n\n```\n[code](gone.md)\n```",
            "text [not a link] (gone.md)",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn links_that_lead_nowhere() {
        for text in
            ["\n[b](c.md)", "\n![b](../b.md)", "\n[b][r]\n\n[r]: gone/", "\n[b](../../b.md)", "\n[b](/src)"]
        {
            expect_places(&found(text), &["docs/a.md:2"]);
        }
    }
}
