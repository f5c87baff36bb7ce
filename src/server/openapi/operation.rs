//! One operation of the document.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::describe::JSON;
use super::schemas::Schemas;
use crate::error::{Code, Kind};
use crate::server::answer;

/// What a method of a path does.
pub(in crate::server) struct Operation {
    id: String,
    summary: String,
    tag: &'static str,
    parameters: Vec<Value>,
    body: Option<Value>,
    security: Option<Value>,
    /// By status, or `default`.
    answers: BTreeMap<String, Answer>,
}

#[derive(Default)]
struct Answer {
    description: &'static str,
    content: Option<(&'static str, Value)>,
    headers: Option<Value>,
    links: Option<Value>,
    /// The codes of the errors that have this status.
    errors: Vec<Code>,
}

impl Operation {
    pub(super) fn new(id: &str, summary: impl Into<String>) -> Self {
        Self {
            id: id.to_owned(),
            summary: summary.into(),
            tag: "",
            parameters: Vec::new(),
            body: None,
            security: None,
            answers: BTreeMap::new(),
        }
    }

    pub(super) fn tag(mut self, tag: &'static str) -> Self {
        self.tag = tag;
        self
    }

    pub(super) fn security(mut self, security: &Value) -> Self {
        self.security = Some(security.clone());
        self
    }

    /// A parameter in `place` (`path`, `query`, `header`); those of the path are required.
    pub(super) fn parameter(mut self, place: &str, name: &str, schema: &Value) -> Self {
        self.parameters.push(json!({"name": name, "in": place, "required": place == "path", "schema": schema}));
        self
    }

    /// The same operation under `/t/{tenant}`.
    pub(super) fn of_named_tenant(mut self) -> Self {
        self.id.push_str("OfTenant");
        let schema = json!({
            "type": "string", "pattern": "^[A-Za-z0-9._-]+$", "maxLength": crate::id::MAX_LEN,
            "description": "The tenant.", "examples": ["demo"],
        });
        self.parameter("path", "tenant", &schema)
    }

    /// The body that is sent, by media type.
    pub(super) fn body(mut self, required: bool, content: &Value) -> Self {
        self.body = Some(json!({"required": required, "content": content}));
        self
    }

    pub(super) fn answer(
        mut self,
        status: &str,
        description: &'static str,
        content: Option<(&'static str, Value)>,
    ) -> Self {
        let answer = self.answers.entry(status.to_owned()).or_default();
        answer.description = description;
        answer.content = content;
        self
    }

    /// Headers of an answer.
    pub(super) fn headers(mut self, status: &str, headers: Value) -> Self {
        self.answers.entry(status.to_owned()).or_default().headers = Some(headers);
        self
    }

    /// How an answer leads to other operations.
    pub(super) fn links(mut self, status: &str, links: Value) -> Self {
        self.answers.entry(status.to_owned()).or_default().links = Some(links);
        self
    }

    /// Errors that it can end with.
    pub(super) fn errors(mut self, codes: &[Code]) -> Self {
        for &code in codes {
            let errors = &mut self.answers.entry(answer::status(code).as_str().to_owned()).or_default().errors;
            if !errors.contains(&code) {
                errors.push(code);
            }
        }
        self
    }

    /// As it stands in the document; `method` makes its name a name of its own where several do the same.
    pub(super) fn into_value(self, method: Option<&str>, schemas: &mut Schemas) -> Value {
        let id = method.map_or_else(|| self.id.clone(), |method| format!("{}_{method}", self.id));
        let mut operation = Map::new();
        operation.insert("operationId".into(), id.into());
        operation.insert("summary".into(), self.summary.into());
        operation.insert("tags".into(), json!([self.tag]));
        if !self.parameters.is_empty() {
            operation.insert("parameters".into(), self.parameters.into());
        }
        // These methods have no bodies.
        if !matches!(method, Some("get" | "head" | "trace")) {
            operation.extend(self.body.map(|body| ("requestBody".to_owned(), body)));
        }
        let is_head = method == Some("head");
        let answers = self.answers.into_iter().map(|(status, answer)| (status, answer.into_value(is_head, schemas)));
        operation.insert("responses".into(), Value::Object(answers.collect()));
        operation.extend(self.security.map(|security| ("security".to_owned(), security)));
        Value::Object(operation)
    }
}

impl Answer {
    fn into_value(self, is_head: bool, schemas: &mut Schemas) -> Value {
        let mut errors = self.errors;
        errors.sort_by_key(|code| code.number());
        let listed = errors.iter().map(|code| format!("{code}: {}", code.title())).collect::<Vec<_>>().join(" ");
        let parts = [self.description, &listed].into_iter().filter(|part| !part.is_empty());
        let mut answer = Map::new();
        answer.insert("description".into(), parts.collect::<Vec<_>>().join(" ").into());
        let mut headers = self.headers.and_then(|headers| headers.as_object().cloned()).unwrap_or_default();
        if errors.iter().any(|code| code.kind() == Kind::Unavailable) {
            headers.insert("Retry-After".into(), json!({"schema": {"type": "string"}}));
        }
        if errors.iter().any(|code| answer::status(*code) == http::StatusCode::UNAUTHORIZED) {
            headers.insert("WWW-Authenticate".into(), json!({"schema": {"type": "string"}}));
        }
        if !headers.is_empty() {
            answer.insert("headers".into(), headers.into());
        }
        let (problems, plain): (Vec<Code>, Vec<Code>) = errors.iter().partition(|code| answer::is_problem(**code));
        let error = (!plain.is_empty()).then(|| (JSON, schemas.error()));
        let content = match (self.content, error) {
            (Some((JSON, schema)), Some((_, error))) => [Some((JSON, json!({"anyOf": [schema, error]}))), None],
            (content, error) => [content, error],
        };
        let problem = (!problems.is_empty()).then(|| (answer::PROBLEM_JSON, schemas.problem()));
        let contents: Map<String, Value> = content
            .into_iter()
            .flatten()
            .chain(problem)
            .map(|(media, schema)| (media.to_owned(), json!({ "schema": schema })))
            .collect();
        if !contents.is_empty() && !is_head {
            answer.insert("content".into(), contents.into());
        }
        answer.extend(self.links.map(|links| ("links".to_owned(), links)));
        Value::Object(answer)
    }
}
