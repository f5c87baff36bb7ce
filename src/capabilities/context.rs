//! What a guest's store holds: whose behalf it runs on, what it may use, and a WASI world with its pack's assets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxView, WasiView};

use super::assets::{self, AssetsDir};
use super::calls::{Begun, Calls, Function};
use super::fetch::Failures;
use super::http::Http;
use super::ledger::{STDERR, STDOUT, Uses};
use super::lines::Lines;
use super::log::LOG_BYTES;
use super::scope::Scope;
use super::secrets::MAX_REFUSALS;
use super::services::Services;
use super::state_view::StateView;
use super::stderr::Tail;
use super::written::Written;
use crate::abi::call::HostCall;
use crate::engine::limits::Limits;
use crate::engine::{GuestData, Limiter};
use crate::error::{Error, Result};
use crate::secret::Hidden;

/// Bytes that a guest gets from one call for random bytes.
const MAX_RANDOM: u64 = 1 << 20;
/// How long before the end a guest can learn of it.
const MAX_NOTICE: Duration = Duration::from_secs(1);

/// The host as one invocation sees it.
pub struct HostCtx {
    pub(super) scope: Scope,
    pub(super) state: StateView,
    pub(super) calls: Calls,
    pub(super) cancel_at: Instant,
    pub(super) log_left: usize,
    pub(super) services: Services,
    /// How many refused secrets are worth a line in the log.
    pub(super) refusals_left: u32,
    /// The secrets that the guest was given.
    pub(super) given: Hidden,
    failures: Option<Arc<Failures>>,
    limiter: Limiter,
    table: ResourceTable,
    wasi: Option<Box<WasiCtx>>,
    assets: Option<Arc<AssetsDir>>,
    http: Option<Box<Http>>,
    stderr: Tail,
}

impl HostCtx {
    /// The host for an invocation on behalf of `scope`, which sees and changes `state` and may ask `services`, as far as
    /// they are linked and allow it.
    pub fn new(
        scope: Scope,
        state: StateView,
        services: Services,
        limits: &Limits,
        deadline: Instant,
        trace: bool,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles);
        let given = Hidden::default();
        let mut calls = Calls::new(limits, trace, &given);
        calls.count_in(services.calls.clone());
        calls.note_uses_in(&services.ledger, &scope.component);
        Self {
            failures: None,
            services,
            refusals_left: MAX_REFUSALS,
            scope,
            state,
            calls,
            given,
            cancel_at: cancel_at(limits.timeout, deadline),
            log_left: LOG_BYTES,
            limiter: Limiter::new(limits.memory_bytes),
            table,
            wasi: None,
            assets: None,
            http: None,
            stderr: Tail::default(),
        }
    }

    /// Lets the guest read its pack's assets, if it imports files at all.
    #[must_use]
    pub fn with_assets(mut self, assets: Option<Arc<AssetsDir>>) -> Self {
        self.assets = assets;
        self
    }

    /// The host calls that were recorded.
    pub fn take_calls(&mut self) -> Vec<HostCall> {
        let mut calls = self.calls.take();
        calls.extend(self.http.iter().flat_map(|http| http.take_calls()));
        calls
    }

    /// Logs what the guest last wrote to its standard error, which says more of `failure` than a trap can.
    pub fn log_last_words(&mut self, failure: &Error) {
        let printed = self.services.wasi.hidden();
        let words = self.stderr.text(&[&self.given, &printed]);
        if !words.is_empty() {
            self.record(Some(tracing::Level::WARN), &format!("{}: stderr: {words}", failure.code()));
        }
    }

    /// The secrets that the guest was given.
    pub(crate) fn hidden(&self) -> &Hidden {
        &self.given
    }

    /// `text` without the secrets that the guest was given: for what the host writes of it.
    pub(crate) fn hide(&self, text: &str) -> String {
        self.given.hide(text)
    }

    /// The same for all texts in `value`.
    pub(crate) fn hide_in(&self, value: Value) -> Value {
        self.given.hide_in(value)
    }

    /// The same for an error.
    pub(crate) fn hide_in_error(&self, error: Error) -> Error {
        error.reworded(&|text| self.hide(text))
    }

    /// The state with the guest's writes.
    pub fn into_state(self) -> StateView {
        self.state
    }

    /// Counts a host call; an error traps the guest.
    pub(super) fn begin(&mut self, function: Function, bytes: usize) -> Result<Begun> {
        self.calls.begin(function, bytes)
    }

    /// Where failed requests are logged, made with the first one.
    pub(super) fn failures(&mut self) -> Arc<Failures> {
        Arc::clone(self.failures.get_or_insert_with(|| Arc::new(Failures::new(&self.scope, &self.given))))
    }

    /// The HTTP world, made on the first call, and the table of its handles.
    pub(super) fn http_parts(&mut self) -> (&mut Http, &mut ResourceTable) {
        let http = match self.http.take() {
            Some(http) => http,
            None => {
                let (outbound, failures) = (Arc::clone(&self.services.http), self.failures());
                let asker = self.scope.component.clone();
                let uses = Uses::of(&self.services.ledger, &asker);
                let http = Http::new(outbound, failures, (asker, uses), self.cancel_at, self.calls.records());
                Box::new(http.counted_in(self.services.calls.clone()))
            }
        };
        (self.http.insert(http), &mut self.table)
    }
}

impl GuestData for HostCtx {
    fn limiter(&mut self) -> &mut Limiter {
        &mut self.limiter
    }
}

impl WasiView for HostCtx {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        // Most guests import WASI and few call it, so its context is made on the first call.
        let ctx = self.wasi.get_or_insert_with(|| {
            Box::new(wasi(&self.scope, &self.services, &self.given, self.stderr.clone(), self.assets.as_deref()))
        });
        WasiCtxView { ctx, table: &mut self.table }
    }
}

/// When a guest that asks hears that it should stop: shortly before it is stopped.
fn cancel_at(timeout: Duration, deadline: Instant) -> Instant {
    let notice = (timeout / 10).min(MAX_NOTICE);
    let end = deadline.min(Instant::now() + timeout);
    end.checked_sub(notice).unwrap_or(end)
}

/// No arguments, input, sockets or names, no variables and no output but what is granted, and no files but the pack's
/// assets, to be read; clocks, random numbers, and an error stream that is read when the guest fails.
fn wasi(scope: &Scope, services: &Services, secrets: &Hidden, stderr: Tail, assets: Option<&AssetsDir>) -> WasiCtx {
    let mut builder = WasiCtx::builder();
    builder.allow_tcp(false).allow_udp(false).max_random_size(MAX_RANDOM).envs(&services.wasi.env);
    let uses = || Uses::of(&services.ledger, &scope.component);
    let hidden = || [secrets.clone(), services.wasi.hidden()];
    if services.wasi.stdout {
        let stream = ("stdout", tracing::Level::INFO);
        builder.stdout(Written(Lines::new(STDOUT, stream, scope, hidden(), uses(), None)));
    }
    match services.wasi.stderr {
        true => {
            let stream = ("stderr", tracing::Level::WARN);
            builder.stderr(Written(Lines::new(STDERR, stream, scope, hidden(), uses(), Some(stderr))))
        }
        false => builder.stderr(Written(stderr)),
    };
    if let Some(assets) = assets
        && let Err(error) = builder.preopened_dir(assets.path(), assets::GUEST_PATH, FsPerms::ReadOnly)
    {
        tracing::error!(%error, "the assets of a pack are gone from {}", assets.path().display());
    }
    builder.build()
}

impl std::fmt::Debug for HostCtx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostCtx").field("scope", &self.scope).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use wasmtime_wasi::cli::WasiCliView;
    use wasmtime_wasi::filesystem::WasiFilesystemView;
    use wasmtime_wasi::p2::bindings::cli::{environment, stderr};
    use wasmtime_wasi::p2::bindings::filesystem::preopens;
    use wasmtime_wasi::p2::bindings::io::streams::HostOutputStream;
    use wasmtime_wasi::p2::bindings::random::random;

    use super::*;
    use crate::id::Id;
    use crate::store::{Lane, MemoryStore};

    pub(in crate::capabilities) fn context(limits: &Limits) -> HostCtx {
        context_with(Services::default(), limits)
    }

    fn context_with(services: Services, limits: &Limits) -> HostCtx {
        let text = || Id::from("x");
        let scope = Scope {
            tenant: text(),
            env: text(),
            pack: text(),
            component: text(),
            provider: None,
            flow: text(),
            flow_type: Some("messaging"),
            node: text(),
            lane: Lane(text()),
            session: text(),
            user: None,
            locale: None,
            attempt: 1,
            idempotency_key: String::new(),
            correlation_id: String::new(),
        };
        let state = StateView::new(Arc::new(MemoryStore::default()), Arc::default());
        HostCtx::new(scope, state, services, limits, Instant::now() + limits.timeout, false)
    }

    #[test]
    fn the_wasi_world_is_empty() {
        let mut ctx = context(&Limits::default());
        assert!(environment::Host::get_environment(&mut ctx.cli()).unwrap().is_empty());
        assert!(environment::Host::get_arguments(&mut ctx.cli()).unwrap().is_empty());
        assert_eq!(environment::Host::initial_cwd(&mut ctx.cli()).unwrap(), None);
        assert!(preopens::Host::get_directories(&mut ctx.filesystem()).unwrap().is_empty());
    }

    #[test]
    fn variables_are_those_that_were_granted() {
        use crate::capabilities::ledger::{Ledger, Used};
        use crate::capabilities::wasi::WasiGrants;
        let granted = vec![("LANG".to_owned(), "de".to_owned())];
        let wasi = Arc::new(WasiGrants { env: granted.clone(), ..WasiGrants::default() });
        let ledger = Arc::new(Ledger::default());
        let services = Services { wasi, ledger: Arc::clone(&ledger), ..Services::default() };
        let mut ctx = context_with(services, &Limits::default());
        assert_eq!(environment::Host::get_environment(&mut ctx).unwrap(), granted);
        drop(ctx);
        assert_eq!(ledger.of(Used::Environment)[0].1.times, 1);
    }

    #[test]
    fn random_bytes_come_in_bounded_portions() {
        let mut ctx = context(&Limits::default());
        let view = ctx.ctx();
        let random = view.ctx.random();
        assert_ne!(random::Host::get_random_u64(random).unwrap(), random::Host::get_random_u64(random).unwrap());
        assert_eq!(random::Host::get_random_bytes(random, MAX_RANDOM).unwrap().len() as u64, MAX_RANDOM);
        assert!(random::Host::get_random_bytes(random, MAX_RANDOM + 1).is_err());
    }

    #[tokio::test]
    async fn what_a_guest_wrote_last_explains_its_failure() {
        let mut ctx = context(&Limits::default());
        let stream = stderr::Host::get_stderr(&mut ctx.cli()).unwrap();
        let text = b"panicked at 'no\nway'".to_vec();
        let table = ctx.ctx().table;
        HostOutputStream::blocking_write_and_flush(table, stream, text).await.unwrap();
        let log = crate::capabilities::log::tests::captured(|| {
            ctx.log_last_words(&Error::new(crate::error::Code::GuestTrap, "trapped"));
        });
        assert_eq!(log.lines().count(), 1);
        assert!(log.contains("WARN") && log.contains("GRH-0503: stderr: panicked at 'no\\nway'"), "{log}");
    }

    #[test]
    fn handles_of_wasi_are_bounded() {
        let mut ctx = context(&Limits { handles: 3, ..Limits::default() });
        let opened = (0..4).take_while(|_| stderr::Host::get_stderr(&mut ctx.cli()).is_ok()).count();
        assert_eq!(opened, 3);
    }
}
