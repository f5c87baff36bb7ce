//! A node that works until it is asked to stop, and lets others run meanwhile.

wit_bindgen::generate!({
    path: ["../../wit/types-core-0.6.0", "../../wit/component-0.6.0"],
    inline: "
        package fixture:control-user;

        world guest {
            import greentic:component/control@0.6.0;
        }
    ",
    generate_all,
});

use greentic::component::control;
use node_kit::{Failure, Operation, Operations, Value, json, number};

struct ControlUser;

impl Operations for ControlUser {
    const NAME: &'static str = "control-user";
    const ALL: &'static [Operation] =
        &[("work", "Yields up to `rounds` times and answers how often, and why it ended")];

    fn call(_op: &str, input: Value) -> Result<Value, Failure> {
        let rounds = number(&input, "rounds", 1);
        for done in 0..rounds {
            if control::should_cancel() {
                return Ok(json!({ "rounds": done, "cancelled": true }));
            }
            control::yield_now();
        }
        Ok(json!({ "rounds": rounds, "cancelled": false }))
    }
}

node_kit::export!(ControlUser);
