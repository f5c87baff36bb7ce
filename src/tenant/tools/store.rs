//! Where tools in WebAssembly lie: a directory, or one address.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tokio::sync::OnceCell;

use crate::config::PackSettings;
use crate::error::{Code, Error, Result};
use crate::id;
use crate::ingest::locator::{Base, Scheme};
use crate::ingest::{Cache, FetchOptions, Fetcher, Locator, Origin};
use crate::mcp::seal::{MAX_SIGNATURE, SIGNATURE_SUFFIX};
use crate::mcp::settings::{Security, Store};
use crate::pack::model::Digest;

/// The largest tool that is read, in bytes.
const MAX_TOOL: u64 = 64 << 20;

/// Names that a directory is read for, to list them.
const MAX_NAMES: usize = 1_000;

/// A store.
pub(super) struct ToolStore {
    place: Store,
    fetcher: OnceCell<Fetcher>,
}

/// A tool as it was found.
pub(super) struct Found {
    pub(super) bytes: Bytes,
    pub(super) digest: Digest,
    /// The text of its signature, if one is wanted and there.
    pub(super) signature: Option<String>,
}

impl ToolStore {
    pub(super) fn new(place: Store) -> Self {
        Self { place, fetcher: OnceCell::new() }
    }

    /// Whether the store may have a tool of this name, as far as names tell.
    pub(super) fn may_have(&self, name: &str) -> bool {
        match &self.place {
            Store::Dir(_) => id::is_valid(name),
            Store::Single { name: only, .. } => name == only,
        }
    }

    /// The names of its tools, sorted. A directory that cannot be read has none.
    pub(super) async fn names(&self) -> Vec<String> {
        match &self.place {
            Store::Single { name, .. } => vec![name.clone()],
            Store::Dir(dir) => {
                let dir = dir.clone();
                tokio::task::spawn_blocking(move || names_in(&dir)).await.unwrap_or_default()
            }
        }
    }

    /// The tool `name`; none if there is none of that name. Its signature is looked for only where `security` wants it.
    ///
    /// # Errors
    ///
    /// Why it cannot be read or fetched.
    pub(super) async fn read(&self, name: &str, security: &Security) -> Result<Option<Found>> {
        let signed = security.wants_signatures();
        match &self.place {
            Store::Dir(dir) => {
                let path = dir.join(format!("{name}.wasm"));
                let read = tokio::task::spawn_blocking(move || in_dir(&path, signed)).await;
                read.map_err(|e| Error::new(Code::Internal, format!("reading a tool did not end well: {e}")))?
            }
            Store::Single { url, cache_dir, .. } => {
                let want = security.digests.get(name).map(|digest| Digest(*digest));
                self.fetch(url, cache_dir.as_deref(), want, signed).await.map(Some)
            }
        }
    }

    async fn fetch(&self, url: &str, cache: Option<&Path>, want: Option<Digest>, signed: bool) -> Result<Found> {
        let fetcher = self.fetcher.get_or_try_init(|| async { fetcher(cache) }).await?;
        let here = Base::here()?;
        let locator = |url: &str| Locator::parse(url, &here, Scheme::Http);
        let (fetched, bytes) = fetcher.fetch_bytes(&locator(url)?, want, Origin::Local).await?;
        let signature = match signed {
            false => None,
            true => {
                let read = fetcher.read(&locator(&signature_url(url)?)?, MAX_SIGNATURE, Origin::Local).await;
                match read {
                    Ok(document) => Some(text(&document.bytes)),
                    Err(error) if error.code() == Code::NotFound => None,
                    Err(error) => return Err(error),
                }
            }
        };
        Ok(Found { bytes, digest: fetched.digest, signature })
    }
}

fn fetcher(cache: Option<&Path>) -> Result<Fetcher> {
    let dir: PathBuf = match cache {
        Some(dir) => dir.to_owned(),
        None => PackSettings::cache_dir_from_env(),
    };
    let options = FetchOptions { max_bytes: MAX_TOOL, netrc: FetchOptions::user_netrc(), ..FetchOptions::default() };
    Fetcher::new(Cache::open(&dir, Cache::DEFAULT_MAX_BYTES)?, options)
}

/// The address of the signature of what lies at `url`.
fn signature_url(url: &str) -> Result<String> {
    let mut parsed = url::Url::parse(url)
        .map_err(|_| Error::new(Code::LocatorInvalid, format!("{:?} is no address", id::clip(url))))?;
    let path = format!("{}{SIGNATURE_SUFFIX}", parsed.path());
    parsed.set_path(&path);
    Ok(parsed.into())
}

fn in_dir(path: &Path, signed: bool) -> Result<Option<Found>> {
    let Some(bytes) = bounded(path, MAX_TOOL)? else { return Ok(None) };
    let signature = match signed {
        false => None,
        true => {
            let mut name = path.as_os_str().to_owned();
            name.push(SIGNATURE_SUFFIX);
            bounded(Path::new(&name), MAX_SIGNATURE)?.map(|bytes| text(&bytes))
        }
    };
    let digest = Digest::of(&bytes);
    Ok(Some(Found { bytes: bytes.into(), digest, signature }))
}

/// What lies at `path`, if anything does.
fn bounded(path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
    let failed = |e: std::io::Error| Error::new(Code::Io, format!("it cannot be read: {e}")).in_file(path);
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(e)),
    };
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(Error::new(Code::TooLarge, format!("it has more than {limit} bytes")).in_file(path));
    }
    Ok(Some(bytes))
}

/// A signature's text. What is no text is no signature, and judged as such.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

fn names_in(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".wasm").map(str::to_owned));
    let mut names: Vec<String> = names.filter(|name| id::is_valid(name)).take(MAX_NAMES).collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_lie_beside_tools() {
        let url = signature_url("https://a.example/tools/sum.wasm?v=1").unwrap();
        assert_eq!(url, "https://a.example/tools/sum.wasm.sig?v=1");
    }

    #[tokio::test]
    async fn a_directory_has_tools_by_name() {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in
            [("sum.wasm", "bytes"), ("sum.wasm.sig", " signature\n"), ("note.txt", ""), ("a b.wasm", "")]
        {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let store = ToolStore::new(Store::Dir(dir.path().to_owned()));
        assert_eq!(store.names().await, ["sum"]);
        assert!(store.may_have("sum") && !store.may_have("../sum") && !store.may_have(""));
        let plain = Security::default();
        let found = store.read("sum", &plain).await.unwrap().unwrap();
        assert_eq!((&*found.bytes, found.signature), (&b"bytes"[..], None));
        let signed = Security { require_signature: true, ..Security::default() };
        let found = store.read("sum", &signed).await.unwrap().unwrap();
        assert_eq!(found.signature.as_deref(), Some("signature"));
        assert!(store.read("other", &plain).await.unwrap().is_none());
        std::fs::write(dir.path().join("sum.wasm.sig"), "x".repeat(8 << 10)).unwrap();
        assert_eq!(store.read("sum", &signed).await.err().unwrap().code(), Code::TooLarge);
    }
}
