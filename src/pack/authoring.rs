//! Packs of sources: a directory as an author keeps it, without any build.
//!
//! - `*.ygtc`: the flows, `index.ygtc` first, the others in the order of their names;
//! - `components/<id>.wasm`: the components;
//! - `assets/`: files for components and flows; `schemas/`: schemas that declarations refer to;
//! - `pack.yaml`, if there is one: what the pack is called and declares, see [`PackYaml`].

use std::path::Path;

use indexmap::IndexMap;
use semver::Version;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::{Code, Error, Location, Result};
use crate::flow::doc::FlowDoc;
use crate::flow::ygtc;
use crate::id::{self, Id, clip};
use crate::pack::directory::Directory;
use crate::pack::files::Files;
use crate::pack::limits::Limits;
use crate::pack::manifest::{ComponentEntry, ExtensionRef, Manifest};
use crate::pack::model::{Operation, PackKind, ProviderDecl, SecretRequirement};
use crate::pack::{names, provider};

/// The name of the file that describes the pack.
pub const FILE: &str = "pack.yaml";

/// The flow file that stands for the pack and whose flow comes first.
pub const INDEX: &str = "index.ygtc";

/// The file that says how the author builds the components; loading a pack only knows that it may be there.
pub const BUILD: &str = "build.yaml";

/// Bytes of `pack.yaml` that are read at most.
const MAX_BYTES: usize = 1 << 20;

/// `pack.yaml`. Every key may be left out; a key that is not listed here is an error.
///
/// ```yaml
/// pack_id: acme.greeter        # default: made of the directory's name
/// version: 1.2.0               # default: 0.0.0
/// name: Greeter                # a name for people
/// kind: application            # application, provider, infrastructure or library
/// publisher: acme              # default: local
/// components:                  # default: every components/*.wasm, without details
///   greeter:                   # the file is components/greeter.wasm
///     operations: [greet]      # names, or maps of name, input_schema and output_schema
///     capabilities: { host: { state: { read: true, write: true } } }
///     world: acme:greeter/greeter
///     version: 1.0.0           # default: the pack's
/// providers:
///   - provider_type: acme.greeter
///     provider_id: main        # default: the type
///     component: greeter
///     ops: [greet]
///     capabilities: [greeting]
///     config: { tone: friendly }
///     config_schema_ref: schemas/greeter.json
/// secret_requirements:
///   - { key: GREETER_TOKEN, required: false, description: for the paid plan }
/// extensions:                  # further extensions, by key; the values are their inline payloads
///   acme.routes.v1: { routes: [] }
/// ```
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PackYaml {
    /// The pack's id.
    pub pack_id: Option<String>,
    /// Its version.
    pub version: Option<Version>,
    /// A name for people.
    pub name: Option<String>,
    /// What it is for.
    pub kind: Option<PackKind>,
    /// Who publishes it.
    pub publisher: Option<String>,
    /// Its components by id.
    pub components: Option<IndexMap<String, Option<ComponentYaml>>>,
    /// Its providers.
    pub providers: Vec<ProviderYaml>,
    /// Secrets that it needs.
    pub secret_requirements: Vec<SecretRequirement>,
    /// Inline payloads of further extensions.
    pub extensions: IndexMap<String, Value>,
}

/// A component in [`PackYaml`].
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ComponentYaml {
    /// Its operations.
    pub operations: Vec<OperationYaml>,
    /// The capabilities that it asks for.
    pub capabilities: Option<Value>,
    /// Its world.
    pub world: Option<String>,
    /// Its version.
    pub version: Option<Version>,
}

/// An operation in [`PackYaml`].
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum OperationYaml {
    /// Its name alone.
    Name(String),
    /// Its name and schemas.
    Full(Operation),
}

/// A provider in [`PackYaml`].
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderYaml {
    /// Its type.
    pub provider_type: String,
    /// Its id.
    #[serde(default)]
    pub provider_id: Option<String>,
    /// The component that implements it.
    pub component: String,
    /// Its operations.
    #[serde(default)]
    pub ops: Vec<String>,
    /// Free capability names.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// Its configuration.
    #[serde(default)]
    pub config: Option<Value>,
    /// Where the schema of its configuration lies.
    #[serde(default)]
    pub config_schema_ref: Option<String>,
    /// The export that it names.
    #[serde(default)]
    pub export: String,
    /// The world that it names.
    #[serde(default)]
    pub world: String,
}

/// Whether the file's name is one that stands for the pack of sources it lies in.
pub(super) fn is_source(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name == FILE || name.ends_with(".ygtc"))
}

/// Reads a directory of sources into the manifest that a build would write.
pub(super) fn read(root: &Path, files: &mut Directory, limits: &Limits) -> Result<Manifest> {
    let yaml = if files.has(FILE) { pack_yaml(files)? } else { PackYaml::default() };
    let place = files.place(FILE);
    manifest(root, yaml, files, limits).map_err(|error| error.in_file(place))
}

fn manifest(root: &Path, yaml: PackYaml, files: &mut Directory, limits: &Limits) -> Result<Manifest> {
    let id = match &yaml.pack_id {
        Some(text) => id::parse("pack_id", text)?,
        None => id_from_name(&directory_name(root)),
    };
    let version = yaml.version.unwrap_or(Version::new(0, 0, 0));
    let components = components(yaml.components, &version, files)?;
    let mut extensions = IndexMap::new();
    let mut providers = Vec::with_capacity(yaml.providers.len());
    for declared in yaml.providers {
        providers.push(provider_decl(declared, limits)?);
    }
    extensions.extend(provider::extension(&providers)?.map(|extension| (provider::KEY.to_owned(), extension)));
    for (key, inline) in yaml.extensions {
        if provider::is_provider_key(&key) {
            return Err(Error::new(Code::ProviderInvalid, format!("{key} is not to be written under `extensions`"))
                .hint("declare providers under `providers`"));
        }
        let (kind, version) = (key.clone(), "1.0.0".to_owned());
        extensions.insert(key, ExtensionRef { kind, version, digest: None, location: None, inline });
    }
    Ok(Manifest {
        id,
        name: yaml.name,
        version,
        kind: yaml.kind.unwrap_or(PackKind::Application),
        publisher: yaml.publisher.unwrap_or_else(|| "local".to_owned()),
        components,
        flows: flows(files)?,
        dependencies: Vec::new(),
        capabilities: Vec::new(),
        secret_requirements: yaml.secret_requirements,
        signatures: Value::Null,
        bootstrap: Value::Null,
        extensions,
    })
}

fn pack_yaml(files: &mut Directory) -> Result<PackYaml> {
    let place = files.place(FILE);
    let text = text(files.read(FILE)?, Code::ManifestInvalid, &place)?;
    if text.len() > MAX_BYTES {
        let message = format!("{FILE} has {} bytes, the limit is {MAX_BYTES}", text.len());
        return Err(Error::new(Code::TooLarge, message).in_file(place).hint("divide the pack into several"));
    }
    yaml(&text, &place, Code::ManifestInvalid)
}

/// Reads a file of an author's own; `file` names it in errors, which have the code `code` and a place.
pub(crate) fn yaml<T: DeserializeOwned + Default>(text: &str, file: &str, code: Code) -> Result<T> {
    if text.trim().is_empty() {
        return Ok(T::default());
    }
    let options = serde_saphyr::options! {
        with_snippet: false,
        budget: serde_saphyr::budget! { max_nodes: 50_000, max_depth: 48, max_documents: 1, max_aliases: 1_000 },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let message = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
        let position = error.location().and_then(|at| {
            let line = u32::try_from(at.line()).ok().filter(|line| *line > 0)?;
            Some((line, u32::try_from(at.column()).ok()?))
        });
        Error::new(code, clip(&message)).at(Location { file: file.to_owned(), position })
    })
}

fn text(bytes: Vec<u8>, code: Code, place: &str) -> Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::new(code, format!("the file is not UTF-8 text (byte {at})")).in_file(place).hint("save it as UTF-8")
    })
}

fn components(
    listed: Option<IndexMap<String, Option<ComponentYaml>>>,
    version: &Version,
    files: &Directory,
) -> Result<Vec<ComponentEntry>> {
    let listed = match listed {
        Some(listed) => listed,
        None => {
            let names = files.files_in("components", "wasm")?;
            let id = |name: String| {
                let stem = name.strip_prefix("components/").and_then(|name| name.strip_suffix(".wasm"));
                (stem.unwrap_or(&name).to_owned(), None)
            };
            names.into_iter().map(id).collect()
        }
    };
    let mut out = Vec::with_capacity(listed.len());
    for (name, details) in listed {
        let details = details.unwrap_or_default();
        out.push(ComponentEntry {
            id: id::parse("component id", &name)?,
            version: details.version.unwrap_or_else(|| version.clone()),
            world: details.world,
            operations: details.operations.into_iter().map(operation).collect(),
            capabilities: details.capabilities,
            supports: Vec::new(),
            rest: Map::new(),
        });
    }
    Ok(out)
}

fn operation(yaml: OperationYaml) -> Operation {
    match yaml {
        OperationYaml::Name(name) => Operation { name, input_schema: Value::Null, output_schema: Value::Null },
        OperationYaml::Full(operation) => operation,
    }
}

fn provider_decl(yaml: ProviderYaml, limits: &Limits) -> Result<ProviderDecl> {
    if let Some(path) = &yaml.config_schema_ref {
        names::check(path.as_bytes(), limits)?;
    }
    Ok(ProviderDecl {
        id: id::parse("provider id", yaml.provider_id.as_ref().unwrap_or(&yaml.provider_type))?,
        provider_type: yaml.provider_type,
        capabilities: yaml.capabilities,
        ops: yaml.ops,
        component: id::parse("component id", &yaml.component)?,
        export: yaml.export,
        world: yaml.world,
        config: yaml.config,
        config_schema_ref: yaml.config_schema_ref,
    })
}

/// Reads the flow files; all that is wrong with any of them is said at once.
fn flows(files: &mut Directory) -> Result<Vec<FlowDoc>> {
    let mut names = files.files_in("", "ygtc")?;
    if let Some(at) = names.iter().position(|name| name == INDEX) {
        let index = names.remove(at);
        names.insert(0, index);
    }
    let (mut flows, mut findings) = (Vec::with_capacity(names.len()), Vec::new());
    for name in names {
        let place = files.place(&name);
        let doc = files.read(&name).and_then(|bytes| ygtc::parse(&text(bytes, Code::FlowInvalid, &place)?, &place));
        match doc {
            Ok(doc) => flows.push(doc),
            Err(error) => findings.push(error.in_file(&place)),
        }
    }
    if findings.is_empty() {
        return Ok(flows);
    }
    Err(Error::from_many(Code::FlowInvalid, "flow files are not valid", findings))
}

/// The name of a directory that may be written as `.` or `..`.
pub(super) fn directory_name(root: &Path) -> String {
    let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
    let full = std::fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
    full.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// An id made of a file's or directory's name.
pub(super) fn id_from_name(name: &str) -> Id {
    let keep = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '-' };
    let text: String = name.chars().take(id::MAX_LEN).map(keep).collect();
    Id::from(if text.is_empty() { "pack" } else { &text })
}
