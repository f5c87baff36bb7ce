//! `grants`: what components were granted, and what of it is used.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;
use url::Url;

use super::sources::{ComponentArgs, read_bindings};
use super::{client, report};
use crate::config::{HostConfig, RunnerConfig};
use crate::error::{Code, Error, Result};
use crate::host::HostBuilder;
use crate::host::grants::GrantsStatus;
use crate::id::{self, Id, clip};
use crate::tenant::load;

mod text;

/// Where a running host tells it.
const PATH: &str = "/admin/grants";

/// Show what components were granted, which of them import it, and what was used and never used
///
/// A running host is asked by its admin API, with ADMIN_TOKEN if that is set; uses are counted since it was started. With
/// --pack nothing runs: what bindings grant is compared with what the pack's components import.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  greentic-runner grants                                             of the host on this machine
  greentic-runner grants --url https://bots.example --tenant acme    by ADMIN_TOKEN
  greentic-runner grants --pack acme.gtpack --bindings acme.yaml     before it runs

With --json, stdout holds the object that GET /admin/grants answers.")]
pub(super) struct Args {
    /// Where the host is
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080", conflicts_with = "pack")]
    url: Url,
    /// Show this tenant only
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// Compare what this pack imports with what is granted, without a running host
    #[arg(long, value_name = "PATH")]
    pack: Option<PathBuf>,
    /// The bindings that grant it, or a .gtbind file; without any, what a tenant without bindings has
    #[arg(long, value_name = "FILE", requires = "pack")]
    bindings: Vec<PathBuf>,
    #[command(flatten)]
    components: ComponentArgs,
    /// How long to wait for the host's answer, in seconds
    #[arg(long, value_name = "N", default_value_t = 30)]
    timeout: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Result<ExitCode> {
    let tenant = args.tenant.as_deref().map(|tenant| id::parse("tenant", tenant)).transpose()?;
    let status = match &args.pack {
        Some(pack) => of_pack(&args, pack, tenant).await?,
        None => of_host(&args, tenant.as_ref()).await?,
    };
    match args.json {
        true => {
            let value = serde_json::to_value(&status);
            let value = value.map_err(|e| Error::new(Code::Internal, format!("the answer is no JSON: {e}")))?;
            report::data(&report::json_text(&value))?;
        }
        false => report::data(client::plain(&text::of(&status, args.pack.is_some())).trim_end())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What a running host says.
async fn of_host(args: &Args, tenant: Option<&Id>) -> Result<GrantsStatus> {
    let mut url = client::below(&args.url, PATH)?;
    if let Some(tenant) = tenant {
        url.query_pairs_mut().append_pair("tenant", tenant);
    }
    let mut request = client::client(&url, Duration::from_secs(args.timeout))?.get(url.clone());
    if let Some(token) = RunnerConfig::from_env()?.admin_token {
        request = request.bearer_auth(token.expose());
    }
    let response = request.send().await.map_err(|error| client::failed(&url, &error))?;
    let status = response.status();
    let body = client::body(&url, response).await?;
    if status.is_success() {
        return serde_json::from_slice(&body).map_err(|_| unexpected("it is not what this version answers"));
    }
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    let said = |key: &str| answer.pointer(&format!("/error/{key}")).and_then(Value::as_str).map(clip);
    match said("code").zip(said("message")) {
        Some((code, message)) => Err(unexpected(&format!("{status}: {code}: {message}"))),
        None => Err(unexpected(&status.to_string())),
    }
}

fn unexpected(what: &str) -> Error {
    Error::new(Code::SendFailed, format!("the host's answer cannot be used: {what}"))
        .hint("set ADMIN_TOKEN as the host has it, and see that --url is the host's")
}

/// What a pack imports of what bindings grant. Its components are loaded, and nothing is called for anybody.
async fn of_pack(args: &Args, path: &Path, tenant: Option<Id>) -> Result<GrantsStatus> {
    let config = config(&args.bindings, tenant)?;
    let tenant = config.tenant().clone();
    let pack = load::read(path, args.components.options()?).await?;
    let host = HostBuilder::new().with_config(config).with_memory_store().build()?;
    let loaded = host.load(&tenant, pack).await?;
    loaded.notes.iter().for_each(report::warn);
    let status = host.grants(Some(&tenant))?;
    host.stop().await?;
    Ok(GrantsStatus { since: None, ..status })
}

fn config(files: &[PathBuf], tenant: Option<Id>) -> Result<HostConfig> {
    let mut configs = read_bindings(files)?;
    if let Some(tenant) = &tenant {
        configs.retain(|config| config.tenant() == tenant);
    }
    match (configs.pop(), configs.is_empty()) {
        (Some(config), true) => Ok(config),
        (Some(_), false) => {
            Err(Error::new(Code::Usage, "the bindings are for several tenants").hint("choose one with --tenant"))
        }
        (None, _) if files.is_empty() => Ok(HostConfig::for_tenant(tenant.unwrap_or_else(|| Id::from("local")))),
        (None, _) => Err(Error::new(Code::Usage, "no bindings are for this tenant").hint("look at --tenant")),
    }
}
