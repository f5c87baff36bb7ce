//! Where replies go.

/// A place in Teams that messages are sent to, with `POST {service_url}v3/conversations/{conversation}/activities`.
///
/// As text it is a JSON array of four strings, the third empty except where a thread is none by its conversation's id:
/// `["https://smba.trafficmanager.net/emea/…/","19:…@thread.tacv2;messageid=1","","28:…"]`. It has no other message's id
/// in it, so that all of a conversation's messages have one address, and their replies one order.
///
/// The service URL is the one that the connector's token named. Where requests are not verified (`insecure: true`) it is
/// what the sender said, and nobody's token may go there: such a channel has no App ID, and so there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// The connector's service, `serviceUrl`; empty if the activity did not name one, and then nothing can be sent.
    pub service_url: String,
    /// The conversation: `conversation.id`.
    pub conversation: String,
    /// The message that is replied to, where the session is that of `replyToId`.
    pub activity: Option<String>,
    /// The bot's account in the channel: `recipient.id`.
    pub bot: Option<String>,
}

impl Address {
    /// The address as text.
    pub fn to_text(&self) -> String {
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        serde_json::json!([self.service_url, self.conversation, part(&self.activity), part(&self.bot)]).to_string()
    }

    /// Reads what [`Address::to_text`] made.
    pub fn parse(text: &str) -> Option<Self> {
        let [service_url, conversation, activity, bot]: [String; 4] = serde_json::from_str(text).ok()?;
        let some = |part: String| Some(part).filter(|part| !part.is_empty());
        (!conversation.is_empty()).then(|| Self { service_url, conversation, activity: some(activity), bot: some(bot) })
    }
}
