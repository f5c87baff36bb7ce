//! A router of tools, in its version of 2025-03-26. `tool-kit` tells what they do.

wit_bindgen::generate!({ path: "../../wit/mcp-25.3.26", world: "mcp-router" });

use exports::wasix::mcp::router::*;
use tool_kit::{ADD_SCHEMA, Fault, TOOLS, run};

struct Router;

impl Guest for Router {
    fn name() -> String {
        "tools".to_owned()
    }

    fn instructions() -> String {
        "Add numbers.".to_owned()
    }

    fn capabilities() -> ServerCapabilities {
        ServerCapabilities { prompts: None, resources: None, tools: None, completions: None }
    }

    fn list_tools() -> Vec<Tool> {
        let tool = |(name, description): &(&str, &str)| Tool {
            name: (*name).to_owned(),
            description: (*description).to_owned(),
            input_schema: Value { json: ADD_SCHEMA.to_owned() },
            output_schema: None,
            annotations: None,
            meta: None,
        };
        TOOLS.iter().map(tool).collect()
    }

    fn call_tool(tool_name: String, arguments: Value) -> Result<CallToolResult, ToolError> {
        let value = match run(&tool_name, &arguments.json) {
            // Some routers mark a failure in the result.
            Err(Fault::Failed(message)) => return Ok(result(message, Some(true))),
            value => value.map_err(error)?,
        };
        Ok(result(value.to_string(), None))
    }

    fn list_resources() -> Vec<McpResource> {
        Vec::new()
    }

    fn read_resource(uri: String) -> Result<ReadResourceResult, ResourceError> {
        Err(ResourceError::NotFound(uri))
    }

    fn list_prompts() -> Vec<Prompt> {
        Vec::new()
    }

    fn get_prompt(prompt_name: String) -> Result<GetPromptResult, PromptError> {
        Err(PromptError::NotFound(prompt_name))
    }

    fn complete(_request: CompletionRequest) -> Result<CompletionResponse, CompletionError> {
        Err(CompletionError::NotFound("nothing to complete".to_owned()))
    }
}

fn result(text: String, is_error: Option<bool>) -> CallToolResult {
    let annotations = Annotations { audience: Some(vec![Role::User]), priority: None, timestamp: None };
    let text = TextContent { text, annotations: Some(annotations) };
    let meta = Some(vec![MetaEntry { key: "by".to_owned(), value: "router".to_owned() }]);
    CallToolResult { content: vec![Content::Text(text)], progress: None, meta, is_error }
}

fn error(fault: Fault) -> ToolError {
    match fault {
        Fault::Unknown(message) => ToolError::NotFound(message),
        Fault::Arguments(message) => ToolError::InvalidParameters(message),
        Fault::Failed(message) => ToolError::ExecutionError(message),
    }
}

export!(Router);
