//! `mcp tools`: which tools a tenant has.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::capabilities::scope::Scope;
use crate::capabilities::state_view::StateView;
use crate::capabilities::tools::{ToolCall, Tools};
use crate::cli::report;
use crate::config::HostConfig;
use crate::error::{Code, Error, Result};
use crate::host::HostBuilder;
use crate::id::clip;
use crate::mcp::LIST;
use crate::store::MemoryStore;

/// The time in which all of a server's or component's tools have to be listed.
const PATIENCE: Duration = Duration::from_secs(60);

/// List the tools of a tenant: those of its MCP servers, which are started or asked for it, and those in WebAssembly
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 all could be asked, 1 some could not, 2 usage or bad bindings.")]
pub(in crate::cli) struct Args {
    /// The tenant's bindings
    #[arg(long, value_name = "FILE")]
    bindings: PathBuf,
    /// Only the tools of this server or component
    #[arg(value_name = "NAME")]
    only: Option<String>,
    /// Print JSON: each server or component with its tools as the protocol describes them
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &Args) -> Result<ExitCode> {
    let config = HostConfig::load_from_path(&args.bindings)?;
    let tenant = config.tenant().clone();
    let host = HostBuilder::new().with_config(config).with_memory_store().build()?;
    let tools = host.tools(&tenant)?.ok_or_else(|| {
        Error::new(Code::ToolsDenied, "the bindings have no `mcp` block")
            .in_file(&args.bindings)
            .hint("see docs/mcp.md")
    })?;
    let names = match &args.only {
        Some(name) => vec![name.clone()],
        None => tools.names().await,
    };
    let mut listed = serde_json::Map::new();
    let mut went_well = true;
    for name in names {
        match list(&*tools, &name).await {
            Ok(tools) => drop(listed.insert(name, tools)),
            Err(error) => {
                went_well = false;
                report::print(&error.about(name));
            }
        }
    }
    host.stop().await?;
    let text = if args.json { report::json_text(&Value::Object(listed)) } else { shown(&listed) };
    report::data(&text)?;
    Ok(ExitCode::from(u8::from(!went_well)))
}

async fn list(tools: &dyn Tools, name: &str) -> Result<Value> {
    let call = ToolCall {
        tool: name,
        action: LIST,
        args: Value::Null,
        scope: Scope::outside(name),
        state: StateView::new(Arc::new(MemoryStore::default()), Arc::default()),
        deadline: Instant::now() + PATIENCE,
        timeout: None,
        retry: None,
        trace: false,
    };
    let mut answer = tools.call(call).await.result?;
    Ok(answer.get_mut("tools").map_or(json!([]), Value::take))
}

/// One tool to a line: whose it is, its name, and the first line of what it does.
fn shown(listed: &serde_json::Map<String, Value>) -> String {
    let mut lines = Vec::new();
    for (name, tools) in listed {
        for tool in tools.as_array().into_iter().flatten() {
            let text = |key: &str| tool.get(key).and_then(Value::as_str).unwrap_or_default();
            let about = text("description").lines().next().unwrap_or_default();
            let line = format!("{name}  {}  {}", clip(text("name")), clip(about));
            lines.push(line.trim_end().escape_debug().to_string());
        }
    }
    lines.join("\n")
}
