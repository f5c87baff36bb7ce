//! Where requests may go, at first and by a redirect.

use url::{Host, Url};

use super::super::Fault;
use crate::error::{Code, Error, Result};
use crate::ingest::locator::Locator;
use crate::net::{Reach, Unreachable};

/// How many redirects are followed.
pub(super) const MAX_REDIRECTS: usize = 10;

/// Judges a URL before it is asked.
pub(super) fn check(locator: &Locator, url: &Url, allow_http: bool, reach: &Reach) -> Result<(), Fault> {
    if url.scheme() != "https" && !allow_http && !is_this_machine(url) {
        return Err(denied(format!("{locator} is refused: it is neither https nor on this machine"))
            .hint("use https://, or pass --allow-http where the network is trusted")
            .into());
    }
    reach.check(url).map_err(|unreachable| refused(locator, &unreachable))
}

/// Whether a URL names this machine by what needs no resolving, or by the name that has to mean it.
fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name.trim_end_matches('.').eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

/// A host that may not be connected to.
pub(super) fn refused(locator: &Locator, unreachable: &Unreachable) -> Fault {
    denied(format!("{locator} is refused: {unreachable}, which nothing but this machine's own settings may name"))
        .hint("allow the host with --allow-private if that is meant")
        .into()
}

/// Where a redirect leads.
pub(super) fn next(locator: &Locator, from: &Url, location: Option<&str>) -> Result<Url, Fault> {
    let stray = |why: &str| -> Fault {
        Error::new(Code::RedirectRefused, format!("the server of {locator} redirects {why}"))
            .hint("name the place where the file lies itself")
            .into()
    };
    let location = location.ok_or_else(|| stray("to nowhere"))?;
    let to = from.join(location).map_err(|_| stray("to what is no URL"))?;
    match (from.scheme(), to.scheme()) {
        (_, "https") | ("http", "http") => {}
        ("https", "http") => return Err(stray("from https to http")),
        _ => return Err(stray("to what is neither https nor http")),
    }
    if !to.username().is_empty() || to.password().is_some() {
        return Err(stray("to a URL with a user name or password"));
    }
    Ok(to)
}

/// A server that leads on and on.
pub(super) fn endless(locator: &Locator) -> Fault {
    Error::new(Code::RedirectRefused, format!("the server of {locator} redirects more than {MAX_REDIRECTS} times"))
        .hint("name the place where the file lies itself")
        .into()
}

fn denied(message: String) -> Error {
    Error::new(Code::LocatorDenied, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn redirects_lead_only_where_they_may() {
        let from = "https://a.example/dir/pack?token=secret";
        for (from, location, to) in [
            (from, "other", Some("https://a.example/dir/other")),
            (from, "/other", Some("https://a.example/other")),
            (from, "//b.example/x", Some("https://b.example/x")),
            (from, "https://b.example/x?sig=1", Some("https://b.example/x?sig=1")),
            ("http://a.example/", "https://b.example/", Some("https://b.example/")),
            ("http://a.example/", "http://b.example/", Some("http://b.example/")),
            (from, "http://a.example/dir/pack", None),
            (from, "file:///etc/passwd", None),
            (from, "ftp://b.example/x", None),
            (from, "data:text/plain,x", None),
            (from, "https://user:secret@b.example/", None),
            (from, "https://", None),
        ] {
            let found = next(&Locator::Http(url(from)), &url(from), Some(location));
            match (found, to) {
                (Ok(found), Some(to)) => assert_eq!(found.as_str(), to),
                (Err(fault), None) => {
                    assert_eq!(fault.error.code(), Code::RedirectRefused, "{location}");
                    assert!(!fault.error.to_string().contains("secret"), "{}", fault.error);
                }
                (found, _) => panic!("{location}: {found:?}"),
            }
        }
        assert!(next(&Locator::Http(url(from)), &url(from), None).is_err());
    }

    #[test]
    fn http_is_for_this_machine_unless_it_is_allowed() {
        for (text, here) in [
            ("https://a.example/", true),
            ("http://127.0.0.1/", true),
            ("http://127.9.9.9:81/", true),
            ("http://[::1]/", true),
            ("http://localhost:8080/", true),
            ("http://LOCALHOST./", true),
            ("http://a.example/", false),
            ("http://localhost.example/", false),
            ("http://10.0.0.1/", false),
        ] {
            let url = url(text);
            let locator = Locator::Http(url.clone());
            assert_eq!(check(&locator, &url, false, &Reach::anywhere()).is_ok(), here, "{text}");
            assert!(check(&locator, &url, true, &Reach::anywhere()).is_ok(), "{text}");
        }
        let private = url("https://192.168.0.1/");
        let fault = check(&Locator::Http(private.clone()), &private, true, &Reach::public(&[])).unwrap_err();
        assert_eq!(fault.error.code(), Code::LocatorDenied);
    }
}
