//! Where published crates lie, once cargo has fetched them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::artefacts::{Artefact, Origin};
use crate::common::guest_path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The file or directory of `artefact`.
pub(crate) fn path_of(artefact: &Artefact) -> PathBuf {
    let path = match artefact.origin {
        Origin::Crate { manifest, name, version, path } => source_of(manifest, name, version).join(path),
        Origin::Sdk { guest, .. } => guest_path(guest),
    };
    assert!(path.exists(), "{} is not there: `cargo xtask test` fetches and builds what is missing", path.display());
    path
}

/// Where the crate `name` lies that the manifest in `directory` names.
fn source_of(directory: &str, name: &str, version: &str) -> PathBuf {
    static KNOWN: Mutex<Option<HashMap<String, PathBuf>>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if let Some(found) = known.get(name) {
        return found.clone();
    }
    let manifest = Path::new(ROOT).join("tests/interop/published").join(directory).join("Cargo.toml");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--format-version", "1", "--manifest-path"])
        .arg(&manifest)
        .output()
        .unwrap();
    let help = format!("`cargo fetch --locked --manifest-path {}` fetches it", manifest.display());
    assert!(output.status.success(), "{help}: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == name && package["version"] == version).unwrap();
    let source = Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned();
    known.insert(name.to_owned(), source.clone());
    source
}
