//! `run`: one event through a pack's flow, or a chat on the terminal.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::cli::progress::{self, Progress};
use crate::cli::report;
use crate::cli::session::{Chat, chat, event, reply_text};
use crate::cli::sources::{ComponentArgs, DataArgs, InputArgs};
use crate::config::HostConfig;
use crate::error::{Code, Error, Result};
use crate::host::activity::check_session;
use crate::host::{HostBuilder, RunnerHost};
use crate::id;
use crate::pack::model::PackForm;
use crate::run::outcome::{Outcome, Status};
use crate::tenant::load;

/// Run a pack's flow: one event with --input, a chat on a terminal without
///
/// No bindings are needed. The run is kept under its session: a flow that waits is resumed by a later
/// `run --session S`, also from another process.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  greentic-runner run --pack my-pack
  greentic-runner run --pack my.gtpack --input '{\"text\": \"hello\"}'
  greentic-runner run --pack my.gtpack --session s1 --input '{\"text\": \"yes\"}' --json

With --json, stdout holds one object: {status: completed|waiting|failed, replies, session, error?}.")]
pub(super) struct Args {
    /// The pack: a .gtpack, a directory or an index.ygtc
    #[arg(long, value_name = "PATH")]
    pack: PathBuf,
    /// The flow to start [default: the messaging flow, else the only flow]
    #[arg(long, value_name = "ID", visible_alias = "entry")]
    flow: Option<String>,
    /// The tenant to run as
    #[arg(long, value_name = "ID", default_value = "local")]
    tenant: String,
    /// The session to start or resume [default: a new one]
    #[arg(long, value_name = "NAME")]
    session: Option<String>,
    /// The user who sends the event
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    components: ComponentArgs,
    #[command(flatten)]
    data: DataArgs,
    /// Refuse the pack if anything is wrong with it, instead of disabling the flows that cannot run
    #[arg(long)]
    strict: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Result<ExitCode> {
    let session = args.session.clone().unwrap_or_else(|| uuid::Uuid::new_v4().simple().to_string());
    let result = run_in(&args, &session).await;
    match result {
        Ok(code) => Ok(code),
        Err(error) if args.json => {
            let out =
                json!({ "status": "failed", "replies": [], "session": session, "error": report::error_json(&error) });
            report::data(&report::json_text(&out))?;
            Ok(report::exit_code(&error))
        }
        Err(error) => Err(error),
    }
}

async fn run_in(args: &Args, session: &str) -> Result<ExitCode> {
    check_session(session)?;
    let input = args.input.read()?;
    let host = open(args).await?;
    let result = match input {
        None if !args.json && std::io::stdin().is_terminal() => chat(&host, &to_chat(args, session)).await,
        input => once(args, session, &host, input.unwrap_or_else(|| json!({}))).await,
    };
    host.stop().await?;
    result
}

async fn open(args: &Args) -> Result<RunnerHost> {
    let config = HostConfig::for_tenant(id::parse("tenant", &args.tenant)?).with_strict_packs(args.strict);
    let progress = Progress::on_stderr(args.json);
    let reading = || format!("reading {}…", args.pack.display());
    let pack = progress.of(load::read(&args.pack, args.components.options()?), reading).await?;
    let component = (pack.form == PackForm::Wasm).then(|| pack.path.clone());
    let host = HostBuilder::new().with_config(config).with_data_dir(args.data.dir()).build()?;
    host.start().await?;
    let compiling = progress::compiling(pack.components.len());
    let loaded = progress.of(host.load(&args.tenant, pack), || compiling).await?;
    if !args.json {
        loaded.notes.iter().for_each(report::warn);
    }
    match component.filter(|_| loaded.program.flows.flows.is_empty()) {
        Some(path) => Err(without_flows(&path)),
        None => Ok(host),
    }
}

fn without_flows(component: &Path) -> Error {
    let path = component.display();
    Error::new(Code::PackKind, format!("{path} is a component, and no pack with flows"))
        .hint(format!("call it with `invoke --wasm {path} --op OPERATION`"))
}

fn to_chat(args: &Args, session: &str) -> Chat {
    Chat { tenant: args.tenant.clone(), session: session.to_owned(), flow: args.flow.clone(), user: args.user.clone() }
}

async fn once(args: &Args, session: &str, host: &RunnerHost, input: Value) -> Result<ExitCode> {
    let event = event(&to_chat(args, session), input)?;
    let outcome = host.submit(event).await?.outcome().await?;
    if args.json {
        report::data(&report::json_text(&outcome_json(&outcome, session)))?;
        return Ok(ExitCode::SUCCESS);
    }
    for reply in &outcome.replies {
        report::data(&reply_text(reply))?;
    }
    if let Status::Waiting { reason } = &outcome.status {
        let why = reason.as_ref().map(|r| format!(" ({r})")).unwrap_or_default();
        report::say(&format!("waiting{why}; go on with --session {session}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn outcome_json(outcome: &Outcome, session: &str) -> Value {
    let mut out = json!({ "status": "completed", "replies": outcome.replies, "session": session });
    if let (Status::Waiting { reason }, Some(map)) = (&outcome.status, out.as_object_mut()) {
        map.insert("status".to_owned(), "waiting".into());
        if let Some(reason) = reason {
            map.insert("reason".to_owned(), reason.as_str().into());
        }
    }
    out
}
