//! One call in a fresh instance, with 1 KiB of JSON there and back: the host's way (JSON in, JSON out, limits, state
//! view) and wasmtime alone (bytes in, bytes out), on the same engine and the same bytes in the same run.

use criterion::{Criterion, criterion_group, criterion_main};
use greentic_runner_bindings::node_v0_6::{InvocationEnvelope, NodePre, TenantCtx};
use greentic_runner_bindings::provider_schema_core::SchemaCorePre;
use greentic_runner_host::abi::call::Call;
use greentic_runner_host::capabilities::grants::Grants;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

mod support;
use support::{Bare, Guest, Host, bare_store, deadline, must, scope};

/// About 1 KiB of what a chat message looks like.
fn payload() -> Value {
    json!({
        "text": "x".repeat(640),
        "from": {"id": "user-1", "name": "A. Visitor"},
        "channel": "C123", "thread": null, "ts": 1_731_315_600.000_1,
        "attachments": [{"kind": "image", "bytes": 10_240, "tags": ["a", "b", "c"]}],
        "metadata": {"locale": "en", "retries": 0, "flags": [true, false, true]},
        "padding": "y".repeat(100),
    })
}

fn call<'a>(host: &'a Host, scope: &greentic_runner_host::capabilities::scope::Scope, input: &'a Value) -> Call<'a> {
    Call {
        scope: scope.clone(),
        op: "echo",
        input,
        state: host.state(),
        assets: None,
        services: host.services.clone(),
        limits: &host.limits,
        deadline: deadline(),
        trace: false,
    }
}

fn providers(criterion: &mut Criterion, runtime: &Runtime, host: &Host) -> anyhow::Result<()> {
    let (input, scope) = (payload(), scope());
    let bytes = serde_json::to_vec(&input)?;
    let mut group = criterion.benchmark_group("invoke-provider");
    for guest in [Guest::wat()?, Guest::fixture("echo-provider")?] {
        let compiled = runtime.block_on(host.engine().compile(&guest.binary()))?;
        let bare = SchemaCorePre::new(Bare::link(host.engine(), &compiled)?)?;
        group.bench_function(format!("{}/wasmtime", guest.name), |bencher| {
            bencher.to_async(runtime).iter(async || {
                let mut store = bare_store(host.engine());
                let instance = must(bare.instantiate_async(&mut store).await);
                let api = instance.greentic_provider_schema_core_schema_core_api();
                must(api.call_invoke(&mut store, "echo", &bytes).await)
            });
        });

        let ours = runtime.block_on(host.registry.prepare(&guest.binary(), Grants::all()))?;
        group.bench_function(format!("{}/host", guest.name), |bencher| {
            bencher
                .to_async(runtime)
                .iter(async || must(ours.invoke_provider(call(host, &scope, &input)).await).output);
        });
    }
    group.finish();
    Ok(())
}

fn nodes(criterion: &mut Criterion, runtime: &Runtime, host: &Host) -> anyhow::Result<()> {
    let (input, scope) = (payload(), scope());
    let mut bytes = Vec::new();
    ciborium::into_writer(&input, &mut bytes)?;
    let envelope = envelope(bytes);
    let guest = Guest::fixture("echo-node")?;
    let compiled = runtime.block_on(host.engine().compile(&guest.binary()))?;
    let bare = NodePre::new(Bare::link(host.engine(), &compiled)?)?;
    let mut group = criterion.benchmark_group("invoke-node");
    group.bench_function("echo-node/wasmtime", |bencher| {
        bencher.to_async(runtime).iter(async || {
            let mut store = bare_store(host.engine());
            let instance = must(bare.instantiate_async(&mut store).await);
            must(instance.greentic_component_node().call_invoke(&mut store, "echo", &envelope).await)
        });
    });
    let ours = runtime.block_on(host.registry.prepare(&guest.binary(), Grants::all()))?;
    group.bench_function("echo-node/host", |bencher| {
        bencher.to_async(runtime).iter(async || must(ours.invoke_component(call(host, &scope, &input)).await).output);
    });
    group.finish();
    Ok(())
}

fn envelope(payload_cbor: Vec<u8>) -> InvocationEnvelope {
    let text = |s: &str| s.to_owned();
    let ctx = TenantCtx {
        tenant_id: text("tenant"),
        team_id: None,
        user_id: Some(text("user")),
        env_id: text("local"),
        trace_id: text("correlation"),
        correlation_id: text("correlation"),
        deadline_ms: u64::MAX,
        attempt: 1,
        idempotency_key: Some(text("key")),
        i18n_id: text("en"),
    };
    InvocationEnvelope {
        ctx,
        flow_id: text("flow"),
        step_id: text("node"),
        component_id: text("component"),
        attempt: 1,
        payload_cbor,
        metadata_cbor: None,
    }
}

fn all(criterion: &mut Criterion) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let host = Host::new()?;
    providers(criterion, &runtime, &host)?;
    nodes(criterion, &runtime, &host)
}

fn run(criterion: &mut Criterion) {
    must(all(criterion));
}

criterion_group!(benches, run);
criterion_main!(benches);
