// SPDX-License-Identifier: GPL-2.0-only
//! From names to what they name, with the nearest names when nothing has one.

use machine::{Scenario, scenarios};
use vfio_pci::{REVISIONS, Revision};

use crate::CliError;

/// At most this many names are suggested.
const SUGGESTIONS: usize = 3;

/// The names nearest to `name`, nearest first; ties in the order given.
fn nearest<'a>(name: &str, all: impl Iterator<Item = &'a str>) -> String {
    let name = name.to_lowercase();
    let mut ranked: Vec<(f64, &str)> =
        all.map(|n| (1.0 - strsim::jaro_winkler(&name, &n.to_lowercase()), n)).collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    ranked.into_iter().take(SUGGESTIONS).map(|r| r.1).collect::<Vec<_>>().join(", ")
}

/// The revision of a name or catalogue id.
pub(crate) fn revision(name: &str) -> Result<&'static Revision, CliError> {
    vfio_pci::find_revision(name).ok_or_else(|| CliError::Unknown {
        kind: "revision",
        name: name.to_string(),
        nearest: nearest(name, REVISIONS.iter().flat_map(|r| [r.name, r.id])),
    })
}

/// The scenario of a name.
pub(crate) fn scenario(name: &str) -> Result<&'static Scenario, CliError> {
    scenarios::find(name).ok_or_else(|| CliError::Unknown {
        kind: "scenario",
        name: name.to_string(),
        nearest: nearest(name, scenarios::SCENARIOS.iter().map(|s| s.name)),
    })
}

/// The named ones, or all.
pub(crate) fn all_or<T: Copy>(
    names: &[String],
    all: &[T],
    find: impl Fn(&str) -> Result<T, CliError>,
) -> Result<Vec<T>, CliError> {
    if names.is_empty() {
        return Ok(all.to_vec());
    }
    names.iter().map(|n| find(n)).collect()
}
