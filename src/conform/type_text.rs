//! Types as text and back: `option<list<tuple<string, u8>>>`, named types by name. Recorded surfaces hold them so.

use std::sync::Arc;

use super::model::{Type, TypeRef};

/// How deep types may be nested in a text that is read.
const DEPTH: usize = 64;

const PRIMITIVES: [&str; 14] =
    ["bool", "u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "f32", "f64", "char", "string", "error-context"];

/// Writes `ty`; `name` tells how a record, variant, enum or flags are called.
pub(super) fn write(ty: &TypeRef, name: &mut dyn FnMut(&TypeRef) -> String) -> String {
    let mut generic = |kind: &str, items: &[Option<&TypeRef>]| {
        let items: Vec<_> = items.iter().map(|ty| ty.map_or_else(|| "_".to_owned(), |ty| write(ty, name))).collect();
        format!("{kind}<{}>", items.join(", "))
    };
    match &**ty {
        Type::Primitive(text) | Type::Foreign(text) => (*text).to_owned(),
        Type::List(item) => generic("list", &[Some(item)]),
        Type::FixedList(item, length) => format!("list<{}, {length}>", write(item, name)),
        Type::Option(value) => generic("option", &[Some(value)]),
        Type::Result(None, None) => "result".to_owned(),
        Type::Result(ok, None) => generic("result", &[ok.as_ref()]),
        Type::Result(ok, error) => generic("result", &[ok.as_ref(), error.as_ref()]),
        Type::Tuple(items) => generic("tuple", &items.iter().map(Some).collect::<Vec<_>>()),
        Type::Resource("resource", resource) => resource.clone(),
        Type::Resource(kind, resource) => format!("{kind}<{resource}>"),
        Type::Record(..) | Type::Variant(..) | Type::Enum(..) | Type::Flags(..) => name(ty),
    }
}

/// Reads `text`; `named` finds what a name stands for.
///
/// # Errors
///
/// What cannot be read.
pub(super) fn parse(text: &str, named: &mut dyn FnMut(&str) -> Result<TypeRef, String>) -> Result<TypeRef, String> {
    let mut reader = Reader { rest: text, named };
    let ty = reader.ty(0)?;
    match reader.rest.trim_start() {
        "" => Ok(ty),
        rest => Err(format!("{rest:?} does not belong into the type {text:?}")),
    }
}

struct Reader<'t, 'n> {
    rest: &'t str,
    named: &'n mut dyn FnMut(&str) -> Result<TypeRef, String>,
}

impl<'t> Reader<'t, '_> {
    fn ty(&mut self, depth: usize) -> Result<TypeRef, String> {
        if depth > DEPTH {
            return Err(format!("types are nested deeper than {DEPTH}"));
        }
        let word = self.word();
        if let Some(primitive) = PRIMITIVES.into_iter().find(|primitive| *primitive == word) {
            return Ok(Arc::new(Type::Primitive(primitive)));
        }
        let ty = match word {
            "list" => return self.list(depth),
            "option" => Type::Option(self.only(depth)?),
            "tuple" => {
                let items = self.arguments(depth)?.into_iter().map(|item| item.ok_or("a tuple's item is a type"));
                Type::Tuple(items.collect::<Result<_, _>>()?)
            }
            "result" if !self.rest.starts_with('<') => Type::Result(None, None),
            "result" => {
                let mut arguments = self.arguments(depth)?.into_iter();
                Type::Result(arguments.next().flatten(), arguments.next().flatten())
            }
            "own" | "borrow" => {
                self.expect('<')?;
                let resource = self.word().to_owned();
                self.expect('>')?;
                Type::Resource(if word == "own" { "own" } else { "borrow" }, resource)
            }
            "" => return Err(format!("a type is missing before {:?}", self.rest)),
            name => return (self.named)(name),
        };
        Ok(Arc::new(ty))
    }

    fn list(&mut self, depth: usize) -> Result<TypeRef, String> {
        self.expect('<')?;
        let item = self.ty(depth + 1)?;
        let ty = match self.eat(',') {
            false => Type::List(item),
            true => {
                let length = self.word();
                Type::FixedList(item, length.parse().map_err(|_| format!("{length:?} is no length of a list"))?)
            }
        };
        self.expect('>')?;
        Ok(Arc::new(ty))
    }

    fn only(&mut self, depth: usize) -> Result<TypeRef, String> {
        self.expect('<')?;
        let ty = self.ty(depth + 1)?;
        self.expect('>')?;
        Ok(ty)
    }

    /// `<a, _, b>`.
    fn arguments(&mut self, depth: usize) -> Result<Vec<Option<TypeRef>>, String> {
        self.expect('<')?;
        let mut found = Vec::new();
        loop {
            found.push(if self.eat('_') { None } else { Some(self.ty(depth + 1)?) });
            if !self.eat(',') {
                self.expect('>')?;
                return Ok(found);
            }
        }
    }

    fn word(&mut self) -> &'t str {
        let text = self.rest.trim_start();
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        self.rest = rest;
        word
    }

    fn eat(&mut self, wanted: char) -> bool {
        let Some(rest) = self.rest.trim_start().strip_prefix(wanted) else { return false };
        self.rest = rest;
        true
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        if self.eat(wanted) { Ok(()) } else { Err(format!("{wanted:?} is missing before {:?}", self.rest)) }
    }
}
