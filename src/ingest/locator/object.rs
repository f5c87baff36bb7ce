//! Locators of object stores.

use std::fmt;

use super::{denied, invalid};
use crate::error::Result;

/// An object of an object store: `s3://bucket/key`, `gcs://bucket/object`, `azblob://account/container/blob`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectUrl {
    /// Which store.
    pub store: ObjectStoreKind,
    /// The account, for Azure; none takes the one that the environment names (`az://container/blob`).
    pub account: Option<String>,
    /// The bucket or container.
    pub bucket: String,
    /// The object's key. Neither empty nor with empty parts, `.` or `..`.
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

impl fmt::Display for ObjectUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { store, account, bucket, key } = self;
        match (store, account) {
            (ObjectStoreKind::S3, _) => write!(f, "s3://{bucket}/{key}"),
            (ObjectStoreKind::Gcs, _) => write!(f, "gcs://{bucket}/{key}"),
            (ObjectStoreKind::AzBlob, Some(account)) => write!(f, "azblob://{account}/{bucket}/{key}"),
            (ObjectStoreKind::AzBlob, None) => write!(f, "az://{bucket}/{key}"),
        }
    }
}

/// Reads what follows `s3://`.
pub(super) fn s3(rest: &str) -> Result<ObjectUrl> {
    let (bucket, key) = split(&format!("s3://{rest}"), rest, "write s3://bucket/key")?;
    object(&format!("s3://{rest}"), ObjectStoreKind::S3, None, bucket, key)
}

/// Reads what follows `gcs://` or `gs://`.
pub(super) fn gcs(rest: &str) -> Result<ObjectUrl> {
    let (bucket, key) = split(&format!("gcs://{rest}"), rest, "write gcs://bucket/object")?;
    object(&format!("gcs://{rest}"), ObjectStoreKind::Gcs, None, bucket, key)
}

/// Reads what follows `azblob://`.
pub(super) fn azblob(rest: &str) -> Result<ObjectUrl> {
    let hint = "write azblob://account/container/blob, or az://container/blob with AZURE_STORAGE_ACCOUNT_NAME set";
    let text = format!("azblob://{rest}");
    let (account, rest) = split(&text, rest, hint)?;
    let (container, blob) = split(&text, rest, hint)?;
    let is_account =
        (3..=24).contains(&account.len()) && account.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if !is_account {
        return Err(invalid(&text, "its account is not made of 3 to 24 lower-case letters and digits").hint(hint));
    }
    object(&text, ObjectStoreKind::AzBlob, Some(account.to_owned()), container, blob)
}

/// Reads what follows `az://`.
pub(super) fn az(rest: &str) -> Result<ObjectUrl> {
    let (container, blob) = split(&format!("az://{rest}"), rest, "write az://container/blob")?;
    object(&format!("az://{rest}"), ObjectStoreKind::AzBlob, None, container, blob)
}

fn split<'t>(text: &str, rest: &'t str, hint: &str) -> Result<(&'t str, &'t str)> {
    rest.split_once('/').ok_or_else(|| invalid(text, "it names no object").hint(hint))
}

fn object(text: &str, store: ObjectStoreKind, account: Option<String>, bucket: &str, key: &str) -> Result<ObjectUrl> {
    if !is_bucket(store, bucket) {
        return Err(invalid(text, "its bucket or container is not named as the store allows")
            .hint("use letters, digits, . and -; credentials come from the environment, never from the locator"));
    }
    if key.contains(['?', '#']) {
        return Err(invalid(text, "it has a query").hint("give a signed URL as https://…, and an object without one"));
    }
    if key.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(invalid(text, "a part of its key is empty, . or ..").hint("write the key without such parts"));
    }
    Ok(ObjectUrl { store, account, bucket: bucket.to_owned(), key: key.to_owned() })
}

fn is_bucket(store: ObjectStoreKind, name: &str) -> bool {
    let (longest, others): (usize, &[u8]) = match store {
        ObjectStoreKind::S3 => (255, b".-_"),
        ObjectStoreKind::Gcs => (222, b".-_"),
        ObjectStoreKind::AzBlob => (63, b"-"),
    };
    // `$root`, `$web` and `$logs` are containers that Azure makes itself.
    let own = |name: &str| store == ObjectStoreKind::AzBlob && matches!(name, "$root" | "$web" | "$logs");
    let is_plain = |b: u8| b.is_ascii_alphanumeric();
    let ends_plain = name.bytes().next().is_some_and(is_plain) && name.bytes().next_back().is_some_and(is_plain);
    let in_length = (3..=longest).contains(&name.len());
    own(name) || (in_length && ends_plain && name.bytes().all(|b| is_plain(b) || others.contains(&b)))
}

/// The object at `text` beside `base`: below its prefix, or from the bucket's root if `text` begins with `/`.
pub(super) fn join(base: &ObjectUrl, text: &str) -> Result<ObjectUrl> {
    let hint = "name what lies below the index's prefix, or give the whole locator";
    let prefix = base.key.rsplit_once('/').map_or("", |(prefix, _)| prefix);
    let (mut parts, text_parts): (Vec<&str>, _) = match text.strip_prefix('/') {
        Some(text) => (Vec::new(), text),
        None => (prefix.split('/').filter(|part| !part.is_empty()).collect(), text),
    };
    let floor = parts.len();
    for part in text_parts.split('/') {
        match part {
            "." | "" => {}
            ".." if parts.len() <= floor => {
                return Err(denied(text, "it leaves the prefix of the remote index").hint(hint));
            }
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    if parts.len() <= floor {
        return Err(invalid(text, "it names no object").hint(hint));
    }
    object(text, base.store, base.account.clone(), &base.bucket, &parts.join("/"))
}
