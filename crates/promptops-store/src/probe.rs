//! Whether a store keeps the one promise everything else rests on.

use bytes::Bytes;

use crate::error::StoreError;
use crate::store::Store;

/// Refuses a store that lets a second write replace the first.
///
/// Not every server that speaks S3 honours `If-None-Match: *`, and one that does not answers "done" and overwrites. So
/// this creates the object `probes/<name>` and then tries to create it again with other content, which must be refused.
/// Run it before the first publish and whenever a store is verified.
///
/// The object stays: nothing can be deleted. A `name` used before asks whether the object of the earlier probe still
/// stands; a new name leaves another small object behind. Concurrent probes of one name do not disturb each other. Makes
/// three calls on a store that passes, of which two write.
///
/// # Errors
///
/// [`StoreError::IgnoresCreateOnly`] when the second write was accepted, or was accepted in an earlier probe of this name;
/// [`StoreError::Unsupported`] when the backend has no create-only writes; otherwise as [`Store::create`].
pub async fn probe(store: &Store, name: &str) -> Result<(), StoreError> {
    let key = format!("probes/{name}");
    let ignored = || StoreError::IgnoresCreateOnly { url: store.url().to_owned() };
    match store.create(&key, Bytes::from_static(b"first\n")).await {
        Ok(_) => {}
        // Only the second write of an earlier probe can have replaced the first.
        Err(StoreError::Conflict { .. }) => return Err(ignored()),
        Err(error) => return Err(error),
    }
    match store.create(&key, Bytes::from_static(b"second\n")).await {
        Err(StoreError::Conflict { .. }) => Ok(()),
        // `Same` too: the write was answered with an error and took place nevertheless.
        Ok(_) => Err(ignored()),
        Err(error) => Err(error),
    }
}
