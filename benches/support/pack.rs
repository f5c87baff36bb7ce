//! A pack with one flow, and a host that runs it.

use std::fmt::Write as _;
use std::path::Path;

use greentic_runner_host::{HostBuilder, HostConfig, RunnerHost};
use tokio::runtime::Runtime;

/// A node that calls a component.
pub(crate) const INVOKE: &str =
    "provider.invoke: { provider_id: bench.echo, op: echo, input: { text: '{{in.text}}' } }";

/// A flow of `count` nodes of one kind, each leading to the next.
pub(crate) fn flow(count: usize, node: &str) -> String {
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

/// A host whose one tenant has a pack with this flow.
pub(crate) fn host(runtime: &Runtime, flow: &str) -> RunnerHost {
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
