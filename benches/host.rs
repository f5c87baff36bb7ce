//! What the host adds: a whole `handle_activity`, and how the cost of a flow grows with its nodes.
//!
//! Compare with `invoke`: the difference between `host/1 provider.invoke` and `invoke/ours` is the flow, the run and
//! the (memory) store. A flow of 50 nodes must cost about 50 times a node, not more.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking"
)]

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::Path;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use greentic_runner_host::{Activity, HostBuilder, HostConfig, RunnerHost};
use serde_json::json;
use tokio::runtime::Runtime;

/// A flow of `count` nodes of one kind, each leading to the next.
fn flow(count: usize, node: &str) -> String {
    let mut text = "id: bench\ntype: messaging\nnodes:\n".to_owned();
    for number in 0..count {
        let _ = writeln!(text, "  n{number}:\n    {node}");
        if number + 1 < count {
            let _ = writeln!(text, "    routing: [{{ to: n{} }}]", number + 1);
        }
    }
    text
}

fn pack(dir: &Path, flow: &str) {
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/guests");
    std::fs::create_dir_all(dir.join("components")).unwrap();
    std::fs::copy(guests.join("echo-provider.wasm"), dir.join("components/echo.wasm"))
        .expect("run `cargo xtask guests` first");
    std::fs::write(dir.join("index.ygtc"), flow).unwrap();
    let yaml =
        "pack_id: bench\nversion: 1.0.0\nproviders:\n  - { provider_type: bench.echo, component: echo, ops: [echo] }\n";
    std::fs::write(dir.join("pack.yaml"), yaml).unwrap();
}

fn host(runtime: &Runtime, flow: &str) -> RunnerHost {
    let dir = tempfile::tempdir().unwrap();
    pack(dir.path(), flow);
    let config = HostConfig::from_yaml("tenant: t", "bench.yaml").unwrap();
    runtime.block_on(async {
        let host = HostBuilder::new().with_config(config).with_memory_store().build().unwrap();
        host.start().await.unwrap();
        host.load_pack("t", dir.path()).await.unwrap();
        host
    })
}

fn bench_flow(criterion: &mut Criterion, name: &str, node: &str, counts: &[usize]) {
    let runtime = Runtime::new().unwrap();
    let mut group = criterion.benchmark_group(name);
    for &count in counts {
        let host = host(&runtime, &flow(count, node));
        let payload = json!({ "text": "x".repeat(1024) });
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.to_async(&runtime).iter(|| async {
                let activity = Activity::custom("bench", payload.clone());
                black_box(host.handle_activity("t", activity).await.unwrap())
            });
        });
    }
    group.finish();
}

fn benches(criterion: &mut Criterion) {
    bench_flow(criterion, "host/emit.log", "emit.log: { n: 1 }", &[1, 10, 50]);
    let call = "provider.invoke: { provider_id: bench.echo, op: echo, input: { text: '{{in.text}}' } }";
    bench_flow(criterion, "host/provider.invoke", call, &[1, 10, 50]);
}

criterion_group!(host_benches, benches);
criterion_main!(host_benches);
