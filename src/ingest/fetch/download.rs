//! From a source into the cache.

use futures::StreamExt as _;

use super::retry::Retries;
use super::{Fetched, Inner, Outcome, Transfer, too_slow};
use crate::error::{Code, Error};
use crate::ingest::cache::Writer;
use crate::ingest::locator::Locator;
use crate::ingest::source::{Fault, Source, Stat, changed};
use crate::pack::model::Digest;

impl Inner {
    /// Reads all of it; gives the version that it has, too.
    pub(super) async fn download(
        &self,
        source: &dyn Source,
        locator: &Locator,
        mut stat: Stat,
        want: Option<Digest>,
        limit: u64,
        retries: &mut Retries,
    ) -> Result<(Fetched, Option<String>), Fault> {
        let mut writer = self.cache.writer().await?;
        let mut told =
            Told { inner: self, locator, transfer: Transfer { received: 0, total: stat.size, ended: false } };
        while let Err(fault) = self.receive(source, locator, &stat, limit, &mut writer, &mut told).await {
            let (is_change, has_version) = (fault.is_change(), stat.version.is_some());
            retries.wait(fault).await?;
            // Without a version nobody can tell whether the rest belongs to the beginning.
            if is_change || !has_version {
                writer.restart().await?;
                stat = self.stat(source, locator, retries).await?;
            }
        }
        let digest = writer.digest();
        if let Some(want) = want.filter(|want| *want != digest) {
            return Err(Error::new(Code::DigestMismatch, format!("{locator} has the digest {digest}, not {want}"))
                .hint("what lies there is not what was published; fix the index, or find out who replaced it")
                .into());
        }
        let size = writer.len();
        let (digest, lease) = writer.keep().await?;
        let (path, outcome) = (self.cache.path(&digest), Outcome::Downloaded);
        Ok((Fetched { path, digest, size, outcome, note: None, lease }, stat.version))
    }

    /// Reads what is not there yet.
    async fn receive(
        &self,
        source: &dyn Source,
        locator: &Locator,
        stat: &Stat,
        limit: u64,
        writer: &mut Writer,
        told: &mut Told<'_>,
    ) -> Result<(), Fault> {
        within(locator, limit, stat.size)?;
        told.tell(writer.len(), stat.size);
        let timeouts = &self.options.timeouts;
        let opened = tokio::time::timeout(timeouts.answer, source.open(locator, stat, writer.len())).await;
        let mut body = opened.map_err(|_| too_slow(locator, timeouts.answer))??;
        loop {
            let next = tokio::time::timeout(timeouts.idle, body.next()).await;
            let Some(chunk) = next.map_err(|_| too_slow(locator, timeouts.idle))? else { break };
            let chunk = chunk?;
            let len = writer.len().saturating_add(chunk.len() as u64);
            within(locator, limit, Some(len))?;
            if stat.size.is_some_and(|size| len > size) {
                return Err(changed(locator));
            }
            writer.write(&chunk).await?;
            told.tell(len, stat.size);
        }
        match stat.size {
            Some(size) if writer.len() < size => Err(broken_off(locator, writer.len(), size)),
            _ => Ok(()),
        }
    }
}

/// Tells how far a download is, and when it has ended, also if it is given up.
struct Told<'a> {
    inner: &'a Inner,
    locator: &'a Locator,
    transfer: Transfer,
}

impl Told<'_> {
    fn tell(&mut self, received: u64, total: Option<u64>) {
        self.transfer = Transfer { received, total, ended: false };
        self.inner.progress.tell(self.locator, self.transfer);
    }
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        self.inner.progress.tell(self.locator, Transfer { ended: true, ..self.transfer });
    }
}

fn within(locator: &Locator, limit: u64, size: Option<u64>) -> Result<(), Fault> {
    match size {
        Some(size) if size > limit => {
            Err(Error::new(Code::FetchTooLarge, format!("{locator} has more than the {limit} bytes that are fetched"))
                .hint("see that the locator names a pack, and make the pack smaller")
                .into())
        }
        _ => Ok(()),
    }
}

/// A connection that ended early without saying so.
fn broken_off(locator: &Locator, len: u64, size: u64) -> Fault {
    Error::new(Code::FetchFailed, format!("{locator} broke off after {len} of {size} bytes"))
        .hint("check the network and the server")
        .into()
}
