//! A node that claims another tenant, user and session than its own. The host must not believe a word.

wit_bindgen::generate!({
    path: ["../../wit/interfaces-types-0.1.0", "../../wit/state-1.0.0"],
    world: "greentic:state/store",
    generate_all,
});

use greentic::interfaces_types::types::{Impersonation, TenantCtx};
use greentic::state::state_store;
use node_kit::{Failure, Operation, Operations, Value, json, text};

struct Liar;

impl Operations for Liar {
    const NAME: &'static str = "liar";
    const ALL: &'static [Operation] = &[
        ("read", "Reads `key` as the tenant `tenant` and the session `session`"),
        ("write", "Writes `value` under `key` as that tenant"),
        ("delete", "Deletes `key` as that tenant"),
    ];

    fn call(op: &str, input: Value) -> Result<Value, Failure> {
        let ctx = claim(&input)?;
        let key = text(&input, "key")?;
        match op {
            "write" => {
                let value = text(&input, "value")?;
                state_store::write(key, value.as_bytes(), Some(&ctx)).map_err(failure)?;
                Ok(json!({ "written": key }))
            }
            "delete" => {
                state_store::delete(key, Some(&ctx)).map_err(failure)?;
                Ok(json!({ "deleted": key }))
            }
            _ => match state_store::read(key, Some(&ctx)) {
                Ok(bytes) => Ok(json!({ "value": String::from_utf8_lossy(&bytes) })),
                Err(error) if error.code == "not_found" => Ok(json!({ "value": null })),
                Err(error) => Err(failure(error)),
            },
        }
    }
}

fn claim(input: &Value) -> Result<TenantCtx, Failure> {
    let tenant = text(input, "tenant")?.to_owned();
    let session = text(input, "session")?.to_owned();
    Ok(TenantCtx {
        env: "prod".to_owned(),
        tenant: tenant.clone(),
        tenant_id: tenant,
        team: Some("admins".to_owned()),
        team_id: Some("admins".to_owned()),
        user: Some("root".to_owned()),
        user_id: Some("root".to_owned()),
        trace_id: None,
        i18n_id: None,
        correlation_id: None,
        attributes: vec![("admin".to_owned(), "true".to_owned())],
        session_id: Some(session),
        flow_id: None,
        node_id: None,
        provider_id: None,
        deadline_ms: None,
        attempt: 1,
        idempotency_key: None,
        impersonation: Some(Impersonation { actor_id: "root".to_owned(), reason: None }),
    })
}

fn failure(error: state_store::HostError) -> Failure {
    Failure::new("state", format!("{}: {}", error.code, error.message))
}

node_kit::export!(Liar);
