//! Whether a store keeps the one promise everything else rests on.

use bytes::Bytes;
use futures::future::join_all;

use crate::error::StoreError;
use crate::store::Store;

/// Writers that race for one key of the probe.
const RACERS: usize = 8;

/// Refuses a store that lets a second write replace the first.
///
/// Not every server that speaks S3 honours `If-None-Match: *`, and one that does not answers "done" and overwrites. Another
/// may look first and then write: one at a time it refuses the second, at the same time it takes both. So several writers
/// race for the object `probes/<name>`, each with content of its own, and one must win; then another write comes, which must
/// be refused. Run it before the first publish and whenever a store is verified.
///
/// The object stays: nothing can be deleted. A `name` used before asks whether the object of the earlier probe still
/// stands; a new name leaves another small object behind. Concurrent probes of one name do not disturb each other. Makes
/// some twenty calls on a store that passes, most of them at the same time.
///
/// What it cannot see: a race that is lost so seldom that this one is won; and a server that keeps its promise today and is
/// set up otherwise tomorrow.
///
/// # Errors
///
/// [`StoreError::IgnoresCreateOnly`] when more than one write was accepted, or was accepted in an earlier probe of this name;
/// [`StoreError::Unsupported`] when the backend has no create-only writes; otherwise as [`Store::create`].
pub async fn probe(store: &Store, name: &str) -> Result<(), StoreError> {
    let key = format!("probes/{name}");
    let ignored = || StoreError::IgnoresCreateOnly { url: store.url().to_owned() };
    // In a probe of a name used before, the writer whose content stands wins again: it finds its own bytes. Where a later
    // write has replaced that content, none wins.
    let content = |racer: usize| Bytes::from(format!("writer {racer}\n"));
    let outcomes = join_all((0..RACERS).map(|racer| store.create(&key, content(racer)))).await;
    let mut winners = Vec::new();
    for (racer, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Ok(_) => winners.push(racer),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let stands = store.get(&key).await?;
    if !matches!(winners[..], [winner] if stands == Some(content(winner))) {
        return Err(ignored());
    }
    match store.create(&key, Bytes::from_static(b"late\n")).await {
        Err(StoreError::Conflict { .. }) => Ok(()),
        // `Same` too: the write was answered with an error and took place nevertheless.
        Ok(_) => Err(ignored()),
        Err(error) => Err(error),
    }
}
