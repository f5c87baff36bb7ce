//! Several packs of one tenant through the public API: what lies over what, what overlays may not do, and what becomes of
//! conversations and runs while overlays come and go.

// The lints' exception for tests does not reach the functions that tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod common;
#[path = "common/logged.rs"]
mod logged;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use common::{Sources, event, say, texts, waits};
use greentic_runner_host::error::Error;
use greentic_runner_host::pack::{self, LoadOptions};
use greentic_runner_host::run::event::{Event, FlowChoice, ReplyTo};
use greentic_runner_host::run::trace::{Observer, TraceEvent, What};
use greentic_runner_host::store::{MemoryStore, ReplyRoute, Store};
use greentic_runner_host::{Code, HostBuilder, HostConfig, PackSet, Result, RunnerHost, Sourced};
use logged::Logged;
use serde_json::{Value, json};

/// A conversation that asks for a name and says goodbye.
const ASKING: &str = "
id: chat
type: messaging
nodes:
  greet: { emit.response: { text: 'Hello {{in.text}}, your name?' }, routing: [{ to: wait }] }
  wait: { session.wait: {}, routing: [{ to: bye }] }
  bye: { emit.response: { text: 'Bye {{in.text}}' } }
";

/// A pack of sources with this id.
fn sources(id: &str) -> Sources {
    Sources::new().file("pack.yaml", &format!("pack_id: {id}\nversion: 1.0.0\n"))
}

fn base() -> Sources {
    sources("base").file("index.ygtc", ASKING)
}

/// A pack that replaces the flow `chat`.
fn chatting(id: &str, text: &str) -> Sources {
    let flow = format!("{{ id: chat, type: messaging, nodes: {{ a: {{ emit.response: {{ text: '{text}' }} }} }} }}");
    sources(id).file("index.ygtc", &flow)
}

fn read(sources: &Sources) -> Sourced {
    Sourced::from(pack::load(&sources.path(), &LoadOptions::default()).unwrap())
}

fn set(main: &Sources, overlays: &[&Sources]) -> PackSet {
    overlays.iter().fold(PackSet::of(read(main)), |set, overlay| set.with(read(overlay)))
}

/// A started host with one tenant `t` and no pack.
async fn host(bindings: &str, set_up: impl FnOnce(HostBuilder) -> HostBuilder) -> RunnerHost {
    let config = HostConfig::from_yaml(bindings, "bindings.yaml").unwrap();
    let host = set_up(HostBuilder::new().with_config(config).with_memory_store()).build().unwrap();
    host.start().await.unwrap();
    host
}

async fn loaded(main: &Sources, overlays: &[&Sources]) -> Result<RunnerHost> {
    let host = host("tenant: t", |builder| builder).await;
    host.load_set("t", set(main, overlays)).await?;
    Ok(host)
}

/// What flow `flow` replies to an event of a session of its own.
async fn run(host: &RunnerHost, flow: &str) -> Vec<Value> {
    let event = Event { flow: FlowChoice::Id(flow.into()), ..event(flow, json!({ "text": "x" })) };
    host.submit(event).await.unwrap().outcome().await.unwrap().replies
}

fn names(host: &RunnerHost) -> Vec<String> {
    host.tenant("t").unwrap().overlays().iter().map(|overlay| overlay.pack.id.to_string()).collect()
}

/// The error itself, or one of those that it sums up.
fn find(error: &Error, code: Code) -> Option<&Error> {
    if error.code() == code { Some(error) } else { error.details().iter().find_map(|detail| find(detail, code)) }
}

#[tokio::test]
async fn overlays_come_and_go_while_a_conversation_waits_in_the_base() {
    let host = loaded(&base(), &[]).await.unwrap();
    let jobs = |id: &str, text: &str| {
        let flow = format!("{{ id: job, type: job, nodes: {{ a: {{ emit.response: {{ text: {text} }} }} }} }}");
        sources(id).file("index.ygtc", &flow)
    };
    let (one, two, newer) = (read(&jobs("one", "one")), read(&jobs("two", "two")), read(&jobs("one", "newer")));
    assert!(waits(&say(&host, "s", "hi").await.unwrap()));
    let packs = |overlays: &[&Sourced]| overlays.iter().map(|overlay| (*overlay).clone()).collect::<Vec<_>>();
    let text = |text: &str| [json!({ "text": text })];
    for (overlays, ids, replies) in [
        (packs(&[&one]), vec!["one"], text("one")),                  // added
        (packs(&[&one, &two]), vec!["one", "two"], text("two")),     // another over it
        (packs(&[&two, &one]), vec!["two", "one"], text("one")),     // the other way round
        (packs(&[&two, &newer]), vec!["two", "one"], text("newer")), // one changed
        (packs(&[&newer]), vec!["one"], text("newer")),              // one removed
    ] {
        let digests: Vec<_> = overlays.iter().map(|overlay| overlay.pack.digest).collect();
        host.set_overlays("t", overlays).await.unwrap();
        assert_eq!(names(&host), ids);
        assert_eq!(host.tenant("t").unwrap().overlay_digests(), digests);
        assert_eq!(run(&host, "job").await, replies);
    }
    host.set_overlays("t", Vec::new()).await.unwrap();
    assert!(names(&host).is_empty());
    assert_eq!(host.tenant("t").unwrap().pack().flows.flows.len(), 1, "the added flow has gone");
    // All that time the conversation belonged to the base.
    let last = say(&host, "s", "Ada").await.unwrap();
    assert_eq!((texts(&last), waits(&last)), (vec!["Bye Ada".to_owned()], false));
    let counts = host.counts().await.unwrap();
    assert_eq!((counts.waits, counts.dead, counts.events), (0, 0, 0));
}

#[tokio::test]
async fn packs_are_archives_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let (main, over) = (dir.path().join("base.gtpack"), dir.path().join("over.gtpack"));
    pack::build(&base().path(), &main).unwrap();
    pack::build(&chatting("over", "over {{in.text}}").path(), &over).unwrap();
    let host = host("tenant: t", |builder| builder).await;
    host.load_packs("t", &main, &[&over]).await.unwrap();
    assert_eq!(texts(&say(&host, "s", "hi").await.unwrap()), ["over hi"]);
    let tenant = host.tenant("t").unwrap();
    assert_eq!((&*tenant.pack().pack, &tenant.pack().version), ("base", &semver::Version::new(1, 0, 0)));
    assert_eq!(tenant.main().locator.as_deref(), main.to_str());
    assert_eq!(tenant.overlays()[0].locator.as_deref(), over.to_str());
    let digest = |path| pack::model::Digest::of(&std::fs::read(path).unwrap());
    let made_of: Vec<_> = tenant.pack().packs.iter().map(|pack| (&*pack.id, pack.digest)).collect();
    assert_eq!(made_of, [("base", digest(&main)), ("over", digest(&over))]);
    assert!(made_of.iter().all(|(_, digest)| *digest != tenant.pack().digest), "the whole has its own digest");
    host.load_pack("t", &main).await.unwrap();
    assert_eq!(host.tenant("t").unwrap().pack().digest, digest(&main));
    let missing = host.load_packs("t", &main, &[dir.path().join("none")]).await.unwrap_err();
    assert_eq!((missing.code(), host.health_state().last_error), (Code::Io, Some(missing.to_string())));
}

#[tokio::test]
async fn a_flow_and_an_asset_and_a_text_are_replaced() {
    let flow = "
id: chat
type: messaging
nodes:
  card:
    card: { card_source: asset, card_spec: { asset_path: assets/cards/hello.json, i18n_bundle_path: assets/i18n } }
    operation: echo
";
    let reader = "{ id: read, type: job, nodes: { a: { reader: { path: note.txt }, operation: read } } }";
    let main = sources("base")
        .file("index.ygtc", flow)
        .file("read.ygtc", reader)
        .file("assets/cards/hello.json", r#"{"body":"{{i18n:title}}"}"#)
        .file("assets/i18n/en.json", r#"{"title":"Hello"}"#)
        .file("assets/note.txt", "base")
        .component("card", "echo-node")
        .component("reader", "assets-reader");
    let over = sources("over")
        .file("assets/i18n/en.json", r#"{"title":"Welcome"}"#)
        .file("assets/i18n/de.json", r#"{"title":"Willkommen"}"#)
        .file("assets/note.txt", "over");
    let cards = sources("cards").file("assets/cards/hello.json", r#"{"body":"new"}"#);
    let host = loaded(&main, &[]).await.unwrap();
    let spec = async |host: &RunnerHost| run(host, "chat").await[0]["card_spec"].clone();
    let texts = |spec: &Value| (spec["inline_json"]["body"].clone(), spec["i18n_inline"].clone());
    assert_eq!(texts(&spec(&host).await), (json!("{{i18n:title}}"), json!({ "en": { "title": "Hello" } })));
    assert_eq!(run(&host, "read").await, [json!({ "text": "base" })]);
    host.set_overlays("t", vec![read(&over), read(&cards)]).await.unwrap();
    let both = json!({ "en": { "title": "Welcome" }, "de": { "title": "Willkommen" } });
    assert_eq!(texts(&spec(&host).await), (json!("new"), both));
    assert_eq!(run(&host, "read").await, [json!({ "text": "over" })]);
    let chat = chatting("flows", "replaced");
    host.set_overlays("t", vec![read(&chat)]).await.unwrap();
    assert_eq!(run(&host, "chat").await, [json!({ "text": "replaced" })]);
    assert_eq!(run(&host, "read").await, [json!({ "text": "base" })], "what was over it has gone");
}

/// Declares the component `id` as provider `id` of the type `kind`.
fn declaring(pack: &str, id: &str, kind: &str) -> Sources {
    let yaml = format!(
        "pack_id: {pack}\nversion: 1.0.0\nproviders:\n  - {{ provider_type: {kind}, provider_id: {id}, component: {id} }}\n"
    );
    Sources::new().file("pack.yaml", &yaml).component(id, "echo-provider")
}

fn calling(flow: &str, provider: &str, kind: &str) -> String {
    format!(
        "{{ id: {flow}, type: {kind}, nodes: {{ a: {{ provider.invoke: {{ {provider}, op: echo, input: {{ said: '{{{{in.text}}}}' }} }} }} }} }}"
    )
}

#[tokio::test]
async fn a_flow_that_is_replaced_calls_a_provider_that_is_added() {
    let over =
        declaring("over", "mouth", "test.echo").file("index.ygtc", &calling("chat", "provider_id: mouth", "messaging"));
    let bindings = "{ tenant: t, providers: { mouth: { config: { greeting: hello } } } }";
    let host = host(bindings, |builder| builder).await;
    host.load_set("t", set(&base(), &[&over])).await.unwrap();
    let replies = say(&host, "s", "hi").await.unwrap().replies;
    assert_eq!((&replies[0]["said"], &replies[0]["config"]), (&json!("hi"), &json!({ "greeting": "hello" })));
    let notes = host.tenant("t").unwrap().notes().to_vec();
    assert!(notes.is_empty(), "{notes:?}");
}

#[tokio::test]
async fn an_overlay_calls_what_the_base_brings() {
    let main = declaring("base", "mouth", "test.echo").file("index.ygtc", ASKING);
    let over = sources("over").file("index.ygtc", &calling("chat", "provider_type: test.echo", "messaging"));
    let host = loaded(&main, &[&over]).await.unwrap();
    assert_eq!(say(&host, "s", "hi").await.unwrap().replies, [json!({ "said": "hi" })]);
}

#[tokio::test]
async fn what_is_ambiguous_is_refused_with_the_names_of_both_packs() {
    let main = || {
        declaring("base", "mouth", "test.echo")
            .file("index.ygtc", &calling("chat", "provider_type: test.echo", "messaging"))
    };
    let promo = "{ id: promo, type: messaging, nodes: { a: { emit.response: { text: x } } } }";
    let copy = || {
        sources("base")
            .file("index.ygtc", ASKING)
            .file("more.ygtc", "{ id: more, type: job, nodes: { a: { emit.log: x } } }")
    };
    let host = loaded(&main(), &[]).await.unwrap();
    for (overlay, code) in [
        (sources("over").component("mouth", "echo-node"), Code::OverlayComponent),
        (declaring("over", "mouth", "test.other"), Code::OverlayProvider),
        (sources("over").file("index.ygtc", promo), Code::OverlayFlow),
        (main(), Code::OverlayRepeated),
        (copy(), Code::OverlayRepeated),
        // The base's flow names its provider by a type, which the overlay makes that of two.
        (declaring("over", "ear", "test.echo"), Code::OverlayBreaks),
    ] {
        let error = host.set_overlays("t", vec![read(&overlay)]).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        let text = error.to_string();
        let parts: &[&str] = match code {
            Code::OverlayRepeated => &["overlay base 1.0.0", "pack base 1.0.0"],
            Code::OverlayBreaks => &["overlay over 1.0.0", "\"chat\"", "mouth, ear"],
            _ => &["overlay over 1.0.0", "pack base 1.0.0"],
        };
        assert!(parts.iter().all(|part| text.contains(part)), "{parts:?} in {text}");
        assert_eq!(names(&host), [""; 0], "{code}");
        assert_eq!(host.health_state().last_error, Some(text));
    }
    let (one, two) =
        (sources("one").file("a.ygtc", promo), sources("two").file("b.ygtc", &promo.replace("promo", "b")));
    let empty = sources("base").file("j.ygtc", "{ id: j, type: job, nodes: { a: { emit.log: x } } }");
    let error = loaded(&empty, &[&one, &two]).await.unwrap_err();
    assert!(error.code() == Code::OverlayFlow && error.message().contains("overlay one"), "{error}");
    assert!(error.message().contains("overlay two"), "{error}");
    assert_eq!(say(&host, "s", "hi").await.unwrap().replies, [json!({ "said": "hi" })], "the base goes on");
}

#[tokio::test]
async fn the_kinds_that_bindings_bind_are_started_without_a_name_too() {
    let (main, over) = (
        sources("base").file("a.ygtc", "{ id: a, type: event, nodes: { a: { emit.response: { text: x } } } }"),
        sources("over").file("b.ygtc", "{ id: b, type: event, nodes: { a: { emit.response: { text: x } } } }"),
    );
    assert!(loaded(&main, &[&over]).await.is_ok());
    let bound = host("{ tenant: t, flow_type_bindings: { event: { adapter: webchat } } }", |b| b).await;
    let error = bound.load_set("t", set(&main, &[&over])).await.unwrap_err();
    assert_eq!(error.code(), Code::OverlayFlow, "{error}");
    let bound = host("{ tenant: t, flow_type_bindings: { webhook: { adapter: generic } } }", |b| b).await;
    let hook = |pack: &str| {
        let flow = format!("{{ id: {pack}, type: http, nodes: {{ a: {{ emit.response: {{ text: x }} }} }} }}");
        sources(pack).file("index.ygtc", &flow)
    };
    bound.load_set("t", set(&hook("one"), &[&hook("two")])).await.expect("requests to webhooks name their flow");
}

#[tokio::test]
async fn an_overlay_does_not_get_what_the_base_does_not_use() {
    let counting = "{ id: count, type: job, nodes: { a: { counter: {}, operation: bump } } }";
    let over = || sources("over").file("index.ygtc", counting).component("counter", "stateful-counter");
    let stateful = || sources("base").file("index.ygtc", ASKING).component("own", "stateful-counter");
    let plain = || base().component("echo", "echo-node");
    let with = async |bindings: &str, main: &Sources| {
        let host = host(bindings, |builder| builder).await;
        host.load_set("t", set(main, &[])).await.unwrap();
        let changed = host.set_overlays("t", vec![read(&over())]).await;
        changed.map(|_| host)
    };
    let error = with("tenant: t", &plain()).await.unwrap_err();
    assert_eq!(error.code(), Code::OverlayGrant, "{error}");
    let text = error.to_string();
    for part in ["overlay over 1.0.0", "\"counter\"", "`state`", "packs.overlay_grants: [state]", "tenant t"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let other = with("{ tenant: t, packs: { overlay_grants: [kv] } }", &plain()).await.unwrap_err();
    assert_eq!(other.code(), Code::OverlayGrant, "{other}");
    for (bindings, main) in [("{ tenant: t, packs: { overlay_grants: [state] } }", plain()), ("tenant: t", stateful())]
    {
        let host = with(bindings, &main).await.unwrap();
        assert_eq!(run(&host, "count").await, [json!({ "count": 1 })], "{bindings}");
    }
    // What the tenant as a whole does not have, its overlays do not get either: then it is refused as it always is.
    let host = with("{ tenant: t, grants: [kv] }", &plain()).await.unwrap();
    let note = host.tenant("t").unwrap().notes()[0].clone();
    assert!(find(&note, Code::ImportNotGranted).is_some() && note.message().contains("overlay over 1.0.0"), "{note}");
}

#[tokio::test]
async fn an_overlay_takes_no_flow_away_that_runs() {
    let host = loaded(&base(), &[]).await.unwrap();
    let broken = sources("over").file("index.ygtc", "{ id: chat, type: messaging, nodes: { a: { no.such: {} } } }");
    let error = host.set_overlays("t", vec![read(&broken)]).await.unwrap_err();
    assert_eq!(error.code(), Code::OverlayBreaks, "{error}");
    assert!(
        find(&error, Code::ComponentUnknown).is_some() && error.message().contains("overlay over 1.0.0"),
        "{error}"
    );
    assert!(waits(&say(&host, "s", "hi").await.unwrap()), "the base goes on");
    // Of several, it is the one that breaks it, also where another had replaced it.
    let fine = chatting("fine", "fine");
    let error = host.set_overlays("t", vec![read(&fine), read(&broken)]).await.unwrap_err();
    assert!(error.message().contains("overlay over") && !error.message().contains("overlay fine"), "{error}");
    // A flow that it adds and that cannot run is disabled, as in any pack, and says whose it is.
    let extra = sources("extra").file("index.ygtc", "{ id: extra, type: job, nodes: { a: { no.such: {} } } }");
    let loaded = host.set_overlays("t", vec![read(&extra)]).await.unwrap();
    assert!(loaded.notes[0].message().starts_with("overlay extra 1.0.0: "), "{:?}", loaded.notes);
    let event = Event { flow: FlowChoice::Id("extra".into()), ..event("e", json!({})) };
    let answer = host.submit(event).await.unwrap().outcome().await.unwrap_err();
    assert!(answer.to_string().contains("overlay extra 1.0.0"), "{answer}");
    // Strict loading takes no such pack.
    let strict = self::host("{ tenant: t, packs: { strict: true } }", |builder| builder).await;
    let error = strict.load_set("t", set(&base(), &[&extra])).await.unwrap_err();
    assert!(find(&error, Code::ComponentUnknown).is_some(), "{error}");
}

/// Holds a run at the end of its node `hold` until it is told to go on.
struct Gate {
    armed: AtomicBool,
    reached: mpsc::Sender<()>,
    go: Mutex<mpsc::Receiver<()>>,
}

impl Observer for Gate {
    fn observe(&self, event: &TraceEvent) {
        if matches!(&event.what, What::Node { node, .. } if **node == *"hold")
            && self.armed.swap(false, Ordering::SeqCst)
        {
            self.reached.send(()).unwrap();
            self.go.lock().unwrap().recv().unwrap();
        }
    }
}

const HOLDING: &str = "
id: chat
type: messaging
nodes:
  hold: { emit.log: x, routing: [{ to: call }] }
  call: { flow.call: { flow_id: helper }, routing: [{ to: say }] }
  say: { emit.response: { text: 'base and {{node.call.text}}' } }
";
const HELPER: &str = "{ id: helper, type: job, nodes: { a: { emit.log: { text: base } } } }";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_run_under_way_ends_on_the_packs_with_which_it_began() {
    let (reached, held) = mpsc::channel();
    let (go, gate) = mpsc::channel();
    let gate = Gate { armed: AtomicBool::new(true), reached, go: Mutex::new(gate) };
    let host = host("tenant: t", |builder| builder.with_observer(Arc::new(gate))).await;
    let main = sources("base").file("index.ygtc", HOLDING).file("helper.ygtc", HELPER);
    host.load_set("t", set(&main, &[])).await.unwrap();
    let under_way = tokio::spawn(host.submit(event("s", json!({}))).await.unwrap().outcome());
    tokio::task::spawn_blocking(move || held.recv().unwrap()).await.unwrap();

    let over = sources("over").file("helper.ygtc", &HELPER.replace("base", "over"));
    host.set_overlays("t", vec![read(&over)]).await.unwrap();
    assert_eq!(texts(&say(&host, "other", "x").await.unwrap()), ["base and over"]);
    assert!(!under_way.is_finished());
    go.send(()).unwrap();
    assert_eq!(texts(&under_way.await.unwrap().unwrap()), ["base and base"]);
    assert_eq!(texts(&say(&host, "s", "x").await.unwrap()), ["base and over"]);
}

#[tokio::test]
async fn a_conversation_that_waits_in_a_node_that_goes_is_answered_with_its_own_code() {
    let host = loaded(&base(), &[]).await.unwrap();
    let over =
        sources("over").file("index.ygtc", &ASKING.replace("  wait:", "  pause:").replace("to: wait", "to: pause"));
    host.set_overlays("t", vec![read(&over)]).await.unwrap();
    assert!(waits(&say(&host, "s", "hi").await.unwrap()));
    host.set_overlays("t", Vec::new()).await.unwrap();
    let error = say(&host, "s", "Ada").await.unwrap_err();
    assert_eq!(error.code(), Code::ResumeImpossible, "{error}");
    assert!(error.message().contains("pause") && error.hint_text().is_some(), "{error}");
    assert_eq!(host.counts().await.unwrap().dead, 1, "nothing is lost");
    assert_eq!(texts(&say(&host, "s", "hi").await.unwrap()), ["Hello hi, your name?"], "and the next begins anew");
    // A node of the same name and another kind is where the conversation goes on.
    let renamed = ASKING.replace("text: 'Bye", "text: 'Farewell");
    host.set_overlays("t", vec![read(&sources("over").file("index.ygtc", &renamed))]).await.unwrap();
    assert_eq!(texts(&say(&host, "s", "Ada").await.unwrap()), ["Farewell Ada"]);
}

#[tokio::test]
async fn the_bot_says_that_a_conversation_cannot_go_on() {
    let renamed = ASKING.replace("  wait:", "  pause:").replace("to: wait", "to: pause");
    let over = read(&sources("over").file("index.ygtc", &renamed));
    let words = read(
        &sources("words")
            .file("assets/i18n/en.json", r#"{"GRH-0613":"Let us start again"}"#)
            .file("assets/i18n/de.json", r#"{"GRH-0613":"Noch einmal"}"#),
    );
    let host = loaded(&base(), &[]).await.unwrap();
    for (at, (words, locale, said)) in [
        (None, "de", "This conversation cannot go on, because the bot has changed. Please begin again."),
        (Some(&words), "de-CH", "Noch einmal"),
        (Some(&words), "fr", "Let us start again"),
    ]
    .into_iter()
    .enumerate()
    {
        let route = ReplyRoute(format!("r{at}").into());
        let said_to = async |text: &str| {
            let input = json!({ "text": text, "metadata": { "locale": locale } });
            let event = Event { reply_to: ReplyTo::Route(route.clone()), ..event(&format!("s{at}"), input) };
            host.submit(event).await.unwrap().outcome().await.map(drop).map_err(|error| error.code())
        };
        let words = || words.cloned().into_iter();
        host.set_overlays("t", words().chain([over.clone()]).collect()).await.unwrap();
        said_to("hi").await.unwrap();
        host.set_overlays("t", words().collect()).await.unwrap();
        assert_eq!(said_to("Ada").await, Err(Code::ResumeImpossible));
        let replies = host.replies(&route, 1, 9).await.unwrap();
        let replies: Vec<Value> = replies.iter().map(|reply| serde_json::from_slice(&reply.payload).unwrap()).collect();
        assert_eq!(replies, [json!({ "text": said, "error": { "code": "GRH-0613" } })]);
    }
}

#[tokio::test]
async fn a_conversation_in_a_flow_that_goes_with_its_overlay_ends_so_too() {
    let asking = ASKING.replace("id: chat\ntype: messaging", "id: more\ntype: job");
    let host = loaded(&base(), &[&sources("over").file("index.ygtc", &asking)]).await.unwrap();
    let more = || Event { flow: FlowChoice::Id("more".into()), ..event("s", json!({ "text": "hi" })) };
    assert!(waits(&host.submit(more()).await.unwrap().outcome().await.unwrap()));
    host.set_overlays("t", Vec::new()).await.unwrap();
    let error = say(&host, "s", "Ada").await.unwrap_err();
    assert!(error.code() == Code::ResumeImpossible && error.message().contains("flow more"), "{error}");
    assert!(waits(&say(&host, "s", "hi").await.unwrap()));
}

#[tokio::test]
async fn a_conversation_goes_on_though_a_flow_that_it_called_before_has_gone() {
    let greeting = ASKING.replace(
        "greet: { emit.response: { text: 'Hello {{in.text}}, your name?' }, routing: [{ to: wait }] }",
        "greet: { flow.call: { flow_id: greeting, input: '{{in}}' }, routing: [{ to: wait }] }",
    );
    let greeting = greeting.replace("Bye {{in.text}}", "{{node.greet.text}} and bye {{in.text}}");
    let host = loaded(&base(), &[]).await.unwrap();
    let called = "{ id: greeting, type: job, nodes: { a: { emit.response: { text: 'Hi {{in.text}}' } } } }";
    let over = sources("over").file("index.ygtc", &greeting).file("greeting.ygtc", called);
    host.set_overlays("t", vec![read(&over)]).await.unwrap();
    assert_eq!(texts(&say(&host, "s", "hi").await.unwrap()), ["Hi hi"]);
    // The base's flow waits at the node of that name, and calls nothing.
    host.set_overlays("t", Vec::new()).await.unwrap();
    assert_eq!(texts(&say(&host, "s", "Ada").await.unwrap()), ["Bye Ada"]);
}

#[tokio::test]
async fn a_conversation_goes_on_only_at_a_node_that_still_waits() {
    let calling = ASKING.replace(
        "wait: { session.wait: {}, routing: [{ to: bye }] }",
        "wait: { flow.call: { flow_id: asking }, routing: [{ to: bye }] }",
    );
    let asking = "
id: asking
type: job
nodes:
  ask: { session.wait: {}, routing: [{ to: done }] }
  done: { emit.log: { done: true } }
";
    let emitting = |flow: &str, node: &str| {
        flow.replace(&format!("{node}: {{ session.wait: {{}}"), &format!("{node}: {{ emit.log: x"))
    };
    let called = || sources("over").file("index.ygtc", &calling).file("asking.ygtc", asking);
    for (before, after, said) in [
        (
            base(),
            sources("base").file("index.ygtc", &emitting(ASKING, "wait")),
            "node wait of flow chat, in which the run waits",
        ),
        (
            called(),
            called().file("asking.ygtc", &emitting(asking, "ask")),
            "node ask of flow asking, in which the run waits",
        ),
        (called(), called().file("index.ygtc", ASKING), "node wait of flow chat, which was calling a flow"),
    ] {
        let host = loaded(&before, &[]).await.unwrap();
        assert!(waits(&say(&host, "s", "hi").await.unwrap()), "{said}");
        host.load_set("t", set(&after, &[])).await.unwrap();
        let error = say(&host, "s", "Ada").await.unwrap_err();
        assert!(error.code() == Code::ResumeImpossible && error.message().contains(said), "{said} in {error}");
        assert!(say(&host, "s", "hi").await.is_ok(), "{said}");
    }
}

#[tokio::test]
async fn state_stays_with_the_main_pack() {
    let counting = |id: &str, flow: &str| {
        let flow = format!("{{ id: {flow}, type: job, nodes: {{ a: {{ counter: {{}}, operation: bump }} }} }}");
        sources(id).file("index.ygtc", &flow).component("counter", "stateful-counter")
    };
    let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
    let host = host("tenant: t", |builder| builder.with_store(Arc::clone(&store))).await;
    host.load_set("t", set(&counting("base", "count"), &[])).await.unwrap();
    let count = async |flow: &str| {
        let event = Event { flow: FlowChoice::Id(flow.into()), ..event("s", json!({})) };
        host.submit(event).await.unwrap().outcome().await.unwrap().replies[0]["count"].clone()
    };
    assert_eq!(count("count").await, 1);
    host.set_overlays("t", vec![read(&counting("over", "more"))]).await.unwrap();
    assert_eq!((count("more").await, count("count").await), (json!(2), json!(3)));
    host.set_overlays("t", Vec::new()).await.unwrap();
    assert_eq!(count("count").await, 4);
}

#[tokio::test]
async fn what_is_unchanged_costs_nothing() {
    let main = base().component("echo", "echo-node");
    let over = sources("over").component("counter", "logger");
    let host = host("{ tenant: t, packs: { overlay_grants: [telemetry] } }", |builder| builder).await;
    assert_eq!(host.work(), greentic_runner_host::Work::default());
    let packs = set(&main, &[&over]);
    let first = host.load_set("t", packs.clone()).await.unwrap();
    let cost = host.work();
    assert_eq!((cost.packs, cost.components, cost.compiled), (2, 2, 2));

    // The reloader asks before it does anything.
    let digests = packs.digests();
    assert!(first.same_packs(&digests));
    assert!(!first.same_packs(&digests[..1]));
    assert!(!first.same_packs(&[digests[1], digests[0]]));
    // The same overlays, read again, are no change.
    let same = host.set_overlays("t", vec![read(&over)]).await.unwrap();
    assert!(Arc::ptr_eq(&first, &same));
    assert_eq!(host.work(), cost);
    // Another overlay costs itself; the base and the tenants that share it cost no component.
    let more = sources("more").component("more", "failing");
    host.set_overlays("t", vec![read(&over), read(&more)]).await.unwrap();
    let now = host.work();
    assert_eq!((now.packs, now.components, now.compiled), (5, 3, 3));
    // A change of order is prepared and compiles nothing.
    host.set_overlays("t", vec![read(&more), read(&over)]).await.unwrap();
    let now = host.work();
    assert_eq!((now.packs, now.components, now.compiled), (8, 3, 3));
}

#[tokio::test]
async fn tenants_share_the_packs_that_they_run() {
    let config = |tenant: &str| HostConfig::from_yaml(&format!("tenant: {tenant}"), "bindings.yaml").unwrap();
    let tenants: Vec<_> = (0..20).map(|n| format!("t{n}")).collect();
    let builder =
        tenants.iter().fold(HostBuilder::new().with_memory_store(), |b, tenant| b.with_config(config(tenant)));
    let host = builder.build().unwrap();
    host.start().await.unwrap();
    let packs = set(&base().component("echo", "echo-node"), &[&chatting("over", "hi")]);
    for tenant in &tenants {
        host.load_set(tenant, packs.clone()).await.unwrap();
    }
    let work = host.work();
    assert_eq!((work.packs, work.components, work.compiled), (40, 1, 1));
    assert_eq!(Arc::strong_count(&packs.main.pack), tenants.len() + 1);
    assert!(host.unload("t3", "it is not wanted any more").await.unwrap());
    assert_eq!(Arc::strong_count(&packs.main.pack), tenants.len(), "what is unloaded is forgotten");
}

#[tokio::test]
async fn packs_are_taken_away_and_what_waits_is_there_when_they_come_back() {
    let host = loaded(&base(), &[]).await.unwrap();
    say(&host, "s", "hi").await.unwrap();
    assert!(host.unload("t", "the index does not name it any more").await.unwrap());
    assert!(!host.unload("t", "again").await.unwrap());
    assert_eq!(host.unload("nobody", "x").await.unwrap_err().code(), Code::TenantUnknown);
    assert!(host.tenant("t").is_none());
    assert_eq!(say(&host, "s", "Ada").await.unwrap_err().code(), Code::PackNotLoaded);
    let error = host.set_overlays("t", vec![read(&chatting("over", "x"))]).await.unwrap_err();
    assert!(error.code() == Code::PackNotLoaded && error.hint_text().is_some(), "{error}");
    host.load_set("t", set(&base(), &[])).await.unwrap();
    assert_eq!(texts(&say(&host, "s", "Ada").await.unwrap()), ["Bye Ada"]);
}

#[tokio::test]
async fn changes_of_one_tenant_come_one_after_the_other() {
    let host = Arc::new(loaded(&base(), &[]).await.unwrap());
    let newer = sources("base").file("index.ygtc", &ASKING.replace("Hello", "Welcome"));
    let over = sources("over").file("j.ygtc", "{ id: j, type: job, nodes: { a: { emit.log: x } } }");
    for _ in 0..10 {
        host.load_set("t", set(&base(), &[])).await.unwrap();
        let (a, b) = (Arc::clone(&host), Arc::clone(&host));
        let (main, overlay) = (set(&newer, &[]), read(&over));
        let load = tokio::spawn(async move { a.load_set("t", main).await });
        let lay = tokio::spawn(async move { b.set_overlays("t", vec![overlay]).await });
        load.await.unwrap().unwrap();
        lay.await.unwrap().unwrap();
        // Whichever came first, the newer main pack is never put back.
        assert!(texts(&say(&host, &uuid::Uuid::new_v4().to_string(), "x").await.unwrap())[0].starts_with("Welcome"));
    }
}

#[tokio::test]
async fn only_components_that_go_are_stopped() {
    let (logged, _guard) = Logged::here();
    // For the tenant `sad` these components fail as they are stopped, which is logged.
    let stopped = || {
        let text = logged.take();
        ["base-node", "over-node"].map(|id| text.contains(&format!("component {id} failed as it was stopped")))
    };
    let config = HostConfig::from_yaml("tenant: sad", "bindings.yaml").unwrap();
    let host = HostBuilder::new().with_config(config).with_memory_store().build().unwrap();
    host.start().await.unwrap();
    let main = base().component("base-node", "node-0-4-b");
    let over = read(&sources("over").component("over-node", "node-0-4-b"));
    let other = read(&sources("other").file("j.ygtc", "{ id: j, type: job, nodes: { a: { emit.log: x } } }"));
    host.load_set("sad", set(&main, &[])).await.unwrap();
    for (overlays, expected) in [
        (vec![over.clone()], [false, false]),
        (vec![over.clone(), other.clone()], [false, false]),
        (vec![other, over.clone()], [false, false]),
        (Vec::new(), [false, true]),
    ] {
        host.set_overlays("sad", overlays).await.unwrap();
        assert_eq!(stopped(), expected);
    }
    // The same packs once more are loaded as they were the first time.
    host.load_set("sad", set(&main, &[])).await.unwrap();
    assert_eq!(stopped(), [true, false]);
    host.unload("sad", "it is not wanted any more").await.unwrap();
    assert_eq!(stopped(), [true, false]);
}

#[tokio::test]
async fn the_secrets_of_all_packs_are_required() {
    let with = |id: &str, secrets: &str| {
        let yaml = format!("pack_id: {id}\nversion: 1.0.0\nsecret_requirements: {secrets}\n");
        Sources::new().file("pack.yaml", &yaml)
    };
    let main = with("base", "[{ key: B }, { key: A }]").file("index.ygtc", ASKING);
    let host = loaded(&main, &[&with("over", "[{ key: C }, { key: A }]")]).await.unwrap();
    assert_eq!(host.tenant("t").unwrap().required_secrets(), ["A", "B", "C"]);
}

#[tokio::test]
async fn an_overlay_lies_over_a_component_that_is_a_pack() {
    let main = pack::load(&common::guest_path("flow-giver"), &LoadOptions::default()).unwrap();
    let host = host("tenant: t", |builder| builder).await;
    host.load_set("t", PackSet::of(main.clone())).await.unwrap();
    assert_eq!(run(&host, "main").await, [json!("hello")]);
    let flow = "{ id: main, type: messaging, nodes: { a: { emit.response: { text: over } } } }";
    let over = sources("over").file("index.ygtc", flow);
    host.load_set("t", PackSet::of(main).with(read(&over))).await.unwrap();
    assert_eq!(run(&host, "main").await, [json!({ "text": "over" })]);
}

#[tokio::test]
async fn a_pack_that_was_only_to_be_looked_at_is_not_run() {
    let broken = Sources::new().file("pack.yaml", "pack_id: over\nversion: 1.0.0\ncomponents: { gone: {} }\n");
    let options = LoadOptions { keep_going: true, ..LoadOptions::default() };
    let over = pack::load(&broken.path(), &options).unwrap();
    let host = loaded(&base(), &[]).await.unwrap();
    let error = host.set_overlays("t", vec![over.into()]).await.unwrap_err();
    assert_eq!(error.code(), Code::ComponentsMissing, "{error}");
}
