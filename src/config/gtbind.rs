//! `.gtbind` files: which pack a tenant serves, as tools write it down.
//!
//! ```yaml
//! tenant: acme
//! pack_id: acme.greeter
//! pack_ref: acme.greeter@1.2.0        # or NAME@sha256:…
//! pack_locator: packs/greeter.gtpack  # a local path, relative to this file
//! flows: [{ id: main }]
//! env_passthrough: []
//! ```
//!
//! Tools add keys of their own, so unknown ones are no error.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::units::{Name, Text, Variable};
use super::yaml::{Cursor, Finding, Findings};
use super::{HostConfig, Note, read_text, yaml};
use crate::error::{Code, Error, Location, Result};
use crate::id::{Id, clip};

/// How the names of such files end.
pub const EXTENSION: &str = "gtbind";

/// The pack that a tenant serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackBinding {
    /// The pack's id.
    pub pack_id: Id,
    /// The version or digest that it must have, as written after the `@`.
    pub pinned: Option<String>,
    /// Where it lies.
    pub locator: Option<PathBuf>,
    /// Flows that it must have.
    pub flows: Vec<Id>,
    /// Variables of the environment for its components.
    pub env_passthrough: Vec<String>,
    /// The file that says so, for errors.
    pub file: String,
}

#[derive(Deserialize)]
struct Flow {
    id: Name,
    /// Read as a map, in which further keys are no findings.
    #[serde(flatten)]
    _more: BTreeMap<String, IgnoredAny>,
}

impl PackBinding {
    /// Reads the text of a file for the tenant that it names; `file` is its name in errors, and what its locator is
    /// relative to.
    pub fn parse(text: &str, file: &str) -> Result<(Id, Self)> {
        let root = yaml::parse(text, file)?;
        let findings = Findings::default();
        let cursor = Cursor::new(&root, &findings);
        let tenant = required(cursor, "tenant");
        let pack_id = required(cursor, "pack_id");
        let pinned = cursor.read::<Option<Text>>("pack_ref").and_then(|Text(text)| pinned(cursor, &text));
        let locator = cursor.read::<Option<Text>>("pack_locator").and_then(|Text(text)| locator(cursor, &text, file));
        let flows: Vec<Flow> = cursor.read("flows");
        let env: Vec<Variable> = cursor.read("env_passthrough");
        let mut findings = findings.into_inner();
        findings.sort_by_key(|finding| finding.place);
        let (Some(tenant), Some(pack_id), true) = (tenant, pack_id, findings.is_empty()) else {
            let summary = format!("{file} has {} problems", findings.len());
            let errors = findings.into_iter().map(|finding| finding.into_error(file)).collect();
            return Err(Error::from_many(Code::BindingsInvalid, summary, errors));
        };
        let mut flows: Vec<Id> = flows.into_iter().map(|flow| flow.id.0).collect();
        flows.sort_unstable();
        flows.dedup();
        let env_passthrough = env.into_iter().map(|Variable(name)| name).collect();
        Ok((tenant, Self { pack_id, pinned, locator, flows, env_passthrough, file: file.to_owned() }))
    }

    /// Adds what another file says about the same pack.
    fn merge(&mut self, other: Self) -> Result<()> {
        let conflict = |what: &str| {
            let message = format!("{} and {} name two {what} for one tenant", self.file, other.file);
            Err(Error::new(Code::BindingsInvalid, message)
                .in_file(&other.file)
                .hint("a tenant serves one pack; give each pack a tenant of its own"))
        };
        if self.pack_id != other.pack_id {
            return conflict("packs");
        }
        if self.pinned.is_some() && other.pinned.is_some() && self.pinned != other.pinned {
            return conflict("versions of a pack");
        }
        if self.locator.is_some() && other.locator.is_some() && self.locator != other.locator {
            return conflict("places of a pack");
        }
        self.pinned = self.pinned.take().or(other.pinned);
        self.locator = self.locator.take().or(other.locator);
        self.flows.extend(other.flows);
        self.flows.sort_unstable();
        self.flows.dedup();
        self.env_passthrough.extend(other.env_passthrough);
        Ok(())
    }

    /// Compares a pack that was read with the one that is bound. All that differs is said at once.
    ///
    /// # Errors
    ///
    /// `PackNotBound`.
    pub fn check(&self, pack_id: &str, version: &semver::Version, digest: &str) -> Result<()> {
        let mut findings = Vec::new();
        let mut differs = |message: String| findings.push(Error::new(Code::PackNotBound, message).in_file(&self.file));
        if *self.pack_id != *pack_id {
            differs(format!("the pack is {pack_id:?}, the bindings name {:?}", self.pack_id));
        }
        if let Some(pinned) = &self.pinned {
            let (found, same) = match pinned.contains(':') {
                true => (digest.to_owned(), digest.eq_ignore_ascii_case(pinned)),
                false => (version.to_string(), version.to_string() == *pinned),
            };
            if !same {
                differs(format!("the pack is {found}, the bindings name {:?}", clip(pinned)));
            }
        }
        refuse(findings)
    }

    /// Checks that the pack has the flows that are named here; `flows` are those it has.
    ///
    /// # Errors
    ///
    /// `PackNotBound`.
    pub fn check_flows<'a>(&self, pack_id: &str, flows: impl Iterator<Item = &'a Id>) -> Result<()> {
        let known: HashSet<&Id> = flows.collect();
        let missing = self.flows.iter().filter(|flow| !known.contains(flow)).map(|flow| {
            let message = format!("the bindings name flow {flow:?}, which pack {pack_id} does not have");
            Error::new(Code::PackNotBound, message).in_file(&self.file)
        });
        refuse(missing.collect())
    }
}

fn refuse(findings: Vec<Error>) -> Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    Err(Error::from_many(Code::PackNotBound, "the pack is not the one that the bindings name", findings))
}

fn required(cursor: Cursor<'_>, key: &str) -> Option<Id> {
    if !cursor.has(key) {
        cursor.report(Finding::at(cursor.place(), format!("the key `{key}` is missing")));
    }
    cursor.read::<Option<Name>>(key).map(|Name(id)| id)
}

/// The version or digest in `NAME@VERSION` or `NAME@sha256:HEX`.
fn pinned(cursor: Cursor<'_>, text: &str) -> Option<String> {
    let at = cursor.get("pack_ref").map_or(cursor.place(), |cursor| cursor.place());
    let report = |why: &str| {
        let finding = Finding::at(at, format!("`pack_ref`: {:?} {why}", clip(text)));
        cursor.report(finding.hint("write NAME@VERSION or NAME@sha256:HEX"));
    };
    let Some((_, pinned)) = text.split_once('@') else {
        report("names no version");
        return None;
    };
    let hex = |hex: &str| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let valid = match pinned.split_once(':') {
        Some((algorithm, digest)) => algorithm == "sha256" && hex(digest),
        None => semver::Version::parse(pinned).is_ok(),
    };
    if !valid {
        report("ends in neither a version nor a SHA-256 digest");
    }
    valid.then(|| pinned.to_owned())
}

/// The local path that a locator means.
fn locator(cursor: Cursor<'_>, text: &str, file: &str) -> Option<PathBuf> {
    let path = text.strip_prefix("file://").unwrap_or(text);
    if path.contains("://") {
        let at = cursor.get("pack_locator").map_or(cursor.place(), |cursor| cursor.place());
        let finding = Finding::at(at, format!("`pack_locator`: {:?} is no local path", clip(text)));
        cursor.report(finding.hint("this host fetches no packs; get it first, and name the file"));
        return None;
    }
    Some(Path::new(file).parent().unwrap_or(Path::new("")).join(path))
}

impl HostConfig {
    /// Reads `.gtbind` files into the configurations of the tenants that they name, sorted by tenant. Files of one
    /// tenant are merged; they must name one pack.
    ///
    /// # Errors
    ///
    /// `BindingsInvalid` for what a file or two of them together say, `Io` and `TooLarge` for files that cannot be read.
    pub fn from_gtbind(files: &[impl AsRef<Path>]) -> Result<Vec<Self>> {
        let mut tenants: BTreeMap<Id, PackBinding> = BTreeMap::new();
        for file in files {
            let file = file.as_ref();
            let (tenant, binding) = PackBinding::parse(&read_text(file)?, &file.display().to_string())?;
            match tenants.get_mut(&tenant) {
                Some(known) => known.merge(binding)?,
                None => drop(tenants.insert(tenant, binding)),
            }
        }
        let config = |(tenant, binding): (Id, PackBinding)| {
            let mut config = Self::for_tenant(tenant);
            config.file = Some(binding.file.clone());
            config.note(&binding, "no bindings limit its secrets: components may read every one that is configured");
            config.secrets_unlimited = true;
            config.with_pack_binding(binding)
        };
        Ok(tenants.into_iter().map(config).collect())
    }

    /// The same, and its pack must be the one that `binding` names.
    #[must_use]
    pub fn with_pack_binding(mut self, binding: PackBinding) -> Self {
        self.pack_binding = Some(binding);
        self
    }

    fn note(&mut self, binding: &PackBinding, message: &str) {
        let location = Location { file: binding.file.clone(), position: None };
        self.notes.push(Note { message: message.to_owned(), location });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "tenant: acme\npack_id: acme.greeter\npack_ref: acme.greeter@1.2.0\n\
        pack_locator: packs/greeter.gtpack\nflows: [{ id: main, extra: 1 }, { id: after }]\n\
        env_passthrough: [HOME]\nof_a_tool: 1\n";

    fn parse(text: &str) -> Result<(Id, PackBinding)> {
        PackBinding::parse(text, "dir/acme.gtbind")
    }

    #[test]
    fn a_file_says_which_pack_a_tenant_serves() {
        let (tenant, binding) = parse(TEXT).unwrap();
        assert_eq!((&*tenant, &*binding.pack_id, binding.pinned.as_deref()), ("acme", "acme.greeter", Some("1.2.0")));
        assert_eq!(binding.locator.as_deref(), Some(Path::new("dir/packs/greeter.gtpack")));
        assert_eq!(binding.flows.iter().map(|id| &**id).collect::<Vec<_>>(), ["after", "main"]);
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let error = parse("pack_ref: x@newest\npack_locator: oci://registry.example/x\nflows: [main]\n").unwrap_err();
        let text = error.to_string();
        for part in ["`tenant` is missing", "`pack_id` is missing", "newest", "is no local path", "dir/acme.gtbind:3"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        for text in ["", "[1]", "tenant: [", "tenant: a b\npack_id: x"] {
            assert_eq!(parse(text).unwrap_err().code(), Code::BindingsInvalid, "{text}");
        }
    }

    #[test]
    fn another_pack_is_told_in_every_way_in_which_it_differs() {
        let (_, mut binding) = parse(TEXT).unwrap();
        let flows = [Id::from("main"), Id::from("after")];
        let version = semver::Version::new(1, 2, 0);
        assert!(binding.check("acme.greeter", &version, "sha256:00").is_ok());
        assert!(binding.check_flows("acme.greeter", flows.iter()).is_ok());
        let error = binding.check_flows("acme.greeter", flows[..1].iter()).unwrap_err();
        assert!(error.code() == Code::PackNotBound && error.message().contains("after"), "{error}");
        let error = binding.check("acme.other", &semver::Version::new(2, 0, 0), "sha256:00").unwrap_err();
        assert_eq!((error.code(), error.details().len()), (Code::PackNotBound, 2), "{error}");
        binding.pinned = Some(format!("sha256:{}", "A0".repeat(32)));
        assert!(binding.check("acme.greeter", &version, &format!("sha256:{}", "a0".repeat(32))).is_ok());
        assert!(binding.check("acme.greeter", &version, "sha256:00").is_err());
    }

    #[test]
    fn files_of_one_tenant_are_merged_if_they_name_one_pack() {
        let dir = tempfile::tempdir().unwrap();
        let files = |texts: &[&str]| -> Vec<PathBuf> {
            let put = |(at, text): (usize, &&str)| {
                let path = dir.path().join(format!("{at}.gtbind"));
                std::fs::write(&path, text).unwrap();
                path
            };
            texts.iter().enumerate().map(put).collect()
        };
        let more = "tenant: acme\npack_id: acme.greeter\nflows: [{ id: late }]";
        let configs = HostConfig::from_gtbind(&files(&[TEXT, more, "tenant: abc\npack_id: p"])).unwrap();
        assert_eq!(configs.iter().map(|config| &**config.tenant()).collect::<Vec<_>>(), ["abc", "acme"]);
        assert_eq!(configs[1].pack_binding().unwrap().flows.len(), 3);
        assert!(configs[1].secrets_policy().allows("ANY"));
        let notes: Vec<_> = configs[1].notes().iter().map(ToString::to_string).collect();
        assert!(notes.iter().any(|note| note.contains("secrets")), "{notes:?}");
        assert!(configs[1].wasi().env.contains("HOME"), "{notes:?}");
        for other in ["tenant: acme\npack_id: other", "tenant: acme\npack_id: acme.greeter\npack_ref: x@2.0.0"] {
            let error = HostConfig::from_gtbind(&files(&[TEXT, other])).unwrap_err();
            assert_eq!(error.code(), Code::BindingsInvalid, "{error}");
        }
    }
}
