//! What a pack holds, whatever form it came in.

use std::path::PathBuf;

use bytes::Bytes;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;
use crate::flow::doc::FlowDoc;
use crate::id::Id;
use crate::pack::assets::Assets;
use crate::trust::{PackSignature, SbomState};

/// A digest of bytes, shown as `sha256:<hex>`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

/// A pack, read and checked for form, not yet prepared.
#[derive(Clone, Debug)]
pub struct Pack {
    /// The pack's id.
    pub id: Id,
    /// A name for people.
    pub name: Option<String>,
    /// Its version.
    pub version: semver::Version,
    /// What it is for.
    pub kind: PackKind,
    /// Who published it.
    pub publisher: String,
    /// SHA-256 of the archive's bytes; of a directory, over the sorted list of its files' names and digests.
    pub digest: Digest,
    /// What the pack came from.
    pub form: PackForm,
    /// The generation of its manifest, if it has one.
    pub generation: Option<Generation>,
    /// Where it was read.
    pub path: PathBuf,
    /// Its components by id, in manifest order.
    pub components: IndexMap<Id, PackComponent>,
    /// Its flows in manifest order.
    pub flows: Vec<FlowDoc>,
    /// The providers it declares, by provider id (which is the provider type for inline declarations).
    pub providers: IndexMap<Id, ProviderDecl>,
    /// Extensions by key, for `inspect`.
    pub extensions: IndexMap<String, Value>,
    /// Secrets that it needs.
    pub secret_requirements: Vec<SecretRequirement>,
    /// Its assets.
    pub assets: Assets,
    /// The files under `signatures/`.
    pub signatures: Vec<String>,
    /// What signs it from within; [`Pack::judge`] says what that is worth.
    pub signed: PackSignature,
    /// How it compares with its bill of materials.
    pub sbom: SbomState,
    /// A lock file outside of the pack that says something about its components, and that nothing in the pack signs.
    pub lock_beside: Option<PathBuf>,
    /// What is odd about the pack but does not refuse it.
    pub notes: Vec<Error>,
    /// What refuses the pack. There are none but after a load that keeps going.
    pub faults: Vec<Error>,
}

/// What a pack is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PackKind {
    /// Flows for users.
    Application,
    /// Providers for other packs.
    Provider,
    /// Infrastructure.
    Infrastructure,
    /// Shared parts.
    Library,
}

/// The form that a pack came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PackForm {
    /// A `.gtpack` archive.
    Archive,
    /// A directory with `manifest.cbor`.
    Directory,
    /// An `index.ygtc` (and further `.ygtc` files) beside `components/`.
    Sources,
    /// A single component.
    Wasm,
}

/// The generation of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Generation {
    /// The current one.
    #[serde(rename = "pack-v1")]
    PackV1,
    /// The one before, with a `meta` block and flows in files of their own.
    #[serde(rename = "legacy")]
    Legacy,
}

/// A component of a pack.
#[derive(Clone, Debug)]
pub struct PackComponent {
    /// Its id.
    pub id: Id,
    /// Its version, where the manifest states one.
    pub version: Option<semver::Version>,
    /// The world that the manifest names; informative, what it exports decides.
    pub world: Option<String>,
    /// The operations that the manifest names; empty if it names none.
    pub operations: Vec<Operation>,
    /// The capabilities that the manifest asks for, as written; none if the component has no such block.
    pub capabilities: Option<Value>,
    /// The bytes.
    pub wasm: Bytes,
    /// SHA-256 of the bytes.
    pub digest: Digest,
    /// The reference under which the component was published, such as `oci://host/path/name:tag`, if the pack says it.
    pub published: Option<String>,
    /// Where the bytes were found, for people.
    pub found_in: String,
}

/// An operation that a manifest names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// Its name.
    pub name: String,
    /// JSON Schema of its input.
    #[serde(default)]
    pub input_schema: Value,
    /// JSON Schema of its output.
    #[serde(default)]
    pub output_schema: Value,
}

/// A provider that a pack declares.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderDecl {
    /// Its id; for inline declarations its type.
    pub id: Id,
    /// Its type, such as `messaging.telegram.bot`.
    pub provider_type: String,
    /// Free capability names.
    pub capabilities: Vec<String>,
    /// The operations it declares; may be empty.
    pub ops: Vec<String>,
    /// The component that implements it.
    pub component: Id,
    /// The export that the declaration names; informative.
    pub export: String,
    /// The world that the declaration names; informative, what the component exports decides.
    pub world: String,
    /// Its configuration, where the declaration or the bindings give one.
    pub config: Option<Value>,
    /// Where the schema of its configuration lies.
    pub config_schema_ref: Option<String>,
}

/// A secret that a pack needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SecretRequirement {
    /// The secret's name.
    pub key: String,
    /// Whether the pack works without it.
    #[serde(default = "yes")]
    pub required: bool,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// All else that the manifest says.
    #[serde(flatten)]
    pub rest: serde_json::Map<String, Value>,
}

impl Pack {
    /// The component that was published under a reference: the same one, else the only one that differs from it just in
    /// digest or tag.
    pub fn published(&self, reference: &str) -> Option<Id> {
        let repository = |reference: &str| -> Option<String> {
            let (scheme, rest) = reference.split_once("://")?;
            let rest = rest.split('@').next()?;
            let (path, name) = rest.rsplit_once('/').unwrap_or(("", rest));
            Some(format!("{scheme}://{path}/{}", name.split(':').next()?))
        };
        let known = || self.components.values().filter_map(|c| Some((&c.id, c.published.as_deref()?)));
        if let Some((id, _)) = known().find(|(_, published)| *published == reference) {
            return Some(id.clone());
        }
        let wanted = repository(reference)?;
        let mut near = known().filter(|(_, published)| repository(published).as_ref() == Some(&wanted));
        let first = near.next()?.0.clone();
        near.next().is_none().then_some(first)
    }

    /// The ids of the providers of a type.
    pub fn providers_of_type(&self, provider_type: &str) -> Vec<Id> {
        self.providers.values().filter(|p| p.provider_type == provider_type).map(|p| p.id.clone()).collect()
    }
}

fn yes() -> bool {
    true
}

impl Digest {
    /// SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Reads `sha256:` and 64 hex digits of either case, or the digits alone.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = match text.split_once(':') {
            Some((kind, digits)) => Some(digits).filter(|_| kind.eq_ignore_ascii_case("sha256"))?,
            None => text,
        };
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl std::str::FromStr for Digest {
    type Err = &'static str;

    /// Reads `sha256:` and 64 hex digits, of either case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        match text.strip_prefix("sha256:").map(|hex| hex::decode_to_slice(hex, &mut bytes)) {
            Some(Ok(())) => Ok(Self(bytes)),
            _ => Err("it is not sha256: and 64 hex digits"),
        }
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sha256:{}", hex::encode(self.0))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}
