//! Tenants against memory and time: many tenants on one pack cost one compilation, and little each.
//!
//! For each number of tenants: how long the first load took, how much the process grew, and how long a look at the index
//! takes when nothing changed and when one tenant's entry changed. `cargo bench --bench tenants` measures up to 1,000
//! tenants; run as a test, it does a few.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use greentic_runner_host::audit::AuditLog;
use greentic_runner_host::ingest::Locator;
use greentic_runner_host::pack;
use greentic_runner_host::pack::model::Digest;
use greentic_runner_host::reload::status::TenantOutcome;
use greentic_runner_host::reload::{ReloadConfig, Reloader};
use greentic_runner_host::{HostBuilder, HostConfig, RunnerHost};
use serde_json::{Map, Value, json};

const FLOW: &str = "
id: index
type: messaging
nodes:
  call:
    provider.invoke: { provider_id: bench.echo, op: echo, input: { text: '{{in.text}}' } }
    routing: [{ to: answer }]
  answer:
    emit.response: { text: '{{node.call.text}}' }
";

fn publish(dir: &Path, version: &str) -> (String, Digest) {
    let sources = dir.join(format!("sources-{version}"));
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/guests");
    std::fs::create_dir_all(sources.join("components")).unwrap();
    std::fs::copy(guests.join("echo-provider.wasm"), sources.join("components/echo.wasm"))
        .expect("run `cargo xtask guests` first");
    std::fs::write(sources.join("index.ygtc"), FLOW).unwrap();
    let yaml = format!(
        "pack_id: bench\nversion: {version}\nproviders:\n  - {{ provider_type: bench.echo, component: echo, ops: [echo] }}\n"
    );
    std::fs::write(sources.join("pack.yaml"), yaml).unwrap();
    let name = format!("bench-{version}.gtpack");
    pack::build(&sources, &dir.join(&name)).unwrap();
    let digest = Digest::of(&std::fs::read(dir.join(&name)).unwrap());
    (name, digest)
}

fn tenants(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("t{n}")).collect()
}

/// Writes an index in which every tenant runs `main`, but the first one `first`.
fn write_index(dir: &Path, count: usize, main: &(String, Digest), first: &(String, Digest)) {
    let entry =
        |(name, digest): &(String, Digest)| json!({ "main_pack": { "path": name, "digest": digest.to_string() } });
    let entries = tenants(count).into_iter().enumerate();
    let entries: Map<String, Value> =
        entries.map(|(at, tenant)| (tenant, entry(if at == 0 { first } else { main }))).collect();
    std::fs::write(dir.join("index.json"), json!({ "tenants": entries }).to_string()).unwrap();
}

/// What the process holds in memory, in KiB; none where the system does not tell.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().split(' ').next()?.parse().ok()
}

struct Measured {
    first: Duration,
    unchanged: Duration,
    one_changed: Duration,
    grown: Option<u64>,
    compiled: u64,
}

async fn measure(count: usize) -> Measured {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (publish(dir.path(), "1.0.0"), publish(dir.path(), "1.0.1"));
    write_index(dir.path(), count, &one, &one);
    let builder = tenants(count).iter().fold(HostBuilder::new().with_memory_store(), |builder, tenant| {
        builder.with_config(HostConfig::from_yaml(&format!("tenant: {tenant}"), "bench.yaml").unwrap())
    });
    let host = Arc::new(builder.build().unwrap());
    let config = ReloadConfig {
        interval: None,
        watch_files: false,
        cache_dir: dir.path().join("cache"),
        ..ReloadConfig::index(Locator::Fs(dir.path().join("index.json")))
    };
    let mut reloader = Reloader::new(Arc::clone(&host), Arc::new(AuditLog::without_file()), config).unwrap();
    let before = resident();
    let first = timed(&mut reloader, TenantOutcome::Loaded, count).await;
    let grown = before.zip(resident()).map(|(before, after)| after.saturating_sub(before));
    let compiled = compiled(&host);
    let unchanged = timed(&mut reloader, TenantOutcome::Unchanged, count).await;
    write_index(dir.path(), count, &one, &two);
    let one_changed = timed(&mut reloader, TenantOutcome::Loaded, 1).await;
    Measured { first, unchanged, one_changed, grown, compiled }
}

fn compiled(host: &RunnerHost) -> u64 {
    host.work().compiled
}

/// A reload in which `count` tenants have this outcome.
async fn timed(reloader: &mut Reloader, outcome: TenantOutcome, count: usize) -> Duration {
    let begun = Instant::now();
    let done = reloader.first().await.unwrap();
    let took = begun.elapsed();
    assert_eq!(done.iter().filter(|tenant| tenant.outcome == outcome).count(), count);
    took
}

fn main() {
    let counts: &[usize] = if std::env::args().any(|arg| arg == "--bench") { &[1, 10, 100, 1000] } else { &[1, 3] };
    println!("tenants  compiled  first load  unchanged  one changed  grown by  per tenant");
    for &count in counts {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let Measured { first, unchanged, one_changed, grown, compiled } = runtime.block_on(measure(count));
        assert_eq!(compiled, 1, "one pack is compiled once");
        let kib = |grown: Option<u64>| grown.map_or_else(|| "unknown".to_owned(), |kib| format!("{kib} KiB"));
        println!(
            "{count:>7}  {compiled:>8}  {:>10}  {:>9}  {:>11}  {:>8}  {:>10}",
            format!("{first:.1?}"),
            format!("{unchanged:.1?}"),
            format!("{one_changed:.1?}"),
            kib(grown),
            kib(grown.map(|kib| kib / count as u64)),
        );
    }
}
