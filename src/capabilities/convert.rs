//! Carrying out what `conform` planned: values of a component's own shape become the host's, and back.

use std::borrow::Cow;

use wasmtime::component::Val;

use super::context::HostCtx;
use super::served::{Arguments, Served, misfit};
use crate::conform::{Cases, Conversion, Field, Named, Plan};

/// Calls the host's function with arguments of the component's shape and stores the result in the component's shape.
pub(super) async fn call(
    served: &Served,
    conversion: &Conversion,
    ctx: &mut HostCtx,
    params: &[Val],
    results: &mut [Val],
) -> wasmtime::Result<()> {
    let argument = |(plan, value): (&Option<Plan>, _)| argument(plan.as_ref(), value);
    let arguments = conversion.params.iter().zip(params).map(argument).collect::<wasmtime::Result<_>>()?;
    let result = (served.call)(ctx, Arguments::new(arguments)).await?;
    match (result, &conversion.result, results) {
        (None, None, []) => Ok(()),
        (Some(value), Some(plan), [result]) => {
            *result = convert(plan, value)?;
            Ok(())
        }
        _ => Err(misfit("a result")),
    }
}

/// What is the same is borrowed: payloads pass without a copy.
fn argument<'a>(plan: Option<&Plan>, value: &'a Val) -> wasmtime::Result<Option<Cow<'a, Val>>> {
    match plan {
        None => Ok(None),
        Some(Plan::Same) => Ok(Some(Cow::Borrowed(value))),
        Some(plan) => convert(plan, value.clone()).map(|value| Some(Cow::Owned(value))),
    }
}

/// `value` in the shape that the plan was made for.
fn convert(plan: &Plan, value: Val) -> wasmtime::Result<Val> {
    Ok(match (plan, value) {
        (Plan::Same, value) => value,
        (Plan::Some(plan), value) => Val::Option(Some(Box::new(convert(plan, value)?))),
        (Plan::Option(_), Val::Option(None)) => Val::Option(None),
        (Plan::Option(plan), Val::Option(Some(value))) => Val::Option(Some(Box::new(convert(plan, *value)?))),
        (Plan::List(plan), Val::List(items)) => {
            Val::List(items.into_iter().map(|item| convert(plan, item)).collect::<wasmtime::Result<_>>()?)
        }
        (Plan::Tuple(plans), Val::Tuple(items)) => {
            let items = plans.iter().zip(items).map(|(plan, item)| convert(plan, item));
            Val::Tuple(items.collect::<wasmtime::Result<_>>()?)
        }
        (Plan::Result(ok, error), Val::Result(value)) => Val::Result(match value {
            Ok(value) => Ok(payload(ok.as_deref(), value)?),
            Err(value) => Err(payload(error.as_deref(), value)?),
        }),
        (Plan::Record(fields), Val::Record(values)) => Val::Record(record(fields, values)?),
        (Plan::Cases(cases), Val::Enum(name)) => case(cases, name, None)?,
        (Plan::Cases(cases), Val::Variant(name, value)) => case(cases, name, value)?,
        (Plan::Name, Val::Enum(name)) => Val::String(name),
        (Plan::Named(named), Val::String(text)) => named_case(named, &text),
        _ => return Err(misfit("a value")),
    })
}

fn payload(plan: Option<&Plan>, value: Option<Box<Val>>) -> wasmtime::Result<Option<Box<Val>>> {
    match (plan, value) {
        (None, _) => Ok(None),
        (Some(plan), Some(value)) => Ok(Some(Box::new(convert(plan, *value)?))),
        (Some(_), None) => Err(misfit("a payload")),
    }
}

fn record(fields: &[Field], values: Vec<(String, Val)>) -> wasmtime::Result<Vec<(String, Val)>> {
    let mut values: Vec<Option<Val>> = values.into_iter().map(|(_, value)| Some(value)).collect();
    let field = |field: &Field| {
        let value = match &field.from {
            None => Val::Option(None),
            Some((position, plan)) => {
                let value = values.get_mut(*position).and_then(Option::take).ok_or_else(|| misfit("a field"))?;
                convert(plan, value)?
            }
        };
        Ok((field.name.clone(), value))
    };
    fields.iter().map(field).collect()
}

fn case(cases: &Cases, name: String, value: Option<Box<Val>>) -> wasmtime::Result<Val> {
    let (name, value) = match (cases.known.get(&name), &cases.fallback) {
        (Some(plan), _) => (name, payload(plan.as_ref(), value)?),
        (None, Some(fallback)) => (fallback.clone(), None),
        (None, None) => return Err(misfit("a case")),
    };
    Ok(choice(cases.variant, name, value))
}

/// The case that an error's code names; codes are written with `_` or `-`.
fn named_case(named: &Named, text: &str) -> Val {
    let name = text.replace('_', "-");
    let name = if named.cases.contains(&name) { name } else { named.fallback.clone() };
    choice(named.variant, name, None)
}

fn choice(variant: bool, name: String, value: Option<Box<Val>>) -> Val {
    if variant { Val::Variant(name, value) } else { Val::Enum(name) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::capabilities::served::Reads;
    use crate::conform::testing::conversion;
    use crate::conform::{Function, Type, TypeRef};

    /// What a field holds; `Option` makes it optional.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Leaf {
        Text,
        Number,
        Bytes,
    }

    /// A field that both sides may have: how the host has it, and how the component does.
    #[derive(Clone, Debug)]
    struct Drift {
        host: Option<(Leaf, bool)>,
        guest: Option<(Leaf, bool)>,
        seed: u8,
    }

    fn leaf() -> impl Strategy<Value = (Leaf, bool)> {
        (prop_oneof![Just(Leaf::Text), Just(Leaf::Number), Just(Leaf::Bytes)], any::<bool>())
    }

    fn drift() -> impl Strategy<Value = Drift> {
        let both = (leaf(), any::<bool>()).prop_map(|((leaf, optional), same)| {
            (Some((leaf, optional)), Some((leaf, if same { optional } else { !optional })))
        });
        let sides = prop_oneof![
            4 => both,
            1 => leaf().prop_map(|leaf| (Some(leaf), None)),
            1 => leaf().prop_map(|leaf| (None, Some(leaf))),
            1 => (leaf(), leaf()).prop_map(|(host, guest)| (Some(host), Some(guest))),
        ];
        (sides, any::<u8>()).prop_map(|((host, guest), seed)| Drift { host, guest, seed })
    }

    fn ty((leaf, optional): (Leaf, bool)) -> TypeRef {
        let plain: TypeRef = match leaf {
            Leaf::Text => Type::Primitive("string").into(),
            Leaf::Number => Type::Primitive("u32").into(),
            Leaf::Bytes => Type::List(Type::Primitive("u8").into()).into(),
        };
        if optional { Type::Option(plain).into() } else { plain }
    }

    /// A value made of `seed`: an optional one is missing every third time.
    fn value((leaf, optional): (Leaf, bool), seed: u8) -> Val {
        let plain = match leaf {
            Leaf::Text => Val::String(format!("text {seed}")),
            Leaf::Number => Val::U32(seed.into()),
            Leaf::Bytes => Val::List(vec![Val::U8(seed); usize::from(seed % 5)]),
        };
        match optional {
            true => Val::Option((!seed.is_multiple_of(3)).then(|| Box::new(plain))),
            false => plain,
        }
    }

    /// What must arrive on a side that has `to` of a field that the other has as `from`; none if nothing can.
    fn expected(from: Option<(Leaf, bool)>, to: (Leaf, bool), seed: u8) -> Option<Val> {
        match (from, to) {
            (Some(from), to) if from == to => Some(value(from, seed)),
            (Some((a, false)), (b, true)) if a == b => Some(Val::Option(Some(Box::new(value((a, false), seed))))),
            (None, (_, true)) => Some(Val::Option(None)),
            _ => None,
        }
    }

    fn function(param: &TypeRef, result: &TypeRef) -> Function {
        Function { is_async: false, params: vec![("r".to_owned(), param.clone())], result: Some(result.clone()) }
    }

    type Fields<'a> = Vec<(&'a String, &'a Drift)>;
    type Side = fn(&Drift) -> Option<(Leaf, bool)>;

    fn check(
        plan: &Plan,
        (from, from_side): (&Fields<'_>, Side),
        (to, to_side): (&Fields<'_>, Side),
    ) -> Result<(), TestCaseError> {
        let given = from.iter().filter_map(|(n, d)| Some(((*n).clone(), value(from_side(d)?, d.seed)))).collect();
        let wanted: Vec<_> = to
            .iter()
            .filter_map(|(n, d)| Some(((*n).clone(), expected(from_side(d), to_side(d)?, d.seed).unwrap())))
            .collect();
        prop_assert_eq!(convert(plan, Val::Record(given)).unwrap(), Val::Record(wanted));
        Ok(())
    }

    fn host(drift: &Drift) -> Option<(Leaf, bool)> {
        drift.host
    }

    fn guest(drift: &Drift) -> Option<(Leaf, bool)> {
        drift.guest
    }

    fn plain(name: &'static str) -> TypeRef {
        Type::Primitive(name).into()
    }

    fn cases(names: &[&str]) -> TypeRef {
        Type::Enum("e".to_owned(), names.iter().map(|name| (*name).to_owned()).collect()).into()
    }

    fn variant(names: &[&str]) -> TypeRef {
        Type::Variant("v".to_owned(), names.iter().map(|name| ((*name).to_owned(), None)).collect()).into()
    }

    /// An error that the host answers with, as a component sees it that has another type for it; none if the types
    /// cannot be bridged.
    fn error_of(host: &TypeRef, guest: &TypeRef, value: Val) -> Option<Val> {
        let result = |error: &TypeRef| Type::Result(Some(plain("u8")), Some(error.clone())).into();
        let function = |error: &TypeRef| Function { is_async: false, params: Vec::new(), result: Some(result(error)) };
        let plan = conversion(&function(guest), &function(host), &[]).ok()?.result.unwrap();
        match convert(&plan, Val::Result(Err(Some(Box::new(value))))).unwrap() {
            Val::Result(Err(Some(error))) => Some(*error),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_error_is_one_that_the_component_knows() {
        let (text, name) = (|text: &str| Val::String(text.to_owned()), |name: &str| Val::Enum(name.to_owned()));
        let of_variant = |name: &str| Val::Variant(name.to_owned(), None);
        let host = cases(&["denied", "not-found", "internal"]);
        let few = cases(&["internal", "not-found"]);
        let rows: Vec<(&TypeRef, TypeRef, Val, Option<Val>)> = vec![
            (&host, few.clone(), name("not-found"), Some(name("not-found"))),
            (&host, few.clone(), name("denied"), Some(name("internal"))),
            (&host, cases(&["not-found", "internal", "denied", "more"]), name("denied"), Some(name("denied"))),
            (&host, cases(&["not-found", "unknown"]), name("internal"), Some(name("unknown"))),
            (&host, cases(&["not-found"]), name("not-found"), None),
            (&host, variant(&["not-found", "other"]), name("not-found"), Some(of_variant("not-found"))),
            (&host, variant(&["not-found", "other"]), name("denied"), Some(of_variant("other"))),
            (&host, plain("string"), name("not-found"), Some(text("not-found"))),
            (&host, plain("u8"), name("not-found"), None),
        ];
        for (host, guest, value, expected) in rows {
            assert_eq!(error_of(host, &guest, value.clone()), expected, "{value:?} for {guest:?}");
        }
        let host = plain("string");
        assert_eq!(error_of(&host, &few, text("not_found")), Some(name("not-found")));
        assert_eq!(error_of(&host, &few, text("whatever")), Some(name("internal")));
        assert_eq!(error_of(&host, &variant(&["a", "internal"]), text("x")), Some(of_variant("internal")));
        assert_eq!(error_of(&host, &cases(&["not-found"]), text("not_found")), None);
    }

    #[test]
    fn what_was_not_planned_is_an_error_and_no_panic() {
        let plans = [
            Plan::Option(Box::new(Plan::Same)),
            Plan::List(Box::new(Plan::Same)),
            Plan::Record(vec![Field { name: "f".to_owned(), from: Some((3, Plan::Same)) }]),
            Plan::Name,
            Plan::Tuple(vec![Plan::Name]),
        ];
        for plan in plans {
            for value in [Val::Bool(true), Val::Record(Vec::new()), Val::Tuple(vec![Val::U8(1)])] {
                assert!(convert(&plan, value).is_err(), "{plan:?}");
            }
        }
    }

    proptest! {
        /// Fields are added, left out, reordered, made optional or something else: either what both sides know arrives
        /// unchanged, or the difference is a finding.
        #[test]
        fn a_drift_is_converted_or_found(
            drifts in prop::collection::vec(drift(), 1..8),
            order in any::<prop::sample::Index>(),
        ) {
            let named: Vec<_> = drifts.into_iter().enumerate().map(|(n, drift)| (format!("field-{n}"), drift)).collect();
            let hosts: Fields<'_> = named.iter().map(|(name, drift)| (name, drift)).collect();
            let mut guests = hosts.clone();
            guests.rotate_left(order.index(hosts.len()));
            let record = |fields: &Fields<'_>, side: Side| -> TypeRef {
                let fields = fields.iter().filter_map(|(name, drift)| Some(((*name).clone(), ty(side(drift)?))));
                Type::Record("r".to_owned(), fields.collect()).into()
            };
            let (asked, offered) = (record(&guests, guest), record(&hosts, host));
            let to_host = hosts.iter().all(|(_, d)| d.host.is_none_or(|to| expected(d.guest, to, 1).is_some()));
            let to_guest = hosts.iter().all(|(_, d)| d.guest.is_none_or(|to| expected(d.host, to, 1).is_some()));
            match conversion(&function(&asked, &asked), &function(&offered, &offered), &[Reads::All]) {
                Ok(conversion) => {
                    prop_assert!(to_host && to_guest);
                    check(conversion.params[0].as_ref().unwrap(), (&guests, guest), (&hosts, host))?;
                    check(conversion.result.as_ref().unwrap(), (&hosts, host), (&guests, guest))?;
                }
                Err(blocking) => {
                    prop_assert!(!to_host || !to_guest);
                    prop_assert!(!blocking.is_empty());
                }
            }
        }
    }
}
