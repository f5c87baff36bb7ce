//! The secrets that a pack and its components declare.

use serde_json::Value;

use super::model::{Pack, PackComponent, SecretRequirement};

impl Pack {
    /// The names of the secrets that the pack and its components cannot do without; a name may come more than once.
    pub fn needed_secrets(&self) -> impl Iterator<Item = String> {
        let own = self.secret_requirements.iter().filter(|secret| secret.required).map(|secret| secret.key.clone());
        own.chain(self.components.values().flat_map(of_component))
    }
}

/// What stands in a component's capabilities under `host.secrets.required`. What is none is left out: whether the
/// component may ask at all is decided elsewhere.
fn of_component(component: &PackComponent) -> Vec<String> {
    let required = component.capabilities.as_ref().and_then(|all| all.pointer("/host/secrets/required"));
    let listed = required.and_then(Value::as_array).into_iter().flatten();
    let read = |item: &Value| serde_json::from_value::<SecretRequirement>(item.clone()).ok();
    listed.filter_map(read).filter(|secret| secret.required).map(|secret| secret.key).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;

    use super::*;
    use crate::id::Id;
    use crate::pack::model::Digest;

    #[test]
    fn components_say_what_they_cannot_do_without() {
        let names = |capabilities: Option<Value>| {
            of_component(&PackComponent {
                id: Id::from("c"),
                version: None,
                world: None,
                operations: Vec::new(),
                capabilities,
                wasm: Bytes::new(),
                digest: Digest::of(b""),
                published: None,
                found_in: String::new(),
            })
        };
        let required = json!([
            { "key": "A", "scope": { "env": "<env>", "tenant": "<tenant>" } },
            { "key": "B", "required": false },
            { "key": "C", "required": true, "format": "text" },
            { "no": "key" },
            7
        ]);
        assert_eq!(names(Some(json!({ "host": { "secrets": { "required": required } } }))), ["A", "C"]);
        for none in [None, Some(json!({})), Some(json!({ "host": { "secrets": {} } })), Some(json!("x"))] {
            assert!(names(none).is_empty());
        }
    }
}
