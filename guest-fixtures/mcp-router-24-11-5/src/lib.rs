//! A router of tools, in its version of 2024-11-05. `tool-kit` tells what they do.

wit_bindgen::generate!({ path: "../../wit/mcp-24.11.5", world: "mcp-router" });

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
        ServerCapabilities { prompts: None, resources: None, tools: None }
    }

    fn list_tools() -> Vec<Tool> {
        let tool = |(name, description): &(&str, &str)| Tool {
            name: (*name).to_owned(),
            description: (*description).to_owned(),
            input_schema: Value { json: ADD_SCHEMA.to_owned() },
            output_schema: None,
            output: None,
            config: None,
            secrets: None,
        };
        TOOLS.iter().map(tool).collect()
    }

    fn call_tool(tool_name: String, arguments: Value) -> Result<CallToolResult, ToolError> {
        let value = run(&tool_name, &arguments.json).map_err(error)?;
        let text = TextContent { text: value.to_string(), annotations: None };
        Ok(CallToolResult { content: vec![Content::Text(text)], output: Some(value.to_string()), is_error: None })
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

    fn list_config() -> Vec<ConfigDescriptor> {
        Vec::new()
    }

    fn list_secrets() -> Vec<SecretDescriptor> {
        Vec::new()
    }
}

fn error(fault: Fault) -> ToolError {
    match fault {
        Fault::Unknown(message) => ToolError::NotFound(message),
        Fault::Arguments(message) => ToolError::InvalidParameters(message),
        Fault::Failed(message) => ToolError::ExecutionError(message),
    }
}

export!(Router);
