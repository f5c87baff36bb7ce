use super::*;

struct Fixed;

impl Source for Fixed {
    fn read(&self, metric: Observed, tell: &mut dyn FnMut(u64, &[KeyValue])) {
        if metric == Observed::QueueEvents {
            tell(7, &[KeyValue::new("tenant", "acme")]);
        }
    }
}

fn line(text: &str, start: &str) -> Option<String> {
    text.lines().find(|line| line.starts_with(start)).map(str::to_owned)
}

#[test]
fn what_is_counted_is_read_as_text() {
    let metrics = Metrics::new().unwrap();
    let tenant = Id::from("acme");
    for outcome in [Offered::Accepted, Offered::Accepted, Offered::Duplicate] {
        metrics.event_offered(&tenant, Some(&Id::from("slack")), outcome);
    }
    metrics.event_ended(&tenant, "failed", Duration::from_millis(3), Some(Code::GuestTrap));
    let text = metrics.text().unwrap();
    let offered =
        |outcome| format!("greentic_events_total{{outcome=\"{outcome}\",provider=\"slack\",tenant=\"acme\"}}");
    assert_eq!(line(&text, &offered("accepted")).unwrap().rsplit(' ').next(), Some("2"), "{text}");
    assert_eq!(line(&text, &offered("duplicate")).unwrap().rsplit(' ').next(), Some("1"), "{text}");
    let failed = "greentic_event_failures_total{code=\"GRH-0503\",tenant=\"acme\"} 1";
    assert!(text.contains(failed), "{text}");
    let within = "greentic_event_duration_seconds_bucket{outcome=\"failed\",tenant=\"acme\",le=\"0.005\"} 1";
    assert!(text.contains(within), "{text}");
}

#[test]
fn sources_are_read_as_long_as_they_live() {
    let metrics = Metrics::new().unwrap();
    let source: Arc<dyn Source> = Arc::new(Fixed);
    metrics.add_source(Arc::downgrade(&source));
    assert!(metrics.text().unwrap().contains("greentic_queue_events{tenant=\"acme\"} 7"));
    drop(source);
    assert!(!metrics.text().unwrap().contains("greentic_queue_events{"));
}

#[test]
fn tenants_without_end_do_not_grow_the_text_without_end() {
    let metrics = Metrics::new().unwrap();
    for n in 0..3000 {
        metrics.event_offered(&Id::from(format!("t{n}")), None, Offered::Accepted);
    }
    let text = metrics.text().unwrap();
    let lines = text.lines().filter(|line| line.starts_with("greentic_events_total{")).count();
    assert!((1500..=2001).contains(&lines), "{lines}");
    assert!(text.contains("otel_metric_overflow=\"true\""));
}

/// The names that dashboards are made of.
#[test]
fn names_types_and_units_are_frozen() {
    let counted = COUNTED.iter().map(|metric| format!("{} ({}): {}", metric.name, metric.unit, metric.description));
    let observed = Observed::ALL.iter().map(|observed| {
        let (metric, kind) = (observed.metric(), if observed.grows() { "counter" } else { "gauge" });
        format!("{} ({}, {kind}): {}", metric.name, metric.unit, metric.description)
    });
    insta::assert_snapshot!(counted.chain(observed).collect::<Vec<_>>().join("\n"));
}

#[test]
fn every_metric_is_documented() {
    let page = include_str!("../../../docs/telemetry.md");
    let observed = Observed::ALL.iter().map(|observed| observed.metric());
    for metric in COUNTED.iter().copied().chain(observed) {
        assert!(page.contains(&format!("| `{}` |", metric.name)), "{} is not in docs/telemetry.md", metric.name);
    }
}
