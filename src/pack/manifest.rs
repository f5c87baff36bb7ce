//! The manifest of a pack. Two generations share its file name: pack-v1, a CBOR map whose names are interned in
//! symbol tables, is read and written; the [`Legacy`] one before it is read.
//!
//! Reading collects all that is wrong, in a bounded list; unknown keys are ignored, because tools add some. Writing
//! gives what published readers of the format decode; node keys of ours (`err_map`, `retry`, `timeout`, `when`, …) are
//! left alone by readers that do not know them.

use indexmap::IndexMap;
use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Code, Error, Result};
use crate::flow::doc::FlowDoc;
use crate::id::Id;
use crate::pack::limits::Limits;
use crate::pack::model::{Operation, PackKind, SecretRequirement};

mod decode;
mod encode;
mod findings;
mod legacy;
mod wire;

pub(super) use findings::Findings;
pub use legacy::{Legacy, LegacyComponent, LegacyFlow};

/// The name of the manifest's file in every pack.
pub const FILE: &str = "manifest.cbor";

/// The generation that is read and written.
pub const SCHEMA: &str = "pack-v1";

/// The key of a flow's parameters among its further metadata.
const PARAMETERS: &str = "parameters";

/// A manifest with its symbols resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The pack's id.
    pub id: Id,
    /// A name for people.
    pub name: Option<String>,
    /// The pack's version.
    pub version: Version,
    /// What the pack is for.
    pub kind: PackKind,
    /// Who published it.
    pub publisher: String,
    /// Its components.
    pub components: Vec<ComponentEntry>,
    /// Its flows.
    pub flows: Vec<FlowDoc>,
    /// Other packs that it needs.
    pub dependencies: Vec<Dependency>,
    /// Capabilities that it offers.
    pub capabilities: Vec<Capability>,
    /// Secrets that it needs.
    pub secret_requirements: Vec<SecretRequirement>,
    /// The signature block, as written; empty if null.
    pub signatures: Value,
    /// The bootstrap block, as written; null if there is none.
    pub bootstrap: Value,
    /// Its extensions by key.
    pub extensions: IndexMap<String, ExtensionRef>,
}

/// What a manifest says about a component.
#[derive(Clone, Debug, PartialEq)]
pub struct ComponentEntry {
    /// Its id.
    pub id: Id,
    /// Its version.
    pub version: Version,
    /// The world that it names, if any.
    pub world: Option<String>,
    /// Its operations.
    pub operations: Vec<Operation>,
    /// The capabilities that it asks for; none if the block is missing or says nothing.
    pub capabilities: Option<Value>,
    /// Kinds of flows that it supports, as written.
    pub supports: Vec<String>,
    /// Profiles, configurators, schemas, resources and development flows, as written.
    pub rest: Map<String, Value>,
}

/// Another pack that a pack needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Dependency {
    /// The name under which this pack's flows know it.
    pub alias: String,
    /// Its id.
    pub pack: Id,
    /// The versions that fit.
    pub version_req: String,
    /// Names of capabilities that it must offer.
    pub required_capabilities: Vec<String>,
}

/// A capability that a pack offers.
#[derive(Clone, Debug, PartialEq)]
pub struct Capability {
    /// Its name.
    pub name: String,
    /// A description for people.
    pub description: Option<String>,
}

/// An extension of a manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExtensionRef {
    /// Its kind; usually the key under which it stands.
    pub kind: String,
    /// Its version.
    pub version: String,
    /// The digest of its payload, where that lies elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Where its payload lies, if not inline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Its payload; null if that lies elsewhere.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub inline: Value,
}

/// A manifest of either generation.
#[derive(Clone, Debug, PartialEq)]
pub enum Decoded {
    /// Of pack-v1.
    Current(Manifest),
    /// Of the generation before.
    Legacy(Legacy),
}

impl Decoded {
    /// Reads a manifest of either generation. `place` names it in errors and becomes the origin of its flows.
    ///
    /// # Errors
    ///
    /// `ManifestGeneration` for manifests of generations to come, `ManifestInvalid` (one error with all findings) for
    /// damaged ones, `TooLarge` for those beyond the limits.
    pub fn read(bytes: &[u8], place: &str, limits: &Limits) -> Result<Self> {
        decode::any(bytes, place, limits)
    }
}

impl Manifest {
    /// Reads a manifest of pack-v1. `place` names it in errors and becomes the origin of its flows.
    ///
    /// # Errors
    ///
    /// `ManifestGeneration` for manifests of other generations, `ManifestInvalid` (one error with all findings) for
    /// damaged ones, `TooLarge` for those beyond the limits.
    pub fn decode(bytes: &[u8], place: &str, limits: &Limits) -> Result<Self> {
        match Decoded::read(bytes, place, limits)? {
            Decoded::Current(manifest) => Ok(manifest),
            Decoded::Legacy(_) => Err(Error::new(
                Code::ManifestGeneration,
                format!("the manifest is of the generation before {SCHEMA} (it has a meta block)"),
            )
            .in_file(place)
            .hint("`pack migrate` writes the pack anew")),
        }
    }

    /// Writes the manifest.
    ///
    /// # Errors
    ///
    /// `PackBuild` if a node names something that is no identifier or a node that is not there.
    pub fn encode(&self) -> Result<Vec<u8>> {
        encode::manifest(self)
    }
}
