//! `invoke`: one operation of one component, outside any flow.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::abi::call::{Answer, Call, CallFailure, add_config};
use crate::abi::{Prepared, Registry};
use crate::capabilities::scope::Scope;
use crate::capabilities::services::Services;
use crate::capabilities::state_view::StateView;
use crate::cli::progress::{self, Progress};
use crate::cli::report;
use crate::cli::sources::{ComponentArgs, InputArgs};
use crate::config::{HostConfig, RunnerConfig};
use crate::engine::{Binary, Engine, EngineOptions};
use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::pack::model::{Pack, ProviderDecl};
use crate::run::program::Provider;
use crate::session::SessionKey;
use crate::store::memory::MemoryStore;
use crate::tenant::load::{assets_dir, read, read_component};
use crate::tenant::provider;

/// Call one operation of a component or provider, outside any flow
///
/// The component runs under the same limits as in a flow. State that it writes is gone when the command ends.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  greentic-runner invoke --wasm echo.wasm --op echo --input '{\"text\": \"hi\"}'
  greentic-runner invoke --pack my.gtpack --provider messaging.demo --op send --input '{}'

With --json, stdout holds one object: {ok: true, output, host_calls, micros}, or {ok: false, error} with
component_error (the component's or host's error as a flow's err_map sees it), host_calls and micros if the call was
begun.")]
#[command(group(clap::ArgGroup::new("source").required(true).args(["wasm", "pack"])))]
pub(super) struct Args {
    /// A component
    #[arg(long, value_name = "FILE")]
    wasm: Option<PathBuf>,
    /// A pack, with --provider or --component
    #[arg(long, value_name = "PATH")]
    pack: Option<PathBuf>,
    /// The provider to call
    #[arg(long, value_name = "ID", requires = "pack", conflicts_with_all = ["component", "wasm"])]
    provider: Option<String>,
    /// The component to call
    #[arg(long, value_name = "ID", requires = "pack", conflicts_with = "wasm")]
    component: Option<String>,
    /// The operation
    #[arg(long, value_name = "NAME", required_unless_present = "describe")]
    op: Option<String>,
    /// Show what the component or provider says of itself, and the generation that it speaks, instead of calling it
    #[arg(long, conflicts_with = "op")]
    describe: bool,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    components: ComponentArgs,
    /// Print one JSON object {ok, output | error, component_error, host_calls, micros}
    #[arg(long)]
    json: bool,
}

/// What is called.
struct Target {
    id: Id,
    component: Arc<Prepared>,
    as_provider: bool,
    /// The configuration that goes into the input.
    config: Option<Value>,
}

pub(super) async fn run(args: Args) -> Result<ExitCode> {
    match Box::pin(call(&args)).await {
        Err(error) if args.json => {
            report::data(&report::json_text(&json!({ "ok": false, "error": report::error_json(&error) })))?;
            Ok(report::exit_code(&error))
        }
        result => result,
    }
}

async fn call(args: &Args) -> Result<ExitCode> {
    let mut input = args.input.read()?.unwrap_or_else(|| json!({}));
    let config = HostConfig::for_tenant(Id::from("local"));
    let registry = Registry::new(Engine::new(EngineOptions::default())?);
    let progress = Progress::on_stderr(args.json);
    let pack = progress.of(pack(args), || "reading the file…".to_owned()).await?;
    let (_, note) = pack.judge(&RunnerConfig::from_env()?.trust, None).accepted()?;
    note.iter().for_each(report::warn);
    let compiling = || progress::compiling(1);
    if args.describe {
        return progress.of(Box::pin(describe(args, &registry, &config, &pack)), compiling).await;
    }
    let target = progress.of(Box::pin(target(args, &registry, &config, &pack)), compiling).await?;
    add_config(&mut input, target.config.as_ref());
    let limits = config.limits();
    let assets = assets_dir(&registry, &pack.assets, std::iter::once(&*target.component)).await?;
    let call = Call {
        scope: scope(&pack.id, &target.id)?,
        op: args.op.as_deref().unwrap_or_default(),
        input: &input,
        state: StateView::new(Arc::new(MemoryStore::default()), Arc::default()),
        assets,
        services: Services::default(),
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
    show(args, result, micros)
}

async fn pack(args: &Args) -> Result<Pack> {
    let options = args.components.options()?;
    match (&args.wasm, &args.pack) {
        (Some(file), _) => read_component(file, options).await,
        (None, Some(path)) => read(path, options).await,
        (None, None) => Err(Error::new(Code::Usage, "nothing is given to call").hint("give --wasm or --pack")),
    }
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
    if let Some(provider) = &args.provider {
        return provider_target(args, registry, config, pack, provider).await;
    }
    let (id, component, as_provider) = chosen(args, registry, config, pack).await?;
    Ok(Target { id, component, as_provider, config: None })
}

/// Prints `{generation, description}` of the component, or of the provider.
async fn describe(args: &Args, registry: &Registry, config: &HostConfig, pack: &Pack) -> Result<ExitCode> {
    let (id, component, as_provider) = chosen(args, registry, config, pack).await?;
    let limits = config.limits();
    let (generation, description) = match as_provider {
        true => (component.provider_generation(), Some(component.describe(&id, &limits).await?)),
        false => (component.component_generation(), component.describe_component(&id, &limits).await?),
    };
    let shown =
        json!({ "generation": generation.map(|generation| generation.to_string()), "description": description });
    report::data(&report::json_text(&shown))?;
    Ok(ExitCode::SUCCESS)
}

/// The component that is meant, and whether as a provider.
async fn chosen(
    args: &Args,
    registry: &Registry,
    config: &HostConfig,
    pack: &Pack,
) -> Result<(Id, Arc<Prepared>, bool)> {
    let (component, as_provider) = match (&args.provider, &args.component) {
        (Some(provider), _) => (&*declared(pack, provider)?.component, Some(true)),
        (None, Some(component)) => (component.as_str(), Some(false)),
        (None, None) => match pack.components.keys().next() {
            Some(only) if pack.components.len() == 1 => (&**only, None),
            _ => return Err(several(pack)),
        },
    };
    let (id, component) = prepare(registry, config, pack, component).await?;
    let as_provider = as_provider.unwrap_or_else(|| component.component_callable().is_err());
    match as_provider {
        true => component.provider_callable()?,
        false => component.component_callable()?,
    }
    Ok((id, component, as_provider))
}

fn declared<'a>(pack: &'a Pack, provider: &str) -> Result<&'a ProviderDecl> {
    pack.providers.get(provider).ok_or_else(|| {
        Error::new(Code::ProviderUnknown, format!("the pack has no provider {:?}", crate::id::clip(provider)))
            .hint(format!("it has: {}", names(pack.providers.keys())))
    })
}

/// A provider as flows call it: with its configuration, and only operations that it or its declaration names.
async fn provider_target(
    args: &Args,
    registry: &Registry,
    config: &HostConfig,
    pack: &Pack,
    provider: &str,
) -> Result<Target> {
    let decl = declared(pack, provider)?;
    let (id, component) = prepare(registry, config, pack, &decl.component).await?;
    let loaded = provider::load(decl, component, None, &config.limits()).await?;
    if let Some(ops) = loaded.ops.filter(|ops| !args.op.as_ref().is_some_and(|op| ops.contains(op))) {
        let message = format!(
            "provider {provider} has no operation {:?}",
            crate::id::clip(args.op.as_deref().unwrap_or_default())
        );
        return Err(Error::new(Code::OpUnknown, message).hint(format!("it has: {}", ops.join(", "))));
    }
    let Provider { component, config, .. } = loaded.provider;
    Ok(Target { id, component, as_provider: true, config })
}

async fn prepare(
    registry: &Registry,
    config: &HostConfig,
    pack: &Pack,
    component: &str,
) -> Result<(Id, Arc<Prepared>)> {
    let found = pack.components.get(component).ok_or_else(|| {
        Error::new(Code::ComponentUnknown, format!("the pack has no component {:?}", crate::id::clip(component)))
            .hint(format!("it has: {}", names(pack.components.keys())))
    })?;
    let binary = Binary { name: &found.id, bytes: &found.wasm, digest: found.digest.0 };
    let prepared = registry.prepare(&binary, config.grants()).await?;
    Ok((found.id.clone(), prepared))
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
        flow_type: None,
        node: Id::from(""),
        lane: session.lane(pack),
        session: session.shown(),
        user: None,
        locale: None,
        attempt: 1,
        idempotency_key: uuid::Uuid::new_v4().simple().to_string(),
        correlation_id: uuid::Uuid::new_v4().to_string(),
    })
}
