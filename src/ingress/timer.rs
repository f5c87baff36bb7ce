//! Timers: the message that stands for a time of a schedule.
//!
//! It is an event like a platform's, in the canonical envelope. Its session is the schedule, so that its runs come one
//! after the other; its dedupe key is the schedule and the time, so that a time acts once, whichever hosts see it come.

use std::time::Duration;

use serde_json::json;

use super::adapter::{Answer, Inbound, Respond};
use super::envelope::{Entities, IngressEnvelope, Metadata, ProviderIds, Session};
use crate::clock::Timestamp;
use crate::config::Timer;
use crate::id::Id;
use crate::run::event::{FlowChoice, ReplyTo};
use crate::session::SessionKey;

/// The provider's name in envelopes and session keys.
pub const PROVIDER: &str = "timer";

/// How long a time is remembered beyond the one that follows it: a clock that is set back by less repeats nothing.
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 3_600);

/// A time of a schedule that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Firing {
    /// The time.
    pub scheduled: Timestamp,
    /// When it is.
    pub now: Timestamp,
    /// Whether it was missed, and runs late.
    pub catch_up: bool,
    /// How many times before it were left out.
    pub missed: u32,
}

impl Firing {
    /// How late it is.
    pub fn late_by(&self) -> Duration {
        self.now.since(self.scheduled)
    }

    /// The message. Replies go to nobody: no one asked.
    pub fn message(&self, tenant: &Id, timer: &Timer) -> Inbound {
        let Timer { schedule_id, flow_id, schedule, .. } = timer;
        let instant = |at: Timestamp| jiff::Timestamp::from_millisecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let scheduled = instant(self.scheduled);
        // The time has a fixed form behind the last `@`, so that two schedules never share an id.
        let id = format!("{schedule_id}@{scheduled}");
        let session = SessionKey::of([&**tenant, PROVIDER, schedule_id]);
        let envelope = IngressEnvelope {
            tenant: tenant.to_string(),
            provider: PROVIDER.to_owned(),
            provider_ids: ProviderIds {
                conversation_id: Some(schedule_id.clone()),
                message_id: Some(id.clone()),
                event_id: Some(id.clone()),
                ..ProviderIds::default()
            },
            session: Session { key: session.shown().to_string(), scopes: Vec::new() },
            timestamp: scheduled,
            locale: None,
            text: None,
            attachments: Vec::new(),
            buttons: Vec::new(),
            entities: Entities::default(),
            metadata: Metadata::default(),
            channel_data: json!({
                "schedule_id": schedule_id,
                "scheduled_at": schedule.shown(self.scheduled),
                "cron": schedule.six_fields(),
                "years": schedule.years(),
                "timezone": schedule.zone().name(),
                "late_by": self.late_by().as_secs(),
                "catch_up": self.catch_up,
                "missed": self.missed,
            }),
            raw: json!({ "schedule_id": schedule_id, "now": instant(self.now).to_string() }),
        };
        let until_next = schedule.next_after(self.scheduled).map_or(Duration::ZERO, |next| next.since(self.scheduled));
        Inbound {
            envelope,
            session,
            flow: FlowChoice::Id(flow_id.clone()),
            dedupe: vec![id],
            remember: until_next + REMEMBERED,
            reply_to: ReplyTo::Caller,
            respond: Respond::Ack(Answer::empty(200)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::config::HostConfig;

    fn timer(more: &str) -> Timer {
        let text = format!("tenant: acme\ntimers: [{{ flow_id: report, cron: '30 2 * * *'{more} }}]");
        HostConfig::from_yaml(&text, "test.yaml").unwrap().timers()[0].clone()
    }

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    #[test]
    fn a_time_is_an_event_in_the_canonical_envelope() {
        let timer = timer(", schedule_id: 'nightly: all', timezone: America/New_York");
        // The gap: 02:30 does not exist on that day.
        let (scheduled, now) = (at("2012-03-11T07:00:00Z"), at("2012-03-11T07:00:01.5Z"));
        let firing = Firing { scheduled, now, catch_up: false, missed: 0 };
        let inbound = firing.message(&Id::from("acme"), &timer);
        insta::assert_json_snapshot!(inbound.envelope);
        let by_policy = inbound.envelope.provider_ids.session_key("acme", PROVIDER);
        assert_eq!(by_policy.as_ref(), Some(&inbound.session), "the one policy of the host");
        // 23.5 hours to the next, as that day has 23.
        let expected = REMEMBERED + Duration::from_secs(23 * 3_600 + 1_800);
        assert_eq!(inbound.remember, expected);
        let event = inbound.into_event("c".into()).unwrap();
        assert_eq!(event.dedupe, ["acme:timer:nightly%3A all@2012-03-11T07%3A00%3A00Z"]);
        assert_eq!((event.flow, event.provider), (FlowChoice::Id("report".into()), Some("timer".into())));
    }

    #[test]
    fn a_flow_sees_that_it_is_late() {
        let firing = Firing {
            scheduled: at("2026-01-01T02:30:00Z"),
            now: at("2026-01-03T02:31:00Z"),
            catch_up: true,
            missed: 1,
        };
        let data = firing.message(&Id::from("acme"), &timer("")).envelope.channel_data;
        let seen = ["late_by", "catch_up", "missed", "years", "timezone"].map(|key| data[key].clone());
        assert_eq!(seen, [json!(172_860), json!(true), json!(1), Value::Null, json!("UTC")]);
    }

    #[test]
    fn two_schedules_never_share_an_id() {
        let firing = |at| Firing { scheduled: Timestamp(at), now: Timestamp(at), catch_up: false, missed: 0 };
        let of = |tenant: &str, id: &str, at| {
            let timer = timer(&format!(", schedule_id: '{id}'"));
            let event = firing(at).message(&Id::from(tenant), &timer).into_event("c".into()).unwrap();
            (event.dedupe, event.session)
        };
        let all =
            [of("acme", "a", 0), of("acme", "a@1970-01-01T00:00:00Z", 0), of("acme", "a", 1000), of("other", "a", 0)];
        for (n, one) in all.iter().enumerate() {
            assert!(all.iter().skip(n + 1).all(|other| other.0 != one.0), "{one:?}");
        }
        assert_ne!(all[0].1, all[1].1);
    }
}
