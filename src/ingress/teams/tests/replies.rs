//! The way of a reply's buttons to Teams and back.

use super::*;
use crate::egress::testing::bodies;
use crate::egress::{self, Auth};

const APP: &str = "11111111-2222-3333-4444-555555555555";
const SECRETS: &[(&str, &str)] = &[(APP_ID, APP), (APP_PASSWORD, "canary")];

fn with(config: &Value, secrets: &[(&str, &str)]) -> Box<dyn Channel> {
    testing::open(&Teams, config, secrets).unwrap()
}

/// The requests of a reply to the place at this service.
fn calls(channel: &dyn Channel, service_url: &str, reply: &Value) -> Result<Vec<egress::Call>> {
    let place = Address {
        service_url: service_url.into(),
        conversation: "a:1".into(),
        activity: None,
        bot: Some(format!("28:{APP}")),
    };
    channel.sender().unwrap().render(&place.to_text(), reply)
}

/// The `data` of the actions that the buttons of a reply become.
fn actions(channel: &dyn Channel, buttons: &Value) -> Vec<Value> {
    let reply = json!({ "buttons": buttons });
    let bodies = bodies(&calls(channel, "https://smba.trafficmanager.net/emea/", &reply).unwrap());
    let rows = bodies.iter().flat_map(|body| body["attachments"][0]["content"]["body"].as_array().cloned().unwrap());
    rows.flat_map(|row| row["actions"].as_array().cloned().unwrap()).collect()
}

/// What Teams sends when an action is pressed: what it is told to, and the rest of the data beside its value.
fn pressed(action: &Value, plain: bool) -> Inbound {
    let data = &action["data"];
    let back = &data["msteams"];
    assert_eq!(back["type"], "messageBack");
    let changes = match plain {
        true => json!({"text": null, "value": data, "replyToId": "55"}),
        false => json!({"text": back["text"], "value": back["value"], "replyToId": "55"}),
    };
    testing::message(&*with(&json!({}), SECRETS), &activity(&changes))
}

#[test]
fn a_pressed_button_stands_for_what_it_was_made_of() {
    let channel = with(&json!({}), SECRETS);
    for (button, text, payload) in [
        (json!("Yes"), "Yes", json!("Yes")),
        (json!({"title": "No", "payload": "no"}), "no", json!("no")),
        (json!({"title": "Edit", "payload": {"n": [1, null, "x"]}}), "Edit", json!({"n": [1, null, "x"]})),
        (json!({"title": "Seven", "payload": 7}), "Seven", json!(7)),
        (json!({"title": "Off", "payload": false}), "Off", json!(false)),
    ] {
        let actions = actions(&*channel, &json!([button]));
        let inbound = pressed(&actions[0], false);
        assert_eq!(inbound.envelope.buttons[0].payload, payload);
        assert_eq!(inbound.envelope.text.as_deref(), Some(text), "{button}");
        assert_eq!(inbound.envelope.session.key, "demo:teams:a:1:29:u", "a click belongs to the conversation");
        // Clients that only know plain actions give back all of the data, and no text.
        let inbound = pressed(&actions[0], true);
        assert_eq!(inbound.envelope.buttons[0].payload, payload);
        assert_eq!(inbound.envelope.text.as_deref(), payload.as_str(), "{button}");
    }
    let text = json!({"text": "t", "value": r#"{"greentic:payload":{"n":1}}"#});
    assert_eq!(message(text).envelope.buttons[0].payload, json!({"n": 1}));
    let own = json!({"text": null, "value": {"payload": 1}});
    assert_eq!(message(own).envelope.buttons[0].payload, json!({"payload": 1}), "a card's own data stay as they are");
}

#[test]
fn replies_are_sent_with_a_password_and_for_a_verified_bot_only() {
    let sender = |config: Value, secrets: &[(&str, &str)]| with(&config, secrets).sender();
    assert!(sender(json!({}), SECRETS).is_some());
    assert!(sender(json!({"app_id": APP}), &SECRETS[1..]).is_some());
    assert!(sender(json!({}), &SECRETS[..1]).is_none());
    assert!(sender(json!({"insecure": true}), &SECRETS[1..]).is_none());
    assert!(sender(json!({}), &[(APP_ID, APP), (APP_PASSWORD, "")]).is_none());
}

#[test]
fn settings_say_where_the_token_comes_from_and_goes_to() {
    let auth = |config: Value, service_url: &str| {
        let calls = calls(&*with(&config, SECRETS), service_url, &json!("x"))?;
        let Auth::Client(credentials) = calls[0].auth.clone() else { panic!("no token of the app") };
        Ok::<_, Error>((credentials.token_url, credentials.client_id, credentials.scope))
    };
    let known = "https://smba.trafficmanager.net/emea/";
    let of = |url: &str, scope: &str| (url.to_owned(), APP.to_owned(), scope.to_owned());
    let public = "https://api.botframework.com/.default";
    assert_eq!(
        auth(json!({}), known).unwrap(),
        of("https://login.microsoftonline.com/botframework.com/oauth2/v2.0/token", public)
    );
    assert_eq!(
        auth(json!({"tenant_id": "contoso.onmicrosoft.com", "login_url": "http://127.0.0.1:1/"}), known).unwrap(),
        of("http://127.0.0.1:1/contoso.onmicrosoft.com/oauth2/v2.0/token", public)
    );
    assert_eq!(
        auth(json!({"cloud": "usgov"}), "https://smba.infra.gov.teams.microsoft.us/gcch/").unwrap(),
        of(
            "https://login.microsoftonline.us/MicrosoftServices.onmicrosoft.us/oauth2/v2.0/token",
            "https://api.botframework.us/.default"
        )
    );
    for (config, refused) in [
        (json!({}), "http://127.0.0.1:3978/"),
        (json!({"service_hosts": "127.0.0.1:3978"}), known),
        (json!({"cloud": "usgov"}), known),
        (json!({"emulator": true}), known),
    ] {
        assert_eq!(auth(config, refused).unwrap_err().code(), Code::ReplyPlace, "{refused}");
    }
    assert!(auth(json!({"service_hosts": ["127.0.0.1:3978"]}), "http://127.0.0.1:3978/").is_ok());
    assert!(auth(json!({"emulator": true}), "http://localhost:56789/").is_ok());
    for bad in [
        json!({"tenant_id": "a/b"}),
        json!({"tenant_id": ".."}),
        json!({"login_url": "login"}),
        json!({"service_hosts": ["*.com"]}),
        json!({"service_hosts": ["https://smba.trafficmanager.net"]}),
    ] {
        let error = testing::open(&Teams, &bad, SECRETS).err().map(|error| error.code());
        assert_eq!(error, Some(Code::ChannelInvalid), "{bad}");
    }
}

proptest! {
    #[test]
    fn every_value_comes_back(text in "[a-zA-Z0-9 äöü😀{}\":,]{1,60}", number in any::<i64>()) {
        let channel = with(&json!({}), SECRETS);
        for payload in [json!(text), json!({"a": text}), json!([text, number]), json!(number)] {
            let actions = actions(&*channel, &json!([{"title": "b", "payload": payload}]));
            for plain in [false, true] {
                prop_assert_eq!(&pressed(&actions[0], plain).envelope.buttons[0].payload, &payload);
            }
        }
    }
}
