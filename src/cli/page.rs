//! A host in memory or a directory, behind a server that only this machine reaches, with the chat page: what `demo` and
//! `dev` share.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use owo_colors::OwoColorize as _;

use crate::cli::report;
use crate::cli::serve::TRACE;
use crate::config::HostConfig;
use crate::engine::EngineOptions;
use crate::error::{Code, Result};
use crate::host::{HostBuilder, RunnerHost};
use crate::id::Id;
use crate::run::trace::TraceFeed;
use crate::server::{HostBackend, Server, ServerOptions};
use crate::trust::TrustPolicy;

/// The port, unless it is taken.
const PORT: u16 = 8080;

/// Where the page is served and what is kept.
#[derive(Debug, clap::Args)]
pub(super) struct PageArgs {
    /// The port; 0 takes a free one [default: 8080, or a free one if that is taken]
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Keep events, sessions and state in this directory
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// A host with its page.
pub(super) struct Page {
    pub(super) tenant: Id,
    pub(super) host: Arc<RunnerHost>,
    pub(super) server: Server,
}

impl Page {
    /// Takes the port and builds the host, which is not started and has no pack yet. Without `trust` it accepts the
    /// packs that the environment says.
    pub(super) async fn open(
        args: &PageArgs,
        tenant: &str,
        engine: EngineOptions,
        trust: Option<TrustPolicy>,
    ) -> Result<Self> {
        let tenant = Id::from(tenant);
        let feed = TraceFeed::new(TRACE);
        let builder = HostBuilder::new()
            .with_config(HostConfig::for_tenant(tenant.clone()))
            .with_engine(engine)
            .with_observer(Arc::new(feed.clone()));
        let builder = match trust {
            Some(trust) => builder.with_trust(trust),
            None => builder,
        };
        let builder = match &args.data_dir {
            Some(dir) => builder.with_data_dir(dir),
            None => builder.with_memory_store(),
        };
        let host = Arc::new(builder.build()?);
        let backend = Arc::new(HostBackend::loopback(Arc::clone(&host), feed));
        let server = bind(args.port, &tenant, &backend).await?;
        Ok(Self { tenant, host, server })
    }

    /// Says where the page is, which is all that stdout needs to know.
    pub(super) fn invite(&self, what: &str) -> Result<()> {
        let url = format!("http://{}", self.server.address());
        report::say(&format!("{}", what.bold()));
        report::data(&url)?;
        report::say(&format!(
            "{}",
            format_args!(
                "
The same by curl:
  curl {url}/webchat/activities -H 'content-type: application/json' -d \\
    '{{\"type\":\"message\",\"conversation\":{{\"id\":\"my-chat\"}},\"from\":{{\"id\":\"me\"}},\"text\":\"hi\"}}'
  curl {url}/webchat/conversations/my-chat/activities
  curl -N {url}/webchat/conversations/my-chat/stream

Ctrl-C ends it."
            )
            .dimmed()
        ));
        Ok(())
    }
}

/// Takes the port; if none was asked for and the usual one is taken, a free one.
async fn bind(port: Option<u16>, tenant: &Id, backend: &Arc<HostBackend>) -> Result<Server> {
    let options = |port| ServerOptions {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        default_tenant: Some(tenant.clone()),
        demo: true,
        ..ServerOptions::default()
    };
    match Server::bind(options(port.unwrap_or(PORT)), Arc::clone(backend) as _).await {
        Err(taken) if port.is_none() && taken.code() == Code::Listen => {
            Server::bind(options(0), Arc::clone(backend) as _).await
        }
        bound => bound,
    }
}
