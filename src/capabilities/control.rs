//! `greentic:component/control`, the same in each of its versions

use std::time::Instant;

use greentic_runner_bindings::imports::{control_v0_4, control_v0_5, control_v0_6};

use super::calls::Function;
use super::context::HostCtx;

impl HostCtx {
    /// True when the time is nearly up, so that the guest can end in an orderly way before it is ended.
    fn should_cancel(&mut self, interface: &'static str) -> wasmtime::Result<bool> {
        let begun = self.begin(Function { interface, name: "should-cancel" }, 0)?;
        let cancel = Instant::now() >= self.cancel_at;
        self.calls.end(begun, true, "");
        Ok(cancel)
    }

    /// Lets other invocations run.
    async fn yield_now(&mut self, interface: &'static str) -> wasmtime::Result<()> {
        let begun = self.begin(Function { interface, name: "yield-now" }, 0)?;
        tokio::task::yield_now().await;
        self.calls.end(begun, true, "");
        Ok(())
    }
}

macro_rules! control {
    ($($version:ident = $interface:literal;)+) => {$(
        impl $version::Host for HostCtx {
            fn should_cancel(&mut self) -> wasmtime::Result<bool> {
                HostCtx::should_cancel(self, $interface)
            }

            async fn yield_now(&mut self) -> wasmtime::Result<()> {
                HostCtx::yield_now(self, $interface).await
            }
        }
    )+};
}

control! {
    control_v0_4 = "greentic:component/control@0.4.0";
    control_v0_5 = "greentic:component/control@0.5.0";
    control_v0_6 = "greentic:component/control@0.6.0";
}
