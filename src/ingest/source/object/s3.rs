//! Clients for S3.

use std::sync::Arc;

use object_store::ObjectStore;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};

use super::{Settings, fault, once, profile, weakens};
use crate::error::Result;
use crate::ingest::locator::ObjectUrl;

/// A client for the bucket of `object`.
pub(super) fn store(settings: &Settings, object: &ObjectUrl) -> Result<Arc<dyn ObjectStore>> {
    let environment = &settings.environment;
    let (variable, endpoint) = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"]
        .into_iter()
        .find_map(|name| environment.get(name).map(|value| (name, value)))
        .unzip();
    let is_plain = match (variable, endpoint) {
        (Some(variable), Some(endpoint)) => settings.is_plain(variable, endpoint)?,
        _ => false,
    };
    let mut builder = AmazonS3Builder::new().with_client_options(settings.client(is_plain)).with_retry(once());
    let profile = profile::load(environment)?;
    if let Some(region) = &profile.region {
        builder = builder.with_region(region);
    }
    if let Some(keys) = &profile.keys {
        builder = builder.with_access_key_id(keys.id.as_str()).with_secret_access_key(keys.secret.as_str());
        if let Some(token) = &keys.token {
            builder = builder.with_token(token.as_str());
        }
    }
    for (name, value) in environment.beginning_with("AWS_").filter(|(name, _)| !weakens(name)) {
        if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
            builder = builder.with_config(key, value);
        }
    }
    let store = builder.with_bucket_name(&object.bucket).build().map_err(|e| fault::unmade(object, &e))?;
    Ok(Arc::new(store))
}
