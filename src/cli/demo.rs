//! `demo`: a chat page for one pack, the embedded one unless another is given; nothing to set up.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use owo_colors::OwoColorize as _;

use crate::cli::report;
use crate::cli::serve::{TRACE, stopped};
use crate::config::HostConfig;
use crate::error::{Code, Result};
use crate::host::HostBuilder;
use crate::id::Id;
use crate::pack::{self, LoadOptions};
use crate::run::trace::TraceFeed;
use crate::server::{HostBackend, Server, ServerOptions};

/// The pack, built from `demo/` by `cargo xtask demo`.
const PACK: &[u8] = include_bytes!("../../demo/demo.gtpack");

const TENANT: &str = "demo";

/// The port, unless it is taken.
const PORT: u16 = 8080;

/// A bot to talk to, with the run beside it
///
/// Serves a chat page on this machine only. The bot's flow runs on real WebAssembly components; the page shows each
/// node, host call, wait and checkpoint. Nothing is kept when it ends, unless --data-dir says where.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Talk to this pack instead of the one that comes with the program
    #[arg(long, value_name = "PATH")]
    pack: Option<PathBuf>,
    /// The port; 0 takes a free one [default: 8080, or a free one if that is taken]
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Keep events, sessions and state in this directory
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

pub(super) async fn run(args: Args) -> Result<ExitCode> {
    let tenant = Id::from(TENANT);
    let feed = TraceFeed::new(TRACE);
    let builder =
        HostBuilder::new().with_config(HostConfig::for_tenant(tenant.clone())).with_observer(Arc::new(feed.clone()));
    let builder = match &args.data_dir {
        Some(dir) => builder.with_data_dir(dir),
        None => builder.with_memory_store(),
    };
    let host = Arc::new(builder.build()?);
    let backend = Arc::new(HostBackend::loopback(Arc::clone(&host), feed));
    let server = bind(args.port, &tenant, &backend).await?;
    let options = LoadOptions::default();
    let pack = match &args.pack {
        Some(path) => pack::load(path, &options)?,
        None => pack::load_bytes(Bytes::from_static(PACK), "demo.gtpack", &options)?,
    };
    host.load(&tenant, pack).await?.notes.iter().for_each(report::warn);
    host.start().await?;
    invite(server.address())?;
    server.run(stopped()).await;
    host.stop().await?;
    Ok(ExitCode::SUCCESS)
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

fn invite(address: SocketAddr) -> Result<()> {
    let url = format!("http://{address}");
    report::say(&format!("{}", "Talk to the bot, and see its run:".bold()));
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
