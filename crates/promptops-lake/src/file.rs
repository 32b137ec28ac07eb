//! Reading one Parquet file of the lake without the query engine.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, TryFutureExt};
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use crate::error::LakeError;

/// What is read of a file at first, so that its footer takes one request.
const FOOTER_BYTES: usize = 64 << 10;

/// Reads the footer of a file and prepares to read its rows.
pub(crate) async fn open(
    store: &Arc<dyn ObjectStore>,
    file: &ObjectMeta,
) -> std::result::Result<ParquetRecordBatchStreamBuilder<FileReader>, LakeError> {
    let reader = FileReader { store: Arc::clone(store), file: file.clone() };
    ParquetRecordBatchStreamBuilder::new(reader).await.map_err(|error| unreadable(file, error))
}

/// Tells a file that is not what was written from a store that does not answer.
pub(crate) fn unreadable(file: &ObjectMeta, error: ParquetError) -> LakeError {
    let name = file.location.to_string();
    match error {
        ParquetError::External(source) => match source.downcast::<object_store::Error>() {
            Ok(store) => LakeError::store("read", &name, *store),
            Err(source) => LakeError::Corrupt { file: name, source },
        },
        error => LakeError::Corrupt { file: name, source: error.into() },
    }
}

/// A file of an object store, as the Parquet library wants it.
pub(crate) struct FileReader {
    store: Arc<dyn ObjectStore>,
    file: ObjectMeta,
}

impl AsyncFileReader for FileReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        self.store.get_range(&self.file.location, range).map_err(|error| ParquetError::External(error.into())).boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move {
            let read = self.store.get_ranges(&self.file.location, &ranges).await;
            read.map_err(|error| ParquetError::External(error.into()))
        }
        .boxed()
    }

    fn get_metadata<'a>(&'a mut self, _options: Option<&'a ArrowReaderOptions>) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let size = self.file.size;
            let reader = ParquetMetaDataReader::new().with_prefetch_hint(Some(FOOTER_BYTES));
            reader.load_and_finish(self, size).await.map(Arc::new)
        }
        .boxed()
    }
}
