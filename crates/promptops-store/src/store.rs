//! Immutable objects at a URL.

use std::collections::BinaryHeap;
use std::fmt;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStream, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};

use crate::error::{Cause, StoreError, classify, input_output_kind};
use crate::key::{check_key, check_prefix};
use crate::location::{self, ListingOrder, Location, StoreOptions};

/// Largest object in bytes, both ways: what is stored is read into memory whole.
pub const MAX_OBJECT_BYTES: u64 = 64 * 1024 * 1024;

/// How often a create whose outcome is unknown is tried before it is given up.
const CREATE_ATTEMPTS: u32 = 4;
/// Pause before the second attempt; doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(25);

/// How [`Store::create`] found the world.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Created {
    /// This call stored the object.
    New,
    /// The object is stored with exactly these bytes, by an earlier call, by somebody else, or by an attempt of this
    /// call whose answer was lost.
    Same,
}

/// A folder of immutable objects at a URL: a local folder, memory, or a bucket of S3, Google Cloud Storage or Azure.
///
/// An object appears whole or not at all, and never changes afterwards. Of any number of concurrent
/// [`create`](Store::create)s of one key, in any number of processes, exactly one content wins. A create that has
/// returned is seen by every later read from anywhere.
///
/// A create that has returned is durable. The clouds store before they answer. On `file://` content is written and synced to the
/// disk under another name (`key#1`), linked to its own when complete, and the folder synced: neither the death of the
/// process (kill −9) nor a power failure at any point leaves a part of an object under its key. A staged file may be left
/// behind; it is never listed or read. As far as the disk tells the truth about its cache, and not on a network file system
/// whose server answers before it stores.
///
/// **Invariant:** there is no way to overwrite and no way to delete, here or in any type built on this. Published
/// versions, sequences and the audit log are only as immutable as this type makes them; and a deleted sequence slot
/// could be taken by a stalled writer, which would rewrite history. Withdrawal is another object that says so.
///
/// A key cannot be both an object and a folder: after `a`, `a/b` is refused on `file://`, and should not be tried elsewhere.
/// Calls need a Tokio runtime with its timer. Clones share the backend. Opening `memory://` twice gives two stores.
///
/// ```
/// use promptops_store::{Created, Store, StoreError, StoreOptions};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let store = Store::open("memory://", &StoreOptions::default())?;
/// assert_eq!(store.create("prompts/greeting/0000000001.json", "one".into()).await?, Created::New);
/// assert_eq!(store.create("prompts/greeting/0000000001.json", "one".into()).await?, Created::Same);
/// let refused = store.create("prompts/greeting/0000000001.json", "other".into()).await;
/// assert!(matches!(refused, Err(StoreError::Conflict { .. })));
/// assert_eq!(store.get("prompts/greeting/0000000001.json").await?, Some("one".into()));
/// # Ok::<(), StoreError>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Store {
    url: Arc<str>,
    backend: Arc<dyn ObjectStore>,
    local: Option<Arc<LocalFileSystem>>,
    prefix: ObjectPath,
    listing: ListingOrder,
    #[cfg(feature = "http")]
    connection: Option<crate::connection::Connection>,
}

impl Store {
    /// Opens the store a URL names: `file:///absolute/folder`, `file://relative/folder`, `memory://`, `s3://bucket/prefix`,
    /// `gs://bucket/prefix`, `az://container/prefix`, or `https://host/path` of a server.
    ///
    /// Makes no call and creates nothing, so it does not say whether the folder or bucket exists. Percent escapes in
    /// `file://` URLs are decoded; a relative folder is resolved against [`StoreOptions::base_dir`].
    ///
    /// # Errors
    ///
    /// [`StoreError::InvalidUrl`] for an unknown scheme, a missing bucket, or a file in place of a folder;
    /// [`StoreError::InvalidSettings`] for settings that do not fit the backend.
    pub fn open(url: &str, options: &StoreOptions) -> Result<Self, StoreError> {
        #[cfg(feature = "http")]
        if url.starts_with("https://") || url.starts_with("http://") {
            return Ok(Self::behind(url.into(), crate::connection::Connection::open(url, options)?));
        }
        let Location { backend, local, prefix, listing } = location::resolve(url, options)?;
        Ok(Self {
            url: url.into(),
            backend,
            local,
            prefix,
            listing,
            #[cfg(feature = "http")]
            connection: None,
        })
    }

    #[cfg(feature = "http")]
    fn behind(url: Arc<str>, connection: crate::connection::Connection) -> Self {
        let backend = Arc::new(crate::http::HttpBackend::new(connection.clone()));
        let listing = ListingOrder::Sorted;
        Self { url, backend, local: None, prefix: ObjectPath::ROOT, listing, connection: Some(connection) }
    }

    /// Returns the store on a backend of one's own, for tests: one that fails as told, or makes its objects up.
    #[cfg(any(test, feature = "conformance"))]
    pub fn on(backend: Arc<dyn ObjectStore>) -> Self {
        Self {
            url: "test://".into(),
            backend,
            local: None,
            prefix: ObjectPath::ROOT,
            listing: ListingOrder::None,
            #[cfg(feature = "http")]
            connection: None,
        }
    }

    /// As [`Store::on`], for a backend whose listings are sorted and can begin anywhere.
    #[cfg(any(test, feature = "conformance"))]
    pub fn on_ordered(backend: Arc<dyn ObjectStore>) -> Self {
        Self { listing: ListingOrder::Sorted, ..Self::on(backend) }
    }

    /// Returns the URL this store was opened with.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the connection to the server that stands before the objects, for what it offers besides them; `None`
    /// where the objects are reached directly. Through a server nothing can be created as an object.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn connection(&self) -> Option<&crate::connection::Connection> {
        self.connection.as_ref()
    }

    /// Returns the same store, which reads what lies there now and not what a server or something on the way to it
    /// remembers. Without a server between it is no different.
    #[must_use]
    pub fn anew(&self) -> Self {
        #[cfg(feature = "http")]
        if let Some(connection) = &self.connection {
            return Self::behind(Arc::clone(&self.url), connection.asking_anew());
        }
        self.clone()
    }

    /// Reads an object; `None` when there is none under this key. One call.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooLarge`] before reading anything above [`MAX_OBJECT_BYTES`]; otherwise as the backend fails.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        let path = self.path(key)?;
        let found = match self.backend.get(&path).await {
            Ok(found) => found,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(classify(&self.url, key, error)),
        };
        let size = found.meta.size;
        check_size(key, size)?;
        let bytes = found.bytes().await.map_err(|error| classify(&self.url, key, error))?;
        if bytes.len() as u64 != size {
            let source = Cause::from_text(format!("{} bytes came of an object of {size}", bytes.len()));
            return Err(StoreError::Unavailable { key: key.to_owned(), source });
        }
        Ok(Some(bytes))
    }

    /// Says whether there is an object under this key. One call that transfers no content.
    ///
    /// # Errors
    ///
    /// As the backend fails; but in a bucket that does not exist, no object does, because S3 answers both alike here.
    pub async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        match self.backend.head(&self.path(key)?).await {
            Ok(_) => Ok(true),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(classify(&self.url, key, error)),
        }
    }

    /// Stores an object unless there is one under this key already. Repeating the call with the same bytes is safe.
    ///
    /// One call when all goes well. When the backend says that the object exists, or leaves open what happened (a
    /// timeout, a lost connection, S3's 409), the object is read back: the same bytes are a success, other bytes a
    /// conflict, absence is tried again a few times.
    ///
    /// Two writers of the *same* bytes both succeed. Where it matters who came first, the content must differ, for
    /// instance by naming the writer.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] when other content is stored; [`StoreError::Full`] and
    /// [`StoreError::PermissionDenied`] when nothing was written; [`StoreError::Unavailable`] when the outcome is unknown.
    pub async fn create(&self, key: &str, bytes: Bytes) -> Result<Created, StoreError> {
        let path = self.path(key)?;
        check_size(key, bytes.len() as u64)?;
        let mut pause = FIRST_PAUSE;
        let mut attempt = 1;
        loop {
            let error = match self.create_only(&path, bytes.clone()).await {
                Ok(()) => return Ok(Created::New),
                Err(error) => error,
            };
            let failure = match doubt(&error) {
                Doubt::NothingWritten => return Err(classify(&self.url, key, error)),
                Doubt::Unknown => classify(&self.url, key, error),
            };
            match self.get(key).await? {
                Some(stored) if stored == bytes => return Ok(Created::Same),
                Some(_) => return Err(StoreError::Conflict { key: key.to_owned() }),
                None if attempt == CREATE_ATTEMPTS => return Err(failure),
                None => {}
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
            attempt += 1;
        }
    }

    /// Lists the keys of all objects below a folder, at any depth, sorted by their bytes.
    ///
    /// `prefix` is whole segments: `a/b` and `a/b/` both list `a/b/c` and neither lists `a/bc` nor an object `a/b`. The
    /// empty prefix lists everything. A folder that does not exist is empty. Costs one call per 1,000 keys on S3, and a
    /// walk through the folder on `file://`; all keys are held in memory.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`] when the bucket does not exist; otherwise as the backend fails.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let folder = self.folder(prefix)?;
        let objects = self.backend.list(Some(&folder));
        let keys = objects.try_filter_map(|object| std::future::ready(Ok(self.key(&object.location))));
        let mut keys: Vec<String> = match keys.try_collect().await {
            Ok(keys) => keys,
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            Err(error) => return Err(classify(&self.url, prefix, error)),
        };
        keys.sort_unstable();
        Ok(keys)
    }

    /// Lists at most `limit` keys of the objects below a folder that come after a key, sorted by their bytes.
    ///
    /// Give the last key of one page as `after` to get the next; a page shorter than `limit` is the last. `after` need not
    /// be the key of an object. Objects created meanwhile are on a later page when their key sorts there. `prefix` as in
    /// [`Store::list`].
    ///
    /// Costs one call per 1,000 keys returned, at least one, on S3 and GCS, which list in order and from a key on. Elsewhere
    /// each page costs as much as the whole listing: on `file://` a walk through the folder, on Azure one call per 5,000 keys
    /// below it, on S3 Express one per 1,000. No more than `limit` keys are held in memory.
    ///
    /// # Errors
    ///
    /// As [`Store::list`].
    pub async fn list_page(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, StoreError> {
        self.page(prefix, after, limit, self.listing == ListingOrder::Sorted).await
    }

    /// As [`list_page`](Store::list_page), for a folder whose objects are all directly in it; `None` where a page would cost
    /// more calls than it has thousands of keys.
    pub(crate) async fn flat_page(&self, folder: &str, after: &str, limit: usize) -> Result<Option<Vec<String>>, StoreError> {
        match self.listing {
            ListingOrder::None => Ok(None),
            ListingOrder::Sorted | ListingOrder::SortedInFolder => self.page(folder, Some(after), limit, true).await.map(Some),
        }
    }

    async fn page(&self, prefix: &str, after: Option<&str>, limit: usize, in_order: bool) -> Result<Vec<String>, StoreError> {
        let folder = self.folder(prefix)?;
        let offset = after.map(|after| self.path(after)).transpose()?;
        let objects = match &offset {
            Some(offset) if in_order => self.backend.list_with_offset(Some(&folder), offset),
            _ => self.backend.list(Some(&folder)),
        };
        let keys = objects.try_filter_map(|object| std::future::ready(Ok(self.key(&object.location))));
        // Also of what was listed from a key on: not every server that speaks a cloud's protocol heeds it.
        let keys = keys.try_filter(|key| std::future::ready(after.is_none_or(|after| key.as_str() > after)));
        let page = if in_order {
            // Not asking for more after the last wanted key is what keeps this from fetching the next thousand.
            keys.take(limit).try_collect().await
        } else {
            lowest(keys, limit).await
        };
        match page {
            Ok(keys) => Ok(keys),
            Err(error) if is_absent(&error) => Ok(Vec::new()),
            Err(error) => Err(classify(&self.url, prefix, error)),
        }
    }

    /// Lists the names of the folders directly below a folder, sorted, without descending into them.
    ///
    /// Costs one call per 1,000 names on S3.
    ///
    /// # Errors
    ///
    /// As [`Store::list`].
    pub async fn folders(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let folder = self.folder(prefix)?;
        let listed = match self.backend.list_with_delimiter(Some(&folder)).await {
            Ok(listed) => listed,
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            Err(error) => return Err(classify(&self.url, prefix, error)),
        };
        let mut names: Vec<String> =
            listed.common_prefixes.iter().filter_map(|path| path.filename().map(str::to_owned)).collect();
        names.sort_unstable();
        Ok(names)
    }

    async fn create_only(&self, path: &ObjectPath, bytes: Bytes) -> Result<(), object_store::Error> {
        let Some(local) = &self.local else {
            let create_only = PutOptions::from(PutMode::Create);
            return self.backend.put_opts(path, bytes.into(), create_only).await.map(drop);
        };
        let file = local.path_to_filesystem(path)?;
        let created = tokio::task::spawn_blocking(move || crate::local::create(&file, &bytes)).await?;
        created.map_err(|source| match source.kind() {
            ErrorKind::AlreadyExists => object_store::Error::AlreadyExists { path: path.to_string(), source: source.into() },
            _ => object_store::Error::Generic { store: "file", source: source.into() },
        })
    }

    fn path(&self, key: &str) -> Result<ObjectPath, StoreError> {
        check_key(key)?;
        self.below(key)
    }

    fn folder(&self, prefix: &str) -> Result<ObjectPath, StoreError> {
        match check_prefix(prefix)? {
            "" => Ok(self.prefix.clone()),
            folder => self.below(folder),
        }
    }

    fn below(&self, key: &str) -> Result<ObjectPath, StoreError> {
        let whole = if self.prefix.is_root() { key.to_owned() } else { format!("{}/{key}", self.prefix) };
        ObjectPath::parse(whole)
            .map_err(|_| StoreError::InvalidKey { key: key.to_owned(), reason: "the backend refuses this key" })
    }

    /// The key of a listed object; `None` for what this software did not store, such as a file with a `#` in its name.
    fn key(&self, location: &ObjectPath) -> Option<String> {
        let whole = location.as_ref();
        let key = if self.prefix.is_root() { whole } else { whole.strip_prefix(self.prefix.as_ref())?.strip_prefix('/')? };
        check_key(key).is_ok().then(|| key.to_owned())
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Store").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The lowest keys of a listing in any order, sorted.
async fn lowest(
    keys: impl TryStream<Ok = String, Error = object_store::Error>,
    limit: usize,
) -> Result<Vec<String>, object_store::Error> {
    let lowest = BinaryHeap::new();
    let lowest = keys.try_fold(lowest, |mut lowest, key| {
        lowest.push(key);
        if lowest.len() > limit {
            lowest.pop();
        }
        std::future::ready(Ok(lowest))
    });
    Ok(lowest.await?.into_sorted_vec())
}

fn check_size(key: &str, bytes: u64) -> Result<(), StoreError> {
    if bytes > MAX_OBJECT_BYTES {
        return Err(StoreError::TooLarge { key: key.to_owned(), bytes, limit: MAX_OBJECT_BYTES });
    }
    Ok(())
}

/// What a failed create leaves open.
enum Doubt {
    NothingWritten,
    Unknown,
}

/// Whether a failed create may have stored the object.
///
/// Two traps of the object store library meet here. A create is not marked idempotent, so a timeout comes back without a
/// retry and with its outcome unknown. And HTTP 409 becomes `AlreadyExists`, although S3 means "conflict, try again" by
/// it. So `AlreadyExists` is doubted too, and whatever is not certain to have written nothing.
fn doubt(error: &object_store::Error) -> Doubt {
    use object_store::Error as Backend;

    match error {
        Backend::NotFound { .. }
        | Backend::InvalidPath { .. }
        | Backend::NotSupported { .. }
        | Backend::NotImplemented { .. }
        | Backend::PermissionDenied { .. }
        | Backend::Unauthenticated { .. }
        | Backend::UnknownConfigurationKey { .. } => Doubt::NothingWritten,
        Backend::Generic { .. } => match input_output_kind(error) {
            // A local name is linked to complete content last, so these left none.
            Some(
                ErrorKind::StorageFull
                | ErrorKind::QuotaExceeded
                | ErrorKind::PermissionDenied
                | ErrorKind::ReadOnlyFilesystem
                | ErrorKind::NotADirectory
                | ErrorKind::IsADirectory
                | ErrorKind::Unsupported,
            ) => Doubt::NothingWritten,
            _ => Doubt::Unknown,
        },
        _ => Doubt::Unknown,
    }
}

/// Codes by which the clouds say that an object, and nothing else, is not there.
const ABSENT_CODES: [&str; 4] = ["NoSuchKey", "BlobNotFound", "ResourceNotFound", "PathNotFound"];

/// Whether a failed read means that there is no such object.
///
/// The clouds answer 404 for a missing object and for a missing bucket, and versitygw for an unknown access key; only the
/// code in the body tells them apart. An answer without a code, as to HEAD, is about the object. On `file://` whatever is
/// below another object's key (`a/b` where `a` is a file) fails with "not a directory"; on S3 it is simply absent.
fn is_absent(error: &object_store::Error) -> bool {
    if !matches!(error, object_store::Error::NotFound { .. }) {
        return input_output_kind(error) == Some(ErrorKind::NotADirectory);
    }
    let text = error.to_string();
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    code.is_none_or(|(code, _)| ABSENT_CODES.contains(&code))
}
