//! Secrets that were read are kept for a while, and many who want the same one at once ask once.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use moka::future::Cache;
use moka::ops::compute::Op;
use tokio::sync::Mutex;

use super::{SecretScope, SecretsManager};
use crate::clock::{Clock, Timestamp};
use crate::error::{Code, Error, Result};
use crate::secret::{Secret, SecretBytes};

/// Secrets that are kept at most.
const MOST: u64 = 10_000;
/// How long it is believed that a secret is not there.
const ABSENT: Duration = Duration::from_secs(10);
/// How long a failure stands for further questions. It spares a place that is down or limits its rate.
const FAILED: Duration = Duration::from_secs(1);

/// A place for secrets that is asked anew when what it said has become old. A secret that is changed there takes effect
/// after that time, without a restart.
pub struct CachedSecrets {
    inner: Arc<dyn SecretsManager>,
    clock: Arc<dyn Clock>,
    ttl: Duration,
    kept: Cache<Asked, Kept>,
    checked: Mutex<Option<(Timestamp, Instant, Result<()>)>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Asked {
    scope: SecretScope,
    name: String,
    /// Whether the values have to be text, all of them; else the newest will do.
    texts: bool,
}

#[derive(Clone)]
struct Kept {
    at: Timestamp,
    /// The same by a clock that nobody sets.
    done: Instant,
    found: Result<Arc<[SecretBytes]>>,
}

impl CachedSecrets {
    /// What `inner` says, for `ttl`.
    pub fn new(inner: Arc<dyn SecretsManager>, clock: Arc<dyn Clock>, ttl: Duration) -> Self {
        // What nobody asks for any more leaves the memory.
        let kept = Cache::builder().max_capacity(MOST).time_to_live(ttl.max(FAILED)).build();
        Self { inner, clock, ttl, kept, checked: Mutex::default() }
    }

    async fn find(&self, asked: Asked) -> Result<Arc<[SecretBytes]>> {
        if let Some(kept) = self.kept.get(&asked).await
            && self.is_fresh(&kept)
        {
            return kept.found;
        }
        // One after another for one secret: who waited takes what the one before found meanwhile, a failure too.
        let began = Instant::now();
        let answered = self.kept.entry(asked.clone()).and_compute_with(|entry| async {
            let known = entry.map(moka::Entry::into_value);
            match known.filter(|kept| kept.done >= began || self.is_fresh(kept)) {
                Some(_) => Op::Nop,
                None => Op::Put(self.ask(&asked).await),
            }
        });
        match answered.await.into_entry() {
            Some(entry) => entry.into_value().found,
            None => Err(Error::new(Code::Internal, "a secret was read and not kept")),
        }
    }

    async fn ask(&self, asked: &Asked) -> Kept {
        let Asked { scope, name, texts } = asked;
        let found = match texts {
            true => self.inner.read(scope, name).await.map(|all| all.into_iter().map(SecretBytes::from).collect()),
            false => self.inner.read_bytes(scope, name).await.map(Arc::from),
        };
        Kept { at: self.clock.now(), done: Instant::now(), found }
    }

    fn is_fresh(&self, kept: &Kept) -> bool {
        let good_for = match &kept.found {
            Ok(found) if !found.is_empty() => self.ttl,
            Ok(_) => self.ttl.min(ABSENT),
            Err(_) => self.ttl.min(FAILED),
        };
        is_within(kept.at, self.clock.now(), good_for)
    }
}

/// Whether `now` is less than `long` after `at`. A clock that was set back makes everything old.
fn is_within(at: Timestamp, now: Timestamp, long: Duration) -> bool {
    now >= at && now.since(at) < long
}

#[async_trait]
impl SecretsManager for CachedSecrets {
    async fn read(&self, scope: &SecretScope, name: &str) -> Result<Vec<Secret>> {
        let found = self.find(Asked { scope: scope.clone(), name: name.to_owned(), texts: true }).await?;
        Ok(found.iter().filter_map(SecretBytes::to_text).collect())
    }

    async fn read_bytes(&self, scope: &SecretScope, name: &str) -> Result<Vec<SecretBytes>> {
        let found = self.find(Asked { scope: scope.clone(), name: name.to_owned(), texts: false }).await?;
        Ok(found.to_vec())
    }

    async fn write(&self, scope: &SecretScope, name: &str, value: &SecretBytes) -> Result<()> {
        self.inner.write(scope, name, value).await?;
        for texts in [false, true] {
            let asked = Asked { scope: scope.clone(), name: name.to_owned(), texts };
            // Behind whoever reads the old value right now.
            self.kept.entry(asked).and_compute_with(|_| async { Op::Remove }).await;
        }
        Ok(())
    }

    fn place(&self, scope: &SecretScope, name: &str) -> String {
        self.inner.place(scope, name)
    }

    async fn check(&self) -> Result<()> {
        let began = Instant::now();
        let mut checked = self.checked.lock().await;
        let now = self.clock.now();
        let good_for = |known: &Result<()>| if known.is_ok() { self.ttl } else { self.ttl.min(FAILED) };
        if let Some((at, done, known)) = &*checked
            && (*done >= began || is_within(*at, now, good_for(known)))
        {
            return known.clone();
        }
        let found = self.inner.check().await;
        *checked = Some((self.clock.now(), Instant::now(), found.clone()));
        found
    }
}

impl fmt::Debug for CachedSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedSecrets").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::clock::ManualClock;
    use crate::id::Id;

    const TTL: Duration = Duration::from_secs(60);

    /// A place that says what it is told to, when it is let.
    struct Place {
        value: parking_lot::Mutex<Result<Vec<&'static str>>>,
        asked: AtomicUsize,
        gate: Semaphore,
    }

    impl Place {
        fn new(value: &'static str) -> Arc<Self> {
            let gate = Semaphore::new(Semaphore::MAX_PERMITS);
            Arc::new(Self { value: parking_lot::Mutex::new(Ok(vec![value])), asked: AtomicUsize::new(0), gate })
        }

        fn says(&self, value: Result<Vec<&'static str>>) {
            *self.value.lock() = value;
        }

        fn asked(&self) -> usize {
            self.asked.load(Ordering::SeqCst)
        }
    }

    #[async_trait]
    impl SecretsManager for Place {
        async fn read(&self, _: &SecretScope, _: &str) -> Result<Vec<Secret>> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let _permit = self.gate.acquire().await.unwrap();
            self.value.lock().clone().map(|values| values.into_iter().map(Secret::new).collect())
        }

        async fn write(&self, _: &SecretScope, _: &str, value: &SecretBytes) -> Result<()> {
            let text: &'static str = if value == &SecretBytes::new("new") { "new" } else { "other" };
            self.says(Ok(vec![text]));
            Ok(())
        }

        async fn check(&self) -> Result<()> {
            self.read(&tenant("t"), "").await.map(drop)
        }
    }

    fn tenant(id: &str) -> SecretScope {
        SecretScope::of_tenant(&Id::from("local"), &Id::from(id))
    }

    fn cached(place: &Arc<Place>, ttl: Duration) -> (Arc<CachedSecrets>, ManualClock) {
        let clock = ManualClock::new(Timestamp(1_000_000));
        (Arc::new(CachedSecrets::new(Arc::clone(place) as _, Arc::new(clock.clone()), ttl)), clock)
    }

    async fn read(cached: &CachedSecrets, id: &str) -> Result<Vec<String>, Code> {
        let values = cached.read(&tenant(id), "KEY").await.map_err(|error| error.code())?;
        Ok(values.iter().map(|value| value.expose().to_owned()).collect())
    }

    #[tokio::test]
    async fn a_changed_secret_takes_effect_after_the_ttl() {
        let place = Place::new("old");
        let (cached, clock) = cached(&place, TTL);
        assert_eq!(read(&cached, "t").await.unwrap(), ["old"]);
        place.says(Ok(vec!["new", "old"]));
        clock.advance(TTL - Duration::from_millis(1));
        assert_eq!((read(&cached, "t").await.unwrap(), place.asked()), (vec!["old".to_owned()], 1));
        clock.advance(Duration::from_millis(1));
        assert_eq!((read(&cached, "t").await.unwrap(), place.asked()), (vec!["new".to_owned(), "old".to_owned()], 2));
        clock.set(Timestamp(0));
        read(&cached, "t").await.unwrap();
        assert_eq!(place.asked(), 3, "a clock that was set back keeps nothing");
        assert!(!format!("{cached:?}").contains("new"));
    }

    #[tokio::test]
    async fn each_scope_and_name_is_kept_for_itself() {
        let place = Place::new("of one");
        let (cached, _) = cached(&place, TTL);
        read(&cached, "one").await.unwrap();
        place.says(Ok(vec!["of the other"]));
        assert_eq!(read(&cached, "other").await.unwrap(), ["of the other"]);
        assert_eq!(read(&cached, "one").await.unwrap(), ["of one"]);
        let user = SecretScope { user: Some(Id::from("u")), ..tenant("one") };
        assert_eq!(cached.read(&user, "KEY").await.unwrap()[0].expose(), "of the other");
        assert_eq!(cached.read(&tenant("one"), "OTHER").await.unwrap()[0].expose(), "of the other");
    }

    #[tokio::test]
    async fn many_who_ask_at_once_ask_once() {
        for says in [Ok(vec!["value"]), Err(Error::new(Code::SecretUnavailable, "down"))] {
            let place = Place::new("");
            place.says(says.clone());
            let (cached, _) = cached(&place, TTL);
            // None gets an answer before all have asked.
            let gate = place.gate.forget_permits(Semaphore::MAX_PERMITS);
            let all = join_all((0..50).map(|_| read(&cached, "t")));
            let release = async {
                while place.asked() == 0 {
                    tokio::task::yield_now().await;
                }
                place.gate.add_permits(gate);
            };
            let (all, ()) = tokio::join!(all, release);
            assert_eq!(place.asked(), 1, "{says:?}");
            let wanted = says.map(|values| values.into_iter().map(str::to_owned).collect()).map_err(|e| e.code());
            assert!(all.iter().all(|found| *found == wanted), "{all:?}");
        }
    }

    #[tokio::test]
    async fn who_gives_up_leaves_the_question_to_the_next() {
        let place = Place::new("value");
        let (cached, _) = cached(&place, TTL);
        let gate = place.gate.forget_permits(Semaphore::MAX_PERMITS);
        let scope = tenant("t");
        let mut first = Box::pin(cached.read(&scope, "KEY"));
        assert!(futures::poll!(&mut first).is_pending());
        let mut second = Box::pin(cached.read(&scope, "KEY"));
        assert!(futures::poll!(&mut second).is_pending());
        drop(first);
        place.gate.add_permits(gate);
        assert_eq!(second.await.unwrap()[0].expose(), "value");
        assert_eq!(place.asked(), 2);
    }

    #[tokio::test]
    async fn failures_and_absence_are_believed_for_a_moment_only() {
        let place = Place::new("");
        let (cached, clock) = cached(&place, TTL);
        for (says, long) in [(Ok(vec![]), ABSENT), (Err(Error::new(Code::SecretUnavailable, "down")), FAILED)] {
            place.says(says.clone());
            clock.advance(TTL);
            let before = place.asked();
            assert_eq!(read(&cached, "t").await.is_ok(), says.is_ok());
            clock.advance(long - Duration::from_millis(1));
            assert_eq!(read(&cached, "t").await.is_ok(), says.is_ok());
            assert_eq!(place.asked(), before + 1);
            place.says(Ok(vec!["there"]));
            clock.advance(Duration::from_millis(1));
            assert_eq!(read(&cached, "t").await.unwrap(), ["there"]);
        }
    }

    #[tokio::test]
    async fn without_a_ttl_nothing_is_kept() {
        let place = Place::new("value");
        let (cached, clock) = cached(&place, Duration::ZERO);
        for asked in 1..4 {
            clock.advance(Duration::from_millis(1));
            read(&cached, "t").await.unwrap();
            assert_eq!(place.asked(), asked);
        }
    }

    #[tokio::test]
    async fn what_was_stored_is_read_at_once() {
        let place = Place::new("old");
        let (cached, _) = cached(&place, TTL);
        read(&cached, "t").await.unwrap();
        cached.read_bytes(&tenant("t"), "KEY").await.unwrap();
        cached.write(&tenant("t"), "KEY", &SecretBytes::new("new")).await.unwrap();
        assert_eq!(read(&cached, "t").await.unwrap(), ["new"]);
        assert_eq!(cached.read_bytes(&tenant("t"), "KEY").await.unwrap(), [SecretBytes::new("new")]);
    }

    #[tokio::test]
    async fn whether_it_can_be_asked_is_asked_once_in_a_while() {
        let place = Place::new("");
        let (cached, clock) = cached(&place, TTL);
        place.says(Err(Error::new(Code::SecretUnavailable, "down")));
        assert!(cached.check().await.is_err() && cached.check().await.is_err());
        assert_eq!(place.asked(), 1);
        place.says(Ok(vec![]));
        clock.advance(FAILED);
        assert!(cached.check().await.is_ok() && cached.check().await.is_ok());
        assert_eq!(place.asked(), 2);
    }
}
