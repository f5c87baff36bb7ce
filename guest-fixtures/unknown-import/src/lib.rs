//! A node that imports an interface that the host lacks, and must be refused by name when it is loaded.

wit_bindgen::generate!({
    inline: "
        package acme:billing@1.0.0;

        interface ledger {
            post: func(account: string, cents: s64) -> result<_, string>;
        }

        world guest {
            import ledger;
        }
    ",
});

use acme::billing::ledger;
use node_kit::{Failure, Operation, Operations, Value, json, number};

struct UnknownImport;

impl Operations for UnknownImport {
    const NAME: &'static str = "unknown-import";
    const ALL: &'static [Operation] = &[("post", "Posts `cents`")];

    fn call(_op: &str, input: Value) -> Result<Value, Failure> {
        let cents = number(&input, "cents", 0) as i64;
        ledger::post("main", cents).map_err(|message| Failure::new("ledger", message))?;
        Ok(json!({ "posted": cents }))
    }
}

node_kit::export!(UnknownImport);
