//! Entries of the allow-list.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use url::Host;

use super::target::Target;

/// What may be asked: `https://api.example.com`, `https://*.example.com:8443`, `http://localhost:9000`, or `*` for
/// everything that is public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Whether by TLS; none for both.
    https: Option<bool>,
    host: HostRule,
    /// None for every port.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HostRule {
    Any,
    /// A name below this one, which begins with a dot.
    Below(String),
    Exactly(Host),
}

impl Allowed {
    /// Whether `target` is one of those that it allows.
    pub(super) fn matches(&self, target: &Target) -> bool {
        let host = match (&self.host, target.host()) {
            (HostRule::Any, Some(_)) => true,
            (HostRule::Below(suffix), Some(Host::Domain(name))) => name.len() > suffix.len() && name.ends_with(suffix),
            (HostRule::Exactly(host), Some(other)) => same(host, &other),
            _ => false,
        };
        host && self.https.is_none_or(|https| https == target.is_https())
            && self.port.is_none_or(|port| port == target.port())
    }

    /// Whether it names an address, or this machine: then whoever wrote it knew that it may not be public.
    pub(super) fn names_an_address(&self) -> bool {
        match &self.host {
            HostRule::Exactly(Host::Domain(name)) => is_this_machine(name),
            HostRule::Exactly(_) => true,
            HostRule::Any | HostRule::Below(_) => false,
        }
    }

    /// The name of this machine that it names.
    pub(super) fn this_machine(&self) -> Option<&str> {
        match &self.host {
            HostRule::Exactly(Host::Domain(name)) if is_this_machine(name) => Some(name),
            _ => None,
        }
    }
}

/// Whether `name` means this machine by its form.
pub(super) fn is_this_machine(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

fn same(host: &Host, other: &Host<&str>) -> bool {
    match (host, other) {
        (Host::Domain(one), Host::Domain(other)) => one == other,
        (Host::Ipv4(one), Host::Ipv4(other)) => one == other,
        (Host::Ipv6(one), Host::Ipv6(other)) => one == other,
        _ => false,
    }
}

impl FromStr for Allowed {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "*" {
            return Ok(Self { https: None, host: HostRule::Any, port: None });
        }
        let (scheme, rest) = text.split_once("://").ok_or("it does not begin with https:// or http://")?;
        let https = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err("it does not begin with https:// or http://"),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#', '@', '\\']) || rest.contains(char::is_whitespace) {
            return Err("it holds more than a scheme, a host and a port");
        }
        let (host, port) = split_port(rest)?;
        let port = match port {
            None => Some(if https { 443 } else { 80 }),
            Some("*") => None,
            Some(port) => Some(port.parse().ok().filter(|port| *port > 0).ok_or("its port is no number up to 65535")?),
        };
        Ok(Self { https: Some(https), host: host_rule(host)?, port })
    }
}

/// Host and port; the host of an IPv6 address keeps its brackets.
fn split_port(text: &str) -> Result<(&str, Option<&str>), &'static str> {
    let end = text.rfind(']').map_or(0, |at| at + 1);
    let (brackets, rest) = text.split_at_checked(end).unwrap_or(("", text));
    match (brackets, rest.split_once(':')) {
        ("", None) => Ok((rest, None)),
        ("", Some((host, port))) => Ok((host, Some(port))),
        (host, None) if rest.is_empty() => Ok((host, None)),
        (host, Some(("", port))) => Ok((host, Some(port))),
        _ => Err("its host is no name or address"),
    }
}

fn host_rule(text: &str) -> Result<HostRule, &'static str> {
    if text == "*" {
        return Ok(HostRule::Any);
    }
    let (below, name) = match text.strip_prefix("*.") {
        Some(name) => (true, name),
        None => (false, text),
    };
    if name.contains('*') {
        return Err("`*` stands for a whole host, or before a dot at its beginning");
    }
    let host = match Host::parse(name).map_err(|_| "its host is no name or address")? {
        Host::Domain(name) => Host::Domain(name.trim_end_matches('.').to_owned()),
        address => address,
    };
    match (below, host) {
        (_, Host::Domain(name)) if name.is_empty() => Err("its host is no name or address"),
        (true, Host::Domain(name)) => Ok(HostRule::Below(format!(".{name}"))),
        (true, _) => Err("there are no hosts below an address"),
        (false, host) => Ok(HostRule::Exactly(host)),
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(https) = self.https else { return f.write_str("*") };
        f.write_str(if https { "https://" } else { "http://" })?;
        match &self.host {
            HostRule::Any => f.write_str("*")?,
            HostRule::Below(suffix) => write!(f, "*{suffix}")?,
            HostRule::Exactly(host) => host.fmt(f)?,
        }
        match self.port {
            None => f.write_str(":*"),
            Some(443) if https => Ok(()),
            Some(80) if !https => Ok(()),
            Some(port) => write!(f, ":{port}"),
        }
    }
}

/// The address that a host is, if it is one.
pub(super) fn address(host: &Host<&str>) -> Option<IpAddr> {
    match host {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some((*address).into()),
        Host::Ipv6(address) => Some((*address).into()),
    }
}
