// SPDX-License-Identifier: GPL-2.0-only
//! The items of a Rust file by name: what they are once comments and white space are gone, and how they look.

use crate::rust_text::{Kind, Token, flatten};
use proc_macro2::TokenStream;
use quote::ToTokens;
use std::collections::BTreeMap;
use syn::spanned::Spanned;

/// An item of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Whether it is a function or method; types, tables and macros are compared too, but a header need not list them.
    pub is_function: bool,
    /// Its tokens without comments: two items with equal tokens are the same.
    pub tokens: Vec<String>,
    /// Its text from the first attribute that is no doc comment.
    pub text: String,
    /// Its first line in the file.
    pub line: usize,
}

/// The items by name: `name` for a function, `Type::name` for a method, `struct Name` for anything else.
/// The error is the line and the parser's words.
pub fn items(text: &str) -> Result<BTreeMap<String, Item>, (usize, String)> {
    let file = syn::parse_file(text).map_err(|e| (e.span().start().line, e.to_string()))?;
    let mut collector = Collector { lines: text.lines().collect(), found: BTreeMap::new() };
    collector.all("", &file.items);
    Ok(collector.found)
}

struct Collector<'t> {
    lines: Vec<&'t str>,
    found: BTreeMap<String, Item>,
}

impl Collector<'_> {
    fn all(&mut self, prefix: &str, items: &[syn::Item]) {
        for item in items {
            self.one(prefix, item);
        }
    }

    fn one(&mut self, prefix: &str, item: &syn::Item) {
        let named = |kind: &str, name: &dyn ToString| format!("{kind} {prefix}{}", name.to_string());
        let name = match item {
            syn::Item::Fn(item) if is_test(&item.attrs) => return,
            syn::Item::Fn(item) => {
                return self.push(format!("{prefix}{}", item.sig.ident), true, item, &item.attrs);
            }
            syn::Item::Mod(item) if is_test(&item.attrs) => return,
            syn::Item::Mod(item) => {
                if let Some((_, items)) = &item.content {
                    self.all(&format!("{prefix}{}::", item.ident), items);
                }
                return;
            }
            syn::Item::Impl(item) => return self.implementation(prefix, item),
            // What is imported shows in what is used.
            syn::Item::Use(_) => return,
            syn::Item::Const(item) => named("const", &item.ident),
            syn::Item::Static(item) => named("static", &item.ident),
            syn::Item::Struct(item) => named("struct", &item.ident),
            syn::Item::Enum(item) => named("enum", &item.ident),
            syn::Item::Union(item) => named("union", &item.ident),
            syn::Item::Trait(item) => named("trait", &item.ident),
            syn::Item::Type(item) => named("type", &item.ident),
            syn::Item::Macro(item) => {
                let path = item.mac.path.to_token_stream().to_string();
                item.ident.as_ref().map_or_else(|| named("macro", &path), |ident| named("macro", ident))
            }
            other => named("item", &other.to_token_stream()),
        };
        self.push(name, false, item, &[]);
    }

    fn implementation(&mut self, prefix: &str, item: &syn::ItemImpl) {
        let of = item.self_ty.to_token_stream().to_string().replace(' ', "");
        let of = of.split('<').next().unwrap_or_default();
        for inner in &item.items {
            match inner {
                syn::ImplItem::Fn(f) => {
                    let name = format!("{prefix}{of}::{}", f.sig.ident);
                    self.push(name, true, f, &f.attrs);
                }
                other => {
                    let head =
                        item.trait_.as_ref().map(|(_, path, _)| format!("{} for ", path.to_token_stream()));
                    let what = other.to_token_stream().to_string();
                    let name = what.split(['=', ':']).next().unwrap_or_default().trim().to_owned();
                    self.push(
                        format!("impl {}{prefix}{of}: {name}", head.unwrap_or_default()),
                        false,
                        other,
                        &[],
                    );
                }
            }
        }
    }

    fn push(
        &mut self,
        name: String,
        is_function: bool,
        item: &(impl ToTokens + Spanned),
        attrs: &[syn::Attribute],
    ) {
        let documentation =
            attrs.iter().take_while(|a| a.path().is_ident("doc")).map(|a| a.span().end().line);
        let first = documentation.max().map_or(item.span().start().line, |line| line + 1);
        let last = item.span().end().line;
        let text: String = self.lines[first - 1..last].iter().map(|line| format!("{line}\n")).collect();
        let tokens = significant(item.to_token_stream());
        // Two items with one name (`macro_name!` twice, two impls of a trait): together they are one.
        self.found
            .entry(name)
            .and_modify(|item| {
                item.tokens.extend(tokens.iter().cloned());
                item.text += &text;
            })
            .or_insert(Item { is_function, tokens, text, line: first });
    }
}

/// Tokens without doc comments, and without the commas that rustfmt adds when it breaks a line.
fn significant(stream: TokenStream) -> Vec<String> {
    let tokens = flatten(stream);
    let mut out: Vec<String> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let documentation = tokens[at].is("#") && doc_bracket(&tokens, at + 1).is_some();
        if let Some(bracket) = documentation.then(|| doc_bracket(&tokens, at + 1)).flatten() {
            at = crate::rust_text::closing(&tokens, bracket) + 1;
            continue;
        }
        if tokens[at].kind == Kind::Close && out.last().is_some_and(|last| last == ",") {
            out.pop();
        }
        out.push(tokens[at].text.clone());
        at += 1;
    }
    out
}

fn doc_bracket(tokens: &[Token], at: usize) -> Option<usize> {
    let bracket = at + usize::from(tokens.get(at)?.is("!"));
    let doc = tokens.get(bracket)?.is("[") && tokens.get(bracket + 1)?.is_ident("doc");
    doc.then_some(bracket)
}

fn is_test(attrs: &[syn::Attribute]) -> bool {
    attrs.iter().any(|attr| {
        let text = attr.meta.to_token_stream().to_string();
        text == "test" || text == "cfg (test)"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        items(text).expect("the sample is Rust").into_keys().collect()
    }

    fn tokens(text: &str) -> Vec<String> {
        items(text).expect("the sample is Rust").into_values().flat_map(|item| item.tokens).collect()
    }

    #[test]
    fn items_have_names_that_can_be_listed() {
        assert_eq!(
            names(
                "use a::b; const C: u8 = 1; struct S; impl S { fn m(&self) {} const K: u8 = 2; } fn f() {}\n\
                 impl T for S { type X = u8; } mod inner { fn g() {} } table! { a, b }\n\
                 #[cfg(test)] mod tests { fn no() {} } #[test] fn neither() {}"
            ),
            [
                "S::m",
                "const C",
                "f",
                "impl S: const K",
                "impl T for S: type X",
                "inner::g",
                "macro table",
                "struct S"
            ]
        );
    }

    #[test]
    fn comments_and_layout_are_no_change() {
        let tight = "/// Old words.\n//= linux v1 a.c f\nfn f(a: u8, b: u8) -> u8 { g(a, b) } // end";
        let loose = "/// New words,\n/// more of them.\n\
                     fn f(\n    a: u8,\n    b: u8,\n) -> u8 {\n    //! Inner.\n    /* why */\n    g(a, b)\n}";
        assert_eq!(tokens(tight), tokens(loose));
    }

    #[test]
    fn anything_else_is() {
        let base = tokens("fn f() { g(true); }");
        for other in [
            "fn f() { g(false); }",
            "pub fn f() { g(true); }",
            "#[inline]\nfn f() { g(true); }",
            "fn f() { g(true) }",
        ] {
            assert_ne!(tokens(other), base, "{other}");
        }
    }

    #[test]
    fn the_text_starts_below_the_documentation() {
        let found = items("/// Words.\n#[inline]\nfn f() {\n    g();\n}\n").expect("the sample is Rust");
        assert_eq!((found["f"].text.as_str(), found["f"].line), ("#[inline]\nfn f() {\n    g();\n}\n", 2));
    }

    #[test]
    fn what_is_not_rust_names_its_line() {
        assert_eq!(items("fn f() {}\nfn {}\n").expect_err("a name is missing").0, 2);
    }
}
