//! Calling a component by the names of its fields: what each field of its own records is filled with.
//!
//! Published components of one version differ in the records that tell them on whose behalf they are called. A plan is
//! made once, from the types that the component itself exports, and followed in every call. It knows no wasm.

use super::model::{Function, Interface, Type, TypeRef};
use super::names::shown;

/// What the host knows of an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// The tenant.
    Tenant,
    /// The deployment environment.
    Env,
    /// The team; this host knows none.
    Team,
    /// The user of the session.
    User,
    /// The trace.
    Trace,
    /// The locale.
    Locale,
    /// What belongs to one event.
    Correlation,
    /// The session, as it is shown.
    Session,
    /// The flow.
    Flow,
    /// The node of the flow.
    Node,
    /// The component.
    Component,
    /// The provider.
    Provider,
    /// The same for every attempt at a step.
    IdempotencyKey,
    /// When the time is up, in milliseconds since 1970.
    Deadline,
    /// The attempt, from 1 on.
    Attempt,
    /// The operation.
    Operation,
    /// The payload, as JSON text.
    Input,
    /// The payload, as CBOR.
    Payload,
}

/// Names of fields, and what they are filled with.
const FIELDS: &[(&str, Known)] = &[
    ("tenant", Known::Tenant),
    ("tenant-id", Known::Tenant),
    ("env", Known::Env),
    ("env-id", Known::Env),
    ("team", Known::Team),
    ("team-id", Known::Team),
    ("user", Known::User),
    ("user-id", Known::User),
    ("trace-id", Known::Trace),
    ("i18n-id", Known::Locale),
    ("correlation-id", Known::Correlation),
    ("session-id", Known::Session),
    ("flow-id", Known::Flow),
    ("node-id", Known::Node),
    ("step-id", Known::Node),
    ("component-id", Known::Component),
    ("provider-id", Known::Provider),
    ("idempotency-key", Known::IdempotencyKey),
    ("deadline-ms", Known::Deadline),
    ("deadline-unix-ms", Known::Deadline),
    ("attempt", Known::Attempt),
    ("operation", Known::Operation),
    ("input-json", Known::Input),
    ("payload-cbor", Known::Payload),
];

/// Fields of enum types, and the case that this host is.
const CASES: &[(&str, &str)] = &[("cloud", "local"), ("platform", "other")];

/// Records of these names hold the context, so that an option of one is filled.
const CONTEXTS: &[&str] = &["tenant", "ctx", "tenant-ctx", "opts"];

/// Fields that one plan may have, and steps that may lead to one: far more than in any published shape.
const MAX_FIELDS: usize = 200;
const MAX_DEPTH: usize = 8;

/// How to make one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filling {
    /// A string; the empty one if the host does not know it.
    Text(Known),
    /// A number of this type.
    Number(Known, Width),
    /// A list of bytes.
    Bytes(Known),
    /// An option: filled if the host knows it.
    Maybe(Box<Filling>),
    /// An option that stays empty.
    Nothing,
    /// A list that stays empty.
    EmptyList,
    /// A case of an enum.
    Case(&'static str),
    /// A record, field by field.
    Record(Vec<(String, Filling)>),
}

/// The integer type of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// `u32`.
    U32,
    /// `u64`.
    U64,
    /// `s64`.
    S64,
}

/// The contract by which a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contract {
    /// `invoke(ctx, op, input)` with JSON text, which answers `invoke-result`: the 0.4 and 0.5 lines.
    Json,
    /// `invoke(op, envelope)` with CBOR, which answers `result<invocation-result, node-error>`: the 0.6 line.
    Cbor,
    /// `run-flow(flow, input-json, opts)`, which answers `result<run-result, _>`: a pack in one component.
    Flow,
    /// `invoke(req)`, which answers `component-outcome`: `component-v1`.
    Request,
}

impl Contract {
    /// The function.
    pub fn function(self) -> &'static str {
        match self {
            Self::Json | Self::Cbor | Self::Request => "invoke",
            Self::Flow => "run-flow",
        }
    }

    /// What the function takes, in order.
    fn takes(self) -> &'static [Argument] {
        match self {
            Self::Json => &[Argument::Context, Argument::Text(Known::Operation), Argument::Text(Known::Input)],
            Self::Cbor => &[Argument::Text(Known::Operation), Argument::Context],
            Self::Flow => &[Argument::Text(Known::Operation), Argument::Text(Known::Input), Argument::Options],
            Self::Request => &[Argument::Context],
        }
    }

    /// What must be among the arguments.
    fn passes(self) -> (Known, &'static str) {
        match self {
            Self::Json | Self::Flow => (Known::Input, "the input as a string"),
            Self::Cbor => (Known::Payload, "a field `payload-cbor` of bytes"),
            Self::Request => (Known::Input, "a field `input-json` of type string"),
        }
    }

    /// Whether an answer of this type can be read.
    fn reads(self, answer: &Type) -> bool {
        let has = |ty: &Type, name, fits: fn(&Type) -> bool| match ty {
            Type::Record(_, fields) => fields.iter().any(|(field, ty)| field == name && fits(ty)),
            _ => false,
        };
        match (self, answer) {
            (Self::Json, Type::Variant(_, cases)) => {
                let case = |name| cases.iter().find(|(case, _)| case == name).and_then(|(_, ty)| ty.as_deref());
                case("ok").is_some_and(is_text) && matches!(case("err"), Some(Type::Record(..)))
            }
            (Self::Json, Type::Result(Some(ok), Some(error))) => is_text(ok) && matches!(&**error, Type::Record(..)),
            (Self::Cbor, Type::Result(Some(ok), Some(error))) => {
                has(ok, "output-cbor", is_bytes) && matches!(&**error, Type::Record(..))
            }
            (Self::Flow, Type::Result(Some(ok), _)) => has(ok, "output-json", |ty| match ty {
                Type::Option(inner) => is_text(inner),
                other => is_text(other),
            }),
            (Self::Request, outcome) => {
                has(outcome, "payload-json", is_text) && has(outcome, "status", |ty| matches!(ty, Type::Enum(..)))
            }
            _ => false,
        }
    }

    /// The answer in the terms of WIT.
    fn answers(self) -> &'static str {
        match self {
            Self::Json => "variant invoke-result { ok(string), err(node-error) }",
            Self::Cbor => "result<invocation-result, node-error> with bytes `output-cbor`",
            Self::Flow => "result<run-result, iface-error> with text `output-json`",
            Self::Request => "record component-outcome with an enum `status` and text `payload-json`",
        }
    }
}

/// What stands at one position of a function.
#[derive(Clone, Copy, Debug)]
enum Argument {
    /// A record, filled by the names of its fields.
    Context,
    /// The same in an option, which stays empty where that cannot be done.
    Options,
    /// A string.
    Text(Known),
}

/// How a component is called by the names of its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedCall {
    /// The contract.
    pub contract: Contract,
    /// The arguments of its function.
    pub arguments: Vec<Filling>,
    /// The context of `on-start`, if there is such a hook.
    pub on_start: Option<Filling>,
    /// The context of `on-stop`, if there is such a hook.
    pub on_stop: Option<Filling>,
}

/// Why a function cannot be called by name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfit {
    /// Where: the function, the parameter or result, the field.
    pub(super) item: String,
    /// What the host would need there.
    pub(super) asked: String,
    /// What is there.
    pub(super) offered: String,
    /// Whether it is a field that the host cannot fill.
    pub(super) field: bool,
}

impl NamedCall {
    /// The call of the interface `found`, which is called by `contract`.
    ///
    /// Nothing but the contract's function has to be there. A hook whose types are not those of the contract is not
    /// called.
    pub(super) fn of(contract: Contract, found: &Interface) -> Result<Self, Vec<Unfit>> {
        let name = contract.function();
        let Some(function) = found.functions.get(name) else {
            return Err(vec![unfit(name, "a function", "nothing")]);
        };
        let mut wrong = Vec::new();
        if function.is_async {
            wrong.push(unfit(name, "a function that is not async", "an async function"));
        }
        let arguments = arguments(contract, function, &mut wrong);
        let (passed, what) = contract.passes();
        if wrong.is_empty() && !arguments.iter().any(|plan| plan.holds(passed)) {
            wrong.push(unfit(name, what, "nothing"));
        }
        if !function.result.as_deref().is_some_and(|answer| contract.reads(answer)) {
            let offered = function.result.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
            wrong.push(unfit(format!("{name} > result"), contract.answers(), offered));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let hook = |name, params| found.functions.get(name).and_then(|function| hook(function, params));
        Ok(Self { contract, arguments, on_start: hook("on-start", 1), on_stop: hook("on-stop", 2) })
    }
}

fn arguments(contract: Contract, function: &Function, wrong: &mut Vec<Unfit>) -> Vec<Filling> {
    let (name, takes) = (contract.function(), contract.takes());
    if function.params.len() != takes.len() {
        let count = |count| format!("{count} parameters");
        wrong.push(unfit(name, count(takes.len()), count(function.params.len())));
        return Vec::new();
    }
    let mut plans = Vec::with_capacity(takes.len());
    for (position, (argument, (param, ty))) in (1..).zip(takes.iter().zip(&function.params)) {
        let place = format!("{name} > parameter {position} ({})", shown(param));
        plans.extend(match (argument, &**ty) {
            (Argument::Text(known), ty) if is_text(ty) => Some(Filling::Text(*known)),
            (Argument::Context, Type::Record(..)) => record_of(place, ty, wrong),
            (Argument::Options, Type::Option(inner)) => Some(match record_of(place, inner, &mut Vec::new()) {
                Some(plan) => Filling::Maybe(Box::new(plan)),
                None => Filling::Nothing,
            }),
            (argument, ty) => {
                let asked = match argument {
                    Argument::Context => "a record",
                    Argument::Options => "an option",
                    Argument::Text(_) => "string",
                };
                wrong.push(unfit(place, asked, ty.to_string()));
                None
            }
        });
    }
    plans
}

impl Filling {
    /// Whether the value holds what is `known`.
    fn holds(&self, known: Known) -> bool {
        match self {
            Self::Text(what) | Self::Number(what, _) | Self::Bytes(what) => *what == known,
            Self::Record(fields) => fields.iter().any(|(_, plan)| plan.holds(known)),
            Self::Maybe(inner) => inner.holds(known),
            Self::Nothing | Self::EmptyList | Self::Case(_) => false,
        }
    }
}

/// The context of a hook that takes it first, and then texts.
fn hook(function: &Function, params: usize) -> Option<Filling> {
    let answers = matches!(function.result.as_deref(), Some(Type::Result(_, Some(error))) if is_text(error));
    let ((name, ctx), texts) = function.params.split_first()?;
    let fits = !function.is_async && function.params.len() == params && answers;
    if !fits || !texts.iter().all(|(_, ty)| is_text(ty)) || !matches!(&**ctx, Type::Record(..)) {
        return None;
    }
    record_of(name.clone(), ctx, &mut Vec::new())
}

fn record_of(place: String, ty: &Type, wrong: &mut Vec<Unfit>) -> Option<Filling> {
    let mut planner = Planner { path: vec![place], left: MAX_FIELDS, wrong: Vec::new() };
    let plan = planner.value("", ty);
    wrong.append(&mut planner.wrong);
    plan
}

fn unfit(item: impl Into<String>, asked: impl Into<String>, offered: impl Into<String>) -> Unfit {
    Unfit { item: item.into(), asked: asked.into(), offered: offered.into(), field: false }
}

fn is_text(ty: &Type) -> bool {
    matches!(ty, Type::Primitive("string"))
}

fn is_bytes(ty: &Type) -> bool {
    matches!(ty, Type::List(item) if matches!(&**item, Type::Primitive("u8")))
}

/// Walks over a record and decides how each field is filled.
struct Planner {
    path: Vec<String>,
    /// How many fields there may still be: a small type may share parts a thousandfold.
    left: usize,
    wrong: Vec<Unfit>,
}

impl Planner {
    /// How the field `name` of type `ty` is filled; none if it cannot be, and then it is noted.
    fn value(&mut self, name: &str, ty: &Type) -> Option<Filling> {
        let known = FIELDS.iter().find(|(field, _)| *field == name).map(|(_, known)| *known);
        match (ty, known) {
            (Type::Primitive(primitive), Some(known)) => self.primitive(known, primitive),
            (Type::List(_), Some(Known::Payload)) if is_bytes(ty) => Some(Filling::Bytes(Known::Payload)),
            (Type::List(_), _) => Some(Filling::EmptyList),
            (Type::Option(inner), _) => Some(self.option(name, inner)),
            (Type::Record(record, fields), _) => self.record(record, fields),
            (Type::Enum(_, cases), _) => match CASES.iter().find(|(field, _)| *field == name) {
                Some((_, case)) if cases.iter().any(|known| known == case) => Some(Filling::Case(case)),
                _ => self.give_up(ty),
            },
            _ => self.give_up(ty),
        }
    }

    fn primitive(&mut self, known: Known, primitive: &'static str) -> Option<Filling> {
        match (known, primitive) {
            (Known::Deadline | Known::Attempt, "u32") => Some(Filling::Number(known, Width::U32)),
            (Known::Deadline | Known::Attempt, "u64") => Some(Filling::Number(known, Width::U64)),
            (Known::Deadline | Known::Attempt, "s64") => Some(Filling::Number(known, Width::S64)),
            (Known::Deadline | Known::Attempt | Known::Payload, _) => self.give_up(&Type::Primitive(primitive)),
            (_, "string") => Some(Filling::Text(known)),
            _ => self.give_up(&Type::Primitive(primitive)),
        }
    }

    fn option(&mut self, name: &str, inner: &Type) -> Filling {
        if matches!(inner, Type::Record(..) | Type::Option(_) | Type::List(_)) && !CONTEXTS.contains(&name) {
            return Filling::Nothing;
        }
        let before = self.wrong.len();
        let plan = self.value(name, inner);
        // What an option cannot hold is left out.
        self.wrong.truncate(before);
        plan.map_or(Filling::Nothing, |plan| Filling::Maybe(Box::new(plan)))
    }

    fn record(&mut self, record: &str, fields: &[(String, TypeRef)]) -> Option<Filling> {
        if self.path.len() > MAX_DEPTH || self.left < fields.len() {
            return self.give_up(&Type::Record(record.to_owned(), Vec::new()));
        }
        self.left -= fields.len();
        self.path.push(format!("record {}", shown(record)));
        let mut plans = Vec::with_capacity(fields.len());
        for (name, ty) in fields {
            self.path.push(format!("field {}", shown(name)));
            plans.extend(self.value(name, ty).map(|plan| (name.clone(), plan)));
            self.path.pop();
        }
        self.path.pop();
        (plans.len() == fields.len()).then_some(Filling::Record(plans))
    }

    fn give_up<T>(&mut self, ty: &Type) -> Option<T> {
        let item = self.path.join(" > ");
        let asked = "a field that the host knows by name, or an option".to_owned();
        self.wrong.push(Unfit { item, asked, offered: ty.to_string(), field: true });
        None
    }
}
