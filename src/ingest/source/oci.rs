//! OCI registries.
//!
//! What a tag means is asked; everything below it is named by its digest, so nothing can change while it is read. The
//! model of manifests and errors is that of `oci-client`. Its requests are not used: they go wherever a registry's
//! challenges and redirects lead, read answers of any size, and cannot be given another HTTP client. So requests are
//! sent by the client of `http`, which judges every hop, and what comes is bounded here.

mod challenge;
mod credentials;
mod docker;
mod helper;
mod manifest;
mod registry;
#[cfg(test)]
mod tests;
mod token;

use std::sync::Arc;

use async_trait::async_trait;
use http::{Method, StatusCode};
use moka::sync::Cache;

use super::http::{answer, body};
use super::{Body, Fault, Source, SourceOptions, Stat, changed};
use crate::error::{Code, Error, Result};
use crate::ingest::locator::{Locator, OciReference};
use crate::pack::model::Digest;

use self::manifest::{Content, Layer};
use self::registry::{Call, Registries};

/// How many artifacts' layers are remembered. They are named by digest, so what is remembered stays true.
const REMEMBERED: u64 = 1024;

/// Reads from OCI registries.
pub(super) struct OciSource {
    registries: Registries,
    layers: Cache<(String, String, Digest), Arc<Layer>>,
}

impl OciSource {
    pub(super) fn new(options: &SourceOptions) -> Self {
        Self { registries: Registries::new(options), layers: Cache::new(REMEMBERED) }
    }

    /// The layer of the artifact whose manifest has `digest`.
    async fn layer(&self, call: &Call<'_>, digest: Digest) -> Result<Arc<Layer>, Fault> {
        let key = (call.reference.registry.clone(), call.reference.repository.clone(), digest);
        if let Some(layer) = self.layers.get(&key) {
            return Ok(layer);
        }
        let bytes = self.registries.manifest(call, &digest.to_string(), Some(digest)).await?;
        let layer = Arc::new(self.content(call, &bytes).await?);
        self.layers.insert(key, Arc::clone(&layer));
        Ok(layer)
    }

    /// The layer to which a manifest leads, by an index or at once.
    async fn content(&self, call: &Call<'_>, manifest: &[u8]) -> Result<Layer, Fault> {
        let inner = match manifest::read(call.reference, manifest)? {
            Content::Layer(layer) => return Ok(layer),
            Content::Manifest(digest) => self.registries.manifest(call, &digest.to_string(), Some(digest)).await?,
        };
        match manifest::read(call.reference, &inner)? {
            Content::Layer(layer) => Ok(layer),
            Content::Manifest(_) => Err(manifest::invalid(call.reference, "it is an index of an index").into()),
        }
    }

    /// The digest of the manifest that is named.
    async fn resolve(&self, call: &Call<'_>) -> Result<Digest, Fault> {
        let tag = match (&call.reference.digest, &call.reference.tag) {
            (Some(digest), _) => return stated(call.reference, digest).map_err(Fault::from),
            (None, tag) => tag.as_deref().unwrap_or("latest"),
        };
        if let Some(digest) = self.registries.digest_of(call, tag).await? {
            return Ok(digest);
        }
        // The registry does not say so: read it, and find out.
        let bytes = self.registries.manifest(call, tag, None).await?;
        let digest = Digest::of(&bytes);
        let key = (call.reference.registry.clone(), call.reference.repository.clone(), digest);
        self.layers.insert(key, Arc::new(self.content(call, &bytes).await?));
        Ok(digest)
    }
}

#[async_trait]
impl Source for OciSource {
    async fn stat(&self, locator: &Locator) -> Result<Stat, Fault> {
        let call = call(locator)?;
        let manifest = self.resolve(&call).await?;
        let layer = self.layer(&call, manifest).await?;
        Ok(Stat { version: Some(manifest.to_string()), size: Some(layer.size), digest: Some(layer.digest) })
    }

    async fn open(&self, locator: &Locator, stat: &Stat, offset: u64) -> Result<Body, Fault> {
        let call = call(locator)?;
        // Of the version that was looked at, wherever the tag has moved meanwhile.
        let version = stat.version.as_deref().ok_or_else(|| changed(locator))?;
        let layer = self.layer(&call, stated(call.reference, version)?).await?;
        if offset >= layer.size {
            return Ok(Box::pin(futures::stream::empty()));
        }
        let response = self.registries.blob(&call, &layer.digest.to_string(), offset).await?;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            // Its bytes are fewer than its manifest says. Read from the beginning, that is found out.
            return Err(changed(locator));
        }
        let skip = answer::begins_at(locator, &response, stat, offset)?;
        Ok(body(locator.clone(), response, skip))
    }
}

fn call(locator: &Locator) -> Result<Call<'_>, Fault> {
    match locator {
        Locator::Oci(reference) => Ok(Call { locator, reference, method: Method::GET }),
        other => Err(Error::new(Code::Internal, format!("{other} was taken for an artifact")).into()),
    }
}

fn stated(reference: &OciReference, digest: &str) -> Result<Digest> {
    digest.parse().map_err(|why| Error::new(Code::LocatorInvalid, format!("the digest of {reference} is none: {why}")))
}
