//! The files that a lake consists of at one moment.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, Result,
};

use crate::error::LakeError;
use crate::lake::Lake;
use crate::partition::{LANDING, Partition};
use crate::schema::TABLE;

/// How often something is read again because a file of it went to another place meanwhile.
pub(crate) const READ_ATTEMPTS: u32 = 8;

/// The files of a lake at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Snapshot {
    /// What was landed and may not be in its hours yet, the oldest first.
    pub(crate) landed: Vec<ObjectMeta>,
    /// The files of the hours, by name.
    pub(crate) settled: Vec<ObjectMeta>,
}

impl Lake {
    /// Lists the files.
    ///
    /// **Invariant:** what waits is listed to its end before the hours are. A compaction creates the file of the hour first
    /// and deletes what it was made of afterwards, so a record that is missing among what waits is in the hours by the
    /// time they are listed. One that is found in both counts once, because what waits is held against the hours.
    ///
    /// An empty file, which a loss of power can leave, is refused: the query engine would skip it in silence.
    pub(crate) async fn snapshot(&self) -> std::result::Result<Snapshot, LakeError> {
        let mut landed = self.files(&Path::from(LANDING)).await?;
        landed.sort_by_key(|file| file.last_modified);
        let mut settled = self.files(&Path::from(TABLE)).await?;
        settled.retain(|file| Partition::of_file(&file.location).is_some());
        match landed.iter().chain(&settled).find(|file| file.size == 0) {
            None => Ok(Snapshot { landed, settled }),
            Some(file) => Err(LakeError::Corrupt { file: file.location.to_string(), source: "the file is empty".into() }),
        }
    }
}

/// Tells whether a file that had been listed was gone when it was read: compacted, or expired.
pub(crate) fn is_gone(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if matches!(error.downcast_ref(), Some(object_store::Error::NotFound { .. })) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// A store whose listings are those of one moment, for the query engine.
#[derive(Debug)]
pub(crate) struct ListedStore {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) files: Vec<ObjectMeta>,
}

impl fmt::Display for ListedStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "listed {}", self.store)
    }
}

#[async_trait]
impl ObjectStore for ListedStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.store.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(&self, location: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.store.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.store.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[std::ops::Range<u64>]) -> Result<Vec<bytes::Bytes>> {
        self.store.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.store.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let below = |file: &&ObjectMeta| prefix.is_none_or(|prefix| file.location.prefix_matches(prefix));
        let files: Vec<Result<ObjectMeta>> = self.files.iter().filter(below).cloned().map(Ok).collect();
        stream::iter(files).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let prefix = prefix.cloned().unwrap_or_default();
        let files: Vec<ObjectMeta> = self.list(Some(&prefix)).try_collect().await?;
        let mut folders = BTreeSet::new();
        let mut objects = Vec::new();
        for file in files {
            let rest: Vec<String> =
                file.location.prefix_match(&prefix).into_iter().flatten().map(|part| part.as_ref().to_owned()).collect();
            match rest.as_slice() {
                [folder, _, ..] => drop(folders.insert(prefix.clone().join(folder.as_str()))),
                [_] => objects.push(file),
                [] => {}
            }
        }
        Ok(ListResult { common_prefixes: folders.into_iter().collect(), objects })
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.store.copy_opts(from, to, options).await
    }
}
