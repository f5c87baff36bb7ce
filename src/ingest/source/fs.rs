//! Files of this machine.

use std::fs::Metadata;
use std::io::SeekFrom;
use std::path::Path;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::BytesMut;
use futures::StreamExt as _;
use futures::stream;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::{Body, Fault, Source, Stat, changed, not_found};
use crate::error::{Code, Error};
use crate::ingest::locator::Locator;

/// How much is read at once, in bytes.
const CHUNK: usize = 256 << 10;

/// How long a file has to be left alone before its time of change tells versions apart: clocks of file systems are
/// coarse, and two writes may bear the same time.
const SETTLED: Duration = Duration::from_secs(1);

/// Reads files of this machine.
pub(super) struct FsSource;

#[async_trait]
impl Source for FsSource {
    async fn stat(&self, locator: &Locator) -> Result<Stat, Fault> {
        let path = path(locator)?;
        let found = tokio::fs::metadata(path).await.map_err(|e| unreadable(locator, &e))?;
        regular(locator, &found)?;
        Ok(Stat { version: settled(&found).then(|| fingerprint(&found)), size: Some(found.len()), digest: None })
    }

    async fn open(&self, locator: &Locator, stat: &Stat, offset: u64) -> Result<Body, Fault> {
        let mut file = File::open(path(locator)?).await.map_err(|e| unreadable(locator, &e))?;
        let found = file.metadata().await.map_err(|e| unreadable(locator, &e))?;
        regular(locator, &found)?;
        let version = fingerprint(&found);
        let is_same = stat.version.as_ref().is_none_or(|known| *known == version);
        if !is_same || stat.size.is_some_and(|size| size != found.len()) {
            return Err(changed(locator));
        }
        file.seek(SeekFrom::Start(offset)).await.map_err(|e| unreadable(locator, &e))?;
        let reading = Reading { file, version, locator: locator.clone() };
        Ok(stream::try_unfold(reading, Reading::next).boxed())
    }
}

/// A file while it is read.
struct Reading {
    file: File,
    version: String,
    locator: Locator,
}

impl Reading {
    async fn next(mut self) -> Result<Option<(bytes::Bytes, Self)>, Fault> {
        let mut chunk = BytesMut::with_capacity(CHUNK);
        let read = self.file.read_buf(&mut chunk).await.map_err(|e| unreadable(&self.locator, &e))?;
        if read > 0 {
            return Ok(Some((chunk.freeze(), self)));
        }
        // What was written meanwhile may have been read in part.
        let found = self.file.metadata().await.map_err(|e| unreadable(&self.locator, &e))?;
        if fingerprint(&found) == self.version { Ok(None) } else { Err(changed(&self.locator)) }
    }
}

fn path(locator: &Locator) -> Result<&Path, Fault> {
    match locator {
        Locator::Fs(path) => Ok(path),
        other => Err(Error::new(Code::Internal, format!("{other} was taken for a file")).into()),
    }
}

/// Refuses what may block for ever, or is no bytes.
fn regular(locator: &Locator, found: &Metadata) -> Result<(), Fault> {
    if found.is_file() {
        return Ok(());
    }
    let what = if found.is_dir() { "is a directory" } else { "is no regular file" };
    Err(Error::new(Code::LocatorInvalid, format!("{locator} {what}"))
        .hint("name a file; greentic-runner pack build makes one of a directory")
        .into())
}

fn unreadable(locator: &Locator, cause: &std::io::Error) -> Fault {
    use std::io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    match cause.kind() {
        NotFound | NotADirectory => not_found(locator),
        PermissionDenied => Error::new(Code::AccessRefused, format!("{locator} cannot be read: {cause}"))
            .hint("let the user that the host runs as read it")
            .into(),
        _ => Error::new(Code::FetchFailed, format!("{locator} cannot be read: {cause}"))
            .hint("see that the file system is there and well")
            .into(),
    }
}

fn settled(found: &Metadata) -> bool {
    let modified = found.modified().ok();
    modified.and_then(|at| SystemTime::now().duration_since(at).ok()).is_some_and(|age| age >= SETTLED)
}

/// What changes when the file does.
#[cfg(unix)]
fn fingerprint(found: &Metadata) -> String {
    use std::os::unix::fs::MetadataExt as _;
    format!(
        "file {}-{}.{:09}-{}.{:09}-{:x}-{:x}",
        found.len(),
        found.mtime(),
        found.mtime_nsec(),
        found.ctime(),
        found.ctime_nsec(),
        found.ino(),
        found.dev(),
    )
}

#[cfg(not(unix))]
fn fingerprint(found: &Metadata) -> String {
    let modified = found.modified().ok().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    format!("file {}-{}", found.len(), modified.unwrap_or_default().as_nanos())
}
