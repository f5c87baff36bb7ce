//! Interactions: `POST /slack/interactive`.

use serde_json::Value;

use super::super::adapter::Answer;
use super::super::envelope::{Button, ProviderIds};
use super::super::json;
use super::draft::{self, Draft};
use super::{Read, actions, answers, files, form, text};
use crate::egress::slack::{Pressed, response_url};
use crate::error::Result;

/// The fields of a payload that tell what was meant.
const TELLING: &[&str] = &["callback_id", "action_id", "block_id", "trigger_id", "api_app_id", "state"];

/// Reads an interaction.
pub(super) fn read(body: &[u8]) -> Result<(Value, Read)> {
    let payload = form::payload(body)?;
    let read = Interaction::of(&payload).read();
    Ok((payload, read))
}

struct Interaction<'a> {
    payload: &'a Value,
    kind: &'a str,
}

impl<'a> Interaction<'a> {
    fn of(payload: &'a Value) -> Self {
        Self { payload, kind: json::text(payload, &["type"]).unwrap_or_default() }
    }

    fn read(&self) -> Read {
        match self.kind {
            "block_actions" if self.is_opening() => Read::Ignored("a page was opened"),
            "block_actions" => self.pressed().read(),
            // A menu of an old message that asks for its options has no action yet.
            "interactive_message" if json::list(self.payload, &["actions"]).is_empty() => self.options().read(),
            "interactive_message" => self.pressed().read(),
            "block_suggestion" | "dialog_suggestion" => self.options().read(),
            "view_submission" | "dialog_submission" => self.submitted().waits(Answer::empty(200)).read(),
            "view_closed" | "dialog_cancellation" | "shortcut" => self.draft().read(),
            "message_action" => self.on_message().read(),
            _ => Read::Ignored("the kind of interaction is none that flows know"),
        }
    }

    /// Whether only links of a reply were pressed, which Slack tells as well.
    fn is_opening(&self) -> bool {
        let pressed = json::list(self.payload, &["actions"]);
        !pressed.is_empty() && pressed.iter().all(|action| actions::of_reply(action) == Some(Pressed::Opened))
    }

    /// Buttons and menus. The text is what the first of them says, so that it also answers a question.
    fn pressed(&self) -> Draft {
        let pressed = json::list(self.payload, &["actions"]);
        let mut draft = self.draft();
        draft.buttons = actions::pressed(pressed, json::at(self.payload, &["original_message"]));
        let said = match pressed.first().and_then(actions::of_reply) {
            Some(Pressed::Value(Value::String(text))) => Some(text),
            _ => draft.buttons.first().map(|button| button.title.clone()),
        };
        draft.shown.text = said.filter(|text| !text.is_empty());
        if json::at(self.payload, &["view"]).is_some() {
            draft.channel_data.insert("values".into(), actions::state(self.view()));
        } else if json::at(self.payload, &["state", "values"]).is_some() {
            draft.channel_data.insert("values".into(), actions::state(self.payload));
        }
        draft
    }

    /// A form. It is one button, whose payload is what was filled in.
    fn submitted(&self) -> Draft {
        let mut draft = self.draft();
        let values = match json::at(self.payload, &["submission"]) {
            Some(submission) => submission.clone(),
            None => actions::state(self.view()),
        };
        let id = self.callback().or_else(|| self.id(&["view", "id"]));
        let title = json::text(self.payload, &["view", "submit", "text"]).unwrap_or_default().to_owned();
        draft.channel_data.insert("values".into(), values.clone());
        draft.buttons = vec![Button { id: id.unwrap_or_else(|| "0".into()), title, payload: values }];
        draft
    }

    /// A menu whose options depend on what the user types.
    fn options(&self) -> Draft {
        let mut draft = self.draft();
        // Every letter is a request of its own.
        draft.dedupe.clear();
        draft.alone = true;
        draft.shown.text = json::text(self.payload, &["value"]).map(str::to_owned);
        json::copy(self.payload, &["name"], &mut draft.channel_data);
        draft.waits(answers::no_options())
    }

    /// A shortcut on somebody's message, whose text and files it is about.
    fn on_message(&self) -> Draft {
        let mut draft = self.draft();
        let message = json::at(self.payload, &["message"]).unwrap_or(json::NULL);
        draft.shown = text::read(json::text(message, &["text"]).unwrap_or_default(), &[]);
        draft.attachments = files::attachments(message);
        json::copy(message, &["user"], &mut draft.channel_data);
        draft
    }

    /// What all interactions have.
    fn draft(&self) -> Draft {
        let team = self.id(&["team", "id"]).or_else(|| self.id(&["user", "team_id"])).or_else(|| self.enterprise());
        let place = self.place();
        let ids = ProviderIds {
            workspace_id: team,
            channel_id: place.channel,
            thread_id: place.thread,
            user_id: self.id(&["user", "id"]),
            message_id: place.message,
            event_id: self.unique(),
            ..ProviderIds::default()
        };
        let app = self.id(&["api_app_id"]);
        let parts = [app.as_deref(), ids.workspace_id.as_deref(), ids.user_id.as_deref(), Some(self.kind)];
        let keys = ids.event_id.as_deref().map(|id| draft::key("interaction", parts.into_iter().chain([Some(id)])));
        let mut draft = Draft::new(ids);
        draft.dedupe = keys.into_iter().collect();
        draft.enterprise = self.enterprise();
        draft.can_be_root = !json::is_true(self.payload, &["container", "is_ephemeral"]);
        draft.sent = self.acted().as_deref().and_then(text::time);
        draft.channel_data = draft::channel_data(self.kind, self.payload, TELLING);
        // The state of a dialog is the app's own word; that of blocks is what was filled in, which is in `values`.
        if draft.channel_data.get("state").is_some_and(Value::is_object) {
            draft.channel_data.shift_remove("state");
        }
        if let Some(callback) = self.callback() {
            draft.channel_data.insert("callback_id".into(), callback.into());
        }
        if let Some(metadata) = json::at(self.payload, &["view", "private_metadata"]) {
            draft.channel_data.insert("private_metadata".into(), metadata.clone());
        }
        if let Some(url) = json::text(self.payload, &["response_url"]).and_then(response_url) {
            draft.channel_data.insert("response_url".into(), url.into());
        }
        draft
    }

    fn id(&self, path: &[&str]) -> Option<String> {
        json::id(self.payload, path)
    }

    fn view(&self) -> &Value {
        json::at(self.payload, &["view"]).unwrap_or(json::NULL)
    }

    fn enterprise(&self) -> Option<String> {
        self.id(&["enterprise", "id"]).or_else(|| self.id(&["team", "enterprise_id"]))
    }

    fn callback(&self) -> Option<String> {
        self.id(&["callback_id"]).or_else(|| self.id(&["view", "callback_id"]))
    }

    /// When it was done.
    fn acted(&self) -> Option<String> {
        let first = json::list(self.payload, &["actions"]).first();
        first.and_then(|action| json::id(action, &["action_ts"])).or_else(|| self.id(&["action_ts"]))
    }

    /// What no other interaction has. A view that is closed has only what it is itself.
    fn unique(&self) -> Option<String> {
        let view = || Some(format!("{}/{}", self.id(&["view", "id"])?, self.id(&["view", "hash"]).unwrap_or_default()));
        self.id(&["trigger_id"]).or_else(|| self.acted()).or_else(view)
    }

    /// Where it was done. Views are nowhere: whoever opens one says in `private_metadata` where it belongs to.
    fn place(&self) -> Place {
        let first = |paths: &[&[&str]]| paths.iter().find_map(|path| self.id(path));
        let channel = first(&[&["channel", "id"], &["container", "channel_id"]]);
        if channel.is_some() {
            let message = &[&["container", "message_ts"][..], &["message", "ts"], &["message_ts"]];
            let thread =
                &[&["container", "thread_ts"][..], &["message", "thread_ts"], &["original_message", "thread_ts"]];
            return Place { channel, thread: first(thread), message: first(message) };
        }
        let told = json::text(self.payload, &["view", "private_metadata"]).unwrap_or_default();
        let told: Value = serde_json::from_str(told).unwrap_or_default();
        let channel = json::id(&told, &["channel"]);
        let thread = channel.as_ref().and_then(|_| json::id(&told, &["thread_ts"]));
        let chosen =
            || json::list(self.payload, &["response_urls"]).first().and_then(|url| json::id(url, &["channel_id"]));
        Place { channel: channel.or_else(chosen), thread, message: None }
    }
}

struct Place {
    channel: Option<String>,
    thread: Option<String>,
    message: Option<String>,
}
