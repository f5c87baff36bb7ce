//! Clients for Azure Blob Storage.
//!
//! A key, a signature or a token of the environment belongs to one account, and is used with no other: the account
//! stands in the locator, which somebody else may have written.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};

use super::{Settings, fault, once, weakens};
use crate::environment::Environment;
use crate::error::{Code, Error, Result};
use crate::ingest::locator::ObjectUrl;

const CONNECTION: &str = "AZURE_STORAGE_CONNECTION_STRING";

/// The account of the emulator, and its key, which every installation has.
const EMULATOR_ACCOUNT: &str = "devstoreaccount1";
const EMULATOR_KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const EMULATOR_URL: &str = "http://127.0.0.1:10000/devstoreaccount1";

/// What belongs to one account.
#[derive(Default)]
struct Account {
    name: Option<String>,
    key: Option<String>,
    signature: Option<String>,
    token: Option<String>,
    endpoint: Option<String>,
    /// The variable that says so.
    variable: &'static str,
}

/// A client for the container of `object`.
pub(super) fn store(settings: &Settings, object: &ObjectUrl) -> Result<Arc<dyn ObjectStore>> {
    let environment = &settings.environment;
    let own = account(environment)?;
    let name = object.account.clone().or_else(|| own.name.clone()).ok_or_else(|| {
        Error::new(Code::CredentialsInvalid, format!("{object} names no account, and neither does the environment"))
            .hint("set AZURE_STORAGE_ACCOUNT_NAME, or write azblob://account/container/blob")
    })?;
    let own = if own.name.as_ref() == Some(&name) { own } else { Account::default() };
    let is_plain = own.endpoint.as_deref().map(|url| settings.is_plain(own.variable, url)).transpose()?;
    let options = settings.client(is_plain.unwrap_or(false));
    let mut builder = MicrosoftAzureBuilder::new().with_client_options(options).with_retry(once());
    for (variable, value) in environment.beginning_with("AZURE_").filter(|(name, _)| !weakens(name)) {
        match variable.to_ascii_lowercase().parse::<AzureConfigKey>() {
            Ok(key) if !is_bound(&key) => builder = builder.with_config(key, value),
            _ => {}
        }
    }
    if let Some(url) = environment.get("IDENTITY_ENDPOINT") {
        builder = builder.with_msi_endpoint(url);
    }
    let bound = [
        (AzureConfigKey::AccessKey, own.key),
        (AzureConfigKey::SasKey, own.signature),
        (AzureConfigKey::Token, own.token),
        (AzureConfigKey::Endpoint, own.endpoint),
    ];
    for (key, value) in bound {
        if let Some(value) = value {
            builder = builder.with_config(key, value);
        }
    }
    let store = builder.with_account(name).with_container_name(&object.bucket).build();
    Ok(Arc::new(store.map_err(|e| fault::unmade(object, &e))?))
}

/// What is for one account, or is taken from the locator.
fn is_bound(key: &AzureConfigKey) -> bool {
    matches!(
        key,
        AzureConfigKey::AccessKey
            | AzureConfigKey::AccountName
            | AzureConfigKey::ContainerName
            | AzureConfigKey::Endpoint
            | AzureConfigKey::SasKey
            | AzureConfigKey::Token
            | AzureConfigKey::UseEmulator
    )
}

/// The account that the environment names, with what belongs to it.
fn account(environment: &Environment) -> Result<Account> {
    if let Some(text) = environment.get(CONNECTION) {
        return connection(text);
    }
    let is_emulator = environment.get("AZURE_STORAGE_USE_EMULATOR").is_some_and(|v| v.eq_ignore_ascii_case("true"));
    if is_emulator {
        return Ok(emulator());
    }
    let get = |names: &[&str]| names.iter().find_map(|name| environment.get(name)).map(str::to_owned);
    let account = Account {
        name: get(&["AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT"]),
        key: get(&["AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCESS_KEY"]),
        signature: get(&["AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_SAS_KEY"]),
        token: get(&["AZURE_STORAGE_TOKEN"]),
        endpoint: get(&["AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"]),
        variable: "AZURE_STORAGE_ENDPOINT",
    };
    let is_bound =
        [&account.key, &account.signature, &account.token, &account.endpoint].into_iter().any(Option::is_some);
    if is_bound && account.name.is_none() {
        return Err(Error::new(Code::CredentialsInvalid, "the environment has a key for Azure, but names no account")
            .hint("set AZURE_STORAGE_ACCOUNT_NAME; the key is used with no other account"));
    }
    Ok(account)
}

fn emulator() -> Account {
    Account {
        name: Some(EMULATOR_ACCOUNT.to_owned()),
        key: Some(EMULATOR_KEY.to_owned()),
        endpoint: Some(EMULATOR_URL.to_owned()),
        variable: CONNECTION,
        ..Account::default()
    }
}

/// Reads a connection string, as the portal gives it out: `Name=value;…`.
fn connection(text: &str) -> Result<Account> {
    let wrong = |why: &str| {
        Error::new(Code::CredentialsInvalid, format!("{CONNECTION} {why}"))
            .hint("copy it from the portal: DefaultEndpointsProtocol=https;AccountName=…;AccountKey=…")
    };
    let mut parts = BTreeMap::new();
    for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').ok_or_else(|| wrong("is not made of Name=value"))?;
        parts.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
    }
    if parts.get("usedevelopmentstorage").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(emulator());
    }
    let name = parts.remove("accountname");
    let endpoint = parts.remove("blobendpoint").map(|url| url.trim_end_matches('/').to_owned());
    let suffix = parts.remove("endpointsuffix");
    let protocol = parts.remove("defaultendpointsprotocol").unwrap_or_else(|| "https".to_owned());
    let endpoint = endpoint.or_else(|| Some(format!("{protocol}://{}.blob.{}", name.as_ref()?, suffix?)));
    // Without a name, what Microsoft's own host is called has it.
    let name = name.or_else(|| {
        let host = url::Url::parse(endpoint.as_deref()?).ok()?.host_str()?.to_owned();
        host.split_once(".blob.").map(|(name, _)| name.to_owned())
    });
    if name.is_none() {
        return Err(wrong("names no account"));
    }
    let (key, signature) = (parts.remove("accountkey"), parts.remove("sharedaccesssignature"));
    Ok(Account { name, key, signature, token: None, endpoint, variable: CONNECTION })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ingest::locator::ObjectStoreKind;

    fn own(settings: &[(&str, &str)]) -> Result<Account> {
        account(&Environment::from_iter(settings.iter().copied()))
    }

    fn object(account: Option<&str>) -> ObjectUrl {
        let account = account.map(str::to_owned);
        ObjectUrl { store: ObjectStoreKind::AzBlob, account, bucket: "packs".into(), key: "a.gtpack".into() }
    }

    #[test]
    fn connection_strings_are_read() {
        for (text, name, key, signature, endpoint) in [
            (
                "DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=a2V5==;EndpointSuffix=core.windows.net",
                "acme",
                Some("a2V5=="),
                None,
                Some("https://acme.blob.core.windows.net"),
            ),
            (
                "BlobEndpoint=http://127.0.0.1:1/acme/;AccountName=acme;AccountKey=k;",
                "acme",
                Some("k"),
                None,
                Some("http://127.0.0.1:1/acme"),
            ),
            (
                "BlobEndpoint=https://acme.blob.core.windows.net/;SharedAccessSignature=sv=1&sig=s%3D",
                "acme",
                None,
                Some("sv=1&sig=s%3D"),
                Some("https://acme.blob.core.windows.net"),
            ),
            ("UseDevelopmentStorage=true", EMULATOR_ACCOUNT, Some(EMULATOR_KEY), None, Some(EMULATOR_URL)),
        ] {
            let found = connection(text).unwrap();
            let values = [&found.name, &found.key, &found.signature, &found.endpoint].map(Option::as_deref);
            assert_eq!(values, [Some(name), key, signature, endpoint], "{text}");
        }
        for text in ["secret", "AccountKey=secret", "BlobEndpoint=secret;AccountKey=secret"] {
            let Err(error) = connection(text) else { panic!("{text}") };
            assert_eq!(error.code(), Code::CredentialsInvalid);
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_key_is_for_the_account_that_is_named_with_it() {
        assert_eq!(own(&[("AZURE_STORAGE_ACCOUNT_KEY", "k")]).err().map(|e| e.code()), Some(Code::CredentialsInvalid));
        let found = own(&[("AZURE_STORAGE_ACCOUNT", "acme"), ("AZURE_STORAGE_KEY", "k")]).unwrap();
        assert_eq!((found.name.as_deref(), found.key.as_deref()), (Some("acme"), Some("k")));
        assert!(own(&[]).unwrap().name.is_none());
        assert_eq!(own(&[("AZURE_STORAGE_USE_EMULATOR", "true")]).unwrap().name.as_deref(), Some(EMULATOR_ACCOUNT));
    }

    #[test]
    fn an_account_is_needed_and_a_foreign_one_gets_no_key() {
        crate::net::tls::install();
        let settings = |settings: &[(&str, &str)]| Settings {
            environment: Environment::from_iter(settings.iter().copied()),
            allow_http: false,
            connect: Duration::from_secs(1),
        };
        let error = store(&settings(&[]), &object(None)).err().map(|e| e.code());
        assert_eq!(error, Some(Code::CredentialsInvalid));
        // A key that is no base64 is noticed where it is used, and only there.
        let keyed = settings(&[("AZURE_STORAGE_ACCOUNT_NAME", "acme"), ("AZURE_STORAGE_ACCOUNT_KEY", "!secret")]);
        let error = store(&keyed, &object(Some("acme"))).err().unwrap();
        assert_eq!(error.code(), Code::CredentialsInvalid);
        assert!(!error.to_string().contains("secret"), "{error}");
        assert!(store(&keyed, &object(Some("other1"))).is_ok());
        // Nor does the account's endpoint count for another.
        let plain = [("AZURE_STORAGE_ACCOUNT_NAME", "acme"), ("AZURE_STORAGE_ENDPOINT", "http://10.0.0.1/acme")];
        let error = store(&settings(&plain), &object(Some("acme"))).err().map(|e| e.code());
        assert_eq!(error, Some(Code::LocatorDenied));
        assert!(store(&settings(&plain), &object(Some("other1"))).is_ok());
    }
}
