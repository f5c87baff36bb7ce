//! Clients for Google Cloud Storage.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};

use super::{Settings, fault, once, weakens};
use crate::error::Result;
use crate::ingest::locator::ObjectUrl;

const EMULATOR: &str = "STORAGE_EMULATOR_HOST";
const BASE: &str = "GOOGLE_BASE_URL";

/// A client for the bucket of `object`.
pub(super) fn store(settings: &Settings, object: &ObjectUrl) -> Result<Arc<dyn ObjectStore>> {
    let environment = &settings.environment;
    let emulator = environment.get(EMULATOR).map(emulator_url);
    let is_plain = match (&emulator, environment.get(BASE)) {
        (Some(url), _) => settings.is_plain(EMULATOR, url)?,
        (None, Some(url)) => settings.is_plain(BASE, url)?,
        (None, None) => false,
    };
    let options = settings.client(is_plain);
    let mut builder = GoogleCloudStorageBuilder::new().with_client_options(options).with_retry(once());
    for (name, value) in environment.beginning_with("GOOGLE_").filter(|(name, _)| !weakens(name)) {
        if let Ok(key) = name.to_ascii_lowercase().parse::<GoogleConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    if let Some(url) = emulator {
        // An emulator knows no accounts, and no account's token is for it.
        builder = builder.with_base_url(&url).with_skip_signature(true);
    }
    let store = builder.with_bucket_name(&object.bucket).build().map_err(|e| fault::unmade(object, &e))?;
    Ok(Arc::new(store))
}

/// The URL of an emulator: the variable has it with or without a scheme, and some tools want a path in it.
fn emulator_url(text: &str) -> String {
    let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let end = text.find("/storage/v1").unwrap_or(text.len());
    text.get(..end).unwrap_or(&text).trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_emulators_variable_is_read_as_others_read_it() {
        for (text, url) in [
            ("127.0.0.1:4443", "http://127.0.0.1:4443"),
            ("http://127.0.0.1:4443/", "http://127.0.0.1:4443"),
            ("http://127.0.0.1:4443/storage/v1/", "http://127.0.0.1:4443"),
            ("https://gcs.example", "https://gcs.example"),
        ] {
            assert_eq!(emulator_url(text), url);
        }
    }
}
