//! How many instances a component makes once all its nested components are instantiated.
//!
//! A component may instantiate another one twice, which instantiates a third one twice, and so on: a few hundred
//! bytes can ask for more instances than any machine has, and the compiler would lay out each of them. So they are
//! counted first, from the index spaces alone.

use wasmparser::{
    BinaryReaderError, ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind,
    ComponentTypeRef, Encoding, Instance, Payload,
};

/// A module or component that is being read.
struct Open {
    is_component: bool,
    /// What an instance of each component of its index space expands to.
    components: Vec<u64>,
    /// What an instance of itself expands to so far.
    total: u64,
}

/// Counts instances while a component is read from its first to its last byte.
#[derive(Default)]
pub(super) struct Expansion {
    open: Vec<Open>,
    largest: u64,
    total: u64,
}

impl Expansion {
    /// What the component read so far expands to.
    pub(super) fn total(&self) -> u64 {
        self.open.iter().map(|open| open.total).fold(self.total, u64::saturating_add)
    }

    /// Takes the next part of the component into account.
    pub(super) fn step(&mut self, payload: &Payload<'_>) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::Version { encoding, .. } => self.begin(*encoding == Encoding::Component),
            Payload::End(_) => self.end(),
            Payload::InstanceSection(section) => {
                for instance in section.clone() {
                    self.add(u64::from(matches!(instance?, Instance::Instantiate { .. })));
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section.clone() {
                    let made = match instance? {
                        ComponentInstance::Instantiate { component_index, .. } => self.component(0, component_index),
                        ComponentInstance::FromExports(_) => 0,
                    };
                    self.add(made.saturating_add(1));
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section.clone() {
                    self.alias(&alias?);
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section.clone() {
                    if matches!(import?.ty, ComponentTypeRef::Component(_)) {
                        self.define(0);
                    }
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section.clone() {
                    let export = export?;
                    if export.kind == ComponentExternalKind::Component {
                        self.define(self.component(0, export.index));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, is_component: bool) {
        self.open.push(Open { is_component, components: Vec::new(), total: 0 });
    }

    fn end(&mut self) {
        let Some(done) = self.open.pop() else { return };
        if !done.is_component {
            return;
        }
        self.largest = self.largest.max(done.total);
        if self.open.is_empty() {
            self.total = done.total;
        }
        self.define(done.total);
    }

    /// A new entry of the innermost component's index space.
    fn define(&mut self, total: u64) {
        if let Some(open) = self.open.last_mut() {
            open.components.push(total);
        }
    }

    fn add(&mut self, instances: u64) {
        if let Some(open) = self.open.last_mut() {
            open.total = open.total.saturating_add(instances);
        }
    }

    fn alias(&mut self, alias: &ComponentAlias<'_>) {
        match alias {
            ComponentAlias::Outer { kind: ComponentOuterAliasKind::Component, count, index } => {
                self.define(self.component(*count, *index));
            }
            // A component taken out of an instance is one of those that were read before.
            ComponentAlias::InstanceExport { kind: ComponentExternalKind::Component, .. } => self.define(self.largest),
            _ => {}
        }
    }

    /// The entry `index` of the component `outward` levels out. An index that is not there is for the compiler to
    /// refuse.
    fn component(&self, outward: u32, index: u32) -> u64 {
        let open = self.open.iter().rev().nth(outward as usize);
        open.and_then(|open| open.components.get(index as usize)).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use wasmparser::Parser;

    use super::*;

    fn count(wat: &str) -> u64 {
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
