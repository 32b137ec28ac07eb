//! How many calls long folders cost, on a backend that counts them.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::error::StoreError;
use crate::sequence::Sequence;
use crate::store::Store;

const FOLDER: &str = "log";
/// Names in one answer to a listing, as S3 has it.
const NAMES_PER_CALL: u64 = 1_000;

/// A sequence of any length that is stored nowhere: each entry holds its own number.
///
/// Counts calls as a server would see them: a listing is one call for each thousand names that are taken from it.
#[derive(Debug)]
struct LongSequence {
    entries: AtomicU64,
    /// Entries that another writer appends at each call.
    growth: u64,
    lists: Arc<AtomicU64>,
    heads: AtomicU64,
    reads: AtomicU64,
}

impl LongSequence {
    fn of(entries: u64) -> Arc<Self> {
        Self::growing(entries, 0)
    }

    fn growing(entries: u64, growth: u64) -> Arc<Self> {
        let lists = Arc::default();
        let (heads, reads) = Default::default();
        Arc::new(Self { entries: entries.into(), growth, lists, heads, reads })
    }

    /// Listings, questions after existence and reads since the last call of this.
    fn calls(&self) -> [u64; 3] {
        [&self.lists, &self.heads, &self.reads].map(|count| count.swap(0, Ordering::Relaxed))
    }

    fn entries(&self) -> u64 {
        self.entries.fetch_add(self.growth, Ordering::Relaxed)
    }

    fn names_after(&self, offset: u64) -> BoxStream<'static, Result<ObjectMeta>> {
        let (entries, lists) = (self.entries(), Arc::clone(&self.lists));
        let first_call = Arc::clone(&lists);
        let names = (offset + 1..=entries).enumerate().map(move |(index, number)| {
            if index > 0 && (index as u64).is_multiple_of(NAMES_PER_CALL) {
                lists.fetch_add(1, Ordering::Relaxed);
            }
            Ok(meta(number))
        });
        first_call.fetch_add(1, Ordering::Relaxed);
        futures::stream::iter(names).boxed()
    }
}

fn number_in(path: &Path) -> u64 {
    let digits = path.filename().and_then(|name| name.strip_suffix(".json")).expect("the name of an entry");
    digits.parse().expect("the number of an entry")
}

fn meta(number: u64) -> ObjectMeta {
    let location = Path::from(format!("{FOLDER}/{number:020}.json"));
    ObjectMeta { location, last_modified: Default::default(), size: 1, e_tag: None, version: None }
}

impl fmt::Display for LongSequence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LongSequence")
    }
}

#[async_trait]
impl ObjectStore for LongSequence {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let count = if options.head { &self.heads } else { &self.reads };
        count.fetch_add(1, Ordering::Relaxed);
        if number_in(location) > self.entries() {
            return Err(Error::NotFound { path: location.to_string(), source: "404".into() });
        }
        let one = InMemory::new();
        one.put(location, number_in(location).to_string().into()).await?;
        one.get_opts(location, options).await
    }

    fn list(&self, _: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.names_after(0)
    }

    fn list_with_offset(&self, _: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.names_after(number_in(offset))
    }

    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(refused())
    }

    async fn get_ranges(&self, _: &Path, _: &[Range<u64>]) -> Result<Vec<Bytes>> {
        Err(refused())
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(refused())
    }

    fn delete_stream(&self, _: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        futures::stream::iter([Err(refused())]).boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        Err(refused())
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(refused())
    }
}

fn refused() -> Error {
    Error::NotImplemented { operation: "this".to_owned(), implementer: "LongSequence".to_owned() }
}

fn sequence_on(store: &Store) -> Sequence {
    Sequence::new(store, FOLDER).unwrap()
}

/// Lengths around every point at which the search changes its way.
fn lengths() -> Vec<u64> {
    let around = |length: u64| [length - 1, length, length + 1];
    let mut lengths: Vec<u64> = [1, 2, 16, 1_000, 2_000, 17_000, 65_536, 2_000_000].into_iter().flat_map(around).collect();
    lengths.extend([u64::from(u32::MAX), 1 << 50, u64::MAX - 1]);
    lengths
}

#[tokio::test]
async fn the_end_is_found_at_every_length() {
    for length in lengths() {
        let backend = LongSequence::of(length);
        let expected = (length > 0).then(|| (length, Bytes::from(length.to_string())));
        for store in [Store::on_ordered(backend.clone()), Store::on(backend.clone())] {
            assert_eq!(sequence_on(&store).latest().await.unwrap(), expected, "{length} entries");
            for known in [1, length / 2, length.saturating_sub(1_500), length].into_iter().filter(|known| *known > 0) {
                let found = sequence_on(&store).latest_from(known).await;
                match &expected {
                    Some(expected) => assert_eq!(found.unwrap(), *expected, "{length} entries, from {known}"),
                    None => assert!(matches!(found, Err(StoreError::Corrupt { .. })), "{found:?}"),
                }
            }
        }
    }
}

#[tokio::test]
async fn a_short_sequence_costs_one_listing_and_one_read() {
    let backend = LongSequence::of(999);
    let sequence = sequence_on(&Store::on_ordered(backend.clone()));
    sequence.latest().await.unwrap();
    assert_eq!(backend.calls(), [1, 0, 1]);
    let backend = LongSequence::of(0);
    sequence_on(&Store::on_ordered(backend.clone())).latest().await.unwrap();
    assert_eq!(backend.calls(), [1, 0, 0]);
}

#[tokio::test]
async fn a_long_sequence_is_not_listed_whole() {
    let backend = LongSequence::of(2_000_000);
    let sequence = sequence_on(&Store::on_ordered(backend.clone()));
    sequence.latest().await.unwrap();
    assert_eq!(backend.calls(), [2, 64, 1], "one list, one round of doubling, three of narrowing, one list, one read");
    sequence.latest_from(1_999_500).await.unwrap();
    assert_eq!(backend.calls(), [1, 0, 1]);

    let sequence = sequence_on(&Store::on(backend.clone()));
    sequence.latest().await.unwrap();
    let [lists, heads, reads] = backend.calls();
    assert_eq!((lists, reads), (0, 1));
    assert!(heads <= 8 * 16, "{heads} in at most eight rounds");
}

/// What is returned was the end at some moment of the call: no lower than at its start, no higher than at its return.
#[tokio::test]
async fn a_sequence_that_grows_meanwhile_has_an_end() {
    for (length, growth) in [(10, 1), (999, 1), (5_000, 3), (50_000, 100), (2_000_000, 40)] {
        let backend = LongSequence::growing(length, growth);
        for store in [Store::on_ordered(backend.clone()), Store::on(backend.clone())] {
            let before = backend.entries();
            let (number, _) = sequence_on(&store).latest().await.unwrap().unwrap();
            let after = backend.entries();
            assert!((before..=after).contains(&number), "{before} <= {number} <= {after}");
        }
    }
}

#[tokio::test]
async fn a_page_costs_as_much_as_it_holds_where_listings_are_ordered() {
    let backend = LongSequence::of(100_000);
    let store = Store::on_ordered(backend.clone());
    let page = store.list_page(FOLDER, None, 1_000).await.unwrap();
    assert_eq!((page.len(), backend.calls()), (1_000, [1, 0, 0]), "not one call more to see whether there is more");
    let page = store.list_page(FOLDER, page.last().map(String::as_str), 2_500).await.unwrap();
    assert_eq!((page.len(), backend.calls()), (2_500, [3, 0, 0]));
    assert_eq!(page[0], "log/00000000000000001001.json");
    let page = store.list_page(FOLDER, Some("log/00000000000000099999.json"), 10).await.unwrap();
    assert_eq!(page, ["log/00000000000000100000.json"]);
}
