//! Where replies go.

/// Hosts that Slack lets apps answer at.
const RESPONSE_HOSTS: &[&str] = &["https://hooks.slack.com/", "https://hooks.slack-gov.com/"];

/// A place in Slack that messages are sent to.
///
/// As text it is a JSON array of strings, empty where there is none: `["T1","C1","1731315600.000100",""]`, with the user
/// as a fifth where a command is answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// The workspace, which may decide on the token; the organisation where an app is installed there.
    pub team: Option<String>,
    /// The channel; a user's id stands for the direct messages with that user.
    pub channel: String,
    /// The root of the thread: `thread_ts`.
    pub thread: Option<String>,
    /// Where a slash command is answered, also in channels that the app is no member of: 5 times within 30 minutes.
    pub response_url: Option<String>,
    /// Who gave the command, and alone sees its answer.
    pub user: Option<String>,
}

impl Address {
    /// The address as text.
    pub fn to_text(&self) -> String {
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        let mut parts = vec![part(&self.team), self.channel.clone(), part(&self.thread), part(&self.response_url)];
        parts.extend(self.user.clone());
        serde_json::json!(parts).to_string()
    }

    /// Reads what [`Address::to_text`] made.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts: Vec<String> = serde_json::from_str(text).ok()?;
        let user = if parts.len() == 5 { parts.pop() } else { None };
        let [team, channel, thread, url]: [String; 4] = parts.try_into().ok()?;
        let some = |part: String| Some(part).filter(|part| !part.is_empty());
        let response_url = some(url).map(|url| response_url(&url)).map_or(Some(None), |url| url.map(Some))?;
        let user = user.and_then(some);
        (!channel.is_empty()).then(|| Self { team: some(team), channel, thread: some(thread), response_url, user })
    }
}

/// The URL to call for one of Slack's, where another server stands in for Slack's: what follows the host is kept.
pub(super) fn moved(url: &str, base: &str) -> Option<String> {
    let path = RESPONSE_HOSTS.iter().find_map(|host| url.strip_prefix(host))?;
    Some(format!("{base}/{path}"))
}

/// A URL to answer at, if it is Slack's own: a request that names another one must not make the host call it.
pub(crate) fn response_url(url: &str) -> Option<String> {
    let is_slacks = RESPONSE_HOSTS.iter().any(|host| url.starts_with(host));
    let is_plain = url.len() <= 512 && url.bytes().all(|b| b.is_ascii_graphic());
    (is_slacks && is_plain).then(|| url.to_owned())
}
