//! `greentic:component/control`, the same in each of its versions

use std::time::Instant;

use greentic_runner_bindings::imports::{control_v0_4, control_v0_5, control_v0_6};
use wasmtime::component::Val;

use super::calls::Function;
use super::context::HostCtx;
use super::served::{Arguments, Reply, Served};

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
    ($($served:ident, $version:ident = $interface:literal;)+) => {$(
        impl $version::Host for HostCtx {
            fn should_cancel(&mut self) -> wasmtime::Result<bool> {
                HostCtx::should_cancel(self, $interface)
            }

            async fn yield_now(&mut self) -> wasmtime::Result<()> {
                HostCtx::yield_now(self, $interface).await
            }
        }

        /// The functions for components that ask for another patch version.
        pub(super) const $served: &[Served] = {
            fn should_cancel<'a>(ctx: &'a mut HostCtx, _: Arguments<'a>) -> Reply<'a> {
                Box::pin(async move { Ok(Some(Val::Bool(ctx.should_cancel($interface)?))) })
            }

            fn yield_now<'a>(ctx: &'a mut HostCtx, _: Arguments<'a>) -> Reply<'a> {
                Box::pin(async move { ctx.yield_now($interface).await.map(|()| None) })
            }

            &[
                Served { name: "should-cancel", reads: &[], call: should_cancel },
                Served { name: "yield-now", reads: &[], call: yield_now },
            ]
        };
    )+};
}

control! {
    SERVED_0_4, control_v0_4 = "greentic:component/control@0.4.0";
    SERVED_0_5, control_v0_5 = "greentic:component/control@0.5.0";
    SERVED_0_6, control_v0_6 = "greentic:component/control@0.6.0";
}
