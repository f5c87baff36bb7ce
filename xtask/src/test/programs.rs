//! Programs that tests run and no Rust toolchain brings along: compilers of component templates, checkers of formats.
//!
//! A test that needs one has the program's marker in its name. Where it is not installed, those tests are counted and
//! left out.

use std::env;
use std::path::{Path, PathBuf};

use super::Missing;
use super::servers::is_in;

struct Program {
    program: &'static str,
    /// What the names of the tests contain that need it.
    marker: &'static str,
    install: &'static str,
}

const PROGRAMS: [Program; 5] = [
    Program {
        program: "clang-19",
        marker: "needs_clang",
        install: "apt-get install --no-install-recommends clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32",
    },
    Program { program: "componentize-qjs", marker: "needs_componentize_qjs", install: "cargo xtask tools, with npm" },
    Program { program: "componentize-py", marker: "needs_componentize_py", install: "cargo xtask tools, with python3" },
    Program { program: "schemathesis", marker: "needs_schemathesis", install: "cargo xtask tools, with python3" },
    Program {
        program: "xmllint",
        marker: "needs_xmllint",
        install: "apt-get install --no-install-recommends libxml2-utils",
    },
];

/// What is neither in `PATH` nor installed by `cargo xtask tools`.
pub(crate) fn missing() -> impl Iterator<Item = Missing> {
    let programs = PROGRAMS.iter().filter(|wanted| !is_here(wanted.program)).map(|wanted| Missing {
        marker: wanted.marker,
        what: format!("{}, which is not installed: {}", wanted.program, wanted.install),
    });
    programs.chain(LIBRARIES.iter().filter_map(Library::missing))
}

/// What is no program: a test runs it with Node.
struct Library {
    name: &'static str,
    marker: &'static str,
    /// Where it is, below the directory of the tools.
    directory: &'static str,
    /// A file of it.
    file: &'static str,
}

const LIBRARIES: [Library; 2] = [
    Library { name: "botframework-directlinejs", marker: "needs_directlinejs", directory: WEBCHAT, file: CLIENT },
    Library { name: "oidc-provider", marker: "needs_oidc_provider", directory: OAUTH, file: PROVIDER },
];

impl Library {
    fn missing(&self) -> Option<Missing> {
        let is_here = tools_dir().join(self.directory).join(self.file).is_file();
        (!is_here || !is_in("node", env::var_os("PATH").as_deref())).then(|| Missing {
            marker: self.marker,
            what: format!("{}, which is not installed: cargo xtask tools, with npm", self.name),
        })
    }
}

/// Whether `program` is in `PATH` or installed by `cargo xtask tools`.
pub(super) fn is_here(program: &str) -> bool {
    let dirs = [tools_dir(), tools_dir().join(SERVERS), tools_dir().join(MCP)];
    let mut own = dirs.into_iter().flat_map(|dir| [dir.join(NODE), dir.join(PYTHON)]);
    own.any(|dir| dir.join(program).is_file()) || is_in(program, env::var_os("PATH").as_deref())
}

/// Where the servers that tests start are, below the directory of the tools: what they depend on is theirs alone.
pub(crate) const SERVERS: &str = "servers";

/// Where the MCP server that tests start is, below the directory of the tools.
pub(crate) const MCP: &str = "mcp";

/// Where the published client of the web chat is, below the directory of the tools.
pub(crate) const WEBCHAT: &str = "webchat";

/// A file of the client.
pub(crate) const CLIENT: &str = "node_modules/botframework-directlinejs/package.json";

/// Where the provider of OpenID is, below the directory of the tools.
pub(crate) const OAUTH: &str = "oauth";

/// A file of the provider.
pub(crate) const PROVIDER: &str = "node_modules/oidc-provider/package.json";

/// Where `npm` puts programs, below the directory that it installs to.
pub(crate) const NODE: &str = "node_modules/.bin";

/// Where `pip` puts them.
pub(crate) const PYTHON: &str = "venv/bin";

/// Where `cargo xtask tools` installs to.
pub(crate) fn tools_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools")
}
