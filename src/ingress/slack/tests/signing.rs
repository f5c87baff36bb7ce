use super::*;

const DOCUMENTED: &[u8] = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&\
channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2F\
hooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a\
0bc887a14d10d2c447fce8b6703c";
const SIGNATURE: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
const SIGNED_AT: i64 = 1_531_420_618;

fn verified(secrets: &[(&str, &str)], config: &Value, at: i64, pairs: &[(&str, &str)], body: &[u8]) -> Result<()> {
    let channel = open(&Slack, config, secrets).unwrap();
    let context = Context { now: Timestamp(at * 1000), ..context() };
    let headers = headers(pairs);
    channel.verify(&context, &Request { path: COMMANDS, ..testing::post(&headers, body) })
}

fn code(verified: Result<()>) -> Option<Code> {
    verified.err().map(|error| {
        assert!(!error.to_string().contains("a2114d57"), "{error}");
        error.code()
    })
}

#[test]
fn the_documented_example_verifies_within_the_window_and_with_either_secret() {
    let signed = [(TIME_HEADER, "1531420618"), (SIGNATURE_HEADER, SIGNATURE)];
    let none = json!({});
    for (at, fits) in [(0, true), (300, true), (-300, true), (301, false), (-301, false)] {
        let found = code(verified(SECRET, &none, SIGNED_AT + at, &signed, DOCUMENTED));
        assert_eq!(found, (!fits).then_some(Code::Unauthenticated), "{at}");
    }
    let rotated = &[(SIGNING_SECRET, "new"), SECRET[0]];
    assert_eq!(code(verified(rotated, &none, SIGNED_AT, &signed, DOCUMENTED)), None);
    for secrets in [&[(SIGNING_SECRET, "new")][..], &[(SIGNING_SECRET, "new"), (SIGNING_SECRET, "newer")]] {
        assert_eq!(code(verified(secrets, &none, SIGNED_AT, &signed, DOCUMENTED)), Some(Code::Unauthenticated));
    }
}

#[test]
fn every_flipped_byte_is_noticed() {
    let signed = [(TIME_HEADER, "1531420618"), (SIGNATURE_HEADER, SIGNATURE)];
    for at in 0..DOCUMENTED.len() {
        let mut body = DOCUMENTED.to_vec();
        body[at] ^= 1;
        assert!(code(verified(SECRET, &json!({}), SIGNED_AT, &signed, &body)).is_some(), "{at}");
    }
}

#[test]
fn headers_that_prove_nothing_are_refused() {
    let (time, signature) = ((TIME_HEADER, "1531420618"), (SIGNATURE_HEADER, SIGNATURE));
    let cases: &[&[(&str, &str)]] = &[
        &[],
        &[time],
        &[signature],
        &[time, time, signature],
        &[time, signature, signature],
        &[(TIME_HEADER, "01531420618"), signature],
        &[(TIME_HEADER, "1531420618.5"), signature],
        &[(TIME_HEADER, "abc"), signature],
        &[(TIME_HEADER, ""), signature],
        &[(TIME_HEADER, "-1"), signature],
        &[time, (SIGNATURE_HEADER, "v0=")],
        &[time, (SIGNATURE_HEADER, &SIGNATURE[3..])],
        &[time, (SIGNATURE_HEADER, &SIGNATURE[..65])],
        &[time, (SIGNATURE_HEADER, "v0=zz")],
    ];
    for pairs in cases {
        let found = code(verified(SECRET, &json!({}), SIGNED_AT, pairs, DOCUMENTED));
        assert_eq!(found, Some(Code::Unauthenticated), "{pairs:?}");
    }
}

#[test]
fn without_a_secret_the_routes_are_off_unless_they_are_said_to_be_open() {
    assert_eq!(code(verified(&[], &json!({}), SIGNED_AT, &[], DOCUMENTED)), Some(Code::RouteOff));
    assert_eq!(code(verified(&[(SIGNING_SECRET, "")], &json!({}), SIGNED_AT, &[], DOCUMENTED)), Some(Code::RouteOff));
    assert_eq!(code(verified(&[], &json!({}), SIGNED_AT, &[], b"ssl_check=1")), Some(Code::RouteOff));
    assert_eq!(code(verified(&[], &json!({"insecure": true}), SIGNED_AT, &[], DOCUMENTED)), None);
    let both = verified(SECRET, &json!({"insecure": true}), SIGNED_AT, &[], DOCUMENTED);
    assert_eq!(code(both), Some(Code::Unauthenticated));
}

#[test]
fn what_is_signed_here_verifies() {
    let secret = Secret::new(SECRET[0].1);
    for body in [&b"{\"text\":\"\xff\xfe raw\"}"[..], b"", DOCUMENTED] {
        let signed = sign(&secret, Timestamp(SIGNED_AT * 1000 + 999), body);
        let pairs: Vec<_> = signed.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(code(verified(SECRET, &json!({}), SIGNED_AT, &pairs, body)), None);
    }
    assert_eq!(sign(&secret, Timestamp(SIGNED_AT * 1000), DOCUMENTED)[1].1, SIGNATURE);
}

#[test]
fn a_probe_is_answered_and_starts_nothing() {
    let smuggled =
        form(&[("ssl_check", "1"), ("payload", r#"{"type":"shortcut","user":{"id":"U1"}}"#), ("command", "/x")]);
    let channel = channel(&json!({}));
    for path in [INTERACTIVE, COMMANDS] {
        for body in [&b"ssl_check=1&token=x"[..], &smuggled, b"command=/x&user_id=U1&ssl_check=1"] {
            let headers = HeaderMap::new();
            let request = Request { path, ..testing::post(&headers, body) };
            channel.verify(&context(), &request).unwrap();
            let intake = channel.normalize(&context(), &request).unwrap();
            assert!(matches!(intake, Intake::Answer(answer) if answer == Answer::empty(200)), "{path}");
        }
        let headers = HeaderMap::new();
        for body in [&b"ssl_check=10"[..], b"ssl_check=0", b"text=ssl_check%3D1&x"] {
            let request = Request { path, ..testing::post(&headers, body) };
            assert_eq!(code(channel.verify(&context(), &request)), Some(Code::Unauthenticated));
        }
    }
    let headers = HeaderMap::new();
    let request = Request { path: EVENTS, ..testing::post(&headers, b"ssl_check=1") };
    assert_eq!(code(channel.verify(&context(), &request)), Some(Code::Unauthenticated));
}
