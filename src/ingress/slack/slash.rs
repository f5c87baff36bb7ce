//! Slash commands: `POST /slack/commands`.

use serde_json::Value;

use super::super::adapter::Answer;
use super::super::envelope::ProviderIds;
use super::super::json;
use super::draft::{self, Draft};
use super::{Read, form, text};
use crate::egress::slack::response_url;
use crate::error::Result;

/// Reads a command. The text is what follows its name.
pub(super) fn read(body: &[u8]) -> Result<(Value, Read)> {
    let fields = Value::Object(form::fields(body)?);
    let id = |name: &str| json::id(&fields, &[name]);
    if json::text(&fields, &["command"]).is_none() {
        return Ok((fields, Read::Ignored("the request is no command")));
    }
    let (team, trigger) = (id("team_id").or_else(|| id("enterprise_id")), id("trigger_id"));
    let mut draft = Draft::new(ProviderIds {
        workspace_id: team.clone(),
        channel_id: id("channel_id"),
        user_id: id("user_id"),
        event_id: trigger.clone(),
        ..ProviderIds::default()
    });
    let app = id("api_app_id");
    let unique = |trigger: &str| draft::key("command", [app.as_deref(), team.as_deref(), Some(trigger)]);
    draft.dedupe = trigger.as_deref().map(unique).into_iter().collect();
    draft.enterprise = id("enterprise_id");
    draft.shown = text::read(json::text(&fields, &["text"]).unwrap_or_default(), &[]);
    draft.response_url = json::text(&fields, &["response_url"]).and_then(response_url);
    draft.channel_data = draft::channel_data("slash_command", &fields, &["command", "trigger_id", "api_app_id"]);
    if let Some(url) = &draft.response_url {
        draft.channel_data.insert("response_url".into(), url.as_str().into());
    }
    let read = draft.waits(Answer::empty(200)).read();
    Ok((fields, read))
}
