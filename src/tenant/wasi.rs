//! What bindings grant of WASI, with the values that this process has.

use crate::capabilities::wasi::WasiGrants;
use crate::config::WasiPolicy;

/// The longest value of a variable that is passed on, in bytes.
const MAX_VALUE: usize = 32 << 10;

/// What `policy` grants. A variable that is not set, is no text, or is too long is left out.
pub(super) fn granted(policy: &WasiPolicy) -> WasiGrants {
    let value = |name: &String| Some((name.clone(), value(name)?));
    WasiGrants { stdout: policy.stdout, stderr: policy.stderr, env: policy.env.iter().filter_map(value).collect() }
}

fn value(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| value.len() <= MAX_VALUE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_are_not_there_are_left_out() {
        let env = ["CARGO_PKG_NAME", "GREENTIC_NOBODY_SETS_THIS"].map(str::to_owned).into();
        let granted = granted(&WasiPolicy { stdout: true, env, ..WasiPolicy::default() });
        assert_eq!(granted.env, [("CARGO_PKG_NAME".to_owned(), env!("CARGO_PKG_NAME").to_owned())]);
        assert!(granted.stdout && !granted.stderr);
        let shown = format!("{granted:?}");
        assert!(shown.contains("CARGO_PKG_NAME") && !shown.contains(env!("CARGO_PKG_NAME")), "{shown}");
    }
}
