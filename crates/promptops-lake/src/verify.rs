//! Reading everything again.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use arrow::array::{Array, StringArray, TimestampMicrosecondArray};
use chrono::{DateTime, Utc};
use futures::StreamExt;
use object_store::ObjectMeta;
use object_store::local::LocalFileSystem;
use object_store::path::Path;

use crate::error::LakeError;
use crate::file;
use crate::lake::Lake;
use crate::partition::{LANDING, Partition};
use crate::rows::Columns;
use crate::schema::{TABLE, schema};

/// How old the half of a file must be so that nobody can be writing it any more.
const LEFT_BEHIND: Duration = Duration::from_secs(24 * 3600);

/// What [`Lake::verify`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Files that were read.
    pub files: u64,
    /// Records in the hours.
    pub records: u64,
    /// Landed records that wait for their hours, each counted once.
    pub waiting: u64,
    /// What is not as it should be.
    pub problems: Vec<Problem>,
}

impl Verified {
    /// Tells whether nothing is damaged.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        !self.problems.iter().any(|problem| problem.kind.is_damage())
    }
}

/// A file that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, relative to the lake.
    pub file: String,
    /// What is wrong.
    pub kind: ProblemKind,
    /// How much of it, or why.
    pub detail: String,
}

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemKind {
    /// It cannot be read to its end.
    Unreadable,
    /// It has records of other hours than that of its folder. Whoever asks for those hours misses them.
    WrongHour,
    /// It has records that another file of the hour has: engines that read the folder count them twice.
    Duplicate,
    /// It lacks a column that every record has.
    MissingColumn,
    /// It is not in the folder of an hour: nobody reads it, or only some.
    Stray,
    /// It has columns that this version does not know. They are kept.
    UnknownColumn,
    /// A process that was killed left half of it under another name. Nobody reads it.
    Leftover,
}

impl ProblemKind {
    /// Tells whether answers may be wrong because of it.
    #[must_use]
    pub const fn is_damage(self) -> bool {
        !matches!(self, Self::UnknownColumn | Self::Leftover)
    }

    /// Returns the name that reports use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::WrongHour => "wrong-hour",
            Self::Duplicate => "duplicate",
            Self::MissingColumn => "missing-column",
            Self::Stray => "stray",
            Self::UnknownColumn => "unknown-column",
            Self::Leftover => "leftover",
        }
    }

    /// Says what to do about it.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Unreadable => "restore it from a backup, or move it away to go on without its records",
            Self::WrongHour | Self::Duplicate => {
                "move it out of the lake, and bring its records in again with `promptops invocations import`"
            }
            Self::MissingColumn | Self::Stray => "move it out of the lake: it was written by something else",
            Self::UnknownColumn => "nothing, or update promptops",
            Self::Leftover => "nothing: `promptops lake compact` removes it when it is a day old",
        }
    }
}

impl fmt::Display for ProblemKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl Lake {
    /// Reads every column of every file, and holds each record against its folder and against the others of its hour.
    ///
    /// Ids of one hour at a time are held in memory. What other processes write meanwhile may be read or not; a file that they
    /// delete meanwhile is no problem.
    ///
    /// # Errors
    ///
    /// As the store fails. What is wrong with a file is no error but a [`Problem`].
    pub async fn verify(&self) -> Result<Verified, LakeError> {
        let landed = self.files(&Path::from(LANDING)).await?;
        let settled = self.files(&Path::from(TABLE)).await?;
        let mut verified = Verified::default();
        let mut hours: BTreeMap<Partition, Vec<&ObjectMeta>> = BTreeMap::new();
        for file in &settled {
            match Partition::of_file(&file.location) {
                Some(hour) => hours.entry(hour).or_default().push(file),
                None => verified.tell(&file.location, ProblemKind::Stray, "it is in the folder of no hour".to_owned()),
            }
        }
        for (hour, files) in hours {
            let mut ids = HashSet::new();
            for file in files {
                self.verify_file(file, Some(hour), &mut ids, &mut verified).await?;
            }
        }
        let mut readable = Vec::new();
        for file in landed {
            let before = verified.problems.len();
            self.verify_file(&file, None, &mut HashSet::new(), &mut verified).await?;
            if !verified.problems[before..].iter().any(|problem| problem.kind.is_damage()) {
                readable.push(file);
            }
        }
        if verified.is_sound() {
            match self.waiting(&readable, &settled).await {
                Ok(waiting) => verified.waiting = waiting.iter().map(crate::ids::Waiting::new_rows).sum(),
                // Compacted meanwhile.
                Err(error) if crate::snapshot::is_gone(&error) => {}
                Err(error) => return Err(error),
            }
        }
        for (path, _) in self.leftovers()? {
            let name = path.display().to_string();
            verified.problems.push(Problem { file: name, kind: ProblemKind::Leftover, detail: "half of a file".to_owned() });
        }
        Ok(verified)
    }

    /// Reads a file to its end. `hour` is that of its folder; what waits has none.
    async fn verify_file(
        &self,
        file: &ObjectMeta,
        hour: Option<Partition>,
        ids: &mut HashSet<String>,
        verified: &mut Verified,
    ) -> Result<(), LakeError> {
        let (mut misplaced, mut twice, mut records) = (0_u64, 0_u64, 0_u64);
        let read = async {
            let mut rows = file::open(&self.store, file).await?.build().map_err(|error| file::unreadable(file, error))?;
            let mut unknown = Vec::new();
            let mut missing = Vec::new();
            for field in rows.schema().fields() {
                if schema().field_with_name(field.name()).is_err() {
                    unknown.push(format!("`{}`", field.name()));
                }
            }
            while let Some(batch) = rows.next().await {
                let batch = batch.map_err(|error| file::unreadable(file, error))?;
                let columns = Columns(&batch);
                let (Ok(times), Ok(texts), Ok(_)) = (
                    columns.get::<TimestampMicrosecondArray>("time"),
                    columns.get::<StringArray>("invocation_id"),
                    columns.get::<StringArray>("status"),
                ) else {
                    missing = vec!["`time`, `invocation_id` or `status`".to_owned()];
                    break;
                };
                for row in 0..batch.num_rows() {
                    let own = times.is_valid(row).then(|| Partition::of_micros(times.value(row))).flatten();
                    misplaced += u64::from(own.is_none() || hour.is_some_and(|hour| own != Some(hour)));
                    twice += u64::from(hour.is_some() && !ids.insert(texts.value(row).to_owned()));
                }
                records += batch.num_rows() as u64;
            }
            Ok::<_, LakeError>((unknown, missing))
        };
        match read.await {
            Ok((unknown, missing)) => {
                verified.tell_some(&file.location, ProblemKind::UnknownColumn, &unknown);
                verified.tell_some(&file.location, ProblemKind::MissingColumn, &missing);
            }
            Err(LakeError::Corrupt { source, .. }) => {
                verified.tell(&file.location, ProblemKind::Unreadable, source.to_string());
            }
            Err(error) if crate::snapshot::is_gone(&error) => return Ok(()),
            Err(error) => return Err(error),
        }
        for (kind, count) in [(ProblemKind::WrongHour, misplaced), (ProblemKind::Duplicate, twice)] {
            if count > 0 {
                verified.tell(&file.location, kind, format!("{count} of {records} records"));
            }
        }
        verified.files += 1;
        verified.records += if hour.is_some() { records } else { 0 };
        Ok(())
    }

    /// Removes halves of files that nobody can be writing any more; returns how many.
    pub(crate) fn remove_leftovers(&self, now: DateTime<Utc>) -> Result<u64, LakeError> {
        let mut removed = 0;
        for (path, modified) in self.leftovers()? {
            if SystemTime::from(now).duration_since(modified).is_ok_and(|age| age > LEFT_BEHIND) {
                match std::fs::remove_file(&path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(on_disk("delete", &path, error)),
                    _ => removed += 1,
                }
            }
        }
        Ok(removed)
    }

    /// Finds halves of files on a local disk, where a file is written beside its place and linked to it when it is whole.
    fn leftovers(&self) -> Result<Vec<(PathBuf, SystemTime)>, LakeError> {
        let Some(root) = &self.disk else { return Ok(Vec::new()) };
        let root = LocalFileSystem::new().path_to_filesystem(root).map_err(|error| LakeError::store("list", TABLE, error))?;
        let mut found = Vec::new();
        let mut folders = vec![root.join(TABLE), root.join(LANDING)];
        while let Some(folder) = folders.pop() {
            let entries = match std::fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(on_disk("list", &folder, error)),
            };
            for entry in entries {
                let entry = entry.map_err(|error| on_disk("list", &folder, error))?;
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if is_half(&path)
                    && let Ok(modified) = entry.metadata().and_then(|data| data.modified())
                {
                    found.push((path, modified));
                }
            }
        }
        found.sort();
        Ok(found)
    }
}

impl Verified {
    fn tell(&mut self, file: &Path, kind: ProblemKind, detail: String) {
        self.problems.push(Problem { file: file.to_string(), kind, detail });
    }

    fn tell_some(&mut self, file: &Path, kind: ProblemKind, columns: &[String]) {
        if !columns.is_empty() {
            self.tell(file, kind, columns.join(", "));
        }
    }
}

/// Tells whether this is the name under which a file is written before it is whole: its own, `#` and a number.
fn is_half(path: &std::path::Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.rsplit_once('#'));
    name.is_some_and(|(name, number)| name.ends_with(".parquet") && number.parse::<u64>().is_ok())
}

fn on_disk(action: &'static str, path: &std::path::Path, error: std::io::Error) -> LakeError {
    LakeError::Store { action, place: path.display().to_string(), source: error.into() }
}
