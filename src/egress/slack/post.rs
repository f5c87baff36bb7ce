//! From a message to what is posted: a text, or blocks with a text beside them.

use serde_json::{Map, Value, json};

use super::button;
use super::text::{address, chars, escape, link};
use crate::egress::styled::{Links, Styled};
use crate::egress::text::pack;
use crate::egress::value::shortened;
use crate::egress::{File, FileSource, Message, split};

/// The longest text of a post and of a block, in characters.
pub(super) const TEXT: usize = 3000;
/// The most blocks of a message, and the most elements of one that holds buttons.
const BLOCKS: usize = 50;
const ELEMENTS: usize = 25;
/// The most characters of a message's blocks as JSON. Slack publishes no number and refuses a little more than this.
const SIZE: usize = 12_000;
/// The longest description of an image, and the longest URL of one.
const ALT: usize = 2000;
const IMAGE_URL: usize = 3000;

/// The fields of a message.
type Fields = Map<String, Value>;

/// The markup of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Markup {
    None,
    Mrkdwn,
    Markdown,
}

/// What one request posts: the fields that say something.
#[derive(Debug, PartialEq)]
pub(super) struct Post {
    /// The fields.
    pub(super) fields: Fields,
    /// The same without what Slack may refuse: images that it cannot fetch, blocks that the reply brought.
    pub(super) plainer: Option<Fields>,
    /// Whether everybody in the channel may see it where a command is answered.
    pub(super) in_channel: bool,
}

/// A block, and what takes its place if Slack refuses the message.
struct Block {
    block: Value,
    plainer: Option<Value>,
    weight: usize,
}

impl Block {
    fn plain(block: Value) -> Self {
        Self { plainer: Some(block.clone()), weight: weight(&block), block }
    }
}

/// What is posted for a message.
pub(super) fn posts(message: Message) -> Vec<Post> {
    let in_channel = message.native.get("response_type").and_then(Value::as_str) == Some("in_channel");
    Draft::of(&message.without_cards()).finish(in_channel)
}

/// A message taken apart.
struct Draft {
    markup: Markup,
    text: String,
    /// The reply's own blocks.
    native: Vec<Value>,
    /// What stands below the text.
    below: Vec<Block>,
    /// What has no block and is told in words.
    words: Vec<String>,
    /// What a notification says where there is no text.
    summary: String,
}

impl Draft {
    fn of(message: &Message) -> Self {
        let (markup, text) = match message.format().as_deref() {
            Some("mrkdwn") => (Markup::Mrkdwn, message.text.clone()),
            Some("markdown") => (Markup::Markdown, message.text.clone()),
            // What marks it has in other markups is left out.
            _ => (Markup::None, Styled::of(message, Links::Spelled).text),
        };
        let native = message.native.get("blocks").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let native: Vec<_> = native.iter().filter(|block| block.is_object()).cloned().collect();
        let (mut words, mut below, mut links) = (Vec::new(), Vec::new(), Vec::new());
        for file in &message.files {
            match (image(file), told(file)) {
                (Some(image), _) => below.push(image),
                (None, Ok(link)) => links.push(link),
                (None, Err(line)) => words.push(line),
            }
        }
        below.extend(pack(links, BLOCKS, TEXT, |line| chars(line) + 1).iter().map(|lines| Block::plain(linked(lines))));
        let mut elements = Vec::new();
        for (place, button) in message.buttons.iter().enumerate() {
            match button::element(button, place) {
                Ok(element) => elements.push(element),
                Err(line) => words.push(line),
            }
        }
        let actions = |elements: Vec<Value>| Block::plain(json!({"type": "actions", "elements": elements}));
        below.extend(pack(elements, ELEMENTS, SIZE, weight).into_iter().map(actions));
        let named = message.files.iter().map(File::label).chain(message.buttons.iter().map(|button| &*button.title));
        let summary = named.collect::<Vec<_>>().join(", ");
        Self { markup, text, native, below, words, summary }
    }

    fn finish(mut self, in_channel: bool) -> Vec<Post> {
        let words = std::mem::take(&mut self.words).join("\n");
        let mut posts = Vec::new();
        let add = |posts: &mut Vec<Post>, (fields, plainer)| posts.push(Post { fields, plainer, in_channel });
        // Words are plain, and so they stand in the text only if that is plain as well.
        let apart = match self.markup == Markup::None && self.native.is_empty() {
            true => {
                self.text = [self.text.trim_end(), &words]
                    .into_iter()
                    .filter(|part| !part.is_empty())
                    .collect::<Vec<_>>()
                    .join("\n");
                String::new()
            }
            false => words,
        };
        if self.native.is_empty() {
            let mut pieces = self.markup.pieces(&self.text);
            let head = if self.below.is_empty() { None } else { pieces.pop() };
            pieces.iter().for_each(|piece| add(&mut posts, (self.markup.said(piece), None)));
            let shown = head.as_deref().map(|piece| Block::plain(self.markup.block(piece)));
            let beside = head.as_deref().map_or_else(|| escape(&self.summary), |head| self.markup.beside(head));
            let blocks = shown.into_iter().chain(self.below).collect();
            with_blocks(blocks, &beside).into_iter().for_each(|post| add(&mut posts, post));
        } else {
            let text = self.markup.pieces(&self.text).into_iter().next();
            let mut stead = text.as_deref().map(|piece| self.markup.block(piece));
            let native = self.native.into_iter().map(|block| Block { block, plainer: stead.take(), weight: 0 });
            let blocks = native.chain(self.below).collect();
            // Without a text Slack makes one of the blocks.
            let beside = text.map(|text| self.markup.beside(&text)).unwrap_or_default();
            with_blocks(blocks, &beside).into_iter().for_each(|post| add(&mut posts, post));
        }
        let told = Markup::None.pieces(&apart);
        told.iter().for_each(|piece| add(&mut posts, (Markup::None.said(piece), None)));
        posts
    }
}

impl Markup {
    /// A text in pieces that fit.
    fn pieces(self, text: &str) -> Vec<String> {
        let escaped = |text: &str| chars(&escape(text));
        match self {
            Self::None => split(text, TEXT, escaped),
            Self::Mrkdwn | Self::Markdown => split(text, TEXT, chars),
        }
    }

    /// The fields that say a text and nothing else.
    fn said(self, text: &str) -> Fields {
        let mut fields = Map::new();
        fields.insert("text".into(), self.beside(text).into());
        match self {
            Self::None => drop(fields.insert("mrkdwn".into(), false.into())),
            Self::Mrkdwn => {}
            Self::Markdown => drop(fields.insert("blocks".into(), json!([self.block(text)]))),
        }
        fields
    }

    /// A text beside blocks, for notifications and for readers of screens.
    fn beside(self, text: &str) -> String {
        match self {
            Self::None => escape(text),
            Self::Mrkdwn => text.to_owned(),
            // Another markup than this field's.
            Self::Markdown => escape(text),
        }
    }

    /// A text as a block. What is plain text there needs no escapes.
    fn block(self, text: &str) -> Value {
        match self {
            Self::None => json!({"type": "section", "text": {"type": "plain_text", "text": text}}),
            Self::Mrkdwn => json!({"type": "section", "text": {"type": "mrkdwn", "text": text}}),
            Self::Markdown => json!({"type": "markdown", "text": text}),
        }
    }
}

/// The fields of as many posts as blocks take, with this text beside them.
fn with_blocks(blocks: Vec<Block>, beside: &str) -> Vec<(Fields, Option<Fields>)> {
    let fields = |blocks: Vec<Value>| {
        let mut fields = Map::new();
        if !beside.is_empty() {
            fields.insert("text".into(), shortened(beside, TEXT, chars).into());
        }
        fields.insert("blocks".into(), blocks.into());
        fields
    };
    let post = |blocks: Vec<Block>| {
        let plainer: Vec<_> = blocks.iter().filter_map(|block| block.plainer.clone()).collect();
        let blocks: Vec<_> = blocks.into_iter().map(|block| block.block).collect();
        let differs = !plainer.is_empty() && plainer != blocks;
        (fields(blocks), differs.then(|| fields(plainer)))
    };
    pack(blocks, BLOCKS, SIZE, |block| block.weight).into_iter().map(post).collect()
}

/// An image that Slack fetches and shows; a link if it cannot.
fn image(file: &File) -> Option<Block> {
    let FileSource::Url(url) = &file.source else { return None };
    let is_image = file.media_type().is_some_and(|mime| mime.starts_with("image/"));
    let url = address(url).filter(|url| is_image && chars(url) <= IMAGE_URL)?;
    let line = told(file).ok()?;
    let mut block = Map::new();
    block.insert("type".into(), "image".into());
    block.insert("image_url".into(), url.into());
    block.insert("alt_text".into(), shortened(file.label(), ALT, chars).into());
    if let Some(name) = &file.name {
        block.insert("title".into(), json!({"type": "plain_text", "text": shortened(name, ALT, chars)}));
    }
    let block = Value::from(block);
    Some(Block { weight: weight(&block), block, plainer: Some(linked(&[line])) })
}

/// A file as a link, else in words.
fn told(file: &File) -> Result<String, String> {
    match &file.source {
        FileSource::Url(url) => {
            let link = link(url, &shortened(file.label(), ALT, chars)).filter(|link| chars(link) < TEXT);
            link.ok_or_else(|| file.in_words())
        }
        FileSource::Inline(_) => Err(file.in_words()),
    }
}

fn linked(lines: &[String]) -> Value {
    json!({"type": "section", "text": {"type": "mrkdwn", "text": lines.join("\n"), "verbatim": true}})
}

fn weight(value: &Value) -> usize {
    chars(&value.to_string())
}
