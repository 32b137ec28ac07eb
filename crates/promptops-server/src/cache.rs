//! Objects that were read before: bytes, and the headers that go with them. Objects never change, so what is here is right
//! for ever; absence is never remembered.

use std::sync::Arc;

use axum::http::HeaderValue;
use bytes::Bytes;
use promptops_prompt::Digest;
use promptops_store::{Store, StoreError};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::metrics::Metrics;

/// The largest object that is remembered, as a part of the whole: one object must not push all others out.
const LARGEST_PART: u64 = 16;
/// What an object takes besides its bytes: key, headers, and the cache's own books.
const OVERHEAD_BYTES: u64 = 400;

/// An object with what is said of it.
#[derive(Debug)]
pub(crate) struct CachedObject {
    pub(crate) bytes: Bytes,
    /// The SHA-256 of the bytes, as a strong validator.
    pub(crate) etag: HeaderValue,
}

impl CachedObject {
    pub(crate) fn new(bytes: Bytes) -> Self {
        let etag = format!("\"{}\"", Digest::of(&bytes));
        Self { bytes, etag: HeaderValue::try_from(etag).expect("a digest in quotes is a header") }
    }
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<String, Arc<CachedObject>> for ByBytes {
    fn weight(&self, key: &String, object: &Arc<CachedObject>) -> u64 {
        OVERHEAD_BYTES + key.len() as u64 + object.bytes.len() as u64
    }
}

/// A store whose objects are remembered, up to a number of bytes.
pub(crate) struct ObjectCache {
    store: Store,
    objects: Cache<String, Arc<CachedObject>, ByBytes>,
    largest: u64,
    metrics: Arc<Metrics>,
}

impl ObjectCache {
    pub(crate) fn new(store: Store, bytes: u64, metrics: Arc<Metrics>) -> Self {
        // The number of objects is only a first guess of how many slots to make.
        let slots = usize::try_from(bytes / 2_048).unwrap_or(usize::MAX).clamp(16, 1 << 20);
        Self { store, objects: Cache::with_weighter(slots, bytes, ByBytes), largest: bytes / LARGEST_PART, metrics }
    }

    /// Returns an object; nothing when there is none.
    pub(crate) async fn get(&self, key: &str) -> Result<Option<Arc<CachedObject>>, StoreError> {
        if let Some(object) = self.objects.get(key) {
            self.metrics.cache_hits.inc();
            return Ok(Some(object));
        }
        self.metrics.cache_misses.inc();
        let Some(object) = self.read(key).await? else { return Ok(None) };
        if object.bytes.len() as u64 <= self.largest {
            self.objects.insert(key.to_owned(), Arc::clone(&object));
        }
        Ok(Some(object))
    }

    /// Reads an object from the store, whatever is remembered of it.
    pub(crate) async fn read(&self, key: &str) -> Result<Option<Arc<CachedObject>>, StoreError> {
        self.metrics.store_reads.inc();
        let bytes = self.store.get(key).await.inspect_err(|_| self.metrics.store_failures.inc())?;
        Ok(bytes.map(|bytes| Arc::new(CachedObject::new(bytes))))
    }

    /// Returns how many bytes are remembered, of how many objects.
    pub(crate) fn held(&self) -> (u64, usize) {
        (self.objects.weight(), self.objects.len())
    }
}

#[cfg(test)]
mod tests {
    use promptops_store::StoreOptions;

    use super::*;

    async fn cache(bytes: u64) -> (Store, ObjectCache) {
        let store = Store::open("memory://", &StoreOptions::default()).unwrap();
        let cache = ObjectCache::new(store.clone(), bytes, Arc::new(Metrics::new().unwrap()));
        (store, cache)
    }

    #[tokio::test]
    async fn what_was_read_is_remembered_and_absence_is_not() {
        let (store, cache) = cache(1 << 20).await;
        assert!(cache.get("a").await.unwrap().is_none());
        store.create("a", "bytes".into()).await.unwrap();
        for _ in 0..3 {
            let object = cache.get("a").await.unwrap().unwrap();
            assert_eq!(object.bytes, "bytes");
            assert_eq!(object.etag, format!("\"{}\"", Digest::of(b"bytes")).as_str());
        }
        assert_eq!((cache.metrics.cache_hits.get(), cache.metrics.store_reads.get()), (2, 2));
        assert_eq!(cache.held().1, 1);
    }

    #[tokio::test]
    async fn the_bytes_are_bounded_and_large_objects_pass_by() {
        let (store, cache) = cache(64 << 10).await;
        for number in 0..200 {
            let key = format!("n/{number}");
            store.create(&key, vec![0; 1 << 10].into()).await.unwrap();
            cache.get(&key).await.unwrap().unwrap();
            assert!(cache.held().0 <= 64 << 10, "{:?}", cache.held());
        }
        assert!(cache.held().1 > 10);
        let (store, cache) = self::cache(64 << 10).await;
        store.create("large", vec![0; 32 << 10].into()).await.unwrap();
        assert!(cache.get("large").await.unwrap().is_some());
        assert_eq!(cache.held().1, 0);
    }
}
