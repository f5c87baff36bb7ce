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

#[path = "support/pack.rs"]
mod pack;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use greentic_runner_host::Activity;
use serde_json::json;
use tokio::runtime::Runtime;

use pack::{INVOKE, flow, host};

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
    bench_flow(criterion, "host/provider.invoke", INVOKE, &[1, 10, 50]);
}

criterion_group!(host_benches, benches);
criterion_main!(host_benches);
