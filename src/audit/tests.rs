use super::*;
use crate::clock::{ManualClock, Timestamp};

#[test]
fn entries_are_lines_of_json() {
    let dir = tempfile::tempdir().unwrap();
    let log = AuditLog::open(dir.path()).unwrap().with_clock(Arc::new(ManualClock::new(Timestamp(1_000))));
    let request = Entry {
        action: "packs.reload",
        by: Actor::Peer([127, 0, 0, 1].into()),
        correlation_id: Some("c-1"),
        ..Entry::default()
    };
    log.record(&request).unwrap();
    log.record(&Entry { outcome: Outcome::Done, reload: Some("7"), ..request.clone() }).unwrap();
    let error = Error::new(Code::NoReloads, "none");
    log.record(&Entry { outcome: Outcome::Failed(&error), ..request }).unwrap();
    log.record(&Entry {
        action: "packs.downgrade",
        by: Actor::Host("reload"),
        tenant: Some("acme"),
        detail: Some("two\nlines \"quoted\""),
        ..Entry::default()
    })
    .unwrap();
    insta::assert_snapshot!(std::fs::read_to_string(dir.path().join(FILE)).unwrap());
}

#[test]
fn without_a_file_nothing_can_fail() {
    AuditLog::without_file().record(&Entry { action: "x", ..Entry::default() }).unwrap();
}
