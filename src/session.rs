//! Session keys: one policy for every way into the host.
//!
//! A key is *shown* as its parts joined by `:` (`{tenant}:{provider}:{conversation-or-thread-or-channel}:{user}`).
//! Platform ids contain `:` themselves, so a key is *stored* with `%` and `:` of each part escaped, and different
//! parts never share a stored key.

use crate::id::Id;
use crate::store::{Lane, ReplyRoute};

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

    /// The key as it is stored.
    pub fn lane(&self) -> Lane {
        Lane(Id::from(stored(&self.parts)))
    }
}

/// The stored form of a place where replies wait.
pub fn reply_route(tenant: &str, provider: &str, conversation: &str) -> ReplyRoute {
    ReplyRoute(Id::from(stored(&[tenant, provider, conversation])))
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

    proptest! {
        #[test]
        fn different_parts_never_share_a_lane(a in prop::collection::vec("[a:%]{0,3}", 1..6),
                                              b in prop::collection::vec("[a:%]{0,3}", 1..6)) {
            let of = |p: &[String]| SessionKey::of(p.iter().map(String::as_str)).lane();
            prop_assert_eq!(of(&a) == of(&b), a == b);
        }
    }
}
