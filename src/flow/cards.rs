//! Cards and translations: what a payload names in the pack's assets is put into the payload itself, because the
//! components that show cards cannot read the pack.
//!
//! `card_source: asset` with `card_spec.asset_path` becomes `card_source: inline` with `card_spec.inline_json`;
//! `card_spec.i18n_bundle_path`, or the pack's `assets/i18n` where texts say `{{i18n:key}}`, becomes
//! `card_spec.i18n_inline`, a map of locales to texts; `locale` is what the event says. What the payload says itself
//! stays. A file is parsed once, the first time that it is named: at load, unless a template makes the path. Whether
//! texts say `{{i18n:key}}` is asked of the flow as written, never of an event: what users write adds nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::error::{Code, Error, Result};
use crate::id;

/// The largest file that is put into a payload, in bytes; also the largest sum of a bundle's files.
pub const MAX_BYTES: usize = 2 << 20;

/// Bytes of a locale; tags with every part that BCP 47 knows are shorter.
const MAX_LOCALE: usize = 64;

/// Where texts lie if a card does not say it.
const DEFAULT_BUNDLE: &str = "assets/i18n";

/// How a text names a translation.
const I18N: &str = "{{i18n:";

/// The assets of a pack as cards and texts. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Cards(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    files: BTreeMap<String, File>,
    /// By directory.
    bundles: BTreeMap<String, Parsed>,
}

#[derive(Debug)]
struct File {
    bytes: Bytes,
    value: Parsed,
}

/// A value that is made when it is first asked for; none if it cannot be made.
type Parsed = OnceLock<Option<Arc<Value>>>;

/// Why an asset cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// The path leads out of the pack.
    Escapes,
    /// There is no such asset.
    Missing,
    /// It is no JSON, or too large.
    NotJson,
}

/// Which parts of a component's payload get the texts of the pack's `assets/i18n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Texts {
    payload: Wanted,
    /// The payload of a call inside the payload.
    call: Wanted,
}

/// Whether a part of a payload gets texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// No text can be in it.
    Never,
    /// Templates make it: if that is a card, it may have texts.
    InCards,
    /// Its author wrote a text.
    Always,
}

impl Texts {
    /// What a payload asks for as its author wrote it, in a flow with these parameters.
    pub(crate) fn of(payload: &Value, parameters: &Value) -> Self {
        let call = payload.pointer("/call/payload").or_else(|| payload.get("call"));
        Self { payload: Wanted::of(payload, parameters), call: Wanted::of(call.unwrap_or(payload), parameters) }
    }
}

impl Wanted {
    fn of(part: &Value, parameters: &Value) -> Self {
        if says(part, I18N) || (says(part, "parameters") && says(parameters, I18N)) {
            Self::Always
        } else if says(part, "{{") {
            Self::InCards
        } else {
            Self::Never
        }
    }
}

/// The parts of a payload that may be about a card: itself, and the payload of a call inside it.
pub(crate) fn parts(payload: &Value) -> impl Iterator<Item = &Map<String, Value>> {
    [Some(payload), payload.pointer("/call/payload")].into_iter().flatten().filter_map(Value::as_object)
}

impl Cards {
    /// The cards and texts among `assets`, which are files by their paths in the pack.
    pub fn new(assets: impl IntoIterator<Item = (String, Bytes)>) -> Self {
        let files: BTreeMap<String, File> =
            assets.into_iter().map(|(path, bytes)| (path, File { bytes, value: OnceLock::new() })).collect();
        let directories = files.keys().filter(|path| path.ends_with(".json")).filter_map(|path| path.rsplit_once('/'));
        let bundles = directories.map(|(directory, _)| (directory.to_owned(), OnceLock::new())).collect();
        Self(Arc::new(Inner { files, bundles }))
    }

    /// The assets that a part of a payload names without templates, and whether they can be used.
    pub(crate) fn named(&self, part: &Map<String, Value>) -> Vec<(String, Result<(), Problem>)> {
        let fixed = |path: &&str| !path.contains("{{");
        let card = asset_path(part).filter(fixed).map(|path| (path.to_owned(), self.card(path).map(drop)));
        let bundle = bundle_path(part).filter(fixed).map(|path| (path.to_owned(), self.bundle(path).map(drop)));
        card.into_iter().chain(bundle).collect()
    }

    /// Puts into `payload` what it names, and texts where `texts` says so. `events` are the events that may say the
    /// locale, the first that does wins.
    ///
    /// # Errors
    ///
    /// `RenderFailed` if a path leads out of the pack. What is missing stays as it is named.
    pub fn fill(&self, payload: &mut Value, texts: Texts, events: &[&Value]) -> Result<()> {
        if let Some(call) = payload.pointer_mut("/call/payload").and_then(Value::as_object_mut) {
            self.fill_part(call, texts.call, events)?;
        }
        payload.as_object_mut().map_or(Ok(()), |part| self.fill_part(part, texts.payload, events))
    }

    fn fill_part(&self, part: &mut Map<String, Value>, wanted: Wanted, events: &[&Value]) -> Result<()> {
        let is_card = part.contains_key("card_source") || part.contains_key("card_spec");
        let has_texts = wanted == Wanted::Always && self.0.bundles.contains_key(DEFAULT_BUNDLE);
        if !is_card && !has_texts {
            return Ok(());
        }
        let from_asset = asset_path(part).map(str::to_owned);
        if let Some(path) = &from_asset {
            match self.card(path) {
                Ok(card) => inline(part, &card),
                Err(problem) => tell(path, problem)?,
            }
        }
        let configured = bundle_path(part).map(str::to_owned);
        if configured.is_some() || from_asset.is_some() || wanted != Wanted::Never {
            match self.bundle(configured.as_deref().unwrap_or(DEFAULT_BUNDLE)) {
                Ok(bundle) => add_texts(part, &bundle),
                Err(problem) => tell(configured.as_deref().unwrap_or(DEFAULT_BUNDLE), problem)?,
            }
        }
        if part.get("locale").is_none_or(Value::is_null)
            && let Some(locale) = locale(events)
        {
            part.insert("locale".to_owned(), locale.into());
        }
        Ok(())
    }

    /// The pack's text for `key` in the language that the first of `events` says which says one, else in English, else
    /// in any that has it.
    pub(crate) fn text(&self, key: &str, events: &[&Value]) -> Option<String> {
        let bundle = self.bundle(DEFAULT_BUNDLE).ok()?;
        let locales = bundle.as_object()?;
        let asked = locale(events).unwrap_or("en");
        let language = asked.split(['-', '_']).next().unwrap_or(asked);
        let preferred = [asked, language, "en"].into_iter().filter_map(|locale| locales.get(locale));
        preferred.chain(locales.values()).find_map(|texts| texts.get(key)?.as_str()).map(str::to_owned)
    }

    fn card(&self, path: &str) -> Result<Arc<Value>, Problem> {
        let file = names(path)?.into_iter().find_map(|name| self.0.files.get(&name)).ok_or(Problem::Missing)?;
        file.value().ok_or(Problem::NotJson)
    }

    /// The texts by locale in a directory, or in one file.
    fn bundle(&self, path: &str) -> Result<Arc<Value>, Problem> {
        if path.ends_with(".json") {
            let texts = self.card(path)?;
            let stem = path.rsplit('/').next().and_then(|name| name.strip_suffix(".json")).unwrap_or_default();
            let locale = if is_locale(stem) { stem } else { "en" };
            return Ok(Arc::new(Value::Object(Map::from_iter([(locale.to_owned(), (*texts).clone())]))));
        }
        let directory = names(path)?.into_iter().find_map(|name| self.0.bundles.get_key_value(&name));
        let (directory, bundle) = directory.ok_or(Problem::Missing)?;
        bundle.get_or_init(|| self.gather(directory)).clone().ok_or(Problem::NotJson)
    }

    /// Every `<locale>.json` of a directory.
    fn gather(&self, directory: &str) -> Option<Arc<Value>> {
        let (mut texts, mut bytes) = (Map::new(), 0);
        for (path, file) in self.0.files.range(format!("{directory}/")..) {
            let Some(name) = path.strip_prefix(directory).and_then(|rest| rest.strip_prefix('/')) else { break };
            let Some(locale) = name.strip_suffix(".json").filter(|name| !name.starts_with('_') && !name.contains('/'))
            else {
                continue;
            };
            bytes += file.bytes.len();
            if bytes > MAX_BYTES {
                return None;
            }
            if let Some(entries) = file.value().filter(|value| value.is_object()) {
                texts.insert(locale.to_owned(), (*entries).clone());
            }
        }
        (!texts.is_empty()).then(|| Arc::new(Value::Object(texts)))
    }
}

impl File {
    fn value(&self) -> Option<Arc<Value>> {
        let parse = || serde_json::from_slice(&self.bytes).ok().map(Arc::new);
        self.value.get_or_init(|| (self.bytes.len() <= MAX_BYTES).then(parse).flatten()).clone()
    }
}

/// The names in the pack that `path` may mean: as it stands, and below `assets`.
fn names(path: &str) -> Result<Vec<String>, Problem> {
    let path = path.trim().trim_end_matches('/');
    let path = path.strip_prefix("./").unwrap_or(path);
    let path = if path.starts_with("/assets/") { path.trim_start_matches('/') } else { path };
    let escapes = path.starts_with('/') || path.contains(['\\', '\0', ':']) || path.split('/').any(|part| part == "..");
    if escapes { Err(Problem::Escapes) } else { Ok(vec![path.to_owned(), format!("assets/{path}")]) }
}

/// The path of the card that a part of a payload names.
fn asset_path(part: &Map<String, Value>) -> Option<&str> {
    let from_asset = part.get("card_source")?.as_str()?.eq_ignore_ascii_case("asset");
    part.get("card_spec")?.get("asset_path")?.as_str().filter(|path| from_asset && !path.is_empty())
}

/// The path of the texts that a part of a payload names.
fn bundle_path(part: &Map<String, Value>) -> Option<&str> {
    part.get("card_spec")?.get("i18n_bundle_path")?.as_str().filter(|path| !path.trim().is_empty())
}

fn inline(part: &mut Map<String, Value>, card: &Value) {
    part.insert("card_source".to_owned(), "inline".into());
    if let Some(spec) = part.get_mut("card_spec").and_then(Value::as_object_mut) {
        spec.shift_remove("asset_path");
        spec.insert("inline_json".to_owned(), card.clone());
    }
}

fn add_texts(part: &mut Map<String, Value>, texts: &Value) {
    let spec = part.entry("card_spec").or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(spec) = spec
        && spec.get("i18n_inline").is_none_or(Value::is_null)
    {
        spec.insert("i18n_inline".to_owned(), texts.clone());
    }
}

/// Whether a text in `value` has `mark` in it.
fn says(value: &Value, mark: &str) -> bool {
    match value {
        Value::String(text) => text.contains(mark),
        Value::Array(items) => items.iter().any(|item| says(item, mark)),
        Value::Object(fields) => fields.values().any(|field| says(field, mark)),
        _ => false,
    }
}

/// The locale that the first of `events` says that says any.
pub fn locale<'a>(events: &[&'a Value]) -> Option<&'a str> {
    const PATHS: [&str; 4] = ["/input/metadata/locale", "/metadata/locale", "/input/locale", "/locale"];
    let said = |event: &&'a Value| PATHS.iter().find_map(|path| event.pointer(path)?.as_str());
    events.iter().filter_map(said).find(|locale| (1..=MAX_LOCALE).contains(&locale.len()))
}

/// Whether a name looks like `de`, `pt-BR` or `zh_Hans`.
fn is_locale(name: &str) -> bool {
    let mut parts = name.split(['-', '_']);
    let language = parts.next().unwrap_or_default();
    let is_word = |part: &str| (2..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric());
    matches!(language.len(), 2 | 3) && language.bytes().all(|b| b.is_ascii_lowercase()) && parts.all(is_word)
}

fn tell(path: &str, problem: Problem) -> Result<()> {
    let path = id::clip(path);
    if problem == Problem::Escapes {
        return Err(Error::new(Code::RenderFailed, format!("the asset path {path:?} leads out of the pack"))
            .hint("name the asset by its path in the pack, such as `assets/cards/hello.json`"));
    }
    tracing::debug!(path, ?problem, "an asset is left to the component");
    Ok(())
}

#[cfg(test)]
mod tests;
