//! Secrets that were read are kept for a while, and many who want the same one at once ask once.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use moka::future::Cache;
use moka::ops::compute::Op;
use tokio::sync::Mutex;

use super::{SecretKey, SecretScope, SecretsManager};
use crate::clock::{Clock, Timestamp};
use crate::error::{Code, Error, Result};
use crate::secret::{Secret, SecretBytes};

/// Secrets that are kept at most.
const MOST: u64 = 10_000;
/// How long it is believed that a secret is not there.
const ABSENT: Duration = Duration::from_secs(10);
/// How long a failure stands for further questions. It spares a place that is down or limits its rate.
const FAILED: Duration = Duration::from_secs(1);
/// Further ways to ask for one secret of which the answers are kept.
const SPELLINGS: usize = 7;

/// A place for secrets that is asked anew when what it said has become old. A secret that is changed there takes effect
/// after that time, without a restart.
pub struct CachedSecrets {
    inner: Arc<dyn SecretsManager>,
    clock: Arc<dyn Clock>,
    ttl: Duration,
    kept: Cache<Kept, Arc<[(Asked, Answer)]>>,
    checked: Mutex<Option<(Timestamp, Instant, Result<()>)>>,
}

/// A secret, however its name is spelt.
#[derive(PartialEq, Eq, Hash)]
struct Kept {
    scope: SecretScope,
    key: String,
}

impl Kept {
    fn of(scope: &SecretScope, name: &str) -> Self {
        let key = SecretKey::parse(name).map_or_else(|| name.to_owned(), |key| key.as_str().to_owned());
        Self { scope: scope.clone(), key }
    }
}

/// How a secret was asked for. Places may tell spellings apart, and so each has an answer of its own.
#[derive(Clone, PartialEq, Eq)]
struct Asked {
    name: String,
    /// Whether the values have to be text, all of them; else the newest will do.
    texts: bool,
}

#[derive(Clone)]
struct Answer {
    at: Timestamp,
    /// The same by a clock that nobody sets.
    done: Instant,
    found: Result<Arc<[SecretBytes]>>,
}

fn answer_to<'a>(asked: &Asked, answers: &'a [(Asked, Answer)]) -> Option<&'a Answer> {
    answers.iter().find(|(of, _)| of == asked).map(|(_, answer)| answer)
}

impl CachedSecrets {
    /// What `inner` says, for `ttl`.
    pub fn new(inner: Arc<dyn SecretsManager>, clock: Arc<dyn Clock>, ttl: Duration) -> Self {
        // What nobody asks for any more leaves the memory.
        let kept = Cache::builder().max_capacity(MOST).time_to_live(ttl.max(FAILED)).build();
        Self { inner, clock, ttl, kept, checked: Mutex::default() }
    }

    async fn find(&self, scope: &SecretScope, name: &str, texts: bool) -> Result<Arc<[SecretBytes]>> {
        let (secret, asked) = (Kept::of(scope, name), Asked { name: name.to_owned(), texts });
        if let Some(answers) = self.kept.get(&secret).await
            && let Some(answer) = answer_to(&asked, &answers)
            && self.is_fresh(answer)
        {
            return answer.found.clone();
        }
        // One after another for one secret: who waited takes what the one before found meanwhile, a failure too.
        let began = Instant::now();
        let answered = self.kept.entry(secret).and_compute_with(|entry| async {
            let answers = entry.map(moka::Entry::into_value).unwrap_or_default();
            match answer_to(&asked, &answers).filter(|known| known.done >= began || self.is_fresh(known)) {
                Some(_) => Op::Nop,
                None => Op::Put(self.with_answer(&answers, &asked, self.ask(scope, &asked).await)),
            }
        });
        let answers = answered.await.into_entry().map(moka::Entry::into_value).unwrap_or_default();
        match answer_to(&asked, &answers) {
            Some(answer) => answer.found.clone(),
            None => Err(Error::new(Code::Internal, "a secret was read and not kept")),
        }
    }

    async fn ask(&self, scope: &SecretScope, Asked { name, texts }: &Asked) -> Answer {
        let found = match texts {
            true => self.inner.read(scope, name).await.map(|all| all.into_iter().map(SecretBytes::from).collect()),
            false => self.inner.read_bytes(scope, name).await.map(Arc::from),
        };
        Answer { at: self.clock.now(), done: Instant::now(), found }
    }

    /// `answers` with a new one, without those that are old.
    fn with_answer(&self, answers: &[(Asked, Answer)], asked: &Asked, answer: Answer) -> Arc<[(Asked, Answer)]> {
        let others = answers.iter().filter(|(of, known)| of != asked && self.is_fresh(known));
        others.take(SPELLINGS).cloned().chain([(asked.clone(), answer)]).collect()
    }

    fn is_fresh(&self, answer: &Answer) -> bool {
        let good_for = match &answer.found {
            Ok(found) if !found.is_empty() => self.ttl,
            Ok(_) => self.ttl.min(ABSENT),
            Err(_) => self.ttl.min(FAILED),
        };
        is_within(answer.at, self.clock.now(), good_for)
    }

    /// Forgets a secret, behind whoever reads its old value right now.
    async fn forget(&self, scope: &SecretScope, name: &str) {
        self.kept.entry(Kept::of(scope, name)).and_compute_with(|_| async { Op::Remove }).await;
    }
}

/// Whether `now` is less than `long` after `at`. A clock that was set back makes everything old.
fn is_within(at: Timestamp, now: Timestamp, long: Duration) -> bool {
    now >= at && now.since(at) < long
}

#[async_trait]
impl SecretsManager for CachedSecrets {
    async fn read(&self, scope: &SecretScope, name: &str) -> Result<Vec<Secret>> {
        let found = self.find(scope, name, true).await?;
        Ok(found.iter().filter_map(SecretBytes::to_text).collect())
    }

    async fn read_bytes(&self, scope: &SecretScope, name: &str) -> Result<Vec<SecretBytes>> {
        Ok(self.find(scope, name, false).await?.to_vec())
    }

    async fn write(&self, scope: &SecretScope, name: &str, value: &SecretBytes) -> Result<()> {
        self.inner.write(scope, name, value).await?;
        self.forget(scope, name).await;
        // What a secret replaces is read with it.
        if let Some(key) = SecretKey::parse(name).as_ref().and_then(SecretKey::replacing) {
            self.forget(scope, key).await;
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
    async fn what_was_stored_is_read_at_once_however_it_is_spelt() {
        for written in ["crm_key", "CRM-KEY", "Crm/Key", "CRM_KEY_PREVIOUS", "crm.key.previous"] {
            let place = Place::new("old");
            let (cached, _) = cached(&place, TTL);
            let spellings = ["CRM_KEY", "crm-key", " crm.key "];
            let other = SecretScope { pack: Some(Id::from("p")), ..tenant("t") };
            for (scope, name) in
                spellings.map(|name| (tenant("t"), name)).into_iter().chain([(other.clone(), "CRM_KEY")])
            {
                cached.read(&scope, name).await.unwrap();
                cached.read_bytes(&scope, name).await.unwrap();
            }
            let asked = place.asked();
            cached.write(&tenant("t"), written, &SecretBytes::new("new")).await.unwrap();
            for name in spellings {
                assert_eq!(cached.read(&tenant("t"), name).await.unwrap()[0].expose(), "new", "{written} {name}");
                let bytes = cached.read_bytes(&tenant("t"), name).await.unwrap();
                assert_eq!(bytes, [SecretBytes::new("new")], "{written} {name}");
            }
            assert_eq!(cached.read(&other, "CRM_KEY").await.unwrap()[0].expose(), "old", "it is another one");
            assert_eq!(place.asked(), asked + 2 * spellings.len(), "{written}");
        }
    }

    #[tokio::test]
    async fn each_spelling_has_its_own_answer_and_endless_ones_take_no_endless_memory() {
        let place = Place::new("one");
        let (cached, _) = cached(&place, TTL);
        assert_eq!(cached.read(&tenant("t"), "KEY").await.unwrap()[0].expose(), "one");
        place.says(Ok(vec!["other"]));
        assert_eq!(cached.read(&tenant("t"), "key").await.unwrap()[0].expose(), "other");
        assert_eq!(cached.read(&tenant("t"), "KEY").await.unwrap()[0].expose(), "one");
        for spaces in 1..100 {
            cached.read(&tenant("t"), &format!("{}key", " ".repeat(spaces))).await.unwrap();
        }
        let kept = cached.kept.get(&Kept::of(&tenant("t"), "key")).await.unwrap();
        assert_eq!(kept.len(), SPELLINGS + 1);
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
