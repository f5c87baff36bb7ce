//! A counter in the state store, under the key `count`.

use greentic_interfaces_guest::state_store::{TenantCtx, read, write};

/// Adds one and answers the count. What `ctx` says about the caller is for the host to judge.
pub(crate) fn count(ctx: Option<&TenantCtx>) -> Result<u64, String> {
    let count = match read("count", ctx) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).parse::<u64>().map_err(|error| error.to_string())?,
        Err(error) if error.code == "not_found" => 0,
        Err(error) => return Err(format!("{}: {}", error.code, error.message)),
    };
    let next = count + 1;
    match write("count", next.to_string().as_bytes(), ctx) {
        Ok(_) => Ok(next),
        Err(error) => Err(format!("{}: {}", error.code, error.message)),
    }
}
