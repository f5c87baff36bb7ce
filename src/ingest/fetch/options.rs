//! What can be chosen about fetching.

use std::path::PathBuf;
use std::time::Duration;

use crate::environment::Environment;
use crate::net::AllowedHost;

/// Options of a [`super::Fetcher`].
#[derive(Clone, Debug)]
pub struct FetchOptions {
    /// Whether `http` may be used with other hosts than this machine.
    pub allow_http: bool,
    /// Whether a remote index, or a redirect of a public server, may name any host that is not public.
    pub allow_private: bool,
    /// The hosts and networks that they may name although they are not public.
    pub allowed_hosts: Vec<AllowedHost>,
    /// The largest thing that is fetched, in bytes; 256 MiB, which is what a pack may have.
    pub max_bytes: u64,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// How often a source is asked, if what goes wrong may pass; 5 times.
    pub attempts: usize,
    /// How long the first pause between attempts is; each is twice as long as the one before, and somewhat longer by
    /// chance; 200 ms.
    pub pause: Duration,
    /// The longest pause; who asks to be left alone for longer has failed. 30 s.
    pub longest_pause: Duration,
    /// How many downloads run at the same time; 32.
    pub parallel: usize,
    /// Ask no source but this machine's files.
    pub offline: bool,
    /// A netrc file with names and passwords for HTTP servers.
    pub netrc: Option<PathBuf>,
    /// Credentials and endpoints for registries and object stores: those of the process's environment.
    pub environment: Environment,
}

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// A connection, TLS included; 10 s.
    pub connect: Duration,
    /// An answer's beginning, redirects included; 30 s.
    pub answer: Duration,
    /// The time between two pieces of a body; 30 s.
    pub idle: Duration,
    /// Everything until the bytes are in the cache, pauses and waiting for others included; 15 min.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(30),
            idle: Duration::from_secs(30),
            total: Duration::from_secs(900),
        }
    }
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self {
            allow_http: false,
            allow_private: false,
            allowed_hosts: Vec::new(),
            max_bytes: 256 << 20,
            timeouts: Timeouts::default(),
            attempts: 5,
            pause: Duration::from_millis(200),
            longest_pause: Duration::from_secs(30),
            parallel: 32,
            offline: false,
            netrc: None,
            environment: Environment::of_process(),
        }
    }
}

impl FetchOptions {
    /// The netrc file of this user: the one that `NETRC` names, else `~/.netrc` if it is there.
    pub fn user_netrc() -> Option<PathBuf> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        set("NETRC").or_else(|| set("HOME").map(|home| home.join(".netrc")).filter(|file| file.is_file()))
    }
}
