//! What goes to a broker and comes from it. Whose it is, is said by the host alone.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::oauth::ask;
use crate::oauth::owner::Owner;
use crate::oauth::settings::OAuthBroker;
use crate::secret::Secret;

/// Bytes of an address for users.
const MAX_URL: usize = 8 << 10;
/// Bytes of a handle.
const MAX_HANDLE: usize = 16 << 10;

/// What a component may say of a consent beside the broker's own parameters.
const OPTIONS: [&str; 3] = ["visibility", "preset", "prompt"];

/// The beginning of a consent.
pub(super) struct Start {
    body: Map<String, Value>,
}

impl Start {
    pub(super) fn new(
        owner: &Owner,
        flow_id: &str,
        scopes: &[String],
        redirect: Option<&Url>,
        extra: BTreeMap<String, Value>,
    ) -> Result<Self> {
        let mut body = Map::new();
        let mut set = |name: &str, value: Value| drop(body.insert(name.to_owned(), value));
        set("env", json!(&*owner.env));
        set("tenant", json!(&*owner.tenant));
        set("provider", json!(owner.provider));
        if let Some(team) = &owner.team {
            set("team", json!(team));
        }
        set("owner_kind", json!("user"));
        set("owner_id", json!(owner.subject));
        set("flow_id", json!(flow_id));
        set("scopes", json!(scopes));
        if let Some(redirect) = redirect {
            set("redirect_uri", json!(redirect.as_str()));
        }
        let mut params = Map::new();
        for (name, value) in &extra {
            let text = Value::String(ask::param(name, value)?);
            match OPTIONS.contains(&name.as_str()) {
                true => set(name, text),
                false => drop(params.insert(name.clone(), text)),
            }
        }
        if !params.is_empty() {
            set("extra_params", Value::Object(params));
        }
        Ok(Self { body })
    }

    pub(super) fn over_http(&self) -> Value {
        Value::Object(self.body.clone())
    }

    /// Over NATS the subject says whose it is.
    pub(super) fn over_nats(&self) -> Value {
        const SAID: [&str; 5] = ["env", "tenant", "team", "provider", "flow_id"];
        let body = self.body.iter().filter(|(name, _)| !SAID.contains(&name.as_str()));
        Value::Object(body.map(|(name, value)| (name.clone(), value.clone())).collect())
    }
}

/// The subject under which a consent begins.
pub(super) fn start_subject(owner: &Owner, flow_id: &str) -> String {
    format!(
        "oauth.req.{}.{}.{}",
        whose(owner.team.as_deref(), &owner.tenant, &owner.env),
        token(&owner.provider),
        token(flow_id)
    )
}

/// The subjects under which is told how consents ended.
pub(super) fn result_subjects(settings: &OAuthBroker, tenant: &Id) -> String {
    format!("oauth.res.{}.>", whose(settings.team.as_deref(), tenant, &settings.env))
}

fn whose(team: Option<&str>, tenant: &str, env: &str) -> String {
    let team = match team {
        None => "_".to_owned(),
        // A team of this name is not no team.
        Some("_") => "%5F".to_owned(),
        Some(team) => token(team),
    };
    format!("{}.{}.{team}", token(tenant), token(env))
}

/// A text as one token of a subject; no two texts make the same, and none makes two tokens or a wildcard.
fn token(text: &str) -> String {
    let mut token = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => token.push(char::from(byte)),
            _ => token.push_str(&format!("%{byte:02X}")),
        }
    }
    token
}

/// What is asked for without a handle.
pub(super) fn resource(owner: &Owner, scopes: &[String]) -> Value {
    let mut body =
        json!({"env": &*owner.env, "tenant": &*owner.tenant, "resource_id": owner.provider, "scopes": scopes});
    if let (Some(team), Some(body)) = (&owner.team, body.as_object_mut()) {
        body.insert("team".to_owned(), json!(team));
    }
    body
}

/// What is handed to a broker that takes codes.
pub(super) fn exchange(owner: &Owner, code: &str, redirect: Option<&Url>) -> Value {
    let mut body = json!({
        "env": &*owner.env, "tenant": &*owner.tenant, "provider": owner.provider,
        "owner_kind": "user", "owner_id": owner.subject, "code": code,
    });
    if let Some(body) = body.as_object_mut() {
        body.extend(owner.team.as_ref().map(|team| ("team".to_owned(), json!(team))));
        body.extend(redirect.map(|redirect| ("redirect_uri".to_owned(), json!(redirect.as_str()))));
    }
    body
}

#[derive(Deserialize)]
struct StartUrl {
    start_url: String,
}

/// Where a user begins, over HTTP.
pub(super) fn start_url(body: &[u8]) -> Result<String> {
    let answer: StartUrl = read(body, "no `start_url`")?;
    for_users(answer.start_url)
}

#[derive(Deserialize)]
struct Started {
    flow_id: String,
    redirect_url: String,
    state: Option<String>,
}

/// Where a user begins, over NATS, and what the broker calls it.
pub(super) fn started(body: &[u8], flow_id: &str) -> Result<(String, Option<String>)> {
    unless_error(body)?;
    let answer: Started = read(body, "no `redirect_url`")?;
    if answer.flow_id != flow_id {
        return Err(useless("it speaks of another flow"));
    }
    let state = answer.state.filter(|state| !state.is_empty() && state.len() <= ask::MAX_CODE);
    Ok((for_users(answer.redirect_url)?, state))
}

/// An address that users are sent to: one of the web, and nothing that runs.
fn for_users(text: String) -> Result<String> {
    let url = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host());
    let plain = text.len() <= MAX_URL && text.chars().all(|c| !c.is_control() && !c.is_whitespace());
    if url.is_some_and(|url| url.username().is_empty() && url.password().is_none()) && plain {
        return Ok(text);
    }
    Err(useless("what it gives is no address for users"))
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    #[serde(default)]
    expires_at: Option<Value>,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(default)]
    extra: Map<String, Value>,
}

/// Tokens that a broker gave.
#[derive(Debug)]
pub(super) struct Given {
    /// As a component gets them.
    pub(super) tokens: Secret,
    /// Until when they are valid, in seconds since 1970.
    pub(super) expires_at: Option<i64>,
}

/// The tokens in an answer.
pub(super) fn tokens(body: &[u8]) -> Result<Given> {
    unless_error(body)?;
    let answer: TokenAnswer = read(body, "no `access_token`")?;
    if answer.access_token.is_empty() {
        return Err(useless("the `access_token` is empty"));
    }
    let expires_at = answer.expires_at.map_or(Ok(None), seconds)?;
    let set = json!({
        "access_token": answer.access_token,
        "refresh_token": null,
        "expires_at": expires_at,
        "token_type": answer.token_type.unwrap_or_else(|| "Bearer".to_owned()),
        "extra": answer.extra,
    });
    Ok(Given { tokens: Secret::new(set.to_string()), expires_at })
}

/// The same over NATS, where an error that says so means that there are none.
pub(super) fn token_or_none(body: &[u8]) -> Result<Option<Secret>> {
    const NONE: [&str; 4] = ["not_found", "not-found", "no_token", "unknown_handle"];
    match error_of(body) {
        Some(error) if NONE.contains(&error.as_str()) => Ok(None),
        _ => tokens(body).map(|given| Some(given.tokens)),
    }
}

/// The end of a token in seconds since 1970, however the broker writes it.
fn seconds(value: Value) -> Result<Option<i64>> {
    match value {
        Value::Null => Ok(None),
        Value::Number(number) if number.as_i64().is_some() => Ok(number.as_i64()),
        Value::String(text) => match text.parse::<jiff::Timestamp>() {
            Ok(at) => Ok(Some(at.as_second())),
            Err(_) => Err(useless("`expires_at` is no time")),
        },
        _ => Err(useless("`expires_at` is no time")),
    }
}

/// The handle in an answer, if there is one.
pub(super) fn handle(body: &[u8]) -> Result<Option<String>> {
    unless_error(body)?;
    let answer: Value = read(body, "no JSON")?;
    let handle = answer.get("token_handle").and_then(Value::as_str).map(str::to_owned);
    match handle {
        Some(handle) if handle.is_empty() || handle.len() > MAX_HANDLE => Err(useless("the handle is too long")),
        handle => Ok(handle),
    }
}

/// The end of a consent.
#[derive(Deserialize)]
pub(super) struct Ended {
    pub(super) flow_id: String,
    env: String,
    tenant: String,
    #[serde(default)]
    team: Option<String>,
    pub(super) provider: String,
    pub(super) token_handle: String,
}

/// The end of a consent; none if it is not one of this tenant's.
pub(super) fn result(body: &[u8], settings: &OAuthBroker, tenant: &Id) -> Result<Option<Ended>> {
    let ended: Ended = read(body, "it tells of no consent")?;
    let own = ended.env == *settings.env && ended.tenant == **tenant && ended.team == settings.team;
    if ended.token_handle.is_empty() || ended.token_handle.len() > MAX_HANDLE {
        return Err(useless("the handle is empty or too long"));
    }
    Ok(Some(ended).filter(|_| own))
}

/// The error for a broker that has nothing under its own handle.
pub(super) fn nothing(provider: &str) -> Error {
    Error::new(Code::OAuthRefused, format!("the broker has no tokens of provider {provider} after the consent"))
}

fn unless_error(body: &[u8]) -> Result<()> {
    let Some(error) = error_of(body) else { return Ok(()) };
    // A word of the protocol may be shown; anything else may be anything.
    let is_word = !error.is_empty() && error.len() <= 40 && error.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let shown = if is_word { error.as_str() } else { "for a reason of its own" };
    Err(Error::new(Code::OAuthRefused, format!("the broker refuses: {shown}")))
}

fn error_of(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Refusal {
        error: Option<Value>,
        access_token: Option<Value>,
    }
    let refusal: Refusal = serde_json::from_slice(body).ok()?;
    let error = refusal.error.filter(|error| !error.is_null() && refusal.access_token.is_none())?;
    Some(error.as_str().or_else(|| error.get("code")?.as_str()).unwrap_or_default().to_owned())
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8], what: &str) -> Result<T> {
    // A list would be read as the members of an object in their order.
    let is_object = body.trim_ascii_start().starts_with(b"{");
    serde_json::from_slice(body).ok().filter(|_| is_object).ok_or_else(|| useless(what))
}

/// What an answer holds is never shown: it may be a token.
fn useless(what: &str) -> Error {
    Error::new(Code::OAuthAnswer, format!("the broker gave an answer of no use: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::owner::tests::owner;

    #[test]
    fn subjects_have_as_many_tokens_as_they_should_whoever_is_named() {
        let subject = |tenant: &str, team: Option<&str>, provider: &str| {
            start_subject(&owner(tenant, team, provider, "s"), "f-1_x")
        };
        assert_eq!(subject("acme", None, "google"), "oauth.req.acme.local._.google.f-1_x");
        assert_eq!(subject("acme", Some("platform"), "google"), "oauth.req.acme.local.platform.google.f-1_x");
        for (tenant, team, provider) in [
            ("a.b", Some("c"), "greentic.oauth.default"),
            ("a", Some("*"), ">"),
            ("a", Some("x y"), "p"),
            ("a", Some("_"), "p"),
            ("a", Some(""), "p"),
        ] {
            let text = subject(tenant, team, provider);
            assert_eq!(text.split('.').count(), 7, "{text}");
            assert!(!text.contains(['*', '>', ' ']) && text != subject(tenant, None, provider), "{text}");
        }
        assert_ne!(subject("a%2Eb", None, "p"), subject("a.b", None, "p"));
    }

    #[test]
    fn nothing_that_a_component_says_changes_whose_consent_it_is() {
        let lies = json!({"env": "x", "tenant": "other", "owner_id": "boss", "owner_kind": "service", "team": "y",
            "flow_id": "z", "prompt": "consent", "hint": "h"});
        let extra = ask::extra(&lies.to_string()).unwrap();
        let start = Start::new(&owner("acme", None, "p", "s"), "f", &["mail".into()], None, extra).unwrap();
        insta::assert_snapshot!([start.over_http().to_string(), start.over_nats().to_string()].join("\n"));
        let reserved = ask::extra(r#"{"redirect_uri": "https://evil.example"}"#).unwrap();
        assert!(Start::new(&owner("acme", None, "p", "s"), "f", &[], None, reserved).is_err());
    }

    #[test]
    fn tokens_are_read_in_every_form_of_time_and_else_refused_without_being_shown() {
        for (time, seconds) in [
            (json!(1_800_000_000), json!(1_800_000_000)),
            (json!("2027-01-15T08:00:00Z"), json!(1_800_000_000)),
            (json!(null), json!(null)),
        ] {
            let body = json!({"access_token": "canary", "expires_at": time}).to_string();
            let set: Value = serde_json::from_str(tokens(body.as_bytes()).unwrap().tokens.expose()).unwrap();
            assert_eq!(
                set,
                json!({"access_token": "canary", "refresh_token": null, "expires_at": seconds,
                "token_type": "Bearer", "extra": {}})
            );
        }
        for body in [
            r#"{"access_token": "canary", "expires_at": "soon"}"#,
            r#"{"access_token": ["canary"]}"#,
            r#"{"access_token": ""}"#,
            r#"["canary"]"#,
            r#"{"error": "canary canary"}"#,
            r#"{"error": {"code": "canary!"}}"#,
            r#""canary""#,
            "canary",
            "",
        ] {
            let error = tokens(body.as_bytes()).unwrap_err();
            assert!(matches!(error.code(), Code::OAuthAnswer | Code::OAuthRefused), "{body}");
            assert!(!error.to_string().contains("canary"), "{error}");
        }
        assert!(tokens(br#"{"error": "access_denied"}"#).unwrap_err().message().ends_with("access_denied"));
        assert!(token_or_none(br#"{"error": "not_found"}"#).unwrap().is_none());
    }

    #[test]
    fn users_are_sent_to_the_web_alone() {
        assert!(start_url(br#"{"start_url": "https://b.example/authorize/01J"}"#).is_ok());
        for url in
            ["javascript:alert(1)", "data:text/html,x", "https://u:p@b.example", "https://b.example/a b", "/x", ""]
        {
            assert!(start_url(json!({ "start_url": url }).to_string().as_bytes()).is_err(), "{url}");
        }
        let answer =
            |flow: &str| json!({"flow_id": flow, "redirect_url": "https://b.example", "state": "s"}).to_string();
        assert_eq!(started(answer("f").as_bytes(), "f").unwrap().1.as_deref(), Some("s"));
        assert!(started(answer("g").as_bytes(), "f").is_err());
    }
}
