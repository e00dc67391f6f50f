// SPDX-License-Identifier: GPL-2.0-only
//! Rust source as tokens with their lines: enough for rules about names, blind to comments and strings.
//!
//! The lexer is `proc-macro2`'s. Modelled code hides much in macros, whose bodies are plain tokens too, so the
//! rules look at tokens instead of a syntax tree.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use std::str::FromStr;

/// What sort of token it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A name or keyword.
    Ident,
    /// One punctuation mark; `::` counts as one.
    Punct,
    /// A string, character or number.
    Literal,
    /// An opening bracket.
    Open,
    /// A closing bracket.
    Close,
}

/// A token and the line it starts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its text as written.
    pub text: String,
    /// Its sort.
    pub kind: Kind,
    /// Its line, from 1.
    pub line: usize,
}

impl Token {
    /// Whether this is the name or keyword `word`.
    pub fn is_ident(&self, word: &str) -> bool {
        self.kind == Kind::Ident && self.text == word
    }

    /// Whether this is the mark or bracket `text`.
    pub fn is(&self, text: &str) -> bool {
        self.kind != Kind::Ident && self.kind != Kind::Literal && self.text == text
    }
}

/// Why a file cannot be cut into tokens, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LexError {
    /// Line of the offence.
    pub line: usize,
    /// The lexer's words.
    pub message: String,
}

/// Cuts `text` into tokens.
pub fn tokens(text: &str) -> Result<Vec<Token>, LexError> {
    let stream = TokenStream::from_str(text)
        .map_err(|e| LexError { line: e.span().start().line, message: e.to_string() })?;
    Ok(flatten(stream))
}

/// Flattens groups into their brackets and contents.
pub fn flatten(stream: TokenStream) -> Vec<Token> {
    let mut out = Vec::new();
    push_all(stream, &mut out);
    out
}

fn push_all(stream: TokenStream, out: &mut Vec<Token>) {
    let mut after_colon = false;
    for tree in stream {
        let line = tree.span().start().line;
        let mut push = |text: String, kind, line| out.push(Token { text, kind, line });
        let was_after_colon = std::mem::take(&mut after_colon);
        match tree {
            TokenTree::Ident(ident) => push(ident.to_string(), Kind::Ident, line),
            TokenTree::Literal(literal) => push(literal.to_string(), Kind::Literal, line),
            TokenTree::Punct(p) if p.as_char() == ':' && was_after_colon => {
                if let Some(last) = out.last_mut() {
                    "::".clone_into(&mut last.text);
                }
            }
            TokenTree::Punct(p) => {
                after_colon = p.as_char() == ':' && p.spacing() == Spacing::Joint;
                push(p.to_string(), Kind::Punct, line);
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                push(open.to_owned(), Kind::Open, line);
                let end = group.span_close().end().line;
                push_all(group.stream(), out);
                out.push(Token { text: close.to_owned(), kind: Kind::Close, line: end });
            }
        }
    }
}

/// The tokens without the items under `#[cfg(test)]`; nothing for a file under `#![cfg(test)]`.
pub fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let inner = tokens[at].is("#") && tokens.get(at + 1).is_some_and(|t| t.is("!"));
        let bracket = at + 1 + usize::from(inner);
        if tokens[at].is("#") && is_cfg_test(tokens, bracket) {
            if inner {
                return kept;
            }
            at = end_of_item(tokens, closing(tokens, bracket) + 1);
            continue;
        }
        kept.push(tokens[at].clone());
        at += 1;
    }
    kept
}

/// Index of the bracket that closes the one at `open`.
pub fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    tokens.len().saturating_sub(1)
}

fn is_cfg_test(tokens: &[Token], bracket: usize) -> bool {
    if !tokens.get(bracket).is_some_and(|t| t.is("[")) || !tokens[bracket + 1].is_ident("cfg") {
        return false;
    }
    let inside = &tokens[bracket..closing(tokens, bracket)];
    inside.iter().any(|t| t.is_ident("test")) && !inside.iter().any(|t| t.is_ident("not"))
}

/// Index behind the item that starts at `at`: behind its body, or behind its semicolon.
fn end_of_item(tokens: &[Token], mut at: usize) -> usize {
    while at < tokens.len() {
        if tokens[at].is(";") {
            return at + 1;
        }
        if tokens[at].kind == Kind::Open {
            let brace = tokens[at].is("{");
            at = closing(tokens, at);
            if brace {
                return at + 1;
            }
        }
        at += 1;
    }
    at
}

/// A path such as `std::time::Instant`, one for each leaf of a `use` tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePath {
    /// Its segments; `*` for a glob.
    pub segments: Vec<String>,
    /// Line of the last segment.
    pub line: usize,
    /// Index of the token behind the last segment.
    pub next: usize,
}

/// Every path in the tokens, single names included; groups of a `use` are spelt out.
pub fn paths(tokens: &[Token]) -> Vec<NamePath> {
    let mut found = Vec::new();
    let mut imported = false;
    let mut at = 0;
    while at < tokens.len() {
        let token = &tokens[at];
        if token.is_ident("use") {
            imported = true;
        } else if token.is(";") {
            imported = false;
        } else if token.kind == Kind::Ident {
            at = path_from(tokens, at, &[], imported, &mut found);
            continue;
        }
        at += 1;
    }
    found
}

fn path_from(
    tokens: &[Token],
    mut at: usize,
    prefix: &[String],
    imported: bool,
    found: &mut Vec<NamePath>,
) -> usize {
    let mut segments = prefix.to_vec();
    let mut line = tokens[at].line;
    loop {
        segments.push(tokens[at].text.clone());
        line = line.max(tokens[at].line);
        at += 1;
        if !tokens.get(at).is_some_and(|t| t.is("::")) {
            break;
        }
        match tokens.get(at + 1) {
            Some(next) if next.kind == Kind::Ident || next.is("*") => at += 1,
            Some(next) if next.is("{") && imported => {
                let end = closing(tokens, at + 1);
                at += 2;
                while at < end {
                    if tokens[at].is_ident("as") {
                        at += 2;
                    } else if tokens[at].kind == Kind::Ident || tokens[at].is("*") {
                        at = path_from(tokens, at, &segments, imported, found);
                    } else {
                        at += 1;
                    }
                }
                return end + 1;
            }
            _ => break,
        }
    }
    found.push(NamePath { segments, line, next: at });
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        without_tests(&tokens(text).expect("the sample is Rust")).into_iter().map(|t| t.text).collect()
    }

    fn spelt(text: &str) -> Vec<String> {
        paths(&tokens(text).expect("the sample is Rust")).into_iter().map(|p| p.segments.join("::")).collect()
    }

    #[test]
    fn comments_and_strings_have_no_names() {
        assert_eq!(
            words("// HashMap\nlet s = \"HashMap\"; /* HashMap */"),
            ["let", "s", "=", "\"HashMap\"", ";"]
        );
    }

    #[test]
    fn items_under_cfg_test_are_dropped_and_others_kept() {
        assert_eq!(words("#[cfg(test)] mod tests { fn a() {} } fn b();"), ["fn", "b", "(", ")", ";"]);
        assert_eq!(words("#[cfg(test)] #[path = \"x\"] mod tests; struct S;"), ["struct", "S", ";"]);
        assert_eq!(words("#![cfg(test)] fn a() {}"), Vec::<String>::new());
        assert!(words("#[cfg(not(test))] fn a() {}").contains(&"a".to_owned()));
        assert!(words("#[cfg(unix)] fn a() {}").contains(&"a".to_owned()));
    }

    #[test]
    fn a_use_tree_is_spelt_out() {
        assert_eq!(
            spelt("use std::{env, time::{Duration, Instant as Now}};"),
            ["std::env", "std::time::Duration", "std::time::Instant"]
        );
        assert_eq!(spelt("let x = time::Instant::now();"), ["let", "x", "time::Instant::now"]);
        assert_eq!(spelt("use a::b::*;"), ["a::b::*"]);
    }

    #[test]
    fn lines_are_counted_from_one() {
        let found = tokens("fn a() {\n    b();\n}\n").expect("the sample is Rust");
        assert_eq!(found.iter().map(|t| t.line).collect::<Vec<_>>(), [1, 1, 1, 1, 1, 2, 2, 2, 2, 3]);
    }

    #[test]
    fn what_is_not_rust_names_its_line() {
        assert_eq!(tokens("fn a() {\n  b(\n").expect_err("a bracket is open").line, 2);
    }
}
