//! Direct Line 3.0, the protocol of the published web chat clients: tokens, conversations, activities, streams.
//!
//! Activities are posted through the one door of all channels ([`super::channel`]); this is what is around it. Nothing is
//! remembered of a conversation but its transcript: its id is given by the host, and tokens say whose it is.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Problem;
use super::params::{Asked, Param};
use super::webchat::{Place, Since, watermark};
use crate::error::{Code, Error, Result};
use crate::ingress::webchat::access::{trusted_origins, user_id};
use crate::ingress::webchat::directline::new_conversation;
use crate::ingress::webchat::{Caller, Grant, LIFETIME, Use, route_of};

mod posted;
mod sites;
mod socket;
mod visit;

use posted::Posted;
pub(super) use sites::guard;
pub(super) use socket::{Sockets, stream};
use visit::Visit;

/// What a token or a conversation is asked for with.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    user: Option<String>,
    origins: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct ConversationPath {
    conversation: String,
}

/// `POST tokens/generate`: a token for a new conversation, for whoever has the secret.
pub(super) async fn generate(visit: Visit, Posted(wanted): Posted) -> Result<Json<Value>, Problem> {
    if visit.caller != Caller::Trusted {
        let error = Error::new(Code::DirectLineDenied, "tokens are generated with the secret only");
        return Err(error.hint("use tokens/refresh for another token of the same conversation").into());
    }
    let grant = Grant { conversation: new_conversation(), user: wanted.user, origins: wanted.origins };
    Ok(Json(visit.with_token(&grant)?))
}

/// `POST tokens/refresh`: another token in place of one that has not expired.
pub(super) async fn refresh(visit: Visit) -> Result<Json<Value>, Problem> {
    let Caller::Token(grant) = &visit.caller else {
        return Err(Error::new(Code::DirectLineDenied, "only tokens can be refreshed").into());
    };
    Ok(Json(visit.with_token(grant)?))
}

/// `POST conversations`: begins the conversation of the token, or with the secret a new one.
pub(super) async fn start(visit: Visit, Posted(wanted): Posted) -> Result<Response, Problem> {
    let user = visit.caller.user(wanted.user.as_deref())?.map(str::to_owned);
    let (conversation, origins, has_begun) = match &visit.caller {
        Caller::Trusted => (new_conversation(), wanted.origins, false),
        Caller::Token(grant) => {
            let route = route_of(&visit.tenant, &grant.conversation);
            let has_begun = !visit.app.backend.replies(&route, 0, 1).await?.is_empty();
            (grant.conversation.clone(), grant.origins.clone(), has_begun)
        }
    };
    let status = if has_begun { StatusCode::OK } else { StatusCode::CREATED };
    let grant = Grant { conversation, user, origins };
    Ok((status, Json(visit.with_stream(&grant, "")?)).into_response())
}

/// `GET conversations/{id}`: another stream of a conversation that goes on.
pub(super) async fn reconnect(
    visit: Visit,
    Param(ConversationPath { conversation }): Param<ConversationPath>,
    Asked(since): Asked<Since>,
) -> Result<Json<Value>, Problem> {
    visit.caller.may_use(&conversation)?;
    let text = since.watermark.unwrap_or_default();
    watermark(Some(&text))?;
    let grant = match &visit.caller {
        Caller::Trusted => Grant { conversation, user: None, origins: Vec::new() },
        Caller::Token(grant) => grant.clone(),
    };
    Ok(Json(visit.with_stream(&grant, &text)?))
}

/// `GET conversations/{id}/activities`: what was said and replied after a watermark.
pub(super) async fn activities(
    visit: Visit,
    Param(ConversationPath { conversation }): Param<ConversationPath>,
    Asked(since): Asked<Since>,
) -> Result<Json<Value>, Problem> {
    visit.caller.may_use(&conversation)?;
    let after = watermark(since.watermark.as_deref())?;
    let place = Place::of(&visit.tenant, conversation);
    Ok(Json(place.after(&visit.app, after).await?.into_json()))
}

impl Visit {
    fn with_token(&self, grant: &Grant) -> Result<Value> {
        let token = self.access.issue(&self.tenant, grant, Use::Requests, self.now)?;
        Ok(json!({"conversationId": grant.conversation, "token": token, "expires_in": LIFETIME.as_secs()}))
    }

    fn with_stream(&self, grant: &Grant, watermark: &str) -> Result<Value> {
        let mut answer = self.with_token(grant)?;
        let token = self.access.issue(&self.tenant, grant, Use::Stream, self.now)?;
        let (base, conversation) = (self.base()?, &grant.conversation);
        let url = format!("{base}/conversations/{conversation}/stream?watermark={watermark}&t={token}");
        if let Some(fields) = answer.as_object_mut() {
            fields.insert("streamUrl".to_owned(), json!(url));
        }
        Ok(answer)
    }
}

impl Wanted {
    /// Reads `{user: {id}, trustedOrigins}`, all of it optional; what else there is is for other hosts.
    fn of(body: &Value) -> Result<Self> {
        let invalid = |what: &str| Error::new(Code::RequestInvalid, what);
        let user = match body.get("user") {
            None | Some(Value::Null) => None,
            Some(Value::Object(user)) => user.get("id").filter(|id| !id.is_null()),
            Some(_) => return Err(invalid("user is not an object")),
        };
        let user = match user {
            None => None,
            Some(id) => Some(user_id(id.as_str().ok_or_else(|| invalid("user.id is not a string"))?)?),
        };
        let origins = match body.get("trustedOrigins") {
            None | Some(Value::Null) => Vec::new(),
            Some(list) => Vec::deserialize(list).map_err(|_| invalid("trustedOrigins is not a list of strings"))?,
        };
        Ok(Self { user, origins: trusted_origins(&origins)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_is_optional_and_has_its_types() {
        assert_eq!(Wanted::of(&json!({})).unwrap(), Wanted::default());
        assert_eq!(
            Wanted::of(&json!({"user": {}, "locale": "en", "trustedOrigins": null})).unwrap(),
            Wanted::default()
        );
        let wanted = Wanted::of(&json!({"user": {"id": "dl_a", "name": "A"}, "trustedOrigins": ["https://a.example"]}));
        let origins = vec!["https://a.example".to_owned()];
        assert_eq!(wanted.unwrap(), Wanted { user: Some("dl_a".into()), origins });
        for bad in [
            json!({"user": "dl_a"}),
            json!({"user": ["dl_a"]}),
            json!({"user": {"id": 1}}),
            json!({"user": {"id": ""}}),
            json!({"user": {"id": "a\nb"}}),
            json!({"trustedOrigins": "https://a.example"}),
            json!({"trustedOrigins": [1]}),
            json!({"trustedOrigins": ["a"]}),
        ] {
            assert_eq!(Wanted::of(&bad).unwrap_err().code(), Code::RequestInvalid, "{bad}");
        }
    }
}
