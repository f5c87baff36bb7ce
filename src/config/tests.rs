//! Bindings files: what is read from good ones, and what is said about bad ones.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::capabilities::grants::Grant;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The YAML files under `dir`, in the order of their names, with their texts.
fn cases(dir: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut dirs = vec![root().join(dir)];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(&dir).into_iter().flatten().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                dirs.push(entry);
            } else if entry.extension().is_some_and(|e| e == "yaml") {
                let name = entry.strip_prefix(root()).unwrap().display().to_string();
                found.push((name, fs::read_to_string(&entry).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn examples() -> Vec<(String, String)> {
    cases("examples").into_iter().filter(|(name, _)| name.contains("/bindings/")).collect()
}

fn read(text: &str) -> HostConfig {
    HostConfig::from_yaml(text, "test.yaml").unwrap()
}

fn json(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

#[test]
fn reads_every_section() {
    let full = fs::read_to_string(root().join("tests/bindings/valid/full.yaml")).unwrap();
    let config = read(&full);
    assert_eq!(&**config.tenant(), "acme");
    assert_eq!(config.file(), Some("test.yaml"));
    let messaging = config.messaging_binding().unwrap();
    assert_eq!((messaging.adapter, &messaging.config["poll"]), ("webchat", &Value::Bool(false)));
    assert_eq!(config.flow_types().map(|(name, _)| name).collect::<Vec<_>>(), ["messaging", "webhook", "event"]);
    assert_eq!(config.flow_type("webhook").unwrap().config["anything"]["goes"][1], 1);
    let secrets = config.secrets_policy();
    assert_eq!(secrets.names().collect::<Vec<_>>(), ["HOOK_KEY", "TELEGRAM_BOT_TOKEN"]);
    assert!(secrets.allows("HOOK_KEY") && !secrets.allows("OTHER"));
    assert_eq!(config.rate_limits(), RateLimits { messaging_send_qps: 5, messaging_burst: 7 });
    let retry = config.retry_config();
    assert_eq!(retry, RetryPolicy { max_attempts: 1, base_delay: Duration::from_millis(50) }, "raised to the least");
    let timers: Vec<_> = config.timers().iter().map(Timer::to_string).collect();
    let timers_read = [
        "nightly: flow nightly at 0 0 5 * * * (UTC), catch_up once, overlap skip",
        "later: flow nightly at 30 0 6 * * 1-5 2026-2030 (Europe/Berlin), catch_up skip, overlap queue",
    ];
    assert_eq!(timers, timers_read);
    let oauth = config.oauth_broker_config(&Id::from("local")).unwrap();
    assert_eq!(
        (&*oauth.env, oauth.team.as_deref(), oauth.nats_url.as_deref()),
        ("prod", Some("platform"), Some("nats://oauth-broker:4222"))
    );
    let operator = config.operator_policy();
    assert!(operator.allows("mail", "send") && !operator.allows("mail", "drop") && !operator.allows("sms", "send"));
    assert_eq!(
        config.limits(),
        Limits {
            memory_bytes: 32 << 20,
            timeout: Duration::from_secs(2),
            output_bytes: 500_000,
            handles: 10,
            host_call_bytes: 1 << 20,
            host_calls: 20,
            state_bytes: 64 << 10,
        }
    );
    assert_eq!(
        config.run_limits(),
        RunLimits { steps: 30, call_depth: 4, run_bytes: 1 << 20, event_deadline: Duration::from_secs(90), queue: 50 }
    );
    assert_eq!(config.wait_ttl(), Duration::from_secs(12 * 3_600));
    assert_eq!(
        config.grants(),
        [Grant::Kv, Grant::Telemetry, Grant::Http, Grant::Secrets, Grant::OAuth].into_iter().collect(),
        "no state: the store is not allowed"
    );
    let asked = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>();
    assert_eq!(
        config.outbound(),
        outbound::Policy {
            enabled: true,
            allow: asked(&["https://api.example.com", "https://*.example.org:8443", "http://localhost:9000"]),
            allow_private: vec!["packs.internal".parse().unwrap(), "10.1.0.0/16".parse().unwrap()],
            insecure: asked(&["https://dev.example.org"]),
            timeout: Duration::from_secs(5),
            max_request: 64 << 10,
            max_response: 2 << 20,
            max_redirects: 0,
            concurrency: 3,
        }
    );
    assert_eq!(config.provider_config("mail").unwrap()["from"], "bot@example.org");
    assert_eq!(config.configured_providers().collect::<Vec<_>>(), ["mail"]);
    assert!(config.strict_packs());
    assert_eq!(config.overlay_grants(Grants::none()), Grants::none().with(Grant::Kv));
    let main = Grants::none().with(Grant::Telemetry).with(Grant::State);
    assert_eq!(config.overlay_grants(main), [Grant::Kv, Grant::Telemetry].into_iter().collect());
}

#[test]
fn has_the_promised_defaults() {
    let minimal = read("tenant: demo");
    for config in [minimal, HostConfig::for_tenant(Id::from("demo"))] {
        assert_eq!(&**config.tenant(), "demo");
        assert!(config.messaging_binding().is_none() && config.webhook_policy().is_none());
        assert_eq!(config.rate_limits(), RateLimits { messaging_send_qps: 10, messaging_burst: 20 });
        assert_eq!(config.retry_config(), RetryPolicy { max_attempts: 3, base_delay: Duration::from_millis(250) });
        assert_eq!(config.limits(), Limits::default());
        assert_eq!(config.run_limits(), RunLimits::default());
        assert_eq!(config.wait_ttl(), Duration::from_secs(604_800));
        let without_blocks = Grants::all().without(Grant::OAuth).without(Grant::Mcp);
        assert_eq!(config.grants(), without_blocks, "some take a block of their own");
        assert_eq!(config.outbound(), outbound::Policy::default());
        assert!(config.operator_policy().allows("any", "op"));
        assert!(config.oauth_broker_config(&Id::from("local")).is_none());
        assert!(config.provider_config("mail").is_none() && !config.strict_packs() && config.notes().is_empty());
    }
}

#[test]
fn the_oauth_block_falls_back_to_the_environment() {
    let config = read(
        "tenant: demo\noauth: { http_base_url: https://oauth.api.greentic.net/, nats_url: nats://oauth-broker:4222, \
         provider: greentic.oauth.default }",
    );
    for env in ["local", "staging"] {
        assert_eq!(&*config.oauth_broker_config(&Id::from(env)).unwrap().env, env);
    }
}

#[test]
fn the_oauth_block_is_the_grant() {
    let granted = |more: &str| read(&format!("tenant: t\n{more}")).grants().has(Grant::OAuth);
    let block = "oauth: { http_base_url: https://broker.example.com }";
    assert!(granted(block) && granted(&format!("{block}\ngrants: [state]")));
    assert!(!granted("") && !granted("grants: [state]"));
}

#[test]
fn providers_are_read_with_their_defaults() {
    let config = read(
        "tenant: t\noauth:\n  public_url: https://bots.example.com/base\n  providers:\n    \
         github: { authorization_url: https://a.example/auth, token_url: https://a.example/token, client_id: bot,\n      \
         client_secret: GITHUB, client_auth: post, scopes: [repo], authorization_params: { prompt: consent } }\n",
    );
    let oauth = config.oauth_broker_config(&Id::from("local")).unwrap();
    assert_eq!((oauth.provider.as_deref(), &*oauth.key), (Some("github"), "OAUTH_KEY"), "the only one is the default");
    assert_eq!(oauth.public_url.as_ref().unwrap().as_str(), "https://bots.example.com/base/");
    let github = &oauth.providers["github"];
    assert!(github.secret_in_body && !oauth.has_broker());
    assert_eq!((github.client_secret.as_deref(), &*github.scopes), (Some("GITHUB"), &["repo".to_owned()][..]));
    assert_eq!(github.authorization_params["prompt"], "consent");
}

#[test]
fn webhook_rules_are_prefixes_and_denial_wins() {
    let rules = |config: &str| {
        let text = format!("tenant: t\nflow_type_bindings: {{ webhook: {{ adapter: generic, config: {config} }} }}");
        read(&text).webhook_policy().unwrap().clone()
    };
    let open = rules("{}");
    assert!(open.allows("/webhook/a") && open.allows("/anything"));
    let narrow = rules("{ allow_paths: [/webhook/a, /webhook/b], deny_paths: [/webhook/a/secret] }");
    for (path, is_allowed) in [
        ("/webhook/a", true),
        ("/webhook/abc", true),
        ("/webhook/b/c", true),
        ("/webhook/c", false),
        ("/x/webhook/a", false),
        ("/webhook/a/secret", false),
        ("/webhook/a/secrets", false),
        ("", false),
    ] {
        assert_eq!(narrow.allows(path), is_allowed, "{path}");
    }
    let denied = rules("{ deny_paths: [/webhook/x] }");
    assert!(denied.allows("/webhook/a") && !denied.allows("/webhook/x"));
}

#[test]
fn operator_lists_narrow_each_on_its_own() {
    let policy = |lists: &str| read(&format!("tenant: t\noperator: {lists}")).operator_policy();
    assert!(policy("{ allowed_providers: [mail] }").allows("mail", "any"));
    assert!(!policy("{ allowed_providers: [mail] }").allows("sms", "any"));
    let ops = policy("{ allowed_ops: { mail: [send] } }");
    assert!(ops.allows("mail", "send") && !ops.allows("mail", "drop") && !ops.allows("sms", "send"));
}

#[test]
fn notes_what_has_no_effect() {
    let full = fs::read_to_string(root().join("tests/bindings/valid/full.yaml")).unwrap();
    let notes: Vec<_> = read(&full).notes().iter().map(Note::to_string).collect();
    insta::assert_snapshot!(notes.join("\n"));
    assert!(read("tenant: t\nflow_type_bindings: { messaging: { adapter: webchat } }\ntimers: []").notes().is_empty());
}

#[test]
fn says_all_that_is_wrong_and_where() {
    let cases = cases("tests/bindings/invalid");
    assert!(cases.len() > 10);
    let said: Vec<_> = cases
        .iter()
        .map(|(name, text)| {
            let file = name.rsplit('/').next().unwrap();
            let error = HostConfig::from_yaml(text, file).expect_err(name);
            assert_eq!(error.code(), Code::BindingsInvalid, "{name}: {error}");
            error.to_string()
        })
        .collect();
    insta::assert_snapshot!(said.join("\n\n"));
}

#[test]
fn what_is_shown_holds_no_settings() {
    let text = "tenant: t\nproviders: { mail: { config: { password: hunter2 } } }\nflow_type_bindings: { messaging: \
                { adapter: webchat, config: { token: hunter2 } } }";
    let config = read(text);
    assert!(!format!("{config:?} {:?} {:?}", config.messaging_binding(), config.bindings).contains("hunter2"));
    let wrong = HostConfig::from_yaml("tenant: t\nproviders: { mail: { config: hunter2 } }", "f").unwrap_err();
    assert!(!wrong.to_string().contains("hunter2"), "{wrong}");
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bindings.yaml");
    let refused = || HostConfig::load_from_path(&path).unwrap_err();
    let missing = refused();
    assert_eq!(missing.code(), Code::Io);
    assert!(missing.message().contains("bindings.yaml"), "{missing}");
    assert_eq!(HostConfig::load_from_path(dir.path()).unwrap_err().code(), Code::Io);

    fs::write(&path, b"tenant: \xff").unwrap();
    assert!(refused().to_string().contains("UTF-8") && refused().location().is_some());
    fs::write(&path, vec![b'#'; MAX_BYTES as usize + 1]).unwrap();
    assert_eq!(refused().code(), Code::TooLarge);
    fs::write(&path, "tenant: demo").unwrap();
    assert_eq!(&**HostConfig::load_from_path(&path).unwrap().tenant(), "demo");
}

#[test]
fn hostile_yaml_ends_quickly() {
    let levels: String = (1..30).map(|n| format!("x-{n}: &a{n} [{0}, {0}]\n", format!("*a{}", n - 1))).collect();
    let deep = "[".repeat(100_000);
    for text in [format!("x-0: &a0 [1]\n{levels}"), format!("tenant: {deep}")] {
        assert_eq!(HostConfig::from_yaml(&text, "f").unwrap_err().code(), Code::BindingsInvalid);
    }
}

#[test]
fn the_schema_is_current() {
    let path = root().join("docs/bindings.schema.json");
    let schema = serde_json::to_string_pretty(&HostConfig::json_schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&path, &schema).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == schema, "run this test with UPDATE_SCHEMA=1 to write docs/bindings.schema.json anew");
}

#[test]
fn the_schema_agrees_with_the_reader() {
    let validator = jsonschema::validator_for(&HostConfig::json_schema()).unwrap();
    let valid = [cases("tests/bindings/valid"), examples()].concat();
    assert!(valid.len() >= 3);
    for (name, text) in valid {
        let config = HostConfig::from_yaml(&text, &name);
        assert!(config.is_ok(), "{name}: {config:?}");
        let errors: Vec<_> = validator.iter_errors(&json(&text)).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
    // What is wrong by its shape the schema finds too; the rest is beyond a schema.
    let beyond = [
        "meaning",
        "syntax",
        "duplicate-key",
        "two-documents",
        "webhook-rules",
        "empty",
        "timers",
        "http-hosts",
        "http-time",
        "oauth-empty",
        "oauth-grant",
        "oauth-plain",
        "oauth-providers",
        "oauth-user",
        "wasi-overlays",
    ];
    for (name, text) in cases("tests/bindings/invalid") {
        if !beyond.iter().any(|file| name.ends_with(&format!("/{file}.yaml"))) {
            assert!(!validator.is_valid(&json(&text)), "{name}");
        }
    }
}

#[test]
fn the_full_example_has_every_section_and_key() {
    let full = json(&fs::read_to_string(root().join("tests/bindings/valid/full.yaml")).unwrap());
    for section in Bindings::SECTIONS {
        assert!(full.get(section).is_some(), "{section}");
    }
    let schema = HostConfig::json_schema();
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        let text = full.to_string();
        for key in definition["properties"].as_object().into_iter().flatten().map(|(key, _)| key) {
            assert!(text.contains(&format!("\"{key}\":")), "{name}.{key}");
        }
    }
}
