//! Resolving names to the addresses that may be connected to.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::reach::Reach;

/// How many addresses of a name are tried.
const ADDRESSES: usize = 16;

/// A host may not be connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreachable {
    host: String,
    what: &'static str,
}

impl Unreachable {
    pub(super) fn new(host: &str, what: &'static str) -> Self {
        Self { host: host.to_owned(), what }
    }

    /// The refusal among the causes of `error`, if it is there.
    pub fn behind<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e Self> {
        std::iter::successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref())
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}", self.host, self.what)
    }
}

impl std::error::Error for Unreachable {}

/// Knows the addresses of names.
#[async_trait]
pub trait Lookup: fmt::Debug + Send + Sync + 'static {
    /// The addresses of a name.
    async fn lookup(&self, name: &str) -> io::Result<Vec<SocketAddr>>;
}

/// Looks names up as the system does.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn lookup(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.collect())
    }
}

/// Resolves names, and gives only the addresses that may be connected to: what it gives is what is connected to, so a
/// name that changes its address meanwhile leads nowhere else.
#[derive(Debug)]
pub struct Resolver {
    reach: Reach,
    lookup: Arc<dyn Lookup>,
}

impl Resolver {
    pub(super) fn new(reach: Reach, lookup: Arc<dyn Lookup>) -> Self {
        Self { reach, lookup }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (reach, lookup) = (self.reach.clone(), Arc::clone(&self.lookup));
        Box::pin(async move {
            let found = lookup.lookup(name.as_str()).await?;
            let addresses = allowed(&reach, name.as_str(), found.into_iter())?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// The addresses that may be connected to; a refusal if there are others only.
fn allowed(reach: &Reach, name: &str, found: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, Unreachable> {
    let mut refusal = None;
    let mut addresses = Vec::new();
    for address in found {
        match reach.check_address(name, address.ip()) {
            Ok(()) => addresses.push(address),
            Err(refused) => refusal = Some(refused),
        }
    }
    addresses.truncate(ADDRESSES);
    match refusal {
        Some(refused) if addresses.is_empty() => Err(refused),
        _ => Ok(addresses),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 0)).collect()
    }

    #[test]
    fn addresses_that_are_not_public_are_left_out() {
        let reach = Reach::public(&[]);
        let kept = |texts| allowed(&reach, "a.example", addresses(texts).into_iter());
        assert_eq!(kept(&["10.0.0.1", "8.8.8.8", "::1"]).unwrap(), addresses(&["8.8.8.8"]));
        assert_eq!(kept(&["10.0.0.1"]).unwrap_err().to_string(), "a.example is a private address");
        assert!(kept(&[]).unwrap().is_empty());
    }

    #[tokio::test]
    async fn the_name_of_this_machine_is_refused() {
        let resolver = Reach::public(&[]).resolver();
        let Err(error) = resolver.resolve("localhost".parse().unwrap()).await else { panic!("localhost is public") };
        assert!(Unreachable::behind(&*error).is_some(), "{error}");
        let resolver = Reach::anywhere().resolver();
        assert!(resolver.resolve("localhost".parse().unwrap()).await.is_ok());
    }
}
