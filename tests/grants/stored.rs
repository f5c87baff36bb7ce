//! Providers that operators store, change and forget while the host runs.

use greentic_runner_host::Code;
use tempfile::TempDir;

use super::*;

const MAIL: &str = "/admin/providers/t/mail";

fn invoke(by: &str, op: &str) -> String {
    format!("    provider.invoke: {{ {by}, op: {op}, input: '{{{{in.raw.body}}}}' }}")
}

/// A pack that declares the provider `own` of the type `test.echo`, and whose flow `mail` calls one that it does not have.
fn pack() -> Sources {
    let yaml = "pack_id: desk\nversion: 1.0.0\nproviders:\n  - { provider_type: test.echo, provider_id: own, component: \
                echo, config: { greeting: declared } }\n";
    Sources::new()
        .file("pack.yaml", yaml)
        .component("echo", "echo-provider")
        .component("node", "echo-node")
        .file("mail.ygtc", &flow("mail", &invoke("provider_id: mail", "config")))
        .file("own.ygtc", &flow("own", &invoke("provider_id: own", "config")))
        .file("typed.ygtc", &flow("typed", &invoke("provider_type: test.mail", "config")))
}

fn body(greeting: &str, enabled: bool) -> Value {
    json!({"provider_type": "test.mail", "component_ref": "echo", "enabled": enabled, "config": {"greeting": greeting}})
}

async fn put(running: &Running, path: &str, body: &Value) -> Response {
    running.send(Method::PUT, path, Some(body)).await
}

async fn listed(running: &Running) -> Vec<Value> {
    let status = running.get("/admin/providers?tenant=t").await;
    assert!(!status.to_string().contains("canary"), "no value of a configuration is shown: {status}");
    status["tenants"][0]["providers"].as_array().unwrap().clone()
}

fn audited(dir: &Path) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(dir.join("audit.log")).unwrap();
    assert!(!text.contains("canary"), "{text}");
    let entries = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap().to_owned();
    entries.map(|entry| (text(&entry, "action"), text(&entry, "outcome"))).collect()
}

fn data() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test]
async fn a_stored_provider_is_called_with_its_configuration_until_it_is_forgotten() {
    let data = data();
    let running = Running::start("", &pack(), &[], data.path()).await;
    let (status, _) = running.call("mail", &json!({})).await;
    assert_ne!(status, 200, "nobody has such a provider");

    let stored = put(&running, MAIL, &body("canary-1", true)).await;
    assert_eq!(stored.status(), 200);
    let stored: Value = stored.json().await.unwrap();
    let told = json!({
        "provider_id": "mail", "provider_type": "test.mail", "source": "stored", "component_ref": "echo",
        "enabled": true, "state": "ready", "notes": [], "config_keys": ["greeting"],
    });
    assert_eq!(stored, told);
    assert_eq!(running.call("mail", &json!({})).await, (200, json!({"greeting": "canary-1"})));
    assert_eq!(running.call("typed", &json!({})).await, (200, json!({"greeting": "canary-1"})), "found by its type");
    assert_eq!(listed(&running).await.iter().map(|p| p["provider_id"].clone()).collect::<Vec<_>>(), ["mail", "own"]);

    assert_eq!(put(&running, MAIL, &body("canary-2", true)).await.status(), 200);
    assert_eq!(running.call("mail", &json!({})).await.1, json!({"greeting": "canary-2"}), "changed at once");

    assert_eq!(running.send(Method::DELETE, MAIL, None).await.status(), 204);
    assert_ne!(running.call("mail", &json!({})).await.0, 200);
    let gone = error(running.send(Method::DELETE, MAIL, None).await).await;
    assert_eq!((gone.0, &*gone.1), (404, "GRH-1143"));
    let done = |action: &str| (action.to_owned(), "done".to_owned());
    let audited = audited(data.path());
    assert_eq!(
        audited.iter().filter(|entry| entry.1 == "done").cloned().collect::<Vec<_>>(),
        [done("provider.put"), done("provider.put"), done("provider.forget")]
    );
    assert_eq!(audited.last().unwrap().1, "failed", "what was refused is written down as well");
    running.stop().await;
}

#[tokio::test]
async fn stored_providers_outlive_reloads_and_restarts() {
    let data = data();
    let running = Running::start("", &pack(), &[], data.path()).await;
    assert_eq!(put(&running, MAIL, &body("kept", true)).await.status(), 200);
    running.host.load_pack("t", &pack().path()).await.unwrap();
    assert_eq!(running.call("mail", &json!({})).await.1, json!({"greeting": "kept"}));
    running.stop().await;
    let running = Running::start("", &pack(), &[], data.path()).await;
    assert_eq!(running.call("mail", &json!({})).await.1, json!({"greeting": "kept"}));
    running.stop().await;
}

#[tokio::test]
async fn a_disabled_provider_is_an_error_that_flows_can_catch() {
    let data = data();
    let caught = "id: caught\ntype: http\nnodes:\n  a:\n    provider.invoke: { provider_id: mail, op: config }\n    routing: \
                  [{ status: error, to: sorry }]\n  sorry:\n    emit.response: { body: { code: '{{node.a.error.code}}' } }\n";
    let running = Running::start("", &pack().file("caught.ygtc", caught), &[], data.path()).await;
    let stored: Value = put(&running, MAIL, &body("hi", false)).await.json().await.unwrap();
    assert_eq!((&stored["enabled"], &stored["state"]), (&json!(false), &json!("disabled")));
    assert_ne!(running.call("mail", &json!({})).await.0, 200);
    assert_eq!(running.call("caught", &json!({})).await.1, json!({"code": "GRH-1140"}));
    for (change, enabled) in [("enable", true), ("disable", false), ("enable", true)] {
        let answer = running.send(Method::POST, &format!("{MAIL}/{change}"), None).await;
        assert_eq!(answer.json::<Value>().await.unwrap()["enabled"], enabled);
        assert_eq!(running.call("mail", &json!({})).await.0 == 200, enabled, "{change}");
    }
    let unknown = error(running.send(Method::POST, "/admin/providers/t/nobody/enable", None).await).await;
    assert_eq!((unknown.0, &*unknown.1), (404, "GRH-1143"));
    running.stop().await;
}

#[tokio::test]
async fn a_stored_provider_hides_one_of_the_pack_with_its_id() {
    let data = data();
    let running = Running::start("", &pack(), &[], data.path()).await;
    assert_eq!(running.call("own", &json!({})).await.1, json!({"greeting": "declared"}));
    assert_eq!(put(&running, "/admin/providers/t/own", &body("stored", true)).await.status(), 200);
    assert_eq!(running.call("own", &json!({})).await.1, json!({"greeting": "stored"}));
    let all = listed(&running).await;
    assert_eq!((all.len(), &all[0]["source"]), (1, &json!("stored")));
    assert_eq!(running.send(Method::DELETE, "/admin/providers/t/own", None).await.status(), 204);
    assert_eq!(running.call("own", &json!({})).await.1, json!({"greeting": "declared"}));
    assert_eq!(listed(&running).await[0]["source"], "pack");
    running.stop().await;
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_nothing_is_stored() {
    let data = data();
    let running = Running::start("", &pack(), &[], data.path()).await;
    let with = |key: &str, value: Value| {
        let mut body = body("canary-secret", true);
        body[key] = value;
        body
    };
    let cases = [
        (with("config", json!({"greeting": 7})), 422, "GRH-0310", "`greeting` is missing"),
        (with("component_ref", json!("absent")), 422, "GRH-1144", "\"absent\""),
        (with("component_ref", json!("node")), 422, "GRH-1144", "is no provider"),
        (with("pack_ref", json!("other")), 422, "GRH-1144", "desk@1.0.0"),
        (with("pack_ref", json!("desk@2.0.0")), 422, "GRH-1144", "desk@1.0.0"),
        (with("provider_type", json!("")), 422, "GRH-1144", "`provider_type`"),
        (with("provider_id", json!("another")), 422, "GRH-1144", "\"another\""),
        (with("enabeld", json!(true)), 400, "GRH-0801", "\"enabeld\""),
        (with("config", json!("canary-secret")), 400, "GRH-0801", "not of the kind"),
        (json!({"provider_type": "x"}), 400, "GRH-0801", "component_ref"),
        (json!([]), 400, "GRH-0801", "object"),
    ];
    for (body, status, code, part) in cases {
        let refused = error(put(&running, MAIL, &body).await).await;
        assert_eq!((refused.0, &*refused.1), (status, code), "{body}: {}", refused.2);
        assert!(refused.2.contains(part) && !refused.2.contains("canary"), "{body}: {}", refused.2);
    }
    let large = with("config", json!({"greeting": "x".repeat(70 << 10)}));
    assert_eq!(error(put(&running, MAIL, &large).await).await.1, "GRH-1144");
    for path in ["/admin/providers/other/mail", "/admin/providers/t/a%20b"] {
        assert!(matches!(put(&running, path, &body("x", true)).await.status().as_u16(), 400 | 404), "{path}");
    }
    assert_eq!(put(&running, MAIL, &with("pack_ref", json!("desk@1.0.0"))).await.status(), 200);
    assert_eq!(listed(&running).await.len(), 2, "only what fits");
    running.stop().await;
}

#[tokio::test]
async fn a_stored_provider_whose_component_is_gone_is_noted_and_told() {
    let data = data();
    let running = Running::start("", &pack(), &[], data.path()).await;
    assert_eq!(put(&running, MAIL, &body("hi", true)).await.status(), 200);
    let without = Sources::new()
        .file("pack.yaml", "pack_id: desk\nversion: 1.1.0\n")
        .component("node", "echo-node")
        .file("mail.ygtc", &flow("mail", &invoke("provider_id: mail", "config")));
    running.host.load_pack("t", &without.path()).await.unwrap();
    let notes = running.host.tenant("t").unwrap().notes().to_vec();
    assert!(notes.iter().any(|note| note.code() == Code::StoredProvider), "{notes:?}");
    let mail = listed(&running).await[0].clone();
    assert_eq!((&mail["state"], &mail["notes"][0]["code"]), (&json!("broken"), &json!("GRH-1144")), "{mail}");
    assert_ne!(running.call("mail", &json!({})).await.0, 200);
    let health = running.get("/admin/providers/health").await;
    assert_eq!(health["tenants"][0]["providers"][0]["health"], "broken", "{health}");
    running.stop().await;
}

#[tokio::test]
async fn several_providers_of_a_type_are_an_error() {
    let data = data();
    let running = Running::start("", &pack(), &[], data.path()).await;
    assert_eq!(put(&running, MAIL, &body("one", true)).await.status(), 200);
    assert_eq!(running.call("typed", &json!({})).await.1, json!({"greeting": "one"}));
    assert_eq!(put(&running, "/admin/providers/t/post", &body("two", true)).await.status(), 200);
    assert_ne!(running.call("typed", &json!({})).await.0, 200, "which one is meant?");
    let notes = running.host.tenant("t").unwrap().notes().to_vec();
    assert!(format!("{notes:?}").contains("several providers"), "{notes:?}");
    assert_eq!(running.call("mail", &json!({})).await.1, json!({"greeting": "one"}), "by its id it is called still");
    running.stop().await;
}

#[tokio::test]
async fn health_is_asked_of_each_provider() {
    let data = data();
    let yaml = "pack_id: desk\nversion: 1.0.0\nproviders:\n  - { provider_type: a, component: echo, config: { greeting: hi } }\n  \
                - { provider_type: b, component: sick }\n";
    let pack = Sources::new()
        .file("pack.yaml", yaml)
        .component("echo", "echo-provider")
        .component("sick", "unhealthy-provider")
        .file("own.ygtc", &flow("own", &invoke("provider_id: a", "config")));
    let running = Running::start("", &pack, &[], data.path()).await;
    assert_eq!(put(&running, "/admin/providers/t/c", &body("hi", false)).await.status(), 200);
    let health = running.get("/admin/providers/health?tenant=t").await;
    let of = |at: usize| {
        let provider = &health["tenants"][0]["providers"][at];
        (provider["provider_id"].clone(), provider["health"].clone(), provider["code"].clone())
    };
    assert_eq!(of(0), (json!("a"), json!("well"), Value::Null));
    assert_eq!(of(1), (json!("b"), json!("unwell"), json!("GRH-0315")));
    assert_eq!(of(2), (json!("c"), json!("disabled"), json!("GRH-1140")));
    let said = health["tenants"][0]["providers"][1]["said"].as_str().unwrap();
    assert!(said.contains("its backend is away"), "{said}");
    running.stop().await;
}
