//! A fresh instance, made and dropped: the host's guest with its limits armed, and wasmtime alone, on the same engine
//! and the same bytes in the same run. The difference is what the host costs.

use criterion::{Criterion, criterion_group, criterion_main};
use greentic_runner_host::capabilities::grants::Grants;
use greentic_runner_host::capabilities::{HostCtx, surface};
use greentic_runner_host::conform;
use greentic_runner_host::engine::until;

mod support;
use support::{Bare, Guest, Host, bare_store, deadline, must, scope};

fn guests() -> anyhow::Result<[Guest; 2]> {
    Ok([Guest::wat()?, Guest::fixture("echo-provider")?])
}

fn instantiate(criterion: &mut Criterion) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let host = Host::new()?;
    let mut group = criterion.benchmark_group("instantiate");
    for guest in guests()? {
        let compiled = runtime.block_on(host.engine().compile(&guest.binary()))?;
        let bare = Bare::link(host.engine(), &compiled)?;
        group.bench_function(format!("{}/wasmtime", guest.name), |bencher| {
            bencher.to_async(&runtime).iter(async || {
                let mut store = bare_store(host.engine());
                must(bare.instantiate_async(&mut store).await)
            });
        });

        let shape = conform::inspect(guest.name, guest.binary().bytes)?;
        let linker = surface::linker(guest.name, &compiled.component, &shape, Grants::all())?;
        let ours = linker.instantiate_pre(&compiled.component)?;
        let scope = scope();
        group.bench_function(format!("{}/host", guest.name), |bencher| {
            bencher.to_async(&runtime).iter(async || {
                let (scope, services) = (scope.clone(), host.services.clone());
                let ctx = HostCtx::new(scope, host.state(), services, &host.limits, deadline(), false);
                let mut guest = must(host.engine().guest(ctx, &host.limits, deadline()).await);
                must(until(guest.deadline(), ours.instantiate_async(guest.store())).await)
            });
        });
    }
    group.finish();
    Ok(())
}

fn run(criterion: &mut Criterion) {
    must(instantiate(criterion));
}

criterion_group!(benches, run);
criterion_main!(benches);
