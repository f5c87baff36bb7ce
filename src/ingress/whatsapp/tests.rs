use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::adapter::{Answer, Inbound, Respond};
use super::*;
use crate::ingress::testing::{self, context, headers, ignored, message, messages, normalized, post};
use crate::run::event::ReplyTo;
use crate::session::parts_of;

mod replies;

const NUMBER: &str = "1122";
const BSUID: &str = "US.1349";

fn open(config: &Value, secrets: &[(&str, &str)]) -> Box<dyn Channel> {
    testing::open(&Whatsapp, config, secrets).unwrap()
}

fn channel() -> Box<dyn Channel> {
    open(&json!({}), &[(APP_SECRET, "s"), (VERIFY_TOKEN, "t")])
}

fn change(number: &str, contacts: &Value, messages: &Value) -> Value {
    json!({"field": "messages", "value": {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "+49 30 1", "phone_number_id": number},
        "contacts": contacts,
        "messages": messages,
    }})
}

fn delivery(changes: &Value) -> Value {
    json!({"object": "whatsapp_business_account", "entry": [{"id": "WABA", "changes": changes}]})
}

/// A message of this type, of a user with a number and an id.
fn of_type(kind: &str, fields: &Value) -> Value {
    let mut message = json!({"from": "4917", "id": "wamid.1", "timestamp": "1697043223", "type": kind});
    fields.as_object().unwrap().iter().for_each(|(name, value)| message[name] = value.clone());
    let contacts = json!([{"wa_id": "4917", "user_id": BSUID, "profile": {"name": "Ada", "username": "@ada"}}]);
    delivery(&json!([change(NUMBER, &contacts, &json!([message]))]))
}

fn text(fields: &Value) -> Value {
    let mut body = of_type("text", &json!({"text": {"body": "hi"}}));
    let message = &mut body["entry"][0]["changes"][0]["value"]["messages"][0];
    fields.as_object().unwrap().iter().for_each(|(name, value)| message[name] = value.clone());
    body
}

fn address(inbound: &Inbound) -> Address {
    let ReplyTo::Route(route) = &inbound.reply_to else { panic!("replies go to a route") };
    Address::parse(&parts_of(route).unwrap().2).unwrap()
}

#[test]
fn a_text_becomes_an_event() {
    let inbound = message(&*channel(), &text(&json!({})));
    assert_eq!(inbound.dedupe, ["1122:wamid.1"]);
    assert!(inbound.remember > Duration::from_secs(7 * 24 * 3600));
    assert_eq!(inbound.respond, Respond::Ack(Answer::empty(200)));
    assert_eq!(
        address(&inbound),
        Address { phone_number_id: NUMBER.into(), to: Some("4917".into()), recipient: Some(BSUID.into()), group: None }
    );
    let event = inbound.into_event("corr".into()).unwrap();
    assert_eq!(event.user.as_deref(), Some("4917"));
    let mut input = event.input;
    assert_eq!(input["raw"].take(), text(&json!({})));
    assert_eq!(
        input,
        json!({
            "tenant": "demo",
            "provider": "whatsapp",
            "provider_ids": {"workspace_id": "WABA", "channel_id": "1122", "conversation_id": "4917", "user_id": "4917",
                "message_id": "wamid.1"},
            "session": {"key": "demo:whatsapp:4917:4917", "scopes": ["chat", "attachments", "buttons"]},
            "timestamp": "2023-10-11T16:53:43Z",
            "locale": null,
            "text": "hi",
            "attachments": [],
            "buttons": [],
            "entities": {"mentions": [], "urls": []},
            "metadata": {"raw_headers": {"user-agent": "test"}, "ip": "127.0.0.1"},
            "channel_data": {"type": "text", "phone_number_id": "1122", "display_phone_number": "+49 30 1",
                "user_id": BSUID, "profile_name": "Ada", "username": "@ada"},
            "raw": null,
        })
    );
}

#[test]
fn files_are_told_by_their_ids() {
    for (kind, file, wanted, caption) in [
        ("image", json!({"id": "a", "mime_type": "image/jpeg", "sha256": "x"}), "image", None),
        ("video", json!({"id": "a", "mime_type": "video/mp4", "caption": "see"}), "video", Some("see")),
        ("audio", json!({"id": "a", "mime_type": "audio/ogg; codecs=opus", "voice": true}), "audio", None),
        ("sticker", json!({"id": "a", "mime_type": "image/webp", "animated": false}), "image", None),
        ("document", json!({"id": "a", "mime_type": "application/pdf", "filename": "a.pdf"}), "file", None),
        ("document", json!({"id": "a", "mime_type": "application/json"}), "file", None),
        ("document", json!({"id": "a", "mime_type": "image/png"}), "image", None),
        ("image", json!({"id": "a", "url": "https://lookaside.example/a"}), "image", None),
    ] {
        let found = message(&*channel(), &of_type(kind, &json!({kind: file}))).envelope;
        assert_eq!(found.text.as_deref(), caption);
        let shown = serde_json::to_value(&found.attachments).unwrap();
        assert_eq!(shown.as_array().unwrap().len(), 1);
        let shown = &shown[0];
        assert_eq!((shown["type"].as_str(), &shown["mime"]), (Some(wanted), &file["mime_type"]), "{file}");
        assert_eq!((&shown["name"], &shown["url"]), (&file["filename"], &file["url"]), "{file}");
        assert_eq!((&shown["requires_auth"], &shown["content"]["id"]), (&json!(true), &json!("a")), "{file}");
    }
}

#[test]
fn replies_are_buttons() {
    let interactive = |reply: Value| of_type("interactive", &json!({"interactive": reply}));
    let button = |id: &str, title: &str, payload: Value| json!([{"id": id, "title": title, "payload": payload}]);
    for (body, text, buttons) in [
        (
            interactive(json!({"type": "button_reply", "button_reply": {"id": "y", "title": "Yes"}})),
            Some("Yes"),
            button("y", "Yes", json!("y")),
        ),
        (
            interactive(json!({"type": "list_reply", "list_reply": {"id": "y", "title": "Yes", "description": "d"}})),
            Some("Yes"),
            button("y", "Yes", json!("y")),
        ),
        (
            of_type("button", &json!({"button": {"payload": "y", "text": "Yes"}})),
            Some("Yes"),
            button("y", "Yes", json!("y")),
        ),
        (of_type("button", &json!({"button": {"text": "Yes"}})), Some("Yes"), button("Yes", "Yes", json!("Yes"))),
        (
            interactive(json!({"nfm_reply": {"name": "flow", "body": "Sent", "response_json": "{\"size\":\"L\"}"}})),
            Some("Sent"),
            button("flow", "Sent", json!({"size": "L"})),
        ),
        (
            interactive(json!({"nfm_reply": {"name": "flow", "response_json": "{\"size\""}})),
            None,
            button("flow", "", json!("{\"size\"")),
        ),
        (
            interactive(json!({"call_permission_reply": {"response": "accept"}})),
            Some("accept"),
            button("call_permission_reply", "accept", json!({"response": "accept"})),
        ),
    ] {
        let found = message(&*channel(), &body).envelope;
        assert_eq!((found.text.as_deref(), serde_json::to_value(&found.buttons).unwrap()), (text, buttons), "{body}");
    }
    for empty in [of_type("interactive", &json!({})), interactive(json!({})), interactive(json!({"list_reply": {}}))] {
        assert_eq!(ignored(&*channel(), &empty), "an interactive message without an answer");
    }
}

#[test]
fn other_contents_are_told_as_they_are() {
    let place = json!({"latitude": 1.5, "longitude": 2.5, "name": "Office", "address": "Street 1"});
    let found = message(&*channel(), &of_type("location", &json!({"location": place}))).envelope;
    assert_eq!((found.text.as_deref(), &found.channel_data["location"]), (Some("Office"), &place));
    let people = json!([{"name": {"formatted_name": "A"}}]);
    let found = message(&*channel(), &of_type("contacts", &json!({"contacts": people}))).envelope;
    assert_eq!((found.text, &found.channel_data["contacts"]), (None, &people));
    let fields = json!({"context": {"id": "wamid.0"}, "referral": {"source_id": "AD"}});
    let found = message(&*channel(), &text(&fields)).envelope.channel_data;
    assert_eq!((&found["context"]["id"], &found["referral"]["source_id"]), (&json!("wamid.0"), &json!("AD")));
}

#[test]
fn what_is_no_users_turn_is_acknowledged_and_dropped() {
    let receipt = json!({"field": "messages", "value": {"statuses": [{"id": "wamid.1", "status": "read"}]}});
    for (body, why) in [
        (of_type("reaction", &json!({"reaction": {"emoji": "x"}})), "a reaction is no message"),
        (of_type("unsupported", &json!({"errors": []})), "a message that WhatsApp does not pass on"),
        (of_type("revoke", &json!({})), "a message was taken back"),
        (of_type("system", &json!({})), "a note about a user"),
        (of_type("invented_in_2031", &json!({})), "no type of message that is known"),
        (of_type("text", &json!({})), "a text without a body"),
        (of_type("image", &json!({})), "a file without its particulars"),
        (of_type("button", &json!({})), "a button without a name"),
        (text(&json!({"id": null})), "a message without an id"),
        (text(&json!({"group_id": "G".repeat(513)})), "a message to a group that has no usable id"),
        (text(&json!({"from": NUMBER})), "the tenant's own message"),
        (text(&json!({"from": "49301"})), "the tenant's own message"),
        (delivery(&json!([receipt])), "a receipt is no message"),
        (
            delivery(&json!([{"field": "smb_message_echoes", "value": {"messages": [{}]}}])),
            "a change that is no message to the tenant",
        ),
        (delivery(&json!([{"field": "messages", "value": {"errors": []}}])), "a delivery without messages"),
        (delivery(&json!({})), "a delivery without messages"),
        (json!({"object": "page", "entry": []}), "a delivery about another product than WhatsApp"),
    ] {
        assert_eq!(ignored(&*channel(), &body), why, "{body}");
    }
}

#[test]
fn a_session_goes_on_when_the_number_is_hidden() {
    let of = |contact: Value, message: Value| {
        let mut fields = json!({"id": "wamid.1", "type": "text", "text": {"body": "x"}});
        message.as_object().unwrap().iter().for_each(|(name, value)| fields[name] = value.clone());
        testing::message(&*channel(), &delivery(&json!([change(NUMBER, &json!([contact]), &json!([fields]))])))
    };
    let shown = of(json!({"wa_id": "4917", "user_id": BSUID}), json!({"from": "4917"}));
    assert_eq!(shown.envelope.session.key, "demo:whatsapp:4917:4917");
    for hidden in [
        of(json!({"user_id": BSUID}), json!({"from_user_id": BSUID})),
        of(json!({"user_id": BSUID}), json!({})),
        of(json!({"wa_id": BSUID, "user_id": BSUID}), json!({"from": BSUID})),
        of(json!({}), json!({"from": BSUID})),
    ] {
        assert_eq!(hidden.session, shown.session);
        assert_eq!(hidden.envelope.session.key, "demo:whatsapp:US.1349:US.1349");
        assert_eq!((address(&hidden).to, address(&hidden).recipient.as_deref()), (None, Some(BSUID)));
    }
    // Numbers are written in two ways in some countries.
    let brazil = of(json!({"wa_id": "5511987654321", "user_id": BSUID}), json!({"from": "551187654321"}));
    assert_eq!(address(&brazil).to.as_deref(), Some("551187654321"));
    assert_eq!(brazil.session, shown.session);
    let unknown = of(json!({"wa_id": "4917"}), json!({"from": "4917"}));
    assert_eq!(&*unknown.session.stored(), "demo:whatsapp:1122:4917");
}

#[test]
fn who_cannot_be_told_shares_no_session() {
    let nobody = json!({"from": null, "from_user_id": null});
    let mut body = text(&nobody);
    body["entry"][0]["changes"][0]["value"]["contacts"] = json!([]);
    assert_eq!(ignored(&*channel(), &body), "a message that does not tell its sender");
    // Two messages beside one contact: it is not known whose the second is.
    let contacts = json!([{"user_id": BSUID}]);
    let two =
        json!([{"id": "a", "type": "text", "text": {"body": "x"}}, {"id": "b", "type": "text", "text": {"body": "y"}}]);
    let body = delivery(&json!([change(NUMBER, &contacts, &two)]));
    assert_eq!(ignored(&*channel(), &body), "a message that does not tell its sender");
}

#[test]
fn numbers_and_groups_are_places_of_their_own() {
    let to = |number: &str, group: Value| {
        let mut body = text(&json!({"group_id": group}));
        body["entry"][0]["changes"][0]["value"]["metadata"]["phone_number_id"] = number.into();
        message(&*channel(), &body)
    };
    let all = [to("1122", Value::Null), to("1123", Value::Null), to("1122", "G:1".into()), to("1122", "G:2".into())];
    let stored: std::collections::HashSet<_> = all.iter().map(|inbound| inbound.session.stored()).collect();
    assert_eq!(stored.len(), 4);
    assert_eq!(all[2].envelope.session.key, "demo:whatsapp:G:1:4917");
    assert_eq!(address(&all[2]).group.as_deref(), Some("G:1"));
    assert_ne!(all[0].dedupe, all[1].dedupe);
}

#[test]
fn every_message_of_a_delivery_counts_once() {
    let message = |id: &str, from: &str| json!({"id": id, "from": from, "type": "text", "text": {"body": id}});
    let contacts = json!([{"wa_id": "1", "user_id": "US.1"}, {"wa_id": "2", "user_id": "US.2"}]);
    let mut body = delivery(&json!([
        change(NUMBER, &contacts, &json!([message("a", "1"), message("b", "2"), message("a", "1")])),
        change("1123", &json!([]), &json!([message("a", "1"), {"id": "c", "from": "1", "type": "system"}])),
        {"field": "account_update", "value": {}},
    ]));
    let second = change(NUMBER, &json!([]), &json!([message("d", "3")]));
    body["entry"].as_array_mut().unwrap().push(json!({"id": "WABA2", "changes": [second]}));
    let found = messages(&*channel(), &body);
    let dedupe: Vec<_> = found.iter().flat_map(|inbound| inbound.dedupe.clone()).collect();
    assert_eq!(dedupe, ["1122:a", "1122:b", "1123:a", "1122:d"]);
    assert_eq!(&*found[1].session.stored(), "demo:whatsapp:1122:US.2");
    assert_eq!(
        found[1].envelope.raw,
        delivery(&json!([change(NUMBER, &json!([{"wa_id": "2", "user_id": "US.2"}]), &json!([message("b", "2")]))]))
    );
    assert_eq!(found[3].envelope.provider_ids.workspace_id.as_deref(), Some("WABA2"));

    let only = open(&json!({"phone_number_id": [1123]}), &[]);
    let dedupe: Vec<_> = messages(&*only, &body).iter().flat_map(|inbound| inbound.dedupe.clone()).collect();
    assert_eq!(dedupe, ["1123:a"]);
    let other = open(&json!({"phone_number_id": "1"}), &[]);
    assert_eq!(ignored(&*other, &text(&json!({}))), "a message to a number that the tenant does not answer for");
}

#[test]
fn many_messages_do_not_multiply_what_stands_beside_them() {
    let message = |id: usize| json!({"id": id.to_string(), "from": "1", "type": "text", "text": {"body": "x"}});
    let many = |count: usize| Value::from((0..count).map(message).collect::<Vec<_>>());
    let contacts = json!([{"wa_id": "1", "profile": {"name": "x".repeat(100_000)}}]);
    let body = delivery(&json!([change(NUMBER, &contacts, &many(1000))]));
    let found = messages(&*channel(), &body);
    assert_eq!(found.len(), 1000);
    assert!(found.iter().all(|inbound| inbound.envelope.raw.to_string().len() < 1000));
    let body = delivery(&json!([change(NUMBER, &contacts, &many(1001))])).to_string();
    assert_eq!(normalized(&*channel(), body.as_bytes()).unwrap_err().code(), Code::RequestInvalid);
}

#[test]
fn what_is_no_delivery_is_refused() {
    for bad in [&b""[..], b"[]", b"{}", b"{\"object\":7}", b"{\"object\":\"page\"", b"\xff"] {
        assert_eq!(normalized(&*channel(), bad).unwrap_err().code(), Code::RequestInvalid, "{bad:?}");
    }
}

#[test]
fn only_the_apps_signature_lets_in() {
    const BODY: &[u8] = br#"{"t":"\u00e4"}"#;
    let signed =
        |secret: &str, body: &[u8]| format!("sha256={}", hex::encode(verify::hmac_sha256(secret.as_bytes(), &[body])));
    let with = |config: Value, secrets: &[(&str, &str)], given: &[(&str, &str)]| {
        let headers = headers(given);
        open(&config, secrets).verify(&context(), &post(&headers, BODY)).map_err(|error| error.code())
    };
    let secrets = &[(APP_SECRET, "old"), (APP_SECRET, "new"), (VERIFY_TOKEN, "t")];
    let good = signed("new", BODY);
    let refused = Err(Code::Unauthenticated);
    for (value, wanted) in [
        (signed("old", BODY), Ok(())),
        (good.clone(), Ok(())),
        (good.to_uppercase(), refused),
        (signed("t", BODY), refused),
        (signed("new", "{\"t\":\"ä\"}".as_bytes()), refused),
        (good[..good.len() - 2].to_owned(), refused),
        (good["sha256=".len()..].to_owned(), refused),
        ("sha256=".to_owned(), refused),
        ("sha256=zz".to_owned(), refused),
    ] {
        assert_eq!(with(json!({}), secrets, &[(SIGNATURE_HEADER, &value)]), wanted, "{value}");
        assert_eq!(with(json!({"insecure": true}), secrets, &[(SIGNATURE_HEADER, &value)]), wanted, "{value}");
    }
    let sha1 = format!("sha1={}", hex::encode(verify::hmac_sha1(b"new", BODY)));
    assert_eq!(with(json!({}), secrets, &[("x-hub-signature", &sha1)]), refused);
    assert_eq!(with(json!({}), secrets, &[(SIGNATURE_HEADER, &sha1)]), refused);
    assert_eq!(with(json!({}), secrets, &[(SIGNATURE_HEADER, &good), (SIGNATURE_HEADER, &good)]), refused);
    assert_eq!(with(json!({}), &[(VERIFY_TOKEN, "t")], &[(SIGNATURE_HEADER, &good)]), Err(Code::RouteOff));
    assert_eq!(with(json!({"insecure": true}), &[], &[]), Ok(()));
}

#[test]
fn the_challenge_is_given_back_to_who_knows_the_token() {
    let none = headers(&[]);
    let ask = |channel: &dyn Channel, query: &str| {
        let request = Request { method: "GET", query: Some(query), ..post(&none, b"") };
        channel.verify(&context(), &request).map_err(|error| error.code())?;
        channel.normalize(&context(), &request).map_err(|error| error.code())
    };
    let both = open(&json!({}), &[(VERIFY_TOKEN, "old"), (VERIFY_TOKEN, "n w")]);
    for query in [
        "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=n%20w",
        "hub.verify_token=old&hub.challenge=1158201444&hub.mode=subscribe",
    ] {
        let Ok(Intake::Answer(answer)) = ask(&*both, query) else { panic!("{query}") };
        assert_eq!(answer, Answer::text(200, "1158201444"));
        assert!(answer.content_type.unwrap().starts_with("text/plain"));
    }
    let long = format!("hub.mode=subscribe&hub.verify_token=old&hub.challenge={}", "1".repeat(257));
    for query in [
        "",
        "hub.mode=subscribe&hub.challenge=1&hub.verify_token=ol",
        "hub.mode=subscribe&hub.challenge=1",
        "hub.mode=unsubscribe&hub.challenge=1&hub.verify_token=old",
        "hub.challenge=1&hub.verify_token=old",
        "hub.mode=subscribe&hub.verify_token=old",
        "hub.mode=subscribe&hub.challenge=&hub.verify_token=old",
        "hub.mode=subscribe&hub.challenge=%3Cscript%3E&hub.verify_token=old",
        "hub.mode=subscribe&hub.challenge=1&hub.verify_token=old&hub.verify_token=old",
        &long,
    ] {
        assert_eq!(ask(&*both, query).map(drop), Err(Code::RequestDenied), "{query}");
    }
    let off = open(&json!({}), &[(APP_SECRET, "s")]);
    assert_eq!(ask(&*off, "hub.mode=subscribe&hub.challenge=1&hub.verify_token=").map(drop), Err(Code::RouteOff));
    let report: Vec<_> = off.verification_by_path().iter().map(|by| format!("{} {by}", by.methods.join("|"))).collect();
    assert_eq!(report, ["GET off", "POST verified: WhatsApp signature, HMAC-SHA256"]);
    let insecure = open(&json!({"insecure": true}), &[]);
    assert!(ask(&*insecure, "hub.mode=subscribe&hub.challenge=1").is_ok());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200), query in "[a-z.&=%0-9_]{0,80}") {
        drop(normalized(&*channel(), &body));
        let none = headers(&[]);
        let request = Request { method: "GET", query: Some(&query), ..post(&none, &body) };
        drop(channel().verify(&context(), &request));
        drop(channel().normalize(&context(), &request));
    }

    #[test]
    fn different_places_and_people_never_share_a_session(
        one in ("[a:%]{1,3}", "[a:%]{0,2}", "[a:%]{1,3}"),
        other in ("[a:%]{1,3}", "[a:%]{0,2}", "[a:%]{1,3}"),
    ) {
        let of = |(number, group, from): &(String, String, String)| {
            let mut body = text(&json!({"from": from, "group_id": group}));
            let value = &mut body["entry"][0]["changes"][0]["value"];
            value["metadata"] = json!({"phone_number_id": number});
            value["contacts"] = json!([]);
            messages(&*channel(), &body).first().map(|inbound| inbound.session.stored())
        };
        prop_assume!(one.0 != one.2 && other.0 != other.2);
        prop_assert_eq!(of(&one) == of(&other), one == other);
    }

    #[test]
    fn an_address_comes_back_as_it_was(number in "[0-9\"]{0,4}", to in "[0-9:\",]{1,5}", recipient in "[A-Z.%]{0,4}", group in "[\\\\a]{0,2}") {
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        let address = Address { phone_number_id: number, to: some(to), recipient: some(recipient), group: some(group) };
        prop_assert_eq!(Address::parse(&address.to_text()), Some(address));
    }
}
