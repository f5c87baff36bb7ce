//! What a conversion does, decided once when a component is loaded: how a value of one shape becomes one of another.

use indexmap::IndexMap;

/// How a call of one imported function is served, although its types are not the host's.
#[derive(Debug)]
pub struct Conversion {
    /// For every parameter of the host's function: where it comes from. None where the host reads nothing.
    pub params: Vec<Option<Plan>>,
    /// What becomes of the result; none if there is none.
    pub result: Option<Plan>,
}

/// How a value becomes one of another shape.
#[derive(Debug, PartialEq, Eq)]
pub enum Plan {
    /// It is one already.
    Same,
    /// It stands where an option is wanted.
    Some(Box<Plan>),
    /// The value of an option, if there is one.
    Option(Box<Plan>),
    /// Every item of a list.
    List(Box<Plan>),
    /// The items of a tuple.
    Tuple(Vec<Plan>),
    /// The payloads of a result; none where the target has none.
    Result(Option<Box<Plan>>, Option<Box<Plan>>),
    /// The fields of the target, in its order.
    Record(Vec<Field>),
    /// A case by its name.
    Cases(Cases),
    /// A case becomes the text of its name.
    Name,
    /// A text becomes the case that it names.
    Named(Named),
}

/// A field of a record that is made.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// The position of the source's field and how it is converted; none for an option that stays empty.
    pub from: Option<(usize, Plan)>,
}

/// The cases of an enum or a variant that become cases of the same name.
#[derive(Debug, PartialEq, Eq)]
pub struct Cases {
    /// Each case that the target knows, with what becomes of its payload.
    pub known: IndexMap<String, Option<Plan>>,
    /// The case that stands for all others.
    pub fallback: Option<String>,
    /// Whether the target is a variant, not an enum.
    pub variant: bool,
}

/// The cases that a text may name.
#[derive(Debug, PartialEq, Eq)]
pub struct Named {
    /// The cases.
    pub cases: Vec<String>,
    /// The case that stands for all other texts.
    pub fallback: String,
    /// Whether the target is a variant, not an enum.
    pub variant: bool,
}

impl Plan {
    /// Whether nothing is to be done.
    pub fn is_same(&self) -> bool {
        *self == Self::Same
    }
}
