//! What the environment says about where packs come from.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::invalid;
use crate::error::Error;
use crate::id::clip;
use crate::ingest::Cache;
use crate::ingest::locator::{Base, Locator, Scheme};

const SOURCE: &str = "PACK_SOURCE";
const INDEX: &str = "PACK_INDEX_URL";
const CACHE: &str = "PACK_CACHE_DIR";
const INTERVAL: &str = "PACK_REFRESH_INTERVAL";

/// How long lies between two looks at the index if nothing else is said.
const USUAL_INTERVAL: Duration = Duration::from_secs(30);
/// The shortest time between two looks at the index.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);
/// The longest; who wants no looks at all reloads by hand.
const LONGEST_INTERVAL: Duration = Duration::from_secs(366 * 24 * 3600);

/// What the environment says about where packs come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackSettings {
    /// `PACK_SOURCE`: the scheme of locators in an index that have none; `fs` unless set, which means beside the index.
    pub source: Scheme,
    /// `PACK_INDEX_URL`: the index, by a path or a locator.
    pub index: Option<Locator>,
    /// `PACK_CACHE_DIR`: where fetched packs are kept; `.packs` unless set.
    pub cache_dir: PathBuf,
    /// `PACK_REFRESH_INTERVAL`: how long lies between two looks at the index; `30s` unless set.
    pub refresh_interval: Duration,
}

impl PackSettings {
    /// Where fetched packs are kept, from this process's environment alone. This cannot fail.
    pub fn cache_dir_from_env() -> PathBuf {
        path(&|name| std::env::var_os(name))
    }
}

fn path(var: &impl Fn(&str) -> Option<OsString>) -> PathBuf {
    var(CACHE).filter(|dir| !dir.is_empty()).unwrap_or_else(|| Cache::DEFAULT_DIR.into()).into()
}

/// Reads variables through `var`; what is wrong with them goes to `findings`.
pub(super) fn read(var: &impl Fn(&str) -> Option<OsString>, findings: &mut Vec<Error>) -> PackSettings {
    let mut text = |name: &str| -> Option<String> {
        let value = var(name).filter(|value| !value.is_empty())?;
        value.into_string().map_err(|_| findings.push(invalid(name, "is not valid UTF-8", "set it anew"))).ok()
    };
    let (source_text, index_text, interval_text) = (text(SOURCE), text(INDEX), text(INTERVAL));
    PackSettings {
        source: source_text.map_or(Scheme::Fs, |text| source(&text, findings)),
        index: index_text.and_then(|text| index(&text, findings)),
        cache_dir: path(var),
        refresh_interval: interval_text.map_or(USUAL_INTERVAL, |text| interval(&text, findings)),
    }
}

fn source(text: &str, findings: &mut Vec<Error>) -> Scheme {
    text.trim().parse().unwrap_or_else(|()| {
        let names = Scheme::ALL.map(Scheme::name).join(", ");
        findings.push(invalid(
            SOURCE,
            &format!("is {:?}, which is no scheme", clip(text)),
            &format!("use one of {names}"),
        ));
        Scheme::Fs
    })
}

/// The index. Without a scheme it is a path, whatever `PACK_SOURCE` says of what lies in it.
fn index(text: &str, findings: &mut Vec<Error>) -> Option<Locator> {
    let parsed = Base::here().and_then(|here| Locator::parse(text, &here, Scheme::Fs));
    parsed
        .map_err(|error| {
            let what = format!("names no index: {}", error.message());
            findings.push(invalid(INDEX, &what, error.hint_text().unwrap_or("give a path or an https:// URL")));
        })
        .ok()
}

fn interval(text: &str, findings: &mut Vec<Error>) -> Duration {
    match humantime::parse_duration(text.trim()) {
        Ok(interval) if (SHORTEST_INTERVAL..=LONGEST_INTERVAL).contains(&interval) => interval,
        Ok(_) => {
            findings.push(invalid(
                INTERVAL,
                &format!("is {text}, which is too short or too long"),
                "use 1s to 366days",
            ));
            USUAL_INTERVAL
        }
        Err(e) => {
            let what = format!("is {:?}, which is no length of time: {e}", clip(text));
            findings.push(invalid(INTERVAL, &what, "write a number and a unit, as 30s or 5m"));
            USUAL_INTERVAL
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(vars: &[(&str, &str)]) -> (PackSettings, Vec<Error>) {
        let mut findings = Vec::new();
        let var = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value));
        (super::read(&var, &mut findings), findings)
    }

    #[test]
    fn has_the_promised_defaults() {
        let (unset, findings) = read(&[]);
        assert!(findings.is_empty());
        assert_eq!((unset.source, &unset.index), (Scheme::Fs, &None));
        assert_eq!((&*unset.cache_dir, unset.refresh_interval), (Path::new(".packs"), Duration::from_secs(30)));
        let (empty, findings) = read(&[(SOURCE, ""), (INDEX, ""), (CACHE, ""), (INTERVAL, "")]);
        assert_eq!((empty, findings.len()), (unset, 0));
    }

    #[test]
    fn reads_what_is_set() {
        for scheme in Scheme::ALL {
            assert_eq!(read(&[(SOURCE, scheme.name())]).0.source, scheme);
        }
        assert_eq!(read(&[(SOURCE, " OCI ")]).0.source, Scheme::Oci);
        let (set, findings) =
            read(&[(INDEX, "https://a.example/index.json?sig=canary"), (CACHE, "/cache"), (INTERVAL, "5m")]);
        assert!(findings.is_empty());
        assert!(matches!(set.index, Some(Locator::Http(_))));
        assert_eq!((&*set.cache_dir, set.refresh_interval), (Path::new("/cache"), Duration::from_secs(300)));
        assert!(!format!("{set:?}").contains("canary"));
        let here = std::env::current_dir().unwrap();
        let (set, _) = read(&[(SOURCE, "http"), (INDEX, "conf/index.json")]);
        assert_eq!(set.index, Some(Locator::Fs(here.join("conf/index.json"))));
    }

    #[test]
    fn names_every_variable_that_is_wrong_and_no_secret() {
        let (_, findings) =
            read(&[(SOURCE, "ftp"), (INDEX, "https://user:canary@a.example/index.json?canary"), (INTERVAL, "often")]);
        assert_eq!(findings.len(), 3, "{findings:?}");
        for (finding, name) in findings.iter().zip([SOURCE, INDEX, INTERVAL]) {
            assert!(finding.message().contains(name), "{finding}");
            assert!(finding.hint_text().is_some() && !finding.to_string().contains("canary"), "{finding}");
        }
        for (text, ok) in [
            ("1s", true),
            ("0", false),
            ("0s", false),
            ("999ms", false),
            ("1h 30m", true),
            ("30", false),
            ("900years", false),
        ] {
            assert_eq!(read(&[(INTERVAL, text)]).1.is_empty(), ok, "{text}");
        }
    }
}
