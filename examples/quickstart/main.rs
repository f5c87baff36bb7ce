//! The quick start of the README; run it in this directory.

use greentic_runner_host::{Activity, HostBuilder, HostConfig};
#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = HostConfig::load_from_path("./bindings/customera.yaml")?;
    let host = HostBuilder::new().with_config(config).build()?;
    host.start().await?;
    host.load_pack("customera", "./packs/customera/index.ygtc".as_ref()).await?;
    let activity = Activity::text("hello").with_tenant("customera").from_user("u-1");
    let replies = host.handle_activity("customera", activity).await?;
    for reply in replies {
        println!("reply: {}", reply.payload());
    }
    host.stop().await?;
    Ok(())
}
