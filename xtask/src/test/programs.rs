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
    let own = [tools_dir().join("node_modules/.bin"), tools_dir().join("venv/bin")];
    let is_here = move |program: &str| {
        own.iter().any(|dir| dir.join(program).is_file()) || is_in(program, env::var_os("PATH").as_deref())
    };
    PROGRAMS.iter().filter(move |wanted| !is_here(wanted.program)).map(|wanted| Missing {
        marker: wanted.marker,
        what: format!("{}, which is not installed: {}", wanted.program, wanted.install),
    })
}

/// Where `cargo xtask tools` installs to.
pub(crate) fn tools_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools")
}
