//! Prepared components, shared by everybody who uses the same bytes with the same grants.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;

use super::exports::Exports;
use super::prepared::Prepared;
use crate::capabilities::AssetsDir;
use crate::capabilities::grants::Grants;
use crate::capabilities::surface;
use crate::conform::{self, ComponentShape, Severity, Surface};
use crate::engine::limits::Limits;
use crate::engine::{Binary, Engine, Shared};
use crate::error::{Code, Error, Kind, Result};

/// What a component may use in its trial at load. Its tenant's own limits apply when it is called.
fn trial_limits() -> Limits {
    Limits { memory_bytes: 256 << 20, timeout: Duration::from_secs(5), ..Limits::default() }
}

/// Prepares components, each once while anybody holds it.
#[derive(Debug)]
pub struct Registry {
    engine: Engine,
    trial: Limits,
    prepared: Shared<([u8; 32], Grants), Prepared>,
    made: AtomicU64,
    asked: AtomicU64,
    assets: Shared<[u8; 32], AssetsDir>,
    assets_parent: Option<PathBuf>,
}

impl Registry {
    /// A registry that compiles and runs on `engine`.
    pub fn new(engine: Engine) -> Self {
        Self::with_trial_limits(engine, trial_limits())
    }

    /// A registry that gives components `trial` for their trial at load.
    pub fn with_trial_limits(engine: Engine, trial: Limits) -> Self {
        let (prepared, assets) = (Shared::default(), Shared::default());
        Self { engine, trial, prepared, made: AtomicU64::new(0), asked: AtomicU64::new(0), assets, assets_parent: None }
    }

    /// Lays out assets in `dir`, which is this registry's alone, and removes what an earlier process that was killed
    /// left there. Otherwise they lie where temporary files do.
    #[must_use]
    pub fn with_assets_in(mut self, dir: PathBuf) -> Self {
        if let Err(error) = std::fs::remove_dir_all(&dir)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "what an earlier process left in {} cannot be removed", dir.display());
        }
        self.assets_parent = Some(dir);
        self
    }

    /// Files that guests may read below `/assets`, by their names there; `digest` identifies them. They lie on disk
    /// once for everybody who asks for the same, until nobody holds them.
    ///
    /// # Errors
    ///
    /// `Io` if they cannot be written.
    pub async fn assets(&self, digest: [u8; 32], files: Vec<(String, Bytes)>) -> Result<Arc<AssetsDir>> {
        let parent = self.assets_parent.clone();
        let make = async {
            let lay_out = move || {
                let files = files.iter().map(|(name, bytes)| (name.as_str(), &**bytes));
                AssetsDir::lay_out(parent.as_deref(), files)
            };
            let done = tokio::task::spawn_blocking(lay_out).await;
            done.map_err(|e| Error::new(Code::Internal, format!("laying out assets did not end well: {e}")))?
        };
        self.assets.get_or_make(digest, make).await
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Checks that `binary` fits the host, compiles it, links it to what was granted, and makes one instance of it as
    /// a trial. Whether what it exports can be called is known afterwards, and asked of the result.
    ///
    /// # Errors
    ///
    /// All that the component asks for and does not get, or why it cannot be compiled or started.
    pub async fn prepare(&self, binary: &Binary<'_>, grants: Grants) -> Result<Arc<Prepared>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.prepared.get_or_make((binary.digest, grants), self.make(binary, grants)).await
    }

    /// How many times a component was asked for.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// How many times a component was compared, linked and tried, because nobody held it in that form.
    pub fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    /// The grants that it takes to give `binary` everything that it imports. Nothing of it runs; if it is held as it
    /// was prepared for `grants`, it is not even read.
    ///
    /// # Errors
    ///
    /// As [`Engine::check`], or why its outside cannot be read.
    pub async fn needs(&self, binary: &Binary<'_>, grants: Grants) -> Result<Grants> {
        if let Some(held) = self.prepared.held(&(binary.digest, grants)) {
            return Ok(held.needs());
        }
        let judge = |shape: ComponentShape, surface: &Surface| Ok(conform::needs(&shape, surface));
        self.read_shape(binary, judge).await
    }

    /// Checks that instances of `binary` can begin within `limits`, which a trial with larger ones does not tell.
    ///
    /// # Errors
    ///
    /// As [`Engine::check`], and [`Code::InitialMemory`].
    pub async fn admit(&self, binary: &Binary<'_>, limits: &Limits) -> Result<()> {
        let (engine, name, bytes, limits) =
            (self.engine.clone(), binary.name.to_owned(), binary.bytes.clone(), limits.clone());
        let judged = tokio::task::spawn_blocking(move || limits.admit(&name, &engine.check(&name, &bytes)?));
        judged.await.map_err(|e| Error::new(Code::Internal, format!("checking component {}: {e}", binary.name)))?
    }

    async fn make(&self, binary: &Binary<'_>, grants: Grants) -> Result<Prepared> {
        self.made.fetch_add(1, Ordering::Relaxed);
        let name = binary.name.to_owned();
        let conforming = move |shape: ComponentShape, surface: &Surface| {
            let compared = conform::compare(&shape, surface, grants, &[]);
            let warnings = compared.findings.iter().filter(|finding| finding.severity == Severity::Warning);
            let warnings: Vec<_> = warnings.cloned().collect();
            conform::verdict(&name, compared)?;
            Ok((shape, warnings))
        };
        let (shape, warnings) = self.read_shape(binary, conforming).await?;
        let surface = Surface::host()?;
        let compiled = self.engine.compile(binary).await?;
        let linker = surface::linker(binary.name, &compiled.component, &shape, grants)?;
        let pre = linker.instantiate_pre(&compiled.component).map_err(|e| unlinkable(binary.name, &e))?;
        let exports = Exports::find(binary.name, &shape, surface, &pre);
        let needs = conform::needs(&shape, surface);
        let prepared = Prepared::new(self.engine.clone(), exports, needs, pre, compiled).with_warnings(warnings);
        prepared.smoke_test(binary.name, &self.trial).await.map_err(|e| not_started(binary.name, e))?;
        Ok(prepared)
    }

    /// What `judge` says of the outside of a component. Reading it takes as long as the component is large, so it is
    /// bounded and done where it holds up nobody.
    async fn read_shape<T: Send + 'static>(
        &self,
        binary: &Binary<'_>,
        judge: impl FnOnce(ComponentShape, &Surface) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (engine, name, bytes) = (self.engine.clone(), binary.name.to_owned(), binary.bytes.clone());
        let judged = tokio::task::spawn_blocking(move || {
            engine.check(&name, &bytes)?;
            judge(conform::inspect(&name, &bytes)?, Surface::host()?)
        });
        judged.await.map_err(|e| Error::new(Code::Internal, format!("checking component {}: {e}", binary.name)))?
    }
}

fn unlinkable(name: &str, cause: &wasmtime::Error) -> Error {
    Error::new(Code::Nonconforming, format!("component {name} does not fit the host's interfaces: {cause:#}"))
        .hint("build it against the published WIT of the versions that it imports")
}

fn not_started(name: &str, cause: Error) -> Error {
    if cause.code().kind() == Kind::Unavailable {
        return cause;
    }
    Error::new(Code::SmokeTest, format!("component {name} cannot be started")).with_details(vec![cause])
}
