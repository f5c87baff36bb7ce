//! A router of tools, in its version of 2025-06-18. `tool-kit` tells what they do.

wit_bindgen::generate!({ path: "../../wit/mcp-25.6.18", world: "mcp-router" });

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

    fn title() -> Option<String> {
        Some("Tools".to_owned())
    }

    fn describe_server() -> ServerDescription {
        ServerDescription {
            name: Self::name(),
            title: Self::title(),
            capabilities: ServerCapabilities { prompts: None, resources: None, tools: None, completions: None },
            resources: None,
            resource_metadata: None,
            meta: None,
        }
    }

    fn list_tools() -> Vec<Tool> {
        let tool = |(name, description): &(&str, &str)| Tool {
            name: (*name).to_owned(),
            title: None,
            description: (*description).to_owned(),
            input_schema: ADD_SCHEMA.to_owned(),
            output_schema: None,
            annotations: Some(ToolAnnotations {
                read_only: Some(true),
                destructive: None,
                streaming: None,
                experimental: None,
            }),
            meta: None,
        };
        TOOLS.iter().map(tool).collect()
    }

    fn call_tool(tool_name: String, arguments: Json) -> Result<Response, ToolError> {
        if tool_name == "ask" {
            return Ok(Response::Elicit(ElicitationRequest {
                title: None,
                message: "which city?".to_owned(),
                schema: "{}".to_owned(),
                annotations: None,
                meta: None,
            }));
        }
        let value = run(&tool_name, &arguments).map_err(error)?;
        let text = TextContent { text: value.to_string(), annotations: None };
        Ok(Response::Completed(ToolResult {
            content: vec![ContentBlock::Text(text)],
            structured_content: Some(value.to_string()),
            progress: None,
            meta: None,
            is_error: Some(false),
        }))
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

fn error(fault: Fault) -> ToolError {
    match fault {
        Fault::Unknown(message) => ToolError::NotFound(message),
        Fault::Arguments(message) => ToolError::InvalidParameters(message),
        Fault::Failed(message) => ToolError::ExecutionError(message),
    }
}

export!(Router);
