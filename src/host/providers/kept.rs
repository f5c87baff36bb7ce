//! Where stored providers are kept: each under its id, and a list of the ids.
//!
//! Of two writes that belong together the list's is the one that counts: what it does not name is not there.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use crate::error::{Code, Error, Result};
use crate::id::Id;
use crate::store::{Mark, Store};
use crate::tenant::Instance;

/// Stored providers of a tenant.
const MAX_STORED: usize = 256;

fn list_key(tenant: &str) -> String {
    format!("{tenant}:providers/instances")
}

fn key(tenant: &str, id: &str) -> String {
    format!("{tenant}:providers/instances/{id}.json")
}

/// What is kept under `key`.
async fn kept(store: &dyn Store, key: String) -> Result<Option<Bytes>> {
    let peek = Mark { key, value: Bytes::new(), replaces: false };
    Ok(store.mark(peek).await?.filter(|value| !value.is_empty()))
}

async fn keep(store: &dyn Store, key: String, value: Vec<u8>) -> Result<()> {
    store.mark(Mark { key, value: value.into(), replaces: true }).await.map(drop)
}

async fn ids(store: &dyn Store, tenant: &Id) -> Result<BTreeSet<String>> {
    let Some(list) = kept(store, list_key(tenant)).await? else { return Ok(BTreeSet::new()) };
    serde_json::from_slice(&list).map_err(|_| damaged(tenant, "the list of stored providers"))
}

async fn set_ids(store: &dyn Store, tenant: &Id, ids: &BTreeSet<String>) -> Result<()> {
    keep(store, list_key(tenant), written(ids)?).await
}

/// The tenant's stored providers, sorted by id.
pub(super) async fn all(store: &dyn Store, tenant: &Id) -> Result<Vec<Arc<Instance>>> {
    let mut found = Vec::new();
    for id in ids(store, tenant).await? {
        let record = kept(store, key(tenant, &id)).await?;
        let instance = record.and_then(|record| serde_json::from_slice(&record).ok());
        let instance = instance.ok_or_else(|| damaged(tenant, &format!("the stored provider {id}")))?;
        found.push(Arc::new(instance));
    }
    Ok(found)
}

/// Keeps a provider in place of one with its id.
pub(super) async fn put(store: &dyn Store, tenant: &Id, instance: &Instance) -> Result<()> {
    let id = &instance.provider_id;
    let mut ids = ids(store, tenant).await?;
    keep(store, key(tenant, id), written(instance)?).await?;
    if ids.insert(id.clone()) { set_ids(store, tenant, &ids).await } else { Ok(()) }
}

/// Forgets a provider.
pub(super) async fn forget(store: &dyn Store, tenant: &Id, id: &str) -> Result<()> {
    let mut ids = ids(store, tenant).await?;
    if ids.remove(id) {
        set_ids(store, tenant, &ids).await?;
    }
    keep(store, key(tenant, id), Vec::new()).await
}

/// Refuses one more provider, if `stored` are as many as there may be.
pub(super) fn check_room(stored: &[Arc<Instance>], id: &str) -> Result<()> {
    if stored.len() < MAX_STORED || stored.iter().any(|instance| instance.provider_id == id) {
        return Ok(());
    }
    Err(Error::new(
        Code::StoredProvider,
        format!("the tenant has {MAX_STORED} stored providers, and no further one fits"),
    ))
}

fn written(value: &impl serde::Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| Error::new(Code::Internal, format!("a stored provider is not JSON: {e}")))
}

fn damaged(tenant: &Id, what: &str) -> Error {
    Error::new(Code::StoreFormat, format!("{what} of tenant {tenant} cannot be read"))
        .hint("it was written by another version; store the provider again")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::MemoryStore;

    fn instance(id: &str, enabled: bool) -> Instance {
        let value = json!({"provider_id": id, "provider_type": "t", "component_ref": "c", "enabled": enabled});
        serde_json::from_value(value).unwrap()
    }

    #[tokio::test]
    async fn what_is_put_stays_until_it_is_forgotten() {
        let store = MemoryStore::default();
        let (acme, other) = (Id::from("acme"), Id::from("other"));
        assert!(all(&store, &acme).await.unwrap().is_empty());
        for one in [instance("b", true), instance("a", false), instance("b", false)] {
            put(&store, &acme, &one).await.unwrap();
        }
        put(&store, &other, &instance("a", true)).await.unwrap();
        let shown = async |tenant: &Id| {
            let all = all(&store, tenant).await.unwrap();
            all.iter().map(|one| (one.provider_id.clone(), one.enabled)).collect::<Vec<_>>()
        };
        assert_eq!(shown(&acme).await, [("a".to_owned(), false), ("b".to_owned(), false)]);
        forget(&store, &acme, "b").await.unwrap();
        forget(&store, &acme, "never").await.unwrap();
        assert_eq!(shown(&acme).await, [("a".to_owned(), false)]);
        assert_eq!(shown(&other).await, [("a".to_owned(), true)]);
    }

    #[test]
    fn there_are_so_many_and_no_more() {
        let full: Vec<_> = (0..MAX_STORED).map(|n| Arc::new(instance(&n.to_string(), true))).collect();
        check_room(&full, "0").unwrap();
        assert_eq!(check_room(&full, "new").unwrap_err().code(), Code::StoredProvider);
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_said() {
        let store = MemoryStore::default();
        let acme = Id::from("acme");
        put(&store, &acme, &instance("a", true)).await.unwrap();
        keep(&store, key("acme", "a"), b"{".to_vec()).await.unwrap();
        assert_eq!(all(&store, &acme).await.unwrap_err().code(), Code::StoreFormat);
    }
}
