//! The suite that every backend of [`Store`] must pass.
//!
//! Runs in this crate's tests against memory, a local folder, and servers of S3, Google Cloud Storage and Azure. A program that adds a backend, or that is
//! to run against another server, runs the same suite: [`run`].

#[cfg(feature = "s3")]
pub mod s3_server;

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
    pages_join_to_the_listing(&make_store().await).await;
    one_writer_gets_each_number_of_a_sequence(&make_store().await).await;
    the_probe_passes(&make_store().await).await;
}

/// Runs the part of the suite that reads, for a store through which nothing can be created, such as one behind a server.
///
/// `make_stores` gives at each call a new store to write with, and the store under test, which shows the same objects. It
/// may hold objects already, but none below the folders `a`, `b`, `d`, `n` and `environments`.
///
/// # Panics
///
/// When the store under test breaks a promise of [`Store`], saying which.
pub async fn run_reads(make_stores: impl AsyncFn() -> (Store, Store)) {
    let (writer, reader) = make_stores().await;
    assert!(ok(reader.list("a").await).is_empty(), "an absent folder is empty");
    assert!(ok(reader.folders("a").await).is_empty(), "an absent folder has no folders");
    content_is_read_as_it_was_written(&writer, &reader).await;
    let (writer, reader) = make_stores().await;
    keys_are_read_by_whole_segments(&writer, &reader).await;
    let (writer, reader) = make_stores().await;
    a_long_listing_is_read_completely(&writer, &reader).await;
    let (writer, reader) = make_stores().await;
    a_sequence_is_read_as_it_grows(&writer, &reader).await;
    nothing_is_created_by_a_reader(&make_stores().await.1).await;
}

async fn content_is_read_as_it_was_written(writer: &Store, reader: &Store) {
    let every_byte: Vec<u8> = (0..=255).collect();
    for (key, content) in [("empty", Vec::new()), ("bytes", every_byte), ("tile/0/x001/067.p/5", vec![7; 1024 * 1024])] {
        assert_eq!(ok(reader.get(key).await), None, "`{key}` is not there yet");
        ok(writer.create(key, content.clone().into()).await);
        // Absence must not be remembered: what is created is seen at once.
        assert!(ok(reader.get(key).await).is_some_and(|read| read == content), "`{key}` comes back as it went");
        assert!(ok(reader.get(key).await).is_some_and(|read| read == content), "`{key}` comes back a second time");
        assert!(ok(reader.exists(key).await), "`{key}` exists");
    }
    for key in ["", "/a", "a//b", "../a", "a#1", "a%41"] {
        let refused = reader.get(key).await;
        assert!(matches!(refused, Err(StoreError::InvalidKey { .. })), "`{key}` is refused, not {refused:?}");
    }
}

async fn keys_are_read_by_whole_segments(writer: &Store, reader: &Store) {
    for key in ["b/2", "b/10", "b/1/x", "bc/1", "b.d/1", "a", "B/1", "b-", "d/e=f+g@h~i/1"] {
        ok(writer.create(key, Bytes::from(key)).await);
    }
    for prefix in ["", "b", "b/", "b/1", "a", "d/e=f+g@h~i", "none"] {
        assert_eq!(ok(reader.list(prefix).await), ok(writer.list(prefix).await), "`{prefix}` is listed alike");
        assert_eq!(ok(reader.folders(prefix).await), ok(writer.folders(prefix).await), "`{prefix}` has the same folders");
    }
}

async fn a_long_listing_is_read_completely(writer: &Store, reader: &Store) {
    let keys: Vec<String> = (0..2_050).map(|number| format!("n/{number:04}")).collect();
    for some in keys.chunks(RACERS) {
        for created in join_all(some.iter().map(|key| writer.create(key, Bytes::new()))).await {
            ok(created);
        }
    }
    assert_eq!(ok(reader.list("n").await), keys, "a listing of several pages is complete and sorted");
}

async fn a_sequence_is_read_as_it_grows(writer: &Store, reader: &Store) {
    let (writing, reading) = (ok(Sequence::new(writer, "environments/prod")), ok(Sequence::new(reader, "environments/prod")));
    assert_eq!(ok(reading.latest().await), None, "the sequence is empty");
    for number in 1..=3_u64 {
        let content = Bytes::from(number.to_string());
        ok(writing.append(number, content.clone()).await);
        assert_eq!(ok(reading.latest().await), Some((number, content)), "the latest entry is seen at once");
    }
    assert_eq!(ok(reading.entries().await), ok(writing.entries().await), "all entries are read");
}

async fn nothing_is_created_by_a_reader(reader: &Store) {
    let refused = reader.create("a", Bytes::from_static(b"a")).await;
    assert!(matches!(refused, Err(StoreError::Unsupported { .. })), "creating is refused, not {refused:?}");
    assert_eq!(ok(reader.get("a").await), None, "nothing was created");
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

async fn pages_join_to_the_listing(store: &Store) {
    for key in ["b/2", "b/10", "b/1/x", "bc/1", "b.d/1", "a", "B/1", "b-/1", "b/1-/y", "b/0", "c/1"] {
        ok(store.create(key, Bytes::from(key)).await);
    }
    for prefix in ["", "b", "b/", "b/1", "absent"] {
        let whole = ok(store.list(prefix).await);
        for limit in 1..=whole.len() + 1 {
            let mut joined: Vec<String> = Vec::new();
            loop {
                let page = ok(store.list_page(prefix, joined.last().map(String::as_str), limit).await);
                assert!(page.len() <= limit, "a page of `{prefix}` has at most {limit} keys: {page:?}");
                let is_last = page.len() < limit;
                joined.extend(page);
                if is_last {
                    break;
                }
            }
            assert_eq!(joined, whole, "pages of {limit} keys of `{prefix}` join to the listing");
        }
    }
    assert!(ok(store.list_page("", None, 0).await).is_empty(), "a page of no keys is empty");
    assert_eq!(ok(store.list_page("b", Some("b/11"), 9).await), ["b/2"], "a page starts after a key that is absent");
    assert!(ok(store.list_page("b", Some("c"), 9).await).is_empty(), "nothing of a folder comes after a later key");
    assert_eq!(ok(store.list_page("b", Some("a"), 1).await), ["b/0"], "all of a folder comes after an earlier key");
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
