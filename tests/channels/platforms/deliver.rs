//! Making the requests of a reply, each once.

use std::sync::Arc;
use std::time::Duration;

use greentic_runner_host::egress::{Answer, Auth, Body, Sender, Verdict};
use greentic_runner_host::id::Id;
use greentic_runner_host::ingress::adapter::{Adapter, ChannelSecrets, Settings};
use greentic_runner_host::net;
use greentic_runner_host::run::event::FlowChoice;
use greentic_runner_host::secret::Secret;
use serde_json::Value;

struct Secrets<'a>(&'a [(&'a str, &'a str)]);

impl ChannelSecrets for Secrets<'_> {
    fn get(&self, name: &str) -> Vec<Secret> {
        self.0.iter().filter(|(known, _)| *known == name).map(|(_, value)| Secret::new(*value)).collect()
    }
}

/// How a channel with these settings and secrets sends replies.
pub(super) fn sender(adapter: &dyn Adapter, config: &Value, secrets: &[(&str, &str)]) -> Arc<dyn Sender> {
    let settings = Settings {
        tenant: Id::from("t"),
        flow: FlowChoice::Default,
        config: config.as_object().unwrap(),
        secrets: &Secrets(secrets),
    };
    adapter.open(&settings).unwrap().sender().unwrap()
}

/// An HTTP client that does not wait for ever.
pub(super) fn client() -> reqwest::Client {
    net::tls::install();
    reqwest::Client::builder().timeout(Duration::from_secs(30)).build().unwrap()
}

/// What became of the requests of a reply, with the app's token if it has none of its own.
pub(super) async fn deliver(sender: &dyn Sender, place: &str, reply: &Value, token: Option<&str>) -> Vec<Verdict> {
    let client = client();
    let mut verdicts = Vec::new();
    for call in sender.render(place, reply).unwrap() {
        let Body::Json(body) = &call.body else { panic!("no JSON") };
        let request = client.request(call.method.clone(), call.url.expose()).json(body);
        let request = match (&call.auth, token) {
            (Auth::Bearer(token), _) => request.bearer_auth(token.expose()),
            (_, Some(token)) => request.bearer_auth(token),
            _ => request,
        };
        verdicts.push(match request.send().await {
            Ok(response) => {
                let (status, headers) = (response.status().as_u16(), response.headers().clone());
                let body = response.bytes().await.unwrap();
                sender.judge(&call, &Answer { status, headers: &headers, body: &body })
            }
            Err(error) => Verdict::Unclear(error.is_timeout().to_string()),
        });
    }
    verdicts
}
