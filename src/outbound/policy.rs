//! What one tenant's guests may ask, and how much of it.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use url::Host;

use super::allow::{self, Allowed};
use super::reason::{Failure, Reason};
use super::target::Target;
use crate::net::{AllowedHost, Reach};

/// What may be asked, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether requests are made at all.
    pub enabled: bool,
    /// What may be asked.
    pub allow: Vec<Allowed>,
    /// Hosts and networks that may be connected to although they are not public.
    pub allow_private: Vec<AllowedHost>,
    /// Whose certificates need not be verified if the guest says so.
    pub insecure: Vec<Allowed>,
    /// The time of a request, redirects and body included.
    pub timeout: Duration,
    /// Bytes of a request's body.
    pub max_request: usize,
    /// Bytes of an answer's body.
    pub max_response: usize,
    /// Redirects that are followed.
    pub max_redirects: u32,
    /// Requests at once.
    pub concurrency: usize,
}

impl Default for Policy {
    /// Nothing may be asked.
    fn default() -> Self {
        Self {
            enabled: false,
            allow: Vec::new(),
            allow_private: Vec::new(),
            insecure: Vec::new(),
            timeout: Duration::from_secs(10),
            max_request: 1 << 20,
            max_response: 1 << 20,
            max_redirects: 5,
            concurrency: 16,
        }
    }
}

impl Policy {
    /// Refuses if nothing may be asked at all.
    pub(super) fn check_enabled(&self) -> Result<(), Failure> {
        match self.enabled {
            true => Ok(()),
            false => Err(Failure::new(
                Reason::Disabled,
                "no requests are made here: the bindings have neither `http` nor a messaging binding, or `http_enabled` \
                 is false, or `http` is not among `grants`",
            )),
        }
    }

    /// The places of the entries of the allow-list that allow `target`.
    pub(super) fn entries(&self, target: &Target) -> impl Iterator<Item = usize> {
        self.allow.iter().enumerate().filter(|(_, entry)| entry.matches(target)).map(|(at, _)| at)
    }

    /// Judges a target as far as that is possible before its name is resolved.
    pub(super) fn judge(&self, target: &Target) -> Result<(), Failure> {
        let mut matching = self.allow.iter().filter(|entry| entry.matches(target)).peekable();
        if matching.peek().is_none() {
            let message = format!("{target} is in no entry of `http.allow`");
            return Err(Failure::new(Reason::HostNotAllowed, message));
        }
        if matching.any(Allowed::names_an_address) {
            return Ok(());
        }
        let private = Reach::public(&self.allow_private);
        let Some(host) = target.host() else { return Ok(()) };
        let unreachable = match (allow::address(&host), host) {
            (Some(address), _) => private.check_address(target.url().host_str().unwrap_or_default(), address).err(),
            // Known before it is resolved: an entry that names another port of it does not count for this one.
            (None, Host::Domain(name)) if allow::is_this_machine(name) => {
                let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
                let refused = loopback.map(|address| private.check_address(name, address).err());
                refused.into_iter().collect::<Option<Vec<_>>>().and_then(|refused| refused.into_iter().next())
            }
            _ => None,
        };
        unreachable.map_or(Ok(()), |unreachable| Err(not_public(&unreachable.to_string())))
    }

    /// Which addresses names may be resolved to.
    pub(super) fn reach(&self) -> Reach {
        let named = self.allow.iter().filter_map(Allowed::this_machine);
        let named = named.map(|name| AllowedHost::Host(Host::Domain(name.to_owned())));
        Reach::public(&self.allow_private.iter().cloned().chain(named).collect::<Vec<_>>())
    }

    /// Whether the certificate of `target` is verified, where the guest may ask that it is not.
    pub(super) fn verifies(&self, target: &Target, allow_insecure: bool) -> Result<bool, Failure> {
        if !allow_insecure || !target.is_https() {
            return Ok(true);
        }
        if self.insecure.iter().any(|entry| entry.matches(target)) {
            return Ok(false);
        }
        let message = format!("the certificate of {target} is verified: it is in no entry of `http.insecure`");
        Err(Failure::new(Reason::InsecureNotAllowed, message))
    }
}

/// The failure for a host that is not public; `what` says which and why.
pub(super) fn not_public(what: &str) -> Failure {
    let message = format!("{what}, and is in no entry of `http.allow_private`");
    Failure::new(Reason::AddressNotPublic, message)
}
