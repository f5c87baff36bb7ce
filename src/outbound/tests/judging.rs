//! The policy as tables.

use super::*;

fn judged(policy: &Policy, url: &str) -> Option<Reason> {
    let judge = || {
        policy.check_enabled()?;
        policy.judge(&target::Target::parse(url)?)
    };
    judge().err().map(|failure: Failure| failure.reason())
}

#[test]
fn what_is_asked_is_judged_as_it_is_connected_to() {
    use Reason::{AddressNotPublic as Private, BadUrl, CredentialsInUrl, HostNotAllowed as Other, SchemeNotAllowed};
    let one: &[&str] = &["https://api.example.com"];
    let below: &[&str] = &["https://*.example.com", "http://*.example.com:8080"];
    let idn: &[&str] = &["https://bücher.example"];
    let all: &[&str] = &["*"];
    let this: &[&str] = &["*", "http://localhost:9000", "http://127.0.0.1:9001", "http://[::1]:9002"];
    let rows: &[(&[&str], &str, Option<Reason>)] = &[
        (one, "https://api.example.com/x?y#z", None),
        (one, "HTTPS://API.Example.COM.:443/", None),
        (one, "https:/\u{2f}api.example.com/", None),
        // Other dots and wide letters mean the same host to every reader of URLs.
        (one, "https://ａpi。example．com/", None),
        (one, "https://api.example.com:8443/", Some(Other)),
        (one, "http://api.example.com/", Some(Other)),
        (one, "https://api.example.com../", Some(Other)),
        (one, "https://api.example.com.evil.example/", Some(Other)),
        (one, "https://api.example.com%2eevil.example/", Some(Other)),
        (one, "https://sub.api.example.com/", Some(Other)),
        (one, "https://example.com/", Some(Other)),
        (one, "https://evil.example/@api.example.com/", Some(Other)),
        (one, "https://evil.example/#https://api.example.com", Some(Other)),
        // A Cyrillic letter.
        (one, "https://\u{430}pi.example.com/", Some(Other)),
        (one, "https://api.example.com@evil.example/", Some(CredentialsInUrl)),
        (one, "https://user:pass@api.example.com/", Some(CredentialsInUrl)),
        (one, "https://@api.example.com/", Some(CredentialsInUrl)),
        (one, "https:user@api.example.com/", Some(CredentialsInUrl)),
        (one, "https://api.example.com\\@evil.example/", Some(BadUrl)),
        (one, "https://api.example.com\t/", Some(BadUrl)),
        (one, "https://api.exa\nmple.com/", Some(BadUrl)),
        (one, " https://api.example.com/", Some(BadUrl)),
        (one, "https://api.example.com/a\r\nhost: evil", Some(BadUrl)),
        (one, "https://api.example.com:0/", Some(BadUrl)),
        (one, "https://api.example.com:99999/", Some(BadUrl)),
        (one, "https://", Some(BadUrl)),
        (one, "//api.example.com/", Some(BadUrl)),
        (one, "api.example.com", Some(BadUrl)),
        (one, "", Some(BadUrl)),
        (one, "file:///etc/passwd", Some(SchemeNotAllowed)),
        (one, "ftp://api.example.com/", Some(SchemeNotAllowed)),
        (one, "data:text/plain,x", Some(SchemeNotAllowed)),
        (below, "https://a.example.com/", None),
        (below, "https://a.b.example.com/", None),
        (below, "http://a.example.com:8080/", None),
        (below, "http://a.example.com/", Some(Other)),
        (below, "https://example.com/", Some(Other)),
        (below, "https://badexample.com/", Some(Other)),
        (idn, "https://xn--bcher-kva.example/", None),
        (idn, "https://BÜCHER.example/", None),
        (all, "https://anything.example:8443/", None),
        (all, "http://1.1.1.1/", None),
        (all, "http://127.0.0.1/", Some(Private)),
        (all, "http://2130706433/", Some(Private)),
        (all, "http://0177.0.0.1/", Some(Private)),
        (all, "http://0x7f000001/", Some(Private)),
        (all, "http://127.1/", Some(Private)),
        (all, "http://%31%32%37.0.0.1/", Some(Private)),
        (all, "http://①②⑦.0.0.1/", Some(Private)),
        (all, "http://169.254.169.254./latest/meta-data", Some(Private)),
        (all, "http://[::ffff:169.254.169.254]/", Some(Private)),
        (all, "http://[::ffff:a9fe:a9fe]/", Some(Private)),
        (all, "http://[64:ff9b::a9fe:a9fe]/", Some(Private)),
        (all, "http://[fd00:ec2::254]/", Some(Private)),
        (all, "http://[::1]/", Some(Private)),
        (all, "http://[::]/", Some(Private)),
        (all, "http://0/", Some(Private)),
        (all, "http://168.63.129.16/", Some(Private)),
        (all, "http://10.0.0.1/", Some(Private)),
        (all, "http://localhost/", Some(Private)),
        (all, "http://LocalHost./", Some(Private)),
        (all, "http://a.localhost/", Some(Private)),
        (this, "http://localhost:9000/", None),
        (this, "http://127.0.0.1:9001/", None),
        (this, "http://[::1]:9002/", None),
        // Who names a port of this machine names no other one.
        (this, "http://localhost:22/", Some(Private)),
        (this, "http://127.0.0.1:9000/", Some(Private)),
        (this, "http://[::ffff:127.0.0.1]:9001/", Some(Private)),
        (&[], "https://api.example.com/", Some(Other)),
    ];
    for (allow, url, expected) in rows {
        assert_eq!(judged(&policy(allow), url), *expected, "{url:?} by {allow:?}");
    }
    assert_eq!(judged(&policy(all), &format!("https://a.example/{}", "x".repeat(9000))), Some(BadUrl));
    assert_eq!(judged(&Policy { enabled: false, ..policy(all) }, "https://a.example/"), Some(Reason::Disabled));
    assert_eq!(judged(&Policy::default(), "https://a.example/"), Some(Reason::Disabled));
    let private =
        Policy { allow_private: vec!["10.0.0.0/8".parse().unwrap(), "localhost".parse().unwrap()], ..policy(all) };
    assert_eq!(judged(&private, "http://10.1.2.3/"), None);
    assert_eq!(judged(&private, "http://localhost:22/"), None);
    assert_eq!(judged(&private, "http://192.168.0.1/"), Some(Private));
}

#[test]
fn an_entry_is_a_scheme_a_host_and_a_port() {
    for text in [
        "https://api.example.com",
        "https://*.example.com:8443",
        "http://localhost:9000",
        "http://[::1]:80",
        "http://10.0.0.1:*",
        "https://*",
        "*",
        "https://xn--bcher-kva.example",
    ] {
        let entry: Allowed = text.parse().unwrap();
        assert_eq!(entry.to_string(), text.trim_end_matches(":80"), "{text}");
    }
    assert_eq!("https://API.example.com.:443/".parse::<Allowed>().unwrap().to_string(), "https://api.example.com");
    for text in [
        "",
        "**",
        "api.example.com",
        "ftp://api.example.com",
        "https://",
        "https://:443",
        "https://*example.com",
        "https://a.*.example.com",
        "https://*.*.example.com",
        "https://*.",
        "https://*.10.0.0.1",
        "https://api.example.com/path",
        "https://api.example.com?x",
        "https://user@api.example.com",
        "https://api.example.com:0",
        "https://api.example.com:99999",
        "https://api.example.com:",
        "https://[::1",
        "https://::1",
        "https://[::1]x",
        "https://a b",
    ] {
        assert!(text.parse::<Allowed>().is_err(), "{text:?}");
    }
}

#[test]
fn every_reason_has_a_name_of_its_own() {
    let names: std::collections::BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
    assert_eq!(names.len(), Reason::ALL.len());
    let page = include_str!("../../../docs/outbound-http.md");
    let told: Vec<_> =
        page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(n, _)| n).collect();
    for reason in Reason::ALL {
        assert!(told.contains(&reason.name()), "docs/outbound-http.md has no row for {reason}");
    }
}

#[test]
fn methods_are_known_or_refused() {
    for (text, expected) in
        [("get", Ok("GET")), ("Patch", Ok("PATCH")), ("PROPFIND", Ok("PROPFIND")), ("propfind", Ok("propfind"))]
    {
        assert_eq!(
            super::request::method(text).map(|m| m.to_string()).map_err(|f| f.reason()),
            expected.map(String::from)
        );
    }
    for text in ["CONNECT", "trace", "TRACK"] {
        assert_eq!(super::request::method(text).unwrap_err().reason(), Reason::MethodNotAllowed);
    }
    for text in ["", "GET /", "GET\r\nx: y", "GÉT", &"X".repeat(33)] {
        assert_eq!(super::request::method(text).unwrap_err().reason(), Reason::BadMethod, "{text:?}");
    }
}
