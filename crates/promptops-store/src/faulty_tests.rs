//! The store on backends that misbehave.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use crate::error::StoreError;
use crate::probe::probe;
use crate::store::{Created, Store};

/// How one call goes wrong.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The write takes place, and the answer is lost.
    AnswerLost,
    /// The connection breaks before anything is written.
    NothingWritten,
    /// S3's 409, "conflict, try again", which the library calls `AlreadyExists`. Nothing is written.
    TryAgain,
    /// Another writer's content arrives first, and the answer is lost.
    OtherWritten,
    /// The backend refuses: no permission.
    Forbidden,
    /// The disk is full.
    DiskFull,
}

/// Memory that fails as told: one fault for each write, in order, then none.
#[derive(Debug, Default)]
struct Faulty {
    inner: InMemory,
    faults: Mutex<VecDeque<Fault>>,
    /// Faults of reads: a lost connection each.
    failing_reads: Mutex<usize>,
    writes: Mutex<usize>,
    /// A server that never heard of `If-None-Match`.
    ignores_create_only: bool,
    /// A server that looks whether there is an object, and writes a moment later.
    looks_then_writes: bool,
}

impl fmt::Display for Faulty {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Faulty")
    }
}

fn broken(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::Generic { store: "Faulty", source: source.into() }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, location: &Path, payload: PutPayload, mut opts: PutOptions) -> Result<PutResult> {
        assert!(matches!(opts.mode, PutMode::Create), "the store only ever creates");
        *self.writes.lock().unwrap() += 1;
        if self.ignores_create_only {
            opts.mode = PutMode::Overwrite;
        }
        if self.looks_then_writes {
            if self.inner.head(location).await.is_ok() {
                return Err(Error::AlreadyExists { path: location.to_string(), source: "412".into() });
            }
            tokio::task::yield_now().await;
            opts.mode = PutMode::Overwrite;
        }
        let fault = self.faults.lock().unwrap().pop_front();
        match fault {
            None => self.inner.put_opts(location, payload, opts).await,
            Some(Fault::AnswerLost) => {
                self.inner.put_opts(location, payload, opts).await?;
                Err(broken("timed out"))
            }
            Some(Fault::NothingWritten) => Err(broken("connection reset")),
            Some(Fault::TryAgain) => {
                Err(Error::AlreadyExists { path: location.to_string(), source: "409 ConditionalRequestConflict".into() })
            }
            Some(Fault::OtherWritten) => {
                self.inner.put_opts(location, "other".into(), opts).await?;
                Err(broken("timed out"))
            }
            Some(Fault::Forbidden) => Err(Error::PermissionDenied { path: location.to_string(), source: "403".into() }),
            Some(Fault::DiskFull) => Err(broken(std::io::Error::from(std::io::ErrorKind::StorageFull))),
        }
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let fails = {
            let mut left = self.failing_reads.lock().unwrap();
            let fails = *left > 0;
            *left = left.saturating_sub(1);
            fails
        };
        if fails {
            return Err(broken("connection reset"));
        }
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(Error::NotImplemented { operation: "multipart".to_owned(), implementer: self.to_string() })
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// A backend with these faults ahead of it, and a store on it.
fn faulty(faults: &[Fault]) -> (Arc<Faulty>, Store) {
    let backend = Arc::new(Faulty { faults: Mutex::new(faults.iter().copied().collect()), ..Faulty::default() });
    (Arc::clone(&backend), Store::on(backend))
}

fn mine() -> Bytes {
    Bytes::from_static(b"mine")
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_answer_was_lost_is_recognised() {
    let (backend, store) = faulty(&[Fault::AnswerLost]);
    assert_eq!(store.create("a", mine()).await.unwrap(), Created::Same);
    assert_eq!(*backend.writes.lock().unwrap(), 1, "it is read back, not written again");
    assert_eq!(store.get("a").await.unwrap(), Some(mine()));
}

#[tokio::test(start_paused = true)]
async fn a_write_that_did_not_take_place_is_tried_again() {
    for fault in [Fault::NothingWritten, Fault::TryAgain] {
        let (backend, store) = faulty(&[fault, fault, fault]);
        assert_eq!(store.create("a", mine()).await.unwrap(), Created::New, "{fault:?}");
        assert_eq!(*backend.writes.lock().unwrap(), 4);
    }
}

#[tokio::test(start_paused = true)]
async fn trying_again_is_bounded_and_leaves_the_outcome_open() {
    for fault in [Fault::NothingWritten, Fault::TryAgain] {
        let (backend, store) = faulty(&[fault; 10]);
        let error = store.create("a", mine()).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        assert_eq!(*backend.writes.lock().unwrap(), 4);
        assert_eq!(store.get("a").await.unwrap(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn another_writers_content_is_a_conflict_even_when_the_answer_was_lost() {
    for faults in [&[Fault::OtherWritten][..], &[Fault::NothingWritten, Fault::OtherWritten]] {
        let (_, store) = faulty(faults);
        let error = store.create("a", mine()).await.unwrap_err();
        assert!(matches!(error, StoreError::Conflict { .. }), "{error:?}");
        assert_eq!(store.get("a").await.unwrap(), Some(Bytes::from_static(b"other")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_that_cannot_be_read_back_is_unavailable() {
    let (backend, store) = faulty(&[Fault::AnswerLost]);
    *backend.failing_reads.lock().unwrap() = 1;
    let error = store.create("a", mine()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert_eq!(store.create("a", mine()).await.unwrap(), Created::Same, "the same call settles it");
}

#[tokio::test(start_paused = true)]
async fn a_certain_refusal_is_not_tried_again() {
    let (backend, store) = faulty(&[Fault::Forbidden]);
    let error = store.create("a", mine()).await.unwrap_err();
    assert!(matches!(error, StoreError::PermissionDenied { .. }), "{error:?}");
    assert_eq!(*backend.writes.lock().unwrap(), 1);

    let (backend, store) = faulty(&[Fault::DiskFull]);
    let error = store.create("a", mine()).await.unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    assert_eq!(*backend.writes.lock().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_ignores_create_only_fails_the_probe() {
    let backend = Arc::new(Faulty { ignores_create_only: true, ..Faulty::default() });
    let store = Store::on(backend);
    let error = probe(&store, "init").await.unwrap_err();
    assert!(matches!(error, StoreError::IgnoresCreateOnly { .. }), "{error:?}");
    let hint = error.hint().unwrap();
    assert!(hint.contains("If-None-Match"), "{hint}");

    let backend = Faulty { ignores_create_only: true, ..Faulty::default() };
    *backend.faults.lock().unwrap() = VecDeque::from([Fault::AnswerLost, Fault::AnswerLost]);
    let error = probe(&Store::on(Arc::new(backend)), "init").await.unwrap_err();
    assert!(matches!(error, StoreError::IgnoresCreateOnly { .. }), "answers lost: {error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_looks_before_it_writes_fails_the_probe() {
    let store = Store::on(Arc::new(Faulty { looks_then_writes: true, ..Faulty::default() }));
    assert_eq!(store.create("a", mine()).await.unwrap(), Created::New);
    let refused = store.create("a", Bytes::from_static(b"other")).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "one after the other, it does right");
    let error = probe(&store, "init").await.unwrap_err();
    assert!(matches!(error, StoreError::IgnoresCreateOnly { .. }), "{error:?}");
}

#[tokio::test]
async fn a_store_that_replaced_the_object_of_an_earlier_probe_fails() {
    let backend = Arc::new(Faulty::default());
    let store = Store::on(Arc::clone(&backend) as Arc<dyn ObjectStore>);
    probe(&store, "init").await.unwrap();
    backend.inner.put(&Path::from("probes/init"), "second\n".into()).await.unwrap();
    let error = probe(&store, "init").await.unwrap_err();
    assert!(matches!(error, StoreError::IgnoresCreateOnly { .. }), "{error:?}");
    probe(&store, "another-name").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_probe_does_not_blame_a_server_that_fails() {
    let (_, store) = faulty(&[Fault::TryAgain; 64]);
    assert!(matches!(probe(&store, "init").await, Err(StoreError::Unavailable { .. })));
    let (_, store) = faulty(&[Fault::AnswerLost, Fault::TryAgain]);
    probe(&store, "init").await.unwrap();
}
