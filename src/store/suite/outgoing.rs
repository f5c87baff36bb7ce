//! Replies on their way out.

use super::*;
use crate::telemetry::TraceContext;

/// Ends an event with these replies, each a route's name and a text.
async fn say(store: &Any, replies: &[(&str, &str, Timestamp)]) {
    accept(store, "a", "x").await;
    let token = claim(store, "a").await.token;
    let replies = replies.iter().map(|(to, text, at)| reply(to, text, *at)).collect();
    store.complete(&token, Completion { replies, ..finished(None) }).await.unwrap();
}

async fn next(store: &Any, of: &str) -> Outgoing {
    store.next_reply(&route(of)).await.unwrap().expect("a reply to send")
}

fn assert_gone<T: std::fmt::Debug>(result: Result<T>) {
    assert_eq!(result.unwrap_err().code(), Code::ReplyGone);
}

pub(super) async fn gives_replies_of_a_route_one_after_another(store: Any) {
    say(&store, &[("r", "1", T0), ("s", "other", T0), ("r", "2", T0)]).await;
    let first = next(&store, "r").await;
    let expected = Outgoing { seq: 1, payload: Bytes::from_static(b"1"), at: T0, trace: None, done: 0, begun: None };
    assert_eq!(first, expected);
    assert_eq!(next(&store, "r").await, first, "as long as it is not dealt with");
    assert!(store.sent(&route("r"), 1).await.unwrap(), "there is a further one");
    let second = next(&store, "r").await;
    assert_eq!((second.seq, &*second.payload), (2, &b"2"[..]));
    assert!(!store.sent(&route("r"), 2).await.unwrap());
    assert_eq!(store.next_reply(&route("r")).await.unwrap(), None);
    assert_eq!(store.next_reply(&route("never seen")).await.unwrap(), None);
    assert_eq!(store.counts().await.unwrap(), Counts { replies: 1, ..Counts::default() });
    assert_eq!(store.sweep(T0.plus(DAY), DAY).await.unwrap(), 1, "of what was sent nothing is left");
}

pub(super) async fn keeps_the_trace_of_a_reply(store: Any) {
    let caller = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")];
    let caller = caller.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    let trace = TraceContext::of_headers(&caller.into_iter().collect());
    assert!(trace.is_some());
    accept(&store, "a", "x").await;
    let token = claim(&store, "a").await.token;
    let replies = vec![NewReply { trace: trace.clone(), ..reply("r", "1", T0) }, reply("r", "2", T0)];
    store.complete(&token, Completion { replies, ..finished(None) }).await.unwrap();
    assert_eq!(next(&store, "r").await.trace, trace);
    store.sent(&route("r"), 1).await.unwrap();
    assert_eq!(next(&store, "r").await.trace, None);
}

pub(super) async fn never_uses_a_place_of_a_route_twice_when_replies_are_sent(store: Any) {
    let mut seen = 0;
    for round in 0..3 {
        say(&store, &[("r", "1", T0), ("r", "2", T0)]).await;
        for more in [true, false] {
            let Outgoing { seq, .. } = next(&store, "r").await;
            assert!(seq > seen, "round {round}: {seq} after {seen}");
            seen = seq;
            assert_eq!(store.sent(&route("r"), seq).await.unwrap(), more);
        }
        assert_eq!(store.counts().await.unwrap(), Counts::default());
        // A route that begins later begins no lower than one that is gone.
        say(&store, &[("other", "x", T0)]).await;
        let Outgoing { seq, .. } = next(&store, "other").await;
        assert!(!store.undelivered(&route("other"), seq, failure(T0)).await.unwrap());
        let id = store.undelivered_replies(None, 1).await.unwrap()[0].id;
        assert!(store.purge_undelivered(id).await.unwrap());
    }
}

pub(super) async fn remembers_how_far_a_reply_is(store: Any) {
    say(&store, &[("r", "long", T0), ("r", "next", T0)]).await;
    let to = route("r");
    type Step = (bool, u32, (u32, Option<u32>));
    let steps: [Step; 9] = [
        (true, 0, (0, Some(0))),
        (true, 0, (0, Some(0))),
        (false, 0, (0, None)),
        (true, 0, (0, Some(0))),
        (true, 1, (1, Some(1))),
        (false, 2, (2, None)),
        (true, 4, (4, Some(4))),
        (false, 3, (3, None)),
        (true, 4, (4, Some(4))),
    ];
    for (begin, part, (done, begun)) in steps {
        let noted = if begin { store.begin_part(&to, 1, part).await } else { store.clear_part(&to, 1, part).await };
        noted.unwrap();
        let reply = next(&store, "r").await;
        assert_eq!((reply.seq, reply.done, reply.begun), (1, done, begun.map(|part| Begun { part })), "part {part}");
    }
    assert!(store.sent(&to, 1).await.unwrap());
    let after = next(&store, "r").await;
    assert_eq!((after.seq, after.done, after.begun), (2, 0, None), "the next one begins anew");
}

pub(super) async fn refuses_a_reply_that_is_not_the_oldest(store: Any) {
    say(&store, &[("r", "1", T0), ("r", "2", T0), ("r", "3", T0)]).await;
    assert!(store.sent(&route("r"), 1).await.unwrap());
    store.begin_part(&route("r"), 2, 1).await.unwrap();
    let (before, counts) = (next(&store, "r").await, store.counts().await.unwrap());
    for (of, seq) in [("r", 0), ("r", 1), ("r", 3), ("r", u64::MAX), ("s", 1), ("s", 2)] {
        let of = route(of);
        assert_gone(store.begin_part(&of, seq, 0).await);
        assert_gone(store.clear_part(&of, seq, 0).await);
        assert_gone(store.sent(&of, seq).await);
        assert_gone(store.undelivered(&of, seq, failure(T0)).await);
    }
    assert_eq!(next(&store, "r").await, before);
    assert_eq!(store.counts().await.unwrap(), counts);
}

pub(super) async fn lists_routes_by_what_waits_longest(store: Any) {
    let at = |seconds| T0.plus(Duration::from_secs(seconds));
    say(&store, &[("late", "x", at(3)), ("early", "x", at(1)), ("b", "x", at(2)), ("a", "x", at(2))]).await;
    say(&store, &[("early", "y", at(4))]).await;
    let of = async |limit| {
        let routes = store.unsent_routes(limit, &|of: &ReplyRoute| *of != route("b")).await.unwrap();
        routes.into_iter().map(|of| of.0.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(of(9).await, ["early", "a", "late"]);
    assert_eq!(of(2).await, ["early", "a"]);
    assert!(of(0).await.is_empty());
    store.sent(&route("early"), 1).await.unwrap();
    assert_eq!(of(9).await, ["a", "late", "early"], "by the oldest reply that is left");
    store.sent(&route("a"), 1).await.unwrap();
    assert_eq!(of(9).await, ["late", "early"]);
    assert_eq!(store.unsent_routes(1, &|_| true).await.unwrap(), [route("b")]);
}

pub(super) async fn keeps_what_could_not_be_delivered(store: Any) {
    say(&store, &[("acme:p:1", "1", T0), ("acme:p:1", "2", T0), ("other:p:1", "3", T0)]).await;
    let (ours, theirs) = (route("acme:p:1"), route("other:p:1"));
    store.begin_part(&ours, 1, 2).await.unwrap();
    assert!(store.undelivered(&ours, 1, failure(T0)).await.unwrap(), "there is a further one");
    assert!(!store.undelivered(&theirs, 1, failure(T0.plus(HOUR))).await.unwrap());
    assert!(!store.undelivered(&ours, 2, failure(T0)).await.unwrap());
    assert_eq!(store.counts().await.unwrap(), Counts { undelivered: 3, ..Counts::default() });

    let all = store.undelivered_replies(None, 9).await.unwrap();
    assert_eq!(all.iter().map(|reply| &*reply.payload).collect::<Vec<_>>(), [b"2", b"3", b"1"]);
    assert!(all.is_sorted_by(|a, b| a.id > b.id));
    let acme = store.undelivered_replies(Some(&Id::from("acme")), 9).await.unwrap();
    assert_eq!(acme, [all[0].clone(), all[2].clone()]);
    let oldest = Undelivered {
        id: all[2].id,
        tenant: Id::from("acme"),
        route: ours,
        payload: Bytes::from_static(b"1"),
        at: T0,
        done: 2,
        failure: failure(T0),
    };
    assert_eq!(all[2], oldest);
    assert_eq!(store.undelivered_replies(None, 1).await.unwrap(), all[..1]);
    assert!(store.undelivered_replies(None, 0).await.unwrap().is_empty());
}

pub(super) async fn sends_again_what_was_not_delivered(store: Any) {
    say(&store, &[("r", "1", T0), ("r", "2", T0)]).await;
    store.begin_part(&route("r"), 1, 3).await.unwrap();
    store.undelivered(&route("r"), 1, failure(T0)).await.unwrap();
    let id = store.undelivered_replies(None, 1).await.unwrap()[0].id;
    let now = T0.plus(HOUR);
    assert_eq!(store.resend(id, now).await.unwrap(), Some(route("r")));
    assert_eq!(store.resend(id, now).await.unwrap(), None, "once");
    assert!(!store.purge_undelivered(id).await.unwrap());
    assert_eq!(store.counts().await.unwrap(), Counts { replies: 2, ..Counts::default() });

    assert_eq!((next(&store, "r").await.seq, next(&store, "r").await.done), (2, 0), "what was there comes first");
    assert!(store.sent(&route("r"), 2).await.unwrap());
    let again = next(&store, "r").await;
    let expected = Outgoing { seq: 3, payload: Bytes::from_static(b"1"), at: now, trace: None, done: 3, begun: None };
    assert_eq!(again, expected, "from the first part that is not known to be done");
    assert_eq!(store.sweep(T0.plus(HOUR), HOUR).await.unwrap(), 0, "it is as old as its new place");

    store.undelivered(&route("r"), 3, failure(now)).await.unwrap();
    let next_id = store.undelivered_replies(None, 1).await.unwrap()[0].id;
    assert!(next_id > id, "numbers are never used again");
    assert_eq!(store.resend(next_id, now).await.unwrap(), Some(route("r")), "to a route that is gone meanwhile");
    assert_eq!(next(&store, "r").await.seq, 4);
}

pub(super) async fn forgets_replies_that_were_not_delivered(store: Any) {
    say(&store, &[("r", "1", T0), ("r", "2", T0), ("r", "3", T0)]).await;
    store.undelivered(&route("r"), 1, failure(T0.plus(HOUR))).await.unwrap();
    store.undelivered(&route("r"), 2, failure(T0.plus(HOUR * 3))).await.unwrap();
    store.begin_part(&route("r"), 3, 1).await.unwrap();
    let id = store.undelivered_replies(None, 1).await.unwrap()[0].id;
    assert!(store.purge_undelivered(id).await.unwrap());
    assert!(!store.purge_undelivered(id).await.unwrap());
    assert_eq!(store.counts().await.unwrap(), Counts { replies: 1, undelivered: 1, ..Counts::default() });
    assert_eq!(store.sweep(Timestamp(T0.plus(HOUR).0 - 1), HOUR).await.unwrap(), 0);
    assert_eq!(store.sweep(T0.plus(HOUR), HOUR).await.unwrap(), 1, "a reply that nobody sent");
    assert_gone(store.begin_part(&route("r"), 3, 2).await);
    assert_eq!(store.sweep(T0.plus(HOUR * 2), HOUR).await.unwrap(), 1, "what failed an hour ago");
    assert_eq!(store.counts().await.unwrap(), Counts::default());
    assert!(store.undelivered_replies(None, 9).await.unwrap().is_empty());
}
