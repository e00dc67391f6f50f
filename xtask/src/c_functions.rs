// SPDX-License-Identifier: GPL-2.0-only
//! Finds the functions that a C file defines, with their lines.
//!
//! A function is a declaration at brace depth 0 whose body follows its parameter list. Attribute macros may stand
//! before the name and after the list; initialisers, structures, prototypes and lone macro calls are not functions.

use crate::c_text::{CKind, CToken, Mark, tokens};
use std::collections::BTreeMap;

/// A definition in a C file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// First line of its signature.
    pub first: usize,
    /// Line of its closing brace, or of the macro's last line.
    pub last: usize,
    /// Whether it is a function-like macro, which may be cited but is not counted.
    pub is_macro: bool,
}

/// All definitions in the order of the file; a name defined in two branches of an `#if` comes twice.
pub fn find(text: &str) -> Vec<Definition> {
    let mut finder = Finder::default();
    for token in tokens(text) {
        finder.take(&token);
    }
    finder.found.sort_by_key(|definition| definition.first);
    finder.found
}

/// The definitions by name. Of two with one name, the longer counts: the shorter is a stub for another
/// configuration.
pub fn by_name(text: &str) -> BTreeMap<String, Definition> {
    let mut named: BTreeMap<String, Definition> = BTreeMap::new();
    for definition in find(text) {
        let length = |d: &Definition| (!d.is_macro, d.last - d.first);
        match named.get(&definition.name) {
            Some(known) if length(known) >= length(&definition) => {}
            _ => {
                named.insert(definition.name.clone(), definition);
            }
        }
    }
    named
}

/// A piece of the declaration that is being read, at parenthesis depth 0.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Word(String, usize),
    /// A parenthesised group: words directly inside, each with whether a `(` follows it.
    Group(Vec<(String, bool)>),
    Mark(char, usize),
}

#[derive(Debug, Clone, Default)]
struct State {
    head: Vec<Piece>,
    parens: usize,
    inside: Vec<(String, bool)>,
    braces: usize,
    /// The function whose body is open: name and first line.
    open: Option<(String, usize)>,
}

#[derive(Default)]
struct Finder {
    now: State,
    /// The state at each `#if`, put back at its `#else`.
    branches: Vec<State>,
    found: Vec<Definition>,
}

impl Finder {
    fn take(&mut self, token: &CToken<'_>) {
        match token.kind {
            CKind::Mark(mark) => self.mark(mark, token.line),
            CKind::Punct('{') => self.open_brace(),
            CKind::Punct('}') => self.close_brace(token.line),
            _ if self.now.braces > 0 => {}
            CKind::Punct('(') => {
                if let Some(last) = self.now.inside.last_mut().filter(|_| self.now.parens > 0) {
                    last.1 = true;
                }
                self.now.parens += 1;
            }
            CKind::Punct(')') => {
                self.now.parens = self.now.parens.saturating_sub(1);
                if self.now.parens == 0 {
                    let inside = std::mem::take(&mut self.now.inside);
                    self.now.head.push(Piece::Group(inside));
                }
            }
            CKind::Word(word) if self.now.parens > 0 => self.now.inside.push((word.to_owned(), false)),
            _ if self.now.parens > 0 => {}
            CKind::Punct(';') => self.now.head.clear(),
            CKind::Word(word) => self.now.head.push(Piece::Word(word.to_owned(), token.line)),
            CKind::Punct(c) => self.now.head.push(Piece::Mark(c, token.line)),
            CKind::Value => {}
        }
    }

    fn mark(&mut self, mark: Mark<'_>, line: usize) {
        match mark {
            Mark::If => self.branches.push(self.now.clone()),
            Mark::Else => {
                if let Some(state) = self.branches.last() {
                    self.now = state.clone();
                }
            }
            Mark::End => {
                self.branches.pop();
            }
            Mark::Macro(name, last) => {
                let name = name.to_owned();
                self.found.push(Definition { name, first: line, last, is_macro: true });
            }
        }
    }

    fn open_brace(&mut self) {
        // A brace inside parentheses is a statement expression or a compound literal: part of no body.
        if self.now.braces == 0 && self.now.parens == 0 {
            self.now.open = signature(&self.now.head);
        }
        self.now.braces += 1;
    }

    fn close_brace(&mut self, line: usize) {
        self.now.braces = self.now.braces.saturating_sub(1);
        if self.now.braces > 0 {
            return;
        }
        if let Some((name, first)) = self.now.open.take() {
            self.found.push(Definition { name, first, last: line, is_macro: false });
            self.now.head.clear();
        } else if self.now.parens == 0 {
            if self.now.head.iter().any(is_type_or_initialiser) {
                // What follows, up to `;`, still belongs to it; a function may even return the type.
                self.now.head.push(Piece::Word("__body".to_owned(), line));
            } else {
                self.now.head.clear();
            }
        }
    }
}

fn is_type(piece: &Piece) -> bool {
    matches!(piece, Piece::Word(word, _) if matches!(word.as_str(), "struct" | "union" | "enum"))
}

fn is_type_or_initialiser(piece: &Piece) -> bool {
    is_type(piece) || matches!(piece, Piece::Mark('=', _))
}

/// The name and first line of the function whose head this is; `None` when it is no function.
fn signature(head: &[Piece]) -> Option<(String, usize)> {
    if head.iter().any(|piece| matches!(piece, Piece::Mark('=', _))) {
        return None;
    }
    let groups: Vec<usize> = (0..head.len()).filter(|&at| matches!(head[at], Piece::Group(_))).collect();
    let mut chosen = groups.len().checked_sub(1)?;
    if !only_attributes(&head[groups[chosen] + 1..]) {
        return None;
    }
    // `f(void) __releases(x) {`: walk back over attributes that take arguments.
    while chosen > 0
        && only_attributes(&head[groups[chosen - 1] + 1..groups[chosen]])
        && groups[chosen] > groups[chosen - 1] + 1
    {
        chosen -= 1;
    }
    let at = groups[chosen];
    let name = match head.get(at.checked_sub(1)?)? {
        Piece::Word(name, _) => name_of(name, &head[at]),
        // `int (*f(int a))(void) {` and `int HANDLER(f)(void) {`: the name is inside the group before.
        Piece::Group(inside) => inside.iter().find(|(_, called)| *called).or(inside.first())?.0.clone(),
        Piece::Mark(..) => return None,
    };
    if at > 1 && is_type(&head[at - 2]) {
        return None;
    }
    Some((name, first_line(head, &groups[..chosen])))
}

/// `SYSCALL_DEFINE2(name, …)` defines `name`.
fn name_of(word: &str, group: &Piece) -> String {
    let shouts = word.contains("DEFINE") && !word.contains(|c: char| c.is_ascii_lowercase());
    match group {
        Piece::Group(inside) if shouts && !inside.is_empty() => inside[0].0.clone(),
        _ => word.to_owned(),
    }
}

/// Whether there is nothing but attribute macros, such as `__must_check`, with or without arguments.
fn only_attributes(pieces: &[Piece]) -> bool {
    pieces.iter().all(|piece| match piece {
        Piece::Word(word, _) => word.starts_with("__") || matches!(word.as_str(), "noinline" | "asm"),
        Piece::Group(_) => true,
        Piece::Mark(..) => false,
    })
}

/// The line on which the signature starts, behind macro calls on lines of their own (`DEFINE_X(y)` without `;`).
fn first_line(head: &[Piece], earlier: &[usize]) -> usize {
    let line_at = |at: usize| match &head[at] {
        Piece::Word(_, line) | Piece::Mark(_, line) => Some(*line),
        Piece::Group(_) => None,
    };
    let mut start = 0;
    for &group in earlier {
        let alone = group > start && line_at(start).is_some() && group == start + 1;
        let next = line_at(group + 1);
        let shouts =
            matches!(&head[start], Piece::Word(word, _) if !word.contains(|c: char| c.is_ascii_lowercase()));
        if alone && shouts && next.is_some_and(|next| Some(next) != line_at(start)) {
            start = group + 1;
        }
    }
    line_at(start).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let shown: Vec<String> = find(text)
            .iter()
            .map(|d| format!("{}{} {}-{}", if d.is_macro { "#" } else { "" }, d.name, d.first, d.last))
            .collect();
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn plain_definitions_with_their_lines() {
        check("int a(void)\n{\n\treturn 0;\n}\n\nstatic inline void b(int x) { }\n", &["a 1-4", "b 6-6"]);
        check(
            "static struct thing *\nlong_name(struct thing *t,\n\t  int n)\n{\n\tif (n) {\n\t}\n}\n",
            &["long_name 1-7"],
        );
    }

    #[test]
    fn attributes_before_and_behind_are_not_the_name() {
        for text in [
            "static int __init f(void) { }",
            "static __printf(1, 2) void f(const char *fmt, ...) { }",
            "static void f(struct a *a) __releases(&a->lock) __acquires(&a->other) { }",
            "void f(void) __must_hold(x) { }",
            "int __attribute__((weak)) f(void) { }",
            "int f(void) __attribute__((cold)) { }",
            "__poll_t f(struct file *file, poll_table *t) { }",
            "struct a __user *f(void) { }",
        ] {
            check(text, &["f 1-1"]);
        }
        check("static __printf(1, 2) void __f(const char *fmt, ...) { }", &["__f 1-1"]);
        check("void __f(void) __releases(x) { }", &["__f 1-1"]);
    }

    #[test]
    fn pointers_to_functions_come_and_go() {
        check("static int HANDLER(f)(struct a *a) { }\nint g(void) { }", &["f 1-1", "g 2-2"]);
        check("static int (*f(int a))(void) { }", &["f 1-1"]);
        check("static int f(int (*cb)(void *p), void *p) { }", &["f 1-1"]);
    }

    #[test]
    fn what_is_no_function() {
        for text in [
            "int f(void);",
            "struct a { int (*f)(void); };",
            "struct __aligned(4) a { int x; };",
            "struct a { int x; } __aligned(4);",
            "struct __aligned(4) { int x; } a;",
            "DECLARE_THING(x)\nstruct a { int x; };",
            "int f(void) __attribute(({ 1; }));",
            "static const struct a b = { .f = g, .h = (int[]){ 1 } };",
            "static struct a b[] __initdata = { { 1 }, { M(2) } };",
            "enum a { B, C = D(1) };",
            "typedef struct { int x; } a;",
            "EXPORT_SYMBOL_GPL(f);\nMODULE_LICENSE(\"GPL\");",
            "static DEFINE_MUTEX(m);",
            "DEFINE_FREE(x, struct a *, if (_T) { put(_T); })",
            "#define NOT_CALLED { }",
        ] {
            check(text, &[]);
        }
    }

    #[test]
    fn text_around_a_function_does_not_hide_it() {
        check(
            "EXPORT_SYMBOL_GPL(a);\nint f(void) { }\nEXPORT_SYMBOL(f);\nint g(void) { }",
            &["f 2-2", "g 4-4"],
        );
        check("struct a { int x; } b;\nint f(void) { }", &["f 2-2"]);
        check("static struct a { int x; } *f(void)\n{ }\nint g(void) { }", &["f 1-2", "g 3-3"]);
        check("STRANGE { }\nint g(void) { }", &["g 2-2"]);
        check("DECLARE_THING(x)\nstatic int f(void)\n{\n}", &["f 2-4"]);
        check(
            "int f(void)\n{\n\treturn '{' + \"{\"[0]; /* { */ // {\n}\nint g(void) { }",
            &["f 1-4", "g 5-5"],
        );
        check("SYSCALL_DEFINE2(thing, int, a, int, b) { }", &["thing 1-1"]);
    }

    #[test]
    fn both_branches_of_a_conditional_are_read() {
        check(
            "#ifdef A\nint f(void)\n{\n\tlong();\n}\n#else\nint f(void) { }\n#endif\nint g(void) { }",
            &["f 2-5", "f 7-7", "g 9-9"],
        );
        check(
            "int f(void)\n{\n#ifdef A\n\tif (a) {\n#else\n\tif (b) {\n#endif\n\t}\n}\nint g(void) { }",
            &["f 1-9", "g 10-10"],
        );
        check("#ifdef A\nstatic int f(int a)\n#else\nstatic int f(void)\n#endif\n{\n}\n", &["f 4-7"]);
        check("#if 0\nint f(void) { {\n#endif\nint g(void) { }", &["g 4-4"]);
    }

    #[test]
    fn macros_that_are_called_can_be_cited_but_functions_win() {
        check("#define m(x) \\\n\tdo { x } while (0)\nint f(void) { }", &["#m 1-2", "f 3-3"]);
        let named =
            by_name("#define f(x) \\\n a \\\n b\nint f(void)\n{ }\nint g(void) { }\nint g(void)\n{ }\n");
        assert_eq!((named["f"].first, named["f"].is_macro, named["g"].first), (4, false, 7));
    }
}
