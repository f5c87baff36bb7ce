//! The extension that says where a pack's components came from, and where in the pack they lie.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::error::{Code, Error, Result};
use crate::id::{self, Id};
use crate::pack::limits::Limits;
use crate::pack::manifest::{ExtensionRef, Findings};
use crate::pack::model::Digest;
use crate::pack::names;

/// The key of the extension.
pub(super) const KEY: &str = "greentic.pack.component_sources@v1";

/// Where one component lies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Source {
    /// The file in the pack; none if the component must come from elsewhere.
    pub(super) file: Option<String>,
    /// The digest that the file must have, as written.
    pub(super) digest: Option<String>,
    /// Where the component was published, for people.
    pub(super) published: String,
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
pub(super) fn read(extension: Option<&ExtensionRef>, place: &str, limits: &Limits) -> Result<Vec<(Id, Source)>> {
    let Some(ExtensionRef { inline, .. }) = extension else { return Ok(Vec::new()) };
    let mut findings = Findings::new(Code::ManifestInvalid, place);
    let wire = findings.ok(KEY, Wire::deserialize(inline)).unwrap_or(Wire { components: Vec::new() });
    let mut out = BTreeMap::new();
    let mut order = Vec::new();
    for (at, value) in wire.components.iter().enumerate() {
        let path = format!("{KEY}.components[{at}]");
        let Some((id, source)) = entry(&mut findings, &path, value, limits) else { continue };
        if out.insert(id.clone(), source).is_some() {
            findings.add(path, format_args!("component {id:?} occurs twice"));
        } else {
            order.push(id);
        }
    }
    findings.finish("the pack's component sources are not valid")?;
    Ok(order.into_iter().filter_map(|id| out.remove(&id).map(|source| (id, source))).collect())
}

fn entry(findings: &mut Findings, path: &str, value: &Value, limits: &Limits) -> Option<(Id, Source)> {
    let entry: Entry = findings.ok(path, Entry::deserialize(value))?;
    let message = |error: Error| error.message().to_owned();
    let name = entry.component_id.as_deref().unwrap_or(&entry.name);
    let id = findings.ok(path, id::parse("component id", name).map_err(message))?;
    let published = entry.source.as_str().unwrap_or_default().to_owned();
    let Artifact::Inline { wasm_path } = entry.artifact else {
        return Some((id, Source { file: None, digest: None, published }));
    };
    findings.ok(path, names::check(wasm_path.as_bytes(), limits).map_err(message))?;
    Some((id, Source { file: Some(wasm_path), digest: entry.resolved.digest, published }))
}

/// Compares `bytes` with a digest as it is written in packs: `sha256:` or `blake3:` before the hex, or bare SHA-256.
pub(super) fn check_digest(bytes: &[u8], expected: &str, what: &str) -> Result<()> {
    let (algorithm, hex) = expected.split_once(':').unwrap_or(("sha256", expected));
    let actual = match algorithm {
        "sha256" => hex::encode(Digest::of(bytes).0),
        "blake3" => blake3::hash(bytes).to_hex().to_string(),
        other => {
            let message = format!("{what} has a digest of the unknown kind {:?}", id::clip(other));
            return Err(Error::new(Code::DigestMismatch, message));
        }
    };
    if actual.eq_ignore_ascii_case(hex) {
        return Ok(());
    }
    let message = format!("{what} has the digest {algorithm}:{actual}, the pack states {:?}", id::clip(expected));
    Err(Error::new(Code::DigestMismatch, message).hint("the pack was changed after it was built; build it again"))
}
