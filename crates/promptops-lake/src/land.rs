//! Taking what a server acknowledged, quickly.

use promptops_telemetry::Invocation;

use crate::error::LakeError;
use crate::lake::Lake;
use crate::partition::landed_file;
use crate::rows::check;
use crate::write::encode;

impl Lake {
    /// Takes records in one file and one write, whatever hours they are in; returns false when the lake has this very file.
    ///
    /// The records are in the lake from then on: every reader of this crate sees them, each once. Engines that read the folder
    /// `invocations` themselves see them when [`Lake::compact`] has put them into their hours.
    ///
    /// **Counts once.** The name of the file follows from what is in it, so it is decided before the first attempt and the same
    /// in every further one, in this process or the next: a segment of a log that is landed again after a crash is there once.
    /// Whatever gets in twice all the same (a client that sent its records to two servers, a segment that is landed again when
    /// the first was compacted) is found by its ids: by readers and by compaction.
    ///
    /// Nothing is read, however much the lake holds. On a local disk the file is synced, so the segment may be removed afterwards.
    ///
    /// # Errors
    ///
    /// [`LakeError::Record`] before anything is written, when a record has a value that no column holds; otherwise as the store
    /// fails: the records may then be there or not, and landing them again is safe.
    pub async fn land(&self, records: &[Invocation]) -> Result<bool, LakeError> {
        for record in records {
            check(record)?;
        }
        if records.is_empty() {
            return Ok(false);
        }
        let bytes = encode(&records.iter().collect::<Vec<_>>())?;
        self.create(&landed_file(&bytes), bytes).await
    }
}
