//! Which hosts may be connected to.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;
use url::{Host, Url};

use super::address::why_not_public;
use super::resolver::{Lookup, Resolver, SystemLookup, Unreachable};

/// A host or a network that may be connected to although it is not public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedHost {
    /// A host by its name, or by its address.
    Host(Host),
    /// Every address of a network, whatever name led there.
    Net(IpNet),
}

impl FromStr for AllowedHost {
    type Err = String;

    /// Reads `packs.internal`, `10.1.2.3`, `[fd00::1]` or `10.1.0.0/16`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(net) = text.parse() {
            return Ok(Self::Net(net));
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Host(match address {
                IpAddr::V4(address) => Host::Ipv4(address),
                IpAddr::V6(address) => Host::Ipv6(address),
            }));
        }
        Host::parse(text).map(Self::Host).map_err(|e| format!("it is no host, address or network: {e}"))
    }
}

/// Which hosts may be connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    anywhere: bool,
    allowed: Arc<[AllowedHost]>,
}

impl Reach {
    /// Everything: for what an operator names.
    pub fn anywhere() -> Self {
        Self { anywhere: true, allowed: Arc::new([]) }
    }

    /// The public internet and `allowed`: for what others name.
    pub fn public(allowed: &[AllowedHost]) -> Self {
        Self { anywhere: false, allowed: allowed.into() }
    }

    /// Whether everything may be connected to.
    pub fn is_anywhere(&self) -> bool {
        self.anywhere
    }

    /// Judges the host of a URL as far as that is possible before it is resolved: an address is not resolved any more,
    /// so whoever connects has to ask here first.
    pub fn check(&self, url: &Url) -> Result<(), Unreachable> {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => address.into(),
            Some(Host::Ipv6(address)) => address.into(),
            _ => return Ok(()),
        };
        self.check_address(url.host_str().unwrap_or_default(), address)
    }

    /// Judges an address to which the host `name` was resolved.
    pub fn check_address(&self, name: &str, address: IpAddr) -> Result<(), Unreachable> {
        let Some(what) = why_not_public(address).filter(|_| !self.anywhere) else { return Ok(()) };
        let name = name.trim_end_matches('.');
        let is_allowed = self.allowed.iter().any(|allowed| match allowed {
            AllowedHost::Net(net) => net.contains(&address),
            AllowedHost::Host(Host::Domain(host)) => host.eq_ignore_ascii_case(name),
            AllowedHost::Host(Host::Ipv4(host)) => address == IpAddr::V4(*host),
            AllowedHost::Host(Host::Ipv6(host)) => address == IpAddr::V6(*host),
        });
        if is_allowed { Ok(()) } else { Err(Unreachable::new(name, what)) }
    }

    /// A resolver that gives the addresses that may be connected to, and no others.
    pub fn resolver(&self) -> Arc<Resolver> {
        self.resolver_over(Arc::new(SystemLookup))
    }

    /// The same, where `lookup` knows the addresses.
    pub fn resolver_over(&self, lookup: Arc<dyn Lookup>) -> Arc<Resolver> {
        Arc::new(Resolver::new(self.clone(), lookup))
    }
}

impl fmt::Display for AllowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => host.fmt(f),
            Self::Net(net) => net.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(allowed: &[&str]) -> Reach {
        Reach::public(&allowed.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>())
    }

    #[test]
    fn literal_addresses_are_judged_however_they_are_written() {
        for url in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://017700000001/",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://[64:ff9b::a9fe:a9fe]/",
            "https://169.254.169.254/latest",
        ] {
            let url = Url::parse(url).unwrap();
            assert!(reach(&[]).check(&url).is_err(), "{url}");
            assert!(Reach::anywhere().check(&url).is_ok(), "{url}");
        }
        assert!(reach(&[]).check(&Url::parse("https://1.1.1.1/").unwrap()).is_ok());
    }

    #[test]
    fn named_hosts_and_networks_are_allowed() {
        let inner: IpAddr = "10.1.2.3".parse().unwrap();
        for (allowed, name, ok) in [
            ("packs.internal", "packs.internal", true),
            ("packs.internal", "PACKS.internal.", true),
            ("packs.internal", "other.internal", false),
            ("10.1.0.0/16", "other.internal", true),
            ("10.2.0.0/16", "other.internal", false),
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.4", "10.1.2.3", false),
        ] {
            assert_eq!(reach(&[allowed]).check_address(name, inner).is_ok(), ok, "{allowed} for {name}");
        }
        assert!("a b".parse::<AllowedHost>().is_err());
        assert_eq!("[fd00::1]".parse::<AllowedHost>().unwrap().to_string(), "[fd00::1]");
    }

    #[test]
    fn a_refusal_names_the_host_and_what_it_is() {
        let refused = reach(&[]).check(&Url::parse("http://169.254.169.254/").unwrap()).unwrap_err();
        assert_eq!(refused.to_string(), "169.254.169.254 is a link-local address");
    }
}
