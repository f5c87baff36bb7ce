use super::*;

fn read(vars: &[(&str, &str)]) -> Result<Option<TelemetryConfig>> {
    TelemetryConfig::from_vars(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
}

fn endpoints(vars: &[(&str, &str)]) -> String {
    let Some(config) = read(vars).unwrap() else { return "nothing".to_owned() };
    let of = |signal| {
        config.target(signal).map_or("-".to_owned(), |target| format!("{:?} {}", target.protocol, target.endpoint))
    };
    Signal::ALL.map(of).join(", ")
}

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

#[test]
fn nothing_is_exported_unless_a_collector_is_named() {
    for vars in [
        &[][..],
        &[(ENDPOINT, "")],
        &[("OTEL_SERVICE_NAME", "x")],
        &[(ENDPOINT, "http://c:4317"), ("OTEL_SDK_DISABLED", "TRUE")],
        &[(ENDPOINT, "http://c:4317"), ("TELEMETRY_EXPORT", "json-stdout")],
        &[
            (ENDPOINT, "http://c"),
            ("OTEL_TRACES_EXPORTER", "none"),
            ("OTEL_METRICS_EXPORTER", "none"),
            ("OTEL_LOGS_EXPORTER", "none"),
        ],
    ] {
        assert_eq!(endpoints(vars), "nothing", "{vars:?}");
    }
}

#[test]
fn collectors_are_found_by_every_variable() {
    let http = "Http http://c:4318/v1/traces, Http http://c:4318/v1/metrics, Http http://c:4318/v1/logs";
    let grpc = "Grpc http://c:4317, Grpc http://c:4317, Grpc http://c:4317";
    let rows: &[(&[(&str, &str)], &str)] = &[
        (&[(ENDPOINT, "http://c:4318")], http),
        (&[(ENDPOINT, "http://c:4318/")], http),
        (&[(ENDPOINT, "http://c:4317")], grpc),
        (&[("OTLP_ENDPOINT", "http://c:4317")], grpc),
        (&[("OTLP_ENDPOINT", "http://x"), (ENDPOINT, "http://c:4317")], grpc),
        (&[(ENDPOINT, "http://c:4317"), ("TELEMETRY_EXPORT", "otlp-grpc")], grpc),
        (
            &[("TELEMETRY_EXPORT", "otlp-grpc")],
            "Grpc http://localhost:4317, Grpc http://localhost:4317, Grpc http://localhost:4317",
        ),
        (
            &[(ENDPOINT, "http://c:9"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_LOGS_EXPORTER", "none")],
            "Grpc http://c:9, Grpc http://c:9, -",
        ),
        (
            &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c:9/in"), ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc")],
            "Grpc http://c:9/in, -, -",
        ),
    ];
    for (vars, expected) in rows {
        assert_eq!(endpoints(vars), *expected, "{vars:?}");
    }
}

#[test]
fn names_headers_and_sampling_are_read() {
    let of = |more: &[(&'static str, &'static str)]| {
        let mut vars = vec![(ENDPOINT, "http://c")];
        vars.extend(more);
        read(&vars).unwrap().unwrap()
    };
    let plain = of(&[]);
    assert_eq!((&*plain.service_name, plain.sampling, plain.parent_based), (SERVICE, Sampling::All, true));
    assert_eq!(of(&[("OTEL_RESOURCE_ATTRIBUTES", "a=b, service.name=n")]).service_name, "n");
    assert_eq!(of(&[("OTEL_SERVICE_NAME", "m"), ("OTEL_RESOURCE_ATTRIBUTES", "service.name=n")]).service_name, "m");
    let config = of(&[("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0.25")]);
    assert_eq!((config.sampling, config.parent_based), (Sampling::Ratio(0.25), true));
    let config = of(&[("OTEL_TRACES_SAMPLER", "always_off"), ("TELEMETRY_SAMPLING", "parent")]);
    assert_eq!((config.sampling, config.parent_based), (Sampling::None, false));
    assert_eq!(of(&[("TELEMETRY_SAMPLING", "traceidratio:0.5")]).sampling, Sampling::Ratio(0.5));
    let headers = of(&[("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer%20canary, x=1")]).traces.unwrap().headers;
    assert_eq!(headers[0], ("authorization".to_owned(), Secret::new("Bearer canary")));
    assert_eq!(headers.len(), 2);
    let older = of(&[("OTLP_HEADERS", "k=canary"), ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")]);
    assert!(older.logs.as_ref().is_some_and(|target| target.gzip && target.headers.len() == 1));
    assert!(!format!("{older:?}").contains("canary"));
}

#[test]
fn every_variable_that_cannot_be_used_is_named_and_no_secret_is_shown() {
    let error = read(&[
        (ENDPOINT, "c:4317:canary"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "canary"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ("TELEMETRY_EXPORT", "aws"),
    ])
    .unwrap_err();
    assert_eq!(error.code(), Code::TelemetryInvalid);
    let text = format!("{error:?}");
    for name in ["_ENDPOINT", "_HEADERS", "_PROTOCOL", "_COMPRESSION", "TRACES_SAMPLER", "TELEMETRY_EXPORT"] {
        assert!(text.contains(name), "{name}: {text}");
    }
    assert!(!text.contains("canary"), "{text}");
    let error = read(&[(ENDPOINT, "https://c:4317")]).unwrap_err();
    assert!(format!("{error:?}").contains("http/protobuf"), "{error:?}");
    for ratio in ["2", "-1", "x", "NaN"] {
        let vars = [("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", ratio)];
        assert_eq!(read(&vars).unwrap_err().code(), Code::TelemetryInvalid, "{ratio}");
    }
}
