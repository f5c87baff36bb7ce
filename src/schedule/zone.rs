//! Time zones, by their names in the IANA database.

use std::sync::LazyLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::Fault;
use crate::id::clip;

/// The rules that were compiled in. Those of the machine would differ from host to host, and a time that two hosts read
/// differently would be two times.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    rules: TimeZone,
    name: String,
}

impl Zone {
    /// Coordinated Universal Time.
    pub fn utc() -> Self {
        Self { rules: TimeZone::UTC, name: "UTC".to_owned() }
    }

    /// The time zone of this name, as `Europe/Berlin`; case does not matter.
    ///
    /// # Errors
    ///
    /// That there is none, and which one may be meant.
    pub fn named(name: &str) -> Result<Self, Fault> {
        let found = ZONES.get(name).ok().filter(|rules| !rules.is_unknown());
        let known = found.and_then(|rules| {
            let name = rules.iana_name()?.to_owned();
            Some(Self { rules, name })
        });
        known.ok_or_else(|| {
            let hint = match like(name) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "give a name of the IANA time zone database, as Europe/Berlin or UTC".to_owned(),
            };
            Fault::new(format!("there is no time zone {:?}", clip(name)), hint)
        })
    }

    /// Its name, as the database spells it.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn rules(&self) -> &TimeZone {
        &self.rules
    }
}

/// The time zone of that city, or else with the name that is most like it.
fn like(name: &str) -> Option<String> {
    let name = clip(name).to_ascii_lowercase();
    let city = name.rsplit('/').next().unwrap_or_default().replace(' ', "_");
    let mut near: Option<(usize, String)> = None;
    for known in ZONES.available() {
        let known = known.as_str();
        let lower = known.to_ascii_lowercase();
        if lower.contains('/') && lower.rsplit('/').next() == Some(&city) {
            return Some(known.to_owned());
        }
        let distance = strsim::damerau_levenshtein(&name, &lower);
        if distance <= 2 && near.as_ref().is_none_or(|(nearest, _)| distance < *nearest) {
            near = Some((distance, known.to_owned()));
        }
    }
    near.map(|(_, name)| name)
}
