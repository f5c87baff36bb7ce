//! The engine with hand-written guests: every limit ends a guest with its own code.

use std::time::{Duration, Instant};

use bytes::Bytes;
use wasmtime::component::Linker;

use super::limits::Limits;
use super::*;

struct Data(Limiter);

impl GuestData for Data {
    fn limiter(&mut self) -> &mut Limiter {
        &mut self.0
    }
}

fn options() -> EngineOptions {
    EngineOptions { instances: 4, ..EngineOptions::default() }
}

/// Of time there is plenty, so that a busy machine is not what ends a guest.
fn limits() -> Limits {
    Limits { memory_bytes: 1 << 20, timeout: Duration::from_secs(30), handles: 4, ..Limits::default() }
}

/// The same for guests that do not end by themselves.
fn short(limits: &Limits) -> Limits {
    Limits { timeout: Duration::from_millis(80), ..limits.clone() }
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// A component whose export `run` runs `body`, with one page of memory and the host's functions at hand.
fn component(body: &str) -> String {
    format!(
        r#"(component
            (import "sleep" (func $sleep))
            (import "take" (func $take (param "s" string)))
            (core module $libc (memory (export "memory") 1) (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0)))
            (core instance $libc (instantiate $libc))
            (core func $sleep-core (canon lower (func $sleep)))
            (core func $take-core (canon lower (func $take) (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
            (core module $m
                (import "host" "sleep" (func $sleep))
                (import "host" "take" (func $take (param i32 i32)))
                (import "libc" "memory" (memory 1))
                {body})
            (core instance $m (instantiate $m
                (with "host" (instance (export "sleep" (func $sleep-core)) (export "take" (func $take-core))))
                (with "libc" (instance $libc))))
            (func (export "run") (canon lift (core func $m "run"))))"#
    )
}

async fn compile(engine: &Engine, wat: &str) -> Result<Arc<Compiled>> {
    let bytes = Bytes::from(wat::parse_str(wat).unwrap());
    engine.compile(&Binary { name: "c", digest: *blake3::hash(&bytes).as_bytes(), bytes: &bytes }).await
}

/// Instantiates a component in a fresh guest and calls its export `run`.
async fn run(engine: &Engine, compiled: &Compiled, limits: &Limits) -> Result<()> {
    let mut linker = Linker::<Data>::new(engine.wasm());
    linker
        .root()
        .func_wrap_async("sleep", |_, (): ()| Box::new(std::future::pending::<wasmtime::Result<()>>()))
        .unwrap();
    linker.root().func_wrap("take", |_, (_,): (String,)| Ok(())).unwrap();
    let pre = linker.instantiate_pre(&compiled.component).unwrap();
    let mut guest = engine.guest(Data(Limiter::new(limits.memory_bytes)), limits, far()).await?;
    let deadline = guest.deadline();
    let store = guest.store();
    let result = until(deadline, async {
        let instance = pre.instantiate_async(&mut *store).await?;
        instance.get_typed_func::<(), ()>(&mut *store, "run")?.call_async(store, ()).await
    });
    let result = result.await;
    result.map_err(|e| guest.failure(Subject { component: "c", op: "run" }, &e))
}

async fn run_body(engine: &Engine, body: &str, limits: &Limits) -> Option<Code> {
    let compiled = compile(engine, &component(body)).await.unwrap();
    run(engine, &compiled, limits).await.err().map(|e| e.code())
}

#[tokio::test]
async fn every_limit_has_its_code() {
    let cases = [
        (r#"(func (export "run"))"#, None),
        (r#"(func (export "run") (loop $l (br $l)))"#, Some(Code::GuestTimeout)),
        (r#"(func (export "run")) (func $s (loop $l (br $l))) (start $s)"#, Some(Code::GuestTimeout)),
        (r#"(func (export "run") (call $sleep))"#, Some(Code::GuestTimeout)),
        (r#"(func $r (export "run") (call $r))"#, Some(Code::GuestStack)),
        (r#"(func (export "run") (unreachable))"#, Some(Code::GuestTrap)),
        (r#"(func (export "run") (i32.div_s (i32.const 1) (i32.const 0)) (drop))"#, Some(Code::GuestTrap)),
        // A refusal alone is for the guest to handle; what it breaks afterwards is the refusal's consequence.
        (r#"(func (export "run") (drop (memory.grow (i32.const 1000))))"#, None),
        (r#"(func (export "run") (drop (memory.grow (i32.const 1000))) (unreachable))"#, Some(Code::GuestMemory)),
        (r#"(memory $big 32) (func (export "run"))"#, Some(Code::GuestMemory)),
        (r#"(func (export "run") (call $take (i32.const 0) (i32.const 60000)))"#, Some(Code::GuestHostCalls)),
    ];
    let engine = Engine::new(options()).unwrap();
    let limits = Limits { host_call_bytes: 50_000, output_bytes: 50_000, ..limits() };
    let short = short(&limits);
    for (body, expected) in cases {
        let limits = if expected == Some(Code::GuestTimeout) { &short } else { &limits };
        assert_eq!(run_body(&engine, body, limits).await, expected, "{body}");
    }
    assert_eq!(engine.free_guests(), 3, "every place is given back");
}

#[tokio::test]
async fn handles_are_bounded() {
    let wat = r#"(component
        (type $r (resource (rep i32)))
        (core func $new (canon resource.new $r))
        (core module $m (import "" "new" (func $new (param i32) (result i32)))
            (func (export "run") (loop $l (drop (call $new (i32.const 0))) (br $l))))
        (core instance $m (instantiate $m (with "" (instance (export "new" (func $new))))))
        (func (export "run") (canon lift (core func $m "run"))))"#;
    let engine = Engine::new(options()).unwrap();
    let compiled = compile(&engine, wat).await.unwrap();
    let error = run(&engine, &compiled, &limits()).await.unwrap_err();
    assert_eq!(error.code(), Code::GuestHostCalls);
    assert!(error.message().contains("handles"), "{error}");
}

#[tokio::test]
async fn without_a_pool_the_limits_are_the_same() {
    let engine = Engine::new(EngineOptions { allocation: Allocation::OnDemand, ..options() }).unwrap();
    assert!(!engine.is_pooled());
    assert_eq!(run_body(&engine, r#"(func (export "run"))"#, &limits()).await, None);
    let looping = r#"(func (export "run") (loop $l (br $l)))"#;
    assert_eq!(run_body(&engine, looping, &short(&limits())).await, Some(Code::GuestTimeout));
}

#[tokio::test]
async fn a_guest_without_a_place_waits_and_then_fails() {
    let engine = Engine::new(EngineOptions { admission_wait: Duration::from_millis(20), ..options() }).unwrap();
    let limits = Limits::default();
    let enter = || engine.guest(Data(Limiter::new(0)), &limits, far());
    let held = (enter().await.unwrap(), enter().await.unwrap(), enter().await.unwrap());
    assert_eq!(enter().await.unwrap_err().code(), Code::EngineBusy);
    let past = engine.guest(Data(Limiter::new(0)), &Limits::default(), Instant::now()).await;
    assert_eq!(past.unwrap_err().code(), Code::DeadlinePassed);
    drop(held);
    enter().await.unwrap();
}

#[tokio::test]
async fn a_component_is_compiled_once_while_it_is_held() {
    let dir = tempfile::tempdir().unwrap();
    let artifacts = dir.path().join("artifacts");
    let engine = Engine::new(EngineOptions { artifact_dir: Some(artifacts.clone()), ..options() }).unwrap();
    let wat = component(r#"(func (export "run"))"#);
    let (first, second) = tokio::join!(compile(&engine, &wat), compile(&engine, &wat));
    assert!(Arc::ptr_eq(&first.unwrap(), &second.unwrap()));

    let other = Engine::new(EngineOptions { artifact_dir: Some(artifacts.clone()), ..options() }).unwrap();
    let again = compile(&other, &wat).await.unwrap();
    run(&other, &again, &limits()).await.unwrap();
    assert_eq!(std::fs::read_dir(artifacts).unwrap().count(), 1, "both engines share one artifact");
}

#[tokio::test]
async fn what_cannot_be_compiled_is_told_apart() {
    let engine = Engine::new(options()).unwrap();
    let cases = [
        ("(module)", Code::NotAComponent),
        ("(component (core module (memory i64 1)))", Code::CompileFailed),
        ("(component (core module $m (table 200000 funcref)) (core instance (instantiate $m)))", Code::PoolTooSmall),
    ];
    for (wat, expected) in cases {
        let error = compile(&engine, wat).await.unwrap_err();
        assert_eq!(error.code(), expected, "{error}");
    }
}

#[tokio::test]
async fn the_asynchronous_abi_is_named_where_it_is_the_reason() {
    let engine = Engine::new(options()).unwrap();
    let lifted = r#"(component
        (core module $m (func (export "f") (result i32) i32.const 0) (func (export "cb") (param i32 i32 i32) (result i32) i32.const 0))
        (core instance $i (instantiate $m))
        (func (export "f") async (canon lift (core func $i "f") async (callback (core func $i "cb")))))"#;
    for (wat, named) in [(lifted, true), ("(component (core module (memory i64 1)))", false)] {
        let error = compile(&engine, wat).await.unwrap_err();
        assert_eq!(error.code(), Code::CompileFailed, "{error}");
        assert_eq!(error.to_string().contains("asynchronous ABI"), named, "{error}");
    }
}

#[test]
fn the_ticker_ends_with_its_engine() {
    let engine = Engine::new(options()).unwrap();
    let weak = engine.wasm().weak();
    drop(engine);
    // The ticker holds the engine for the length of one increment at most.
    while weak.upgrade().is_some() {
        std::thread::yield_now();
    }
}
