//! Where a pack's components come from: the extension that says so, and what is known from all that say anything.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::{Code, Error, Result};
use crate::id::{self, Id, clip};
use crate::pack::limits::Limits;
use crate::pack::manifest::{ExtensionRef, Findings};
use crate::pack::model::{Digest, PackComponent};
use crate::pack::{names, resolve};

/// The key of the extension.
pub(super) const KEY: &str = "greentic.pack.component_sources@v1";

/// What is known of where one component lies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Source {
    /// The file in the pack; none if it is not stated.
    pub(super) file: Option<String>,
    /// The digests that the component must have.
    pub(super) digests: Vec<Stated>,
    /// Where the component was published, for people; empty if that is not stated.
    pub(super) published: String,
}

/// A digest, and who states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stated {
    /// The digest, as written.
    pub(super) digest: String,
    /// The file that states it.
    pub(super) by: String,
}

impl Source {
    /// Adds what a further file says; what is known already stays, and every digest counts.
    pub(super) fn merge(&mut self, other: Self) {
        self.file = self.file.take().or(other.file);
        self.digests.extend(other.digests);
        if self.published.is_empty() {
            self.published = other.published;
        }
    }

    /// Whether it was published where another machine finds it too. A path is one of the machine that built the pack.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.published.split_once("://").is_some_and(|(scheme, _)| !matches!(scheme, "file" | "fs" | "builtin"))
    }

    /// Compares a component's bytes that were fetched with every digest that is stated of them.
    pub(super) fn check_fetched(&self, bytes: &[u8], what: &str) -> Result<()> {
        self.of_bytes().try_for_each(|stated| check_digest(bytes, stated, what))
    }

    /// The digests of the component's own bytes. A reference to a registry may end in a digest, which is that of the
    /// artifact in which the registry wraps the file; tools that resolve such a reference state that one again.
    pub(super) fn of_bytes(&self) -> impl Iterator<Item = &Stated> {
        let artifact = self.artifact();
        self.digests.iter().filter(move |stated| Some(stated.digest.as_str()) != artifact)
    }

    /// The digest of a registry's artifact in which the reference ends.
    pub(super) fn artifact(&self) -> Option<&str> {
        let (_, digest) = self.published.strip_prefix("oci://")?.rsplit_once('@')?;
        digest.contains(':').then_some(digest)
    }

    /// Compares a component's bytes with every digest that is stated of it.
    pub(super) fn check(&self, bytes: &[u8], what: &str) -> Result<()> {
        self.digests.iter().try_for_each(|stated| check_digest(bytes, stated, what))
    }
}

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    components: Vec<Value>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    #[serde(default)]
    component_id: Option<String>,
    #[serde(default)]
    source: Value,
    #[serde(default)]
    resolved: Resolved,
    artifact: Artifact,
}

#[derive(Default, Deserialize)]
struct Resolved {
    #[serde(default)]
    digest: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Artifact {
    Inline { wasm_path: String },
    Remote,
}

/// Reads the extension, in its order.
pub(super) fn read(extension: Option<&ExtensionRef>, place: &str, limits: &Limits) -> Result<IndexMap<Id, Source>> {
    let Some(ExtensionRef { inline, .. }) = extension else { return Ok(IndexMap::new()) };
    let mut findings = Findings::new(Code::ManifestInvalid, place);
    let wire = findings.ok(KEY, Wire::deserialize(inline)).unwrap_or(Wire { components: Vec::new() });
    let mut out = IndexMap::new();
    for (at, value) in wire.components.iter().enumerate() {
        let path = format!("{KEY}.components[{at}]");
        let Some((id, source)) = entry(&mut findings, &path, value, place, limits) else { continue };
        if out.insert(id.clone(), source).is_some() {
            findings.add(path, format_args!("component {id:?} occurs twice"));
        }
    }
    findings.finish("the pack's component sources are not valid")?;
    Ok(out)
}

fn entry(findings: &mut Findings, path: &str, value: &Value, place: &str, limits: &Limits) -> Option<(Id, Source)> {
    let entry: Entry = findings.ok(path, Entry::deserialize(value))?;
    let message = |error: Error| error.message().to_owned();
    let name = entry.component_id.as_deref().unwrap_or(&entry.name);
    let id = findings.ok(path, id::parse("component id", name).map_err(message))?;
    let file = match entry.artifact {
        Artifact::Inline { wasm_path } => Some(wasm_path),
        Artifact::Remote => None,
    };
    if let Some(file) = &file {
        findings.ok(path, names::check(file.as_bytes(), limits).map_err(message))?;
    }
    let stated = |digest| Stated { digest, by: place.to_owned() };
    let digests = entry.resolved.digest.filter(|digest| !digest.is_empty()).map(stated);
    let published = entry.source.as_str().unwrap_or_default().to_owned();
    Some((id, Source { file, digests: digests.into_iter().collect(), published }))
}

/// The extension for components that lie in the pack, as far as it is known where they were published.
pub(super) fn write<'a>(components: impl IntoIterator<Item = (&'a PackComponent, &'a Source)>) -> Option<ExtensionRef> {
    let published = components.into_iter().filter(|(_, source)| !source.published.is_empty());
    let entries: Vec<_> = published
        .map(|(component, source)| {
            json!({
                "name": *component.id, "component_id": *component.id, "source": source.published,
                "resolved": { "digest": component.digest.to_string() },
                "artifact": { "inline": { "wasm_path": resolve::file_name(&component.id) } },
            })
        })
        .collect();
    let inline = json!({ "schema_version": 1, "components": entries });
    let (kind, version) = (KEY.to_owned(), "1.0.0".to_owned());
    (!entries.is_empty()).then_some(ExtensionRef { kind, version, digest: None, location: None, inline })
}

/// Compares `bytes` with a digest as it is written in packs: `sha256:` or `blake3:` before the hex, or bare SHA-256.
pub(super) fn check_digest(bytes: &[u8], stated: &Stated, what: &str) -> Result<()> {
    let (algorithm, hex) = stated.digest.split_once(':').unwrap_or(("sha256", &stated.digest));
    let actual = match algorithm {
        "sha256" => hex::encode(Digest::of(bytes).0),
        "blake3" => blake3::hash(bytes).to_hex().to_string(),
        other => {
            let message = format!("{what} has a digest of the unknown kind {:?}, by {}", clip(other), stated.by);
            return Err(Error::new(Code::DigestMismatch, message));
        }
    };
    if actual.eq_ignore_ascii_case(hex) {
        return Ok(());
    }
    let message =
        format!("{what} has the digest {algorithm}:{actual}; {} states {:?}", stated.by, clip(&stated.digest));
    Err(Error::new(Code::DigestMismatch, message)
        .hint("the pack was changed after it was built, or the file that states the digest is another pack's"))
}
