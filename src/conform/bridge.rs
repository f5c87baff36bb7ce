//! Whether a function that a component imports in a shape of its own can be served by the host's, and how.
//!
//! What the host does not read is not converted. What it reads must arrive unchanged: fields are found by name, an
//! optional one may be missing, those that the host does not know are left out. What the host answers must fit what
//! the component knows: its fields must be known or optional, and every case must be one of its cases or, among
//! errors, have one that can stand for it.

use indexmap::IndexMap;

use super::model::{Function, Type, TypeRef};
use super::names::shown;
use super::plan::{Cases, Conversion, Field, Named, Plan};
use super::trail::{Difference, NOTHING, Trail};
use super::types::{present, text};
use crate::capabilities::served::Reads;

/// The error cases that can stand for one that a component does not know, the best first.
const FALLBACKS: [&str; 3] = ["internal", "unknown", "other"];

/// Which way a value goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    ToHost,
    ToGuest,
}

/// The conversion by which `offered` serves `asked`, of whose parameters the host reads `reads`.
///
/// # Errors
///
/// The differences that no conversion bridges.
pub(super) fn bridge(
    name: &str,
    asked: &Function,
    offered: &Function,
    reads: &[Reads],
) -> Result<Conversion, Vec<Difference>> {
    let mut bridge = Bridge { trail: Trail::default(), way: Way::ToHost, in_error: false };
    bridge.trail.start(shown(name).into_owned());
    if asked.is_async != offered.is_async {
        let kind = |is_async| if is_async { "an async function" } else { "a function that is not async" };
        bridge.trail.report(kind(asked.is_async), kind(offered.is_async));
    }
    let params = bridge.params(asked, offered, reads);
    bridge.way = Way::ToGuest;
    let result = bridge.at("result".to_owned(), |b| match (&asked.result, &offered.result) {
        (None, None) => None,
        (Some(asked), Some(offered)) => b.value(offered, asked),
        (asked, offered) => b.refuse(text(asked.as_ref()), text(offered.as_ref())),
    });
    match bridge.trail.take() {
        blocking if blocking.is_empty() => Ok(Conversion { params, result }),
        blocking => Err(blocking),
    }
}

struct Bridge {
    trail: Trail,
    way: Way,
    in_error: bool,
}

impl Bridge {
    fn params(&mut self, asked: &Function, offered: &Function, reads: &[Reads]) -> Vec<Option<Plan>> {
        let reads_of = |position| reads.get(position).copied().unwrap_or(Reads::All);
        let count = asked.params.len();
        let ignored = (count..offered.params.len()).all(|position| reads_of(position) == Reads::Nothing);
        if count > offered.params.len() || !ignored {
            let count = |function: &Function| format!("{} parameters", function.params.len());
            self.trail.report(count(asked), count(offered));
        }
        let mut plans = Vec::new();
        for (position, ((name, asked), (_, offered))) in asked.params.iter().zip(&offered.params).enumerate() {
            let place = format!("parameter {} ({})", position + 1, shown(name));
            plans.push(self.at(place, |b| b.param(asked, offered, reads_of(position))));
        }
        plans
    }

    fn param(&mut self, asked: &TypeRef, offered: &TypeRef, reads: Reads) -> Option<Plan> {
        match reads {
            Reads::All => self.value(asked, offered),
            Reads::Fields(read) => match (&**asked, &**offered) {
                (Type::Record(name, from), Type::Record(_, to)) => {
                    let to: Vec<_> = to.iter().filter(|(field, _)| read.contains(&field.as_str())).collect();
                    self.at(format!("record {}", shown(name)), |b| b.record(from, &to))
                }
                _ => self.refuse(asked, offered),
            },
            Reads::Nothing => match is_record(asked) == is_record(offered) {
                true => None,
                false => self.refuse(asked, offered),
            },
        }
    }

    /// How a value of type `from` becomes one of type `to`.
    fn value(&mut self, from: &TypeRef, to: &TypeRef) -> Option<Plan> {
        match (&**from, &**to) {
            (Type::Primitive(a), Type::Primitive(b)) if a == b => Some(Plan::Same),
            (Type::Flags(_, a), Type::Flags(_, b)) if a == b => Some(Plan::Same),
            (Type::List(a), Type::List(b)) => {
                let item = self.at("list item".to_owned(), |inner| inner.value(a, b))?;
                Some(if item.is_same() { Plan::Same } else { Plan::List(Box::new(item)) })
            }
            (Type::Option(a), Type::Option(b)) => {
                let value = self.at("option".to_owned(), |inner| inner.value(a, b))?;
                Some(if value.is_same() { Plan::Same } else { Plan::Option(Box::new(value)) })
            }
            (_, Type::Option(b)) => {
                self.at("option".to_owned(), |inner| inner.value(from, b)).map(Box::new).map(Plan::Some)
            }
            (Type::Result(a_ok, a_error), Type::Result(b_ok, b_error)) => {
                self.result((a_ok.as_ref(), a_error.as_ref()), (b_ok.as_ref(), b_error.as_ref()))
            }
            (Type::Tuple(a), Type::Tuple(b)) if a.len() == b.len() => {
                let items = a.iter().zip(b).enumerate();
                let plans: Vec<_> = items
                    .map(|(n, (a, b))| self.at(format!("tuple item {}", n + 1), |inner| inner.value(a, b)))
                    .collect();
                let plans: Vec<Plan> = plans.into_iter().collect::<Option<_>>()?;
                Some(if plans.iter().all(Plan::is_same) { Plan::Same } else { Plan::Tuple(plans) })
            }
            (Type::Record(name, a), Type::Record(_, b)) => {
                let to: Vec<_> = b.iter().collect();
                self.at(format!("record {}", shown(name)), |inner| inner.record(a, &to))
            }
            _ => self.choice(from, to),
        }
    }

    fn result(&mut self, from: Sides<'_>, to: Sides<'_>) -> Option<Plan> {
        let ok = self.at("ok".to_owned(), |b| b.side(from.0, to.0));
        let was_in_error = std::mem::replace(&mut self.in_error, true);
        let error = self.at("error".to_owned(), |b| b.side(from.1, to.1));
        self.in_error = was_in_error;
        let (ok, error) = (ok?, error?);
        let same = |side: &Option<Plan>, from: Option<&TypeRef>| match side {
            Some(plan) => plan.is_same(),
            None => from.is_none(),
        };
        match same(&ok, from.0) && same(&error, from.1) {
            true => Some(Plan::Same),
            false => Some(Plan::Result(ok.map(Box::new), error.map(Box::new))),
        }
    }

    /// One side of a result. The component may do without the detail of an error, and without an acknowledgement.
    fn side(&mut self, from: Option<&TypeRef>, to: Option<&TypeRef>) -> Option<Option<Plan>> {
        match (from, to) {
            (None, None) => Some(None),
            (Some(from), Some(to)) => self.value(from, to).map(Some),
            (Some(from), None) if self.in_error || matches!(**from, Type::Enum(..)) => Some(None),
            (from, to) => {
                self.refuse_payloads(from, to);
                None
            }
        }
    }

    fn record(&mut self, from: &[(String, TypeRef)], to: &[&(String, TypeRef)]) -> Option<Plan> {
        let mut positions: IndexMap<&str, usize> = IndexMap::new();
        for (position, (name, _)) in from.iter().enumerate() {
            positions.insert(name, position);
        }
        let unused = |to: &[&(String, TypeRef)]| -> Vec<String> {
            let wanted = |name: &str| to.iter().any(|(other, _)| other == name);
            from.iter().map(|(name, _)| name.clone()).filter(|name| !wanted(name)).collect()
        };
        let mut fields = Some(Vec::new());
        for (name, ty) in to {
            let source = positions.get(name.as_str()).and_then(|at| Some((*at, &from.get(*at)?.1)));
            let field = self.at(format!("field {}", shown(name)), |b| match (source, &**ty) {
                (Some((at, from)), _) => b.value(from, ty).map(|plan| Some((at, plan))),
                (None, Type::Option(_)) => Some(None),
                (None, _) => {
                    b.refuse_payloads(None, Some(ty));
                    let unused = unused(to);
                    b.trail.propose(name, unused.iter().map(String::as_str));
                    None
                }
            });
            match (field, &mut fields) {
                (Some(from), Some(fields)) => fields.push(Field { name: name.clone(), from }),
                (None, _) => fields = None,
                (_, None) => {}
            }
        }
        let fields = fields?;
        let in_place = |(at, field): (usize, &Field)| matches!(&field.from, Some((n, Plan::Same)) if *n == at);
        match fields.len() == from.len() && fields.iter().enumerate().all(in_place) {
            true => Some(Plan::Same),
            false => Some(Plan::Record(fields)),
        }
    }

    /// Enums, variants and the texts that stand for them.
    fn choice(&mut self, from: &TypeRef, to: &TypeRef) -> Option<Plan> {
        match (&**from, &**to) {
            (Type::Enum(..), Type::Primitive("string")) if self.in_error => Some(Plan::Name),
            (Type::Primitive("string"), _) if self.in_error => self.named(from, to),
            _ => match (cases(from), cases(to)) {
                (Some(known), Some(wanted)) => self.cases(from, to, &known, &wanted),
                _ => self.refuse_between(from, to),
            },
        }
    }

    fn named(&mut self, from: &TypeRef, to: &TypeRef) -> Option<Plan> {
        let bare = cases(to).map(|all| all.into_iter().filter(|(_, ty)| ty.is_none()).collect::<IndexMap<_, _>>());
        let fallback = bare.as_ref().and_then(fallback);
        let (Some(bare), Some(fallback)) = (bare, fallback) else { return self.refuse_between(from, to) };
        let cases = bare.keys().map(|name| (*name).to_owned()).collect();
        Some(Plan::Named(Named { cases, fallback, variant: matches!(**to, Type::Variant(..)) }))
    }

    fn cases(&mut self, from: &TypeRef, to: &TypeRef, all: &Payloads<'_>, wanted: &Payloads<'_>) -> Option<Plan> {
        let place = match &**to {
            Type::Variant(name, _) => format!("variant {}", shown(name)),
            Type::Enum(name, _) | Type::Flags(name, _) => format!("enum {}", shown(name)),
            other => other.to_string(),
        };
        let fallback = if self.in_error { fallback(wanted) } else { None };
        let before = self.trail.len();
        let known = self.at(place, |b| {
            let mut known = IndexMap::new();
            for (name, payload) in all {
                let step = format!("case {}", shown(name));
                match wanted.get(name) {
                    Some(target) => {
                        let plan = b.at(step, |b| b.payload(*payload, *target));
                        known.insert((*name).to_owned(), plan.flatten());
                    }
                    None if fallback.is_some() => {}
                    None => b.at(step, |b| b.refuse_case(*payload)),
                }
            }
            known
        });
        if self.trail.len() > before {
            return None;
        }
        let variant = matches!(**to, Type::Variant(..));
        let unchanged = variant == matches!(**from, Type::Variant(..))
            && known.len() == all.len()
            && known.values().flatten().all(Plan::is_same);
        match unchanged {
            true => Some(Plan::Same),
            false => Some(Plan::Cases(Cases { known, fallback, variant })),
        }
    }

    fn payload(&mut self, from: Option<&TypeRef>, to: Option<&TypeRef>) -> Option<Option<Plan>> {
        match (from, to) {
            (None, None) => Some(None),
            (Some(from), Some(to)) => self.value(from, to).map(Some),
            (from, to) => {
                self.refuse_payloads(from, to);
                None
            }
        }
    }

    fn at<R>(&mut self, segment: String, inner: impl FnOnce(&mut Self) -> R) -> R {
        self.trail.enter(segment);
        let result = inner(self);
        self.trail.leave();
        result
    }

    fn refuse(&mut self, asked: impl ToString, offered: impl ToString) -> Option<Plan> {
        self.trail.report(asked, offered);
        None
    }

    /// Notes that `from` does not become `to`; which of them was asked for depends on the way.
    fn refuse_between(&mut self, from: &TypeRef, to: &TypeRef) -> Option<Plan> {
        self.refuse_payloads(Some(from), Some(to));
        None
    }

    fn refuse_payloads(&mut self, from: Option<&TypeRef>, to: Option<&TypeRef>) {
        let (asked, offered) = match self.way {
            Way::ToHost => (from, to),
            Way::ToGuest => (to, from),
        };
        self.trail.report(text(asked), text(offered));
    }

    /// Notes that the receiving side lacks a case.
    fn refuse_case(&mut self, payload: Option<&TypeRef>) {
        match self.way {
            Way::ToHost => self.trail.report(present(payload), NOTHING),
            Way::ToGuest => self.trail.report(NOTHING, present(payload)),
        }
    }
}

type Sides<'a> = (Option<&'a TypeRef>, Option<&'a TypeRef>);
type Payloads<'a> = IndexMap<&'a str, Option<&'a TypeRef>>;

fn cases(ty: &Type) -> Option<Payloads<'_>> {
    match ty {
        Type::Enum(_, names) => Some(names.iter().map(|name| (name.as_str(), None)).collect()),
        Type::Variant(_, cases) => Some(cases.iter().map(|(name, ty)| (name.as_str(), ty.as_ref())).collect()),
        _ => None,
    }
}

fn fallback(cases: &Payloads<'_>) -> Option<String> {
    FALLBACKS.into_iter().find(|name| matches!(cases.get(name), Some(None))).map(str::to_owned)
}

fn is_record(ty: &Type) -> bool {
    match ty {
        Type::Record(..) => true,
        Type::Option(inner) => matches!(**inner, Type::Record(..)),
        _ => false,
    }
}
