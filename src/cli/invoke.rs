//! `invoke`: one operation of one component, outside any flow.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::abi::call::{Answer, Call, CallFailure};
use crate::abi::{Prepared, Registry};
use crate::capabilities::scope::Scope;
use crate::capabilities::state_view::StateView;
use crate::cli::report;
use crate::cli::sources::{ComponentArgs, InputArgs};
use crate::config::{HostConfig, RunnerConfig};
use crate::engine::{Binary, Engine, EngineOptions};
use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::pack::model::Pack;
use crate::session::SessionKey;
use crate::store::memory::MemoryStore;
use crate::tenant::load::read;

/// Call one operation of a component or provider, outside any flow
///
/// The component runs under the same limits as in a flow. State that it writes is gone when the command ends.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  greentic-runner invoke --wasm echo.wasm --op echo --input '{\"text\": \"hi\"}'
  greentic-runner invoke --pack my.gtpack --provider messaging.demo --op send --input '{}'")]
#[command(group(clap::ArgGroup::new("source").required(true).args(["wasm", "pack"])))]
pub(super) struct Args {
    /// A component
    #[arg(long, value_name = "FILE")]
    wasm: Option<PathBuf>,
    /// A pack, with --provider or --component
    #[arg(long, value_name = "PATH")]
    pack: Option<PathBuf>,
    /// The provider to call
    #[arg(long, value_name = "ID", requires = "pack", conflicts_with = "component")]
    provider: Option<String>,
    /// The component to call
    #[arg(long, value_name = "ID", requires = "pack")]
    component: Option<String>,
    /// The operation
    #[arg(long, value_name = "NAME")]
    op: String,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    components: ComponentArgs,
    /// Print one JSON object {ok, output | error, host_calls, micros}
    #[arg(long)]
    json: bool,
}

/// What is called.
struct Target {
    id: Id,
    component: Arc<Prepared>,
    as_provider: bool,
}

pub(super) async fn run(args: Args) -> Result<ExitCode> {
    let input = args.input.read()?.unwrap_or_else(|| json!({}));
    let config = HostConfig::for_tenant(Id::from("local"));
    let registry = Registry::new(Engine::new(EngineOptions::default())?);
    let path = args.wasm.as_ref().or(args.pack.as_ref());
    let path = path.ok_or_else(|| Error::new(Code::Usage, "give --wasm or --pack"))?;
    let pack = read(path, args.components.options()?).await?;
    let target = target(&args, &registry, &config, &pack).await?;
    let limits = config.limits();
    let call = Call {
        scope: scope(&pack.id, &target.id)?,
        op: &args.op,
        input: &input,
        state: StateView::new(Arc::new(MemoryStore::default()), Arc::default()),
        limits: &limits,
        deadline: Instant::now() + Duration::from_secs(3600),
        trace: args.json,
    };
    let begun = Instant::now();
    let result = if target.as_provider {
        target.component.invoke_provider(call).await
    } else {
        target.component.invoke_component(call).await
    };
    let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
    show(&args, result, micros)
}

fn show(args: &Args, result: Result<Answer, Box<CallFailure>>, micros: u64) -> Result<ExitCode> {
    match result {
        Ok(answer) if args.json => {
            let out = json!({
                "ok": true, "output": answer.output, "host_calls": answer.host_calls, "micros": micros,
            });
            report::data(&report::json_text(&out))?;
            Ok(ExitCode::SUCCESS)
        }
        Ok(answer) => report::data(&report::json_text(&answer.output)).map(|()| ExitCode::SUCCESS),
        Err(failure) if args.json => {
            let out = json!({
                "ok": false,
                "error": report::error_json(&failure.error),
                "component_error": failure.value,
                "host_calls": failure.host_calls,
                "micros": micros,
            });
            report::data(&report::json_text(&out))?;
            Ok(report::exit_code(&failure.error))
        }
        Err(failure) => Err(failure.error),
    }
}

async fn target(args: &Args, registry: &Registry, config: &HostConfig, pack: &Pack) -> Result<Target> {
    let (component, as_provider) = match (&args.provider, &args.component) {
        (Some(provider), _) => (provider_component(pack, provider)?, Some(true)),
        (None, Some(component)) => (component.as_str(), Some(false)),
        (None, None) => match pack.components.keys().next() {
            Some(only) if pack.components.len() == 1 => (&**only, None),
            _ => return Err(several(pack)),
        },
    };
    let found = pack.components.get(component).ok_or_else(|| {
        Error::new(Code::ComponentUnknown, format!("the pack has no component {:?}", crate::id::clip(component)))
            .hint(format!("it has: {}", names(pack.components.keys())))
    })?;
    let binary = Binary { name: &found.id, bytes: &found.wasm, digest: found.digest.0 };
    let component = registry.prepare(&binary, config.grants()).await?;
    let as_provider = as_provider.unwrap_or_else(|| component.component_callable().is_err());
    match as_provider {
        true => component.provider_callable()?,
        false => component.component_callable()?,
    }
    Ok(Target { id: found.id.clone(), component, as_provider })
}

fn provider_component<'a>(pack: &'a Pack, provider: &str) -> Result<&'a str> {
    let found = pack.providers.get(provider).ok_or_else(|| {
        Error::new(Code::ProviderUnknown, format!("the pack has no provider {:?}", crate::id::clip(provider)))
            .hint(format!("it has: {}", names(pack.providers.keys())))
    })?;
    Ok(&found.component)
}

fn several(pack: &Pack) -> Error {
    Error::new(Code::Usage, format!("the pack has {} components", pack.components.len()))
        .hint(format!("choose one with --component or --provider: {}", names(pack.components.keys())))
}

fn names<'a>(ids: impl Iterator<Item = &'a Id>) -> String {
    let names: Vec<_> = ids.map(AsRef::as_ref).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn scope(pack: &Id, component: &Id) -> Result<Scope> {
    let session = SessionKey::of(["local", "invoke", "-"]);
    Ok(Scope {
        tenant: Id::from("local"),
        env: RunnerConfig::from_env()?.env,
        pack: pack.clone(),
        component: component.clone(),
        provider: None,
        flow: Id::from(""),
        node: Id::from(""),
        lane: session.lane(pack),
        session: session.shown(),
        user: None,
        attempt: 1,
        idempotency_key: uuid::Uuid::new_v4().simple().to_string(),
        correlation_id: uuid::Uuid::new_v4().to_string(),
    })
}
