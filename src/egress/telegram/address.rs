//! Where replies go.

/// A place in Telegram that messages are sent to.
///
/// As text it is a JSON array of three strings, empty where there is none: `["-100123","42",""]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// The chat: `chat_id`.
    pub chat: String,
    /// The forum topic: `message_thread_id`.
    pub topic: Option<String>,
    /// The business account that the bot writes for: `business_connection_id`.
    pub business: Option<String>,
}

impl Address {
    /// The address as text.
    pub fn to_text(&self) -> String {
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        serde_json::json!([self.chat, part(&self.topic), part(&self.business)]).to_string()
    }

    /// Reads what [`Address::to_text`] made.
    pub fn parse(text: &str) -> Option<Self> {
        let [chat, topic, business]: [String; 3] = serde_json::from_str(text).ok()?;
        let some = |part: String| Some(part).filter(|part| !part.is_empty());
        (!chat.is_empty()).then(|| Self { chat, topic: some(topic), business: some(business) })
    }
}
