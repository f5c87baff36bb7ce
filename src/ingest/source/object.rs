//! Object stores: S3, Google Cloud Storage, Azure Blob Storage, and what speaks their protocols.
//!
//! Where a store is, and with which credentials it is asked, says the environment of this process, as it does for the
//! stores' own tools. A locator names a bucket and a key in it, and for Azure an account below Microsoft's domain; it can
//! name no host. So a remote index cannot make this host connect to any address by such a locator, and the addresses of
//! stores are not judged: a store in a private network is one that an operator chose.

mod azure;
mod fault;
mod gcs;
mod profile;
mod s3;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use moka::sync::Cache;
use object_store::path::Path;
use object_store::{ClientOptions, GetOptions, GetRange, ObjectMeta, ObjectStore, RetryConfig};
use url::{Host, Url};

use super::{Body, Fault, Source, SourceOptions, Stat, changed};
use crate::environment::Environment;
use crate::error::{Code, Error, Result};
use crate::ingest::locator::{Locator, ObjectStoreKind, ObjectUrl};
use crate::net::tls;

/// How many buckets' clients are kept.
const KEPT: u64 = 256;

/// How long a client is kept, so that settings in files that changed count some time.
const LIFE: Duration = Duration::from_secs(15 * 60);

/// How long nothing may come.
const IDLE: Duration = Duration::from_secs(30);

const ETAG_MARK: &str = "etag ";

/// Reads from object stores.
pub(super) struct ObjectSource {
    settings: Settings,
    stores: Cache<Bucket, Arc<dyn ObjectStore>>,
}

/// What clients are made with.
struct Settings {
    environment: Environment,
    allow_http: bool,
    connect: Duration,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Bucket {
    store: ObjectStoreKind,
    account: Option<String>,
    name: String,
}

impl ObjectSource {
    pub(super) fn new(options: &SourceOptions) -> Self {
        tls::install();
        let SourceOptions { environment, allow_http, connect, .. } = options.clone();
        let stores = Cache::builder().max_capacity(KEPT).time_to_live(LIFE).build();
        Self { settings: Settings { environment, allow_http, connect }, stores }
    }

    /// The client for the bucket of `object`, made once.
    fn store(&self, object: &ObjectUrl) -> Result<Arc<dyn ObjectStore>> {
        let bucket = Bucket { store: object.store, account: object.account.clone(), name: object.bucket.clone() };
        if let Some(store) = self.stores.get(&bucket) {
            return Ok(store);
        }
        let store = match object.store {
            ObjectStoreKind::S3 => s3::store(&self.settings, object)?,
            ObjectStoreKind::Gcs => gcs::store(&self.settings, object)?,
            ObjectStoreKind::AzBlob => azure::store(&self.settings, object)?,
        };
        self.stores.insert(bucket, Arc::clone(&store));
        Ok(store)
    }
}

#[async_trait]
impl Source for ObjectSource {
    async fn stat(&self, locator: &Locator) -> Result<Stat, Fault> {
        let object = object(locator)?;
        let options = GetOptions { head: true, ..GetOptions::default() };
        let found = self.store(object)?.get_opts(&path(object)?, options).await;
        let meta = found.map_err(|e| fault::of(locator, object, &e))?.meta;
        Ok(Stat { version: Some(version(&meta)), size: Some(meta.size), digest: None })
    }

    async fn open(&self, locator: &Locator, stat: &Stat, offset: u64) -> Result<Body, Fault> {
        let object = object(locator)?;
        if offset > 0 && stat.size.is_some_and(|size| offset >= size) {
            return Ok(stream::empty().boxed());
        }
        let options = GetOptions {
            if_match: stat.version.as_deref().and_then(strong).map(str::to_owned),
            range: (offset > 0).then_some(GetRange::Offset(offset)),
            ..GetOptions::default()
        };
        let found = self.store(object)?.get_opts(&path(object)?, options).await;
        let found = found.map_err(|e| fault::of(locator, object, &e))?;
        // Not every store looks at the condition.
        if stat.version.as_ref().is_some_and(|known| *known != version(&found.meta)) {
            return Err(changed(locator));
        }
        let (locator, object) = (locator.clone(), object.clone());
        Ok(found.into_stream().map(move |chunk| chunk.map_err(|e| fault::of(&locator, &object, &e))).boxed())
    }
}

fn object(locator: &Locator) -> Result<&ObjectUrl, Fault> {
    match locator {
        Locator::Object(object) => Ok(object),
        other => Err(Error::new(Code::Internal, format!("{other} was taken for an object")).into()),
    }
}

fn path(object: &ObjectUrl) -> Result<Path> {
    Path::parse(&object.key).map_err(|e| {
        Error::new(Code::LocatorInvalid, format!("the key of {object} cannot be used: {e}"))
            .hint("publish it under a name of printable characters")
    })
}

/// What changes when the object does.
fn version(meta: &ObjectMeta) -> String {
    match &meta.e_tag {
        Some(tag) => format!("{ETAG_MARK}{tag}"),
        None => format!("modified {} {}", meta.last_modified.to_rfc3339(), meta.size),
    }
}

/// The entity tag for a condition; a weak one is none.
fn strong(version: &str) -> Option<&str> {
    version.strip_prefix(ETAG_MARK).filter(|tag| !tag.starts_with("W/"))
}

impl Settings {
    /// How clients connect. Whoever calls repeats what failed, and waits no longer than it wants to.
    fn client(&self, allow_http: bool) -> ClientOptions {
        ClientOptions::new()
            .with_allow_http(allow_http)
            .with_connect_timeout(self.connect)
            .with_read_timeout(IDLE)
            .with_timeout_disabled()
    }

    /// Whether `endpoint` may be spoken to without TLS. Fails if it is no URL, or would be and may not.
    fn is_plain(&self, variable: &str, endpoint: &str) -> Result<bool> {
        let wrong = |code, why: &str| Error::new(code, format!("{variable} {why}"));
        let url = Url::parse(endpoint).map_err(|_| {
            wrong(Code::CredentialsInvalid, "is no URL").hint("write it as https://host, or https://host:port")
        })?;
        let is_here = match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        match url.scheme() {
            "https" => Ok(false),
            "http" if is_here || self.allow_http => Ok(true),
            "http" => Err(wrong(Code::LocatorDenied, "is neither https nor on this machine")
                .hint("use https://, or pass --allow-http where the network is trusted")),
            _ => Err(wrong(Code::CredentialsInvalid, "is neither https:// nor http://")
                .hint("write it as https://host, or https://host:port")),
        }
    }
}

/// One attempt: whoever reads repeats.
fn once() -> RetryConfig {
    RetryConfig { max_retries: 0, ..RetryConfig::default() }
}

/// A key of `Client` settings that would weaken what this host insists on.
fn weakens(name: &str) -> bool {
    name.ends_with("_ALLOW_HTTP") || name.ends_with("_ALLOW_INVALID_CERTIFICATES")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(allow_http: bool) -> Settings {
        Settings { environment: Environment::default(), allow_http, connect: Duration::from_secs(1) }
    }

    #[test]
    fn endpoints_without_tls_are_on_this_machine_or_allowed() {
        for (endpoint, strict, allowed) in [
            ("https://s3.example", Ok(false), Ok(false)),
            ("http://127.0.0.1:9000", Ok(true), Ok(true)),
            ("http://[::1]:9000/base", Ok(true), Ok(true)),
            ("http://localhost:9000", Ok(true), Ok(true)),
            ("http://minio.internal:9000", Err(Code::LocatorDenied), Ok(true)),
            ("minio.internal:9000", Err(Code::CredentialsInvalid), Err(Code::CredentialsInvalid)),
            ("127.0.0.1:9000", Err(Code::CredentialsInvalid), Err(Code::CredentialsInvalid)),
            ("", Err(Code::CredentialsInvalid), Err(Code::CredentialsInvalid)),
        ] {
            let found = |allow| settings(allow).is_plain("AWS_ENDPOINT_URL", endpoint).map_err(|e| e.code());
            assert_eq!((found(false), found(true)), (strict, allowed), "{endpoint}");
        }
    }

    #[test]
    fn only_what_tells_bytes_apart_is_a_condition() {
        assert_eq!(strong("etag \"a\""), Some("\"a\""));
        assert_eq!(strong("etag 0x8D"), Some("0x8D"));
        assert_eq!(strong("etag W/\"a\""), None);
        assert_eq!(strong("modified x 1"), None);
        assert!(weakens("AWS_ALLOW_HTTP") && weakens("AZURE_ALLOW_INVALID_CERTIFICATES") && !weakens("AWS_REGION"));
    }
}
