//! From parsed WIT, whether it came from text or from a component, to the model.

use std::collections::HashMap;
use std::sync::Arc;

use wit_parser::{
    Function as WitFunction, Handle, InterfaceId, Resolve, Type as WitType, TypeDef, TypeDefKind, TypeId,
};

use super::model::{Function, Interface, Type, TypeRef};

/// Reads interfaces out of one [`Resolve`], each type once.
pub(super) struct Reader<'a> {
    resolve: &'a Resolve,
    seen: HashMap<TypeId, TypeRef>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(resolve: &'a Resolve) -> Self {
        Self { resolve, seen: HashMap::new() }
    }

    pub(super) fn interface(&mut self, id: InterfaceId) -> Interface {
        let Some(interface) = self.resolve.interfaces.get(id) else {
            return Interface::default();
        };
        let functions = interface.functions.iter().map(|(name, f)| (name.clone(), self.function(f))).collect();
        let resources = interface.types.iter().filter(|(_, id)| self.defines_resource(**id));
        Interface { functions, resources: resources.map(|(name, _)| name.clone()).collect() }
    }

    pub(super) fn function(&mut self, function: &WitFunction) -> Function {
        Function {
            is_async: function.kind.is_async(),
            params: function.params.iter().map(|param| (param.name.clone(), self.ty(&param.ty))).collect(),
            result: function.result.as_ref().map(|ty| self.ty(ty)),
        }
    }

    fn defines_resource(&self, id: TypeId) -> bool {
        self.resolve.types.get(id).is_some_and(|def| matches!(def.kind, TypeDefKind::Resource))
    }

    fn ty(&mut self, ty: &WitType) -> TypeRef {
        match self.unalias(ty) {
            Ok((id, def)) => self.defined(id, def),
            Err(primitive) => Arc::new(Type::Primitive(primitive)),
        }
    }

    /// Follows aliases, in a loop: a chain of them may be as long as the component is large.
    fn unalias(&self, ty: &WitType) -> Result<(TypeId, &'a TypeDef), &'static str> {
        let mut ty = *ty;
        loop {
            let WitType::Id(id) = ty else { return Err(primitive(&ty)) };
            match self.resolve.types.get(id) {
                None => return Err("unknown"),
                Some(TypeDef { kind: TypeDefKind::Type(target), .. }) => ty = *target,
                Some(def) => return Ok((id, def)),
            }
        }
    }

    /// A type that is not an alias. The nesting is bounded by what a valid component may have.
    fn defined(&mut self, id: TypeId, def: &TypeDef) -> TypeRef {
        if let Some(ty) = self.seen.get(&id) {
            return Arc::clone(ty);
        }
        let ty = Arc::new(self.build(def));
        self.seen.insert(id, Arc::clone(&ty));
        ty
    }

    fn build(&mut self, def: &TypeDef) -> Type {
        let name = || def.name.clone().unwrap_or_default();
        match &def.kind {
            TypeDefKind::Record(record) => {
                Type::Record(name(), record.fields.iter().map(|f| (f.name.clone(), self.ty(&f.ty))).collect())
            }
            TypeDefKind::Variant(variant) => {
                Type::Variant(name(), variant.cases.iter().map(|c| (c.name.clone(), self.maybe(&c.ty))).collect())
            }
            TypeDefKind::Enum(cases) => Type::Enum(name(), cases.cases.iter().map(|c| c.name.clone()).collect()),
            TypeDefKind::Flags(flags) => Type::Flags(name(), flags.flags.iter().map(|f| f.name.clone()).collect()),
            TypeDefKind::Tuple(tuple) => Type::Tuple(tuple.types.iter().map(|ty| self.ty(ty)).collect()),
            TypeDefKind::Option(value) => Type::Option(self.ty(value)),
            TypeDefKind::Result(result) => Type::Result(self.maybe(&result.ok), self.maybe(&result.err)),
            TypeDefKind::List(item) => Type::List(self.ty(item)),
            TypeDefKind::FixedLengthList(item, length) => Type::FixedList(self.ty(item), *length),
            TypeDefKind::Resource => Type::Resource("resource", name()),
            TypeDefKind::Handle(Handle::Own(resource)) => Type::Resource("own", self.name_of(*resource)),
            TypeDefKind::Handle(Handle::Borrow(resource)) => Type::Resource("borrow", self.name_of(*resource)),
            other => Type::Foreign(other.as_str()),
        }
    }

    fn maybe(&mut self, ty: &Option<WitType>) -> Option<TypeRef> {
        ty.as_ref().map(|ty| self.ty(ty))
    }

    fn name_of(&self, resource: TypeId) -> String {
        self.resolve.types.get(resource).and_then(|def| def.name.clone()).unwrap_or_default()
    }
}

fn primitive(ty: &WitType) -> &'static str {
    match ty {
        WitType::Bool => "bool",
        WitType::U8 => "u8",
        WitType::U16 => "u16",
        WitType::U32 => "u32",
        WitType::U64 => "u64",
        WitType::S8 => "s8",
        WitType::S16 => "s16",
        WitType::S32 => "s32",
        WitType::S64 => "s64",
        WitType::F32 => "f32",
        WitType::F64 => "f64",
        WitType::Char => "char",
        WitType::String => "string",
        WitType::ErrorContext => "error-context",
        WitType::Id(_) => "unknown",
    }
}
