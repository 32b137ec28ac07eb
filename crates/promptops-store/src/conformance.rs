//! The suite that every backend of [`Store`] must pass.
//!
//! Runs against memory, a local folder and an S3 server in this crate's tests. A program that adds a backend, or that is
//! to run against another S3 server, runs the same suite: [`run`].

use std::fmt::Debug;

use bytes::Bytes;
use futures::future::join_all;

use crate::error::StoreError;
use crate::probe::probe;
use crate::sequence::Sequence;
use crate::store::{Created, Store};

/// Writers that race for one key.
const RACERS: usize = 32;

/// Runs the whole suite; `make_store` gives a new, empty store at each call.
///
/// # Panics
///
/// When the backend breaks a promise of [`Store`], saying which.
pub async fn run(make_store: impl AsyncFn() -> Store) {
    absent_objects_are_none(&make_store().await).await;
    an_object_is_created_once(&make_store().await).await;
    content_comes_back_as_it_went(&make_store().await).await;
    one_of_many_writers_wins(&make_store().await).await;
    writers_of_the_same_content_all_succeed(&make_store().await).await;
    keys_are_listed_by_whole_segments(&make_store().await).await;
    unusual_keys_are_kept_apart(&make_store().await).await;
    a_long_listing_is_complete(&make_store().await).await;
    one_writer_gets_each_number_of_a_sequence(&make_store().await).await;
    the_probe_passes(&make_store().await).await;
}

async fn absent_objects_are_none(store: &Store) {
    assert_eq!(ok(store.get("a/b").await), None, "an absent object is `None`");
    assert!(!ok(store.exists("a/b").await), "an absent object does not exist");
    assert!(ok(store.list("").await).is_empty(), "a new store is empty");
    assert!(ok(store.list("a").await).is_empty(), "an absent folder is empty");
    assert!(ok(store.folders("a").await).is_empty(), "an absent folder has no folders");
}

async fn an_object_is_created_once(store: &Store) {
    let (first, other) = (Bytes::from_static(b"first"), Bytes::from_static(b"other"));
    assert_eq!(ok(store.create("a/b.json", first.clone()).await), Created::New, "the first create is new");
    assert_eq!(ok(store.create("a/b.json", first.clone()).await), Created::Same, "the same content is the same");
    for other in [other, Bytes::new(), Bytes::from_static(b"first ")] {
        let refused = store.create("a/b.json", other).await;
        assert!(is_conflict(&refused, "a/b.json"), "other content is a conflict, not {refused:?}");
    }
    assert_eq!(ok(store.get("a/b.json").await), Some(first), "a refused create changes nothing");
    assert!(ok(store.exists("a/b.json").await), "a stored object exists");
    assert_eq!(ok(store.list("").await), ["a/b.json"], "a refused create leaves nothing behind");
}

async fn content_comes_back_as_it_went(store: &Store) {
    let every_byte: Vec<u8> = (0..=255).collect();
    let mebibyte: Vec<u8> = (0..1024 * 1024).map(|index: u32| index.to_le_bytes()[index as usize % 3]).collect();
    for (key, content) in [("empty", Vec::new()), ("bytes", every_byte), ("large", mebibyte)] {
        let content = Bytes::from(content);
        assert_eq!(ok(store.create(key, content.clone()).await), Created::New, "`{key}` is new");
        assert!(ok(store.get(key).await).as_ref() == Some(&content), "`{key}` comes back as it went");
        assert_eq!(ok(store.create(key, content).await), Created::Same, "`{key}` is the same");
    }
}

async fn one_of_many_writers_wins(store: &Store) {
    let content = |writer: usize| Bytes::from(format!("writer {writer}"));
    let outcomes = join_all((0..RACERS).map(|writer| store.create("race", content(writer)))).await;
    let winners: Vec<usize> = (0..RACERS).filter(|writer| outcomes[*writer].is_ok()).collect();
    assert_eq!(winners.len(), 1, "exactly one writer wins, not {winners:?}");
    for (writer, outcome) in outcomes.iter().enumerate().filter(|(writer, _)| *writer != winners[0]) {
        assert!(is_conflict(outcome, "race"), "writer {writer} is told of the conflict, not {outcome:?}");
    }
    assert_eq!(ok(store.get("race").await), Some(content(winners[0])), "the winner's content is stored");
    assert_eq!(ok(store.list("").await), ["race"], "the losers leave nothing behind");
}

async fn writers_of_the_same_content_all_succeed(store: &Store) {
    let content = Bytes::from_static(b"agreed");
    let outcomes = join_all((0..RACERS).map(|_| store.create("agreed", content.clone()))).await;
    for outcome in outcomes {
        ok(outcome);
    }
    assert_eq!(ok(store.get("agreed").await), Some(content), "the content all agree on is stored");
}

async fn keys_are_listed_by_whole_segments(store: &Store) {
    for key in ["b/2", "b/10", "b/1/x", "bc/1", "b.d/1", "a", "B/1", "b-"] {
        ok(store.create(key, Bytes::from(key)).await);
    }
    let all = ["B/1", "a", "b-", "b.d/1", "b/1/x", "b/10", "b/2", "bc/1"];
    assert_eq!(ok(store.list("").await), all, "keys are listed in the order of their bytes");
    for prefix in ["b", "b/"] {
        assert_eq!(ok(store.list(prefix).await), ["b/1/x", "b/10", "b/2"], "`{prefix}` is a whole segment");
    }
    assert_eq!(ok(store.list("b/1").await), ["b/1/x"], "`b/1` does not list `b/10`");
    assert!(ok(store.list("a").await).is_empty(), "an object is not in its own folder");
    assert_eq!(ok(store.folders("").await), ["B", "b", "b.d", "bc"], "folders are listed by name");
    assert_eq!(ok(store.folders("b").await), ["1"], "folders are listed below a folder");
}

async fn unusual_keys_are_kept_apart(store: &Store) {
    let mut keys = vec![
        ".hidden",
        "-",
        "..a/b..c",
        "a.b.c/d-e_f=g+h@i~j",
        "customer-support.intent-classifier/0000000001.json",
        "tile/0/x001/067.p/5",
    ];
    for key in &keys {
        assert_eq!(ok(store.create(key, Bytes::from(key.to_string())).await), Created::New, "`{key}` is new");
    }
    for key in &keys {
        assert_eq!(ok(store.get(key).await), Some(Bytes::from(key.to_string())), "`{key}` holds its own content");
    }
    keys.sort_unstable();
    assert_eq!(ok(store.list("").await), keys, "keys are listed as they were written");
    for key in ["", "/a", "a/", "a//b", "../a", "a b", "a#1", "a%41"] {
        let refused = store.create(key, Bytes::new()).await;
        assert!(matches!(refused, Err(StoreError::InvalidKey { .. })), "`{key}` is refused, not {refused:?}");
    }
}

/// S3 lists 1,000 keys at a time.
async fn a_long_listing_is_complete(store: &Store) {
    let keys: Vec<String> = (0..1_050).map(|number| format!("n/{number:04}")).collect();
    for some in keys.chunks(RACERS) {
        for created in join_all(some.iter().map(|key| store.create(key, Bytes::new()))).await {
            assert_eq!(ok(created), Created::New, "each key is new");
        }
    }
    assert_eq!(ok(store.list("n").await), keys, "a listing of more than 1,000 keys is complete and sorted");
}

async fn one_writer_gets_each_number_of_a_sequence(store: &Store) {
    const NUMBERS: u64 = 5;
    let sequence = ok(Sequence::new(store, "environments/prod"));
    for number in 1..=NUMBERS {
        let content = |writer| Bytes::from(format!("{number} by {writer}"));
        let outcomes = join_all((0..RACERS).map(|writer| sequence.append(number, content(writer)))).await;
        let winners: Vec<usize> = (0..RACERS).filter(|writer| outcomes[*writer].is_ok()).collect();
        assert_eq!(winners.len(), 1, "exactly one writer gets number {number}, not {winners:?}");
        let latest = ok(sequence.latest().await);
        assert_eq!(latest, Some((number, content(winners[0]))), "the latest entry is the winner's");
    }
    let numbers: Vec<u64> = ok(sequence.entries().await).iter().map(|entry| entry.0).collect();
    assert_eq!(numbers, (1..=NUMBERS).collect::<Vec<_>>(), "a sequence has no gaps");
    let beyond = sequence.append(NUMBERS + 2, Bytes::new()).await;
    assert!(matches!(beyond, Err(StoreError::Gap { .. })), "a gap is refused, not {beyond:?}");
}

async fn the_probe_passes(store: &Store) {
    ok(probe(store, "conformance").await);
    ok(probe(store, "conformance").await);
    ok(probe(store, "again").await);
    assert_eq!(ok(store.list("").await), ["probes/again", "probes/conformance"], "each probe leaves one object");
}

fn is_conflict<T>(outcome: &Result<T, StoreError>, expected: &str) -> bool {
    matches!(outcome, Err(StoreError::Conflict { key }) if key == expected)
}

#[track_caller]
fn ok<T: Debug>(outcome: Result<T, StoreError>) -> T {
    outcome.expect("the backend answers")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::location::StoreOptions;

    #[tokio::test]
    async fn memory_conforms() {
        run(async || Store::open("memory://", &StoreOptions::default()).unwrap()).await;
    }

    /// On several threads, so that writers truly meet.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_local_folder_conforms() {
        let dir = tempfile::tempdir().unwrap();
        let options = StoreOptions { base_dir: dir.path().to_owned(), ..StoreOptions::default() };
        let stores = std::cell::Cell::new(0);
        run(async || {
            stores.set(stores.get() + 1);
            Store::open(&format!("file://{}/registry", stores.get()), &options).unwrap()
        })
        .await;
    }
}
