//! `serve`: the host behind its HTTP server.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use crate::audit::AuditLog;
use crate::cli::report;
use crate::cli::sources::{ComponentArgs, DataArgs};
use crate::config::{GTBIND, HostConfig, RunnerConfig, TenantResolver};
use crate::error::{Code, Error, Result};
use crate::flow::model::FlowState;
use crate::host::{HostBuilder, RunnerHost};
use crate::id::Id;
use crate::run::trace::TraceFeed;
use crate::server::{self, AdminOptions, HostBackend, Server, ServerOptions};

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
}

pub(super) async fn run(args: Args) -> Result<ExitCode> {
    let env = RunnerConfig::from_env()?;
    let configs = configs(&args.bindings, &env.default_tenant)?;
    let mut packs = assign(&args.pack, &configs.iter().map(HostConfig::tenant).collect::<Vec<_>>())?;
    for config in &configs {
        let bound = config.pack_binding().and_then(|bound| bound.locator.clone());
        if let Some(path) = bound.filter(|_| packs.iter().all(|(tenant, _)| tenant != config.tenant())) {
            packs.push((config.tenant().clone(), path));
        }
    }
    if packs.is_empty() {
        return Err(Error::new(Code::Usage, "no pack is given")
            .hint("give --pack PATH, or a .gtbind file with a pack_locator to --bindings"));
    }
    let feed = TraceFeed::new(TRACE);
    let mut builder = HostBuilder::new().with_data_dir(args.data.dir()).with_observer(Arc::new(feed.clone()));
    for config in configs {
        config.notes().iter().for_each(|note| report::say(&format!("note: {note}")));
        builder = builder.with_config(config);
    }
    let host = Arc::new(builder.build()?);
    let backend = Arc::new(HostBackend::new(Arc::clone(&host), feed));
    let options = ServerOptions {
        listen: SocketAddr::new(args.listen, args.port.unwrap_or(env.port)),
        default_tenant: Some(env.default_tenant),
        tenants: env.tenants,
        admin: AdminOptions { token: env.admin_token, audit: Arc::new(AuditLog::open(&args.data.dir())?) },
        ..ServerOptions::default()
    };
    let access = access(&options);
    // The address is taken before the packs are loaded: a second server fails at once.
    let server = Server::bind(options, Arc::clone(&backend) as _).await?;
    for (tenant, path) in packs {
        let loaded = host.load_pack_with(&tenant, &path, args.components.options()?).await?;
        loaded.notes.iter().for_each(report::warn);
    }
    host.start().await?;
    describe(&host, &backend, &args)?;
    report::say(&access);
    report::data(&format!("http://{}", server.address()))?;
    server.run(stopped()).await;
    report::say("stopping: what has begun is finished first");
    host.stop().await?;
    Ok(ExitCode::SUCCESS)
}

fn configs(files: &[PathBuf], default: &Id) -> Result<Vec<HostConfig>> {
    if files.is_empty() {
        return Ok(vec![HostConfig::for_tenant(default.clone())]);
    }
    let (bound, files): (Vec<_>, Vec<_>) =
        files.iter().partition(|file| file.extension().is_some_and(|extension| extension == GTBIND));
    let mut configs = files.into_iter().map(HostConfig::load_from_path).collect::<Result<Vec<_>>>()?;
    for config in HostConfig::from_gtbind(&bound)? {
        // Bindings of the same tenant say how events come in, the file which pack serves them.
        match (configs.iter_mut().find(|other| other.tenant() == config.tenant()), config.pack_binding()) {
            (Some(known), Some(binding)) => *known = known.clone().with_pack_binding(binding.clone()),
            _ => configs.push(config),
        }
    }
    Ok(configs)
}

/// Which tenant gets which pack.
fn assign(packs: &[String], tenants: &[&Id]) -> Result<Vec<(Id, PathBuf)>> {
    let mut assigned: Vec<(Id, PathBuf)> = Vec::new();
    for pack in packs {
        let named = pack.split_once('=').filter(|(tenant, _)| tenants.iter().any(|id| &***id == *tenant));
        let (tenant, path) = match (named, tenants) {
            (Some((tenant, path)), _) => (Id::from(tenant), path),
            (None, [only]) => ((*only).clone(), pack.as_str()),
            (None, _) => {
                return Err(Error::new(Code::Usage, format!("--pack {pack} does not say which tenant it is for"))
                    .hint("with several tenants write --pack TENANT=PATH"));
            }
        };
        if assigned.iter().any(|(other, _)| *other == tenant) {
            return Err(Error::new(Code::Usage, format!("tenant {tenant} is given two packs"))
                .hint("a tenant serves one pack; give each pack a tenant of its own"));
        }
        assigned.push((tenant, path.into()));
    }
    Ok(assigned)
}

fn describe(host: &RunnerHost, backend: &HostBackend, args: &Args) -> Result<()> {
    let routes = server::routes(backend);
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
        for route in routes.iter().filter(|route| route.tenant == *tenant) {
            report::say(&format!("  {:<28} {}", route.route, route.verified));
        }
        if !routes.iter().any(|route| route.tenant == *tenant && route.on) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_find_their_tenants() {
        let (a, b) = (Id::from("a"), Id::from("b"));
        let of = |packs: &[&str], tenants: &[&Id]| {
            let packs: Vec<String> = packs.iter().map(|&s| s.to_owned()).collect();
            assign(&packs, tenants).map(|found| {
                found.iter().map(|(id, path)| format!("{id}:{}", path.display())).collect::<Vec<_>>().join(" ")
            })
        };
        assert_eq!(of(&["x"], &[&a]).unwrap(), "a:x");
        assert_eq!(of(&["dir/k=v.gtpack"], &[&a]).unwrap(), "a:dir/k=v.gtpack");
        assert_eq!(of(&["b=y", "a=x"], &[&a, &b]).unwrap(), "b:y a:x");
        for (packs, tenants) in [(&["x"][..], &[&a, &b][..]), (&["x", "y"], &[&a]), (&["a=x", "a=y"], &[&a, &b])] {
            assert_eq!(of(packs, tenants).unwrap_err().code(), Code::Usage);
        }
    }
}
