// SPDX-License-Identifier: GPL-2.0-only
//! Which function a place in the modelled code belongs to, so that traces read as stack traces do.

use std::panic::Location;

/// The text of the modelled code, by the end of its path.
fn sources() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    [dmabuf::SOURCES, vfio_core::SOURCES, vfio_pci::SOURCES, importers::SOURCES, pci_model::SOURCES, SOURCES]
        .into_iter()
        .flatten()
}

const SOURCES: &[(&str, &str)] =
    &[("machine/src/world.rs", include_str!("world.rs")), ("machine/src/acts.rs", include_str!("acts.rs"))];

/// The name of the function around a place; `None` for a place in unknown text.
pub fn function_at(at: &Location<'_>) -> Option<&'static str> {
    let (_, text) = sources().find(|(path, _)| at.file().ends_with(path))?;
    text.lines().take(at.line() as usize).filter_map(function_name).last()
}

/// The name that a line defines, if it begins a function.
fn function_name(line: &'static str) -> Option<&'static str> {
    let line = line.trim_start();
    let line = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(')')?.1.trim_start(),
        Some(rest) => rest.trim_start(),
        None => line,
    };
    let name = line.strip_prefix("fn ")?;
    name.split(['(', '<']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_by_its_first_line() {
        for line in ["fn f(x: u8) {", "    pub fn f<T>(x: T) {", "pub(super) fn f() {", "pub(crate) fn f("] {
            assert_eq!(function_name(line), Some("f"), "{line}");
        }
        for line in ["let f = 1;", "// fn f()", "static F: fn(u8) = f;"] {
            assert_eq!(function_name(line), None, "{line}");
        }
    }
}
