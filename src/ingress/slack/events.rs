//! Events: `POST /slack/events`.

use serde_json::Value;

use super::super::adapter::{Answer, json_object};
use super::super::envelope::{MOST, ProviderIds};
use super::super::json;
use super::draft::{self, Draft};
use super::{App, Read, files, text};
use crate::error::{Code, Error, Result};

/// The subtypes of messages that people write. All others tell of something that happened.
const WRITTEN: &[&str] = &["file_share", "thread_broadcast", "me_message", "bot_message"];

/// The longest challenge of a handshake that is answered.
const MAX_CHALLENGE: usize = 1024;

/// Reads an event.
pub(super) fn read(app: &App, body: &[u8]) -> Result<(Value, Read)> {
    let payload = json_object(body)?;
    let read = match json::text(&payload, &["type"]) {
        Some("url_verification") => Read::Answer(handshake(&payload)?),
        Some("event_callback") => Delivery::of(&payload).read(app),
        Some("app_rate_limited") => Read::Ignored("Slack holds events back, as there are too many"),
        _ => Read::Ignored("the request is no event"),
    };
    Ok((payload, read))
}

fn handshake(payload: &Value) -> Result<Answer> {
    match json::text(payload, &["challenge"]) {
        Some(challenge) if challenge.len() <= MAX_CHALLENGE => Ok(Answer::text(200, challenge)),
        _ => Err(Error::new(Code::RequestInvalid, "the handshake has no challenge that can be answered")),
    }
}

/// An event with what Slack says about its delivery.
struct Delivery<'a> {
    payload: &'a Value,
    event: &'a Value,
    kind: &'a str,
    app: Option<String>,
    /// The workspace, else the organisation.
    team: Option<String>,
    /// The users that the app acts as.
    own: Vec<String>,
}

/// Who wrote a message.
enum Author {
    User(String),
    Bot(String),
    /// The app itself, or a bot of which nothing says that it is another.
    Own,
    Nobody,
}

impl<'a> Delivery<'a> {
    fn of(payload: &'a Value) -> Self {
        let event = json::at(payload, &["event"]).unwrap_or(json::NULL);
        let id = |value: &Value, name: &str| json::id(value, &[name]);
        let authorized = json::list(payload, &["authorizations"]).iter().take(MOST);
        let bots = authorized.filter(|authorized| json::is_true(authorized, &["is_bot"]));
        Self {
            event,
            kind: json::text(event, &["type"]).unwrap_or_default(),
            app: id(payload, "api_app_id"),
            team: id(payload, "team_id").or_else(|| id(event, "team")).or_else(|| id(payload, "enterprise_id")),
            own: bots.filter_map(|bot| id(bot, "user_id")).collect(),
            payload,
        }
    }

    fn read(&self, app: &App) -> Read {
        match self.kind {
            "message" | "app_mention" => self.message(app),
            "" => Read::Ignored("the event has no type"),
            kind if app.events.iter().any(|listed| listed == kind) => self.notice(),
            _ => Read::Ignored("the kind of event is not one that the binding lists"),
        }
    }

    fn message(&self, app: &App) -> Read {
        let event = self.event;
        let subtype = json::text(event, &["subtype"]);
        if subtype.is_some_and(|subtype| !WRITTEN.contains(&subtype)) {
            return Read::Ignored("the message is none that somebody wrote");
        }
        if json::is_true(event, &["hidden"]) {
            return Read::Ignored("the message is hidden");
        }
        let user = match self.author() {
            Author::User(user) => user,
            Author::Bot(bot) if app.allow_bots => bot,
            Author::Bot(_) => return Read::Ignored("the message comes from a bot"),
            Author::Own => return Read::Ignored("the message comes from the app itself"),
            Author::Nobody => return Read::Ignored("the message has no user"),
        };
        let (Some(channel), Some(ts)) = (json::id(event, &["channel"]), json::id(event, &["ts"])) else {
            return Read::Ignored("the message has no channel or no ts");
        };
        let mut draft = self.draft(ProviderIds {
            channel_id: Some(channel.clone()),
            thread_id: json::id(event, &["thread_ts"]),
            user_id: Some(user),
            message_id: Some(ts.clone()),
            ..ProviderIds::default()
        });
        let edited = json::text(event, &["edited", "ts"]);
        draft.dedupe.push(self.key("message", [Some(channel.as_str()), Some(ts.as_str()), edited]));
        draft.can_be_root = true;
        draft.sent = text::time(&ts).or(draft.sent);
        draft.shown = text::read(json::text(event, &["text"]).unwrap_or_default(), &self.called());
        draft.attachments = files::attachments(event);
        draft.buttons = files::buttons(event);
        draft.read()
    }

    /// An event that is no message, and that the binding lists.
    fn notice(&self) -> Read {
        let (event, id) = (self.event, |path: &[&str]| json::id(self.event, path));
        let Some(user) = id(&["user"]).or_else(|| id(&["user", "id"])) else {
            return Read::Ignored("the event has no user");
        };
        if self.own.contains(&user) {
            return Read::Ignored("the event is about the app itself");
        }
        let mut draft = self.draft(ProviderIds {
            channel_id: [&["channel"][..], &["channel", "id"], &["item", "channel"], &["channel_id"]]
                .iter()
                .find_map(|path| id(path)),
            user_id: Some(user),
            message_id: id(&["item", "ts"]),
            ..ProviderIds::default()
        });
        draft.sent = json::text(event, &["event_ts"]).and_then(text::time).or(draft.sent);
        json::copy(event, &["reaction", "item", "tab"], &mut draft.channel_data);
        draft.read()
    }

    /// What all events have.
    fn draft(&self, ids: ProviderIds) -> Draft {
        let event_id = json::id(self.payload, &["event_id"]);
        let keys = event_id.as_deref().map(|id| self.key("event", [Some(id)]));
        let mut draft = Draft::new(ProviderIds { workspace_id: self.team.clone(), event_id: event_id.clone(), ..ids });
        draft.dedupe.extend(keys);
        draft.remember = draft::REMEMBER_EVENT;
        draft.enterprise = json::id(self.payload, &["enterprise_id"]);
        let told = json::integer(self.payload, &["event_time"]);
        draft.sent = told.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
        draft.channel_data = draft::channel_data(self.kind, self.event, &["subtype", "channel_type"]);
        json::copy(self.payload, &["api_app_id", "enterprise_id", "is_ext_shared_channel"], &mut draft.channel_data);
        draft
    }

    fn author(&self) -> Author {
        let event = self.event;
        let id = |path: &[&str]| json::id(event, path);
        let user = id(&["user"]);
        if user.as_ref().is_some_and(|user| self.own.contains(user)) {
            return Author::Own;
        }
        let bot = id(&["bot_id"]).or_else(|| id(&["bot_profile", "id"]));
        let is_bot = bot.is_some()
            || json::at(event, &["bot_profile"]).is_some()
            || json::text(event, &["subtype"]) == Some("bot_message")
            || user.as_deref() == Some("USLACKBOT");
        if !is_bot {
            return user.map_or(Author::Nobody, Author::User);
        }
        let of_app = id(&["app_id"]).or_else(|| id(&["bot_profile", "app_id"]));
        match (of_app, &self.app, user.or(bot)) {
            (Some(theirs), Some(own), Some(who)) if theirs != *own => Author::Bot(who),
            _ => Author::Own,
        }
    }

    /// The users whose mention calls the app. Old deliveries tell them only as the users who authorised it.
    fn called(&self) -> Vec<String> {
        let old = json::list(self.payload, &["authed_users"]).iter().take(MOST);
        let old = old.filter(|_| self.kind == "app_mention").filter_map(|user| json::id(user, &[]));
        self.own.iter().cloned().chain(old).collect()
    }

    fn key<'k>(&'k self, kind: &'k str, parts: impl IntoIterator<Item = Option<&'k str>>) -> String {
        draft::key(kind, [self.app.as_deref(), self.team.as_deref()].into_iter().chain(parts))
    }
}
