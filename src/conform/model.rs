//! Interfaces as both sides are compared: functions and structural types, without documentation and origin.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use indexmap::IndexMap;

/// A type. Shared, so that a type that is named a thousand times is held once.
pub type TypeRef = Arc<Type>;

/// A type of the component model, with aliases resolved.
#[derive(Debug)]
pub enum Type {
    /// `bool`, `u8` … `string`.
    Primitive(&'static str),
    /// `list<T>`.
    List(TypeRef),
    /// `list<T, N>`.
    FixedList(TypeRef, u32),
    /// `option<T>`.
    Option(TypeRef),
    /// `result<T, E>`; none where a side has no payload.
    Result(Option<TypeRef>, Option<TypeRef>),
    /// `tuple<…>`.
    Tuple(Vec<TypeRef>),
    /// A record: its name and its fields in order.
    Record(String, Vec<(String, TypeRef)>),
    /// A variant: its name and its cases in order.
    Variant(String, Vec<(String, Option<TypeRef>)>),
    /// An enum: its name and its cases in order.
    Enum(String, Vec<String>),
    /// Flags: their name and the flags in order.
    Flags(String, Vec<String>),
    /// `own<T>` or `borrow<T>`, or the resource itself, by name.
    Resource(&'static str, String),
    /// `map`, `future`, `stream` and whatever else this host has no interface with.
    Foreign(&'static str),
}

/// A function.
#[derive(Debug)]
pub struct Function {
    /// Whether it is `async`.
    pub is_async: bool,
    /// Its parameters in order. Their names explain; calls pass by position.
    pub params: Vec<(String, TypeRef)>,
    /// What it returns.
    pub result: Option<TypeRef>,
}

/// An interface.
#[derive(Debug, Default)]
pub struct Interface {
    /// Its functions by name.
    pub functions: IndexMap<String, Function>,
    /// The resources that it defines.
    pub resources: Vec<String>,
}

impl Interface {
    /// Whether there is nothing in it that has to be linked.
    pub fn is_types_only(&self) -> bool {
        self.functions.is_empty() && self.resources.is_empty()
    }
}

/// How long the text of a type becomes at most.
const TEXT_LIMIT: usize = 160;

/// The type as WIT would write it, named types by kind and name, cut off where it gets too long.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Bounded { text: String::new() };
        match write_type(&mut text, self) {
            Ok(()) => f.write_str(&text.text),
            Err(_) => write!(f, "{}…", text.text),
        }
    }
}

/// Text that refuses to grow beyond [`TEXT_LIMIT`], which ends the walk over a huge type.
struct Bounded {
    text: String,
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        for c in s.chars() {
            if self.text.len() + c.len_utf8() > TEXT_LIMIT {
                return Err(fmt::Error);
            }
            self.text.push(c);
        }
        Ok(())
    }
}

fn write_type(out: &mut Bounded, ty: &Type) -> fmt::Result {
    match ty {
        Type::Primitive(name) | Type::Foreign(name) => out.write_str(name),
        Type::List(item) => write_generic(out, "list", &[Some(item)]),
        Type::FixedList(item, length) => {
            out.write_str("list<")?;
            write_type(out, item)?;
            write!(out, ", {length}>")
        }
        Type::Option(value) => write_generic(out, "option", &[Some(value)]),
        Type::Result(None, None) => out.write_str("result"),
        Type::Result(ok, None) => write_generic(out, "result", &[ok.as_ref()]),
        Type::Result(ok, error) => write_generic(out, "result", &[ok.as_ref(), error.as_ref()]),
        Type::Tuple(items) => write_generic(out, "tuple", &items.iter().map(Some).collect::<Vec<_>>()),
        Type::Record(name, _) => write!(out, "record {name}"),
        Type::Variant(name, _) => write!(out, "variant {name}"),
        Type::Enum(name, _) => write!(out, "enum {name}"),
        Type::Flags(name, _) => write!(out, "flags {name}"),
        Type::Resource(kind, name) => write!(out, "{kind} {name}"),
    }
}

fn write_generic(out: &mut Bounded, name: &str, items: &[Option<&TypeRef>]) -> fmt::Result {
    write!(out, "{name}<")?;
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            out.write_str(", ")?;
        }
        match item {
            Some(item) => write_type(out, item)?,
            None => out.write_str("_")?,
        }
    }
    out.write_str(">")
}
