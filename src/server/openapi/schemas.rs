//! The schemas that operations refer to.

use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use crate::ingress::adapter::MAX_PLATFORM_ID;

/// Schemas of types by reference. They are collected and stand in the document once.
pub(in crate::server) struct Schemas(SchemaGenerator);

impl Default for Schemas {
    fn default() -> Self {
        let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        });
        Self(settings.into_generator())
    }
}

impl Schemas {
    /// A reference to the schema of `T`.
    pub(super) fn of<T: JsonSchema>(&mut self) -> Value {
        self.0.subschema_for::<T>().to_value()
    }

    /// A reference to the schema of errors.
    pub(super) fn error(&mut self) -> Value {
        self.named("Error", || {
            json!({
                "type": "object",
                "description": "Why a request was not served.",
                "required": ["error"],
                "properties": {"error": {
                    "type": "object",
                    "required": ["code", "message", "correlation_id"],
                    "properties": {
                        "code": {"type": "string", "pattern": "^GRH-[0-9]{4}$", "description": "The stable code."},
                        "message": {"type": "string", "description": "What is wrong with the request."},
                        "correlation_id": {"type": "string", "description": "By which the host's log finds it."},
                    },
                }},
            })
        })
    }

    /// A reference to the schema of errors that are told as problems.
    pub(super) fn problem(&mut self) -> Value {
        let error = self.error();
        self.named("Problem", || {
            json!({
                "description": "The same as a problem of RFC 9457.",
                "allOf": [error],
                "required": ["type", "title", "status", "detail"],
                "properties": {
                    "type": {"type": "string", "format": "uri", "description": "Names the code."},
                    "title": {"type": "string", "description": "What the code means."},
                    "status": {"type": "integer", "description": "The status of the answer."},
                    "detail": {"type": "string", "description": "What is wrong with the request."},
                },
            })
        })
    }

    /// A reference to a schema that no type stands for.
    pub(super) fn named(&mut self, name: &str, schema: impl FnOnce() -> Value) -> Value {
        let definitions = self.0.definitions_mut();
        if !definitions.contains_key(name) {
            definitions.insert(name.to_owned(), schema());
        }
        json!({"$ref": format!("#/components/schemas/{name}")})
    }

    pub(super) fn into_definitions(mut self) -> Map<String, Value> {
        self.0.take_definitions(true)
    }
}

/// The id of something of a platform's: bounded, without control characters.
pub(super) fn platform_id(description: &str) -> Value {
    json!({
        "type": "string", "minLength": 1, "maxLength": MAX_PLATFORM_ID,
        "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]+$", "description": description,
    })
}
