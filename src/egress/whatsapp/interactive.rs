//! Buttons: up to three as such, more as lists, one that opens a page as a link, and all as lines where there are none.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::super::message::{Action, Button};
use super::super::sender::Call;
use super::super::text::split;
use super::super::value::{packed, shortened};
use super::markup::units;
use super::place::Place;
use super::reply::MOST_TEXT;

/// The longest text above buttons.
pub(super) const MOST_BODY: usize = 1024;
/// The most reply buttons, the longest that one says, and the longest value.
const BUTTONS: (usize, usize, usize) = (3, 20, 256);
/// The most rows of a list, the longest that one says, and the longest value.
const ROWS: (usize, usize, usize) = (10, 24, 200);
/// The longest description of a row.
const MOST_DESCRIPTION: usize = 72;

/// A message's buttons.
#[derive(Default)]
pub(super) struct Buttons {
    /// What gives something back: what it says, and its value.
    replies: Vec<(String, Option<String>)>,
    /// The only button, if it opens a page.
    link: Option<(String, String)>,
    /// Further lines of the text.
    pub(super) lines: Vec<String>,
}

impl Buttons {
    pub(super) fn of(place: &Place<'_>, buttons: &[Button]) -> Self {
        let mut found = Self::default();
        for Button { title, action } in buttons {
            let title = Some(title.trim()).filter(|title| !title.is_empty()).unwrap_or("…").to_owned();
            match action {
                Action::Open(url) if !place.is_group && buttons.len() == 1 && is_link(&title, url) => {
                    found.link = Some((title, url.clone()));
                }
                Action::Open(url) => found.lines.push(format!("{title}: {url}")),
                _ if place.is_group => found.lines.push(format!("• {title}")),
                action => found.replies.push((title, packed(action))),
            }
        }
        found
    }

    /// Whether there is something to press.
    pub(super) fn any(&self) -> bool {
        self.link.is_some() || !self.replies.is_empty()
    }

    /// The messages with the buttons, below a text of at most [`MOST_BODY`].
    pub(super) fn calls(&self, place: &Place<'_>, body: &str) -> Vec<Call> {
        let body = if body.is_empty() { "…" } else { body };
        if let Some((title, url)) = &self.link {
            let parameters = json!({"display_text": title, "url": url});
            let content = json!({"type": "cta_url", "body": {"text": body},
                "action": {"name": "cta_url", "parameters": parameters}});
            return vec![interactive(place, content, body, &[format!("{title}: {url}")])];
        }
        let (most, longest, value) = BUTTONS;
        let chunks = chunks(&self.replies, most, value);
        if let ([chunk], true) = (chunks.as_slice(), self.replies.iter().all(|(title, _)| units(title) <= longest)) {
            let button = |(id, title): &(String, String)| json!({"type": "reply", "reply": {"id": id, "title": title}});
            let buttons: Vec<Value> = chunk.iter().map(button).collect();
            let content = json!({"type": "button", "body": {"text": body}, "action": {"buttons": buttons}});
            return vec![interactive(place, content, body, &lines(chunk))];
        }
        let lists = lists(&self.replies).into_iter().enumerate();
        lists.map(|(number, rows)| list(place, if number == 0 { body } else { "…" }, &rows)).collect()
    }
}

/// A button's id and what it says.
type Reply = (String, String);

fn lists(replies: &[(String, Option<String>)]) -> Vec<Vec<Reply>> {
    let (most, _, value) = ROWS;
    chunks(replies, most, value)
}

/// Buttons in as many messages as it takes: in each at most `most`, of different titles and different values. A value that
/// is longer than WhatsApp takes is replaced by what the button says.
fn chunks(replies: &[(String, Option<String>)], most: usize, longest: usize) -> Vec<Vec<Reply>> {
    let mut chunks: Vec<Vec<Reply>> = Vec::new();
    let mut seen: HashSet<String> = HashSet::new();
    for (title, value) in replies {
        let value = value.clone().filter(|value| units(value) <= longest);
        let id = value.unwrap_or_else(|| shortened(title, longest, units));
        let (of_title, of_id) = (format!("t{}", shown(title)), format!("i{id}"));
        let fits = |chunk: &&mut Vec<Reply>| chunk.len() < most && !seen.contains(&of_title) && !seen.contains(&of_id);
        match chunks.last_mut().filter(fits) {
            Some(chunk) => chunk.push((id, title.clone())),
            None => {
                seen.clear();
                chunks.push(vec![(id, title.clone())]);
            }
        }
        seen.extend([of_title, of_id]);
    }
    chunks
}

/// What a row says of a title.
fn shown(title: &str) -> String {
    let (_, longest, _) = ROWS;
    shortened(title, longest, units)
}

fn list(place: &Place<'_>, body: &str, rows: &[Reply]) -> Call {
    let row = |(id, title): &Reply| match shown(title) {
        short if short == *title => json!({"id": id, "title": title}),
        short => json!({"id": id, "title": short, "description": shortened(title, MOST_DESCRIPTION, units)}),
    };
    let sections = json!([{ "rows": rows.iter().map(row).collect::<Vec<_>>() }]);
    let action = json!({"button": place.sender.list_button, "sections": sections});
    let content = json!({"type": "list", "body": {"text": body}, "action": action});
    interactive(place, content, body, &lines(rows))
}

fn lines(replies: &[Reply]) -> Vec<String> {
    replies.iter().map(|(_, title)| format!("• {title}")).collect()
}

/// An interactive message; a text with lines instead where WhatsApp refuses it.
fn interactive(place: &Place<'_>, content: Value, body: &str, lines: &[String]) -> Call {
    let told = [&[body.to_owned()], lines].concat().join("\n");
    let told = split(&told, MOST_TEXT, units).into_iter().next().unwrap_or_default();
    place.message("interactive", content).or(place.text(&told))
}

fn is_link(title: &str, url: &str) -> bool {
    let (_, longest, _) = BUTTONS;
    let is_page = url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    is_page && units(title) <= longest && url.len() <= 2000
}
