//! Where an index or a pack lies.

use std::path::PathBuf;

use url::Url;

/// Where an index or a pack lies. Shown without credentials.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Locator {
    /// A file of this machine.
    Fs(PathBuf),
    /// `https://…`, or `http://…` where that is allowed.
    Http(Url),
    /// An artifact of an OCI registry.
    Oci(OciReference),
    /// An object of an object store.
    Object(ObjectUrl),
}

/// An artifact of an OCI registry: `oci://registry/repository:tag` or `…@sha256:…`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OciReference {
    /// Host, and port if one is given.
    pub registry: String,
    /// The repository.
    pub repository: String,
    /// The tag, `latest` if neither tag nor digest is given.
    pub tag: Option<String>,
    /// The digest of the artifact's manifest.
    pub digest: Option<String>,
}

/// An object of an object store: `s3://bucket/key`, `gcs://bucket/object`, `azblob://account/container/blob`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectUrl {
    /// Which store.
    pub store: ObjectStoreKind,
    /// The account, for Azure.
    pub account: Option<String>,
    /// The bucket or container.
    pub bucket: String,
    /// The object's key.
    pub key: String,
}

/// The kinds of object stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectStoreKind {
    /// Amazon S3 and what speaks its protocol.
    S3,
    /// Google Cloud Storage.
    Gcs,
    /// Azure Blob Storage.
    AzBlob,
}
