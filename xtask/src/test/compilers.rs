//! The compilers of component templates that no Rust toolchain brings along.
//!
//! A test that needs one has the compiler's marker in its name. Where it is not installed, those tests are counted and
//! left out.

use std::env;
use std::path::{Path, PathBuf};

use super::Missing;
use super::servers::is_in;

struct Compiler {
    program: &'static str,
    /// What the names of the tests contain that need it.
    marker: &'static str,
    install: &'static str,
}

const COMPILERS: [Compiler; 3] = [
    Compiler {
        program: "clang-19",
        marker: "needs_clang",
        install: "apt-get install --no-install-recommends clang-19 lld-19 wasi-libc libclang-rt-19-dev-wasm32",
    },
    Compiler { program: "componentize-qjs", marker: "needs_componentize_qjs", install: "cargo xtask tools, with npm" },
    Compiler {
        program: "componentize-py",
        marker: "needs_componentize_py",
        install: "cargo xtask tools, with python3",
    },
];

/// What is neither in `PATH` nor installed by `cargo xtask tools`.
pub(crate) fn missing() -> impl Iterator<Item = Missing> {
    let own = [tools_dir().join("node_modules/.bin"), tools_dir().join("venv/bin")];
    let is_here = move |program: &str| {
        own.iter().any(|dir| dir.join(program).is_file()) || is_in(program, env::var_os("PATH").as_deref())
    };
    COMPILERS.iter().filter(move |compiler| !is_here(compiler.program)).map(|compiler| Missing {
        marker: compiler.marker,
        what: format!("{}, which is not installed: {}", compiler.program, compiler.install),
    })
}

/// Where `cargo xtask tools` installs to.
pub(crate) fn tools_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools")
}
