//! The host's functions as conversions call them: by arguments and results whose types are known only when a component
//! is loaded. Each ends in the same method of [`HostCtx`] as the generated trait does.

use std::borrow::Cow;
use std::pin::Pin;

use bytes::Bytes;
use wasmtime::component::Val;

use super::context::HostCtx;
use crate::error::{Code, Error};

/// What the host reads of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Nothing: what a guest says of its tenant and session is ignored.
    Nothing,
    /// All of it.
    All,
    /// These fields of a record.
    Fields(&'static [&'static str]),
}

/// A function of the host.
#[derive(Debug)]
pub struct Served {
    /// Its name in the interface.
    pub name: &'static str,
    /// What it reads of each parameter.
    pub reads: &'static [Reads],
    pub(super) call: Call,
}

/// Takes the arguments that are read and gives the result in the host's own shape.
pub(super) type Call = for<'a> fn(&'a mut HostCtx, Arguments<'a>) -> Reply<'a>;

/// A result under way; none for a function without one.
pub(super) type Reply<'a> = Pin<Box<dyn Future<Output = wasmtime::Result<Option<Val>>> + Send + 'a>>;

/// Arguments in the host's own shape. They were planned when the component was loaded; what does not fit the plan all
/// the same is a defect of the host.
#[derive(Debug)]
pub(super) struct Arguments<'a>(Vec<Option<Cow<'a, Val>>>);

impl<'a> Arguments<'a> {
    pub(super) fn new(values: Vec<Option<Cow<'a, Val>>>) -> Self {
        Self(values)
    }

    pub(super) fn text(&self, position: usize) -> wasmtime::Result<&str> {
        match self.at(position)? {
            Val::String(text) => Ok(text),
            _ => Err(misfit("a text")),
        }
    }

    pub(super) fn bytes(&self, position: usize) -> wasmtime::Result<Bytes> {
        bytes_of(self.at(position)?)
    }

    pub(super) fn pairs(&self, position: usize) -> wasmtime::Result<Vec<(String, String)>> {
        pairs_of(self.at(position)?)
    }

    /// A list of texts.
    pub(super) fn texts(&self, position: usize) -> wasmtime::Result<Vec<String>> {
        let Val::List(items) = self.at(position)? else { return Err(misfit("a list")) };
        let text = |item: &Val| match item {
            Val::String(text) => Ok(text.clone()),
            _ => Err(misfit("a text")),
        };
        items.iter().map(text).collect()
    }

    /// Bytes, if there are any.
    pub(super) fn optional_list(&self, position: usize) -> wasmtime::Result<Option<Bytes>> {
        optional(self.at(position)?)?.map(bytes_of).transpose()
    }

    /// The fields of a record, if there is one.
    pub(super) fn optional_record(&self, position: usize) -> wasmtime::Result<Option<&[(String, Val)]>> {
        match optional(self.at(position)?)? {
            None => Ok(None),
            Some(Val::Record(fields)) => Ok(Some(fields)),
            Some(_) => Err(misfit("a record")),
        }
    }

    /// A field of a record that is text.
    pub(super) fn field(&self, position: usize, name: &str) -> wasmtime::Result<&str> {
        match self.field_value(position, name)? {
            Val::String(text) => Ok(text),
            _ => Err(misfit("a text")),
        }
    }

    /// A field of a record that is text, if there is any.
    pub(super) fn optional_field(&self, position: usize, name: &str) -> wasmtime::Result<Option<&str>> {
        match optional(self.field_value(position, name)?)? {
            None => Ok(None),
            Some(Val::String(text)) => Ok(Some(text)),
            Some(_) => Err(misfit("a text")),
        }
    }

    /// A field of a record that is a whole number, if there is any.
    pub(super) fn optional_number(&self, position: usize, name: &str) -> wasmtime::Result<Option<i64>> {
        match optional(self.field_value(position, name)?)? {
            None => Ok(None),
            Some(Val::S64(number)) => Ok(Some(*number)),
            Some(_) => Err(misfit("a number")),
        }
    }

    /// A field of a record that is bytes, if there are any.
    pub(super) fn optional_bytes(&self, position: usize, name: &str) -> wasmtime::Result<Option<Bytes>> {
        optional(self.field_value(position, name)?)?.map(bytes_of).transpose()
    }

    /// A field of a record that is a list of names and values.
    pub(super) fn field_pairs(&self, position: usize, name: &str) -> wasmtime::Result<Vec<(String, String)>> {
        pairs_of(self.field_value(position, name)?)
    }

    fn field_value(&self, position: usize, name: &str) -> wasmtime::Result<&Val> {
        let Val::Record(fields) = self.at(position)? else { return Err(misfit("a record")) };
        fields.iter().find(|(field, _)| field == name).map(|(_, value)| value).ok_or_else(|| misfit("a field"))
    }

    fn at(&self, position: usize) -> wasmtime::Result<&Val> {
        self.0.get(position).and_then(Option::as_deref).ok_or_else(|| misfit("an argument"))
    }
}

fn optional(value: &Val) -> wasmtime::Result<Option<&Val>> {
    match value {
        Val::Option(value) => Ok(value.as_deref()),
        _ => Err(misfit("an option")),
    }
}

fn bytes_of(value: &Val) -> wasmtime::Result<Bytes> {
    let Val::List(items) = value else { return Err(misfit("bytes")) };
    let byte = |item: &Val| match item {
        Val::U8(byte) => Ok(*byte),
        _ => Err(misfit("a byte")),
    };
    Ok(items.iter().map(byte).collect::<wasmtime::Result<Vec<u8>>>()?.into())
}

fn pairs_of(value: &Val) -> wasmtime::Result<Vec<(String, String)>> {
    let Val::List(items) = value else { return Err(misfit("a list")) };
    let pair = |item: &Val| match item {
        Val::Tuple(pair) => match pair.as_slice() {
            [Val::String(name), Val::String(value)] => Ok((name.clone(), value.clone())),
            _ => Err(misfit("a pair of texts")),
        },
        _ => Err(misfit("a pair")),
    };
    items.iter().map(pair).collect()
}

/// A `result` as a value.
pub(super) fn result(answer: Result<Val, Val>) -> Option<Val> {
    Some(Val::Result(answer.map(|ok| Some(Box::new(ok))).map_err(|error| Some(Box::new(error)))))
}

/// Bytes as a value.
pub(super) fn bytes(bytes: &[u8]) -> Val {
    Val::List(bytes.iter().copied().map(Val::U8).collect())
}

/// The `op-ack` that several interfaces have.
pub(super) fn ack() -> Val {
    Val::Enum("ok".to_owned())
}

/// The `host-error` that several interfaces have.
pub(super) fn host_error(code: &str, message: String) -> Val {
    let field = |name: &str, text: String| (name.to_owned(), Val::String(text));
    Val::Record(vec![field("code", code.to_owned()), field("message", message)])
}

pub(super) fn misfit(wanted: &str) -> wasmtime::Error {
    Error::new(Code::Internal, format!("an argument is not converted as planned: {wanted} is missing")).into()
}
