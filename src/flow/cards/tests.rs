use serde_json::json;

use super::*;

fn cards() -> Cards {
    let files = [
        ("assets/cards/hello.json", r#"{"type":"AdaptiveCard","body":"{{i18n:hello.title}} {{name}}"}"#),
        ("assets/cards/broken.json", "{"),
        ("assets/i18n/en.json", r#"{"hello.title":"Hello"}"#),
        ("assets/i18n/de.json", r#"{"hello.title":"Hallo"}"#),
        ("assets/i18n/_manifest.json", r#"{"locales":["de"]}"#),
        ("assets/i18n/list.json", "[]"),
        ("assets/i18n/deeper/fr.json", r#"{"hello.title":"Salut"}"#),
        ("assets/texts.json", r#"{"a":"b"}"#),
        ("assets/texts/pt-BR.json", r#"{"a":"c"}"#),
    ];
    Cards::new(files.map(|(path, text)| (path.to_owned(), Bytes::from_static(text.as_bytes()))))
}

fn filled(payload: Value, event: Value) -> Value {
    let texts = Texts::of(&payload, &Value::Null);
    filled_as(texts, payload, event)
}

fn filled_as(texts: Texts, mut payload: Value, event: Value) -> Value {
    cards().fill(&mut payload, texts, &[&event, &json!({ "metadata": { "locale": "entry" } })]).unwrap();
    payload
}

#[test]
fn cards_and_texts_are_put_into_the_payload() {
    let bundle = json!({ "de": { "hello.title": "Hallo" }, "en": { "hello.title": "Hello" } });
    let card = json!({ "type": "AdaptiveCard", "body": "{{i18n:hello.title}} {{name}}" });
    let asset = |path: &str| json!({ "card_source": "Asset", "card_spec": { "asset_path": path } });
    let inlined = json!({
        "card_source": "inline", "card_spec": { "inline_json": card, "i18n_inline": bundle }, "locale": "de",
    });
    let event = json!({ "input": { "metadata": { "locale": "de" } } });
    for path in ["assets/cards/hello.json", "cards/hello.json", "./cards/hello.json", "/assets/cards/hello.json"] {
        assert_eq!(filled(asset(path), event.clone()), inlined, "{path}");
    }
    let call = json!({ "call": { "payload": asset("cards/hello.json"), "op": "card" } });
    assert_eq!(filled(call, event)["call"]["payload"], inlined);
}

#[test]
fn texts_come_from_where_the_card_says_and_the_payloads_own_stay() {
    let inline = |path: &str| json!({ "card_source": "inline", "card_spec": { "i18n_bundle_path": path } });
    for (path, expected) in [
        ("assets/i18n/", json!({ "de": { "hello.title": "Hallo" }, "en": { "hello.title": "Hello" } })),
        ("i18n/deeper", json!({ "fr": { "hello.title": "Salut" } })),
        ("assets/texts.json", json!({ "en": { "a": "b" } })),
        ("assets/texts/pt-BR.json", json!({ "pt-BR": { "a": "c" } })),
        ("assets/nowhere", Value::Null),
    ] {
        assert_eq!(filled(inline(path), json!({}))["card_spec"]["i18n_inline"], expected, "{path}");
    }
    let own = json!({ "card_spec": { "i18n_inline": { "en": {} }, "i18n_bundle_path": "i18n" }, "locale": "nl" });
    assert_eq!(filled(own.clone(), json!({ "locale": "de" })), own);
}

#[test]
fn texts_without_a_card_spec_get_one() {
    let filled = filled(json!({ "card": { "title": ["{{i18n:hello.title}}"] } }), json!({ "locale": "de" }));
    assert_eq!(filled["card_spec"]["i18n_inline"]["de"]["hello.title"], "Hallo");
    assert_eq!(filled["locale"], "de");
}

#[test]
fn what_users_write_adds_no_texts() {
    let said = json!({ "said": "{{i18n:hello.title}}", "call": { "payload": { "said": "{{i18n:hello.title}}" } } });
    for written in [
        json!({ "said": "{{in.text}}", "call": { "payload": { "said": "{{in.text}}" } } }),
        json!({ "said": "{{in.text}}", "call": "{{in}}" }),
        json!("{{in}}"),
    ] {
        let texts = Texts::of(&written, &json!({ "days": 3 }));
        assert_eq!(filled_as(texts, said.clone(), json!({ "locale": "de" })), said, "{written}");
    }
    let card = json!({ "card_source": "inline", "card_spec": { "inline_json": "{{i18n:hello.title}}" } });
    let plain = json!({ "card_source": "inline", "card_spec": { "inline_json": {} } });
    let filled = filled_as(Texts::of(&plain, &Value::Null), card, json!({}));
    assert_eq!(filled["card_spec"].get("i18n_inline"), None);
}

#[test]
fn what_the_author_wrote_adds_texts_wherever_it_stands() {
    let text = json!({ "title": "{{i18n:hello.title}}" });
    let parameters = json!({ "titles": ["{{i18n:hello.title}}"] });
    let texts = Texts::of(&json!({ "title": "{{parameters.titles[0]}}" }), &parameters);
    assert_eq!(filled_as(texts, text.clone(), json!({}))["card_spec"]["i18n_inline"]["de"]["hello.title"], "Hallo");
    assert_eq!(filled_as(Texts::of(&json!({}), &parameters), text.clone(), json!({})), text);

    let card = json!({ "card_source": "inline", "card_spec": { "inline_json": { "body": "{{i18n:hello.title}}" } } });
    for written in [
        card.clone(),
        json!({ "card_source": "inline", "card_spec": { "inline_json": "{{prev.card}}" } }),
        json!("{{prev}}"),
    ] {
        let filled = filled_as(Texts::of(&written, &Value::Null), card.clone(), json!({}));
        assert_eq!(filled["card_spec"]["i18n_inline"]["de"]["hello.title"], "Hallo", "{written}");
    }
}

#[test]
fn a_call_gets_texts_apart_from_what_is_around_it() {
    let payload = json!({ "title": "{{i18n:hello.title}}", "call": { "payload": { "text": "hi" } } });
    let filled = filled(payload.clone(), json!({}));
    assert_eq!(filled["call"], payload["call"]);
    assert_eq!(filled["card_spec"]["i18n_inline"]["de"]["hello.title"], "Hallo");
}

#[test]
fn the_locale_is_the_events_else_the_entrys() {
    let card = || json!({ "card_source": "inline", "card_spec": {} });
    for (event, expected) in [
        (json!({ "metadata": { "locale": "de" } }), "de"),
        (json!({ "locale": "de" }), "de"),
        (json!({ "metadata": { "locale": "" } }), "entry"),
        (json!("text"), "entry"),
    ] {
        assert_eq!(filled(card(), event.clone())["locale"], expected, "{event}");
    }
}

#[test]
fn what_is_not_about_cards_stays_as_it_is() {
    for payload in [json!({ "text": "hi" }), json!("{{i18n:hello.title}}"), json!(null), json!({ "call": "x" })] {
        assert_eq!(filled(payload.clone(), json!({ "locale": "de" })), payload);
    }
}

#[test]
fn what_is_missing_is_left_to_the_component_and_escapes_are_refused() {
    for path in ["cards/none.json", "cards/broken.json", "cards"] {
        let payload = json!({ "card_source": "asset", "card_spec": { "asset_path": path } });
        assert_eq!(filled(payload, json!({}))["card_spec"]["asset_path"], path);
    }
    for path in ["../secret.json", "cards/../../x.json", "/etc/passwd", "c:\\x.json", "assets/..", "file:///x"] {
        for mut payload in [
            json!({ "card_source": "asset", "card_spec": { "asset_path": path } }),
            json!({ "card_spec": { "i18n_bundle_path": path } }),
        ] {
            let named = cards().named(payload.as_object().unwrap());
            assert_eq!(named, [(path.to_owned(), Err(Problem::Escapes))]);
            let texts = Texts::of(&payload, &Value::Null);
            let error = cards().fill(&mut payload, texts, &[]).unwrap_err();
            assert_eq!(error.code(), Code::RenderFailed, "{path}");
        }
    }
}

#[test]
fn paths_without_templates_are_looked_up_at_load() {
    let named = |path: &str| {
        let payload = json!({ "card_source": "asset", "card_spec": { "asset_path": path } });
        cards().named(payload.as_object().unwrap())
    };
    assert_eq!(named("cards/hello.json"), [("cards/hello.json".to_owned(), Ok(()))]);
    assert_eq!(named("cards/none.json"), [("cards/none.json".to_owned(), Err(Problem::Missing))]);
    assert_eq!(named("cards/broken.json"), [("cards/broken.json".to_owned(), Err(Problem::NotJson))]);
    assert_eq!(named("cards/{{in.card}}.json"), []);
}

#[test]
fn a_large_file_is_not_parsed() {
    let cards = Cards::new([("assets/a.json".to_owned(), Bytes::from(vec![b' '; MAX_BYTES + 1]))]);
    let payload = json!({ "card_source": "asset", "card_spec": { "asset_path": "a.json" } });
    assert_eq!(cards.named(payload.as_object().unwrap()), [("a.json".to_owned(), Err(Problem::NotJson))]);
}
