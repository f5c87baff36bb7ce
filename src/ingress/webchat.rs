//! WebChat: activities in the Bot Framework's schema, sent by a browser or a client of one's own.
//!
//! There is no signature: who may send is decided by the route being on at all (see
//! [`crate::ingress::channels::Verification`]), and `from.id` and `conversation.id` are what the sender says. The
//! conversation id is therefore the conversation's secret, and clients choose it at random.

use std::time::Duration;

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::error::{Code, Error, Result};
use crate::ingress::activity::{self, Activity, WireAttachment};
use crate::ingress::adapter::{
    Adapter, AdapterRoute, Answer, Channel, Context, Inbound, Intake, Request, Respond, Settings, dedupe_key,
    json_object, platform_id,
};
use crate::ingress::channels::Verification;
use crate::ingress::envelope::{Button, Entities, IngressEnvelope, MOST, ProviderIds, Session, urls_in};
use crate::run::event::{FlowChoice, ReplyTo};
use crate::session::reply_route;
use crate::store::ReplyRoute;

/// The provider's name in envelopes and session keys.
pub const PROVIDER: &str = "webchat";

/// How long an activity is remembered: clients send it again within minutes.
const REMEMBER: Duration = Duration::from_secs(24 * 3600);

/// Where the replies of a conversation wait.
pub fn route_of(tenant: &str, conversation: &str) -> ReplyRoute {
    reply_route(tenant, PROVIDER, conversation)
}

/// The web chat, as `adapter: webchat`.
#[derive(Clone, Copy, Debug)]
pub struct Webchat;

impl Adapter for Webchat {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn routes(&self) -> &'static [AdapterRoute] {
        &[AdapterRoute { path: "/webchat/activities", methods: &["POST"] }]
    }

    fn open(&self, settings: &Settings<'_>) -> Result<Box<dyn Channel>> {
        let verification = match settings.config.get("insecure") {
            Some(Value::Bool(true)) => Verification::Insecure,
            _ => Verification::Off,
        };
        Ok(Box::new(WebchatChannel { verification, flow: settings.flow.clone() }))
    }
}

/// The web chat of a tenant.
#[derive(Clone, Debug)]
pub struct WebchatChannel {
    /// How its requests are verified.
    pub verification: Verification,
    /// What a message starts.
    pub flow: FlowChoice,
}

impl Channel for WebchatChannel {
    fn verification(&self) -> Verification {
        self.verification
    }

    fn verify(&self, _: &Context, request: &Request<'_>) -> Result<()> {
        self.verification.require("POST /webchat/activities")?;
        require_json(request.headers)
    }

    fn normalize(&self, context: &Context, request: &Request<'_>) -> Result<Intake> {
        receive(self, context, request)
    }

    fn ignored(&self) -> Answer {
        Answer::json(202, &json!({}))
    }
}

/// Other media types are what a form of another site could send without asking.
fn require_json(headers: &HeaderMap) -> Result<()> {
    let mime = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mime = mime.split(';').next().unwrap_or_default().trim();
    if mime.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Error::new(Code::MediaType, "an activity is sent as application/json"))
}

/// Normalizes one activity. Activities that are no message of a user are ignored.
pub fn receive(channel: &WebchatChannel, context: &Context, request: &Request<'_>) -> Result<Intake> {
    let raw = json_object(request.body)?;
    if !matches!(activity::kind(&raw)?, None | Some("message")) {
        return Ok(Intake::Ignored("the activity is no message"));
    }
    let activity = Activity::of(&raw)?;
    // Own messages that come back, and those of other bots: answering them would be a loop.
    if activity.is_own() || activity.is_by_bot() {
        return Ok(Intake::Ignored("the activity comes from a bot"));
    }
    normalize(activity, raw, channel, context, request).map(Intake::message)
}

fn normalize(
    activity: Activity,
    raw: Value,
    channel: &WebchatChannel,
    context: &Context,
    request: &Request<'_>,
) -> Result<Inbound> {
    let conversation = platform_id("conversation.id", activity.conversation.id.as_deref().unwrap_or_default())?;
    let user = platform_id("from.id", activity.from.id.as_deref().unwrap_or_default())?;
    let message = activity.id.as_deref().filter(|id| !id.is_empty()).map(|id| platform_id("id", id)).transpose()?;
    let dedupe = dedupe(&activity, &conversation, &user, message.as_deref())?;
    let nonce = context.nonce.to_string();
    let ids = ProviderIds {
        conversation_id: Some(conversation.clone()),
        user_id: Some(user),
        message_id: message.clone(),
        ..ProviderIds::default()
    };
    let session = ids
        .session_key(&context.tenant, PROVIDER)
        .ok_or_else(|| Error::new(Code::RequestInvalid, "the activity names neither a conversation nor a user"))?;
    let text = activity.said().map(str::to_owned);
    let envelope = IngressEnvelope {
        tenant: context.tenant.to_string(),
        provider: PROVIDER.into(),
        provider_ids: ids,
        session: Session {
            key: session.shown().to_string(),
            scopes: ["chat", "attachments", "buttons"].map(str::to_owned).into(),
        },
        timestamp: activity.timestamp.as_deref().and_then(|t| t.parse().ok()).unwrap_or_else(|| context.received()),
        entities: Entities { mentions: activity.mentions(), urls: text.as_deref().map(urls_in).unwrap_or_default() },
        text,
        buttons: buttons(&activity),
        locale: activity.locale,
        attachments: activity.attachments.into_iter().take(MOST).map(WireAttachment::normalize).collect(),
        metadata: request.metadata(),
        channel_data: if activity.channel_data.is_null() { json!({}) } else { activity.channel_data },
        raw,
    };
    Ok(Inbound {
        envelope,
        session,
        flow: channel.flow.clone(),
        dedupe,
        remember: REMEMBER,
        reply_to: ReplyTo::Route(route_of(&context.tenant, &conversation)),
        respond: Respond::Ack(Answer::json(202, &json!({ "id": message.as_deref().unwrap_or(&nonce) }))),
    })
}

/// A client that got no answer in time sends the same text again as a new activity; then only the client's own id is the
/// same.
fn dedupe(activity: &Activity, conversation: &str, user: &str, message: Option<&str>) -> Result<Vec<String>> {
    let client = activity.channel_data.get("clientActivityID").and_then(Value::as_str).filter(|id| !id.is_empty());
    if let Some(id) = client {
        let id = platform_id("channelData.clientActivityID", id)?;
        return Ok(vec![dedupe_key([conversation, user, "client", &id])]);
    }
    Ok(message.map(|id| dedupe_key([conversation, user, "id", id])).into_iter().collect())
}

/// Suggested actions, and the value of a button that was pressed: it comes without a text of the user's own.
fn buttons(activity: &Activity) -> Vec<Button> {
    let mut buttons = activity.suggested();
    if activity.text.as_deref().is_none_or(str::is_empty) && !activity.value.is_null() {
        let title = activity.value.as_str().unwrap_or_default().to_owned();
        buttons.push(Button { id: buttons.len().to_string(), title, payload: activity.value.clone() });
    }
    buttons
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::clock::Timestamp;
    use crate::id::Id;
    use crate::ingress::testing;

    fn receive_bytes(body: &[u8]) -> Result<Intake> {
        let channel =
            WebchatChannel { verification: Verification::Insecure, flow: FlowChoice::Kind("messaging".into()) };
        let context =
            Context { tenant: Id::from("demo"), now: Timestamp(1_762_851_600_000), nonce: Uuid::nil(), keys: None };
        let headers = HeaderMap::new();
        let request = Request {
            method: "POST",
            path: "/webchat/activities",
            query: None,
            headers: &headers,
            body,
            peer: Some([127, 0, 0, 1].into()),
        };
        receive(&channel, &context, &request).inspect(testing::valid)
    }

    fn message(body: &Value) -> Inbound {
        match receive_bytes(body.to_string().as_bytes()).unwrap() {
            Intake::Messages(mut inbound) => inbound.remove(0),
            other => panic!("no message: {other:?}"),
        }
    }

    fn activity(extra: &Value) -> Value {
        let mut activity = json!({"type": "message", "conversation": {"id": "c"}, "from": {"id": "u"}});
        for (key, value) in extra.as_object().unwrap() {
            activity[key] = value.clone();
        }
        activity
    }

    #[test]
    fn an_activity_becomes_an_event() {
        let body = activity(&json!({
            "id": "c|1", "text": "see https://a.example.", "timestamp": "2022-03-25T00:57:22.5223034+00:00",
            "locale": "en-GB", "channelData": {"k": 1},
            "entities": [{"type": "mention", "mentioned": {"id": "b", "name": "Bot"}}, {"type": "place"}, 7],
        }));
        let inbound = message(&body);
        assert_eq!(inbound.dedupe, ["c:u:id:c|1"]);
        let event = inbound.into_event("corr".into()).unwrap();
        assert_eq!(
            (&*event.tenant, event.user.as_deref(), event.provider.as_deref()),
            ("demo", Some("u"), Some("webchat"))
        );
        assert_eq!(event.reply_to, ReplyTo::Route(reply_route("demo", "webchat", "c")));
        assert_eq!(event.input["session"]["key"], "demo:webchat:c:u");
        assert_eq!(event.input["timestamp"], "2022-03-25T00:57:22.5223034Z");
        assert_eq!(event.input["locale"], "en-GB");
        assert_eq!(event.input["channel_data"], json!({"k": 1}));
        assert_eq!(
            event.input["entities"],
            json!({"mentions": [{"id": "b", "name": "Bot"}], "urls": ["https://a.example"]})
        );
        assert_eq!(event.input["metadata"]["ip"], "127.0.0.1");
        assert_eq!(event.input["raw"], body);
    }

    #[test]
    fn attachments_are_mapped_one_to_one() {
        let inbound = message(&activity(&json!({"attachments": [
            {"contentType": "image/png", "contentUrl": "https://a.example/x.png", "name": "x.png"},
            {"contentType": "text/plain", "contentUrl": "data:text/plain;base64,aGVsbG8="},
            {"contentType": "application/vnd.microsoft.card.hero", "content": {"title": "T"}},
        ]})));
        let shown = serde_json::to_value(inbound.envelope.attachments).unwrap();
        assert_eq!(
            shown,
            json!([
                {"type": "image", "name": "x.png", "mime": "image/png", "size": 0, "url": "https://a.example/x.png",
                 "data_inline_b64": null},
                {"type": "file", "name": null, "mime": "text/plain", "size": 5, "url": null, "data_inline_b64": "aGVsbG8="},
                {"type": "card", "name": null, "mime": "application/vnd.microsoft.card.hero", "size": 0, "url": null,
                 "data_inline_b64": null, "content": {"title": "T"}},
            ])
        );
    }

    #[test]
    fn a_pressed_button_is_a_button_and_a_value_beside_a_text_is_not() {
        let pressed = message(&activity(&json!({"value": "approve"}))).envelope;
        assert_eq!(pressed.text.as_deref(), Some("approve"));
        assert_eq!(
            serde_json::to_value(&pressed.buttons).unwrap(),
            json!([{"id": "0", "title": "approve", "payload": "approve"}])
        );
        let form = message(&activity(&json!({"value": {"size": "L"}}))).envelope;
        assert_eq!((form.text, form.buttons[0].payload.clone()), (None, json!({"size": "L"})));
        let beside = message(&activity(&json!({"text": "hi", "value": {"size": "L"}}))).envelope;
        assert!(beside.buttons.is_empty());
        let suggested = message(&activity(&json!({"text": "hi", "suggestedActions": {"actions": [
            {"type": "imBack", "title": "Yes", "value": "yes"}]}})))
        .envelope;
        assert_eq!(
            serde_json::to_value(&suggested.buttons).unwrap(),
            json!([{"id": "0", "title": "Yes", "payload": "yes"}])
        );
    }

    #[test]
    fn the_clients_own_id_recognises_what_it_sends_again() {
        let of = |id: &str| message(&activity(&json!({"id": id, "channelData": {"clientActivityID": "x"}}))).dedupe;
        assert_eq!(of("c|1"), of("c|2"));
        assert!(message(&activity(&json!({}))).dedupe.is_empty());
    }

    #[test]
    fn what_is_no_users_message_is_ignored() {
        for extra in [
            json!({"type": "conversationUpdate"}),
            json!({"type": "typing", "from": {}}),
            json!({"from": {"id": "b", "role": "bot"}}),
            json!({"from": {"id": "b"}, "recipient": {"id": "b"}}),
        ] {
            let body = activity(&extra).to_string();
            assert!(matches!(receive_bytes(body.as_bytes()), Ok(Intake::Ignored(_))), "{body}");
        }
    }

    #[test]
    fn what_cannot_be_a_message_is_refused() {
        for extra in [
            json!({"from": {}}),
            json!({"from": null}),
            json!({"conversation": {}}),
            json!({"conversation": {"id": ""}}),
            json!({"from": {"id": ""}, "recipient": {"id": ""}}),
            json!({"text": 5}),
            json!({"type": 5}),
            json!({"from": {"id": "u".repeat(513)}}),
            json!({"attachments": {}}),
            json!({"from": ["u"]}),
            json!({"attachments": [["image/png"]]}),
            json!({"suggestedActions": {"actions": [["Yes"]]}}),
        ] {
            let body = activity(&extra).to_string();
            assert_eq!(receive_bytes(body.as_bytes()).unwrap_err().code(), Code::RequestInvalid, "{body}");
        }
    }

    #[test]
    fn ids_with_separators_do_not_collide() {
        let of = |conversation: &str, user: &str| {
            message(&activity(&json!({"conversation": {"id": conversation}, "from": {"id": user}}))).session.stored()
        };
        assert_ne!(of("a:b", "c"), of("a", "b:c"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(receive_bytes(&body));
        }
    }
}
