//! From a directory of sources to a `.gtpack` archive with reproducible bytes.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

use crate::error::{Code, Error, Result};
use crate::pack::authoring;
use crate::pack::directory::Directory;
use crate::pack::files::Files;
use crate::pack::model::{Digest, Pack, PackForm};
use crate::pack::{LoadOptions, describe, load, load_bytes, manifest, resolve, sbom};

/// What a build wrote.
#[derive(Debug)]
pub struct BuildReport {
    /// The archive.
    pub path: PathBuf,
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// Its files with their unpacked bytes, sorted by name.
    pub files: Vec<(String, u64)>,
    /// The pack as it was read back from the archive.
    pub pack: Pack,
}

/// Builds the pack of sources in `dir` (or beside the file `dir`) and writes the archive `out`, as a whole or not at
/// all. What is written is read back first, so that a pack that breaks a bound is never written.
///
/// # Errors
///
/// What loading the sources can fail with; `Io` if there is no `dir`, `PackBuild` if it is not a pack of sources or
/// `out` cannot be written.
pub fn build(dir: &Path, out: &Path) -> Result<BuildReport> {
    let options = LoadOptions::default();
    let root = root(dir)?;
    let mut files = Directory::new(root, &options.limits);
    if !files.has(authoring::FILE) && files.files_in("", "ygtc")?.is_empty() {
        return Err(Error::new(Code::PackBuild, format!("{} holds no sources of a pack", root.display()))
            .hint("a pack of sources has .ygtc files or a pack.yaml; `pack new DIR` writes one"));
    }
    let manifest = authoring::read(root, &mut files, &options.limits)?;
    let encoded = manifest.encode()?;
    let described = describe::sources(manifest, &files.place(authoring::FILE), &options)?;
    let pack = load::assemble(&described, &mut files, PackForm::Sources, root, &options)?;
    let entries = entries(encoded, &pack, &mut files)?;
    let bytes = archive(&entries).map_err(|error| {
        Error::new(Code::Internal, format!("the archive of {} cannot be made: {error}", root.display()))
    })?;
    let pack = load_bytes(bytes.clone(), &out.display().to_string(), &options)?;
    write(&bytes, out)?;
    Ok(BuildReport {
        path: out.to_owned(),
        digest: pack.digest,
        size: bytes.len() as u64,
        files: entries.into_iter().map(|(name, bytes)| (name, bytes.len() as u64)).collect(),
        pack,
    })
}

/// The directory of sources that `path` means: itself, or the one that the file lies in which stands for a pack.
fn root(path: &Path) -> Result<&Path> {
    let metadata = std::fs::metadata(path).map_err(|error| {
        Error::new(Code::Io, format!("the sources {} cannot be opened: {error}", path.display()))
            .hint("give a directory with .ygtc files or a pack.yaml; `pack new DIR` writes one")
    })?;
    if metadata.is_dir() {
        return Ok(path);
    }
    let stands_for_pack = authoring::is_source(path);
    match path.parent().filter(|_| stands_for_pack) {
        Some(parent) if parent.as_os_str().is_empty() => Ok(Path::new(".")),
        Some(parent) => Ok(parent),
        None => Err(Error::new(Code::PackBuild, format!("{} holds no sources of a pack", path.display()))
            .hint("give a directory with .ygtc files or a pack.yaml, or one of these files")),
    }
}

/// The files of the archive, sorted by name.
fn entries(manifest: Vec<u8>, pack: &Pack, files: &mut Directory) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut entries = BTreeMap::from([(manifest::FILE.to_owned(), manifest)]);
    for component in pack.components.values() {
        entries.insert(resolve::file_name(&component.id), component.wasm.to_vec());
    }
    entries.extend(pack.assets.iter().map(|(name, bytes)| (name.to_owned(), bytes.to_vec())));
    for name in files.list("schemas")? {
        let bytes = files.read(&name)?;
        entries.insert(name, bytes);
    }
    sbom::add(&mut entries)?;
    Ok(entries)
}

/// The same entries give the same bytes, whenever and wherever it runs.
pub(super) fn archive(entries: &BTreeMap<String, Vec<u8>>) -> std::io::Result<Vec<u8>> {
    let options = SimpleFileOptions::DEFAULT
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(6))
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644)
        .system(System::Unix);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        zip.start_file(name.as_str(), options)?;
        zip.write_all(bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// Writes the file `out` as a whole or not at all.
pub(super) fn write(bytes: &[u8], out: &Path) -> Result<()> {
    let put = || -> std::io::Result<()> {
        let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".pack-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
        let mut file = builder.tempfile_in(parent)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(out).map_err(|error| error.error)?;
        Ok(())
    };
    // Only the kind: the whole error names the temporary file.
    put().map_err(|error| {
        Error::new(Code::PackBuild, format!("{} cannot be written: {}", out.display(), error.kind()))
            .hint("name a file in a directory that exists and that this user may write to")
    })
}
