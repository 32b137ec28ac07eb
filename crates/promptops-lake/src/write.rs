//! Making files and creating them.

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use object_store::path::Path;
use object_store::{PutMode, PutOptions};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use promptops_telemetry::Invocation;

use crate::error::LakeError;
use crate::lake::Lake;
use crate::rows::to_batch;
use crate::schema::schema;

/// Rows of a row group: few enough that a reader of one prompt skips most of a file, many enough that dictionaries pay.
const ROW_GROUP_ROWS: usize = 128 << 10;

impl Lake {
    /// Creates a file; returns false when there is one of this name.
    ///
    /// On a local disk it is synced, with its folder.
    pub(crate) async fn create(&self, file: &Path, bytes: Bytes) -> Result<bool, LakeError> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(file, bytes.into(), options).await {
            Ok(_) => {
                self.sync(file).await?;
                Ok(true)
            }
            // An answer that was lost and a request sent again look like another writer, too: the ids will tell.
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => Ok(false),
            Err(error) => Err(LakeError::store("write", file.as_ref(), error)),
        }
    }

    /// Deletes a file; one that is gone already is deleted.
    pub(crate) async fn delete(&self, file: &Path) -> Result<(), LakeError> {
        use object_store::ObjectStoreExt as _;
        match self.store.delete(file).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(LakeError::store("delete", file.as_ref(), error)),
        }
    }
}

/// Makes the bytes of a file. The same records give the same bytes.
pub(crate) fn encode(records: &[&Invocation]) -> Result<Bytes, LakeError> {
    let batch = to_batch(records).map_err(failed)?;
    let mut file = FileBuilder::begin(batch.schema())?;
    file.add(&batch)?;
    file.finish()
}

/// A file while rows are added to it.
pub(crate) struct FileBuilder(ArrowWriter<Vec<u8>>);

impl FileBuilder {
    pub(crate) fn begin(schema: SchemaRef) -> Result<Self, LakeError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .build();
        let writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties));
        writer.map(Self).map_err(|error| failed(error.into()))
    }

    /// Begins a file of invocations.
    pub(crate) fn of_invocations() -> Result<Self, LakeError> {
        Self::begin(schema())
    }

    pub(crate) fn add(&mut self, batch: &RecordBatch) -> Result<(), LakeError> {
        self.0.write(batch).map_err(|error| failed(error.into()))
    }

    /// Returns about how many bytes the file has so far.
    pub(crate) fn bytes(&self) -> usize {
        self.0.bytes_written() + self.0.in_progress_size()
    }

    pub(crate) fn finish(self) -> Result<Bytes, LakeError> {
        self.0.into_inner().map(Bytes::from).map_err(|error| failed(error.into()))
    }
}

fn failed(error: ArrowError) -> LakeError {
    LakeError::Execution(error.to_string())
}
