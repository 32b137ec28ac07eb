//! The lake: where it is and how its files are listed and read.

use std::fmt;
use std::fs::File;
use std::path::{Path as FilePath, absolute};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectMeta, ObjectStore};
use promptops_store::{StoreError, StoreOptions, open_backend};

use crate::error::{Cause, LakeError};
use crate::file;
use crate::owners::PromptOwners;
use crate::pricing::Prices;

/// A folder of invocation records, on disk or in an object store.
///
/// A file appears whole or not at all, and never changes afterwards. Any number of processes may write and read at once:
/// see [`Lake::append`]. Nothing is created before the first record is written, and a lake that does not exist yet is
/// an empty one. Clones share the backend.
#[derive(Clone)]
pub struct Lake {
    pub(crate) store: Arc<dyn ObjectStore>,
    name: Arc<str>,
    pub(crate) owners: Arc<PromptOwners>,
    pub(crate) prices: Arc<Prices>,
    pub(crate) memory_limit: usize,
    /// The folder, of a lake on a local disk.
    pub(crate) disk: Option<Path>,
}

/// Bytes that one question may take before it sorts and groups on the disk, unless another limit is set.
const MEMORY_LIMIT: usize = 512 << 20;

impl fmt::Debug for Lake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Lake").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Lake {
    /// Takes the lake below `prefix` of an object store; `name` is for messages.
    ///
    /// The store must honour create-if-absent, else concurrent writers could lose records.
    #[must_use]
    pub fn new(store: Arc<dyn ObjectStore>, prefix: Path, name: &str) -> Self {
        Self {
            store: Arc::new(PrefixStore::new(store, prefix)),
            name: name.into(),
            owners: Arc::default(),
            prices: Arc::default(),
            memory_limit: MEMORY_LIMIT,
            disk: None,
        }
    }

    /// Takes the lake that a URL names: `s3://bucket/prefix`, `gs://…`, `az://…`, `file:///folder`, `memory://`, or a plain path.
    ///
    /// Makes no call and creates nothing. A relative path is resolved against [`StoreOptions::base_dir`], and the
    /// settings there are those of the cloud.
    ///
    /// # Errors
    ///
    /// [`LakeError::InvalidUrl`] for an unknown scheme, a missing bucket, a file in place of a folder, or settings that do
    /// not fit the backend.
    pub fn open(url: &str, options: &StoreOptions) -> Result<Self, LakeError> {
        if !url.contains("://") {
            return Self::open_folder(&options.base_dir.join(url));
        }
        match open_backend(url, options) {
            Ok((store, prefix)) => {
                let disk = url.starts_with("file://").then(|| prefix.clone());
                Ok(Self { disk, ..Self::new(store, prefix, url) })
            }
            Err(StoreError::InvalidUrl { url, reason } | StoreError::InvalidSettings { url, reason }) => {
                Err(LakeError::InvalidUrl { url, reason })
            }
            Err(other) => Err(LakeError::Store { action: "open", place: url.to_owned(), source: other.into() }),
        }
    }

    /// Takes the lake in a local folder, which need not exist.
    ///
    /// Files survive the death of the process at any point, and are synced before a write is told to be done.
    ///
    /// # Errors
    ///
    /// [`LakeError::InvalidUrl`] when the path is a file or has characters that a store cannot name.
    pub fn open_folder(folder: &FilePath) -> Result<Self, LakeError> {
        let shown = folder.display().to_string();
        let invalid = |reason: &str| LakeError::InvalidUrl { url: shown.clone(), reason: reason.to_owned() };
        if folder.is_file() {
            return Err(invalid("a file, not a folder"));
        }
        // A folder that is reached through links is the same lake; one that does not exist yet has none.
        let resolved = folder.canonicalize().or_else(|_| absolute(folder)).map_err(|_| invalid("not a path"))?;
        let prefix = Path::from_absolute_path(&resolved).map_err(|_| invalid("the path has characters that cannot be stored"))?;
        Ok(Self { disk: Some(prefix.clone()), ..Self::new(Arc::new(LocalFileSystem::new()), prefix, &shown) })
    }

    /// Takes who owns the prompts of the records, which [`crate::GroupBy::Owner`] groups by, [`crate::Filter::owner`] asks
    /// for, and the SQL function `owner(prompt_id, prompt_version)` returns. Without it no owner is known.
    #[must_use]
    pub fn with_owners(self, owners: PromptOwners) -> Self {
        Self { owners: Arc::new(owners), ..self }
    }

    /// Takes what tokens cost, for [`Lake::costs`] and the view `priced_invocations`. Without it no price is known.
    #[must_use]
    pub fn with_prices(self, prices: Prices) -> Self {
        Self { prices: Arc::new(prices), ..self }
    }

    /// Lets a question take so many bytes before it sorts and groups on the disk.
    #[must_use]
    pub fn with_memory_limit(self, bytes: usize) -> Self {
        Self { memory_limit: bytes, ..self }
    }

    /// Returns the folder or URL that the lake was opened with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Lists the Parquet files below a folder, by name. A file that is being written is not among them.
    pub(crate) async fn files(&self, folder: &Path) -> Result<Vec<ObjectMeta>, LakeError> {
        let listing: Result<Vec<ObjectMeta>, _> = self
            .store
            .list(Some(folder))
            .try_filter(|file| std::future::ready(file.location.as_ref().ends_with(".parquet")))
            .try_collect()
            .await;
        let mut files = listing.map_err(|error| LakeError::store("list", folder.as_ref(), error))?;
        files.sort_unstable_by(|left, right| left.location.cmp(&right.location));
        Ok(files)
    }

    /// Syncs a file of a local disk and its folder, so that neither is lost with the power.
    pub(crate) async fn sync(&self, file: &Path) -> Result<(), LakeError> {
        let Some(root) = &self.disk else { return Ok(()) };
        let path = Path::from_iter(root.parts().chain(file.parts()));
        let synced = tokio::task::spawn_blocking(move || {
            let path = LocalFileSystem::new().path_to_filesystem(&path)?;
            File::open(&path)?.sync_all()?;
            // Other systems have no way to sync a folder.
            if cfg!(unix)
                && let Some(folder) = path.parent()
            {
                File::open(folder)?.sync_all()
            } else {
                Ok(())
            }
        });
        let failed = |source: Cause| LakeError::Store { action: "sync", place: file.to_string(), source };
        synced.await.map_err(|error| failed(error.into()))?.map_err(|error: std::io::Error| failed(error.into()))
    }

    /// Finds the file that cannot be read, by reading all of them.
    pub(crate) async fn first_unreadable(&self) -> Result<Option<LakeError>, LakeError> {
        let snapshot = self.snapshot().await?;
        for file in snapshot.settled.iter().chain(&snapshot.landed) {
            if let Err(error) = self.read_through(file).await {
                return Ok(Some(error));
            }
        }
        Ok(None)
    }

    pub(crate) async fn read_through(&self, file: &ObjectMeta) -> Result<(), LakeError> {
        let mut rows = file::open(&self.store, file).await?.build().map_err(|error| file::unreadable(file, error))?;
        while let Some(batch) = rows.next().await {
            batch.map_err(|error| file::unreadable(file, error))?;
        }
        Ok(())
    }
}
