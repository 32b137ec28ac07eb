//! Taking what a server acknowledged, quickly.

use promptops_telemetry::Invocation;

use crate::error::LakeError;
use crate::lake::Lake;
use crate::partition::landed_file;
use crate::rows::check;
use crate::write::encode;

impl Lake {
    /// Takes the records of a segment under its name, in one file and one write; returns false when there is one of this name.
    ///
    /// The records are in the lake from then on: every reader of this crate sees them, each once. Engines that read the folder
    /// `invocations` themselves see them when [`Lake::compact`] has put them into their hours.
    ///
    /// **Counts once.** The name is decided before the first attempt and is the same in every further one, so a segment that is
    /// landed again after a crash is there once. Whatever gets in twice all the same, under another name (a client that sent its
    /// records to two servers) or after the compaction of the first, is found by its id: by readers and by compaction.
    ///
    /// Nothing is read, however much the lake holds. On a local disk the file is synced, so the segment may be removed afterwards.
    ///
    /// # Errors
    ///
    /// [`LakeError::Record`] before anything is written, when a record has a value that no column holds;
    /// [`LakeError::Name`] when the name has other characters than letters, digits, `-`, `_` and `.`; otherwise as the store
    /// fails: the records may then be there or not, and landing them again is safe.
    pub async fn land(&self, name: &str, records: &[Invocation]) -> Result<bool, LakeError> {
        let file = landed_file(name).ok_or_else(|| LakeError::Name { name: name.to_owned() })?;
        for record in records {
            check(record)?;
        }
        if records.is_empty() {
            return Ok(true);
        }
        self.create(&file, encode(&records.iter().collect::<Vec<_>>())?).await
    }
}
