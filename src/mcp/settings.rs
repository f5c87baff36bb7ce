//! What bindings say of tools.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;

use crate::trust::PublicKey;

/// What bindings say of tools.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where tools in WebAssembly lie; none if there are none.
    pub store: Option<Store>,
    /// Which of them may be run.
    pub security: Security,
    /// The time of one attempt at a call.
    pub timeout: Duration,
    /// Linear memory of a tool in WebAssembly in bytes, where it is not the tenant's.
    pub memory_bytes: Option<usize>,
    /// Whether requests over HTTP by tools in WebAssembly are made at all, where it is not the tenant's word.
    pub http_enabled: Option<bool>,
    /// How often a call is tried.
    pub retry: Retry,
    /// The servers by name.
    pub servers: IndexMap<String, ServerSettings>,
}

/// Where tools in WebAssembly lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// In a directory: `NAME.wasm`.
    Dir(PathBuf),
    /// One tool at an address.
    Single {
        /// Its name.
        name: String,
        /// The address.
        url: String,
        /// Where it is kept; where packs are, unless stated.
        cache_dir: Option<PathBuf>,
    },
}

/// Which tools in WebAssembly may be run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Security {
    /// Whether only those that a key of `signers` signed.
    pub require_signature: bool,
    /// The SHA-256 that tools must have, by their names.
    pub digests: BTreeMap<String, [u8; 32]>,
    /// The keys whose signatures count.
    pub signers: Vec<PublicKey>,
}

/// How often a call is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Attempts, the first included; at least 1.
    pub max_attempts: u32,
    /// The pause before the second attempt.
    pub base_delay: Duration,
}

impl Retry {
    /// The longest pause.
    const LONGEST: Duration = Duration::from_secs(30);

    /// The pause after `attempt` attempts; none if there is to be no further one. It doubles with each.
    pub fn pause(self, attempt: u32) -> Option<Duration> {
        let doubled = self.base_delay.saturating_mul(1 << attempt.saturating_sub(1).min(10));
        (attempt < self.max_attempts).then(|| doubled.min(Self::LONGEST))
    }
}

/// A server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// How it is reached.
    pub way: Way,
    /// The tools that may be called again where nobody knows whether they took the call; `*` is all of them.
    pub repeatable: Vec<String>,
    /// The time of one attempt, where it is not that of all tools.
    pub timeout: Option<Duration>,
}

impl ServerSettings {
    /// Whether `tool` may be called again where nobody knows whether it took the call.
    pub fn may_repeat(&self, tool: &str) -> bool {
        self.repeatable.iter().any(|name| name == "*" || name == tool)
    }
}

/// How a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Over streamable HTTP.
    Http {
        /// The address.
        url: String,
        /// Headers of every request.
        headers: Vec<(String, Given)>,
    },
    /// Over the standard streams of a program that is started.
    Program {
        /// The program.
        command: String,
        /// Its arguments.
        args: Vec<String>,
        /// All of its environment.
        env: Vec<(String, Given)>,
    },
}

/// A text that a server is given.
#[derive(Clone, PartialEq, Eq)]
pub enum Given {
    /// As it stands in the bindings.
    Text(String),
    /// The tenant's secret of this name.
    Secret(String),
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(…)"),
            Self::Secret(name) => write!(f, "Secret({name})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_end_with_the_attempts() {
        let retry = Retry { max_attempts: 3, base_delay: Duration::from_millis(100) };
        let pauses: Vec<_> = (1..=4).map(|attempt| retry.pause(attempt).map(|pause| pause.as_millis())).collect();
        assert_eq!(pauses, [Some(100), Some(200), None, None]);
        let patient = Retry { max_attempts: u32::MAX, base_delay: Duration::from_secs(20) };
        assert_eq!(patient.pause(4_000_000), Some(Retry::LONGEST));
    }

    #[test]
    fn what_servers_are_given_is_not_shown() {
        let shown = format!("{:?}", (Given::Text("canary".into()), Given::Secret("NAME".into())));
        assert_eq!(shown, "(Text(…), Secret(NAME))");
    }

    #[test]
    fn only_named_tools_are_repeated() {
        let way = Way::Http { url: String::new(), headers: Vec::new() };
        let with = |names: &[&str]| ServerSettings {
            way: way.clone(),
            repeatable: names.iter().map(|name| (*name).to_owned()).collect(),
            timeout: None,
        };
        assert!(with(&["sum"]).may_repeat("sum") && with(&["*"]).may_repeat("any"));
        assert!(!with(&[]).may_repeat("sum") && !with(&["sum"]).may_repeat("add"));
    }
}
