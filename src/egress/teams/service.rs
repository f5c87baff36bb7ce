//! Where the connector is.

use std::net::{IpAddr, Ipv6Addr};

use url::{Host, Url};

use crate::id::clip;

/// The hosts of the connector. Not `*.trafficmanager.net`, below which anybody can have a name.
const PUBLIC: &[&str] = &["smba.trafficmanager.net", "smba.infra.gcc.teams.microsoft.com", "*.botframework.com"];
const US_GOV: &[&str] =
    &["smba.infra.gov.teams.microsoft.us", "smba.infra.dod.teams.microsoft.us", "*.botframework.azure.us"];

/// The hosts that a bot's token may go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceHosts(Vec<Allowed>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Allowed {
    /// A host, and only it.
    Host(Host, Option<u16>),
    /// The hosts below a domain.
    Below(String),
    /// This machine.
    Loopback,
}

impl ServiceHosts {
    /// Those of the public cloud.
    pub fn public() -> Self {
        Self::known(PUBLIC)
    }

    /// Those of the clouds for the US Government.
    pub fn us_gov() -> Self {
        Self::known(US_GOV)
    }

    /// This machine, at any port.
    pub fn loopback() -> Self {
        Self(vec![Allowed::Loopback])
    }

    /// Reads `smba.trafficmanager.net`, `*.botframework.com`, `127.0.0.1:3978`.
    ///
    /// # Errors
    ///
    /// The first text that is none of these.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let read = |text: &str| allowed(text).ok_or_else(|| text.to_owned());
        texts.into_iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// A service URL without a slash at its end, if a token may go there: by HTTPS, or to this machine if that is named.
    pub(super) fn base(&self, service_url: &str) -> Result<String, String> {
        if service_url.is_empty() {
            return Err("the activity that is replied to named no serviceUrl".into());
        }
        let shown = || clip(service_url).escape_debug().to_string();
        let url = Url::parse(service_url).map_err(|_| format!("the serviceUrl {} is no URL", shown()))?;
        let is_bare = url.username().is_empty() && url.password().is_none();
        if !is_bare || url.query().is_some() || url.fragment().is_some() {
            return Err(format!("the serviceUrl {} holds more than a host and a path", shown()));
        }
        let is_allowed = url.host().is_some_and(|host| self.0.iter().any(|allowed| allowed.is(&host.to_owned(), &url)));
        match is_allowed {
            true => Ok(url.as_str().trim_end_matches('/').to_owned()),
            false => Err(format!("the app's token may not go to the serviceUrl {}: see service_hosts", shown())),
        }
    }

    fn known(texts: &[&str]) -> Self {
        Self(texts.iter().filter_map(|text| allowed(text)).collect())
    }
}

impl Allowed {
    fn is(&self, host: &Host, url: &Url) -> bool {
        let is_secure = url.scheme() == "https";
        match (self, host) {
            (Self::Loopback, host) => is_loopback(host) && matches!(url.scheme(), "https" | "http"),
            (Self::Below(domain), Host::Domain(name)) => {
                let below = name.strip_suffix(domain.as_str()).and_then(|name| name.strip_suffix('.'));
                is_secure && below.is_some_and(|name| !name.is_empty()) && url.port().is_none()
            }
            (Self::Below(_), _) => false,
            (Self::Host(named, port), host) => {
                let is_scheme = is_secure || (is_loopback(host) && url.scheme() == "http");
                // Whoever names a host means what is there by default.
                let is_port = port.map_or(url.port().is_none(), |port| url.port_or_known_default() == Some(port));
                named == host && is_scheme && is_port
            }
        }
    }
}

fn allowed(text: &str) -> Option<Allowed> {
    if text.get(1..).is_some_and(|rest| rest.contains('*')) {
        return None;
    }
    if let Some(domain) = text.strip_prefix("*.") {
        return match Host::parse(domain) {
            Ok(Host::Domain(domain)) if domain.contains('.') => Some(Allowed::Below(domain)),
            _ => None,
        };
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port.parse().ok()?)),
        _ => (text, None),
    };
    // A bare address of version 6 is one without brackets.
    let host = host.parse::<Ipv6Addr>().map_or_else(|_| Host::parse(host).ok(), |address| Some(Host::Ipv6(address)));
    host.map(|host| Allowed::Host(host, port))
}

fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => IpAddr::V6(*address).to_canonical().is_loopback(),
        Host::Domain(name) => name == "localhost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_to_the_connector_only() {
        let public = ServiceHosts::public();
        for (url, base) in [
            ("https://smba.trafficmanager.net/emea/1234/", "https://smba.trafficmanager.net/emea/1234"),
            ("https://SMBA.trafficmanager.net:443/teams", "https://smba.trafficmanager.net/teams"),
            ("https://smba.infra.gcc.teams.microsoft.com/gcc", "https://smba.infra.gcc.teams.microsoft.com/gcc"),
            ("https://webchat.botframework.com/", "https://webchat.botframework.com"),
        ] {
            assert_eq!(public.base(url).as_deref(), Ok(base), "{url}");
        }
        for url in [
            "",
            "smba.trafficmanager.net",
            "http://smba.trafficmanager.net/emea/",
            "https://evil.trafficmanager.net/",
            "https://smba.trafficmanager.net.evil.example/",
            "https://smba.trafficmanager.net@evil.example/",
            "https://x:y@smba.trafficmanager.net/",
            "https://smba.trafficmanager.net/?x=1",
            "https://smba.trafficmanager.net/#x",
            "https://smba.trafficmanager.net:8443/",
            "https://botframework.com/",
            "https://evilbotframework.com/",
            "https://127.0.0.1/",
            "http://localhost:3978/",
            "https://smba.infra.gov.teams.microsoft.us/",
            "ftp://smba.trafficmanager.net/",
        ] {
            assert!(public.base(url).is_err(), "{url}");
        }
        assert!(ServiceHosts::us_gov().base("https://smba.infra.gov.teams.microsoft.us/gcch/").is_ok());
        assert!(ServiceHosts::us_gov().base("https://smba.trafficmanager.net/").is_err());
    }

    #[test]
    fn this_machine_is_reached_if_it_is_named() {
        let hosts = ServiceHosts::parse(["127.0.0.1:3978", "[::1]:80", "connector.example", "*.bots.example"]).unwrap();
        for url in [
            "http://127.0.0.1:3978/x/",
            "https://127.0.0.1:3978",
            "http://[::1]/",
            "https://connector.example/",
            "https://a.b.bots.example",
        ] {
            assert!(hosts.base(url).is_ok(), "{url}");
        }
        for url in
            ["http://127.0.0.1/", "http://127.0.0.1:3979/", "http://connector.example/", "https://connector.example:1/"]
        {
            assert!(hosts.base(url).is_err(), "{url}");
        }
        for url in ["http://localhost:50000/x", "http://127.1.2.3:1", "http://[::1]:9"] {
            assert!(ServiceHosts::loopback().base(url).is_ok(), "{url}");
        }
        assert!(ServiceHosts::loopback().base("http://10.0.0.1/").is_err());
        for bad in ["", "*.", "*.com", "https://a.example", "a b", "a.example:x", "*.*.example"] {
            assert_eq!(ServiceHosts::parse([bad]), Err(bad.to_owned()), "{bad}");
        }
    }
}
