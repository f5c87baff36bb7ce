//! Session keys: one policy for every way into the host.
//!
//! A key is *shown* as its parts joined by `:` (`{tenant}:{provider}:{conversation-or-thread-or-channel}:{user}`).
//! Platform ids contain `:` themselves, so a key is *stored* with `%` and `:` of each part escaped, and different
//! parts never share a stored key.

use crate::id::Id;
use crate::store::{Lane, ReplyRoute};

/// Names the queues of completions among the lanes.
const COMPLETIONS: &str = "completions";

/// The parts of a session key, the tenant first.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct SessionKey {
    parts: Vec<String>,
}

impl SessionKey {
    /// The canonical four parts. `place` is the thread, else the conversation, else the channel.
    pub fn canonical(tenant: &str, provider: &str, place: &str, user: &str) -> Self {
        Self::of([tenant, provider, place, user])
    }

    /// A key of other parts; the number of parts is part of the key.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        Self { parts: parts.into_iter().map(str::to_owned).collect() }
    }

    /// The key as it is shown, with `-` for an absent part. Not injective: never look anything up by it.
    pub fn shown(&self) -> Id {
        let parts: Vec<_> = self.parts.iter().map(|p| if p.is_empty() { "-" } else { p }).collect();
        Id::from(parts.join(":"))
    }

    /// The key as it is stored: different keys never look the same.
    pub fn stored(&self) -> Id {
        Id::from(stored(&self.parts))
    }

    /// The session's queue with a pack: what waits or is kept under it is that pack's alone.
    pub fn lane(&self, pack: &str) -> Lane {
        let (tenant, rest) = self.parts.split_first().map_or(("", &[][..]), |(tenant, rest)| (tenant.as_str(), rest));
        let parts: Vec<_> = [tenant, pack].into_iter().chain(rest.iter().map(String::as_str)).collect();
        Lane(Id::from(stored(&parts)))
    }

    /// The queue of what the session's user said and is still to be kept, before it is an event of the session.
    pub fn relay_lane(&self, pack: &str) -> Lane {
        let parts = self.parts.iter().map(String::as_str).chain(["", "relay"]);
        Self::of(parts).lane(pack)
    }

    /// The queue of what a place of a provider announced and is still to be asked for. No session has as many parts.
    pub fn completions(tenant: &str, provider: &str, place: &str) -> Self {
        Self::of([tenant, "", "", COMPLETIONS, provider, place])
    }

    /// The tenant, the first part.
    pub fn tenant(&self) -> &str {
        self.parts.first().map_or("", String::as_str)
    }
}

/// Whether a lane is one of [`SessionKey::completions`].
pub fn is_of_completions(lane: &Lane) -> bool {
    let parts: Vec<_> = lane.0.split(':').collect();
    matches!(parts.as_slice(), [_, _, "", "", COMPLETIONS, _, _])
}

/// The stored form of a place where replies wait.
pub fn reply_route(tenant: &str, provider: &str, conversation: &str) -> ReplyRoute {
    ReplyRoute(Id::from(stored(&[tenant, provider, conversation])))
}

/// The tenant, the provider and the place of a route, as they were given to [`reply_route`]; none if it was not made by
/// that.
pub fn parts_of(route: &ReplyRoute) -> Option<(String, String, String)> {
    let mut parts = route.0.split(':').map(|part| part.replace("%3A", ":").replace("%25", "%"));
    let found = (parts.next()?, parts.next()?, parts.next()?);
    parts.next().is_none().then_some(found)
}

/// The tenant and the pack of a lane. Both are identifiers, so that nothing in them is escaped.
pub fn owner_of(lane: &Lane) -> (&str, &str) {
    let mut parts = lane.0.split(':');
    (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

fn stored<S: AsRef<str>>(parts: &[S]) -> String {
    let escaped: Vec<_> = parts.iter().map(|p| p.as_ref().replace('%', "%25").replace(':', "%3A")).collect();
    escaped.join(":")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shows_the_promised_form() {
        let key = SessionKey::canonical("demo", "slack", "1731315600.000100", "U456");
        assert_eq!(&*key.shown(), "demo:slack:1731315600.000100:U456");
    }

    #[test]
    fn a_lane_tells_its_tenant_and_pack() {
        let key = SessionKey::canonical("demo", "slack", "a:b", "U456");
        assert_eq!(owner_of(&key.lane("my.pack")), ("demo", "my.pack"));
        assert_ne!(key.lane("a"), key.lane("b"));
    }

    #[test]
    fn the_queues_of_completions_are_no_sessions() {
        let lane = SessionKey::completions("t", "webex", "room:1").lane("p");
        assert!(is_of_completions(&lane));
        assert_eq!(owner_of(&lane), ("t", "p"));
        for key in [
            SessionKey::canonical("t", "", "", COMPLETIONS),
            SessionKey::of(["t", "", "", COMPLETIONS, "webex"]),
            SessionKey::of(["t", "", "", "completions:webex:room"]),
        ] {
            assert!(!is_of_completions(&key.lane("p")), "{key:?}");
        }
    }

    proptest! {
        #[test]
        fn a_route_gives_its_parts_back(place in "[a:%253A{}\",]{0,12}") {
            let route = reply_route("t", "p", &place);
            prop_assert_eq!(parts_of(&route), Some(("t".to_owned(), "p".to_owned(), place)));
        }

        #[test]
        fn different_parts_never_share_a_lane(a in prop::collection::vec("[a:%]{0,3}", 1..6),
                                              b in prop::collection::vec("[a:%]{0,3}", 1..6)) {
            let of = |p: &[String]| SessionKey::of(p.iter().map(String::as_str)).lane("p");
            prop_assert_eq!(of(&a) == of(&b), a == b);
        }
    }
}
