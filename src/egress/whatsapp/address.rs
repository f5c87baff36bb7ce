//! Where replies go.

/// A place in WhatsApp that messages are sent to.
///
/// As text it is a JSON array of four strings, empty where there is none: `["1122","972987654321","US.1349",""]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// The tenant's own number, which messages are sent from.
    pub phone_number_id: String,
    /// The user's number: `to`. It goes first where there is also a `recipient`.
    pub to: Option<String>,
    /// The user's id, for users who hide their number: `recipient`.
    pub recipient: Option<String>,
    /// The group, where the message came from one: then it goes there, as `to` with `recipient_type: group`.
    pub group: Option<String>,
}

impl Address {
    /// The address as text.
    pub fn to_text(&self) -> String {
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        serde_json::json!([self.phone_number_id, part(&self.to), part(&self.recipient), part(&self.group)]).to_string()
    }

    /// Reads what [`Address::to_text`] made.
    pub fn parse(text: &str) -> Option<Self> {
        let [phone_number_id, to, recipient, group]: [String; 4] = serde_json::from_str(text).ok()?;
        let some = |part: String| Some(part).filter(|part| !part.is_empty());
        let address = Self { phone_number_id, to: some(to), recipient: some(recipient), group: some(group) };
        (address.to.is_some() || address.recipient.is_some() || address.group.is_some()).then_some(address)
    }
}
