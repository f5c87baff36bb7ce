//! `serve`: the host behind its HTTP server.

mod packs;
mod timers;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use crate::audit::AuditLog;
use crate::cli::fetching::FetchArgs;
use crate::cli::report;
use crate::cli::sources::{ComponentArgs, DataArgs};
use crate::config::{HostConfig, RunnerConfig, TenantResolver};
use crate::engine::EngineOptions;
use crate::error::{Kind, Result};
use crate::flow::model::FlowState;
use crate::host::{HostBuilder, RunnerHost};
use crate::id::Id;
use crate::reload::{PackSource, ReloadConfig, Reloader};
use crate::run::trace::TraceFeed;
use crate::server::{AdminOptions, HostBackend, Server, ServerOptions};
use crate::timers::{Timers, TimersStatus};

/// How many trace events are kept for listeners that are slow.
pub(super) const TRACE: usize = 1024;

/// Serve packs over HTTP
///
/// Each --bindings file is one tenant. What a tenant's bindings do not open is off; the report at start says, route by
/// route, how requests are verified. Ends at Ctrl-C or SIGTERM, after what is under way.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  greentic-runner serve --bindings acme.yaml --pack acme.gtpack
  greentic-runner serve --bindings acme.yaml beta.yaml --pack acme=acme.gtpack beta=beta.gtpack --port 9000
  greentic-runner serve --bindings acme.yaml --index https://packs.example.com/index.json

Packs of this machine are swapped when their files change; an index is also looked at every PACK_REFRESH_INTERVAL.
Routes: POST /webchat/activities and ANY /webhook/{flow_id}, also under /t/{tenant}; GET /healthz, /readyz and
/openapi.json; /admin, for this machine unless ADMIN_TOKEN is set. TENANT_RESOLVER says how a request finds its tenant.
Stdout holds one line, the server's URL.")]
pub(super) struct Args {
    /// Bindings files, one per tenant, and .gtbind files [default: the tenant DEFAULT_TENANT with nothing opened]
    #[arg(long, value_name = "FILE", num_args = 1..)]
    bindings: Vec<PathBuf>,
    /// Packs, with several tenants as TENANT=PATH; a tenant with a .gtbind file gets the pack that it names
    #[arg(long, value_name = "[TENANT=]PATH", num_args = 1..)]
    pack: Vec<String>,
    /// The index that says which packs run: a path, or a URL of https, oci, s3, gcs or azblob [env: PACK_INDEX_URL]
    #[arg(long, value_name = "LOCATOR")]
    index: Option<String>,
    /// Let the index replace a pack by an older version of it
    #[arg(long)]
    allow_downgrade: bool,
    /// The port; 0 takes a free one [env: PORT] [default: 8080]
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// The address to listen on
    #[arg(long, value_name = "ADDR", default_value = "0.0.0.0")]
    listen: IpAddr,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    components: ComponentArgs,
    #[command(flatten)]
    fetch: FetchArgs,
}

pub(super) async fn run(args: Args) -> Result<ExitCode> {
    let env = RunnerConfig::from_env()?;
    let configs = packs::configs(&args.bindings, &env.default_tenant)?;
    let reloading = packs::reloading(&args, &env, &configs)?;
    let feed = TraceFeed::new(TRACE);
    let host = Arc::new(build(configs, &args, &reloading, &feed)?);
    let audit = Arc::new(AuditLog::open(&args.data.dir())?);
    let from_index = matches!(reloading.source, PackSource::Index(_));
    let mut reloader = Reloader::new(Arc::clone(&host), Arc::clone(&audit), reloading)?;
    let timers = Arc::new(Timers::new(&host));
    let backend = HostBackend::new(Arc::clone(&host), feed);
    let backend = backend.with_reloads(Arc::new(reloader.handle())).with_timers(Arc::clone(&timers));
    let backend = Arc::new(backend);
    let options = ServerOptions {
        listen: SocketAddr::new(args.listen, args.port.unwrap_or(env.port)),
        default_tenant: Some(env.default_tenant),
        tenants: env.tenants,
        trusted_proxies: env.trusted_proxies,
        admin: AdminOptions { token: env.admin_token, audit },
        ..ServerOptions::default()
    };
    let access = access(&options);
    // The address is taken before the packs are loaded: a second server fails at once.
    let server = Server::bind(options, Arc::clone(&backend) as _).await?;
    load(&mut reloader, from_index).await?;
    host.start().await?;
    reloader.start()?;
    timers.start();
    describe(&host, &server, &timers.status(), &args)?;
    report::say(&access);
    report::data(&format!("http://{}", server.address()))?;
    server.run(stopped()).await;
    report::say("stopping: what has begun is finished first");
    timers.stop().await;
    drop(reloader);
    host.stop().await?;
    Ok(ExitCode::SUCCESS)
}

fn build(configs: Vec<HostConfig>, args: &Args, reloading: &ReloadConfig, feed: &TraceFeed) -> Result<RunnerHost> {
    let mut builder = HostBuilder::new().with_data_dir(args.data.dir()).with_observer(Arc::new(feed.clone()));
    for config in configs {
        config.notes().iter().for_each(|note| report::say(&format!("note: {note}")));
        builder = builder.with_config(config);
    }
    if matches!(reloading.source, PackSource::Index(_)) {
        // Beside the packs that they were compiled from, for whoever shares the cache.
        let artifact_dir = Some(reloading.cache()?.compiled_dir().to_owned());
        builder = builder.with_engine(EngineOptions { artifact_dir, ..EngineOptions::default() });
    }
    builder.build()
}

/// Loads what is listed. Whoever names packs on the command line wants to know at once that one is refused; an index is
/// served as far as it goes, and looked at again.
async fn load(reloader: &mut Reloader, from_index: bool) -> Result<()> {
    match reloader.first().await {
        Err(error) if from_index && error.code().kind() == Kind::Unavailable => report::warn(&error),
        Err(error) => return Err(error),
        Ok(_) => {}
    }
    for (tenant, error) in reloader.failed() {
        if !from_index {
            return Err(error);
        }
        report::say(&format!("tenant {tenant} has no pack that it could run:"));
        report::warn(&error);
    }
    reloader.notes().iter().for_each(report::warn);
    Ok(())
}

fn describe(host: &RunnerHost, server: &Server, timers: &TimersStatus, args: &Args) -> Result<()> {
    let routes = server.routes();
    for config in host.tenant_configs() {
        let tenant = config.tenant();
        match host.tenant(tenant) {
            Some(handle) => {
                let pack = handle.pack();
                let flows: Vec<String> = pack.flows.flows.iter().map(|(id, state)| flow_line(id, state)).collect();
                let flows = flows.join(", ");
                report::say(&format!(
                    "tenant {tenant}: pack {} {} ({}), flows: {flows}",
                    pack.pack, pack.version, pack.digest
                ));
            }
            None => report::say(&format!("tenant {tenant}: no pack; its events are answered with 503")),
        }
        server.notes(tenant).iter().for_each(|note| report::say(&format!("  note: {note}")));
        for route in routes.iter().filter(|route| route.tenant == *tenant && route.bound) {
            report::say(&format!("  {:<28} {}", route.route, route.verified));
        }
        let unbound = routes.iter().filter(|route| route.tenant == *tenant && !route.bound);
        let mut unbound: Vec<_> = unbound.map(|route| route.provider).collect();
        unbound.dedup();
        if !unbound.is_empty() {
            report::say(&format!("  off, because not bound: {}", unbound.join(", ")));
        }
        let scheduled = timers::lines(timers, host, tenant);
        scheduled.iter().for_each(|line| report::say(&format!("  {line}")));
        if scheduled.is_empty() && !routes.iter().any(|route| route.tenant == *tenant && route.on) {
            report::say("  nothing reaches this tenant: open a route in its bindings (flow_type_bindings)");
        }
    }
    report::say(&format!("data in {}", args.data.dir().display()));
    Ok(())
}

/// How requests find their tenant, and who may use the admin API.
fn access(options: &ServerOptions) -> String {
    let default = options.default_tenant.as_deref().unwrap_or("none");
    let tenants = match &options.tenants {
        TenantResolver::Env => format!("requests without /t/{{tenant}} are for {default}"),
        TenantResolver::Host => format!("tenants by the host's first label, else {default}"),
        TenantResolver::Header { proxies } => {
            let proxies: Vec<_> = proxies.iter().map(ToString::to_string).collect();
            format!("tenants by x-greentic-tenant from {}, else {default}", proxies.join(", "))
        }
        TenantResolver::Jwt(jwt) => {
            format!(
                "tenants by {:?} tokens of {} for {}, without a token {default}",
                jwt.algorithm, jwt.issuer, jwt.audience
            )
        }
    };
    let admin = if options.admin.token.is_some() { "with ADMIN_TOKEN" } else { "from this machine only" };
    format!("{tenants}; /admin {admin}")
}

fn flow_line(id: &Id, state: &FlowState) -> String {
    match state {
        FlowState::Ready(_) => id.to_string(),
        FlowState::Disabled { .. } => format!("{id} (disabled)"),
    }
}

/// Resolves at Ctrl-C or SIGTERM. A second one ends the process at once.
pub(super) async fn stopped() {
    signal().await;
    tokio::spawn(async {
        signal().await;
        std::process::exit(130);
    });
}

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupt = tokio::signal::ctrl_c();
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => drop(interrupt.await),
    }
}

#[cfg(not(unix))]
async fn signal() {
    drop(tokio::signal::ctrl_c().await);
}
