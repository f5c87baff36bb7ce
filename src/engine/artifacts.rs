//! Compiled components on disk.
//!
//! Machine code that is loaded from a file runs with the rights of the host, so the directory is private to its
//! user and refused if it is not. Each file carries a hash over its content, keyed by the component's digest and the
//! engine's settings: a file that is damaged, cut short, renamed, or made by another version or configuration is a
//! miss, never an error and never loaded. Files are written aside, flushed and renamed, so that a crash leaves none
//! half written.

use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use wasmtime::component::Component;

use crate::error::{Code, Error, Result};
use crate::private;

/// Says what the hash covers; changes whenever that does.
const CONTEXT: &str = "greentic-runner-host compiled component, format 1";
const HASH_LEN: usize = blake3::OUT_LEN;
const EXTENSION: &str = "cwasm";
/// What the directory holds at most; the files that were used longest ago go first.
const MAX_DIR_BYTES: u64 = 2 << 30;

/// A private directory of compiled components for one engine configuration.
#[derive(Debug)]
pub(super) struct Artifacts {
    dir: PathBuf,
    compatibility: [u8; HASH_LEN],
}

impl Artifacts {
    /// Opens `dir`, creating it if it does not exist.
    pub(super) fn open(dir: &Path, engine: &wasmtime::Engine) -> Result<Self> {
        private::dir(dir).map_err(|e| unusable(dir, &e))?;
        if let Err(error) = prune(dir, MAX_DIR_BYTES) {
            tracing::warn!(%error, dir = %dir.display(), "cannot tidy the directory of compiled components");
        }
        Ok(Self { dir: dir.to_owned(), compatibility: compatibility(engine) })
    }

    /// The compiled form of the component with `digest`, if it is there and intact.
    pub(super) fn load(&self, digest: &[u8; 32]) -> Option<Vec<u8>> {
        let mut file = fs::File::open(self.path(digest)).ok()?;
        let mut content = Vec::new();
        file.read_to_end(&mut content).ok()?;
        let (hash, artifact) = content.split_at_checked(HASH_LEN)?;
        let expected = self.hash(digest, artifact);
        // Constant-time comparison; a mismatch is a miss.
        if expected != blake3::Hash::from_slice(hash).ok()? {
            return None;
        }
        // What was used last is deleted last; that it cannot be noted harms nothing.
        let _ = file.set_modified(SystemTime::now());
        Some(artifact.to_vec())
    }

    /// Keeps `artifact`. Failing to do so costs time at the next start, nothing else.
    pub(super) fn store(&self, digest: &[u8; 32], artifact: &[u8]) {
        if let Err(error) = self.write(digest, artifact) {
            tracing::warn!(%error, dir = %self.dir.display(), "cannot keep a compiled component");
        }
    }

    fn write(&self, digest: &[u8; 32], artifact: &[u8]) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.dir)?;
        file.write_all(self.hash(digest, artifact).as_bytes())?;
        file.write_all(artifact)?;
        file.as_file().sync_all()?;
        file.persist(self.path(digest)).map_err(|e| e.error)?;
        private::sync(&self.dir)
    }

    fn hash(&self, digest: &[u8; 32], artifact: &[u8]) -> blake3::Hash {
        blake3::keyed_hash(&self.key(digest), artifact)
    }

    fn key(&self, digest: &[u8; 32]) -> [u8; HASH_LEN] {
        blake3::derive_key(CONTEXT, &[digest.as_slice(), &self.compatibility].concat())
    }

    fn path(&self, digest: &[u8; 32]) -> PathBuf {
        let mut path = self.dir.join(hex::encode(self.key(digest)));
        path.set_extension(EXTENSION);
        path
    }
}

/// Loads machine code that this process made, or that [`Artifacts::load`] found intact.
#[allow(unsafe_code)]
pub(super) fn instantiate(engine: &wasmtime::Engine, artifact: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `deserialize` requires bytes that `Engine::precompile_component` made. The callers pass either the
    // result of that function, or the content of a file that was written from such a result into a directory that
    // only this user can write, whose keyed hash shows that it is unchanged and was made by the same version of the
    // engine with the same settings. The bytes are read into memory before they are checked, so that they cannot
    // change between check and use.
    unsafe { Component::deserialize(engine, artifact) }
}

/// What the engine's version and settings are, as 32 bytes.
fn compatibility(engine: &wasmtime::Engine) -> [u8; HASH_LEN] {
    struct Wide(blake3::Hasher);
    impl Hasher for Wide {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            let hash = self.0.finalize();
            hash.as_bytes().first_chunk().map_or(0, |chunk| u64::from_le_bytes(*chunk))
        }
    }
    let mut wide = Wide(blake3::Hasher::new());
    engine.precompile_compatibility_hash().hash(&mut wide);
    *wide.0.finalize().as_bytes()
}

/// Deletes the files that were used longest ago until the rest is within `limit`.
fn prune(dir: &Path, limit: u64) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        if meta.is_file() && entry.path().extension().is_some_and(|e| e == EXTENSION) {
            files.push((meta.modified()?, meta.len(), entry.path()));
        }
    }
    files.sort();
    let mut total: u64 = files.iter().map(|(_, len, _)| len).sum();
    for (_, len, path) in files {
        if total <= limit {
            break;
        }
        fs::remove_file(path)?;
        total -= len;
    }
    Ok(())
}

fn unusable(dir: &Path, cause: &io::Error) -> Error {
    Error::new(Code::Io, format!("the directory for compiled components cannot be used: {cause}"))
        .in_file(dir)
        .hint("give a directory that only this user can enter (mode 0700), or none")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(engine: &wasmtime::Engine) -> Vec<u8> {
        engine.precompile_component(&wat::parse_str("(component)").unwrap()).unwrap()
    }

    fn private_tempdir() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        #[cfg(unix)]
        fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        dir
    }

    #[test]
    fn an_intact_file_is_found_again() {
        let (engine, dir) = (wasmtime::Engine::default(), private_tempdir());
        let artifacts = Artifacts::open(dir.path(), &engine).unwrap();
        assert!(artifacts.load(&[1; 32]).is_none());
        let artifact = component(&engine);
        artifacts.store(&[1; 32], &artifact);
        assert_eq!(artifacts.load(&[1; 32]).unwrap(), artifact);
        instantiate(&engine, &artifact).unwrap();
    }

    #[test]
    fn what_is_damaged_renamed_or_foreign_is_a_miss() {
        let (engine, dir) = (wasmtime::Engine::default(), private_tempdir());
        let artifacts = Artifacts::open(dir.path(), &engine).unwrap();
        artifacts.store(&[1; 32], &component(&engine));
        let path = artifacts.path(&[1; 32]);
        let intact = fs::read(&path).unwrap();

        let mut damaged = intact.clone();
        *damaged.last_mut().unwrap() ^= 1;
        for bad in [&damaged[..], &intact[..intact.len() - 1], &intact[..7], b""] {
            fs::write(&path, bad).unwrap();
            assert!(artifacts.load(&[1; 32]).is_none());
        }

        fs::write(artifacts.path(&[2; 32]), &intact).unwrap();
        assert!(artifacts.load(&[2; 32]).is_none(), "a file under another component's name");

        let mut other = wasmtime::Config::new();
        other.epoch_interruption(true);
        let other = Artifacts::open(dir.path(), &wasmtime::Engine::new(&other).unwrap()).unwrap();
        fs::write(other.path(&[1; 32]), &intact).unwrap();
        assert!(other.load(&[1; 32]).is_none(), "a file of another configuration");
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_that_others_can_enter_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = private_tempdir();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o750)).unwrap();
        let error = Artifacts::open(dir.path(), &wasmtime::Engine::default()).unwrap_err();
        assert_eq!(error.code(), Code::Io);
        let link = private_tempdir();
        std::os::unix::fs::symlink(private_tempdir().path(), link.path().join("l")).unwrap();
        assert!(Artifacts::open(&link.path().join("l"), &wasmtime::Engine::default()).is_err());
    }

    #[test]
    fn the_oldest_files_go_first() {
        let dir = private_tempdir();
        let old = std::time::SystemTime::UNIX_EPOCH;
        for (name, age) in [("a", 0), ("b", 1), ("c", 2)] {
            let file = fs::File::create(dir.path().join(name).with_extension(EXTENSION)).unwrap();
            file.set_len(10).unwrap();
            file.set_modified(old + std::time::Duration::from_secs(age)).unwrap();
        }
        fs::write(dir.path().join("unrelated"), [0; 100]).unwrap();
        prune(dir.path(), 20).unwrap();
        let mut left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["b.cwasm", "c.cwasm", "unrelated"]);
    }
}
