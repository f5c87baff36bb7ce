//! Texts in Slack's markup: `<@U1>`, `<#C1|name>`, `<!here>`, `<https://…|label>`, and `&`, `<` and `>` escaped.

use super::super::envelope::{Entities, MOST, Mention};

/// A text as its reader sees it, and what it names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// The text; none if nothing is left.
    pub(super) text: Option<String>,
    /// Whom it mentions and where it leads, each at most [`MOST`].
    pub(super) entities: Entities,
}

/// Reads a text. Mentions of the app itself (`own`) that it begins with call the app and say nothing else, so they are
/// left out of the text, and only there.
pub(super) fn read(source: &str, own: &[String]) -> Shown {
    let (mut text, mut entities) = (String::with_capacity(source.len()), Entities::default());
    let mut rest = source;
    while let Some((before, mark, after)) = next_mark(rest) {
        unescape(before, &mut text);
        rest = after;
        let called = mark.strip_prefix('@').is_some_and(|who| own.iter().any(|own| own == id_of(who)));
        let word = word_for(mark, &mut entities);
        match called && text.trim().is_empty() {
            true => {
                text.clear();
                rest = rest.trim_start_matches([',', ':']).trim_start();
            }
            false => text.push_str(&word),
        }
    }
    unescape(rest, &mut text);
    entities.mentions.truncate(MOST);
    entities.urls.truncate(MOST);
    Shown { text: Some(text).filter(|text| !text.is_empty()), entities }
}

/// What stands before the next `<…>`, what is in it, and what follows. A `<` of the user's own is escaped.
fn next_mark(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('<')?;
    let (mark, after) = rest.split_once('>')?;
    Some((before, mark, after))
}

fn id_of(mark: &str) -> &str {
    mark.split_once('|').map_or(mark, |(id, _)| id)
}

/// What a reader sees in a mark's place. Notes what it names.
fn word_for(mark: &str, entities: &mut Entities) -> String {
    let (target, label) = match mark.split_once('|') {
        Some((target, label)) => (target, Some(unescaped(label)).filter(|label| !label.is_empty())),
        None => (mark, None),
    };
    let mut mention = |id: &str, name: Option<String>| {
        if !id.is_empty() && entities.mentions.len() < MOST {
            entities.mentions.push(Mention { id: unescaped(id), name });
        }
    };
    if let Some(user) = target.strip_prefix('@') {
        mention(user, label.clone());
        return format!("@{}", label.unwrap_or_else(|| unescaped(user)));
    }
    if let Some(channel) = target.strip_prefix('#') {
        return format!("#{}", label.unwrap_or_else(|| unescaped(channel)));
    }
    if let Some(special) = target.strip_prefix('!') {
        if let Some(group) = special.strip_prefix("subteam^") {
            mention(group, label.clone());
            return label.unwrap_or_else(|| format!("@{}", unescaped(group)));
        }
        return match special.contains('^') {
            // A date, with its text for those who cannot show dates.
            true => label.unwrap_or_default(),
            false => format!("@{}", unescaped(special)),
        };
    }
    let url = unescaped(target);
    let shown = label.unwrap_or_else(|| url.strip_prefix("mailto:").unwrap_or(&url).to_owned());
    if (url.starts_with("https://") || url.starts_with("http://")) && entities.urls.len() < MOST {
        entities.urls.push(url);
    }
    shown
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    unescape(text, &mut out);
    out
}

/// In one pass, so that `&amp;lt;` becomes `&lt;`.
fn unescape(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let known = [("amp;", '&'), ("lt;", '<'), ("gt;", '>')];
        let found = known.iter().find_map(|(name, plain)| Some((*plain, after.strip_prefix(name)?)));
        let (plain, next) = found.unwrap_or(('&', after));
        out.push(plain);
        rest = next;
    }
    out.push_str(rest);
}

/// The time that a `ts` tells: seconds, a point, up to six digits.
pub(super) fn time(ts: &str) -> Option<jiff::Timestamp> {
    let (seconds, fraction) = ts.split_once('.').unwrap_or((ts, ""));
    let digits = |text: &str, most| text.len() <= most && text.bytes().all(|b| b.is_ascii_digit());
    if seconds.is_empty() || !digits(seconds, 11) || !digits(fraction, 6) {
        return None;
    }
    let micros: i32 = format!("{fraction:0<6}").parse().ok()?;
    jiff::Timestamp::new(seconds.parse().ok()?, micros.checked_mul(1000)?).ok()
}
