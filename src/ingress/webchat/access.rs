//! Who may do what with a tenant's web chat: the secret may do everything, a token what it grants.

use http::HeaderMap;
use http::header::{AUTHORIZATION, ORIGIN};
use serde_json::{Value, json};
use url::Url;

use super::directline;
use super::token::{self, Grant, Use};
use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::id::clip;
use crate::ingress::adapter::{Settings, platform_id};
use crate::ingress::gate::{Gate, texts};
use crate::ingress::verify::is_secret;
use crate::secret::Secret;

/// With what the names of users begin that only a token can give.
pub const RESERVED: &str = "dl_";

/// The most sites that a token names.
pub const MOST_ORIGINS: usize = 20;

/// What a tenant's binding and secrets say about who may use its web chat.
#[derive(Clone, Debug, Default)]
pub struct Access {
    secrets: Vec<Secret>,
    /// As browsers write them; `*` stands for all.
    origins: Vec<String>,
    public_url: Option<Url>,
}

/// Who makes a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Somebody who has the secret, or anybody where there is none.
    Trusted,
    /// Somebody who has a token.
    Token(Grant),
}

impl Access {
    pub(super) fn open(gate: &Gate, settings: &Settings<'_>) -> Result<Self> {
        let secrets = gate.secrets().ok().flatten().unwrap_or_default().to_vec();
        let origins =
            texts(settings.config, "allowed_origins")?.iter().map(|text| origin(text)).collect::<Result<_>>()?;
        let public_url = match settings.config.get("public_url") {
            None | Some(Value::Null) => None,
            Some(value) => Some(public_url(value)?),
        };
        Ok(Self { secrets, origins, public_url })
    }

    /// The same without the secrets, for a server that only this machine reaches.
    pub(in crate::ingress) fn for_loopback(&self) -> Self {
        Self { secrets: Vec::new(), ..self.clone() }
    }

    /// Who makes a request, by its `Authorization`.
    ///
    /// # Errors
    ///
    /// `DirectLineToken` if there is a secret and the request has neither it nor a token made by it, `DirectLineExpired`
    /// for a token that was good before, `DirectLineDenied` for one that is not for the site that it is used from.
    pub fn caller(&self, tenant: &str, headers: &HeaderMap, now: Timestamp) -> Result<Caller> {
        if self.secrets.is_empty() {
            // The published client sends a bearer even where it was given none, and proxies have credentials of their own.
            let given = bearer(headers).ok().flatten().filter(|given| looks_like_a_token(given));
            return given.map_or(Ok(Caller::Trusted), |given| {
                self.holder(tenant, given, Use::Requests, headers, now).map(Caller::Token)
            });
        }
        let given = bearer(headers)?;
        let given = given.ok_or_else(|| Error::new(Code::DirectLineToken, "the request has no bearer token"))?;
        if is_secret(&self.secrets, given.as_bytes()) {
            return Ok(Caller::Trusted);
        }
        self.holder(tenant, given, Use::Requests, headers, now).map(Caller::Token)
    }

    /// What a token grants that came in another way than in `Authorization`.
    pub fn holder(
        &self,
        tenant: &str,
        token: &str,
        purpose: Use,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Grant> {
        let open = [Secret::new("")];
        let grant = token::read(self.keys(&open), tenant, token, purpose, now)?;
        let site = headers.get(ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
        match site {
            Some(site) if !grant.origins.is_empty() && !grant.origins.iter().any(|known| known == site) => {
                Err(denied("the token is not for the site that it is used from"))
            }
            _ => Ok(grant),
        }
    }

    /// Makes a token.
    pub fn issue(&self, tenant: &str, grant: &Grant, purpose: Use, now: Timestamp) -> Result<String> {
        let open = [Secret::new("")];
        let secret = self.keys(&open).first();
        let secret = secret.ok_or_else(|| Error::new(Code::Internal, "there is nothing to sign a token with"))?;
        token::sign(secret, tenant, grant, purpose, now)
    }

    /// Where anybody may do anything, tokens keep conversations in order and protect nothing: whoever could forge one
    /// could also ask for it.
    fn keys<'a>(&'a self, open: &'a [Secret]) -> &'a [Secret] {
        if self.secrets.is_empty() { open } else { &self.secrets }
    }

    /// Whether browsers may use the web chat from pages of this site, beside the host's own.
    pub fn allows(&self, site: &str) -> bool {
        self.origins.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(site))
    }

    /// The URL under which clients reach the server, if the binding says it.
    pub fn public_url(&self) -> Option<&Url> {
        self.public_url.as_ref()
    }
}

impl Caller {
    /// Refuses a conversation that is not the caller's.
    pub fn may_use(&self, conversation: &str) -> Result<()> {
        match self {
            Self::Trusted if directline::is_conversation(conversation) => Ok(()),
            Self::Trusted => Err(Error::new(Code::ConversationUnknown, "no conversation has this id")
                .hint("conversations begin with POST conversations")),
            Self::Token(grant) if grant.conversation == conversation => Ok(()),
            Self::Token(_) => Err(denied("the token is for another conversation")),
        }
    }

    /// Who speaks: the user that the caller's token is bound to, else who they say that they are.
    pub fn user<'a>(&'a self, claimed: Option<&'a str>) -> Result<Option<&'a str>> {
        match self {
            Self::Trusted => Ok(claimed),
            Self::Token(grant) => grant.speaker(claimed),
        }
    }
}

impl Grant {
    fn speaker<'a>(&'a self, claimed: Option<&'a str>) -> Result<Option<&'a str>> {
        match (&self.user, claimed) {
            (Some(bound), _) => Ok(Some(bound)),
            (None, Some(claimed)) if claimed.starts_with(RESERVED) => {
                Err(denied("names that begin with dl_ are given by tokens only"))
            }
            (None, claimed) => Ok(claimed),
        }
    }

    /// Makes an activity one of the token's user, and refuses one for another conversation.
    pub(super) fn bind(&self, raw: &mut Value) -> Result<()> {
        let named = raw.pointer("/conversation/id").and_then(Value::as_str).unwrap_or_default();
        Caller::Token(self.clone()).may_use(named)?;
        let claimed = raw.pointer("/from/id").and_then(Value::as_str).map(str::to_owned);
        if let Some(user) = self.speaker(claimed.as_deref())? {
            set_speaker(raw, user);
        }
        Ok(())
    }
}

/// Says in an activity who speaks: a user, and nobody who calls himself a bot.
pub(super) fn set_speaker(raw: &mut Value, user: &str) {
    let name = raw.pointer("/from/name").filter(|name| name.is_string()).cloned();
    let mut from = json!({"id": user, "role": "user"});
    if let (Some(fields), Some(name)) = (from.as_object_mut(), name) {
        fields.insert("name".to_owned(), name);
    }
    if let Some(fields) = raw.as_object_mut() {
        fields.insert("from".to_owned(), from);
    }
}

fn denied(what: &str) -> Error {
    Error::new(Code::DirectLineDenied, what)
}

/// The one bearer token of a request, if it has an `Authorization`.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>> {
    let mut lines = headers.get_all(AUTHORIZATION).iter();
    let line = match (lines.next(), lines.next()) {
        (None, _) => return Ok(None),
        (Some(line), None) => line.to_str().ok(),
        (Some(_), Some(_)) => None,
    };
    let parts = line.and_then(|line| line.trim().split_once(' '));
    match parts {
        Some((scheme, given)) if scheme.eq_ignore_ascii_case("bearer") && !given.trim().is_empty() => {
            Ok(Some(given.trim()))
        }
        _ => Err(Error::new(Code::DirectLineToken, "the header authorization is not one bearer token")),
    }
}

/// Whether a bearer may be a token where nobody has a secret and clients send whatever they were given.
fn looks_like_a_token(given: &str) -> bool {
    given.starts_with("eyJ") && given.matches('.').count() == 2
}

/// A site, as browsers write it in `Origin`.
pub fn origin(text: &str) -> Result<String> {
    if text == "*" {
        return Ok(text.to_owned());
    }
    let url = Url::parse(text).ok().filter(|url| !text.contains('*') && matches!(url.scheme(), "https" | "http"));
    let bare = url.filter(|url| url.path() == "/" && url.query().is_none() && url.fragment().is_none());
    let bare = bare.filter(|url| url.username().is_empty() && url.password().is_none());
    bare.map(|url| url.origin().ascii_serialization()).ok_or_else(|| {
        let shown = clip(text).escape_debug().to_string();
        Error::new(Code::ChannelInvalid, format!("\"{shown}\" of config.allowed_origins of the binding is no site"))
            .hint("write sites as https://www.example.com, with a port if it is not the usual one, or * for all")
    })
}

fn public_url(value: &Value) -> Result<Url> {
    let url = value.as_str().and_then(|text| Url::parse(text).ok());
    let url =
        url.filter(|url| matches!(url.scheme(), "https" | "http") && url.query().is_none() && url.fragment().is_none());
    url.ok_or_else(|| {
        Error::new(Code::ChannelInvalid, "config.public_url of the binding must be a URL of https or http")
            .hint("write the URL under which clients reach the server, as https://bots.example.com")
    })
}

/// The sites that a token is to be for, as a request for it names them.
pub fn trusted_origins(texts: &[String]) -> Result<Vec<String>> {
    if texts.len() > MOST_ORIGINS {
        return Err(Error::new(Code::RequestInvalid, format!("trustedOrigins has more than {MOST_ORIGINS} entries")));
    }
    let one = |text: &String| match origin(text) {
        Ok(site) if site != "*" => Ok(site),
        _ => Err(Error::new(Code::RequestInvalid, "an entry of trustedOrigins is no site")),
    };
    texts.iter().map(one).collect()
}

/// The user that a token is to be bound to.
pub fn user_id(text: &str) -> Result<String> {
    platform_id("user.id", text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ingress::testing::{headers, with_settings};

    const NOW: Timestamp = Timestamp(1_762_851_600_000);

    fn access(config: &Value, secrets: &[(&str, &str)]) -> Result<Access> {
        with_settings(config, secrets, |settings| {
            Access::open(&Gate::open(settings, "POST /x", super::super::SECRET, "x")?, settings)
        })
    }

    fn grant(user: Option<&str>) -> Grant {
        let conversation = directline::new_conversation();
        Grant { conversation, user: user.map(str::to_owned), origins: Vec::new() }
    }

    #[test]
    fn the_secret_may_everything_and_a_token_what_it_grants() {
        let secrets = &[("DIRECT_LINE_SECRET", "new"), ("DIRECT_LINE_SECRET", "old")];
        let access = access(&json!({"insecure": true}), secrets).unwrap();
        let caller = |value: &str| access.caller("t", &headers(&[("authorization", value)]), NOW);
        for good in ["Bearer new", "bearer old"] {
            assert_eq!(caller(good).unwrap(), Caller::Trusted);
        }
        let grant = grant(Some("dl_ada"));
        let token = access.issue("t", &grant, Use::Requests, NOW).unwrap();
        assert_eq!(caller(&format!("Bearer {token}")).unwrap(), Caller::Token(grant));
        for bad in ["Bearer ne", "Bearer ", "Basic new", "new", "Bearer eyJ.eyJ.x"] {
            assert_eq!(caller(bad).unwrap_err().code(), Code::DirectLineToken, "{bad:?}");
        }
        assert_eq!(access.caller("t", &headers(&[]), NOW).unwrap_err().code(), Code::DirectLineToken);
        let twice = headers(&[("authorization", "Bearer new"), ("authorization", "Bearer new")]);
        assert_eq!(access.caller("t", &twice, NOW).unwrap_err().code(), Code::DirectLineToken);
        assert!(!format!("{access:?}").contains("new"), "the secret is not shown");
    }

    #[test]
    fn without_a_secret_everybody_is_trusted_and_tokens_are_still_bound() {
        let open = access(&json!({"insecure": true}), &[]).unwrap();
        for given in [&[][..], &[("authorization", "Bearer undefined")], &[("authorization", "Basic eDp5")]] {
            assert_eq!(open.caller("t", &headers(given), NOW).unwrap(), Caller::Trusted);
        }
        let token = open.issue("t", &grant(None), Use::Requests, NOW).unwrap();
        let bearer = format!("Bearer {token}");
        let given = headers(&[("authorization", &bearer)]);
        assert!(matches!(open.caller("t", &given, NOW).unwrap(), Caller::Token(_)));
        assert_eq!(open.caller("u", &given, NOW).unwrap_err().code(), Code::DirectLineToken);
        // A secret that is set later lets nothing in that was made without one.
        let closed = access(&json!({}), &[("DIRECT_LINE_SECRET", "s")]).unwrap();
        assert_eq!(closed.caller("t", &given, NOW).unwrap_err().code(), Code::DirectLineToken);
    }

    #[test]
    fn a_token_speaks_for_its_user_in_its_conversation() {
        let (bound, free) = (Caller::Token(grant(Some("dl_ada"))), Caller::Token(grant(None)));
        assert_eq!(bound.user(Some("dl_eve")).unwrap(), Some("dl_ada"));
        assert_eq!(bound.user(None).unwrap(), Some("dl_ada"));
        assert_eq!(free.user(Some("eve")).unwrap(), Some("eve"));
        assert_eq!(free.user(Some("dl_ada")).unwrap_err().code(), Code::DirectLineDenied);
        assert_eq!(Caller::Trusted.user(Some("dl_ada")).unwrap(), Some("dl_ada"));
        let other = directline::new_conversation();
        assert_eq!(bound.may_use(&other).unwrap_err().code(), Code::DirectLineDenied);
        assert!(Caller::Trusted.may_use(&other).is_ok());
        assert_eq!(Caller::Trusted.may_use("made-up").unwrap_err().code(), Code::ConversationUnknown);
    }

    #[test]
    fn sites_are_compared_as_a_whole() {
        let config = json!({"allowed_origins": ["https://Shop.example/", "http://localhost:3000"]});
        let some = access(&config, &[]).unwrap();
        for (site, allowed) in [
            ("https://shop.example", true),
            ("http://localhost:3000", true),
            ("http://shop.example", false),
            ("https://shop.example:444", false),
            ("https://shop.example.evil", false),
            ("https://evil.shop.example", false),
            ("http://localhost", false),
            ("null", false),
            ("", false),
        ] {
            assert_eq!(some.allows(site), allowed, "{site}");
        }
        assert!(access(&json!({"allowed_origins": "*"}), &[]).unwrap().allows("https://any.example"));
        assert!(!access(&json!({}), &[]).unwrap().allows("https://any.example"));
        for bad in
            ["shop.example", "https://shop.example/chat", "ftp://a", "https://u@a.example", "https://*.a.example"]
        {
            let error = access(&json!({ "allowed_origins": bad }), &[]).unwrap_err();
            assert_eq!(error.code(), Code::ChannelInvalid, "{bad}");
        }
        for bad in [json!("bots.example"), json!("https://a/?b"), json!(1)] {
            assert_eq!(access(&json!({ "public_url": bad }), &[]).unwrap_err().code(), Code::ChannelInvalid);
        }
    }

    #[test]
    fn a_token_may_be_for_some_sites_only() {
        let access = access(&json!({}), &[("DIRECT_LINE_SECRET", "s")]).unwrap();
        let origins = trusted_origins(&["https://a.example/".to_owned()]).unwrap();
        let token = access.issue("t", &Grant { origins, ..grant(None) }, Use::Requests, NOW).unwrap();
        let bearer = format!("Bearer {token}");
        let from = |origin: Option<&str>| {
            let mut lines = vec![("authorization", &*bearer)];
            lines.extend(origin.map(|origin| ("origin", origin)));
            access.caller("t", &headers(&lines), NOW).map(drop).map_err(|error| error.code())
        };
        assert_eq!(from(Some("https://a.example")), Ok(()));
        assert_eq!(from(None), Ok(()), "a program that is no browser");
        assert_eq!(from(Some("https://b.example")), Err(Code::DirectLineDenied));
        assert!(trusted_origins(&["*".to_owned()]).is_err());
        assert!(trusted_origins(&vec!["https://a.example".to_owned(); MOST_ORIGINS + 1]).is_err());
    }
}
