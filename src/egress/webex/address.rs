//! Where replies go.

/// A place in Webex that messages are sent to.
///
/// As text it is a JSON array of two strings, the second empty outside of threads: `["Y2lz…","Y2lz…"]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// The room: `roomId`.
    pub room: String,
    /// The message that began the thread: `parentId`.
    pub parent: Option<String>,
}

impl Address {
    /// The address as text.
    pub fn to_text(&self) -> String {
        serde_json::json!([self.room, self.parent.as_deref().unwrap_or_default()]).to_string()
    }

    /// Reads what [`Address::to_text`] made.
    pub fn parse(text: &str) -> Option<Self> {
        let [room, parent]: [String; 2] = serde_json::from_str(text).ok()?;
        (!room.is_empty()).then(|| Self { room, parent: Some(parent).filter(|parent| !parent.is_empty()) })
    }
}
