//! Cards that a node names: looked up at load, so that what is missing is said then.

use serde_json::Value;

use crate::error::Code;
use crate::flow::cards::{Problem, parts};
use crate::flow::compile::node::Compiler;
use crate::id;

/// Checks the assets that a payload names, where it names them without templates.
pub(super) fn check(compiler: &mut Compiler<'_>, payload: &Value) {
    for part in parts(payload) {
        for (path, found) in compiler.cards.named(part) {
            let shown = id::clip(&path);
            match found {
                Ok(()) => {}
                Err(Problem::Escapes) => compiler.findings.wrong(
                    Code::AssetPath,
                    &format!("the asset path {shown:?} leads out of the pack"),
                    "name the asset by its path in the pack, such as `assets/cards/hello.json`",
                ),
                Err(Problem::Missing) => compiler.findings.odd(
                    Code::AssetMissing,
                    &format!("the pack has no asset {shown:?}"),
                    "put the file below `assets/`; as it is, the component gets the path and no card",
                ),
                Err(Problem::NotJson) => compiler.findings.odd(
                    Code::AssetMissing,
                    &format!("the asset {shown:?} is no JSON that can be inserted"),
                    "correct the file; as it is, the component gets the path and no card",
                ),
            }
        }
    }
}
