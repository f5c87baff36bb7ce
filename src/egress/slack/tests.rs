use proptest::prelude::*;
use serde_json::json;

use super::text::chars;
use super::*;
use crate::egress::testing::{TOKEN, any_reply, bodies, json_body, shown, solid};

const URL: &str = "https://hooks.slack.com/commands/T1/1/x";

fn slack() -> Slack {
    Slack {
        base_url: BASE_URL.into(),
        hooks_url: None,
        token: Some(Secret::new(TOKEN)),
        tokens: BTreeMap::from([("T2".to_owned(), Secret::new("canary of T2"))]),
        unfurl: false,
    }
}

fn channel() -> Address {
    Address { team: Some("T1".into()), channel: "C1".into(), ..Address::default() }
}

fn command() -> Address {
    Address { response_url: Some(URL.into()), user: Some("U1".into()), ..channel() }
}

fn calls(reply: &Value) -> Vec<Call> {
    slack().render(&channel().to_text(), reply).unwrap()
}

#[test]
fn replies_become_messages() {
    let card = json!({"type": "AdaptiveCard", "body": [{"type": "TextBlock", "text": "Order *7*"}],
        "actions": [{"type": "Action.Submit", "title": "Pay", "data": {"pay": 7}}]});
    let thread = Address { thread: Some("1731315600.000100".into()), ..channel() };
    let replies = [
        ("a text is plain", channel(), json!("Hi <@U1> & *all* <https://a.example>")),
        ("a reply in a thread", thread, json!({"text": "Hi"})),
        ("Slack's own markup", channel(), json!({"text": "*Hi* <@U1>", "format": "mrkdwn"})),
        ("Markdown", channel(), json!({"text": "**Hi** <x>", "format": "markdown"})),
        (
            "other markup",
            channel(),
            json!({"text": "<b>Hi</b> <a href=\"https://a.example\">there</a>", "format": "html"}),
        ),
        (
            "buttons",
            channel(),
            json!({"text": "Sure?", "buttons": ["Yes", {"title": "No", "payload": "no"}, {"title": "Edit", "payload": {"n": 1}},
                {"title": "Site", "url": "https://a.example/?a=1&b=2"}, {"title": "Bad", "url": "javascript:alert(1)"},
                {"title": "Long", "payload": "x".repeat(2001)}]}),
        ),
        ("buttons without a text", channel(), json!({"buttons": ["A <!here>", "C"], "format": "mrkdwn"})),
        (
            "images, links and files",
            channel(),
            json!({"text": "See", "attachments": [
                {"mime": "image/png", "url": "https://a.example/x.png?a=1&b=2", "name": "x.png"},
                {"mime": "application/pdf", "url": "https://a.example/a|b.pdf", "name": "a <b>.pdf"},
                {"mime": "text/plain", "data_inline_b64": "aGk=", "name": "n.txt"},
                {"mime": "application/zip", "data_inline_b64": "aGk=", "name": "z.zip"}]}),
        ),
        ("a card", channel(), card),
        (
            "blocks of its own",
            channel(),
            json!({"text": "Hi", "blocks": [{"type": "divider"}, 7, {"type": "header", "text": {"type": "plain_text", "text": "Hi"}}]}),
        ),
        ("blocks without a text", channel(), json!({"blocks": [{"type": "divider"}], "buttons": ["Go"]})),
        ("several messages", channel(), json!({"messages": ["one", {"text": "two"}]})),
        ("the answer to a command", command(), json!("only you")),
        ("an answer for all", command(), json!({"text": "all", "response_type": "in_channel"})),
        (
            "an answer with an image",
            command(),
            json!({"attachments": [{"mime": "image/png", "url": "https://a.example/x.png"}]}),
        ),
        ("nothing", channel(), json!({"text": "  ", "buttons": []})),
    ];
    let rendered = |(name, to, reply): &(&str, Address, Value)| {
        let calls = slack().render(&to.to_text(), reply).unwrap();
        ((*name).to_owned(), calls.iter().map(shown).collect())
    };
    insta::assert_json_snapshot!(replies.iter().map(rendered).collect::<Map<_, Value>>());
}

#[test]
fn the_workspace_decides_on_the_token() {
    let token = |slack: &Slack, team: &str| {
        let address = Address { team: Some(team.into()), ..channel() };
        slack.render(&address.to_text(), &json!("x")).map(|calls| calls[0].auth.clone())
    };
    assert_eq!(token(&slack(), "T1").unwrap(), Auth::Bearer(Secret::new(TOKEN)));
    assert_eq!(token(&slack(), "T2").unwrap(), Auth::Bearer(Secret::new("canary of T2")));
    let only = Slack { token: None, ..slack() };
    assert!(token(&only, "T2").is_ok());
    let error = token(&only, "T1").unwrap_err();
    assert_eq!(error.code(), Code::ReplyPlace);
    assert!(error.message().contains("T1") && !error.to_string().contains("canary"), "{error}");
}

#[test]
fn no_place_leads_elsewhere() {
    for bad in ["", "C1", "[]", r#"["","","",""]"#, r#"["","C1","","https://evil.example/"]"#] {
        assert_eq!(slack().render(bad, &json!("x")).unwrap_err().code(), Code::ReplyPlace, "{bad}");
    }
    let moved = Slack {
        base_url: "http://127.0.0.1:1/api".into(),
        hooks_url: Some("http://127.0.0.1:1/hooks".into()),
        ..slack()
    };
    let calls = moved.render(&command().to_text(), &json!("x")).unwrap();
    assert_eq!(calls[0].url.expose(), "http://127.0.0.1:1/hooks/commands/T1/1/x");
    assert_eq!(calls[0].otherwise.as_ref().unwrap().url.expose(), "http://127.0.0.1:1/api/chat.postMessage");
}

#[test]
fn what_only_the_user_was_to_see_stays_the_users() {
    let second = |reply: Value| {
        let calls = slack().render(&command().to_text(), &reply).unwrap();
        let Some(otherwise) = &calls[0].otherwise else { panic!("nothing follows") };
        json_body(otherwise)["channel"].clone()
    };
    assert_eq!(second(json!("x")), "U1");
    assert_eq!(second(json!({"text": "x", "response_type": "in_channel"})), "C1");
    let nobody = Address { user: None, ..command() };
    assert_eq!(slack().render(&nobody.to_text(), &json!("x")).unwrap()[0].otherwise, None);
}

#[test]
fn a_long_text_is_several_messages_and_its_buttons_stand_below_the_last() {
    let text = "word ".repeat(1500);
    let calls = calls(&json!({"text": text, "buttons": ["Go"]}));
    let bodies = bodies(&calls);
    assert_eq!(bodies.len(), 3);
    assert!(bodies[..2].iter().all(|body| body.get("blocks").is_none()));
    assert_eq!(bodies[2]["blocks"][1]["elements"][0]["value"], "Go");
}

#[test]
fn many_buttons_and_blocks_are_spread() {
    let buttons: Vec<_> = (0..50).map(|n| json!({"title": format!("b{n}"), "payload": "x".repeat(1900)})).collect();
    let blocks: Vec<_> = (0..120).map(|_| json!({"type": "divider"})).collect();
    let bodies = bodies(&calls(&json!({"messages": [{"text": "t", "buttons": buttons}, {"blocks": blocks}]})));
    bodies.iter().for_each(fits);
    let ids: Vec<_> = elements(&bodies).iter().map(|element| element["action_id"].to_string()).collect();
    assert_eq!(ids.len(), 50);
    assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), 50);
}

fn blocks(body: &Value) -> &[Value] {
    body.get("blocks").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn elements(bodies: &[Value]) -> Vec<Value> {
    let blocks = bodies.iter().flat_map(blocks).filter(|block| block["type"] == "actions");
    blocks.flat_map(|block| block["elements"].as_array().unwrap().clone()).collect()
}

/// Whether a message is one that Slack takes, by its documentation.
fn fits(body: &Value) {
    let text = |value: &Value| value.as_str().map_or(0, chars);
    assert!(text(&body["text"]) <= 40_000);
    assert!(!blocks(body).is_empty() || text(&body["text"]) > 0, "{body}");
    assert!(blocks(body).len() <= 50);
    for block in blocks(body) {
        match block["type"].as_str().unwrap() {
            "section" => assert!((1..=3000).contains(&text(&block["text"]["text"])), "{block}"),
            "markdown" => assert!((1..=12_000).contains(&text(&block["text"])), "{block}"),
            "image" => {
                assert!(text(&block["image_url"]) <= 3000 && (1..=2000).contains(&text(&block["alt_text"])), "{block}")
            }
            "actions" => {
                let elements = block["elements"].as_array().unwrap();
                assert!((1..=25).contains(&elements.len()));
                for element in elements {
                    assert!((1..=75).contains(&text(&element["text"]["text"])), "{element}");
                    assert!(text(&element["value"]) <= 2000 && text(&element["url"]) <= 3000, "{element}");
                    assert!(text(&element["action_id"]) <= 255);
                }
            }
            _ => {}
        }
    }
}

/// What a message says, without white space and escapes.
fn said(body: &Value) -> String {
    let shown = |block: &Value| match block["type"].as_str() {
        Some("section") => block["text"]["text"].as_str().map(str::to_owned),
        Some("markdown") => block["text"].as_str().map(str::to_owned),
        _ => None,
    };
    let blocks: String = blocks(body).iter().filter_map(shown).collect();
    let text = body["text"].as_str().unwrap_or_default();
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    if blocks.is_empty() { text } else { blocks }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_is_lost_and_every_message_fits(text in "[a-z<>&*_ \n😀]{0,60}", times in 1usize..200, buttons in any::<bool>(),
                                              format in prop::sample::select(&["plain", "mrkdwn", "markdown"][..])) {
        let text = text.repeat(times);
        let buttons = if buttons { json!(["Go"]) } else { json!([]) };
        let reply = json!({"text": text, "format": format, "buttons": buttons});
        let bodies = bodies(&calls(&reply));
        bodies.iter().for_each(fits);
        let all: String = bodies.iter().filter(|body| body["text"] != "Go").map(said).collect();
        let wanted = if format == "mrkdwn" { text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") } else { text };
        prop_assert_eq!(solid(&all), solid(&wanted));
    }

    #[test]
    fn any_reply_is_rendered(reply in any_reply(), other in any_reply()) {
        let reply = json!({"text": "t", "attachments": [reply.clone()], "blocks": [other.clone()], "buttons": [other], "messages": null,
            "card": reply});
        for to in [channel(), command()] {
            for reply in [&reply, &reply["card"]] {
                let calls = slack().render(&to.to_text(), reply).unwrap();
                prop_assert!(calls.iter().all(|call| call.url.expose().starts_with("https://slack.com/api/chat.postMessage")
                    || call.url.expose() == URL));
                let debug = format!("{calls:?}");
                prop_assert!(!debug.contains("canary"));
            }
        }
    }
}
