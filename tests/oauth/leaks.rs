//! A component that tells its tokens to everybody: what it logs, reports and fails with, and how the host is asked about it
//! afterwards, hold none of them.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use greentic_runner_host::telemetry::{Protocol, Telemetry, TelemetryConfig};
use serde_json::json;

use crate::collector::Collector;
use crate::direct::{back, block};
use crate::peer::{Peer, Reply};
use crate::shelf::{Said, Shelf};
use crate::world::{KEY, PUBLIC, World, log, log_beside};

/// What an operator can look at.
const ADMIN: [&str; 8] =
    ["dead-letters", "undelivered", "packs/status", "channels", "grants", "providers", "providers/health", "timers"];

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_tells_its_tokens_to_everybody_is_not_repeated() {
    let collector = Collector::start().await;
    let config = TelemetryConfig::to(&format!("http://{}", collector.address), Protocol::Http);
    let telemetry = Telemetry::start(&config).unwrap();
    log_beside(Some(telemetry.layer()));
    let peer = Peer::start(|_| {
        Reply::Json(
            200,
            json!({"access_token": "canary-access-token", "refresh_token": "canary-refresh-token", "expires_in": 3600,
                "id_token": "canary-id-token-of-somebody", "authed_user": {"access_token": "canary-token-of-a-user"}}),
        )
    })
    .await;
    let shelf =
        Shelf::of(&[("t", "OAUTH_KEY", Said::Values(&[KEY])), ("t", "CLIENT", Said::Values(&["canary-client"]))]);
    let sending = telemetry.clone();
    let world = World::over(&[&block(&peer)], shelf, |builder| builder.with_telemetry(sending)).await;
    let url = world.consent("p", "u", &[], "").await;
    assert_eq!(world.browse(&back(&url, "&code=canary-code-of-a-browser")).await.0, 200);

    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
    let input = json!({"provider": "p", "subject": "u", "code": "canary-code-of-a-guest", "now": now});
    let error = world.try_run("t", "leak", input).await.unwrap_err();
    assert!(format!("{error:?}").contains("it is [redacted], [redacted], [redacted]"), "{error:?}");

    // The component told what it was to tell, and each way was looked at.
    let said = log().text();
    for part in ["note=it is [redacted]", "get-token", "exchange-code"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let letters = world.host.store().dead_letters(None, 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    let stored = letters.iter().map(|letter| {
        // Apart from what was said to the flow, which is the tenant's own.
        let (event, failure) = (String::from_utf8_lossy(&letter.payload), format!("{:?}", letter.failure));
        format!("{}{failure}", event.replace("canary-code-of-a-guest", ""))
    });
    let stored: String = stored.collect();
    let mut shown = String::new();
    for place in ADMIN {
        let (status, answer) = world.browse(&format!("{PUBLIC}/admin/{place}")).await;
        assert_eq!(status, 200, "{place}: {answer}");
        shown.push_str(&answer);
    }
    assert!(shown.contains("GRH-"), "the failure is among it: {shown}");
    let traced = world.traced.text();
    world.host.stop().await.unwrap();
    let host = Arc::clone(&world.host);
    let debug = format!("{host:?}");
    drop((world, host));
    assert!(telemetry.stop(Duration::from_secs(30)));
    let collected = collector.collected();
    assert!(collected.hold("guest span of [redacted]"), "the component's span was exported");
    assert!(collected.hold("note=it is [redacted]"), "and its record");
    assert!(!collected.hold("canary"), "it was exported");
    for (name, text) in [("log", said), ("trace", traced), ("dead letter", stored), ("admin", shown), ("debug", debug)]
    {
        assert!(!text.contains("canary"), "{name}: {text}");
    }
}
