//! A node that calls tools by each interface there is for them, in the name of somebody else where it can.

wit_bindgen::generate!({
    path: [
        "../../wit/interfaces-types-0.1.0",
        "../../wit/types-core-0.4.0",
        "../../wit/host-1.0.0",
        "../../wit/host-import-0.2.0",
        "../../wit/host-import-0.6.0",
    ],
    inline: "
        package fixture:tool-user;

        world guest {
            import greentic:host/kv-v1@1.0.0;
            import greentic:host-import/imports@0.2.0;
            import greentic:host-import/mcp@0.6.0;
        }
    ",
    generate_all,
});

use greentic::host::kv_v1;
use greentic::host_import0_2_0::imports;
use greentic::host_import0_6_0::mcp;
use node_kit::{Failure, Operation, Operations, Value, json, text};

struct ToolUser;

impl Operations for ToolUser {
    const NAME: &'static str = "tool-user";
    const ALL: &'static [Operation] = &[
        ("call", "Calls `action` of `tool` with `args` by the interface `by`"),
        ("count", "Counts in the store, and has the tool `tool` count there too"),
    ];

    fn call(op: &str, input: Value) -> Result<Value, Failure> {
        let tool = text(&input, "tool")?;
        if op == "count" {
            kv_v1::put("tool", "count", "41");
            let by_tool = outcome(mcp::exec(tool, "bump", "{}", None).map_err(|error| format!("{error:?}")));
            return Ok(json!({ "by_tool": by_tool, "seen": kv_v1::get("tool", "count") }));
        }
        let (action, args) = (text(&input, "action")?, text(&input, "args")?);
        Ok(match text(&input, "by")? {
            "host-import@0.2.0" => {
                outcome(imports::tool_invoke(tool, action, args, None).map_err(|error| format!("{error:?}")))
            }
            _ => outcome(mcp::exec(tool, action, args, None).map_err(|error| format!("{error:?}"))),
        })
    }
}

fn outcome(answer: Result<String, String>) -> Value {
    match answer {
        Ok(text) => json!({ "ok": text }),
        Err(error) => json!({ "error": error }),
    }
}

node_kit::export!(ToolUser);
