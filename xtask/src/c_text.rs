// SPDX-License-Identifier: GPL-2.0-only
//! C source as tokens with their lines: comments gone, preprocessor lines understood as far as a finder needs.
//!
//! No preprocessor runs. Both branches of an `#if` are kept, `#if 0` is dropped, and a conditional comes out as a
//! [`Mark`], so that the reader of the tokens can put its state back when a second branch starts.

/// A token of C.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CToken<'c> {
    /// What it is.
    pub kind: CKind<'c>,
    /// Its line, from 1.
    pub line: usize,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CKind<'c> {
    /// A name or keyword.
    Word(&'c str),
    /// A number, string or character: never part of a name.
    Value,
    /// One mark.
    Punct(char),
    /// A preprocessor line that matters.
    Mark(Mark<'c>),
}

/// A preprocessor line that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark<'c> {
    /// `#if`, `#ifdef`, `#ifndef`.
    If,
    /// `#elif`, `#else`.
    Else,
    /// `#endif`.
    End,
    /// `#define name(…) …`, which ends on the line given.
    Macro(&'c str, usize),
}

/// Cuts C into tokens.
pub fn tokens(text: &str) -> Vec<CToken<'_>> {
    let mut lexer = Lexer { text, bytes: text.as_bytes(), at: 0, line: 1, fresh: true, out: Vec::new() };
    while lexer.at < lexer.bytes.len() {
        lexer.step();
    }
    lexer.out
}

struct Lexer<'c> {
    text: &'c str,
    bytes: &'c [u8],
    at: usize,
    line: usize,
    /// Only white space since the line began.
    fresh: bool,
    out: Vec<CToken<'c>>,
}

impl<'c> Lexer<'c> {
    fn step(&mut self) {
        let rest = &self.bytes[self.at..];
        match rest {
            [b'\n', ..] => {
                self.line += 1;
                self.fresh = true;
                self.at += 1;
            }
            [b'/', b'*', ..] => self.skip_comment(),
            [b'/', b'/', ..] => self.at = self.end_of_line(self.at),
            [b'#', ..] if self.fresh => self.directive(),
            [c, ..] if c.is_ascii_whitespace() || *c == b'\\' => self.at += 1,
            [b'"' | b'\'', ..] => self.literal(),
            [c, ..] if c.is_ascii_alphabetic() || *c == b'_' => {
                let word = self.word_at(self.at);
                self.push(CKind::Word(word), word.len());
            }
            [c, ..] if c.is_ascii_digit() => {
                let word = self.word_at(self.at);
                self.push(CKind::Value, word.len());
            }
            _ => {
                let c = self.text[self.at..].chars().next().unwrap_or(' ');
                self.push(CKind::Punct(c), c.len_utf8());
            }
        }
    }

    fn push(&mut self, kind: CKind<'c>, length: usize) {
        self.out.push(CToken { kind, line: self.line });
        self.at += length;
        self.fresh = false;
    }

    fn word_at(&self, from: usize) -> &'c str {
        let rest = &self.text[from..];
        &rest[..rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len())]
    }

    fn end_of_line(&self, from: usize) -> usize {
        self.text[from..].find('\n').map_or(self.text.len(), |n| from + n)
    }

    /// A comment is white space: a directive may follow it on its line.
    fn skip_comment(&mut self) {
        let end = self.text[self.at + 2..].find("*/").map_or(self.text.len(), |n| self.at + n + 4);
        self.line += self.text[self.at..end].matches('\n').count();
        self.at = end;
    }

    fn literal(&mut self) {
        let quote = self.bytes[self.at];
        let mut end = self.at + 1;
        while end < self.bytes.len() && self.bytes[end] != quote && self.bytes[end] != b'\n' {
            end += if self.bytes[end] == b'\\' { 2 } else { 1 };
        }
        let end = (end + 1).min(self.bytes.len());
        let start = std::mem::replace(&mut self.at, end);
        self.out.push(CToken { kind: CKind::Value, line: self.line });
        self.line += self.bytes[start..end].iter().filter(|&&b| b == b'\n').count();
        self.fresh = false;
    }

    fn directive(&mut self) {
        let start = self.line;
        let (begin, end) = self.whole_directive();
        let body = self.text[begin + 1..end].trim_start();
        let keyword = &body[..body.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(body.len())];
        let rest = &body[keyword.len()..];
        let mark = match keyword {
            "if" if rest.split_whitespace().next() == Some("0") => {
                self.skip_dead_branch();
                Some(Mark::If)
            }
            "if" | "ifdef" | "ifndef" => Some(Mark::If),
            "elif" | "else" => Some(Mark::Else),
            "endif" => Some(Mark::End),
            "define" => {
                let name = rest.trim_start();
                let name = &name
                    [..name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len())];
                let called = rest.trim_start()[name.len()..].starts_with('(');
                called.then_some(Mark::Macro(name, self.line))
            }
            _ => None,
        };
        self.out.extend(mark.map(|mark| CToken { kind: CKind::Mark(mark), line: start }));
    }

    /// Moves behind the directive and its continued lines; gives back its start and end.
    fn whole_directive(&mut self) -> (usize, usize) {
        let begin = self.at;
        loop {
            let end = self.end_of_line(self.at);
            let line = &self.text[self.at..end];
            self.at = end;
            let comment = line.rfind("/*").filter(|&from| !line[from..].contains("*/"));
            if let Some(from) = comment {
                // A comment that starts on the directive's line may go on below it.
                self.at = end - line.len() + from;
                self.skip_comment();
                return (begin, end);
            }
            if !line.trim_end_matches('\r').ends_with('\\') || end == self.text.len() {
                return (begin, end);
            }
            self.at += 1;
            self.line += 1;
        }
    }

    /// Leaves the position on the `#else`, `#elif` or `#endif` that ends an `#if 0`.
    fn skip_dead_branch(&mut self) {
        let mut depth = 0usize;
        while self.at < self.text.len() {
            self.at += 1;
            self.line += 1;
            let end = self.end_of_line(self.at.min(self.text.len()));
            let line = self.text[self.at.min(end)..end].trim_start();
            let word = line.strip_prefix('#').map_or("", str::trim_start);
            if word.starts_with("if") {
                depth += 1;
            } else if depth == 0 && (word.starts_with("el") || word.starts_with("endif")) {
                self.fresh = true;
                return;
            } else if word.starts_with("endif") {
                depth -= 1;
            }
            self.at = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let show = |token: &CToken<'_>| {
            let kind = match token.kind {
                CKind::Word(word) => word.to_owned(),
                CKind::Value => "#".to_owned(),
                CKind::Punct(c) => c.to_string(),
                CKind::Mark(Mark::If) => "<if>".to_owned(),
                CKind::Mark(Mark::Else) => "<else>".to_owned(),
                CKind::Mark(Mark::End) => "<end>".to_owned(),
                CKind::Mark(Mark::Macro(name, last)) => format!("<{name}..{last}>"),
            };
            format!("{}:{kind}", token.line)
        };
        tokens(text).iter().map(show).collect()
    }

    #[test]
    fn comments_vanish_and_literals_lose_their_text() {
        assert_eq!(
            shown("a /* { \n } */ \"{\\\"\" // }\n'\\'' 0x1f_ b"),
            ["1:a", "2:#", "3:#", "3:#", "3:b"]
        );
    }

    #[test]
    fn directives_are_marks_or_nothing() {
        assert_eq!(
            shown(
                "#include <a.h>\n#define M(x) \\\n  { x\n#define N (1)\n# ifdef A\nb\n#else /* no\n A */\nc\n#endif\n"
            ),
            ["2:<M..3>", "5:<if>", "6:b", "7:<else>", "9:c", "10:<end>"]
        );
    }

    #[test]
    fn a_hash_inside_a_line_is_no_directive() {
        assert_eq!(shown("a # endif\n/* c */ #endif"), ["1:a", "1:#", "1:endif", "2:<end>"]);
    }

    #[test]
    fn a_dead_branch_is_skipped_and_its_twin_kept() {
        assert_eq!(
            shown("#if 0\na {\n#ifdef X\n#endif\n#else\nb\n#endif\nc"),
            ["1:<if>", "5:<else>", "6:b", "7:<end>", "8:c"]
        );
        assert_eq!(shown("#if 0\na\n#endif\nc"), ["1:<if>", "3:<end>", "4:c"]);
    }

    #[test]
    fn an_open_end_of_file_is_survived() {
        for text in ["/* open", "\"open", "'", "#if 0\nopen", "#define X \\", "#", "a\\"] {
            tokens(text);
        }
    }
}
