use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::egress::testing::{any_reply, bodies, shown, solid};
use crate::secret::Secret;

fn teams() -> Teams {
    Teams {
        credentials: ClientCredentials {
            token_url: "https://login.microsoftonline.com/botframework.com/oauth2/v2.0/token".into(),
            client_id: "11111111-2222-3333-4444-555555555555".into(),
            client_secret: Secret::new("canary"),
            scope: "https://api.botframework.com/.default".into(),
        },
        hosts: ServiceHosts::public(),
    }
}

fn chat() -> Address {
    Address {
        service_url: "https://smba.trafficmanager.net/emea/".into(),
        conversation: "a:1".into(),
        activity: None,
        bot: Some("28:bot".into()),
    }
}

fn activities(reply: &Value) -> Vec<Value> {
    bodies(&teams().render(&chat().to_text(), reply).unwrap())
}

#[test]
fn replies_become_activities() {
    let card = json!({"type": "AdaptiveCard", "version": "1.4", "body": [{"type": "TextBlock", "text": "Order 7"}]});
    let thread = Address {
        service_url: "https://smba.trafficmanager.net/emea/1/".into(),
        conversation: "19:c@thread.tacv2;messageid=100".into(),
        activity: Some("a/b%?".into()),
        bot: None,
    };
    let replies = [
        ("a text is plain", chat(), json!("Hi <b>you</b> & **all**")),
        ("a reply to a message in a thread", thread, json!({"text": "Hi"})),
        ("Markdown", chat(), json!({"text": "**Hi**", "format": "markdown"})),
        ("XML", chat(), json!({"text": "<b>Hi</b>", "textFormat": "xml"})),
        ("other markup", chat(), json!({"text": "*Hi*", "format": "MarkdownV2"})),
        (
            "a mention",
            chat(),
            json!({"text": "<at>Ann</at> look", "format": "xml", "entities": [
                {"type": "mention", "text": "<at>Ann</at>", "mentioned": {"id": "29:u", "name": "Ann"}},
                {"type": "mention", "text": "<at>Bob</at>", "mentioned": {"id": "29:b", "name": "Bob"}},
                {"type": "clientInfo"}]}),
        ),
        (
            "buttons",
            chat(),
            json!({"text": "Sure?", "buttons": ["Yes", {"title": "No", "payload": "no"}, {"title": "Edit", "payload": {"n": 1}},
                {"title": "Site", "url": "https://a.example"}, {"title": "Bad", "url": "javascript:alert(1)"},
                {"title": "Long", "payload": "x".repeat(6001)}, "Seven", "Eight", "Nine"]}),
        ),
        (
            "images and files",
            chat(),
            json!({"text": "See", "attachments": [
                {"mime": "image/png", "url": "https://a.example/x.png", "name": "x.png"},
                {"mime": "image/*", "url": "https://a.example/y.jpg"},
                {"mime": "image/gif", "data_inline_b64": "aGk=", "name": "z.gif"},
                {"mime": "image/svg+xml", "url": "https://a.example/x.svg"},
                {"mime": "image/png", "url": "http://a.example/insecure.png"},
                {"mime": "application/pdf", "url": "https://a.example/a.pdf", "name": "a.pdf"},
                {"mime": "text/plain", "data_inline_b64": "aGk=", "name": "n.txt"},
                {"mime": "application/zip", "data_inline_b64": "aGk=", "name": "z.zip"}]}),
        ),
        ("a card", chat(), json!({"text": "Your order", "card": card})),
        (
            "cards of other kinds",
            chat(),
            json!({"attachments": [
                {"contentType": "application/vnd.microsoft.card.hero", "content": {"title": "Hero"}},
                {"contentType": "application/vnd.microsoft.card.video", "content": {"title": "Film", "text": "told"}}]}),
        ),
        (
            "a card that is too large",
            chat(),
            json!({"type": "AdaptiveCard", "body": [{"type": "TextBlock", "text": "told"}], "metadata": "x".repeat(13_000)}),
        ),
        ("several messages", chat(), json!({"messages": ["one", {"text": "two"}]})),
        ("nothing", chat(), json!({"text": " "})),
    ];
    let rendered = |(name, to, reply): &(&str, Address, Value)| {
        let calls = teams().render(&to.to_text(), reply).unwrap();
        ((*name).to_owned(), calls.iter().map(shown).collect())
    };
    insta::assert_json_snapshot!(replies.iter().map(rendered).collect::<Map<_, Value>>());
}

#[test]
fn the_token_goes_to_the_connector_only() {
    for (address, why) in [
        (Address { service_url: "https://evil.example/".into(), ..chat() }, "service_hosts"),
        (Address { service_url: String::new(), ..chat() }, "named no serviceUrl"),
        (Address { service_url: "http://smba.trafficmanager.net/".into(), ..chat() }, "service_hosts"),
        (Address { conversation: "..".into(), ..chat() }, "id"),
        (Address { activity: Some(".".into()), ..chat() }, "id"),
    ] {
        let error = teams().render(&address.to_text(), &json!("x")).unwrap_err();
        assert_eq!(error.code(), Code::ReplyPlace);
        assert!(error.message().contains(why), "{error}");
    }
    assert_eq!(teams().render("a:1", &json!("x")).unwrap_err().code(), Code::ReplyPlace);
    let calls = teams().render(&chat().to_text(), &json!("x")).unwrap();
    assert!(!format!("{calls:?}{:?}", teams()).contains("canary"));
}

/// Whether an activity is one that Teams takes.
fn fits(activity: &Value) {
    let inline = activity["attachments"][0]["contentUrl"].as_str().is_some_and(|url| url.starts_with("data:"));
    let bytes = 2 * activity.to_string().encode_utf16().count();
    assert!(inline || bytes <= 28 << 10, "{bytes} bytes");
    assert!(activity["text"] != "" && activity["type"] == "message");
    for row in activity["attachments"][0]["content"]["body"].as_array().into_iter().flatten() {
        assert!(row["actions"].as_array().is_none_or(|actions| (1..=6).contains(&actions.len())));
    }
}

#[test]
fn many_buttons_are_spread() {
    let buttons: Vec<_> = (0..50).map(|n| json!({"title": format!("b{n}"), "payload": "x".repeat(2000)})).collect();
    let activities = activities(&json!({"text": "t", "buttons": buttons}));
    activities.iter().for_each(fits);
    let rows = activities
        .iter()
        .flat_map(|activity| activity["attachments"][0]["content"]["body"].as_array().cloned().unwrap_or_default());
    assert_eq!(rows.map(|row| row["actions"].as_array().unwrap().len()).sum::<usize>(), 50);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_is_lost_and_every_activity_fits(text in "[a-z\"\\\\<>&*_ \n😀]{0,60}", times in 1usize..800,
                                               format in prop::sample::select(&["plain", "markdown", "xml"][..])) {
        let text = text.repeat(times);
        let activities = activities(&json!({"text": text, "format": format, "buttons": ["Go"]}));
        activities.iter().for_each(fits);
        let all: String = activities.iter().filter_map(|activity| activity["text"].as_str()).collect();
        prop_assert_eq!(solid(&all), solid(&text));
    }

    #[test]
    fn any_reply_is_rendered(reply in any_reply(), other in any_reply()) {
        let whole = json!({"text": "t", "attachments": [reply.clone()], "entities": [other.clone()], "buttons": [other], "card": reply});
        for reply in [&whole, &reply] {
            activities(reply).iter().for_each(fits);
        }
    }

    #[test]
    fn an_id_stays_one_part_of_the_path(id in "\\PC{1,20}") {
        prop_assume!(id != "." && id != "..");
        let address = Address { conversation: id, ..chat() };
        let calls = teams().render(&address.to_text(), &json!("x")).unwrap();
        let url = url::Url::parse(calls[0].url.expose()).unwrap();
        prop_assert_eq!(url.path_segments().unwrap().count(), 5);
        prop_assert!(url.query().is_none() && url.fragment().is_none() && url.path().ends_with("/activities"));
    }
}
