//! What telemetry costs: one whole event, whose flow calls a component at each of ten nodes, in one run
//!
//! - `silent`: in a process that has no subscriber, where no span or log record can be made;
//! - `off`: with the log that the program has, and nobody who collects spans;
//! - `on`: and with every trace collected and sent to a collector on this machine that takes all of it.
//!
//! Where nobody collects, nothing is made: `off` must be as quick as `silent`. What is counted for `/metrics` is in all
//! of them, for it always is.

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
use std::time::Duration;

use axum::Router;
use criterion::{Criterion, criterion_group, criterion_main};
use greentic_runner_host::Activity;
use greentic_runner_host::telemetry::{Protocol, Telemetry, TelemetryConfig};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tracing::Dispatch;
use tracing::dispatcher::set_default;
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, LevelFilter, filter_fn};
use tracing_subscriber::prelude::*;

use pack::{INVOKE, flow, host};

/// How the spans of the host are known.
const SPANS: &str = "greentic::span";

/// As `greentic-runner serve` logs, but to nowhere.
fn log(telemetry: Option<&Telemetry>) -> Dispatch {
    let not_spans = filter_fn(|metadata| !metadata.is_span() || metadata.target() != SPANS);
    let not_spans = not_spans.with_max_level_hint(LevelFilter::TRACE);
    let filter = EnvFilter::new("warn,greentic_runner_host=info").and(not_spans);
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::sink).with_filter(filter);
    Dispatch::new(tracing_subscriber::registry().with(log).with(telemetry.map(Telemetry::layer)))
}

/// A runtime whose threads have a subscriber as long as they live.
fn runtime(dispatch: &Dispatch) -> Runtime {
    let dispatch = dispatch.clone();
    let mut builder = Builder::new_multi_thread();
    builder.enable_all().on_thread_start(move || std::mem::forget(set_default(&dispatch)));
    builder.build().unwrap()
}

/// A collector that takes everything.
fn collector(runtime: &Runtime) -> String {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    runtime.spawn(async { axum::serve(listener, Router::new().fallback(|| async {})).await });
    url
}

fn bench(criterion: &mut Criterion, name: &str, dispatch: &Dispatch) {
    let runtime = runtime(dispatch);
    let host = host(&runtime, &flow(10, INVOKE));
    let payload = json!({ "text": "x".repeat(1024) });
    let _here = set_default(dispatch);
    criterion.bench_function(&format!("telemetry/{name}"), |bencher| {
        bencher.to_async(&runtime).iter(|| async {
            let activity = Activity::custom("bench", payload.clone());
            black_box(host.handle_activity("t", activity).await.unwrap())
        });
    });
}

fn benches(criterion: &mut Criterion) {
    bench(criterion, "silent", &Dispatch::none());
    bench(criterion, "off", &log(None));
    let elsewhere = Runtime::new().unwrap();
    let telemetry = Telemetry::start(&TelemetryConfig::to(&collector(&elsewhere), Protocol::Http)).unwrap();
    bench(criterion, "on", &log(Some(&telemetry)));
    telemetry.stop(Duration::from_secs(5));
}

criterion_group!(telemetry_benches, benches);
criterion_main!(telemetry_benches);
