//! Runs through the public API: replies, waits, sub-flows, limits, failures. No component is needed for these.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[cfg(test)]
mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Sources, event, host_of, host_with, say, texts, waits};
use greentic_runner_host::clock::{ManualClock, Timestamp};
use greentic_runner_host::run::event::{FlowChoice, ReplyTo};
use greentic_runner_host::run::lanes::Load;
use greentic_runner_host::session::reply_route;
use greentic_runner_host::store::{Counts, EventId};
use greentic_runner_host::{Activity, Code, RunnerHost};
use serde_json::json;

const ASKING: &str = "
id: ask
type: messaging
nodes:
  greet:
    emit.response: { text: 'Hello {{in.text}}, your name?' }
    routing: [{ to: wait }]
  wait:
    session.wait: { reason: a name }
    routing:
      - { condition: 'text == \"nobody\"', to: rude }
      - { to: bye }
  bye:
    emit.response: { text: 'Bye {{node.wait.text}}, who said {{entry.text}}, then {{in.text}}' }
  rude:
    emit.response: { text: 'As you like' }
";

#[tokio::test]
async fn a_flow_waits_for_the_next_event_of_its_session_and_goes_on_with_it() {
    let host = host_with(&Sources::of_flow(ASKING)).await.unwrap();
    let first = say(&host, "s", "hi").await.unwrap();
    assert_eq!(texts(&first), ["Hello hi, your name?"]);
    assert!(waits(&first));
    let second = say(&host, "s", "Ada").await.unwrap();
    assert_eq!(texts(&second), ["Bye Ada, who said hi, then Ada"]);
    assert!(!waits(&second));
    assert_eq!(host.counts().await.unwrap(), Counts::default(), "a finished run leaves nothing behind");
}

#[tokio::test]
async fn a_waiting_nodes_routes_choose_by_the_answer() {
    let host = host_with(&Sources::of_flow(ASKING)).await.unwrap();
    say(&host, "s", "hi").await.unwrap();
    assert_eq!(texts(&say(&host, "s", "nobody").await.unwrap()), ["As you like"]);
}

#[tokio::test]
async fn sessions_do_not_meet() {
    let host = host_with(&Sources::of_flow(ASKING)).await.unwrap();
    say(&host, "a", "one").await.unwrap();
    assert_eq!(texts(&say(&host, "b", "two").await.unwrap()), ["Hello two, your name?"]);
    assert_eq!(texts(&say(&host, "a", "Ada").await.unwrap()), ["Bye Ada, who said one, then Ada"]);
}

#[tokio::test]
async fn of_two_racing_events_one_resumes_and_the_other_runs_after_it() {
    let host = Arc::new(host_with(&Sources::of_flow(ASKING)).await.unwrap());
    for round in 0..20 {
        let session = format!("s{round}");
        say(&host, &session, "hi").await.unwrap();
        let race = |text: &'static str| {
            let (host, session) = (Arc::clone(&host), session.clone());
            tokio::spawn(async move { say(&host, &session, text).await.unwrap() })
        };
        let (a, b) = (race("Ada"), race("Bob"));
        let outcomes = [a.await.unwrap(), b.await.unwrap()];
        assert_eq!(outcomes.iter().filter(|o| waits(o)).count(), 1, "{outcomes:?}");
        let resumed = outcomes.iter().find(|o| !waits(o)).unwrap();
        assert!(texts(resumed)[0].starts_with("Bye "), "{resumed:?}");
        let begun = outcomes.iter().find(|o| waits(o)).unwrap();
        assert!(texts(begun)[0].starts_with("Hello "), "{begun:?}");
    }
}

#[tokio::test]
async fn a_wait_is_given_up_after_its_time() {
    let clock = ManualClock::new(Timestamp(1_000_000));
    let handle = clock.clone();
    let bindings = "{ tenant: t, sessions: { wait_ttl: 1h } }";
    let host = host_of(bindings, &Sources::of_flow(ASKING), |b| b.with_memory_store().with_clock(Arc::new(clock)))
        .await
        .unwrap();
    say(&host, "s", "hi").await.unwrap();
    handle.advance(Duration::from_secs(3601));
    assert_eq!(texts(&say(&host, "s", "Ada").await.unwrap()), ["Hello Ada, your name?"]);
}

#[tokio::test]
async fn the_last_payload_is_a_reply_only_if_nothing_was_emitted() {
    let flow = "
id: f
type: messaging
nodes:
  a:
    emit.log: { text: only logged }
";
    let host = host_with(&Sources::of_flow(flow)).await.unwrap();
    assert_eq!(texts(&say(&host, "s", "x").await.unwrap()), ["only logged"]);
    let flow = "
id: f
type: messaging
nodes:
  a:
    emit.response: { text: one }
    routing: [{ to: b }]
  b:
    emit.response: { text: two }
";
    let host = host_with(&Sources::of_flow(flow)).await.unwrap();
    assert_eq!(texts(&say(&host, "s", "x").await.unwrap()), ["one", "two"]);
}

#[tokio::test]
async fn a_called_flow_may_wait_and_its_result_is_the_calling_nodes() {
    let main = "
id: main
type: messaging
nodes:
  call:
    flow.call: { flow_id: sub, input: { question: '{{in.text}}?' } }
    routing: [{ to: done }]
  done:
    emit.response: { text: 'sub said {{node.call.answer}}' }
";
    let sub = "
id: sub
type: job
nodes:
  ask:
    emit.response: { text: '{{entry.question}}' }
    routing: [{ to: wait }]
  wait:
    session.wait: {}
    routing: [{ to: answer }]
  answer:
    emit.log: { answer: '{{prev.text}}' }
";
    let pack = Sources::of_flow(main).file("sub.ygtc", sub);
    let host = host_with(&pack).await.unwrap();
    let first = say(&host, "s", "why").await.unwrap();
    assert_eq!(texts(&first), ["why?"]);
    assert!(waits(&first));
    assert_eq!(texts(&say(&host, "s", "because").await.unwrap()), ["sub said because"]);
    assert_eq!(host.counts().await.unwrap(), Counts::default());
}

#[tokio::test]
async fn what_a_called_flow_replied_is_not_repeated() {
    let node = |action: &str, more: &str| format!("{{ {action}: {{ text: said }}{more} }}");
    let emits = |more: &str| node("emit.response", more);
    let skipped = "routing: [{ to: b }] }, b: { emit.log: { text: never }, when: false";
    for (last, call, expected) in [
        (emits(""), "routing: reply", vec!["said"]),
        (emits(", routing: reply"), "routing: reply", vec!["said"]),
        (emits(""), "routing: out", vec!["said"]),
        (emits(&format!(", {skipped}")), "routing: reply", vec!["said"]),
        (emits(""), "output: { text: '{{result.text}}' }, routing: reply", vec!["said"]),
        // A map makes something new of it, and what was not emitted was not said.
        (emits(""), "output: { text: 'sub {{result.text}}' }, routing: reply", vec!["said", "sub said"]),
        (emits(", output: { text: other }"), "routing: reply", vec!["said", "other"]),
        (node("emit.log", ""), "routing: reply", vec!["said"]),
        (node("emit.log", &format!(", {skipped}")), "routing: reply", vec!["said"]),
        // Nor does a node that is left out after the call repeat it.
        (emits(""), "routing: [{ to: b }] }, b: { emit.log: {}, when: false, routing: reply", vec!["said"]),
        (node("emit.log", ""), "routing: [{ to: b }] }, b: { emit.log: {}, when: false, routing: reply", vec!["said"]),
    ] {
        let main =
            format!("{{ id: main, type: messaging, nodes: {{ a: {{ flow.call: {{ flow_id: mid }}, {call} }} }} }}");
        let pack = Sources::of_flow(&main)
            .file("mid.ygtc", "{ id: mid, type: job, nodes: { a: { flow.call: { flow_id: sub } } } }")
            .file("sub.ygtc", &format!("{{ id: sub, type: job, nodes: {{ a: {last} }} }}"));
        let host = host_with(&pack).await.unwrap();
        assert_eq!(texts(&say(&host, "s", "x").await.unwrap()), expected, "{last}, {call}");
    }
}

#[tokio::test]
async fn a_run_ends_at_its_step_limit() {
    let flow = "
id: f
type: messaging
nodes:
  a:
    emit.log: { n: 1 }
    routing: [{ condition: 'text == \"stop\"', to: out }, { to: b }]
  b:
    emit.log: { n: 2 }
    routing: [{ to: a }]
";
    let host = host_of("{ tenant: t, limits: { steps: 50 } }", &Sources::of_flow(flow), |b| b.with_memory_store())
        .await
        .unwrap();
    let error = say(&host, "s", "x").await.unwrap_err();
    assert_eq!(error.code(), Code::StepLimit);
    let counts = host.counts().await.unwrap();
    assert_eq!((counts.events, counts.dead), (0, 1), "a failed event is a dead letter, not a loss");
}

#[tokio::test]
async fn an_event_that_names_no_flow_gets_the_candidates_if_there_are_several() {
    let pack = Sources::of_flow(ASKING).file("other.ygtc", &ASKING.replace("id: ask", "id: other"));
    let host = host_with(&pack).await.unwrap();
    let error = say(&host, "s", "x").await.unwrap_err();
    assert_eq!(error.code(), Code::FlowAmbiguous);
    let text = error.to_string();
    assert!(text.contains("ask") && text.contains("other"), "{text}");
    let mut named = event("s", json!({ "text": "hi" }));
    named.flow = FlowChoice::Id("other".into());
    assert!(host.submit(named).await.unwrap().outcome().await.is_ok());
}

#[tokio::test]
async fn unknown_tenants_and_flows_are_coded_errors() {
    let host = host_with(&Sources::of_flow(ASKING)).await.unwrap();
    let error = host.handle_activity("nobody", Activity::text("x")).await.unwrap_err();
    assert_eq!(error.code(), Code::TenantUnknown);
    let error = host.handle_activity("t", Activity::text("x").with_flow("none")).await.unwrap_err();
    assert_eq!(error.code(), Code::FlowUnknown);
    let error = host.handle_activity("t", Activity::text("x").with_pack("none")).await.unwrap_err();
    assert_eq!(error.code(), Code::PackNotLoaded);
}

#[tokio::test]
async fn a_stopped_host_takes_nothing_and_a_full_queue_says_so() {
    let host = host_with(&Sources::of_flow(ASKING)).await.unwrap();
    host.stop().await.unwrap();
    assert_eq!(say(&host, "s", "x").await.unwrap_err().code(), Code::NotRunning);
    let host =
        host_of("{ tenant: t, limits: { queue: 0 } }", &Sources::of_flow(ASKING), |b| b.with_memory_store()).await;
    match host {
        Ok(host) => assert_eq!(say(&host, "s", "x").await.unwrap_err().code(), Code::Overloaded),
        Err(error) => assert_eq!(error.code(), Code::BindingsInvalid),
    }
}

#[tokio::test]
async fn a_repeated_event_runs_once_and_is_answered_the_same() {
    let host = host_with(&Sources::of_flow(ASKING)).await.unwrap();
    let mut one = event("s", json!({ "text": "hi" }));
    one.dedupe = vec!["t/test/1".to_owned()];
    let first = host.submit(one.clone()).await.unwrap().outcome().await.unwrap();
    let again = host.submit(one).await.unwrap();
    assert!(again.duplicate);
    assert_eq!(again.outcome().await.unwrap(), first);
    assert_eq!(host.counts().await.unwrap().waits, 1);
}

#[tokio::test]
async fn a_pack_that_cannot_run_is_refused_and_leaves_the_old_one_in_place() {
    let host = host_with(&Sources::of_flow(ASKING)).await.unwrap();
    let broken = Sources::of_flow("{ id: f, type: messaging, nodes: { a: { no.such.component: {} } } }");
    let error = host.load_pack("t", &broken.path()).await.unwrap_err();
    assert!(error.to_string().contains("no.such.component"), "{error}");
    assert_eq!(texts(&say(&host, "s", "hi").await.unwrap()), ["Hello hi, your name?"]);
}

#[tokio::test]
async fn a_wait_in_a_flow_that_is_gone_ends_with_its_own_code_and_then_starts_anew() {
    let host = host_with(&Sources::of_flow(ASKING).file("pack.yaml", "pack_id: p")).await.unwrap();
    say(&host, "s", "hi").await.unwrap();
    let changed =
        ASKING.replace("  wait:", "  pause:").replace("to: wait", "to: pause").replace("node.wait", "node.pause");
    host.load_pack("t", &Sources::of_flow(&changed).file("pack.yaml", "pack_id: p").path()).await.unwrap();
    assert_eq!(say(&host, "s", "Ada").await.unwrap_err().code(), Code::ResumeImpossible);
    assert_eq!(texts(&say(&host, "s", "hi").await.unwrap()), ["Hello hi, your name?"]);
}

const MENU: &str = "
id: menu
type: messaging
nodes:
  show:
    emit.response: { text: 'You said {{in.text}}' }
    routing: [{ to: wait }]
  wait:
    session.wait: {}
    routing: [{ to: check }]
  check:
    emit.log: { said: '{{prev.text}}' }
    routing: [{ condition: 'node.wait.text == \"stop\"', to: out }, { to: show }]
";

#[tokio::test]
async fn a_conversation_may_go_on_for_ever_and_does_not_grow() {
    let bindings = "{ tenant: t, limits: { steps: 10, run_bytes: 64KiB } }";
    let host = host_of(bindings, &Sources::of_flow(MENU), |b| b.with_memory_store()).await.unwrap();
    let long = "x".repeat(1_000);
    for turn in 0..300 {
        let outcome = say(&host, "s", &format!("{turn} {long}")).await.unwrap();
        assert!(waits(&outcome), "turn {turn}");
        assert_eq!(texts(&outcome), [format!("You said {turn} {long}")]);
    }
    let counts = host.counts().await.unwrap();
    assert!(counts.journal < 100, "{counts:?}");
    say(&host, "s", "stop").await.unwrap();
    assert_eq!(host.counts().await.unwrap(), Counts::default());
}

#[tokio::test]
async fn a_failure_that_would_come_again_does_not_lock_the_session() {
    let flow = ASKING
        .replace("text: 'Bye {{node.wait.text}}, who said {{entry.text}}, then {{in.text}}'", "text: '{{in.nothing}}'");
    let host = host_with(&Sources::of_flow(&flow)).await.unwrap();
    say(&host, "s", "hi").await.unwrap();
    assert_eq!(say(&host, "s", "Ada").await.unwrap_err().code(), Code::RenderFailed);
    let counts = host.counts().await.unwrap();
    assert_eq!(
        (counts.events, counts.waits, counts.dead, counts.runs),
        (0, 0, 1, 1),
        "the run goes with the dead letter"
    );
    assert_eq!(texts(&say(&host, "s", "hi").await.unwrap()), ["Hello hi, your name?"]);
}

#[tokio::test]
async fn a_wait_belongs_to_its_pack() {
    let pack = |id: &str, flow: &str| Sources::of_flow(flow).file("pack.yaml", &format!("pack_id: {id}"));
    let (asking, menu) = (pack("asking", ASKING), pack("menu", MENU));
    let host = host_with(&asking).await.unwrap();
    say(&host, "s", "hi").await.unwrap();
    host.load_pack("t", &menu.path()).await.unwrap();
    assert_eq!(texts(&say(&host, "s", "yo").await.unwrap()), ["You said yo"], "the other pack knows nothing of it");
    host.load_pack("t", &asking.path()).await.unwrap();
    assert_eq!(texts(&say(&host, "s", "Ada").await.unwrap()), ["Bye Ada, who said hi, then Ada"]);
}

#[tokio::test]
async fn nothing_stays_in_memory_of_events_that_are_done() {
    let host = host_with(&Sources::of_flow(ASKING)).await.unwrap();
    for session in 0..100 {
        say(&host, &format!("s{session}"), "hi").await.unwrap();
    }
    host.stop().await.unwrap();
    assert_eq!(host.under_way(), Load::default());
}

#[tokio::test]
async fn what_a_caller_may_not_send_is_refused_before_it_is_stored() {
    let host = host_with(&Sources::of_flow(ASKING)).await.unwrap();
    let large = say(&host, "s", &"x".repeat(10 << 20)).await.unwrap_err();
    assert_eq!(large.code(), Code::TooLarge);
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    let deep = host.submit(event("s", deep)).await.unwrap_err();
    assert_eq!(deep.code(), Code::TooLarge);
    let mut foreign = event("s", json!({}));
    foreign.session = greentic_runner_host::session::SessionKey::of(["other", "test", "s"]);
    assert_eq!(host.submit(foreign).await.unwrap_err().code(), Code::RequestInvalid);
    assert_eq!(host.counts().await.unwrap(), Counts::default());
}

#[tokio::test]
async fn a_value_that_grows_deeper_with_every_step_ends_its_run() {
    let flow = "
id: f
type: messaging
nodes:
  a:
    emit.log: { before: '{{prev}}' }
    routing: [{ condition: 'in.text == \"stop\"', to: out }, { to: a }]
";
    let host = host_with(&Sources::of_flow(flow)).await.unwrap();
    assert_eq!(say(&host, "s", "x").await.unwrap_err().code(), Code::RunTooLarge);
}

#[tokio::test]
async fn a_callers_templates_see_the_event_that_a_called_flow_waited_for() {
    let main = "
id: main
type: messaging
nodes:
  call:
    flow.call: { flow_id: sub, input: {} }
    routing: [{ to: done }]
  done:
    emit.response: { text: 'first {{entry.text}}, then {{in.text}}' }
";
    let sub = "
id: sub
type: job
nodes:
  wait:
    session.wait: {}
    routing: [{ to: end }]
  end:
    emit.log: {}
";
    let host = host_with(&Sources::of_flow(main).file("sub.ygtc", sub)).await.unwrap();
    say(&host, "s", "one").await.unwrap();
    assert_eq!(texts(&say(&host, "s", "two").await.unwrap()), ["first one, then two"]);
}

#[tokio::test]
async fn an_answer_that_failed_goes_on_with_its_own_run_when_it_is_replayed() {
    let broken = ASKING
        .replace("text: 'Bye {{node.wait.text}}, who said {{entry.text}}, then {{in.text}}'", "text: '{{in.nothing}}'");
    let pack = |flow: &str| Sources::of_flow(flow).file("pack.yaml", "pack_id: p");
    let host = host_with(&pack(&broken)).await.unwrap();
    say(&host, "s", "hi").await.unwrap();
    let route = reply_route("t", "test", "s");
    let mut answer = event("s", json!({ "text": "Ada" }));
    answer.reply_to = ReplyTo::Route(route.clone());
    assert_eq!(host.submit(answer).await.unwrap().outcome().await.unwrap_err().code(), Code::RenderFailed);
    // The session begins anew meanwhile, and waits in a run of its own.
    assert_eq!(texts(&say(&host, "s", "again").await.unwrap()), ["Hello again, your name?"]);

    let dead = |host: &RunnerHost| {
        let store = Arc::clone(host.store());
        async move { store.dead_letters(None, 9).await.unwrap() }
    };
    // The flow is no better yet, then its node waits no more, then all is well.
    let elsewhere = ASKING.replace("    session.wait: { reason: a name }", "    emit.log: {}");
    let steps = [(None, "GRH-0605"), (Some(elsewhere), "GRH-0613"), (Some(ASKING.to_owned()), "")];
    for (flow, failure) in steps {
        if let Some(flow) = flow {
            host.load_pack("t", &pack(&flow).path()).await.unwrap();
        }
        let replayed = host.replay(dead(&host).await[0].event).await.unwrap();
        while host.under_way() != Load::default() {
            tokio::task::yield_now().await;
        }
        match dead(&host).await.first() {
            Some(letter) => assert_eq!((&*letter.failure.code, letter.event), (failure, replayed)),
            None => assert_eq!(failure, ""),
        }
    }
    let replies = host.replies(&route, 0, 9).await.unwrap();
    let said: Vec<_> = replies.iter().map(|reply| String::from_utf8_lossy(&reply.payload)).collect();
    assert!(said.last().unwrap().contains("Bye Ada, who said hi, then Ada"), "{said:?}");
    assert_eq!(texts(&say(&host, "s", "Bob").await.unwrap()), ["Bye Bob, who said again, then Bob"]);
    assert_eq!((host.counts().await.unwrap().runs, host.counts().await.unwrap().dead), (0, 0));
}

#[tokio::test]
async fn only_dead_letters_of_loaded_packs_are_replayed() {
    let host = host_with(&Sources::of_flow(ASKING).file("pack.yaml", "pack_id: p")).await.unwrap();
    assert_eq!(host.replay(EventId(1)).await.unwrap_err().code(), Code::DeadLetterUnknown);
    assert_eq!(host.purge_dead(EventId(1)).await.unwrap_err().code(), Code::DeadLetterUnknown);
    assert_eq!(host.resend(1).await.unwrap_err().code(), Code::UndeliveredUnknown);
    assert_eq!(host.purge_undelivered(1).await.unwrap_err().code(), Code::UndeliveredUnknown);
    host.stop().await.unwrap();
    assert_eq!(host.replay(EventId(1)).await.unwrap_err().code(), Code::NotRunning);
}
