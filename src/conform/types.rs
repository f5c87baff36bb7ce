//! Where two types differ, down to the field.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::model::{Function, Type, TypeRef};
use super::names::shown;
use super::trail::{Difference, NOTHING, Trail};

/// Compares functions of one interface. A pair of named types is reported where it comes up first, not again in every
/// function that mentions it.
#[derive(Default)]
pub(super) struct Differ {
    trail: Trail,
    compared: HashSet<(usize, usize)>,
}

impl Differ {
    /// The differences between `asked` and `offered`, both called `name`.
    pub(super) fn function(&mut self, name: &str, asked: &Function, offered: &Function) -> Vec<Difference> {
        self.trail.start(shown(name).into_owned());
        if asked.is_async != offered.is_async {
            let kind = |is_async| if is_async { "an async function" } else { "a function that is not async" };
            self.trail.report(kind(asked.is_async), kind(offered.is_async));
        }
        if asked.params.len() != offered.params.len() {
            let count = |function: &Function| format!("{} parameters", function.params.len());
            self.trail.report(count(asked), count(offered));
        }
        for (position, ((name, asked), (_, offered))) in asked.params.iter().zip(&offered.params).enumerate() {
            self.at(format!("parameter {} ({})", position + 1, shown(name)), |d| d.types(asked, offered));
        }
        self.at("result", |d| d.payloads(asked.result.as_ref(), offered.result.as_ref()));
        self.trail.take()
    }

    fn types(&mut self, asked: &TypeRef, offered: &TypeRef) {
        // Structures may share parts a thousandfold: every pair is looked at once.
        if !self.compared.insert((Arc::as_ptr(asked) as usize, Arc::as_ptr(offered) as usize)) && is_compound(asked) {
            return;
        }
        match (&**asked, &**offered) {
            (Type::Primitive(a), Type::Primitive(b)) if a == b => {}
            (Type::List(a), Type::List(b)) => self.at("list item", |d| d.types(a, b)),
            (Type::FixedList(a, n), Type::FixedList(b, m)) if n == m => self.at("list item", |d| d.types(a, b)),
            (Type::Option(a), Type::Option(b)) => self.at("option", |d| d.types(a, b)),
            (Type::Result(a_ok, a_error), Type::Result(b_ok, b_error)) => {
                self.at("ok", |d| d.payloads(a_ok.as_ref(), b_ok.as_ref()));
                self.at("error", |d| d.payloads(a_error.as_ref(), b_error.as_ref()));
            }
            (Type::Tuple(a), Type::Tuple(b)) if a.len() == b.len() => {
                for (position, (a, b)) in a.iter().zip(b).enumerate() {
                    self.at(format!("tuple item {}", position + 1), |d| d.types(a, b));
                }
            }
            (Type::Record(name, a), Type::Record(_, b)) => self.at(format!("record {}", shown(name)), |d| {
                let (a, b) = (members(a, |t| Some(t)), members(b, |t| Some(t)));
                d.members("field", &a, &b);
            }),
            (Type::Variant(name, a), Type::Variant(_, b)) => self.at(format!("variant {}", shown(name)), |d| {
                let (a, b) = (members(a, Option::as_ref), members(b, Option::as_ref));
                d.members("case", &a, &b);
            }),
            (Type::Enum(name, a), Type::Enum(_, b)) => {
                self.at(format!("enum {}", shown(name)), |d| d.members("case", &bare(a), &bare(b)));
            }
            (Type::Flags(name, a), Type::Flags(_, b)) => {
                self.at(format!("flags {}", shown(name)), |d| d.members("flag", &bare(a), &bare(b)));
            }
            _ => self.trail.report(asked, offered),
        }
    }

    fn payloads(&mut self, asked: Option<&TypeRef>, offered: Option<&TypeRef>) {
        match (asked, offered) {
            (None, None) => {}
            (Some(asked), Some(offered)) => self.types(asked, offered),
            (asked, offered) => self.trail.report(text(asked), text(offered)),
        }
    }

    /// Members by name: what one side lacks, what differs, and at last the order.
    fn members(&mut self, kind: &str, asked: &[Member<'_>], offered: &[Member<'_>]) {
        let have: HashMap<&str, Option<&TypeRef>> = offered.iter().copied().collect();
        let want: HashSet<&str> = asked.iter().map(|(name, _)| *name).collect();
        let surplus: Vec<&str> = offered.iter().map(|(name, _)| *name).filter(|name| !want.contains(name)).collect();
        let before = self.trail.len();
        for (name, ty) in asked {
            self.at(format!("{kind} {}", shown(name)), |d| match have.get(name) {
                Some(other) => d.payloads(*ty, *other),
                None => {
                    d.trail.report(present(*ty), NOTHING);
                    d.trail.propose(name, surplus.iter().copied());
                }
            });
        }
        for (name, ty) in offered.iter().filter(|(name, _)| !want.contains(name)) {
            self.at(format!("{kind} {}", shown(name)), |d| d.trail.report(NOTHING, present(*ty)));
        }
        let same_order = asked.iter().map(|(name, _)| name).eq(offered.iter().map(|(name, _)| name));
        if self.trail.len() == before && !same_order {
            self.trail.report(order(kind, asked), order(kind, offered));
        }
    }

    fn at(&mut self, segment: impl Into<String>, inner: impl FnOnce(&mut Self)) {
        self.trail.enter(segment.into());
        inner(self);
        self.trail.leave();
    }
}

type Member<'a> = (&'a str, Option<&'a TypeRef>);

fn members<T>(all: &[(String, T)], ty: impl Fn(&T) -> Option<&TypeRef>) -> Vec<Member<'_>> {
    all.iter().map(|(name, payload)| (name.as_str(), ty(payload))).collect()
}

fn bare(names: &[String]) -> Vec<Member<'_>> {
    names.iter().map(|name| (name.as_str(), None)).collect()
}

fn is_compound(ty: &Type) -> bool {
    !matches!(ty, Type::Primitive(_) | Type::Foreign(_) | Type::Resource(..))
}

pub(super) fn text(ty: Option<&TypeRef>) -> String {
    ty.map_or_else(|| NOTHING.to_owned(), ToString::to_string)
}

pub(super) fn present(ty: Option<&TypeRef>) -> String {
    ty.map_or_else(|| "no payload".to_owned(), ToString::to_string)
}

fn order(kind: &str, members: &[Member<'_>]) -> String {
    let names: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
    format!("{kind}s in the order {}", shown(&names.join(", ")))
}
