//! `TENANT_RESOLVER=header`: what a declared proxy says.

use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::request::Parts;
use ipnet::IpNet;

use crate::error::{Code, Error, Result};
use crate::server::client;
use crate::server::correlation::Peer;

const HEADER: &str = "x-greentic-tenant";

/// The proxies whose word counts.
pub(in crate::server) struct Proxies {
    declared: client::Proxies,
    /// Whether it was logged that somebody else sent the header.
    said: AtomicBool,
}

impl Proxies {
    pub(super) fn new(nets: Vec<IpNet>) -> Self {
        Self { declared: client::Proxies::new(nets), said: AtomicBool::new(false) }
    }

    /// The tenant that a declared proxy names. From anybody else the header is worth nothing.
    pub(super) fn tenant(&self, parts: &Parts) -> Result<Option<String>> {
        let mut values = parts.headers.get_all(HEADER).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let peer = parts.extensions.get::<Peer>().map(|peer| peer.0.ip());
        if !peer.is_some_and(|peer| self.declared.trusts(peer)) {
            if !self.said.swap(true, Ordering::Relaxed) {
                let peer = peer.map(tracing::field::display);
                tracing::warn!(peer, "{HEADER} is ignored: it was sent by none of TRUSTED_PROXIES (said once)");
            }
            return Ok(None);
        }
        let unusable = |why: &str| Error::new(Code::RequestInvalid, format!("{HEADER} {why}"));
        if values.next().is_some() {
            return Err(unusable("was sent more than once"));
        }
        let value = value.to_str().map_err(|_| unusable("is not text"))?.trim();
        Ok((!value.is_empty()).then(|| value.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(peer: &str, values: &[&'static str]) -> Parts {
        let mut request = axum::http::Request::new(());
        request.extensions_mut().insert(Peer(peer.parse().unwrap()));
        for value in values {
            request.headers_mut().append(HEADER, value.parse().unwrap());
        }
        request.into_parts().0
    }

    #[test]
    fn only_declared_proxies_are_believed() {
        let proxies = Proxies::new(vec!["10.1.0.0/16".parse().unwrap(), "fd00::5/128".parse().unwrap()]);
        let cases = [
            ("10.1.2.3:5000", Some("acme")),
            ("[::ffff:10.1.2.3]:5000", Some("acme")),
            ("[fd00::5]:1", Some("acme")),
            ("10.2.0.1:5000", None),
            ("[fd00::6]:1", None),
            ("127.0.0.1:1", None),
        ];
        for (peer, tenant) in cases {
            assert_eq!(proxies.tenant(&parts(peer, &[" acme "])).unwrap().as_deref(), tenant, "{peer}");
        }
        assert!(proxies.said.load(Ordering::Relaxed));
    }

    #[test]
    fn an_empty_header_says_nothing_and_two_are_refused() {
        let proxies = Proxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
        assert_eq!(proxies.tenant(&parts("10.0.0.1:1", &[])).unwrap(), None);
        assert_eq!(proxies.tenant(&parts("10.0.0.1:1", &[""])).unwrap(), None);
        let error = proxies.tenant(&parts("10.0.0.1:1", &["a", "b"])).unwrap_err();
        assert_eq!(error.code(), Code::RequestInvalid);
        assert!(!proxies.said.load(Ordering::Relaxed));
    }
}
