//! What expressions mean, and which are refused.

use std::str::FromStr as _;

use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn schedule(expression: &str, zone: &str) -> Schedule {
    Schedule::parse(expression, Zone::named(zone).unwrap()).unwrap()
}

/// The next times after an instant, in the schedule's own time zone.
fn next(schedule: &Schedule, after: &str, count: usize) -> Vec<String> {
    let first = schedule.next_after(at(after));
    let times = std::iter::successors(first, |at| schedule.next_after(*at));
    times.take(count).map(|at| schedule.shown(at).unwrap()).collect()
}

#[test]
fn five_six_and_seven_fields_and_names_are_told_apart() {
    for (written, six, years, first) in [
        ("0 5 * * *", "0 0 5 * * *", None, "2026-11-27T05:00:00+00:00"),
        ("  0\t5  * * * ", "0 0 5 * * *", None, "2026-11-27T05:00:00+00:00"),
        ("30 0 5 * * *", "30 0 5 * * *", None, "2026-11-27T05:00:30+00:00"),
        ("0 0 5 * * * 2030", "0 0 5 * * *", Some("2030"), "2030-01-01T05:00:00+00:00"),
        ("0 0 5 * * * *", "0 0 5 * * *", None, "2026-11-27T05:00:00+00:00"),
        ("@hourly", "0 0 * * * *", None, "2026-11-27T01:00:00+00:00"),
        ("@daily", "0 0 0 * * *", None, "2026-11-28T00:00:00+00:00"),
        ("@Midnight", "0 0 0 * * *", None, "2026-11-28T00:00:00+00:00"),
        ("@weekly", "0 0 0 * * 0", None, "2026-11-29T00:00:00+00:00"),
        ("@monthly", "0 0 0 1 * *", None, "2026-12-01T00:00:00+00:00"),
        ("@yearly", "0 0 0 1 1 *", None, "2027-01-01T00:00:00+00:00"),
        ("@annually", "0 0 0 1 1 *", None, "2027-01-01T00:00:00+00:00"),
    ] {
        let read = schedule(written, "UTC");
        assert_eq!((read.six_fields(), read.years()), (six, years), "{written}");
        assert_eq!(read.written(), written.trim());
        assert_eq!(next(&read, "2026-11-27T00:00:30Z", 1), [first], "{written}");
    }
}

/// Friday is the 27th of November 2026.
#[test]
fn days_are_read_as_posix_does() {
    for (written, first) in [
        // 0 and 7 are Sunday, 1 is Monday.
        ("0 9 * * 1", "2026-11-30T09:00:00+00:00"),
        ("0 9 * * 0", "2026-11-29T09:00:00+00:00"),
        ("0 9 * * 7", "2026-11-29T09:00:00+00:00"),
        ("0 9 * * mon-wed", "2026-11-30T09:00:00+00:00"),
        ("0 9 * * fri-SUN", "2026-11-27T09:00:00+00:00"),
        // Either of the two fields does where both are given, and both must with `+`.
        ("0 9 13 * 1", "2026-11-30T09:00:00+00:00"),
        ("0 9 30 * +1", "2026-11-30T09:00:00+00:00"),
        ("0 9 13 * +1", "2027-09-13T09:00:00+00:00"),
        ("0 9 L * *", "2026-11-30T09:00:00+00:00"),
        ("0 9 LW 1 *", "2027-01-29T09:00:00+00:00"),
        ("0 9 15W 8 ?", "2027-08-16T09:00:00+00:00"),
        ("0 9 * * 5#2", "2026-12-11T09:00:00+00:00"),
        ("0 9 * * 5L", "2026-11-27T09:00:00+00:00"),
        ("0 9 29 feb *", "2028-02-29T09:00:00+00:00"),
        ("*/20 9-10/1,12 * * *", "2026-11-27T09:00:00+00:00"),
    ] {
        assert_eq!(next(&schedule(written, "UTC"), "2026-11-27T00:00:00Z", 1), [first], "{written}");
    }
}

/// The instants of New York: at 2012-03-11 02:00 clocks go to 03:00, at 2012-11-04 02:00 back to 01:00.
#[test]
fn clocks_that_go_forward_and_back() {
    let zone = "America/New_York";
    for (written, after, expected) in [
        // A fixed time in the gap runs once, right behind it.
        ("30 2 * * *", "2012-03-10T12:00:00Z", &["2012-03-11T03:00:00-04:00", "2012-03-12T02:30:00-04:00"][..]),
        // In the overlap once, the first time.
        ("30 1 * * *", "2012-11-03T12:00:00Z", &["2012-11-04T01:30:00-04:00", "2012-11-05T01:30:00-05:00"]),
        // Between the two 01:30 the first is past.
        ("30 1 * * *", "2012-11-04T05:31:00Z", &["2012-11-05T01:30:00-05:00"]),
        // What has a wildcard, a step or a list follows real time: none in the gap, two in the overlap.
        ("30 * * * *", "2012-03-11T06:00:00Z", &["2012-03-11T01:30:00-05:00", "2012-03-11T03:30:00-04:00"]),
        (
            "30 * * * *",
            "2012-11-04T05:00:00Z",
            &["2012-11-04T01:30:00-04:00", "2012-11-04T01:30:00-05:00", "2012-11-04T02:30:00-05:00"],
        ),
        ("*/30 2 * * *", "2012-03-11T06:00:00Z", &["2012-03-12T02:00:00-04:00"]),
        // The hour before and the hour behind are not touched.
        ("30 3 * * *", "2012-03-11T00:00:00Z", &["2012-03-11T03:30:00-04:00"]),
        ("0 2 * * *", "2012-11-04T00:00:00Z", &["2012-11-04T02:00:00-05:00"]),
    ] {
        assert_eq!(next(&schedule(written, zone), after, expected.len()), expected, "{written} after {after}");
    }
    // By half an hour, and by a whole day that is left out.
    let lord_howe = schedule("45 1 * * *", "Australia/Lord_Howe");
    assert_eq!(next(&lord_howe, "2026-04-04T12:00:00Z", 1), ["2026-04-05T01:45:00+11:00"]);
    assert_eq!(
        next(&schedule("15 2 * * *", "Australia/Lord_Howe"), "2026-10-03T12:00:00Z", 1),
        ["2026-10-04T02:30:00+11:00"]
    );
    let samoa = next(&schedule("0 5 * * *", "Pacific/Apia"), "2011-12-29T12:00:00Z", 2);
    assert_eq!(samoa, ["2011-12-29T05:00:00-10:00", "2011-12-31T05:00:00+14:00"]);
}

#[test]
fn time_zones_go_by_their_names() {
    for (given, name) in [("Europe/Berlin", "Europe/Berlin"), ("europe/berlin", "Europe/Berlin"), ("utc", "UTC")] {
        assert_eq!(Zone::named(given).unwrap().name(), name);
    }
    assert_eq!(next(&schedule("0 5 * * *", "Europe/Berlin"), "2026-11-27T00:00:00Z", 1), ["2026-11-27T05:00:00+01:00"]);
    for (wrong, hint) in [
        ("Europe/Berln", "did you mean `Europe/Berlin`?"),
        ("Berlin", "did you mean `Europe/Berlin`?"),
        ("new york", "did you mean `America/New_York`?"),
        ("+02:00", "give a name of the IANA time zone database, as Europe/Berlin or UTC"),
        ("Etc/Unknown", "give a name of the IANA time zone database, as Europe/Berlin or UTC"),
        ("localtime", "give a name of the IANA time zone database, as Europe/Berlin or UTC"),
        ("../../etc/passwd", "give a name of the IANA time zone database, as Europe/Berlin or UTC"),
    ] {
        let fault = Zone::named(wrong).unwrap_err();
        assert_eq!(fault.hint, hint, "{wrong}");
    }
}

#[test]
fn what_cannot_be_read_or_never_fires_is_refused_by_field() {
    let long = format!("{} * * * *", vec!["1"; 300].join(","));
    let wrong = [
        "",
        "   ",
        "*",
        "* * * *",
        "* * * * * * * *",
        "@",
        "@reboot",
        "@sometimes",
        "@daily @hourly",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 * ",
        "* * * * 8",
        "* * * * * * 1969",
        "* * * * * * 5001",
        "-1 * * * *",
        "5-1 * * * *",
        "1-2-3 * * * *",
        "*/0 * * * *",
        "/5 * * * *",
        "0/5 * * * *",
        "1,,2 * * * *",
        ", * * * *",
        "1. * * * *",
        "MON * * * *",
        "* * MON * *",
        "* * * MON *",
        "* * * * JAN",
        "* * * * MONDAY",
        "* * * * SUNMON",
        "* * * * 1#6",
        "* * * * 1#0",
        "* * W * *",
        "* * 40W * *",
        "* * * * L",
        "* * L5 * *",
        "? * * * *",
        "* * * * ١",
        "0 0 30 2 *",
        "0 0 31 4,6,9,11 *",
        "0 0 31W 2 *",
        "0 0 29 2 * 2027",
        "0 0 0 29 2 * 2027",
        "0 0 0 30 2 +1 2027",
        "\u{0}",
        "* * * * *\u{7f}",
        &long,
    ];
    let said: Vec<_> = wrong
        .iter()
        .map(|text| match Schedule::parse(text, Zone::utc()) {
            Ok(_) => panic!("{text:?} is read"),
            Err(fault) => format!("{:?}: {fault}", crate::id::clip(text)),
        })
        .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_year_that_is_over_is_no_mistake() {
    let over = schedule("0 0 5 1 1 * 2020", "UTC");
    assert_eq!(over.next_after(at("2026-01-01T00:00:00Z")), None);
    assert_eq!(
        over.last_between(at("2000-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z")),
        Some(at("2020-01-01T05:00:00Z"))
    );
}

#[test]
fn the_last_of_many_times_is_found_without_a_look_at_each() {
    let every = schedule("* * * * * *", "UTC");
    let (after, now) = (at("1990-01-01T00:00:00Z"), Timestamp(at("2026-11-27T09:00:00Z").0 + 999));
    assert_eq!(every.last_between(after, now), Some(at("2026-11-27T09:00:00Z")));
    assert_eq!(every.count_between(after, now, 1_000), 1_000);
    let daily = schedule("0 5 * * *", "UTC");
    let five = |day: u32| at(&format!("2026-11-{day:02}T05:00:00Z"));
    assert_eq!(daily.last_between(five(1), Timestamp(five(2).0 - 1)), None);
    assert_eq!(daily.last_between(five(1), five(2)), Some(five(2)));
    assert_eq!(daily.last_between(five(2), five(2)), None);
    assert_eq!(daily.last_between(five(3), five(2)), None);
    assert_eq!(daily.count_between(five(1), five(4), 9), 2);
    assert_eq!(daily.next_after(Timestamp(i64::MAX)), None);
    assert_eq!(daily.next_after(Timestamp(i64::MIN)), None);
}

fn expression() -> impl Strategy<Value = String> {
    let field = |most: u32, least: u32| {
        prop_oneof![
            3 => Just("*".to_owned()),
            3 => (least..=most).prop_map(|n| n.to_string()),
            1 => (least..=most, least..=most).prop_map(|(a, b)| format!("{},{b}", a)),
            1 => (least..=most, least..=most).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
            1 => (1..=most).prop_map(|n| format!("*/{n}")),
        ]
    };
    (field(59, 0), field(59, 0), field(23, 0), field(31, 1), field(12, 1), field(7, 0))
        .prop_map(|(s, mi, h, d, mo, w)| format!("{s} {mi} {h} {d} {mo} {w}"))
}

const ZONES: &[&str] = &[
    "UTC",
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "Africa/Casablanca",
];

/// Instants around changes of the clock, and anywhere.
fn instant() -> impl Strategy<Value = Timestamp> {
    let near = |text: &str| {
        let at = at(text).0;
        (at - 7_200_000..at + 7_200_000).prop_map(Timestamp)
    };
    prop_oneof![
        near("2012-03-11T07:00:00Z"),
        near("2012-11-04T06:00:00Z"),
        near("2026-04-04T15:00:00Z"),
        near("2026-10-25T01:00:00Z"),
        (0..4_102_444_800_000_i64).prop_map(Timestamp),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Times only grow, they are those of `croner`, and the last one up to each of them is itself.
    #[test]
    fn next_times_grow_and_agree_with_croner(text in expression(), zone in prop::sample::select(ZONES), start in instant()) {
        let Ok(schedule) = Schedule::parse(&text, Zone::named(zone).unwrap()) else { return Ok(()) };
        let rules = schedule.rules().clone();
        let croner = Cron::from_str(&text).unwrap();
        let second = jiff::Timestamp::from_millisecond(start.0.div_euclid(1000) * 1000).unwrap();
        let expected = croner.iter_after(second.to_zoned(rules)).take(12).map(|at| at.timestamp().as_millisecond());
        let (mut before, mut all) = (start, Vec::new());
        for expected in expected {
            let next = schedule.next_after(before);
            prop_assert_eq!(next, Some(Timestamp(expected)), "{} after {:?}", text, before);
            let next = next.unwrap();
            prop_assert!(next > before);
            prop_assert_eq!(schedule.last_between(before, next), Some(next));
            prop_assert_eq!(schedule.last_between(start, Timestamp(next.0 + 999)), Some(next));
            all.push(next);
            before = next;
        }
        if let [.., last] = all.as_slice() {
            let count = u32::try_from(all.len() - 1).unwrap();
            prop_assert_eq!(schedule.count_between(start, *last, 100), count);
        }
    }

    /// Whatever an operator writes is read or refused.
    #[test]
    fn no_text_breaks_the_reader(text in "[-*/,#LW?+@0-9A-Za-z \t]{0,40}|\\PC{0,20}") {
        if let Ok(schedule) = Schedule::parse(&text, Zone::utc()) {
            let again = format!("{} {}", schedule.six_fields(), schedule.years().unwrap_or("*"));
            let again = Schedule::parse(&again, Zone::utc()).unwrap();
            prop_assert_eq!(again.six_fields(), schedule.six_fields());
            prop_assert_eq!(again.next_after(Timestamp(0)), schedule.next_after(Timestamp(0)));
        }
    }
}
