//! What one instance of a component is made of, once all its nested components are instantiated.
//!
//! A component may instantiate another one twice, which instantiates a third one twice, and so on: a few hundred
//! bytes can ask for more instances than any machine has, and the compiler would lay out each of them. So they are
//! counted first, from the index spaces alone, and with them the memories and tables that they begin with.

use wasmparser::{
    BinaryReaderError, ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind,
    ComponentTypeRef, Encoding, Instance, MemoryType, Payload, TableType,
};

/// Bytes of a page of linear memory, where a memory does not say otherwise.
const PAGE: u64 = 64 << 10;

/// What one instance of a component takes from the start. Where a component takes another one or a module out of an
/// instance, `instances` counts the largest that was seen, and the rest counts nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Instances of modules and components.
    pub instances: u64,
    /// Instances of modules.
    pub core_instances: u64,
    /// Linear memories.
    pub memories: u64,
    /// Bytes that all memories begin with.
    pub memory_bytes: u64,
    /// Tables.
    pub tables: u64,
    /// Elements that the largest table begins with.
    pub table_elements: u64,
}

impl Needs {
    const INSTANCE: Self =
        Self { instances: 1, core_instances: 0, memories: 0, memory_bytes: 0, tables: 0, table_elements: 0 };
    const CORE_INSTANCE: Self = Self { core_instances: 1, ..Self::INSTANCE };

    fn plus(self, other: Self) -> Self {
        Self {
            instances: self.instances.saturating_add(other.instances),
            core_instances: self.core_instances.saturating_add(other.core_instances),
            memories: self.memories.saturating_add(other.memories),
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
            tables: self.tables.saturating_add(other.tables),
            table_elements: self.table_elements.max(other.table_elements),
        }
    }

    fn memory(ty: &MemoryType) -> Self {
        let page = ty.page_size_log2.map_or(PAGE, |log2| 1u64.checked_shl(log2).unwrap_or(u64::MAX));
        Self { memories: 1, memory_bytes: ty.initial.saturating_mul(page), ..Self::default() }
    }

    fn table(ty: &TableType) -> Self {
        Self { tables: 1, table_elements: ty.initial, ..Self::default() }
    }
}

/// A module or component that is being read.
#[derive(Default)]
struct Open {
    is_component: bool,
    /// What an instance of each module of its index space begins with.
    modules: Vec<Needs>,
    /// What an instance of each component of its index space expands to.
    components: Vec<Needs>,
    /// What an instance of itself expands to so far.
    total: Needs,
}

/// Counts while a component is read from its first to its last byte.
#[derive(Default)]
pub(super) struct Expansion {
    open: Vec<Open>,
    largest: u64,
    total: Needs,
}

impl Expansion {
    /// What the component read so far expands to.
    pub(super) fn total(&self) -> Needs {
        self.open.iter().filter(|open| open.is_component).map(|open| open.total).fold(self.total, Needs::plus)
    }

    /// Takes the next part of the component into account.
    pub(super) fn step(&mut self, payload: &Payload<'_>) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::Version { encoding, .. } => {
                self.open.push(Open { is_component: *encoding == Encoding::Component, ..Open::default() });
            }
            Payload::End(_) => self.end(),
            Payload::MemorySection(section) => {
                for memory in section.clone() {
                    self.add(Needs::memory(&memory?));
                }
            }
            Payload::TableSection(section) => {
                for table in section.clone() {
                    self.add(Needs::table(&table?.ty));
                }
            }
            Payload::InstanceSection(section) => {
                for instance in section.clone() {
                    if let Instance::Instantiate { module_index, .. } = instance? {
                        self.add(self.module(0, module_index).plus(Needs::CORE_INSTANCE));
                    }
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section.clone() {
                    let made = match instance? {
                        ComponentInstance::Instantiate { component_index, .. } => self.component(0, component_index),
                        ComponentInstance::FromExports(_) => Needs::default(),
                    };
                    self.add(made.plus(Needs::INSTANCE));
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section.clone() {
                    self.alias(&alias?);
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section.clone() {
                    match import?.ty {
                        ComponentTypeRef::Component(_) => self.define_component(Needs::default()),
                        ComponentTypeRef::Module(_) => self.define_module(Needs::default()),
                        _ => {}
                    }
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section.clone() {
                    let export = export?;
                    match export.kind {
                        ComponentExternalKind::Component => self.define_component(self.component(0, export.index)),
                        ComponentExternalKind::Module => self.define_module(self.module(0, export.index)),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self) {
        let Some(done) = self.open.pop() else { return };
        if !done.is_component {
            self.define_module(done.total);
            return;
        }
        self.largest = self.largest.max(done.total.instances);
        if self.open.is_empty() {
            self.total = done.total;
        }
        self.define_component(done.total);
    }

    /// A new entry of the innermost component's index space.
    fn define_component(&mut self, needs: Needs) {
        if let Some(open) = self.open.last_mut() {
            open.components.push(needs);
        }
    }

    fn define_module(&mut self, needs: Needs) {
        if let Some(open) = self.open.last_mut() {
            open.modules.push(needs);
        }
    }

    fn add(&mut self, needs: Needs) {
        if let Some(open) = self.open.last_mut() {
            open.total = open.total.plus(needs);
        }
    }

    fn alias(&mut self, alias: &ComponentAlias<'_>) {
        match alias {
            ComponentAlias::Outer { kind: ComponentOuterAliasKind::Component, count, index } => {
                self.define_component(self.component(*count, *index));
            }
            ComponentAlias::Outer { kind: ComponentOuterAliasKind::CoreModule, count, index } => {
                self.define_module(self.module(*count, *index));
            }
            // A component taken out of an instance is one of those that were read before.
            ComponentAlias::InstanceExport { kind: ComponentExternalKind::Component, .. } => {
                self.define_component(Needs { instances: self.largest, ..Needs::default() });
            }
            ComponentAlias::InstanceExport { kind: ComponentExternalKind::Module, .. } => {
                self.define_module(Needs::default());
            }
            _ => {}
        }
    }

    /// The entry `index` of the component `outward` levels out. An index that is not there is for the compiler to
    /// refuse.
    fn component(&self, outward: u32, index: u32) -> Needs {
        let open = self.open.iter().rev().nth(outward as usize);
        open.and_then(|open| open.components.get(index as usize)).copied().unwrap_or_default()
    }

    fn module(&self, outward: u32, index: u32) -> Needs {
        let open = self.open.iter().rev().nth(outward as usize);
        open.and_then(|open| open.modules.get(index as usize)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use wasmparser::Parser;

    use super::*;

    fn count(wat: &str) -> u64 {
        needs(wat).instances
    }

    fn needs(wat: &str) -> Needs {
        let mut expansion = Expansion::default();
        for payload in Parser::new(0).parse_all(&wat::parse_str(wat).unwrap()) {
            expansion.step(&payload.unwrap()).unwrap();
        }
        expansion.total()
    }

    #[test]
    fn instances_are_counted_through_nested_components() {
        let cases = [
            ("(component)", 0),
            ("(component (core module $m) (core instance (instantiate $m)) (core instance (instantiate $m)))", 2),
            ("(component (component $c (core module $m) (core instance (instantiate $m))) (instance (instantiate $c)))", 2),
            (
                "(component $root (component $c (core module $m) (core instance (instantiate $m)))
                   (component $d (alias outer $root $c (component $e)) (instance (instantiate $e)) (instance (instantiate $e)))
                   (instance (instantiate $d)))",
                5,
            ),
            (
                r#"(component (component $c (core module $m) (core instance (instantiate $m)))
                   (export $e "c" (component $c)) (instance (instantiate $e)))"#,
                2,
            ),
        ];
        for (wat, expected) in cases {
            assert_eq!(count(wat), expected, "{wat}");
        }
    }

    #[test]
    fn memories_and_tables_count_as_often_as_their_module_is_instantiated() {
        let cases = [
            ("(component (core module (memory 7)))", (0, 0, 0, 0)),
            (
                "(component (core module $m (memory 2) (memory 1) (table 5 funcref) (table 3 funcref))
                   (core instance (instantiate $m)) (core instance (instantiate $m)))",
                (4, 6 * PAGE, 4, 5),
            ),
            (
                "(component $root (core module $m (memory 1)) (core instance (instantiate $m))
                   (component $c (alias outer $root $m (core module $n)) (core instance (instantiate $n)))
                   (instance (instantiate $c)) (instance (instantiate $c)))",
                (3, 3 * PAGE, 0, 0),
            ),
        ];
        for (wat, expected) in cases {
            let Needs { memories, memory_bytes, tables, table_elements, .. } = needs(wat);
            assert_eq!((memories, memory_bytes, tables, table_elements), expected, "{wat}");
        }
    }

    #[test]
    fn doubling_shows_in_the_count() {
        let mut wat = "(component $root (component $c0 (core module $m) (core instance (instantiate $m)))".to_owned();
        for n in 1..70 {
            let twice = format!("(instance (instantiate $c{})) ", n - 1).repeat(2);
            wat.push_str(&format!("(component $c{n} (alias outer $root $c{0} (component $c{0})) {twice})", n - 1));
        }
        wat.push_str("(instance (instantiate $c69)))");
        assert_eq!(count(&wat), u64::MAX);
    }
}
