//! Telling the forms of packs apart, and putting a [`Pack`] together.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use indexmap::IndexMap;
use serde_json::Value;

use crate::error::{Code, Error, Result};
use crate::flow::doc::{FlowDoc, FlowKind};
use crate::id::Id;
use crate::pack::archive::{Archive, is_zip};
use crate::pack::describe::{self, Described};
use crate::pack::directory::{Directory, read_file};
use crate::pack::embedded::{self, Embedded};
use crate::pack::files::Files;
use crate::pack::manifest::{self, ExtensionRef, Findings};
use crate::pack::model::{Digest, Generation, Pack, PackComponent, PackForm, PackKind, ProviderDecl};
use crate::pack::resolve::{self, Wanted};
use crate::pack::{Assets, Limits, LoadOptions, assets, authoring, provider, sbom, signature};
use crate::trust::{PackSignature, SbomState};

/// The start of every WebAssembly file.
const WASM: &[u8] = b"\0asm";

/// What lies at a path.
pub(super) enum Whole {
    /// A pack of several files.
    Opened(Opened),
    /// A component, which is a whole pack.
    Component(Pack),
}

pub(super) fn load(path: &Path, options: &LoadOptions) -> Result<Pack> {
    match open(path, options)? {
        Whole::Opened(mut opened) => {
            let pack = opened.assemble(options).map_err(|error| error.in_file(path))?;
            // That of a directory is known only now.
            check_digest(options, || pack.digest).map_err(|error| error.in_file(path))?;
            Ok(pack)
        }
        Whole::Component(pack) => Ok(pack),
    }
}

/// Reads what the pack at `path` says of itself.
pub(super) fn open(path: &Path, options: &LoadOptions) -> Result<Whole> {
    let metadata = std::fs::metadata(path).map_err(|error| {
        Error::new(Code::Io, format!("the pack {} cannot be opened: {error}", path.display()))
            .hint("give a .gtpack file, a directory with manifest.cbor, an index.ygtc, or a .wasm component")
    })?;
    if metadata.is_dir() {
        return directory(path, path, options).map(Whole::Opened);
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match path.file_name().and_then(|name| name.to_str()) {
        Some(manifest::FILE) => return Opened::directory(parent, path, options).map(Whole::Opened),
        Some(_) if authoring::is_source(path) => return Opened::sources(parent, path, options).map(Whole::Opened),
        _ => {}
    }
    let bytes = Bytes::from(read_file(path, options.limits.archive)?);
    check_digest(options, || Digest::of(&bytes)).map_err(|error| error.in_file(path))?;
    let gtpack = path.extension().is_some_and(|extension| extension == "gtpack");
    if bytes.starts_with(WASM) && !gtpack {
        return Ok(Whole::Component(single(bytes, path, &options.limits)));
    }
    if is_zip(&bytes) || gtpack {
        return Opened::archive(bytes, &path.display().to_string(), Some(path), options).map(Whole::Opened);
    }
    Err(no_pack(path))
}

/// Compares the pack's digest with the one that it must have.
fn check_digest(options: &LoadOptions, found: impl FnOnce() -> Digest) -> Result<()> {
    let Some(expected) = options.expected else { return Ok(()) };
    let found = found();
    if found == expected {
        return Ok(());
    }
    Err(Error::new(Code::DigestMismatch, format!("the pack has the digest {found}, and {expected} is stated"))
        .hint("the pack was changed after its digest was taken, or another pack lies there"))
}

/// Loads a component file, and nothing else.
pub(super) fn load_component(path: &Path, options: &LoadOptions) -> Result<Pack> {
    let metadata = std::fs::metadata(path).map_err(|error| {
        Error::new(Code::Io, format!("the component file {} cannot be opened: {error}", path.display()))
            .hint("give the path of a .wasm component")
    })?;
    let no_component = || {
        Error::new(Code::NotAComponent, format!("{} is no WebAssembly component", path.display()))
            .hint("give a .wasm component here, and a pack with --pack")
    };
    if metadata.is_dir() {
        return Err(no_component());
    }
    let bytes = Bytes::from(read_file(path, options.limits.archive)?);
    if bytes.starts_with(WASM) { Ok(single(bytes, path, &options.limits)) } else { Err(no_component()) }
}

pub(super) fn load_bytes(bytes: Bytes, name: &str, options: &LoadOptions) -> Result<Pack> {
    Opened::archive(bytes, name, None, options)?.assemble(options).map_err(|error| error.in_file(name))
}

fn no_pack(path: &Path) -> Error {
    Error::new(Code::PackKind, format!("{} is no pack of a known kind", path.display())).hint(
        "packs are .gtpack archives, directories with manifest.cbor, directories with .ygtc files, or .wasm components",
    )
}

fn directory(root: &Path, path: &Path, options: &LoadOptions) -> Result<Opened> {
    let files = Directory::new(root, &options.limits);
    if files.has(manifest::FILE) {
        return Opened::directory(root, path, options);
    }
    if is_directory(root) {
        return Opened::sources(root, path, options);
    }
    Err(no_pack(path))
}

/// Whether the directory at `path` holds the description of a pack.
pub(crate) fn is_directory(path: &Path) -> bool {
    let files = Directory::new(path, &Limits::default());
    let described = || files.has(manifest::FILE) || files.has(authoring::FILE);
    described() || files.files_in("", "ygtc").is_ok_and(|found| !found.is_empty())
}

/// A pack that was described and not yet put together.
pub(super) struct Opened {
    pub(super) files: Box<dyn Files>,
    pub(super) described: Described,
    form: PackForm,
    path: PathBuf,
}

impl Opened {
    fn archive(bytes: Bytes, name: &str, path: Option<&Path>, options: &LoadOptions) -> Result<Self> {
        let mut files = Archive::open(bytes, name, &options.limits)?;
        let described = describe::packed(&mut files, path, options).map_err(|error| error.in_file(name))?;
        let path = path.unwrap_or(Path::new(name)).to_owned();
        Ok(Self { files: Box::new(files), described, form: PackForm::Archive, path })
    }

    fn directory(root: &Path, path: &Path, options: &LoadOptions) -> Result<Self> {
        let mut files = Directory::new(root, &options.limits);
        let described = describe::packed(&mut files, None, options)?;
        Ok(Self { files: Box::new(files), described, form: PackForm::Directory, path: path.to_owned() })
    }

    fn sources(root: &Path, path: &Path, options: &LoadOptions) -> Result<Self> {
        let mut files = Directory::new(root, &options.limits);
        let manifest = authoring::read(root, &mut files, &options.limits)?;
        let described = describe::sources(manifest, &files.place(authoring::FILE), options)?;
        Ok(Self { files: Box::new(files), described, form: PackForm::Sources, path: path.to_owned() })
    }

    /// Puts the pack together.
    pub(super) fn assemble(&mut self, options: &LoadOptions) -> Result<Pack> {
        let files = &mut *self.files;
        let mut pack = assemble(&self.described, files, self.form, &self.path, options)?;
        if let Some(generation) = pack.generation {
            let compared = sbom::compare(files, &options.limits, self.form == PackForm::Archive)?;
            pack.signed = signature::read(files, &compared);
            let differs = match &compared.state {
                SbomState::Differs(differs) => differs.clone(),
                SbomState::Absent | SbomState::Matches => Vec::new(),
            };
            pack.sbom = compared.state;
            if generation == Generation::Legacy && !differs.is_empty() {
                let summary = "the pack is not what its bill of materials says";
                let error = Error::from_many(Code::SbomMismatch, summary, differs)
                    .hint("the pack was changed after it was built; build or transfer it again");
                Faults { keep_going: options.keep_going, found: &mut pack.faults }.take::<()>(Err(error))?;
            } else {
                pack.notes.extend(differs);
            }
        }
        Ok(pack)
    }
}

/// A component file as a pack of its own, without flows. It may say what the pack is called.
fn single(bytes: Bytes, path: &Path, limits: &Limits) -> Pack {
    let id = authoring::id_from_name(&path.file_stem().unwrap_or_default().to_string_lossy());
    let digest = Digest::of(&bytes);
    let (embedded, note) = embedded::find(&bytes, limits);
    let component = PackComponent {
        id: id.clone(),
        version: embedded.as_ref().map(|embedded| embedded.version.clone()),
        world: None,
        operations: Vec::new(),
        capabilities: None,
        wasm: bytes,
        digest,
        published: None,
        found_in: path.display().to_string(),
    };
    let mut pack = Pack {
        id: id.clone(),
        name: None,
        version: semver::Version::new(0, 0, 0),
        kind: PackKind::Library,
        publisher: "local".to_owned(),
        digest,
        form: PackForm::Wasm,
        generation: None,
        path: path.to_owned(),
        components: IndexMap::from([(id, component)]),
        flows: Vec::new(),
        providers: IndexMap::new(),
        extensions: IndexMap::new(),
        secret_requirements: Vec::new(),
        assets: Assets::default(),
        signatures: Vec::new(),
        signed: PackSignature::Absent,
        sbom: SbomState::Absent,
        lock_beside: None,
        notes: note.map(|note| note.in_file(path)).into_iter().collect(),
        faults: Vec::new(),
    };
    if let Some(Embedded { id, version, secret_requirements, flows, written }) = embedded {
        let component = pack.components.keys().next().cloned();
        let flow = |id: Id| Some(FlowDoc::of_operation(id, FlowKind::Messaging, component.as_ref()?, path));
        pack.flows = flows.into_iter().filter_map(flow).collect();
        (pack.id, pack.version, pack.secret_requirements) = (id, version, secret_requirements);
        pack.extensions.insert(embedded::SECTION.to_owned(), written);
    }
    pack
}

/// Errors after which loading goes on, if it is to.
pub(super) struct Faults<'a> {
    pub(super) keep_going: bool,
    pub(super) found: &'a mut Vec<Error>,
}

impl Faults<'_> {
    /// What `result` holds; none if it is an error after which loading goes on.
    pub(super) fn take<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
        match result {
            Err(error) if self.keep_going => {
                self.found.push(error);
                Ok(None)
            }
            result => result.map(Some),
        }
    }
}

/// Puts a pack together from its manifest and its files.
pub(super) fn assemble(
    described: &Described,
    files: &mut dyn Files,
    form: PackForm,
    path: &Path,
    options: &LoadOptions,
) -> Result<Pack> {
    let Described { manifest, generation, wanted, notes, .. } = described;
    let place = files.place(if form == PackForm::Sources { authoring::FILE } else { manifest::FILE });
    let mut found = Vec::new();
    let mut faults = Faults { keep_going: options.keep_going, found: &mut found };
    let providers = faults.take(provider::declared(&manifest.extensions, &place))?.unwrap_or_default();
    faults.take(check_provider_components(&providers, wanted, &place))?;
    let mut notes = notes.clone();
    notes.extend(unused_overrides(wanted, options));
    let schemas = schemas(&providers, options);
    // What an author names must be there; published packs name schemas that they do not hold.
    let (named, unsure) = if form == PackForm::Sources { (schemas, Vec::new()) } else { (Vec::new(), schemas) };
    for name in unsure.iter().filter(|name| !files.has(name)) {
        notes.push(Error::new(Code::FilesMissing, format!("{} does not exist", files.place(name))));
    }
    let components = resolve::components(wanted, &named, files, options, &mut notes, &mut faults);
    let components = components.map_err(|error| to_be_built(error, form, files))?;
    let names = files.list(assets::FOLDER)?.into_iter();
    let assets = names.map(|name| Ok((name.clone(), files.read(&name)?.into()))).collect::<Result<_>>()?;
    Ok(Pack {
        id: manifest.id.clone(),
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        kind: manifest.kind,
        publisher: manifest.publisher.clone(),
        digest: files.digest(),
        form,
        generation: *generation,
        path: path.to_owned(),
        components,
        flows: manifest.flows.clone(),
        providers,
        extensions: other_extensions(&manifest.extensions),
        secret_requirements: manifest.secret_requirements.clone(),
        assets,
        signatures: files.list("signatures")?,
        signed: PackSignature::Absent,
        sbom: SbomState::Absent,
        lock_beside: described.beside.clone(),
        notes,
        faults: found,
    })
}

/// An author's components may only have to be built, which loading never does.
fn to_be_built(error: Error, form: PackForm, files: &dyn Files) -> Error {
    let missing = error.code() == Code::ComponentsMissing && form == PackForm::Sources;
    if !missing || !files.has(authoring::BUILD) {
        return error;
    }
    error.hint(format!("`greentic-runner build DIR` builds what {} describes", files.place(authoring::BUILD)))
}

fn check_provider_components(providers: &IndexMap<Id, ProviderDecl>, wanted: &[Wanted], place: &str) -> Result<()> {
    let mut findings = Findings::new(Code::ProviderInvalid, place);
    for decl in providers.values() {
        if wanted.iter().any(|wanted| wanted.id == decl.component) {
            continue;
        }
        let ids = wanted.iter().map(|wanted| &*wanted.id);
        let nearest = ids.max_by(|a, b| strsim::jaro(a, &decl.component).total_cmp(&strsim::jaro(b, &decl.component)));
        let mut error = Error::new(
            Code::ProviderInvalid,
            format!("provider {:?} names component {:?}, which the pack does not have", decl.id, decl.component),
        );
        if let Some(nearest) = nearest {
            error = error.hint(format!("the pack has {nearest:?}"));
        }
        findings.push(error);
    }
    findings.finish("the pack's providers are not valid")
}

fn unused_overrides(wanted: &[Wanted], options: &LoadOptions) -> Vec<Error> {
    let unused = options.overrides.keys().filter(|id| wanted.iter().all(|wanted| wanted.id != **id));
    let note = |id: &Id| Error::new(Code::ComponentUnknown, format!("the override of component {id:?} is not used"));
    unused.map(note).collect()
}

/// The schemas that providers name, where they are files of the pack.
fn schemas(providers: &IndexMap<Id, ProviderDecl>, options: &LoadOptions) -> Vec<String> {
    let references = providers.values().filter_map(|decl| decl.config_schema_ref.as_ref());
    let file = |name: &&String| crate::pack::names::check(name.as_bytes(), &options.limits).is_ok();
    references.filter(file).cloned().collect()
}

/// The extensions that are not read here, as `inspect` shows them: their payload, or where it lies.
fn other_extensions(extensions: &IndexMap<String, ExtensionRef>) -> IndexMap<String, Value> {
    let shown = |extension: &ExtensionRef| match (&extension.inline, &extension.location) {
        (Value::Null, Some(location)) => serde_json::json!({ "location": location }),
        (inline, _) => inline.clone(),
    };
    let others = extensions.iter().filter(|(key, _)| !provider::is_provider_key(key));
    others.map(|(key, extension)| (key.clone(), shown(extension))).collect()
}
