//! What a user said or did, in an update.

use serde_json::{Map, Value};

use super::super::envelope::{Attachment, Button, Entities, ProviderIds};
use super::super::json;
use super::{Address, files, marks};
use crate::egress::unpacked;

/// The kinds of updates that hold a message of a user.
const MESSAGES: &[&str] = &["message", "channel_post", "business_message"];

/// What a message may hold besides text and files, and a flow can use. It is told as `channel_data.{name}`.
const CONTENTS: &[&str] = &[
    "location",
    "venue",
    "contact",
    "poll",
    "dice",
    "checklist",
    "web_app_data",
    "users_shared",
    "chat_shared",
    "successful_payment",
];

/// A message or a pressed button.
pub(super) struct Turn<'a> {
    kind: &'static str,
    /// The message; of a button the one that it stands under, if Telegram tells it.
    message: Option<&'a Value>,
    /// The pressed button.
    query: Option<&'a Value>,
    /// Who wrote or pressed.
    pub(super) sender: Option<Sender<'a>>,
    chat: Option<String>,
    topic: Option<String>,
    business: Option<String>,
}

/// Who wrote: a user, or a chat in whose name somebody wrote.
pub(super) struct Sender<'a> {
    pub(super) id: String,
    pub(super) is_bot: bool,
    account: &'a Value,
}

impl<'a> Sender<'a> {
    fn of(account: &'a Value) -> Option<Self> {
        let id = json::integer(account, &["id"])?.to_string();
        Some(Self { id, is_bot: json::is_true(account, &["is_bot"]), account })
    }
}

impl<'a> Turn<'a> {
    /// The turn that an update stands for, or why it stands for none.
    pub(super) fn of(update: &'a Value) -> Result<Self, &'static str> {
        if let Some(query) = object(update, "callback_query") {
            let sender = json::at(query, &["from"]).and_then(Sender::of);
            let turn = Self::new("callback_query", object(query, "message"), Some(query), sender);
            return if turn.sender.is_some() { Ok(turn) } else { Err("a pressed button without a user") };
        }
        let found = MESSAGES.iter().find_map(|kind| object(update, kind).map(|message| (*kind, message)));
        let (kind, message) = match found {
            Some(found) => found,
            None if object(update, "edited_message").is_some() || object(update, "edited_channel_post").is_some() => {
                return Err("an edit is no new message");
            }
            None => return Err("no kind of update that concerns a flow"),
        };
        // An account that stands in for whoever writes in a chat's name looks like a bot's.
        let writer = json::at(message, &["sender_chat"]).or_else(|| json::at(message, &["from"]));
        let turn = Self::new(kind, Some(message), None, writer.and_then(Sender::of));
        turn.check(message).map(|()| turn)
    }

    fn new(
        kind: &'static str,
        message: Option<&'a Value>,
        query: Option<&'a Value>,
        sender: Option<Sender<'a>>,
    ) -> Self {
        let number = |path: &[&str]| message.and_then(|message| json::integer(message, path)).map(|n| n.to_string());
        let in_topic = message.is_some_and(|message| json::is_true(message, &["is_topic_message"]));
        let chat = number(&["chat", "id"]);
        Self {
            kind,
            message,
            query,
            sender,
            // Topics are counted per chat: without one, they are nowhere.
            topic: number(&["message_thread_id"]).filter(|_| in_topic && chat.is_some()),
            chat,
            business: message.and_then(|message| json::id(message, &["business_connection_id"])),
        }
    }

    fn check(&self, message: &Value) -> Result<(), &'static str> {
        if json::is_true(message, &["is_automatic_forward"]) {
            return Err("a channel's post that Telegram copied into its discussion group");
        }
        if self.kind == "business_message" {
            if self.chat.is_none() {
                return Err("a message to a business account that does not tell its chat");
            }
            // In a chat between two people the chat has the id of the customer.
            if self.sender.as_ref().map(|sender| &sender.id) != self.chat.as_ref() {
                return Err("a message of the business account itself");
            }
            if json::at(message, &["sender_business_bot"]).is_some() {
                return Err("a message that a bot sent for the business account");
            }
        }
        let said = ["text", "caption"].iter().any(|name| json::text(message, &[name]).is_some());
        let holds = CONTENTS.iter().any(|name| json::at(message, &[name]).is_some());
        if said || holds || !files::of(message).is_empty() {
            Ok(())
        } else {
            Err("the message holds nothing for a flow")
        }
    }

    pub(super) fn ids(&self, update_id: i64) -> ProviderIds {
        let user = self.sender.as_ref().map(|sender| sender.id.clone());
        let chat = self.place();
        let thread = match (&self.business, &self.topic) {
            (Some(connection), _) => Some(format!("business:{connection}:{chat}")),
            (None, Some(topic)) => Some(format!("{chat}:{topic}")),
            (None, None) => None,
        };
        let message = self.message.and_then(|message| json::integer(message, &["message_id"])).map(|id| id.to_string());
        let inline = self.query.and_then(|query| json::id(query, &["inline_message_id"]));
        ProviderIds {
            channel_id: self.chat.clone(),
            conversation_id: Some(chat).filter(|chat| !chat.is_empty()),
            thread_id: thread,
            user_id: user,
            message_id: message.or(inline),
            event_id: Some(update_id.to_string()),
            ..ProviderIds::default()
        }
    }

    /// The chat; where Telegram tells none, the one between the bot and the user, which has the user's id.
    fn place(&self) -> String {
        self.chat.as_ref().or(self.sender.as_ref().map(|sender| &sender.id)).cloned().unwrap_or_default()
    }

    pub(super) fn address(&self) -> Address {
        Address { chat: self.place(), topic: self.topic.clone(), business: self.business.clone() }
    }

    /// When the message was sent; Telegram does not say when a button was pressed.
    pub(super) fn sent(&self) -> Option<jiff::Timestamp> {
        let message = self.message.filter(|_| self.query.is_none())?;
        jiff::Timestamp::from_second(json::integer(message, &["date"])?).ok()
    }

    pub(super) fn locale(&self) -> Option<String> {
        json::id(self.sender.as_ref()?.account, &["language_code"])
    }

    /// What was written, or what the pressed button says.
    pub(super) fn text(&self) -> Option<String> {
        match self.query {
            Some(_) => self.buttons().into_iter().next().map(|button| button.title),
            None => self.written().map(|(text, _)| text.to_owned()).or_else(|| {
                // A button that opened a page; what the page gave back is the button's payload.
                json::text(self.message?, &["web_app_data", "button_text"]).map(str::to_owned)
            }),
        }
    }

    /// The text or the caption, and the name of the list of what Telegram recognised in it.
    fn written(&self) -> Option<(&'a str, &'static str)> {
        let message = self.message.filter(|_| self.query.is_none())?;
        let text = json::text(message, &["text"]).map(|text| (text, "entities"));
        text.or_else(|| json::text(message, &["caption"]).map(|text| (text, "caption_entities")))
    }

    pub(super) fn attachments(&self) -> Vec<Attachment> {
        self.message.filter(|_| self.query.is_none()).map(files::of).unwrap_or_default()
    }

    pub(super) fn entities(&self) -> Entities {
        let (Some(message), Some((text, list))) = (self.message, self.written()) else { return Entities::default() };
        marks::of(text, json::list(message, &[list]))
    }

    /// The pressed button: its data is what the bot gave it, and names it; the payload is the value that it carries.
    pub(super) fn buttons(&self) -> Vec<Button> {
        let pressed = |id: &str, title: &str| Button { id: id.into(), title: title.into(), payload: id.into() };
        if let Some(query) = self.query {
            let game = || json::text(query, &["game_short_name"]);
            let Some(data) = json::text(query, &["data"]).or_else(game) else { return Vec::new() };
            let button = pressed(data, self.title_of(data).unwrap_or(data));
            return vec![Button { payload: unpacked(data), ..button }];
        }
        let data = self.message.and_then(|message| object(message, "web_app_data"));
        let page = data.map(|data| {
            let title = json::text(data, &["button_text"]).unwrap_or_default();
            Button { payload: json::text(data, &["data"]).unwrap_or_default().into(), ..pressed(title, title) }
        });
        page.into_iter().collect()
    }

    /// What the button with this data says, if the message that it stands under came with its buttons.
    fn title_of(&self, data: &str) -> Option<&'a str> {
        let rows = json::list(self.message?, &["reply_markup", "inline_keyboard"]);
        let mut buttons = rows.iter().filter_map(Value::as_array).flatten();
        let found = buttons.find(|button| json::text(button, &["callback_data"]) == Some(data))?;
        json::text(found, &["text"])
    }

    pub(super) fn channel_data(&self) -> Value {
        let mut data = Map::new();
        data.insert("type".into(), self.kind.into());
        if let Some(message) = self.message {
            for (name, path) in [("chat_id", ["chat", "id"]), ("chat_type", ["chat", "type"])] {
                json::at(message, &path).and_then(|value| data.insert(name.into(), value.clone()));
            }
            json::copy(message, &["message_thread_id", "is_topic_message", "business_connection_id"], &mut data);
        }
        match (self.query, self.message) {
            (Some(query), _) => {
                json::at(query, &["id"]).and_then(|id| data.insert("callback_query_id".into(), id.clone()));
                json::copy(query, &["inline_message_id", "chat_instance", "game_short_name"], &mut data);
            }
            (None, Some(message)) => {
                json::copy(message, &["media_group_id"], &mut data);
                json::copy(message, CONTENTS, &mut data);
                let replied = json::at(message, &["reply_to_message", "message_id"]);
                replied.and_then(|id| data.insert("reply_to_message_id".into(), id.clone()));
            }
            (None, None) => {}
        }
        Value::Object(data)
    }
}

fn object<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    json::at(value, &[name]).filter(|value| value.is_object())
}
