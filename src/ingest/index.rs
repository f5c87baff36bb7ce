//! The index: which packs each tenant runs.
//!
//! Two shapes circulate: `{"tenants": {TENANT: …}}`, whose packs have a `reference`, and the tenants themselves at the
//! top, whose packs have `name` and `version`. Both are read, and may be mixed. What is wrong with one tenant's entry
//! is that tenant's error; only what cannot be read as an index at all is an error of the index.

use std::collections::BTreeMap;
use std::fmt;

use semver::Version;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{Code, Error, Location, Result};
use crate::id::{self, Id, clip};
use crate::pack::model::Digest;

mod places;
#[cfg(test)]
mod tests;

pub use places::origin;

/// The most bytes of an index.
pub const MAX_BYTES: u64 = 16 << 20;
/// The most tenants of an index.
pub const MAX_TENANTS: usize = 10_000;
/// The most overlays of a tenant.
const MAX_OVERLAYS: usize = 64;
/// The longest text of an entry, in bytes.
const MAX_TEXT: usize = 4096;

/// An index.
#[derive(Debug, Default)]
pub struct Index {
    /// The packs of each tenant, or what is wrong with its entry.
    pub tenants: BTreeMap<Id, Result<TenantEntry>>,
}

/// The packs of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantEntry {
    /// The main pack.
    pub main: PackEntry,
    /// The packs over it, in their order.
    pub overlays: Vec<PackEntry>,
}

/// What an index says about a pack. It names a version, a digest, or both.
#[derive(Clone, PartialEq, Eq)]
pub struct PackEntry {
    /// What the index calls it.
    pub name: Option<String>,
    /// The version that it must have.
    pub version: Option<Version>,
    /// Where it lies.
    pub locator: Option<String>,
    /// Where it lies on this machine, if it does not lie at the locator, or there is none.
    pub path: Option<String>,
    /// The digest of its bytes.
    pub digest: Option<Digest>,
    /// A signature over the digest, as it is written.
    pub signature: Option<String>,
}

impl PackEntry {
    /// A file or directory of this machine, with nothing said about it.
    pub fn of_path(path: String) -> Self {
        Self { name: None, version: None, locator: None, path: Some(path), digest: None, signature: None }
    }
}

impl fmt::Debug for PackEntry {
    /// Without the places, which may hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PackEntry")
            .field("name", &self.name)
            .field("version", &self.version)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

impl Index {
    /// Reads an index; `name` stands for it in errors.
    ///
    /// # Errors
    ///
    /// `IndexInvalid` for what is no index, `IndexBounds` for one that is too large.
    pub fn read(bytes: &[u8], name: &str) -> Result<Self> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err(bounds(format!("the index is larger than {MAX_BYTES} bytes")).in_file(name));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let message = format!("the index is not valid UTF-8 after byte {}", error.valid_up_to());
            Error::new(Code::IndexInvalid, message).in_file(name)
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let source = Source { text, name };
        let Entries(top) = source.parse(text)?;
        let mut index = Self::default();
        for (key, raw) in top {
            match raw {
                // A tenant may have that name.
                raw if key == "tenants" && !is_tenant(raw) => {
                    let Entries(tenants) = source.parse(raw.get())?;
                    for (tenant, raw) in tenants {
                        index.add(&source, &tenant, raw)?;
                    }
                }
                raw => index.add(&source, &key, raw)?,
            }
        }
        Ok(index)
    }

    fn add(&mut self, source: &Source<'_>, tenant: &str, raw: &RawValue) -> Result<()> {
        // Tools write what they like beside the tenants; no tenant has such a name.
        if tenant.starts_with('$') {
            return Ok(());
        }
        if self.tenants.len() >= MAX_TENANTS {
            return Err(bounds(format!("the index names more than {MAX_TENANTS} tenants")).in_file(source.name));
        }
        let id = id::parse("tenant", tenant).map_err(|e| e.at(source.place(raw.get(), 1, 1)))?;
        let entry = source.parse::<Written>(raw.get()).and_then(|written| {
            let found = written.check();
            found.map_err(|e| e.at(source.place(raw.get(), 1, 1)))
        });
        let entry = entry.map_err(|e| named(tenant, e));
        match self.tenants.insert(id, entry) {
            None => Ok(()),
            Some(_) => {
                let message = format!("the index names tenant {tenant:?} twice");
                Err(Error::new(Code::IndexInvalid, message).at(source.place(raw.get(), 1, 1)))
            }
        }
    }
}

fn named(tenant: &str, error: Error) -> Error {
    let message = format!("the packs of tenant {tenant}: {}", error.message());
    let mut out = Error::new(error.code(), message).with_details(error.details().to_vec());
    if let Some(location) = error.location() {
        out = out.at(location.clone());
    }
    if let Some(hint) = error.hint_text() {
        out = out.hint(hint);
    }
    out
}

fn bounds(message: String) -> Error {
    Error::new(Code::IndexBounds, message).hint("split the index, and give each host the one of its tenants")
}

/// Whether this is the entry of a tenant.
fn is_tenant(raw: &RawValue) -> bool {
    let keys: Result<Entries<'_>, _> = serde_json::from_str(raw.get());
    keys.is_ok_and(|Entries(keys)| {
        let main = keys.iter().find(|(key, _)| key == "main_pack");
        main.is_some_and(|(_, raw)| {
            let inner: Result<Entries<'_>, _> = serde_json::from_str(raw.get());
            inner.is_ok_and(|Entries(keys)| !keys.iter().any(|(key, _)| key == "main_pack"))
        })
    })
}

/// The text of an index, to find the place of what is wrong.
struct Source<'a> {
    text: &'a str,
    name: &'a str,
}

impl<'a> Source<'a> {
    fn parse<'t, T: Deserialize<'t>>(&self, part: &'t str) -> Result<T> {
        serde_json::from_str(part).map_err(|error| {
            let at = self.place(part, error.line(), error.column());
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or(&message);
            Error::new(Code::IndexInvalid, format!("the index cannot be read: {message}"))
                .at(at)
                .hint("docs/index.md shows both shapes of an index")
        })
    }

    /// Where line and column of a part of the text are in the whole.
    fn place(&self, part: &str, line: usize, column: usize) -> Location {
        let offset = (part.as_ptr() as usize).checked_sub(self.text.as_ptr() as usize);
        let before = offset.and_then(|offset| self.text.get(..offset)).unwrap_or_default();
        let lines = before.matches('\n').count();
        let last = before.rsplit('\n').next().unwrap_or_default().chars().count();
        let column = if line <= 1 { last + column.max(1) } else { column.max(1) };
        let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Location { file: self.name.to_owned(), position: Some((narrow(lines + line.max(1)), narrow(column))) }
    }
}

/// The entries of an object, each key once.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Reader<'a> {
            type Value = Entries<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object whose keys are tenants")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'a>, A::Error> {
                let (mut out, mut seen) = (Vec::new(), std::collections::HashSet::new());
                while let Some((key, value)) = map.next_entry::<String, &'a RawValue>()? {
                    if !seen.insert(key.clone()) {
                        return Err(A::Error::custom(format!("the key {:?} stands twice", clip(&key))));
                    }
                    out.push((key, value));
                }
                Ok(Entries(out))
            }
        }
        from.deserialize_map(Reader(std::marker::PhantomData))
    }
}

/// A tenant's entry as it is written.
#[derive(Deserialize)]
#[serde(expecting = "a tenant's main_pack and overlays")]
struct Written {
    main_pack: WrittenPack,
    #[serde(default)]
    overlays: Vec<WrittenPack>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object that describes a pack")]
struct WrittenPack {
    reference: Option<Reference>,
    name: Option<String>,
    version: Option<String>,
    locator: Option<String>,
    path: Option<String>,
    digest: Option<String>,
    signature: Option<String>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object with name and version")]
struct Reference {
    name: Option<String>,
    version: Option<String>,
}

impl Written {
    fn check(self) -> Result<TenantEntry> {
        if self.overlays.len() > MAX_OVERLAYS {
            return Err(Error::new(Code::IndexBounds, format!("there are more than {MAX_OVERLAYS} overlays"))
                .hint("put what belongs together into one overlay"));
        }
        let mut findings = Vec::new();
        let main = self.main_pack.check("main_pack", &mut findings);
        let overlays = self.overlays.into_iter().enumerate();
        let overlays = overlays.map(|(at, pack)| pack.check(&format!("overlays[{at}]"), &mut findings)).collect();
        match findings.is_empty() {
            true => Ok(TenantEntry { main, overlays }),
            false => Err(Error::from_many(Code::IndexInvalid, "its entry has several problems", findings)),
        }
    }
}

impl WrittenPack {
    /// What is written, checked; `at` names it in what is found.
    fn check(self, at: &str, findings: &mut Vec<Error>) -> PackEntry {
        let mut find = |message: String, hint: &str| findings.push(Error::new(Code::IndexInvalid, message).hint(hint));
        let (reference_name, reference_version) = self.reference.map(|r| (r.name, r.version)).unwrap_or_default();
        let texts = [
            ("name", reference_name.or(self.name)),
            ("version", reference_version.or(self.version)),
            ("locator", self.locator),
            ("path", self.path),
            ("digest", self.digest),
            ("signature", self.signature),
        ];
        let [name, version, locator, path, digest, signature] = texts.map(|(key, text)| {
            let text = text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())?;
            if text.len() > MAX_TEXT || text.chars().any(char::is_control) {
                find(format!("{at}.{key} is no usable text"), "use at most 4096 bytes without control characters");
                return None;
            }
            Some(text)
        });
        let version = version.and_then(|text| match Version::parse(text.strip_prefix('v').unwrap_or(&text)) {
            Ok(version) => Some(version),
            Err(error) => {
                find(format!("{at}.version {:?} is no version: {error}", clip(&text)), "write it as 1.2.3");
                None
            }
        });
        let digest = digest.and_then(|text| match Digest::parse(&text) {
            Some(digest) => Some(digest),
            None => {
                find(format!("{at}.digest {:?} is no digest", clip(&text)), "write sha256: and 64 hex digits");
                None
            }
        });
        if locator.is_none() && path.is_none() {
            find(format!("{at} does not say where the pack lies"), "give it a locator or a path");
        }
        if version.is_none() && digest.is_none() {
            find(format!("{at} names neither a version nor a digest"), "give it a version, a digest, or both");
        }
        PackEntry { name, version, locator, path, digest, signature }
    }
}
