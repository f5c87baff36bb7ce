//! Secrets that guests ask for: every interface, by a guest that calls them all.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use greentic_runner_host::abi::{Prepared, Surroundings};
use greentic_runner_host::capabilities::grants::{Grant, Grants};
use greentic_runner_host::capabilities::scope::Scope;
use greentic_runner_host::capabilities::services::Services;
use greentic_runner_host::id::Id;
use greentic_runner_host::run::event::Event;
use greentic_runner_host::secret::{Secret, SecretBytes};
use greentic_runner_host::secrets::{GuestSecrets, SecretScope, SecretsManager};
use greentic_runner_host::{Code, Error, HostConfig, Limits, Result};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::common::{Sources, event, host_of};
use crate::guests::{Rig, scope};
use crate::logged::Logged;

/// The interfaces as the guest calls them.
const ALL: [&str; 5] =
    ["secrets-store@1.0.0", "secrets-store@1.1.0", "host-import@0.2.0", "host-import@0.4.0", "host-import@0.6.0"];

const BINDINGS: &str = "
tenant: t
flow_type_bindings:
  messaging: { adapter: webchat, secrets: [CRM_KEY, Refresh-Token, BINARY, ABSENT, BROKEN, FORBIDDEN, SLOW] }
  webhook: { adapter: generic, secrets: [HOOK_KEY] }
secrets:
  components: { narrow: [CRM_KEY] }
  write: [refresh_token, HOOK_KEY]
";

/// Secrets in memory, which notes who asked for what.
#[derive(Default)]
struct Shelf {
    values: Mutex<HashMap<String, Vec<u8>>>,
    asked: Mutex<Vec<SecretScope>>,
}

fn place(scope: &SecretScope, name: &str) -> String {
    let or = |id: &Option<Id>| id.as_deref().unwrap_or("_").to_owned();
    format!("{}/{}/{}/{}/{}/{name}", scope.env, scope.tenant, or(&scope.team), or(&scope.pack), or(&scope.user))
}

#[async_trait]
impl SecretsManager for Shelf {
    async fn read(&self, _: &SecretScope, _: &str) -> Result<Vec<Secret>> {
        panic!("guests take bytes");
    }

    async fn read_bytes(&self, scope: &SecretScope, name: &str) -> Result<Vec<SecretBytes>> {
        self.asked.lock().push(scope.clone());
        match name {
            "BROKEN" => Err(Error::new(Code::SecretUnavailable, "the shelf fell down")),
            "FORBIDDEN" => Err(Error::new(Code::SecretForbidden, "the shelf is locked")),
            "SLOW" => std::future::pending().await,
            _ => Ok(self
                .values
                .lock()
                .get(&place(scope, name))
                .map(|value| SecretBytes::new(value.clone()))
                .into_iter()
                .collect()),
        }
    }

    async fn write(&self, scope: &SecretScope, name: &str, value: &SecretBytes) -> Result<()> {
        self.values.lock().insert(place(scope, name), value.expose().to_vec());
        Ok(())
    }
}

/// A rig whose tenant has `bindings`, with secrets at these places, and the guest.
async fn rig(bindings: &str, values: &[(&str, &[u8])]) -> (Rig, Arc<Prepared>, Arc<Shelf>) {
    let shelf = Arc::new(Shelf::default());
    shelf.values.lock().extend(values.iter().map(|(place, value)| ((*place).to_owned(), value.to_vec())));
    let policy = HostConfig::from_yaml(bindings, "test.yaml").unwrap().secrets_policy();
    // As hosts do it: `webhook` is what bindings call flows of type `http`.
    let policy = policy.by_types(|name| match name {
        "messaging" => Some("messaging"),
        "webhook" => Some("http"),
        _ => None,
    });
    let mut rig =
        Rig::new(Limits { timeout: Duration::from_secs(3), host_call_bytes: 1 << 20, ..crate::guests::limits() });
    rig.limits.memory_bytes = 32 << 20;
    let secrets = Arc::new(GuestSecrets::new(Arc::clone(&shelf) as _, policy));
    rig.services = Services { secrets, ..Services::default() };
    let guest = rig.guest("secret-reader").await;
    (rig, guest, shelf)
}

async fn get(rig: &Rig, guest: &Prepared, scope: Scope, by: &str, key: &str) -> Value {
    let input = json!({ "by": by, "key": key });
    plain(&rig.call(guest, scope, "get", &input).await.unwrap_or_else(|f| panic!("{by} {key}: {}", f.error)).output)
}

/// The same with an error by its name in the interface: enums are shown at length, and variants in another spelling.
fn plain(output: &Value) -> Value {
    let Some(error) = output["error"].as_str() else { return output.clone() };
    let name = match error.split_once("name: \"") {
        Some((_, rest)) => rest.split_once('"').unwrap().0.to_owned(),
        None => {
            let name = error.rsplit("::").next().unwrap();
            let dashed = name.chars().flat_map(|c| c.is_uppercase().then_some('-').into_iter().chain(c.to_lowercase()));
            dashed.collect::<String>().trim_start_matches('-').to_owned()
        }
    };
    json!({ "error": name })
}

fn found(value: &[u8]) -> Value {
    json!({ "found": true, "length": value.len(), "sum": value.iter().copied().map(u64::from).sum::<u64>() })
}

/// The error of the interface `by`.
fn refused(by: &str, store: &str, import: &str) -> Value {
    json!({ "error": if by.starts_with("secrets-store") { store } else { import } })
}

#[tokio::test]
async fn every_interface_gives_the_secret_or_says_why_not() {
    let (rig, guest, _) = rig(BINDINGS, &[("local/t/_/pack/_/CRM_KEY", b"of the pack")]).await;
    let long = "k".repeat(100_000);
    for by in ALL {
        let get = |key| get(&rig, &guest, scope("t", "s"), by, key);
        for key in ["CRM_KEY", "crm_key", " Crm/Key "] {
            assert_eq!(get(key).await, found(b"of the pack"), "{by} {key}");
        }
        assert_eq!(get("ABSENT").await, refused(by, "not-found", "not-found"), "{by}");
        assert_eq!(get("HOOK_KEY").await, refused(by, "denied", "denied"), "{by}: another type's");
        assert_eq!(get("OTHER").await, refused(by, "denied", "denied"), "{by}");
        assert_eq!(get("../../..").await, refused(by, "invalid-key", "invalid-arg"), "{by}");
        assert_eq!(get(&long).await, refused(by, "invalid-key", "invalid-arg"), "{by}");
        for key in ["BROKEN", "FORBIDDEN"] {
            assert_eq!(get(key).await, refused(by, "internal", "unavailable"), "{by} {key}");
        }
        let input = json!({ "by": by, "key": "HOOK_KEY" });
        let calls = rig.call(&guest, scope("t", "s"), "get", &input).await.unwrap().host_calls;
        let [call] = calls.as_slice() else { panic!("{calls:?}") };
        assert_eq!((call.ok, call.note.as_str()), (false, "HOOK_KEY: not_allowed"), "{by}");
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_pass_where_the_interface_carries_bytes() {
    let value = [0xff, 0, 1];
    let (rig, guest, _) = rig(BINDINGS, &[("local/t/_/_/_/BINARY", &value)]).await;
    for by in ALL {
        let expected = if by.starts_with("secrets-store") { found(&value) } else { refused(by, "", "internal") };
        assert_eq!(get(&rig, &guest, scope("t", "s"), by, "BINARY").await, expected, "{by}");
    }
}

#[tokio::test]
async fn the_host_says_who_asks_whatever_the_guest_says() {
    let lies = [
        "secrets://prod/somebody-else/_/_/CRM_KEY",
        "../somebody-else/CRM_KEY",
        "somebody-else/_/_/_/CRM_KEY",
        "CRM_KEY\0",
        "user.somebody-else.CRM_KEY",
    ];
    let elsewhere = [("local/somebody-else/_/pack/_/CRM_KEY", &b"canary"[..]), ("prod/t/_/_/_/CRM_KEY", b"canary")];
    let (rig, guest, shelf) = rig(BINDINGS, &elsewhere).await;
    for by in ALL {
        // The guest names another tenant in the context that it passes.
        assert_eq!(
            get(&rig, &guest, scope("t", "s"), by, "CRM_KEY").await,
            refused(by, "not-found", "not-found"),
            "{by}"
        );
        for lie in lies {
            assert!(get(&rig, &guest, scope("t", "s"), by, lie).await["error"].is_string(), "{by} {lie}");
        }
    }
    let asked = shelf.asked.lock();
    assert!(
        !asked.is_empty() && asked.iter().all(|scope| (&*scope.env, &*scope.tenant) == ("local", "t")),
        "{asked:?}"
    );
}

#[tokio::test]
async fn bindings_name_a_team_and_give_users_places_of_their_own() {
    let (users, teams) =
        (("local/t/eu/pack/ann/CRM_KEY", &b"of ann"[..]), ("local/t/eu/_/_/CRM_KEY", &b"of a team"[..]));
    for (section, by_ann, by_nobody) in [
        ("team: eu\n  per_user: true", found(users.1), found(teams.1)),
        ("team: eu", found(teams.1), found(teams.1)),
        ("per_user: true", json!({ "error": "not-found" }), json!({ "error": "not-found" })),
    ] {
        let bindings = BINDINGS.replace("\nsecrets:\n", &format!("\nsecrets:\n  {section}\n"));
        let (rig, guest, _) = rig(&bindings, &[users, teams]).await;
        for (user, expected) in [(Some(Id::from("ann")), by_ann), (None, by_nobody)] {
            let scope = Scope { user, ..scope("t", "s") };
            assert_eq!(get(&rig, &guest, scope, ALL[1], "CRM_KEY").await, expected, "{section}");
        }
    }
}

#[tokio::test]
async fn a_place_that_hangs_ends_with_the_guests_time() {
    let (mut rig, guest, _) = rig(BINDINGS, &[]).await;
    rig.limits.timeout = Duration::from_secs(5);
    let answer = get(&rig, &guest, scope("t", "s"), "secrets-store@1.1.0", "SLOW").await;
    assert_eq!(answer, refused("secrets-store", "internal", ""));
}

#[tokio::test]
async fn a_key_of_any_size_hurts_nobody_but_its_guest() {
    let (rig, guest, shelf) = rig(BINDINGS, &[("local/t/_/_/_/CRM_KEY", b"value")]).await;
    let failure = rig.call(&guest, scope("t", "s"), "endless", &json!({ "length": 2 << 20 })).await.unwrap_err();
    assert_eq!(failure.error.code(), Code::GuestHostCalls, "{}", failure.error);
    // More than its memory.
    let failure = rig.call(&guest, scope("t", "s"), "endless", &json!({ "length": 10_u64 << 30 })).await.unwrap_err();
    assert!(matches!(failure.error.code(), Code::GuestTrap | Code::GuestMemory), "{}", failure.error);
    assert!(shelf.asked.lock().is_empty());
    assert_eq!(get(&rig, &guest, scope("t", "s"), ALL[0], "CRM_KEY").await, found(b"value"));
}

#[tokio::test]
async fn what_may_be_stored_is_stored_and_nothing_else_goes_on() {
    let (rig, guest, shelf) = rig(BINDINGS, &[]).await;
    let put_as = async |key: &str, value: &str| {
        let input = json!({ "key": key, "value": value });
        rig.call(&guest, scope("t", "s"), "put", &input).await
    };
    let put = async |key: &str| put_as(key, "new canary").await;
    for value in ["", &"x".repeat((64 << 10) + 1)] {
        let text = put_as("refresh_token", value).await.unwrap_err().error.to_string();
        assert!(text.contains("too_large: a secret has 1 to 65536 bytes"), "{text}");
    }
    assert_eq!(put("refresh_token").await.unwrap().output, json!("stored"));
    assert_eq!(shelf.values.lock().get("local/t/_/pack/_/Refresh-Token").unwrap(), b"new canary");
    for (key, why) in
        [("CRM_KEY", "not_allowed"), ("HOOK_KEY", "not_allowed"), ("OTHER", "not_allowed"), ("..", "invalid_key")]
    {
        let failure = put(key).await.unwrap_err();
        assert_eq!(failure.error.code(), Code::SecretNotStored, "{key}: {}", failure.error);
        let text = failure.error.to_string();
        assert!(text.contains(why) && !failure.retryable && !text.contains("canary"), "{key}: {text}");
    }
    assert_eq!(shelf.values.lock().len(), 1);
}

#[tokio::test]
async fn what_a_guest_says_of_a_secret_is_redacted() {
    let (rig, guest, _) = rig(BINDINGS, &[("local/t/_/_/_/CRM_KEY", b"canary-7f3")]).await;
    let failure = rig.call(&guest, scope("t", "s"), "fail", &json!({ "key": "CRM_KEY" })).await.unwrap_err();
    assert!(failure.error.to_string().contains("it is [redacted]"), "{}", failure.error);
    assert!(!failure.value.to_string().contains("canary") && !failure.error.to_string().contains("canary"));
    let notes: Vec<_> = failure.host_calls.iter().map(|call| call.note.as_str()).collect();
    assert_eq!(notes, ["CRM_KEY"]);
}

#[tokio::test]
async fn what_a_component_says_of_itself_is_redacted() {
    const OUTSIDE: &str = "tenant: t\nsecrets: { components: { telltale: [CRM_KEY] } }\n";
    let (rig, _, _) = rig(OUTSIDE, &[("local/t/_/_/_/CRM_KEY", b"canary-7f3")]).await;
    let guest = rig.guest("telltale").await;
    let scope = || Scope { component: Id::from("telltale"), flow_type: None, ..scope("t", "s") };
    let surroundings = || Surroundings { services: rig.services.clone(), ..Surroundings::default() };
    let started = guest.on_start(scope(), &rig.limits, surroundings()).await.unwrap_err().to_string();
    let stopped = guest.on_stop(scope(), "unload", &rig.limits, surroundings()).await.unwrap_err().to_string();
    let health = guest.healthcheck_for(scope(), &rig.limits, surroundings()).await.unwrap().to_string();
    for said in [started, stopped, health] {
        assert!(said.contains("[redacted] is old") && !said.contains("cana"), "{said}");
    }
}

#[tokio::test]
async fn a_key_that_is_a_secret_is_not_recorded() {
    let (rig, guest, _) = rig(BINDINGS, &[("local/t/_/_/_/CRM_KEY", b"canary-7f3")]).await;
    let answer = rig.call(&guest, scope("t", "s"), "confuse", &json!({ "key": "CRM_KEY" })).await.unwrap();
    let notes: Vec<_> = answer.host_calls.iter().map(|call| call.note.as_str()).collect();
    assert_eq!(notes, ["CRM_KEY", "[redacted]: not_allowed"]);
}

#[tokio::test]
async fn without_the_grant_a_guest_is_refused_by_name() {
    let rig = Rig::new(crate::guests::limits());
    let error = rig.prepare("secret-reader", Grants::all().without(Grant::Secrets)).await.unwrap_err();
    assert!(error.to_string().contains("GRH-0306") && error.to_string().contains("secrets"), "{error}");
}

#[tokio::test]
async fn bindings_decide_by_type_of_flow_and_component() {
    const FLOWS: &str = "
id: main
type: TYPE
nodes:
  call:
    component.exec:
      component: COMPONENT
      operation: get
      input: { by: secrets-store@1.0.0, key: '{{in.text}}' }
    routing: reply
";
    let yes = found(b"value");
    let denied = refused("secrets-store", "denied", "");
    for (flow_type, component, key, expected) in [
        ("messaging", "any", "CRM_KEY", &yes),
        ("messaging", "any", "HOOK_KEY", &denied),
        ("messaging", "narrow", "CRM_KEY", &yes),
        ("messaging", "narrow", "BINARY", &denied),
        ("http", "any", "HOOK_KEY", &yes),
        ("http", "any", "CRM_KEY", &denied),
        ("http", "narrow", "HOOK_KEY", &denied),
        ("event", "any", "CRM_KEY", &denied),
    ] {
        let flow = FLOWS.replace("TYPE", flow_type).replace("COMPONENT", component);
        let pack = Sources::of_flow(&flow).component(component, "secret-reader");
        let shelf = Arc::new(Shelf::default());
        for name in ["CRM_KEY", "BINARY", "HOOK_KEY"] {
            shelf.values.lock().insert(format!("local/t/_/_/_/{name}"), b"value".to_vec());
        }
        let host =
            host_of(BINDINGS, &pack, |builder| builder.with_memory_store().with_secrets_manager(shelf)).await.unwrap();
        let mut event = event("s", json!({ "text": key }));
        event.flow = greentic_runner_host::FlowChoice::Id("main".into());
        let outcome = host.submit(event).await.unwrap().outcome().await.unwrap();
        assert_eq!(&plain(&outcome.replies[0]), expected, "{flow_type} {component} {key}");
        host.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_host_asks_for_the_events_user_and_once_in_a_while() {
    const FLOW: &str = "
id: main
type: messaging
nodes:
  call:
    component.exec: { component: any, operation: get, input: { by: secrets-store@1.1.0, key: CRM_KEY } }
    routing: reply
";
    let pack = Sources::of_flow(FLOW).component("any", "secret-reader");
    let bindings = BINDINGS.replace("\nsecrets:\n", "\nsecrets:\n  per_user: true\n");
    let shelf = Arc::new(Shelf::default());
    shelf.values.lock().insert("local/t/_/_/_/CRM_KEY".to_owned(), b"value".to_vec());
    let kept = Arc::clone(&shelf);
    let host =
        host_of(&bindings, &pack, |builder| builder.with_memory_store().with_secrets_manager(kept)).await.unwrap();
    for asked in [3, 3, 3] {
        let event = Event { user: Some(Id::from("ann")), ..event("s", json!({})) };
        let outcome = host.submit(event).await.unwrap().outcome().await.unwrap();
        assert_eq!(outcome.replies, [found(b"value")]);
        assert_eq!(shelf.asked.lock().len(), asked, "of the user, of the pack, of the tenant");
    }
    assert_eq!(shelf.asked.lock()[0].user.as_deref(), Some("ann"));
    host.stop().await.unwrap();
}

#[tokio::test]
async fn a_pack_that_lacks_secrets_says_which_and_where_they_were_looked_for() {
    let pack = Sources::of_flow("{ id: main, type: messaging, nodes: { a: { emit.response: { text: x } } } }").file(
        "pack.yaml",
        "pack_id: base.demo\nversion: 1.0.0\nsecret_requirements: [{ key: CRM_KEY }, { key: ABSENT }, { key: ELSEWHERE }, \
         { key: BROKEN }, { key: NEVER, required: false }]\n",
    );
    let shelf = Arc::new(Shelf::default());
    shelf.values.lock().insert("local/t/_/base.demo/_/CRM_KEY".to_owned(), b"value".to_vec());
    let (logged, _guard) = Logged::here();
    let host =
        host_of(BINDINGS, &pack, |builder| builder.with_memory_store().with_secrets_manager(shelf)).await.unwrap();
    // It is said without being asked for, in a moment.
    let (mut log, begun) = (logged.take(), Instant::now());
    while !log.contains("secret ELSEWHERE, which pack base.demo needs") {
        tokio::time::sleep(Duration::from_millis(5)).await;
        log.push_str(&logged.take());
        assert!(begun.elapsed() < Duration::from_secs(30), "{log}");
    }
    host.look_for_secrets().await;
    assert!(!logged.take().contains("ELSEWHERE"), "and once");
    let lacking = host.lacking_secrets("t");
    assert_eq!(host.tenant("t").unwrap().required_secrets(), ["ABSENT", "BROKEN", "CRM_KEY", "ELSEWHERE"]);
    assert_eq!(lacking.missing, ["ABSENT", "ELSEWHERE"]);
    let reasons: Vec<_> = lacking.reasons.iter().map(ToString::to_string).collect();
    assert_eq!(
        reasons,
        [
            "GRH-1101: secret ABSENT, which pack base.demo needs, is not there for tenant t: looked for at ABSENT of tenant \
             t, pack base.demo, then ABSENT of tenant t; hint: store it at one of these places",
            "GRH-0846: the shelf fell down",
            "GRH-1101: secret ELSEWHERE, which pack base.demo needs, is in no list of the bindings of tenant t; hint: name \
             it under `flow_type_bindings`, in `secrets` of the types of flows that need it",
        ]
    );
    let status = greentic_runner_host::reload::status::PacksStatus::of_host(&host);
    assert_eq!(status.tenants[0].missing_secrets, ["ABSENT", "ELSEWHERE"]);
    assert_eq!(status.tenants[0].notes.len(), 3);
    host.stop().await.unwrap();
}
