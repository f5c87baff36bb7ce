//! `demo`: a chat page for one pack, the embedded one unless another is given; nothing to set up.

use std::path::PathBuf;
use std::process::ExitCode;

use bytes::Bytes;

use crate::cli::page::{Page, PageArgs};
use crate::cli::report;
use crate::cli::serve::stopped;
use crate::engine::EngineOptions;
use crate::error::Result;
use crate::pack::{self, LoadOptions};
use crate::trust::TrustPolicy;

/// The pack, built from `demo/` by `cargo xtask demo`.
const PACK: &[u8] = include_bytes!("../../demo/demo.gtpack");

/// A bot to talk to, with the run beside it
///
/// Serves a chat page on this machine only. The bot's flow runs on real WebAssembly components; the page shows each
/// node, host call, wait and checkpoint. Nothing is kept when it ends, unless --data-dir says where.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Talk to this pack instead of the one that comes with the program
    #[arg(long, value_name = "PATH")]
    pack: Option<PathBuf>,
    #[command(flatten)]
    page: PageArgs,
}

pub(super) async fn run(args: Args) -> Result<ExitCode> {
    // The pack that comes with the program is as trusted as the program: no key has to vouch for it.
    let trust = args.pack.is_none().then(TrustPolicy::default);
    let page = Page::open(&args.page, "demo", EngineOptions::default(), trust).await?;
    let options = LoadOptions::default();
    let pack = match &args.pack {
        Some(path) => pack::load(path, &options)?,
        None => pack::load_bytes(Bytes::from_static(PACK), "demo.gtpack", &options)?,
    };
    page.host.load(&page.tenant, pack).await?.notes.iter().for_each(report::warn);
    page.host.start().await?;
    page.invite("Talk to the bot, and see its run:")?;
    page.server.run(stopped()).await;
    page.host.stop().await?;
    Ok(ExitCode::SUCCESS)
}
