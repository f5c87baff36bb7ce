//! How a tenant's replies are sent, by its binding's settings.

use std::sync::Arc;

use super::super::adapter::Settings;
use super::super::gate;
use super::ACCESS_TOKEN;
use crate::egress::Sender;
use crate::egress::whatsapp::{API_VERSION, BASE_URL, Notice, WhatsappSender};
use crate::error::{Code, Error, Result};

/// The longest name of the button that opens a list.
const MOST_LABEL: usize = 20;

/// How replies are sent from these numbers; none without a token.
pub(super) fn sender(settings: &Settings<'_>, numbers: &[String]) -> Result<Option<Arc<dyn Sender>>> {
    let flag = |name| gate::flag(settings.config, name).map(Option::unwrap_or_default);
    let notice = match (flag("typing")?, flag("mark_read")?) {
        (true, _) => Notice::Typing,
        (false, true) => Notice::Read,
        (false, false) => Notice::None,
    };
    let invalid = |what: &str| Error::new(Code::ChannelInvalid, format!("config.{what}"));
    let text = |name| gate::texts(settings.config, name).map(|texts| texts.into_iter().next());
    let base_url = gate::base_url(settings.config, BASE_URL)?;
    let api_version = text("api_version")?.unwrap_or_else(|| API_VERSION.to_owned());
    if !is_version(&api_version) {
        return Err(invalid("api_version of the binding must be a version of the Graph API, as v25.0"));
    }
    let list_button = text("list_button")?.unwrap_or_else(|| "☰".to_owned());
    if list_button.encode_utf16().count() > MOST_LABEL {
        return Err(invalid("list_button of the binding must have at most 20 characters"));
    }
    let number = match numbers {
        [number] => Some(number.clone()),
        _ => None,
    };
    let token = settings.secrets.get(ACCESS_TOKEN).into_iter().find(|token| !token.expose().is_empty());
    let sender = |token| WhatsappSender { base_url, api_version, token, number, notice, list_button };
    Ok(token.map(|token| Arc::new(sender(token)) as Arc<dyn Sender>))
}

fn is_version(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts = text.strip_prefix('v').and_then(|version| version.split_once('.'));
    parts.is_some_and(|(major, minor)| digits(major) && digits(minor))
}
