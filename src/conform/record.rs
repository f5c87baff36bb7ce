//! A surface on record: as JSON that a reviewer can read, that says when it changes, and that a later host can be
//! compared with.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model::{Function, Interface, Type, TypeRef};
use super::surface::{Offer, Surface};
use super::type_text;
use crate::capabilities::grants::Grant;
use crate::error::{Code, Error, Result};

/// The version of the format.
const FORMAT: u32 = 1;

/// A recorded surface.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// The version of this format; 1.
    pub format: u32,
    /// The version of the host that it belongs to.
    pub version: String,
    /// What components may import, by full name.
    pub imports: IndexMap<String, RecordedImport>,
    /// What the host calls, by full name: a component exports one of them.
    pub exports: IndexMap<String, RecordedInterface>,
    /// What is linked of WASI.
    pub wasi: RecordedWasi,
}

/// The interfaces of WASI that are linked.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct RecordedWasi {
    /// The minor version; every patch version of it is linked.
    pub version: String,
    /// The interfaces, without version.
    pub interfaces: Vec<String>,
}

/// An interface that components may import.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct RecordedImport {
    /// The grants that it takes, all of them.
    pub grants: Vec<String>,
    /// What it holds.
    #[serde(flatten)]
    pub interface: RecordedInterface,
}

/// An interface.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct RecordedInterface {
    /// Its functions.
    pub functions: IndexMap<String, RecordedFunction>,
    /// The resources that it defines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// The named types that its functions use.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub types: IndexMap<String, RecordedType>,
}

/// A function. Types are written as WIT writes them.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct RecordedFunction {
    /// Whether it is `async`.
    #[serde(default, rename = "async", skip_serializing_if = "std::ops::Not::not")]
    pub is_async: bool,
    /// Its parameters in order.
    pub params: IndexMap<String, String>,
    /// What it returns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
}

/// A named type.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RecordedType {
    /// A record: its fields in order.
    Record(IndexMap<String, String>),
    /// A variant: its cases in order, with their payloads.
    Variant(IndexMap<String, Option<String>>),
    /// An enum: its cases in order.
    Enum(Vec<String>),
    /// Flags in order.
    Flags(Vec<String>),
}

impl Record {
    /// The record of `surface`, which belongs to version `version` of the host.
    pub fn of(surface: &Surface, version: &str) -> Self {
        let import = |(name, offer): (&String, &Offer)| {
            let grants = offer.needs.iter().map(|grant| grant.name().to_owned()).collect();
            (name.clone(), RecordedImport { grants, interface: Writer::interface(&offer.interface) })
        };
        Self {
            format: FORMAT,
            version: version.to_owned(),
            imports: surface.imports.iter().map(import).collect(),
            exports: surface.exports.iter().map(|(name, i)| (name.clone(), Writer::interface(i))).collect(),
            wasi: RecordedWasi { version: "0.2".to_owned(), interfaces: surface.wasi.clone() },
        }
    }

    /// Reads a record from JSON.
    ///
    /// # Errors
    ///
    /// [`Code::SurfaceInvalid`].
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let record: Self = serde_json::from_slice(bytes).map_err(|error| invalid(&error.to_string()))?;
        if record.format == FORMAT { Ok(record) } else { Err(invalid(&format!("its format is {}", record.format))) }
    }

    /// The surface on record.
    ///
    /// # Errors
    ///
    /// [`Code::SurfaceInvalid`] for types and grants that do not exist.
    pub fn surface(&self) -> Result<Surface> {
        let mut surface = Surface { wasi: self.wasi.interfaces.clone(), ..Surface::default() };
        for (name, import) in &self.imports {
            let needs = import.grants.iter().map(|text| grant(name, text)).collect::<Result<_>>()?;
            let interface = Reader::interface(name, &import.interface)?;
            surface.imports.insert(name.clone(), Offer { interface, needs });
        }
        for (name, interface) in &self.exports {
            surface.exports.insert(name.clone(), Reader::interface(name, interface)?);
        }
        Ok(surface)
    }
}

fn grant(interface: &str, name: &str) -> Result<Grant> {
    let found = Grant::ALL.into_iter().find(|grant| grant.name() == name);
    found.ok_or_else(|| invalid(&format!("{interface} takes the grant {name:?}, which this host does not know")))
}

fn invalid(why: &str) -> Error {
    let why: String = why.chars().take(400).collect();
    Error::new(Code::SurfaceInvalid, format!("this is no recorded surface: {why}"))
        .hint("record it with `greentic-runner surface --format json`")
}

/// Writes one interface; each named type gets a name of its own.
#[derive(Default)]
struct Writer {
    names: HashMap<*const Type, String>,
    types: IndexMap<String, RecordedType>,
}

impl Writer {
    fn interface(interface: &Interface) -> RecordedInterface {
        let mut writer = Self::default();
        let functions = interface.functions.iter().map(|(name, function)| {
            let params = function.params.iter().map(|(name, ty)| (name.clone(), writer.text(ty))).collect();
            let result = function.result.as_ref().map(|ty| writer.text(ty));
            (name.clone(), RecordedFunction { is_async: function.is_async, params, result })
        });
        let functions = functions.collect();
        RecordedInterface { functions, resources: interface.resources.clone(), types: writer.types }
    }

    fn text(&mut self, ty: &TypeRef) -> String {
        type_text::write(ty, &mut |named| self.name(named))
    }

    fn name(&mut self, ty: &TypeRef) -> String {
        if let Some(name) = self.names.get(&Arc::as_ptr(ty)) {
            return name.clone();
        }
        let (Type::Record(own, _) | Type::Variant(own, _) | Type::Enum(own, _) | Type::Flags(own, _)) = &**ty else {
            return ty.to_string();
        };
        let mut name = own.clone();
        for number in 2.. {
            if !self.types.contains_key(&name) {
                break;
            }
            name = format!("{own}-n{number}");
        }
        self.names.insert(Arc::as_ptr(ty), name.clone());
        // The place is taken before the members are written, so that types stand in the order in which they come up.
        self.types.insert(name.clone(), RecordedType::Enum(Vec::new()));
        let recorded = match &**ty {
            Type::Record(_, fields) => {
                RecordedType::Record(fields.iter().map(|(name, ty)| (name.clone(), self.text(ty))).collect())
            }
            Type::Variant(_, cases) => RecordedType::Variant(
                cases.iter().map(|(name, ty)| (name.clone(), ty.as_ref().map(|ty| self.text(ty)))).collect(),
            ),
            Type::Flags(_, names) => RecordedType::Flags(names.clone()),
            Type::Enum(_, names) => RecordedType::Enum(names.clone()),
            _ => return name,
        };
        self.types.insert(name.clone(), recorded);
        name
    }
}

/// Reads one interface, each named type once.
struct Reader<'a> {
    recorded: &'a RecordedInterface,
    /// None while a type is being read: a type that holds itself comes upon that.
    types: HashMap<String, Option<TypeRef>>,
    depth: usize,
}

impl Reader<'_> {
    fn interface(name: &str, recorded: &RecordedInterface) -> Result<Interface> {
        let mut reader = Reader { recorded, types: HashMap::new(), depth: 0 };
        let mut interface = Interface { resources: recorded.resources.clone(), ..Interface::default() };
        for (function, written) in &recorded.functions {
            let read = reader.function(written).map_err(|why| invalid(&format!("{name}: {function}: {why}")))?;
            interface.functions.insert(function.clone(), read);
        }
        Ok(interface)
    }

    fn function(&mut self, written: &RecordedFunction) -> Result<Function, String> {
        let params = written.params.iter().map(|(name, ty)| Ok((name.clone(), self.ty(ty)?)));
        let params = params.collect::<Result<_, String>>()?;
        let result = written.result.as_ref().map(|ty| self.ty(ty)).transpose()?;
        Ok(Function { is_async: written.is_async, params, result })
    }

    fn ty(&mut self, text: &str) -> Result<TypeRef, String> {
        type_text::parse(text, &mut |name| self.named(name))
    }

    fn named(&mut self, name: &str) -> Result<TypeRef, String> {
        const DEPTH: usize = 100;
        match self.types.get(name) {
            Some(Some(ty)) => return Ok(Arc::clone(ty)),
            Some(None) => return Err(format!("type {name} holds itself")),
            None => {}
        }
        if self.recorded.resources.iter().any(|resource| resource == name) {
            return Ok(Arc::new(Type::Resource("resource", name.to_owned())));
        }
        let written = self.recorded.types.get(name).ok_or_else(|| format!("there is no type {name}"))?;
        self.types.insert(name.to_owned(), None);
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(format!("types are nested deeper than {DEPTH}"));
        }
        let own = name.to_owned();
        let ty = Arc::new(match written {
            RecordedType::Record(fields) => {
                let fields = fields.iter().map(|(name, ty)| Ok((name.clone(), self.ty(ty)?)));
                Type::Record(own, fields.collect::<Result<_, String>>()?)
            }
            RecordedType::Variant(cases) => {
                let cases =
                    cases.iter().map(|(name, ty)| Ok((name.clone(), ty.as_ref().map(|ty| self.ty(ty)).transpose()?)));
                Type::Variant(own, cases.collect::<Result<_, String>>()?)
            }
            RecordedType::Enum(names) => Type::Enum(own, names.clone()),
            RecordedType::Flags(names) => Type::Flags(own, names.clone()),
        });
        self.depth -= 1;
        self.types.insert(name.to_owned(), Some(Arc::clone(&ty)));
        Ok(ty)
    }
}
