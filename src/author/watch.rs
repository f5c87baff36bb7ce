//! What an author's directories hold.
//!
//! What counts as a change is decided by the contents of the files, so that a file that is saved twice, or an editor's
//! backup, starts no build.

mod files;

pub use files::{Sources, directories};

#[cfg(test)]
mod tests {
    use crate::watch::Watcher;

    #[tokio::test]
    async fn a_change_in_a_new_directory_is_seen_once_it_is_covered() {
        let dir = tempfile::tempdir().unwrap();
        let all = || super::directories([dir.path()]).unwrap();
        let mut watcher = Watcher::new().unwrap();
        watcher.cover(all()).unwrap();
        std::fs::create_dir(dir.path().join("src")).unwrap();
        watcher.changed().await;
        watcher.cover(all()).unwrap();
        std::fs::write(dir.path().join("src/lib.rs"), "one").unwrap();
        watcher.changed().await;
        std::fs::remove_dir_all(dir.path().join("src")).unwrap();
        watcher.changed().await;
        watcher.cover(all()).unwrap();
    }
}
