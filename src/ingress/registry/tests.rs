use super::*;
use crate::ingress::adapter::{Channel, Context, Intake, Request};
use crate::ingress::channels::Verification;
use crate::ingress::webchat::WebchatChannel;

fn open(bindings: &str) -> Result<Channels> {
    let config = HostConfig::from_yaml(&format!("tenant: t\nflow_type_bindings: {bindings}"), "t.yaml").unwrap();
    Adapters::default().open(&config, &KnownSecrets::default())
}

fn opened(bindings: &str) -> Vec<(&'static str, Verification)> {
    open(bindings).unwrap().iter().map(|open| (open.provider, open.channel.verification())).collect()
}

#[test]
fn bindings_open_what_they_name() {
    assert_eq!(opened("{}"), []);
    assert_eq!(opened("{ messaging: { adapter: webchat } }"), [("webchat", Verification::Off)]);
    assert_eq!(
        opened(
            "{ messaging: { adapter: WebChat, config: { insecure: true } }, webhook: { adapter: generic }, event: { adapter: nats } }"
        ),
        [("webchat", Verification::Insecure), ("webhook", Verification::PathPolicy)]
    );
    assert_eq!(opened("{ http: { adapter: webhook } }"), [("webhook", Verification::PathPolicy)]);
    assert_eq!(opened("{ webhook: { adapter: mine } }"), [("webhook", Verification::PathPolicy)]);
    let chat = open("{ event: { adapter: webchat } }").unwrap();
    assert_eq!(chat.find::<WebchatChannel>().unwrap().flow, FlowChoice::Kind("event".into()));
}

#[test]
fn what_opens_nothing_is_said() {
    let notes = open("{ event: { adapter: nats }, messaging: { adapter: webchat } }").unwrap().notes().to_vec();
    assert_eq!(notes, ["`event` with the adapter `nats` has no effect: this host has no such adapter"]);
}

#[test]
fn what_sending_lacks_is_said() {
    for (adapter, secret) in
        [("telegram", "TELEGRAM_BOT_TOKEN"), ("webex", "WEBEX_BOT_TOKEN"), ("whatsapp", "WHATSAPP_ACCESS_TOKEN")]
    {
        let bindings = format!("tenant: t\nflow_type_bindings: {{ messaging: {{ adapter: {adapter} }} }}");
        let config = HostConfig::from_yaml(&bindings, "t.yaml").unwrap();
        let notes = |token: &str| {
            let mut known = KnownSecrets::default();
            known.insert(WantedSecret { name: secret.into(), shared: false }, vec![Secret::new(token)]);
            Adapters::default().open(&config, &known).unwrap().notes().to_vec()
        };
        let missing = [format!("replies to {adapter} cannot be sent: {secret} is missing")];
        assert_eq!(open(&format!("{{ messaging: {{ adapter: {adapter} }} }}")).unwrap().notes(), missing);
        assert_eq!(notes(""), missing);
        assert!(notes("1:token").is_empty());
    }
}

#[test]
fn several_secrets_that_are_missing_are_said_at_once() {
    let notes = |adapter: &str| open(&format!("{{ messaging: {{ adapter: {adapter} }} }}")).unwrap().notes().to_vec();
    assert_eq!(notes("slack"), ["replies to slack cannot be sent: SLACK_BOT_TOKEN is missing"]);
    assert_eq!(notes("teams"), ["replies to teams cannot be sent: TEAMS_APP_ID and TEAMS_APP_PASSWORD are missing"]);
}

#[test]
fn an_adapter_is_opened_once_and_as_its_settings_say() {
    let error = open("{ messaging: { adapter: webchat }, event: { adapter: webchat } }").unwrap_err();
    assert_eq!(error.code(), Code::ChannelInvalid);
    assert!(error.message().contains("`flow_type_bindings.event`"), "{error}");
    let error = open("{ http: { adapter: webhook, config: { allow_paths: /x } } }").unwrap_err();
    assert_eq!(error.code(), Code::ChannelInvalid);
    assert!(error.message().contains("allow_paths") && error.hint_text().is_some(), "{error}");
}

struct Named(&'static str, &'static [AdapterRoute]);

impl Adapter for Named {
    fn provider(&self) -> &'static str {
        self.0
    }

    fn routes(&self) -> &'static [AdapterRoute] {
        self.1
    }

    fn open(&self, settings: &Settings<'_>) -> Result<Box<dyn Channel>> {
        // The name of the second secret is in the first.
        let first = settings.secrets.get("FIRST");
        let second: Vec<_> = first.iter().flat_map(|first| settings.secrets.get(first.expose())).collect();
        Ok(Box::new(Closed(second.len())))
    }
}

struct Closed(usize);

impl Channel for Closed {
    fn verification(&self) -> Verification {
        Verification::Off
    }

    fn verify(&self, _: &Context, _: &Request<'_>) -> Result<()> {
        self.verification().require("/x")
    }

    fn normalize(&self, _: &Context, _: &Request<'_>) -> Result<Intake> {
        Ok(Intake::Ignored("it is closed"))
    }
}

#[test]
fn secrets_that_are_asked_for_become_known() {
    let adapters = Adapters::with(&[Arc::new(Named("mine", &[]))]).unwrap();
    let bindings = "tenant: t\nflow_type_bindings: { messaging: { adapter: mine, config: { shared_secret: true } } }";
    let config = HostConfig::from_yaml(bindings, "t.yaml").unwrap();
    let mut known = KnownSecrets::default();
    let found = |known: &KnownSecrets| adapters.open(&config, known).unwrap().find::<Closed>().unwrap().0;
    assert_eq!(found(&known), 0);
    let first = WantedSecret { name: "FIRST".into(), shared: true };
    assert_eq!(known.take_wanted(), BTreeSet::from([first.clone()]));
    known.insert(first, vec![Secret::new("SECOND")]);
    assert_eq!(found(&known), 0);
    let second = WantedSecret { name: "SECOND".into(), shared: true };
    assert_eq!(known.take_wanted(), BTreeSet::from([second.clone()]));
    known.insert(second, vec![Secret::new("a"), Secret::new("b")]);
    assert_eq!(found(&known), 2);
    assert!(known.take_wanted().is_empty());
}

#[test]
fn adapters_of_embedders_take_nothing_away() {
    const POST: &[&str] = &["POST"];
    macro_rules! routes {
        ($($path:literal),*) => { &[$(AdapterRoute { path: $path, methods: POST }),*] };
    }
    let code = |name, routes| Adapters::with(&[Arc::new(Named(name, routes)) as _]).err().map(|error| error.code());
    for (name, routes) in [
        ("sms", routes!["/sms/events", "/sms/status"]),
        ("sms", routes!["/sms/{account}/events"]),
        ("my-2", routes!["/a.b/c_d~"]),
    ] as [(&str, &[AdapterRoute]); 3]
    {
        assert_eq!(code(name, routes), None, "{name}");
    }
    let bad_method: &[AdapterRoute] = &[AdapterRoute { path: "/sms", methods: &["post"] }];
    let no_method: &[AdapterRoute] = &[AdapterRoute { path: "/sms", methods: &[] }];
    for (name, routes) in [
        ("", routes!["/sms"]),
        ("SMS", routes!["/sms"]),
        ("a:b", routes!["/sms"]),
        ("webchat", routes!["/sms"]),
        ("generic", routes!["/sms"]),
        ("sms", routes!["/admin/x"]),
        ("sms", routes!["/t/x"]),
        ("sms", routes!["/webhook/mine"]),
        ("sms", routes!["/webchat"]),
        ("sms", routes!["/"]),
        ("sms", routes!["sms"]),
        ("sms", routes!["/{x}/sms"]),
        ("sms", routes!["/sms/{*rest}"]),
        ("sms", routes!["/sms/x{y}"]),
        ("sms", routes!["/sms/{tenant}"]),
        ("sms", routes!["/sms/../admin"]),
        ("sms", routes!["/sms//x"]),
        ("sms", routes!["/sms", "/sms"]),
        ("sms", routes!["/sms/{a}", "/sms/{b}"]),
        ("sms", bad_method),
        ("sms", no_method),
    ] as [(&str, &[AdapterRoute]); 21]
    {
        assert_eq!(code(name, routes), Some(Code::AdapterInvalid), "{name} {routes:?}");
    }
    let twice: [Arc<dyn Adapter>; 2] = [Arc::new(Named("a", routes!["/x"])), Arc::new(Named("b", routes!["/x/y"]))];
    assert_eq!(Adapters::with(&twice).unwrap_err().code(), Code::AdapterInvalid);
}
