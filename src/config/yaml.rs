//! YAML as a tree that knows where each key and value stands, and serde's view of it.
//!
//! Types are read from a [`Cursor`]. A key that a struct does not have, and a value that a struct cannot take, are
//! findings with their place; unknown keys are collected while reading goes on, so that one reading tells them all.

use std::cell::RefCell;

use serde::Deserialize;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde_saphyr::Spanned;

use crate::error::{Code, Error, Location};
use crate::id::clip;

/// Line and column, from 1 on.
pub(super) type Place = (u32, u32);

/// A value and its place.
#[derive(Debug)]
pub(super) struct Node {
    place: Place,
    value: Value,
}

#[derive(Debug)]
enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Debug)]
struct Entry {
    key: String,
    key_place: Place,
    value: Node,
}

/// Reads the one document of `text`; `file` names it in the error.
pub(super) fn parse(text: &str, file: &str) -> Result<Node, Error> {
    let options = serde_saphyr::options! { with_snippet: false };
    let parsed: Result<Spanned<Value>, _> = serde_saphyr::from_str_with_options(text, options);
    parsed.map(Node::from).map_err(|e| {
        let formatter = serde_saphyr::UserMessageFormatter;
        let formatter = formatter.with_localizer(&WithoutPlaces);
        let message = format!("not valid YAML: {}", e.render_with_formatter(&formatter));
        let position = e.location().map(|at| place(&at));
        Error::new(Code::BindingsInvalid, message).at(Location { file: file.to_owned(), position })
    })
}

/// The parser's messages without the places that the error carries beside them.
struct WithoutPlaces;

impl serde_saphyr::Localizer for WithoutPlaces {
    fn attach_location<'a>(
        &self,
        base: std::borrow::Cow<'a, str>,
        _: serde_saphyr::Location,
    ) -> std::borrow::Cow<'a, str> {
        base
    }
}

fn place(at: &serde_saphyr::Location) -> Place {
    let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    (number(at.line()), number(at.column()))
}

impl From<Spanned<Value>> for Node {
    fn from(spanned: Spanned<Value>) -> Self {
        Self { place: place(&spanned.referenced), value: spanned.value }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Unsigned(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<Value>>()? {
            list.push(item.into());
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            let value = entries.next_value::<Spanned<Value>>()?.into();
            map.push(Entry { key_place: place(&key.referenced), key: key.value, value });
        }
        Ok(Value::Map(map))
    }
}

/// Findings, in the order in which they were made.
pub(super) type Findings = RefCell<Vec<Finding>>;

/// What is wrong at a place; as serde's error it has no place until a cursor gives it its own.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) place: Option<Place>,
    /// The keys that lead to the value, the last first.
    path: Vec<String>,
    message: String,
    hint: Option<String>,
}

impl Finding {
    /// A problem at `place`.
    pub(super) fn at(place: Place, message: impl Into<String>) -> Self {
        Self { place: Some(place), path: Vec::new(), message: message.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(super) fn into_error(self, file: &str) -> Error {
        let location = Location { file: file.to_owned(), position: self.place };
        let keys: Vec<_> = self.path.iter().rev().map(|key| clip(key)).collect();
        let message = if keys.is_empty() { self.message } else { format!("`{}`: {}", keys.join("."), self.message) };
        let error = Error::new(Code::BindingsInvalid, message).at(location);
        match self.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Finding {}

/// Separates message and hint in the one text that a type's `Deserialize` can give.
const HINT: &str = "; hint: ";

/// The text of an error with a hint, for `Deserialize` implementations of values.
pub(super) fn with_hint(message: impl std::fmt::Display, hint: impl std::fmt::Display) -> String {
    format!("{message}{HINT}{hint}")
}

impl de::Error for Finding {
    fn custom<T: std::fmt::Display>(text: T) -> Self {
        let text = text.to_string();
        let (message, hint) = match text.split_once(HINT) {
            Some((message, hint)) => (message.to_owned(), Some(hint.to_owned())),
            None => (text, None),
        };
        Self { place: None, path: Vec::new(), message, hint }
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let expected = expected.to_string();
        let plain = match expected.as_str() {
            "a sequence" => "a list",
            "a boolean" => "true or false",
            "u32" | "u64" => "a whole number from 0 on",
            named if named.starts_with("struct ") => "a map",
            other => other,
        };
        Self::custom(format!("expected {plain}, found {}", named(found)))
    }

    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let mut finding = Self::custom(format!("`{}` is none of {}", clip(variant), expected.join(", ")));
        finding.hint = nearest(variant, expected.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        finding
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format!("the key `{field}` is missing"))
    }
}

/// What was found instead, without its content: it may be a secret at the wrong place.
fn named(found: de::Unexpected<'_>) -> &'static str {
    match found {
        de::Unexpected::Bool(_) => "true or false",
        de::Unexpected::Signed(n) if n < 0 => "a negative number",
        de::Unexpected::Unsigned(_) | de::Unexpected::Signed(_) => "a number",
        de::Unexpected::Float(_) => "a number with a fraction",
        de::Unexpected::Str(_) => "a text",
        de::Unexpected::Unit | de::Unexpected::Option => "nothing",
        de::Unexpected::Seq => "a list",
        de::Unexpected::Map => "a map",
        _ => "something else",
    }
}

/// The known name that is most like `name`.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = known.map(|k| (strsim::damerau_levenshtein(name, k), k)).min()?;
    (near.0 <= 2.max(name.len() / 3)).then_some(near.1)
}

/// A node on its way into a type.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'n> {
    node: &'n Node,
    findings: &'n Findings,
}

impl<'n> Cursor<'n> {
    pub(super) fn new(node: &'n Node, findings: &'n Findings) -> Self {
        Self { node, findings }
    }

    pub(super) fn place(&self) -> Place {
        self.node.place
    }

    /// The value under `key`, if this is a map that has it.
    pub(super) fn get(&self, key: &str) -> Option<Self> {
        let Value::Map(entries) = &self.node.value else { return None };
        entries.iter().find(|entry| entry.key == key).map(|entry| Self { node: &entry.value, ..*self })
    }

    /// The items, if this is a list.
    pub(super) fn items(&self) -> impl Iterator<Item = Self> {
        let items: &[Node] = if let Value::List(items) = &self.node.value { items } else { &[] };
        let findings = self.findings;
        items.iter().map(move |node| Self { node, findings })
    }

    /// Whether there is a map, with something under `key`.
    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some_and(|at| !matches!(at.node.value, Value::Null))
    }

    pub(super) fn is_map(&self) -> bool {
        matches!(self.node.value, Value::Map(_))
    }

    /// Reads the value under `key` into a type. What does not fit is a finding, and gives the type's default.
    pub(super) fn read<T: DeserializeOwned + Default>(self, key: &str) -> T {
        let Some(at) = self.get(key) else { return T::default() };
        T::deserialize(at).unwrap_or_else(|mut finding| {
            finding.path.push(key.to_owned());
            self.report(at.placed(finding));
            T::default()
        })
    }

    pub(super) fn report(&self, finding: Finding) {
        self.findings.borrow_mut().push(finding);
    }

    /// Reports the keys that are not in `known`.
    pub(super) fn report_unknown(&self, known: &[&str], is_free: impl Fn(&str) -> bool) {
        let Value::Map(entries) = &self.node.value else {
            let message = format!("expected a map, found {}", named(self.unexpected()));
            return self.report(Finding::at(self.node.place, message));
        };
        for entry in entries.iter().filter(|e| !known.contains(&e.key.as_str()) && !is_free(&e.key)) {
            let finding = Finding::at(entry.key_place, format!("unknown key `{}`", clip(&entry.key)));
            self.report(match nearest(&entry.key, known.iter().copied()) {
                Some(near) => finding.hint(format!("did you mean `{near}`?")),
                None => finding.hint(format!("known here: {}", known.join(", "))),
            });
        }
    }

    fn placed(&self, mut finding: Finding) -> Finding {
        finding.place.get_or_insert(self.node.place);
        finding
    }

    fn unexpected(&self) -> de::Unexpected<'n> {
        match &self.node.value {
            Value::Null => de::Unexpected::Unit,
            Value::Bool(b) => de::Unexpected::Bool(*b),
            Value::Int(n) => de::Unexpected::Signed(*n),
            Value::Unsigned(n) => de::Unexpected::Unsigned(*n),
            Value::Float(n) => de::Unexpected::Float(*n),
            Value::Text(text) => de::Unexpected::Str(text),
            Value::List(_) => de::Unexpected::Seq,
            Value::Map(_) => de::Unexpected::Map,
        }
    }

    fn entries<'k>(self, known: Option<&'k [&'static str]>) -> Entries<'n, 'k> {
        let entries: &[Entry] = if let Value::Map(entries) = &self.node.value { entries } else { &[] };
        Entries { rest: entries.iter(), value: None, known, findings: self.findings }
    }
}

impl<'de> Deserializer<'de> for Cursor<'_> {
    type Error = Finding;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Finding> {
        let read = match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int(value) => visitor.visit_i64(*value),
            Value::Unsigned(value) => visitor.visit_u64(*value),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Text(value) => visitor.visit_str(value),
            Value::List(items) => visitor.visit_seq(Items { rest: items.iter(), findings: self.findings }),
            Value::Map(_) => visitor.visit_map(self.entries(None)),
        };
        read.map_err(|finding| self.placed(finding))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Finding> {
        match self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Finding> {
        visitor.visit_newtype_struct(self).map_err(|finding| self.placed(finding))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Finding> {
        let Value::Map(_) = self.node.value else { return self.deserialize_any(visitor) };
        self.report_unknown(fields, |_| false);
        visitor.visit_map(self.entries(Some(fields))).map_err(|finding| self.placed(finding))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Finding> {
        match &self.node.value {
            Value::Text(name) => {
                visitor.visit_enum(name.as_str().into_deserializer()).map_err(|finding| self.placed(finding))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

struct Items<'n> {
    rest: std::slice::Iter<'n, Node>,
    findings: &'n Findings,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Finding;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Finding> {
        let Some(node) = self.rest.next() else { return Ok(None) };
        let cursor = Cursor::new(node, self.findings);
        seed.deserialize(cursor).map(Some).map_err(|finding| cursor.placed(finding))
    }
}

/// The entries of a map; of a struct only those that it has, as the others are reported already.
struct Entries<'n, 'k> {
    rest: std::slice::Iter<'n, Entry>,
    value: Option<&'n Entry>,
    known: Option<&'k [&'static str]>,
    findings: &'n Findings,
}

impl<'de> MapAccess<'de> for Entries<'_, '_> {
    type Error = Finding;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Finding> {
        let known = self.known;
        let Some(entry) = self.rest.find(|e| known.is_none_or(|known| known.contains(&e.key.as_str()))) else {
            return Ok(None);
        };
        self.value = Some(entry);
        let key: de::value::StrDeserializer<'_, Finding> = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|mut finding| {
            finding.place.get_or_insert(entry.key_place);
            finding
        })
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Finding> {
        let Some(entry) = self.value.take() else { return Err(de::Error::custom("a value without a key")) };
        let cursor = Cursor::new(&entry.value, self.findings);
        seed.deserialize(cursor).map_err(|finding| {
            let mut finding = cursor.placed(finding);
            finding.path.push(entry.key.clone());
            finding
        })
    }
}
