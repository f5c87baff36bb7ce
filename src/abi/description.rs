//! What components say of themselves: each generation has a function for it, and each says it in another form.

use serde_json::Value;
use wasmtime::Store;
use wasmtime::component::{ComponentExportIndex, InstancePre};

use super::{cbor, named, val};
use crate::capabilities::HostCtx;
use crate::conform::{ComponentShape, Type};

/// Functions by which components describe themselves, the most telling first.
const FUNCTIONS: &[(&str, &str)] = &[
    ("greentic:component/node@0.6.0", "describe"),
    ("greentic:component/descriptor@0.6.1", "describe"),
    ("greentic:component/component-descriptor@0.6.0", "describe"),
    ("greentic:component/node@0.5.0", MANIFEST),
    ("greentic:component/node@0.4.0", MANIFEST),
    ("greentic:component/describe-v1@1.0.0", "describe-json"),
];

/// The function that hands out the manifest with which the component was published.
const MANIFEST: &str = "get-manifest";

/// Keys under which descriptions list operations, and under which an operation has its name.
const LISTS: &[&str] = &["ops", "operations"];
const NAMES: &[&str] = &["name", "id", "op", "operation_id"];

/// The function by which a component describes itself.
pub(super) struct Describer {
    function: ComponentExportIndex,
    form: Form,
    /// Whether the component describes itself, and does not only hand out a manifest.
    describes: bool,
}

#[derive(Clone, Copy)]
enum Form {
    Text,
    Bytes,
    Record,
}

impl Describer {
    /// The first of the functions that the component has, in a form that can be read.
    pub(super) fn find(shape: &ComponentShape, pre: &InstancePre<HostCtx>) -> Option<Self> {
        FUNCTIONS.iter().find_map(|(interface, function)| {
            let exported = shape.exports.get(*interface)?.functions.get(*function)?;
            let form = match exported.result.as_deref()? {
                _ if exported.is_async || !exported.params.is_empty() => return None,
                Type::Primitive("string") => Form::Text,
                Type::List(item) if matches!(&**item, Type::Primitive("u8")) => Form::Bytes,
                Type::Record(..) => Form::Record,
                _ => return None,
            };
            let (_, instance) = pre.component().get_export(None, *interface)?;
            let describes = *function != MANIFEST;
            let (_, function) = pre.component().get_export(Some(&instance), *function)?;
            Some(Self { function, form, describes })
        })
    }

    /// Whether the operations that it names are all there are.
    pub(super) fn is_complete(&self) -> bool {
        self.describes
    }

    /// Makes an instance in `store` and asks it. With the description come the bytes that the answer held.
    pub(super) async fn ask(
        &self,
        pre: &InstancePre<HostCtx>,
        store: &mut Store<HostCtx>,
    ) -> wasmtime::Result<(Value, usize)> {
        if let Form::Record = self.form {
            let value = named::invoke(pre, store, &self.function, &[]).await?;
            let size = val::size(&value);
            return Ok((val::to_json(value), size));
        }
        let instance = pre.instantiate_async(&mut *store).await?;
        if let Form::Text = self.form {
            let function = instance.get_typed_func::<(), (String,)>(&mut *store, &self.function)?;
            let (text,) = function.call_async(store, ()).await?;
            let size = text.len();
            return Ok((serde_json::from_str(&text).unwrap_or(Value::String(text)), size));
        }
        let function = instance.get_typed_func::<(), (Vec<u8>,)>(&mut *store, &self.function)?;
        let (bytes,) = function.call_async(store, ()).await?;
        let size = bytes.len();
        Ok((read(bytes), size))
    }
}

/// Bytes are CBOR, else JSON, else text.
fn read(bytes: Vec<u8>) -> Value {
    let json = |bytes: &[u8]| serde_json::from_slice(bytes).ok();
    match cbor::decode(&bytes) {
        Ok(value) => value,
        Err(_) => json(&bytes).unwrap_or_else(|| String::from_utf8_lossy(&bytes).into_owned().into()),
    }
}

/// The operations that a description names, as texts or as objects with a name. None if it names none.
pub(super) fn ops(description: &Value) -> Option<Vec<String>> {
    listed(description, LISTS)
}

/// The operations that a provider's description names, under `ops`. What published providers list as `operations` is
/// what they are for; they answer others beside, so it says nothing about what can be called.
pub(super) fn provider_ops(description: &Value) -> Option<Vec<String>> {
    listed(description, &["ops"])
}

fn listed(description: &Value, keys: &[&str]) -> Option<Vec<String>> {
    let ops = keys.iter().find_map(|list| description.get(list)?.as_array())?;
    let name = |op: &Value| {
        let named = op.as_str().or_else(|| NAMES.iter().find_map(|key| op.get(key)?.as_str()));
        named.map(str::to_owned)
    };
    Some(ops.iter().filter_map(name).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ops_are_texts_or_named_objects() {
        assert_eq!(ops(&json!({"ops": ["a", {"name": "b"}, 3]})).unwrap(), ["a", "b"]);
        assert_eq!(ops(&json!({"operations": [{"id": "run"}, {"op": "x"}]})).unwrap(), ["run", "x"]);
        assert_eq!(ops(&json!({"ops": []})).unwrap(), Vec::<String>::new());
        assert_eq!(ops(&json!({})), None);
        assert_eq!(ops(&json!("text")), None);
        assert_eq!(provider_ops(&json!({"ops": ["a"], "operations": ["b"]})).unwrap(), ["a"]);
        assert_eq!(provider_ops(&json!({"operations": [{"name": "b"}]})), None);
    }

    #[test]
    fn bytes_are_cbor_then_json_then_text() {
        assert_eq!(read(vec![0xa1, 0x61, b'a', 0x01]), json!({"a": 1}));
        assert_eq!(read(br#"{"a": 1}"#.to_vec()), json!({"a": 1}));
        assert_eq!(read(b"plain".to_vec()), json!("plain"));
        assert_eq!(read(Vec::new()), json!(null));
    }
}
