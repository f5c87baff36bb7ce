//! The servers take what the host renders for their platforms, and answer as the host understands them.

use greentic_runner_host::egress::telegram::TelegramSender;
use greentic_runner_host::egress::webex::WebexSender;
use greentic_runner_host::egress::whatsapp::{Notice, WhatsappSender};
use greentic_runner_host::egress::{Answer, Auth, Body, Call, Sender, Verdict};
use greentic_runner_host::secret::Secret;
use serde_json::{Value, json};

use super::deliver;
use super::telegram::Telegram;
use super::webex::Webex;
use super::whatsapp::Whatsapp;
use super::{Instead, Script};

/// Sends a request and what it leads to, as the courier does.
async fn send(sender: &dyn Sender, call: &Call) -> Verdict {
    let client = deliver::client();
    let mut call = call.clone();
    loop {
        let request = client.request(call.method.clone(), call.url.expose());
        let request = match &call.auth {
            Auth::Bearer(token) => request.bearer_auth(token.expose()),
            _ => request,
        };
        let request = match &call.body {
            Body::Json(body) => request.json(body),
            Body::Multipart { fields, file } => {
                let form = fields.iter().cloned().fold(reqwest::multipart::Form::new(), |form, (n, v)| form.text(n, v));
                let part = reqwest::multipart::Part::stream(file.bytes.clone()).file_name(file.name.clone());
                request.multipart(form.part(file.field.clone(), part.mime_str(&file.mime).unwrap()))
            }
        };
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.unwrap();
        match sender.judge(&call, &Answer { status, headers: &headers, body: &body }) {
            Verdict::Next(next) => call = *next,
            verdict => return verdict,
        }
    }
}

/// A reply with something of everything goes through, and each way of answering is understood.
async fn check(sender: &dyn Sender, to: &str, script: &Script, forbidden: &str) {
    let card = json!({"type": "AdaptiveCard", "version": "1.4", "body": [{"type": "TextBlock", "text": "card"}]});
    let reply = json!({"messages": [
        {"text": "x".repeat(9000), "buttons": (0..12).map(|n| format!("Choice {n}")).collect::<Vec<_>>()},
        {"text": "look", "attachments": [{"mime": "image/png", "data_inline_b64": "aGk=", "name": "x.png"}]},
        {"text": "**b**", "format": "markdown", "card": card},
        {"attachments": [{"mime": "application/pdf", "url": "https://a.example/x.pdf"}], "buttons": ["Yes", {"title": "Site", "url": "https://a.example"}]},
    ]});
    for call in sender.render(to, &reply).unwrap() {
        assert_eq!(send(sender, &call).await, Verdict::Sent, "{call:?}");
    }
    assert!(script.taken(6).await.iter().any(|taken| taken.body["file"]["bytes"] == 2));
    let hi = sender.render(to, &json!("hi")).unwrap().remove(0);
    script.answer([Instead::TooMany(7), Instead::Status(502), Instead::Forbidden, Instead::Answer(200, Value::Null)]);
    assert_eq!(send(sender, &hi).await, Verdict::Later(Some(std::time::Duration::from_secs(7))));
    assert!(matches!(send(sender, &hi).await, Verdict::Unclear(_)));
    let Verdict::Refused(why) = send(sender, &hi).await else { panic!("not refused") };
    assert!(why.contains(forbidden), "{why}");
    assert_eq!(send(sender, &hi).await, Verdict::Sent);
    assert_eq!(script.left(), 0);
    let count = script.taken(0).await.len();
    script.answer([Instead::Hang]);
    let hung = tokio::select! {
        taken = script.taken(count + 1) => taken,
        verdict = send(sender, &hi) => panic!("answered: {verdict:?}"),
    };
    assert_eq!(hung.len(), count + 1);
}

#[tokio::test]
async fn telegram_takes_what_is_rendered_for_it() {
    let platform = Telegram::start("1:token").await;
    let sender = TelegramSender::new(&platform.url, &Secret::new("1:token")).unwrap();
    check(&sender, r#"["456","",""]"#, &platform.script, "blocked by the user").await;
    let noticed = sender.noticed(&json!({"callback_query": {"id": "q"}})).unwrap();
    assert_eq!(send(&sender, &noticed).await, Verdict::Sent);
    let other = TelegramSender::new(&platform.url, &Secret::new("1:other")).unwrap();
    let call = other.render(r#"["456","",""]"#, &json!("hi")).unwrap().remove(0);
    assert!(matches!(send(&other, &call).await, Verdict::Refused(_)));
}

#[tokio::test]
async fn whatsapp_takes_what_is_rendered_for_it() {
    let platform = Whatsapp::start("token").await;
    let of = |token| WhatsappSender {
        base_url: platform.url.clone(),
        api_version: "v25.0".into(),
        token: Secret::new(token),
        number: None,
        notice: Notice::Typing,
        list_button: "☰".into(),
    };
    let to = r#"["1122","4917","",""]"#;
    check(&of("token"), to, &platform.script, "24 hours").await;
    let raw = json!({"entry": [{"changes": [{"value": {"metadata": {"phone_number_id": "1122"}, "messages": [{"id": "w"}]}}]}]});
    assert_eq!(send(&of("token"), &of("token").noticed(&raw).unwrap()).await, Verdict::Sent);
    let call = of("other").render(to, &json!("hi")).unwrap().remove(0);
    assert!(matches!(send(&of("other"), &call).await, Verdict::Refused(_)));
}

#[tokio::test]
async fn webex_takes_what_is_rendered_for_it() {
    let platform = Webex::start("token").await;
    let of = |token| WebexSender { base_url: platform.url.clone(), token: Secret::new(token) };
    let to = r#"["r1","m1"]"#;
    check(&of("token"), to, &platform.script, "not in the room").await;
    let call = of("other").render(to, &json!("hi")).unwrap().remove(0);
    assert!(matches!(send(&of("other"), &call).await, Verdict::Refused(_)));
}
