//! The tables of the store's file and their keys.
//!
//! Texts that others choose (lanes, routes, state and dedupe keys) are hashed to fixed width, each over the length
//! and the bytes of its parts, so that no choice of text makes a key long or lets two of them meet. What is looked
//! at in the order of time (`*_due`) begins with the time.

use redb::{Table, TableDefinition, WriteTransaction};

use super::fault::Fault;
use crate::store::{Lane, ReplyRoute, StateScope};

/// A hashed text.
pub(super) type Hash = [u8; 32];

/// An event and its record in [`WORK`], which need not be on disk before its worker is told.
pub(super) type FirstClaim = (u64, Vec<u8>);

macro_rules! tables {
    ($($(#[doc = $doc:literal])+ $name:ident $field:ident: $key:ty => $value:ty;)+) => {
        $($(#[doc = $doc])+ pub(super) const $name: TableDefinition<'static, $key, $value> =
            TableDefinition::new(stringify!($field));)+

        /// All tables, opened for writing, and the process's number.
        pub(super) struct Tables<'txn> {
            $(pub(super) $field: Table<'txn, $key, $value>,)+
            /// Counts the processes that opened this store; a claim of another number is a dead process's.
            pub(super) boot: u64,
            /// Whether anything was changed that must be on disk before callers are told.
            pub(super) dirty: bool,
            /// First claims, which need not be: see [`Tables::claim`].
            pub(super) first_claims: Vec<FirstClaim>,
        }

        impl<'txn> Tables<'txn> {
            pub(super) fn open(txn: &'txn WriteTransaction, boot: u64) -> Result<Self, Fault> {
                Ok(Self { $($field: txn.open_table($name)?,)+ boot, dirty: false, first_claims: Vec::new() })
            }
        }
    };
}

tables! {
    /// The numbers under [`meta`].
    META meta: &'static str => u64;
    /// Event to its record.
    EVENTS events: u64 => &'static [u8];
    /// Event to who works on it; only of events that were ever claimed.
    WORK work: u64 => &'static [u8];
    /// Lane and event: the lanes' queues.
    QUEUE queue: (&'static Hash, u64) => ();
    /// The oldest event of each lane that has one, to the lane's text.
    HEADS heads: u64 => &'static str;
    /// Run to its record.
    RUNS runs: u128 => &'static [u8];
    /// Run and place to a journal entry, as it was given.
    JOURNAL journal: (u128, u32) => &'static [u8];
    /// Lane and the event that made it wait, to a waiting run.
    WAITS waits: (&'static Hash, u64) => &'static [u8];
    /// Expiry, event and run of the waits that expire.
    WAITS_DUE waits_due: (i64, u64, u128) => ();
    /// Scope and key to a value.
    STATE state: (&'static Hash, &'static Hash) => &'static [u8];
    /// Route to the place of its last reply.
    ROUTES routes: &'static Hash => u64;
    /// Route and place to a reply.
    REPLIES replies: (&'static Hash, u64) => &'static [u8];
    /// The routes that hold replies, to their texts. What an older host stored has none until it gets a further reply.
    ROUTE_NAMES route_names: &'static Hash => &'static str;
    /// Route and place to how far the sending of a reply is; only of those whose sending was begun.
    PROGRESS progress: (&'static Hash, u64) => &'static [u8];
    /// Number to a reply that could not be delivered.
    UNDELIVERED undelivered: u64 => &'static [u8];
    /// Time of failure, and the number.
    UNDELIVERED_DUE undelivered_due: (i64, u64) => ();
    /// Time, route and place of the replies.
    REPLIES_DUE replies_due: (i64, &'static Hash, u64) => ();
    /// Dedupe key to its event, and until when it is remembered.
    DEDUPE dedupe: &'static Hash => (u64, i64);
    /// Until when, and the dedupe key.
    DEDUPE_DUE dedupe_due: (i64, &'static Hash) => ();
    /// Event to what its repetitions learn, as long as its dedupe keys are remembered.
    ONCE once: u64 => &'static [u8];
    /// Event to its dead letter.
    DEAD dead: u64 => &'static [u8];
    /// Time of failure, and the event.
    DEAD_DUE dead_due: (i64, u64) => ();
    /// Key to a mark.
    MARKS marks: &'static Hash => &'static [u8];
    /// Key to an entry of the vault.
    VAULT vault: &'static Hash => &'static [u8];
    /// When it is forgotten, and the key.
    VAULT_DUE vault_due: (i64, &'static Hash) => ();
}

/// The names in [`META`].
pub(super) mod meta {
    /// The version of this layout.
    pub(in super::super) const FORMAT: &str = "format";
    /// How many processes opened the store.
    pub(in super::super) const BOOT: &str = "boot";
    /// The last event's id.
    pub(in super::super) const LAST_EVENT: &str = "last_event";
    /// The highest place of the routes that were forgotten.
    pub(in super::super) const RETIRED_SEQ: &str = "retired_seq";
    /// The last number of a reply that could not be delivered.
    pub(in super::super) const LAST_UNDELIVERED: &str = "last_undelivered";
}

pub(super) fn lane_key(lane: &Lane) -> Hash {
    hash("lane", &[&lane.0])
}

pub(super) fn route_key(route: &ReplyRoute) -> Hash {
    hash("route", &[&route.0])
}

pub(super) fn dedupe_key(key: &str) -> Hash {
    hash("dedupe", &[key])
}

pub(super) fn mark_key(key: &str) -> Hash {
    hash("mark", &[key])
}

pub(super) fn vault_key(key: &str) -> Hash {
    hash("vault", &[key])
}

pub(super) fn state_key(key: &str) -> Hash {
    hash("state key", &[key])
}

pub(super) fn scope_key(scope: &StateScope) -> Hash {
    match scope {
        StateScope::Session { tenant, pack, lane } => hash("session", &[tenant, pack, &lane.0]),
        StateScope::Pack { tenant, pack, namespace } => hash("pack", &[tenant, pack, namespace]),
    }
}

fn hash(domain: &str, parts: &[&str]) -> Hash {
    let mut hasher = blake3::Hasher::new();
    for part in std::iter::once(&domain).chain(parts) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;

    /// Keys are on users' disks as much as records are.
    #[test]
    fn keys_keep_their_form() {
        let lane = Lane(Id::from("acme:webchat:c:u"));
        let (tenant, pack, namespace) = (Id::from("acme"), Id::from("bot"), Id::from("orders"));
        let keys = [
            lane_key(&lane),
            route_key(&ReplyRoute(Id::from("acme:webchat:c"))),
            dedupe_key("acme:webchat:1"),
            state_key("k"),
            scope_key(&StateScope::Session { tenant: tenant.clone(), pack: pack.clone(), lane }),
            scope_key(&StateScope::Pack { tenant, pack, namespace }),
        ];
        insta::assert_snapshot!(keys.map(hex::encode).join("\n"));
    }
}
