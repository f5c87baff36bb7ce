//! Names of interfaces, and which known name a foreign one resembles.

use std::borrow::Cow;

use semver::Version;

/// How similar names must be for one to be proposed instead of the other; 1 is equal.
const SIMILAR: f64 = 0.6;

/// How much of a foreign name is shown.
const SHOWN: usize = 120;

/// Names longer than this resemble nothing, so that comparing stays cheap.
const COMPARED: usize = 200;

/// The name of an interface without its version, and the version.
pub(super) fn split_version(name: &str) -> (&str, Option<Version>) {
    match name.split_once('@') {
        Some((base, version)) => (base, Version::parse(version).ok()),
        None => (name, None),
    }
}

/// The candidate that `name` resembles most, if it resembles one at all. Versions do not count, nor does a common
/// namespace, which would make everything look alike.
pub(super) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    if name.len() > COMPARED {
        return None;
    }
    let (name, _) = split_version(name);
    candidates
        .into_iter()
        .map(|candidate| (similarity(name, split_version(candidate).0), candidate))
        .filter(|(score, _)| *score >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate.to_owned())
}

fn similarity(a: &str, b: &str) -> f64 {
    match (a.split_once(':'), b.split_once(':')) {
        (Some((left, a)), Some((right, b))) if left == right => strsim::normalized_damerau_levenshtein(a, b),
        _ => strsim::normalized_damerau_levenshtein(a, b),
    }
}

/// `name` short enough to be shown.
pub(crate) fn shown(name: &str) -> Cow<'_, str> {
    match name.char_indices().nth(SHOWN) {
        Some((end, _)) => Cow::Owned(format!("{}…", name.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(name),
    }
}

/// Whether semantic versioning takes one version for the other: the same major, below 1.0 the same minor, below 0.1
/// the same patch. A pre-release is compatible with nothing.
pub(super) fn is_compatible(a: &Version, b: &Version) -> bool {
    if !a.pre.is_empty() || !b.pre.is_empty() {
        return false;
    }
    match (a.major, b.major) {
        (0, 0) => a.minor == b.minor && (a.minor > 0 || a.patch == b.patch),
        (a, b) => a == b,
    }
}
