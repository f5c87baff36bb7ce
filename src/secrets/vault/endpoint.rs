//! Where a store, or what gives out its tokens, is reached.

use url::{Host, Url};

use crate::environment::Environment;
use crate::error::{Code, Error, Result};

/// The endpoint that the first of `names` which is set says, else `usual`, without a slash at its end.
///
/// # Errors
///
/// `SecretsBackend` if it is no URL, or would send secrets over the network in the clear.
pub(super) fn endpoint(environment: &Environment, names: &[&str], usual: &str) -> Result<String> {
    let set = names.iter().find_map(|name| Some((*name, environment.get(name)?)));
    let (name, text) = set.unwrap_or(("the endpoint", usual));
    let wrong = |why: &str| {
        Error::new(Code::SecretsBackend, format!("{name} {why}")).hint("write it as https://host, or https://host:port")
    };
    let url = Url::parse(text).map_err(|_| wrong("is no URL"))?;
    let is_here = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => return Err(wrong("names no host")),
    };
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("is more than scheme, host, port and path"));
    }
    match url.scheme() {
        "https" => {}
        "http" if is_here => {}
        "http" => return Err(wrong("is neither https nor on this machine")),
        _ => return Err(wrong("is neither https:// nor http://")),
    }
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_travel_in_the_clear() {
        for (text, wanted) in [
            ("https://vault.example/", Some("https://vault.example")),
            ("http://127.0.0.1:5000", Some("http://127.0.0.1:5000")),
            ("http://localhost:5000/base/", Some("http://localhost:5000/base")),
            ("http://vault.example", None),
            ("http://10.0.0.1", None),
            ("https://user:pass@vault.example", None),
            ("https://vault.example/?a=b", None),
            ("ftp://127.0.0.1", None),
            ("vault.example", None),
        ] {
            let environment = Environment::from_iter([("AWS_ENDPOINT_URL", text)]);
            let found = endpoint(&environment, &["AWS_ENDPOINT_URL"], "https://usual.example");
            assert_eq!(found.as_deref().ok(), wanted, "{text}");
            let refused = found.err();
            assert!(
                refused.is_none_or(|e| e.code() == Code::SecretsBackend && !e.to_string().contains("pass")),
                "{text}"
            );
        }
        let unset = endpoint(&Environment::default(), &["AWS_ENDPOINT_URL"], "https://usual.example");
        assert_eq!(unset.unwrap(), "https://usual.example");
    }
}
