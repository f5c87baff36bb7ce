//! What a guest has of WASI beyond clocks and random numbers, and counting that it asks for it.

use std::fmt;

use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::cli::WasiCliView as _;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView as _};
use wasmtime_wasi::p2::bindings::cli::environment;
use wasmtime_wasi::p2::bindings::filesystem::preopens;

use super::context::HostCtx;
use super::ledger::{ENVIRONMENT, FILES};
use crate::secret::Hidden;

/// What is granted. The default is nothing.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct WasiGrants {
    /// Whether its standard output is logged.
    pub stdout: bool,
    /// Whether its standard error is.
    pub stderr: bool,
    /// The variables that it sees, with their values. They may be secret.
    pub env: Vec<(String, String)>,
}

impl WasiGrants {
    /// The values that it was given, which it is not to print.
    pub(super) fn hidden(&self) -> Hidden {
        Hidden::of(self.env.iter().map(|(_, value)| value.as_str()))
    }
}

impl fmt::Debug for WasiGrants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.env.iter().map(|(name, _)| name).collect();
        let Self { stdout, stderr, .. } = self;
        f.debug_struct("WasiGrants").field("stdout", stdout).field("stderr", stderr).field("env", &names).finish()
    }
}

/// Has what a guest asks of its environment, and of its files, pass by the host. The rest of WASI is linked already.
///
/// # Errors
///
/// An interface cannot be linked.
pub(super) fn link(linker: &mut Linker<HostCtx>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    environment::add_to_linker::<_, HasSelf<HostCtx>>(linker, |ctx| ctx)?;
    preopens::add_to_linker::<_, HasSelf<HostCtx>>(linker, |ctx| ctx)?;
    linker.allow_shadowing(false);
    Ok(())
}

impl environment::Host for HostCtx {
    fn get_environment(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        self.calls.used(ENVIRONMENT);
        environment::Host::get_environment(&mut self.cli())
    }

    fn get_arguments(&mut self) -> wasmtime::Result<Vec<String>> {
        environment::Host::get_arguments(&mut self.cli())
    }

    fn initial_cwd(&mut self) -> wasmtime::Result<Option<String>> {
        environment::Host::initial_cwd(&mut self.cli())
    }
}

impl preopens::Host for HostCtx {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        self.calls.used(FILES);
        preopens::Host::get_directories(&mut self.filesystem())
    }
}
