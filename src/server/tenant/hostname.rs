//! `TENANT_RESOLVER=host`: the first label of the host's name.

use axum::http::{HeaderMap, Uri};

use crate::error::Result;
use crate::server::origin;

/// The first label, in lower case. None if there is no host, or it is an address or `localhost`.
pub(super) fn first_label(uri: &Uri, headers: &HeaderMap) -> Result<Option<String>> {
    let Some(host) = origin::named_host(uri, headers)? else { return Ok(None) };
    let name = host.host().trim_end_matches('.').to_ascii_lowercase();
    if origin::address(&host).is_some() || name == "localhost" {
        return Ok(None);
    }
    Ok(name.split('.').next().filter(|label| !label.is_empty()).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_label_names_the_tenant() {
        let cases = [
            ("acme.bots.example", Some("acme")),
            ("acme.bots.example:8443", Some("acme")),
            ("ACME.Bots.Example", Some("acme")),
            ("acme.bots.example.", Some("acme")),
            ("acme.localhost:8080", Some("acme")),
            ("acme", Some("acme")),
            ("a-b_c.example", Some("a-b_c")),
            ("localhost", None),
            ("localhost.", None),
            ("localhost:8080", None),
            ("127.0.0.1", None),
            ("10.0.0.1:8080", None),
            ("[::1]", None),
            ("[2001:db8::1]:8080", None),
            (".example", None),
            ("", None),
        ];
        for (host, tenant) in cases {
            let headers = HeaderMap::from_iter([(axum::http::header::HOST, host.parse().unwrap())]);
            let found = first_label(&Uri::from_static("/"), &headers).unwrap();
            assert_eq!(found.as_deref(), tenant, "{host:?}");
        }
        assert_eq!(first_label(&Uri::from_static("/"), &HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn the_target_goes_before_the_header() {
        let headers = HeaderMap::from_iter([(axum::http::header::HOST, "beta.example".parse().unwrap())]);
        let found = first_label(&Uri::from_static("http://acme.example/x"), &headers).unwrap();
        assert_eq!(found.as_deref(), Some("acme"));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for bad in ["a b", "acme.example@evil", "[::1", "acme.example:x/"] {
            let Ok(value) = bad.parse() else { continue };
            let headers = HeaderMap::from_iter([(axum::http::header::HOST, value)]);
            assert!(first_label(&Uri::from_static("/"), &headers).is_err(), "{bad:?}");
        }
    }
}
