//! Tools: what the section `mcp` means.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

use super::bindings::{Bindings, Retry as WrittenRetry};
use super::policy::RetryPolicy;
use super::units::{Count, Name, Span, Text};
use super::yaml::{Cursor, Finding};
use crate::id::clip;
use crate::mcp::settings::{Given, Retry, Security, ServerSettings, Settings, Store, Way};
use crate::trust::PublicKey;

/// The time of an attempt, unless it is stated.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The longest time that an attempt may be given, in milliseconds.
const MAX_TIMEOUT_MS: u32 = 3_600_000;

/// The most memory that a tool may be given, in MiB.
const MAX_MEMORY_MB: u32 = 4_096;

/// Headers that belong to the protocol.
const RESERVED: &[&str] =
    &["accept", "content-length", "content-type", "host", "last-event-id", "mcp-protocol-version", "mcp-session-id"];

/// Tools over the Model Context Protocol.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Mcp {
    /// Where tools in WebAssembly lie.
    store: Option<WrittenStore>,
    /// Which tools in WebAssembly may be run.
    security: WrittenSecurity,
    /// What a call may use.
    runtime: Runtime,
    /// Whether requests over HTTP by tools in WebAssembly are made at all; unless stated, if those of components are.
    http_enabled: Option<bool>,
    /// How often a call is tried that no tool took.
    retry: WrittenRetry,
    /// MCP servers by name.
    servers: IndexMap<Name, Server>,
}

/// Where tools in WebAssembly lie.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WrittenStore {
    kind: StoreKind,
    /// For `local-dir`: the directory, with `NAME.wasm` for each tool.
    path: Option<Text>,
    /// For `http-single`: the tool's name.
    name: Option<Name>,
    /// For `http-single`: its address.
    url: Option<Text>,
    /// For `http-single`: where it is kept, the cache of packs unless stated.
    cache_dir: Option<Text>,
}

/// A kind of place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum StoreKind {
    /// A directory.
    LocalDir,
    /// One tool at an address.
    HttpSingle,
}

/// Which tools in WebAssembly may be run.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct WrittenSecurity {
    /// Whether only those that a trusted signer signed.
    require_signature: bool,
    /// The SHA-256 that tools must have, in hex, by their names.
    required_digests: BTreeMap<String, Text>,
    /// Public keys: `[ID=][ed25519:]BASE64`.
    trusted_signers: Vec<Text>,
}

/// What a call may use.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Runtime {
    /// Linear memory of a tool in WebAssembly in MiB, `limits.memory` unless stated.
    max_memory_mb: Option<Count>,
    /// The time of one attempt in milliseconds, 30000 unless stated.
    timeout_ms: Option<Count>,
    /// Without effect: tools are bounded by time.
    fuel: Option<u64>,
}

/// An MCP server: at an address, or a program that is started.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Server {
    /// Its address, for a server over streamable HTTP.
    url: Option<Text>,
    /// Headers of every request to it.
    headers: IndexMap<String, Value>,
    /// The program, for a server over its standard streams.
    command: Option<Text>,
    /// The program's arguments.
    args: Vec<String>,
    /// All of the program's environment.
    env: IndexMap<String, Value>,
    /// Tools that may be called again where nobody knows whether they took the call; `*` is all of them.
    repeatable: Vec<Text>,
    /// The time of one attempt, `mcp.runtime.timeout_ms` unless stated.
    timeout: Option<Span>,
}

/// A text, or the name of the tenant's secret.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a text, or `{secret: NAME}`")]
enum Value {
    Text(String),
    Secret(SecretName),
}

/// The name of a secret.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SecretName {
    secret: Text,
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }
}

impl Mcp {
    /// Whether the section states `fuel`.
    pub(super) fn states_fuel(&self) -> bool {
        self.runtime.fuel.is_some()
    }
}

/// Reads the section. What is wrong with it is a finding at the key that is.
pub(super) fn read(bindings: &Bindings, root: Cursor<'_>) -> Option<Settings> {
    let (mcp, at) = (bindings.mcp.as_ref()?, root.get("mcp")?);
    let retry = RetryPolicy::of(&mcp.retry);
    let runtime = at.get("runtime").unwrap_or(at);
    let bounded = |key, count: Option<Count>, most: u32| {
        if let Some(Count(n)) = count.filter(|Count(n)| *n > most) {
            report(runtime, key, &format!("`{key}` is {n}"), &format!("give at most {most}"));
        }
        count.map(|Count(n)| n.min(most))
    };
    let timeout = bounded("timeout_ms", mcp.runtime.timeout_ms, MAX_TIMEOUT_MS);
    let memory = bounded("max_memory_mb", mcp.runtime.max_memory_mb, MAX_MEMORY_MB);
    Some(Settings {
        store: mcp.store.as_ref().and_then(|store| read_store(store, at.get("store").unwrap_or(at))),
        security: security(&mcp.security, at.get("security").unwrap_or(at)),
        timeout: timeout.map_or(TIMEOUT, |ms| Duration::from_millis(ms.into())),
        memory_bytes: memory.and_then(|mb| usize::try_from(u64::from(mb) << 20).ok()),
        http_enabled: mcp.http_enabled,
        retry: Retry { max_attempts: retry.max_attempts, base_delay: retry.base_delay },
        servers: servers(mcp, at),
    })
}

fn report(at: Cursor<'_>, key: &str, message: &str, hint: &str) {
    let place = at.get(key).map_or(at.place(), |at| at.place());
    at.report(Finding::at(place, message).hint(hint));
}

fn read_store(store: &WrittenStore, at: Cursor<'_>) -> Option<Store> {
    let path = |text: &Text| PathBuf::from(&text.0);
    match (store.kind, &store.path, &store.name, &store.url) {
        (StoreKind::LocalDir, Some(dir), None, None) => Some(Store::Dir(path(dir))),
        (StoreKind::HttpSingle, None, Some(Name(name)), Some(Text(url))) => {
            if !is_http(url) {
                report(
                    at,
                    "url",
                    "`url` is no address over HTTP",
                    "write https://HOST/PATH, without user and password",
                );
            }
            let cache_dir = store.cache_dir.as_ref().map(path);
            Some(Store::Single { name: name.to_string(), url: url.clone(), cache_dir })
        }
        (StoreKind::LocalDir, ..) => {
            report(
                at,
                "kind",
                "a store of the kind `local-dir` has a `path`, and no `name` or `url`",
                "write { kind: local-dir, path: DIR }",
            );
            None
        }
        (StoreKind::HttpSingle, ..) => {
            let hint = "write { kind: http-single, name: TOOL, url: https://… }";
            report(at, "kind", "a store of the kind `http-single` has `name` and `url`, and no `path`", hint);
            None
        }
    }
}

fn security(written: &WrittenSecurity, at: Cursor<'_>) -> Security {
    let mut security = Security { require_signature: written.require_signature, ..Security::default() };
    for (name, Text(digest)) in &written.required_digests {
        let mut bytes = [0; 32];
        let hex = digest.strip_prefix("sha256:").unwrap_or(digest);
        match hex::decode_to_slice(hex, &mut bytes) {
            Ok(()) => drop(security.digests.insert(name.clone(), bytes)),
            Err(_) => {
                let digests = at.get("required_digests").unwrap_or(at);
                let message = format!("the digest of {:?} is no SHA-256 in hex", clip(name));
                report(digests, name, &message, "write the 64 digits that `sha256sum` prints");
            }
        }
    }
    let items: Vec<_> =
        at.get("trusted_signers").into_iter().flat_map(|signers| signers.items().collect::<Vec<_>>()).collect();
    for (number, Text(key)) in written.trusted_signers.iter().enumerate() {
        match PublicKey::parse(key) {
            Ok(key) => security.signers.push(key),
            Err(error) => {
                let place = items.get(number).map_or(at.place(), Cursor::place);
                let finding = Finding::at(place, format!("key {} cannot be used: {}", number + 1, error.message()));
                at.report(finding.hint("write [ID=][ed25519:]BASE64, as `pack keygen` prints public keys"));
            }
        }
    }
    if written.require_signature && written.trusted_signers.is_empty() {
        let hint = "name the keys in `trusted_signers`";
        report(at, "require_signature", "signatures are required, and no signer is trusted", hint);
    }
    security
}

fn servers(mcp: &Mcp, at: Cursor<'_>) -> IndexMap<String, ServerSettings> {
    let section = at.get("servers").unwrap_or(at);
    let read = |(Name(name), server): (&Name, &Server)| {
        let at = section.get(name).unwrap_or(section);
        let repeatable = server.repeatable.iter().map(|Text(tool)| tool.clone()).collect();
        let settings =
            ServerSettings { way: way(server, at)?, repeatable, timeout: server.timeout.map(|Span(time)| time) };
        Some((name.to_string(), settings))
    };
    mcp.servers.iter().filter_map(read).collect()
}

fn way(server: &Server, at: Cursor<'_>) -> Option<Way> {
    match (&server.url, &server.command) {
        (Some(Text(url)), None) => {
            if !is_http(url) {
                report(
                    at,
                    "url",
                    "`url` is no address over HTTP",
                    "write https://HOST/PATH, without user and password",
                );
            }
            if !server.args.is_empty() || !server.env.is_empty() {
                report(at, "url", "`args` and `env` are for programs", "give a server at an address `headers`");
            }
            let headers = at.get("headers").unwrap_or(at);
            for name in server.headers.keys().filter(|name| !is_own_header(name)) {
                let message = format!("`{}` is no header that may be set", clip(name));
                report(headers, name, &message, "those of the protocol itself are set by the host");
            }
            Some(Way::Http { url: url.clone(), headers: given(&server.headers) })
        }
        (None, Some(Text(command))) => {
            if !server.headers.is_empty() {
                report(at, "headers", "`headers` are for servers at an address", "give a program `env`");
            }
            let odd = |name: &&String| name.is_empty() || name.contains(['=', '\0']);
            if let Some(name) = server.env.keys().find(odd) {
                report(at, "env", &format!("`{}` is no name of a variable", clip(name)), "write NAME: value");
            }
            Some(Way::Program { command: command.clone(), args: server.args.clone(), env: given(&server.env) })
        }
        (Some(_), Some(_)) => {
            report(at, "command", "a server has a `url` or a `command`, not both", "make two servers of them");
            None
        }
        (None, None) => {
            at.report(
                Finding::at(at.place(), "the server has neither `url` nor `command`").hint(
                    "write { url: https://… } for one over HTTP, { command: /usr/bin/…, args: […] } for a program",
                ),
            );
            None
        }
    }
}

fn given(values: &IndexMap<String, Value>) -> Vec<(String, Given)> {
    let value = |value: &Value| match value {
        Value::Text(text) => Given::Text(text.clone()),
        Value::Secret(SecretName { secret: Text(name) }) => Given::Secret(name.clone()),
    };
    values.iter().map(|(name, written)| (name.clone(), value(written))).collect()
}

fn is_own_header(name: &str) -> bool {
    http::HeaderName::try_from(name).is_ok_and(|name| !RESERVED.contains(&name.as_str()))
}

/// Whether a text is an address over HTTP that names nobody.
fn is_http(text: &str) -> bool {
    let Ok(url) = url::Url::parse(text) else { return false };
    matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none()
}

#[cfg(test)]
mod tests {
    use super::super::HostConfig;
    use super::*;

    fn read(mcp: &str) -> Result<Settings, Vec<String>> {
        let text = format!("tenant: t\nmcp:\n{mcp}");
        let config = HostConfig::from_yaml(&text, "b.yaml").map_err(|error| {
            let all = if error.details().is_empty() { std::slice::from_ref(&error) } else { error.details() };
            all.iter().map(|e| format!("{}: {}", e.location().unwrap(), e.message())).collect::<Vec<_>>()
        })?;
        Ok(config.mcp().unwrap().clone())
    }

    #[test]
    fn the_published_block_is_read() {
        let settings = read(
            "  store: { kind: local-dir, path: tools }\n  security: { require_signature: false, required_digests: { sum: \
             sha256:0707070707070707070707070707070707070707070707070707070707070707 }, trusted_signers: [] }\n  runtime: { \
             max_memory_mb: 16, timeout_ms: 5000, fuel: 7 }\n  http_enabled: true\n  retry: { max_attempts: 4, \
             base_delay_ms: 100 }\n",
        )
        .unwrap();
        assert_eq!(settings.store, Some(Store::Dir("tools".into())));
        assert_eq!(settings.security.digests["sum"], [7; 32]);
        assert_eq!((settings.timeout, settings.memory_bytes), (Duration::from_secs(5), Some(16 << 20)));
        assert_eq!(settings.http_enabled, Some(true));
        assert_eq!(settings.retry, Retry { max_attempts: 4, base_delay: Duration::from_millis(100) });
        let single = read("  store: { kind: http-single, name: sum, url: https://a.example/sum.wasm, cache_dir: c }\n");
        let url = "https://a.example/sum.wasm".to_owned();
        let store = Store::Single { name: "sum".to_owned(), url, cache_dir: Some("c".into()) };
        assert_eq!(single.unwrap().store, Some(store));
        let bare = read("  {}\n").unwrap();
        assert_eq!((bare.timeout, bare.retry.max_attempts, bare.store), (TIMEOUT, 3, None));
    }

    #[test]
    fn servers_are_addresses_or_programs() {
        let settings = read(
            "  servers:\n    far: { url: https://mcp.example/mcp, headers: { Authorization: { secret: TOKEN }, x-a: b } }\n    \
             near: { command: /usr/bin/node, args: [server.js, stdio], env: { PATH: /usr/bin }, repeatable: [echo], \
             timeout: 5s }\n",
        )
        .unwrap();
        let Way::Http { headers, .. } = &settings.servers["far"].way else { panic!("{settings:?}") };
        let expected = [
            ("Authorization".to_owned(), Given::Secret("TOKEN".to_owned())),
            ("x-a".to_owned(), Given::Text("b".to_owned())),
        ];
        assert_eq!(headers[..], expected);
        let near = &settings.servers["near"];
        assert!(
            matches!(&near.way, Way::Program { command, args, .. } if command == "/usr/bin/node" && args.len() == 2)
        );
        assert!(near.may_repeat("echo") && near.timeout == Some(Duration::from_secs(5)));
        assert!(!format!("{settings:?}").contains("/usr/bin\")"), "what a server is given is not shown");
    }

    #[test]
    fn what_is_wrong_is_said_where_it_stands() {
        for (written, expected) in [
            ("  store: { kind: local-dir }\n", "has a `path`"),
            ("  store: { kind: http-single, name: a }\n", "has `name` and `url`"),
            ("  store: { kind: http-single, name: a, url: 'file:///a' }\n", "no address over HTTP"),
            ("  store: { kind: s3, path: a }\n", "is none of local-dir, http-single"),
            ("  security: { require_signature: true }\n", "no signer is trusted"),
            ("  security: { required_digests: { a: xyz } }\n", "no SHA-256"),
            ("  security: { trusted_signers: [nonsense] }\n", "key 1 cannot be used"),
            ("  runtime: { timeout_ms: 99999999 }\n", "`timeout_ms` is 99999999"),
            ("  runtime: { max_memory_mb: 99999 }\n", "`max_memory_mb` is 99999"),
            ("  servers: { a: {} }\n", "neither `url` nor `command`"),
            ("  servers: { a: { url: 'https://x', command: z } }\n", "not both"),
            ("  servers: { a: { url: 'https://me:pw@x' } }\n", "no address over HTTP"),
            ("  servers: { a: { url: 'https://x', args: [b] } }\n", "are for programs"),
            ("  servers: { a: { url: 'https://x', headers: { Mcp-Session-Id: b } } }\n", "no header that may be set"),
            ("  servers: { a: { url: 'https://x', headers: { b: { scret: c } } } }\n", "expected a text"),
            ("  servers: { a: { command: z, headers: { b: c } } }\n", "are for servers at an address"),
            ("  servers: { a: { command: z, env: { 'b=c': d } } }\n", "no name of a variable"),
            ("  servers: { 'a b': { command: z } }\n", "not an identifier"),
            ("  server: {}\n", "unknown"),
        ] {
            let findings = read(written).unwrap_err();
            assert!(findings.iter().any(|found| found.contains(expected)), "{written}: {findings:?}");
            assert!(findings.iter().all(|found| found.starts_with("b.yaml:3:")), "{findings:?}");
        }
    }
}
