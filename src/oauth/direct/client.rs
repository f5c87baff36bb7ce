//! The protocol's library, set up for a provider; its answers and its errors in the room's own words.

use std::fmt;

use oauth2::basic::{
    BasicErrorResponse, BasicErrorResponseType, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
    BasicTokenType,
};
use oauth2::{
    AuthType, AuthUrl, ClientId, ClientSecret, EndpointNotSet, EndpointSet, ExtraTokenFields, RedirectUrl,
    RequestTokenError, StandardRevocableToken, StandardTokenResponse, TokenResponse as _, TokenUrl,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use super::discovery::Endpoints;
use crate::clock::Timestamp;
use crate::error::{Code, Error};
use crate::oauth::settings::OAuthProvider;
use crate::oauth::tokens::Tokens;
use crate::secret::Secret;

pub(super) type Answer = StandardTokenResponse<Extra, BasicTokenType>;

type Client = oauth2::Client<
    BasicErrorResponse,
    Answer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

/// GitHub's word for a refresh token that is worth nothing any more.
const BAD_REFRESH: &str = "bad_refresh_token";

/// What a provider says beside the protocol's own.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(transparent)]
pub(super) struct Extra(Map<String, Value>);

impl ExtraTokenFields for Extra {}

/// It may hold tokens.
impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} members", self.0.len())
    }
}

/// A client for requests to a provider.
pub(super) fn of(provider: &OAuthProvider, secret: Option<Secret>, endpoints: &Endpoints, redirect: &Url) -> Client {
    let client = oauth2::Client::new(ClientId::new(provider.client_id.clone()))
        .set_auth_uri(AuthUrl::from_url(endpoints.authorization.clone()))
        .set_token_uri(TokenUrl::from_url(endpoints.token.clone()))
        .set_redirect_uri(RedirectUrl::from_url(redirect.clone()))
        .set_auth_type(if provider.secret_in_body { AuthType::RequestBody } else { AuthType::BasicAuth });
    match secret {
        Some(secret) => client.set_client_secret(ClientSecret::new(secret.expose().to_owned())),
        None => client,
    }
}

/// The tokens of an answer; `asked` are the scopes that were, which is what it grants if it says nothing.
pub(super) fn tokens(answer: &Answer, asked: &[String], now: Timestamp) -> Tokens {
    // Some providers put commas between scopes.
    let parts = |scope: &oauth2::Scope| scope.split(',').map(str::to_owned).collect::<Vec<_>>();
    let granted = |scopes: &Vec<oauth2::Scope>| scopes.iter().flat_map(parts).collect();
    let token_type = match answer.token_type() {
        BasicTokenType::Bearer => "Bearer".to_owned(),
        other => other.as_ref().to_owned(),
    };
    Tokens {
        access: Secret::new(answer.access_token().secret().as_str()),
        refresh: answer.refresh_token().map(|token| Secret::new(token.secret().as_str())),
        token_type,
        expires_at: answer.expires_in().map(|time| now.plus(time)),
        scopes: answer.scopes().map_or_else(|| asked.to_vec(), granted),
        extra: answer.extra_fields().0.clone(),
    }
}

/// Why a provider gave no tokens.
#[derive(Debug)]
pub(super) enum NoTokens {
    /// What was shown to it is worth nothing any more.
    Worthless(Error),
    /// Anything else.
    Other(Error),
}

impl NoTokens {
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Worthless(error) | Self::Other(error) => error,
        }
    }
}

/// The room's word for a failure. Of what the provider said it takes nothing but the protocol's own codes.
pub(super) fn failure(provider: &str, error: RequestTokenError<Error, BasicErrorResponse>) -> NoTokens {
    let refused = |what: &str| Error::new(Code::OAuthRefused, format!("provider {provider} refuses: {what}"));
    match error {
        RequestTokenError::Request(error) => NoTokens::Other(error.about(format_args!("provider {provider}"))),
        RequestTokenError::ServerResponse(response) => match response.error() {
            BasicErrorResponseType::InvalidGrant => NoTokens::Worthless(refused("invalid_grant")),
            BasicErrorResponseType::Extension(own) if own == BAD_REFRESH => NoTokens::Worthless(refused(BAD_REFRESH)),
            BasicErrorResponseType::Extension(_) => NoTokens::Other(refused("for a reason of its own")),
            known => NoTokens::Other(refused(known.as_ref())),
        },
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            let message = format!("provider {provider} gave an answer of no use for tokens");
            NoTokens::Other(Error::new(Code::OAuthAnswer, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_grants_what_it_says_or_what_was_asked() {
        let read = |scope: &str| {
            let json = format!(r#"{{"access_token": "canary", "token_type": "BEARER", "x": "canary"{scope}}}"#);
            let answer: Answer = serde_json::from_str(&json).unwrap();
            assert!(!format!("{answer:?}").contains("canary"));
            tokens(&answer, &["asked".to_owned()], Timestamp(0))
        };
        for (said, granted) in [
            ("", &["asked"][..]),
            (r#", "scope": "repo gist""#, &["repo", "gist"]),
            (r#", "scope": "repo,gist""#, &["repo", "gist"]),
        ] {
            assert_eq!(read(said).scopes, granted, "{said}");
        }
        let tokens = read("");
        assert_eq!((&*tokens.token_type, tokens.expires_at, tokens.extra.len()), ("Bearer", None, 1));
    }

    #[test]
    fn only_words_of_the_protocol_are_shown_and_only_some_end_the_tokens() {
        for (said, shown, ends) in [
            ("invalid_grant", "invalid_grant", true),
            (BAD_REFRESH, BAD_REFRESH, true),
            ("invalid_client", "invalid_client", false),
            ("canary", "for a reason of its own", false),
        ] {
            let json = format!(r#"{{"error": "{said}", "error_description": "canary"}}"#);
            let response: BasicErrorResponse = serde_json::from_str(&json).unwrap();
            let failure = failure("p", RequestTokenError::ServerResponse(response));
            assert_eq!(matches!(failure, NoTokens::Worthless(_)), ends, "{said}");
            let text = failure.into_error().to_string();
            assert!(text.ends_with(shown) && !text.contains("canary"), "{text}");
        }
        let other = failure("p", RequestTokenError::Other("canary".to_owned()));
        assert!(!other.into_error().to_string().contains("canary"));
    }
}
