//! What goes wrong with a store, as this host's errors. A store's own words may quote a request: they are not shown.

use std::error::Error as StdError;

use http::StatusCode;
use object_store::Error as StoreError;
use object_store::client::{HttpError, HttpErrorKind};

use super::super::{Fault, changed, not_found};
use crate::error::{Code, Error};
use crate::ingest::locator::{Locator, ObjectStoreKind, ObjectUrl};

/// The fault behind `error`.
pub(super) fn of(locator: &Locator, object: &ObjectUrl, error: &StoreError) -> Fault {
    match error {
        StoreError::NotFound { .. } => not_found(locator),
        StoreError::Precondition { .. } | StoreError::NotModified { .. } => changed(locator),
        StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
            denied(object, "the store refuses these credentials").into()
        }
        StoreError::InvalidPath { .. } => {
            Error::new(Code::LocatorInvalid, format!("the key of {object} cannot be used")).into()
        }
        _ => match (status(error), kind(error)) {
            (Some(status), _) => answered(locator, object, status),
            (None, Some(kind)) => broken(locator, error, kind),
            (None, None) => unusable(object, error),
        },
    }
}

/// A client that cannot be made of the settings that are there.
pub(super) fn unmade(object: &ObjectUrl, error: &StoreError) -> Error {
    Error::new(Code::CredentialsInvalid, format!("the settings for {object} cannot be used: {}", first_words(error)))
        .hint(variables(object.store))
}

fn answered(locator: &Locator, object: &ObjectUrl, status: StatusCode) -> Fault {
    let message = format!("the store of {locator} answers {status}");
    match status.as_u16() {
        404 => not_found(locator),
        412 | 416 => changed(locator),
        400 | 401 | 403 => denied(object, &format!("the store answers {status}")).into(),
        408 | 429 | 500..=599 => Error::new(Code::FetchFailed, message)
            .hint("try again later; if it stays so, ask those who run the store")
            .into(),
        _ => Error::new(Code::SourceAnswer, message)
            .hint("check the region and the endpoint that the environment names")
            .into(),
    }
}

fn denied(object: &ObjectUrl, why: &str) -> Error {
    Error::new(Code::AccessRefused, format!("{object} cannot be read: {why}")).hint(variables(object.store))
}

fn broken(locator: &Locator, error: &StoreError, kind: HttpErrorKind) -> Fault {
    let why = match kind {
        HttpErrorKind::Connect => "the connection fails",
        HttpErrorKind::Timeout => "the store is too slow",
        HttpErrorKind::Decode => "the answer cannot be read",
        _ => "the connection breaks",
    };
    let words = if is_login(error) { " when credentials are asked for" } else { "" };
    Error::new(Code::FetchFailed, format!("{locator} cannot be fetched: {why}{words}"))
        .hint("check the network, and the endpoint and credentials that the environment names")
        .into()
}

/// No answer and no connection: the credentials are missing, or the answer makes no sense.
fn unusable(object: &ObjectUrl, error: &StoreError) -> Fault {
    if is_login(error) {
        return denied(object, "there are no credentials that could be used").into();
    }
    Error::new(Code::SourceAnswer, format!("the store of {object} does not answer as it should"))
        .hint("check that the endpoint that the environment names speaks the store's protocol")
        .into()
}

/// Every error and what caused it.
fn causes(error: &StoreError) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    let first: &(dyn StdError + 'static) = error;
    std::iter::successors(Some(first), |error| (*error).source())
}

/// The status that a store answered with. The type that holds it is the crate's own, so it is read off the text.
fn status(error: &StoreError) -> Option<StatusCode> {
    const MARK: &str = "Server returned non-2xx status code: ";
    causes(error).find_map(|cause| {
        let text = cause.to_string();
        let digits = text.split_once(MARK)?.1.get(..3)?;
        digits.parse().ok()
    })
}

fn kind(error: &StoreError) -> Option<HttpErrorKind> {
    causes(error).find_map(|cause| cause.downcast_ref::<HttpError>()).map(HttpError::kind)
}

/// Whether it was credentials that were asked for, and not the object.
fn is_login(error: &StoreError) -> bool {
    causes(error).any(|cause| {
        let text = cause.to_string().to_ascii_lowercase();
        text.contains("credential") || text.contains("token") || text.contains("metadata")
    })
}

/// What the client says of its settings, which are the operator's own; values are not part of it.
fn first_words(error: &StoreError) -> &'static str {
    let text = error.to_string();
    let is = |word: &str| text.contains(word);
    if is("Unable to open") || is("No such file") {
        "a file that they name cannot be read"
    } else if is("decode") || is("JSON") || is("base64") || is("key") {
        "a key or a file with credentials is not of its form"
    } else {
        "they do not fit together"
    }
}

/// Which settings are read.
fn variables(store: ObjectStoreKind) -> &'static str {
    match store {
        ObjectStoreKind::S3 => {
            "read are AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_PROFILE with ~/.aws/credentials, \
             AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN, the container's and the instance's role; AWS_REGION, \
             AWS_ENDPOINT_URL; AWS_SKIP_SIGNATURE=true for public buckets"
        }
        ObjectStoreKind::Gcs => {
            "read are GOOGLE_APPLICATION_CREDENTIALS, GOOGLE_SERVICE_ACCOUNT_KEY, gcloud's own file and the instance's \
             account; STORAGE_EMULATOR_HOST; GOOGLE_SKIP_SIGNATURE=true for public buckets"
        }
        ObjectStoreKind::AzBlob => {
            "read are AZURE_STORAGE_CONNECTION_STRING, AZURE_STORAGE_ACCOUNT_NAME with AZURE_STORAGE_ACCOUNT_KEY or \
             AZURE_STORAGE_SAS_TOKEN, AZURE_CLIENT_ID with AZURE_CLIENT_SECRET or AZURE_FEDERATED_TOKEN_FILE and \
             AZURE_TENANT_ID, and the managed identity; AZURE_SKIP_SIGNATURE=true for public containers"
        }
    }
}
