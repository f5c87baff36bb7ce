//! Packs: one [`model::Pack`] from a `.gtpack` archive, a materialized directory, an `index.ygtc` beside its
//! components, or a bare `.wasm`; and the way back, from a directory of sources to an archive.
//!
//! In: a path and where else components may lie. Out: a pack whose every part was read within [`Limits`].
//! Everything in a pack is untrusted; this room compiles no component and runs nothing, and never writes but where it
//! is told to build.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::error::Result;
use crate::id::Id;

pub mod archive;
mod assets;
pub mod authoring;
pub mod build;
mod cbor;
mod check;
mod component_manifests;
mod component_sources;
mod describe;
mod directory;
mod embedded;
mod files;
pub mod inspect;
mod legacy;
mod limits;
mod load;
pub mod lock;
pub mod manifest;
pub mod migrate;
pub mod model;
mod names;
pub mod overlay;
pub mod provider;
mod remote;
mod resolve;
mod runtime_flows;
pub mod sbom;
pub mod scaffold;
mod secrets;
pub mod sign;
pub mod signature;
mod verify;

pub use assets::Assets;
pub use build::{BuildReport, build};
pub use check::{Callee, Declared, findings};
pub(crate) use directory::read_file;
pub(crate) use embedded::unused as unused_description;
pub use inspect::Inspection;
pub use limits::Limits;
pub(crate) use load::is_directory;
pub use migrate::{Migration, migrate};
pub use model::Pack;
pub use remote::RemoteComponent;
pub use scaffold::scaffold;
pub use sign::{SignReport, sign};

/// Where a pack's components may lie besides the pack, and how large it may be.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// Component id to file; wins over everything, and the file must exist.
    pub overrides: BTreeMap<Id, PathBuf>,
    /// A directory that holds `<id>.wasm` or `components/<id>.wasm`; searched before the pack.
    pub components_dir: Option<PathBuf>,
    /// Files that were fetched for components of the pack, see [`remote_components`]. They are used for what lies
    /// nowhere else, and must have every digest that is stated of them.
    pub fetched: BTreeMap<Id, PathBuf>,
    /// The digest that the pack must have. That of a file is compared before anything reads it.
    pub expected: Option<model::Digest>,
    /// The bounds.
    pub limits: Limits,
    /// Go on after an error where something of the pack is left to look at: such errors stand in
    /// [`Pack::faults`], and what they are about is missing in the pack. For looking only; a pack with faults is not
    /// to be run.
    pub keep_going: bool,
}

/// Loads the pack at `path`, whatever its form. It blocks: call it where blocking is allowed.
///
/// - a `.gtpack` archive;
/// - a directory with `manifest.cbor` (or that file);
/// - a directory with `.ygtc` files or `pack.yaml` (or one of those files), see [`authoring`];
/// - a `.wasm` component: a pack with this component and no flows.
///
/// With the Cargo feature `verify` every file that the pack names is looked for before any component is opened;
/// without it a missing file is an error when its turn comes.
///
/// # Errors
///
/// A code between `GRH-0200` and `GRH-0299`, `FlowInvalid` for flow files, `Io` for what cannot be read.
pub fn load(path: &Path, options: &LoadOptions) -> Result<Pack> {
    load::load(path, options)
}

/// The components that the pack at `path` names and that lie elsewhere: neither `options` nor the pack itself holds
/// them. Only the pack's description is read. It blocks, as [`load`] does.
///
/// # Errors
///
/// What opening the pack can fail with, and `ComponentUnpinned` for a component that has to be fetched and of which no
/// digest is stated.
pub fn remote_components(path: &Path, options: &LoadOptions) -> Result<Vec<RemoteComponent>> {
    remote::components(path, options)
}

/// Loads a `.wasm` component as a pack with this component and no flows. It blocks, as [`load`] does.
///
/// # Errors
///
/// `Io` for what cannot be read, `NotAComponent` for what is no WebAssembly.
pub fn load_component(path: &Path, options: &LoadOptions) -> Result<Pack> {
    load::load_component(path, options)
}

/// Loads an archive from memory; `name` stands for it in errors.
///
/// # Errors
///
/// As [`load`].
pub fn load_bytes(bytes: impl Into<Bytes>, name: &str, options: &LoadOptions) -> Result<Pack> {
    load::load_bytes(bytes.into(), name, options)
}
