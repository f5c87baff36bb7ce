use std::fs::File;
use std::time::{Duration, SystemTime};

use super::*;

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn open(dir: &tempfile::TempDir, max_bytes: u64) -> Cache {
    Cache::open(dir.path(), max_bytes).unwrap()
}

async fn put(cache: &Cache, bytes: &[u8]) -> Result<Digest> {
    let mut writer = cache.writer().await?;
    writer.write(bytes).await?;
    Ok(writer.keep().await?.0)
}

/// Every file below `dir` that is in the cache's own rooms for content.
fn files(cache: &Cache) -> Vec<String> {
    let mut names: Vec<String> = [&cache.0.blobs, &cache.0.refs]
        .iter()
        .flat_map(|dir| fs::read_dir(dir).unwrap())
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Says that a file was used `age` seconds ago.
fn age(path: &Path, age: u64) {
    let at = SystemTime::now() - Duration::from_secs(age);
    File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
}

fn reference(digest: Digest) -> Ref {
    Ref {
        locator: "https://a.example/demo.gtpack?…".to_owned(),
        version: Some("etag \"1\"".to_owned()),
        digest,
        size: 3,
        fetched_at: "2026-01-02T03:04:05Z".to_owned(),
    }
}

#[tokio::test]
async fn what_is_kept_is_there_again_for_whoever_opens_the_directory() {
    let dir = dir();
    let digest = put(&open(&dir, 100), b"abc").await.unwrap();
    assert_eq!(digest, Digest::of(b"abc"));
    let other = open(&dir, 100);
    assert_eq!(other.bytes(&digest).await.unwrap().as_deref(), Some(&b"abc"[..]));
    assert_eq!(other.bytes(&Digest::of(b"x")).await.unwrap(), None);
    assert_eq!(files(&other), [hex::encode(digest.0)]);
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_may_enter() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = dir();
    // As a volume is mounted: what lies in it is private all the same.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let cache = open(&dir, 100);
    let digest = put(&cache, b"abc").await.unwrap();
    for room in [&cache.0.blobs, &cache.0.refs, &cache.0.compiled] {
        assert_eq!(fs::metadata(room).unwrap().permissions().mode() & 0o777, 0o700, "{}", room.display());
    }
    assert_eq!(fs::metadata(cache.path(&digest)).unwrap().permissions().mode() & 0o077, 0);
    fs::set_permissions(&cache.0.refs, fs::Permissions::from_mode(0o770)).unwrap();
    let error = Cache::open(dir.path(), 100).unwrap_err();
    assert_eq!(error.code(), Code::CacheDirectory);
    assert!(error.to_string().contains("0700"), "{error}");
}

#[tokio::test]
async fn what_is_damaged_is_a_miss_and_gone() {
    let dir = dir();
    let cache = open(&dir, 100);
    for damage in [&b"abd"[..], b"", b"abcabc", &[7; 101]] {
        let digest = put(&cache, b"abc").await.unwrap();
        fs::write(cache.path(&digest), damage).unwrap();
        assert_eq!(cache.bytes(&digest).await.unwrap(), None, "{damage:?}");
        assert!(!cache.path(&digest).exists());
    }
}

#[tokio::test]
async fn what_is_not_finished_leaves_nothing_behind() {
    let dir = dir();
    let cache = open(&dir, 100);
    let mut writer = cache.writer().await.unwrap();
    writer.write(b"half").await.unwrap();
    assert_eq!(files(&cache).len(), 1);
    drop(writer);
    assert_eq!(files(&cache), [""; 0]);
}

#[tokio::test]
async fn a_file_begins_again_when_it_is_told_to() {
    let dir = dir();
    let cache = open(&dir, 100);
    let mut writer = cache.writer().await.unwrap();
    writer.write(b"something longer").await.unwrap();
    writer.restart().await.unwrap();
    writer.write(b"abc").await.unwrap();
    let (digest, _lease) = writer.keep().await.unwrap();
    assert_eq!(digest, Digest::of(b"abc"));
    assert_eq!(cache.bytes(&digest).await.unwrap().as_deref(), Some(&b"abc"[..]));
}

#[tokio::test]
async fn what_a_crash_left_goes_and_what_others_write_stays() {
    let dir = dir();
    let cache = open(&dir, 100);
    let writing = cache.writer().await.unwrap();
    let held = files(&cache).remove(0);
    age(&cache.0.blobs.join(&held), 3600);
    let stale = cache.0.blobs.join(".new-stale");
    fs::write(&stale, b"half").unwrap();
    age(&stale, 3600);
    fs::write(cache.0.refs.join(".new-fresh"), b"half").unwrap();
    open(&dir, 100);
    let mut left = vec![held, ".new-fresh".to_owned()];
    left.sort();
    assert_eq!(files(&cache), left);
    drop(writing);
}

#[tokio::test]
async fn what_was_used_longest_ago_makes_room() {
    let dir = dir();
    let cache = open(&dir, 30);
    let mut digests = Vec::new();
    for (text, used) in [("a", 30), ("b", 20), ("c", 10)] {
        let digest = put(&cache, text.repeat(10).as_bytes()).await.unwrap();
        cache.remember(text, Ref { locator: text.to_owned(), ..reference(digest) }).await.unwrap();
        age(&cache.path(&digest), used);
        digests.push(digest);
    }
    // Used now, so it is not the oldest any more.
    assert!(cache.bytes(&digests[0]).await.unwrap().is_some());
    let new = put(&cache, &[b'd'; 10]).await.unwrap();
    let left: Vec<bool> = digests.iter().chain([&new]).map(|digest| cache.path(digest).exists()).collect();
    assert_eq!(left, [true, false, true, true]);
    assert!(cache.recall("b").await.is_none(), "what led to it is forgotten");
    assert!(cache.recall("a").await.is_some());
    let error = put(&cache, &[b'e'; 31]).await.unwrap_err();
    assert_eq!(error.code(), Code::CacheFull);
    assert_eq!(files(&cache).len(), 3 + 2);
}

#[tokio::test]
async fn what_somebody_uses_stays_whoever_makes_room() {
    let dir = dir();
    let (cache, other) = (open(&dir, 100), open(&dir, 100));
    let digest = put(&cache, b"abc").await.unwrap();
    let lease = other.lease(&digest).await.unwrap().unwrap();
    age(&cache.path(&digest), 10);
    let pruned = cache.prune(0, false).await.unwrap();
    assert_eq!((pruned.deleted.len(), pruned.freed, pruned.kept), (0, 0, 3));
    drop(lease);
    let asked = cache.prune(0, true).await.unwrap();
    assert_eq!((asked.deleted.len(), asked.freed, asked.kept, cache.path(&digest).exists()), (1, 3, 0, true));
    let pruned = cache.prune(0, false).await.unwrap();
    assert_eq!((pruned.freed, cache.path(&digest).exists()), (3, false));
    assert!(cache.lease(&digest).await.unwrap().is_none());
}

#[tokio::test]
async fn compiled_components_are_listed_and_make_room_too() {
    let dir = dir();
    let cache = open(&dir, 100);
    let digest = put(&cache, b"abc").await.unwrap();
    cache.remember("key", reference(digest)).await.unwrap();
    let compiled = cache.compiled_dir().join("0a.cwasm");
    fs::write(&compiled, [0; 20]).unwrap();
    age(&compiled, 60);
    let contents = cache.contents().await.unwrap();
    assert_eq!((contents.bytes, contents.max_bytes, contents.entries.len()), (23, 100, 2));
    let names: Vec<(EntryKind, &str)> =
        contents.entries.iter().map(|entry| (entry.kind, entry.name.as_str())).collect();
    assert_eq!(names, [(EntryKind::Fetched, digest.to_string().as_str()), (EntryKind::Compiled, "0a.cwasm")]);
    assert_eq!(contents.entries[0].locators, ["https://a.example/demo.gtpack?…"]);
    assert!(contents.entries.iter().all(|entry| entry.last_used.len() == "2026-01-02T03:04:05Z".len()));
    cache.prune(10, false).await.unwrap();
    assert!(!compiled.exists() && cache.path(&digest).exists());
}

#[tokio::test]
async fn what_a_locator_gave_is_remembered_and_nothing_else_is_believed() {
    let dir = dir();
    let cache = open(&dir, 100);
    let reference = reference(Digest([7; 32]));
    cache.remember("https://a.example/demo.gtpack?sig=canary", reference.clone()).await.unwrap();
    assert_eq!(cache.recall("https://a.example/demo.gtpack?sig=canary").await, Some(reference.clone()));
    assert_eq!(cache.recall("https://a.example/demo.gtpack?sig=other").await, None);
    let file = cache.0.refs.join(files(&cache).remove(0));
    let text = fs::read_to_string(&file).unwrap();
    assert!(!format!("{file:?}{text}").contains("canary"));
    insta::assert_snapshot!("a_reference_keeps_its_form", text);
    for bad in ["", "{", "[]", &text.replace("sha256:07", "sha256:zz"), &text.replace("0707", "07")] {
        fs::write(&file, bad).unwrap();
        assert_eq!(cache.recall("https://a.example/demo.gtpack?sig=canary").await, None, "{bad}");
    }
}

#[tokio::test]
async fn the_lists_keep_their_form() {
    let entry = Entry {
        kind: EntryKind::Fetched,
        name: Digest([7; 32]).to_string(),
        bytes: 3,
        last_used: "2026-01-02T03:04:05Z".to_owned(),
        locators: vec!["https://a.example/demo.gtpack".to_owned()],
        path: PathBuf::from("not shown"),
        used: SystemTime::UNIX_EPOCH,
    };
    let compiled =
        Entry { kind: EntryKind::Compiled, name: "0a.cwasm".to_owned(), locators: Vec::new(), ..entry.clone() };
    let entries = vec![entry.clone(), compiled];
    let contents = Contents { dir: PathBuf::from(".packs"), bytes: 6, max_bytes: 100, entries };
    let pruned = Pruned { deleted: vec![entry], freed: 3, kept: 3, dry_run: true };
    insta::assert_json_snapshot!("contents_and_what_was_pruned", (contents, pruned));
}

#[test]
fn a_directory_that_cannot_be_used_is_said() {
    let dir = dir();
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = Cache::open(&file, 100).unwrap_err();
    assert_eq!(error.code(), Code::CacheDirectory);
    assert!(error.hint_text().is_some_and(|hint| hint.contains("PACK_CACHE_DIR")));
}
