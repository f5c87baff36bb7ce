//! Secrets in stores of clouds, by local servers that speak the documented interfaces.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::server::server;
use super::{ALL, CANARY, Serving, get, nothing_holds_it, put_reader, write};

/// Google Secret Manager, and the metadata server that gives out tokens for it.
#[derive(Clone, Default)]
struct Google {
    values: Arc<HashMap<String, String>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Google {
    async fn start(values: &[(&str, &str)]) -> (Self, String) {
        let values = values.iter().map(|(name, value)| (format!("greentic--local--{name}"), (*value).to_owned()));
        let google = Self { values: Arc::new(values.collect()), ..Self::default() };
        let answering = google.clone();
        let address = server(move |request| {
            let answering = answering.clone();
            async move { answering.answer(request.uri().path()) }
        });
        (google, address.await.to_string())
    }

    fn answer(&self, path: &str) -> Response {
        if path.ends_with("/token") {
            return axum::Json(json!({ "access_token": "a-token", "expires_in": 3600 })).into_response();
        }
        let name = path
            .strip_prefix("/v1/projects/demo/secrets/")
            .and_then(|rest| rest.strip_suffix("/versions/latest:access"));
        let name = name.unwrap_or_else(|| panic!("nothing is asked at {path}"));
        self.asked.lock().unwrap().push(name.to_owned());
        match self.values.get(name) {
            Some(value) => axum::Json(json!({ "payload": { "data": STANDARD.encode(value) } })).into_response(),
            None => (StatusCode::NOT_FOUND, axum::Json(json!({ "error": { "status": "NOT_FOUND" } }))).into_response(),
        }
    }

    /// The names that were asked for since this was called last.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

const WHOSE: &str = "
id: whose
type: messaging
nodes:
  read:
    component.exec: { component: reader, operation: get, input: { by: secrets-store@1.1.0, key: '{{in.text}}' } }
    routing: [{ to: tell }]
  tell:
    emit.response: { text: 'length {{node.read.length}}.' }
";

fn bindings(tenant: &str) -> String {
    format!(
        "
tenant: {tenant}
flow_type_bindings:
  messaging: {{ adapter: webchat, config: {{ insecure: true }}, secrets: [CRM_KEY, TEAM_KEY, TENANT_KEY, ABSENT] }}
secrets: {{ team: eu, per_user: true }}
"
    )
}

#[tokio::test]
async fn each_user_and_team_gets_its_own_secret_through_a_flow() {
    let of = |length: usize| format!("{CANARY}{}", "x".repeat(length - CANARY.len()));
    let values = [20, 30, 40, 50, 60, 70].map(of);
    let [anns, bobs, teams_in_pack, teams, tenants, of_other] = values.each_ref().map(String::as_str);
    let (google, address) = Google::start(&[
        ("open--eu--p--ann--crm_key", anns),
        ("open--eu--p--bob--crm_key", bobs),
        ("open--eu--p--crm_key", teams_in_pack),
        ("open--eu--_--team_key", teams),
        ("open--_--_--team_key", tenants),
        ("open--_--_--tenant_key", tenants),
        // Teams and tenants whose secrets are nobody's here.
        ("open--us--p--tenant_key", "x"),
        ("other--eu--p--ann--crm_key", of_other),
        ("other--_--_--tenant_key", of_other),
    ])
    .await;
    let dir = tempfile::tempdir().unwrap();
    for tenant in ["open", "other"] {
        write(dir.path(), &format!("{tenant}.yaml"), &bindings(tenant));
    }
    write(dir.path(), "pack/index.ygtc", WHOSE);
    write(dir.path(), "pack/pack.yaml", "pack_id: p\nversion: 1.0.0\n");
    put_reader(dir.path());
    let endpoint = format!("http://{address}");
    let vars = [
        ("SECRETS_BACKEND", "gcp"),
        ("GOOGLE_CLOUD_PROJECT", "demo"),
        ("GOOGLE_SECRET_MANAGER_ENDPOINT", &*endpoint),
        ("GCE_METADATA_HOST", &*address),
        ("GOOGLE_APPLICATION_CREDENTIALS", ""),
        ("HOME", "/nowhere"),
        ("RUST_LOG", ALL),
    ];
    let serving = Serving::of(dir, "--bindings open.yaml other.yaml --pack open=pack other=pack", &vars);
    google.asked();
    let mut seen = Vec::new();
    for (at, (user, key, length)) in [
        ("ann", "CRM_KEY", Some(anns.len())),
        ("bob", "crm-key", Some(bobs.len())),
        ("carol", "CRM_KEY", Some(teams_in_pack.len())),
        ("ann", "CRM_KEY", Some(anns.len())),
        ("bob", "TEAM_KEY", Some(teams.len())),
        ("bob", "TENANT_KEY", Some(tenants.len())),
        ("carol", "ABSENT", None),
    ]
    .into_iter()
    .enumerate()
    {
        let conversation = format!("c{at}");
        assert_eq!(serving.say(&conversation, user, key).await.status(), 202);
        let reply = serving.replies(&conversation, 1).await[0]["text"].as_str().unwrap().to_owned();
        let length = length.map(|length| length.to_string()).unwrap_or_default();
        assert_eq!(reply, format!("length {length}."), "{user} {key}");
        let others = ["ann", "bob", "carol"].into_iter().filter(|other| *other != user);
        let asked = google.asked();
        for not_asked in others.chain(["other", "us"]) {
            assert!(
                !asked.iter().any(|name| name.split("--").any(|part| part == not_asked)),
                "{user} {key}: {asked:?}"
            );
        }
        seen.push(reply);
    }
    seen.push(get(&serving, "/admin/packs/status").await);
    let of_carol = "a secret was refused: looked for at Google Secret Manager greentic--local--open--eu--p--carol--absent, \
                    then Google Secret Manager greentic--local--open--eu--p--absent, \
                    then Google Secret Manager greentic--local--open--_--p--absent, \
                    then Google Secret Manager greentic--local--open--eu--_--absent, \
                    then Google Secret Manager greentic--local--open--_--_--absent";
    nothing_holds_it(serving, seen, &[of_carol]);
}

/// What gives out credentials answers so that whoever reads it may quote the answer.
#[cfg(feature = "aws")]
async fn gives_out_nonsense(request: Request) -> Response {
    match (request.method().as_str(), request.uri().path()) {
        ("PUT", "/latest/api/token") | ("GET", "/latest/meta-data/iam/security-credentials/") => "role".into_response(),
        ("GET", "/latest/meta-data/iam/security-credentials/role") => {
            axum::Json(json!({ "Code": "canary-code", "Message": "canary-message", "SecretAccessKey": "canary-key" }))
                .into_response()
        }
        _ => axum::Json(json!({ "access_token": "canary-token", "expires_in": "canary-answer" })).into_response(),
    }
}

#[cfg(feature = "aws")]
#[tokio::test]
async fn what_gives_out_credentials_is_not_quoted() {
    for backend in ["aws", "gcp"] {
        let dir = tempfile::tempdir().unwrap();
        // A tenant without channels: these would keep the program from starting.
        write(dir.path(), "open.yaml", "tenant: open");
        write(
            dir.path(),
            "pack/index.ygtc",
            "{ id: main, type: messaging, nodes: { a: { emit.response: { text: x } } } }",
        );
        let address = server(gives_out_nonsense).await.to_string();
        let endpoint = format!("http://{address}");
        let vars = [
            ("SECRETS_BACKEND", backend),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ENDPOINT_URL", &*endpoint),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &*endpoint),
            ("GOOGLE_CLOUD_PROJECT", "demo"),
            ("GOOGLE_SECRET_MANAGER_ENDPOINT", &*endpoint),
            ("GCE_METADATA_HOST", &*address),
            ("GOOGLE_APPLICATION_CREDENTIALS", ""),
            ("HOME", "/nowhere"),
            ("RUST_LOG", ALL),
        ];
        let serving = Serving::of(dir, "--bindings open.yaml --pack open=pack", &vars);
        let health = get(&serving, "/healthz").await;
        assert!(health.contains("\"secrets_ready\":false"), "{backend}: {health}");
        nothing_holds_it(serving, vec![health], &[]);
    }
}
