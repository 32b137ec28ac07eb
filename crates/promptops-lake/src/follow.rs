//! Records as they come into the lake.

use std::collections::{BTreeSet, HashSet};

use datafusion::execution::runtime_env::RuntimeEnv;
use object_store::ObjectMeta;
use object_store::path::Path;
use promptops_telemetry::{Invocation, Uuid};

use crate::error::LakeError;
use crate::filter::Filter;
use crate::lake::Lake;
use crate::query::{collect, engine};
use crate::scan::{by_time, records};
use crate::schema::{TABLE, schema};
use crate::snapshot::{READ_ATTEMPTS, Snapshot, is_gone};

/// Gives the records that came into a lake since it was asked last, each once, whoever wrote them.
///
/// What was landed by a server and is put into its hour later is not new then. Memory grows with what waits to be put into its hour.
#[derive(Debug)]
pub struct Follower {
    lake: Lake,
    filter: Filter,
    landed: BTreeSet<Path>,
    settled: BTreeSet<Path>,
    /// Given from landed files, by the files that were new with them.
    given: Vec<Given>,
}

/// What was given at one time, until all of it is in its hours and known there.
#[derive(Debug)]
struct Given {
    files: BTreeSet<Path>,
    ids: HashSet<Uuid>,
}

impl Lake {
    /// Begins to follow the records that fit; what the lake holds now is not new.
    ///
    /// # Errors
    ///
    /// As the store fails.
    pub async fn follow(&self, filter: Filter) -> Result<Follower, LakeError> {
        let Snapshot { landed, settled } = self.snapshot().await?;
        // What waits now was not given, and comes into its hours later.
        let ids = self.landed_ids(&landed).await?;
        let (landed, settled) = (names(&landed), names(&settled));
        let given = vec![Given { files: landed.clone(), ids }];
        Ok(Follower { lake: self.clone(), filter, landed, settled, given })
    }
}

impl Follower {
    /// Returns the records that are new, by time and id.
    ///
    /// Lists the lake, and reads the files that are new and the ids of their hours. The records are all held in memory.
    ///
    /// # Errors
    ///
    /// [`LakeError::Corrupt`] with the file that cannot be read; otherwise as the store fails. Nothing is lost by an error: the next
    /// call gives what this one did not.
    pub async fn next(&mut self) -> Result<Vec<Invocation>, LakeError> {
        let mut attempt = 1;
        loop {
            match self.attempt().await {
                Err(error) if attempt < READ_ATTEMPTS && is_gone(&error) => attempt += 1,
                answer => return answer,
            }
        }
    }

    async fn attempt(&mut self) -> Result<Vec<Invocation>, LakeError> {
        let Snapshot { landed, settled } = self.lake.snapshot().await?;
        let is_new = |known: &BTreeSet<Path>, file: &&ObjectMeta| !known.contains(&file.location);
        let new_landed: Vec<_> = landed.iter().filter(|file| is_new(&self.landed, file)).cloned().collect();
        let new_settled: Vec<_> = settled.iter().filter(|file| is_new(&self.settled, file)).cloned().collect();
        let mut new = Vec::new();
        if !new_landed.is_empty() || !new_settled.is_empty() {
            new = self.read(&new_landed, &settled, new_settled).await?;
            new.retain(|record| !self.given.iter().any(|given| given.ids.contains(&record.invocation_id)));
            let ids =
                if new_landed.is_empty() { HashSet::new() } else { new.iter().map(|record| record.invocation_id).collect() };
            self.given.push(Given { files: names(&new_landed), ids });
        }
        (self.landed, self.settled) = (names(&landed), names(&settled));
        // What is gone from where it landed is in the files of the hours that are known now.
        self.given.retain(|given| !given.files.is_disjoint(&self.landed));
        Ok(new)
    }

    async fn read(
        &self,
        landed: &[ObjectMeta],
        settled: &[ObjectMeta],
        new_settled: Vec<ObjectMeta>,
    ) -> Result<Vec<Invocation>, LakeError> {
        let waiting = self.lake.waiting(landed, settled).await?;
        let landed = self.lake.landed_rows(&waiting).await?;
        let read = async {
            let mut context = engine(RuntimeEnv::default(), 0);
            self.lake.register(&mut context, &schema(), new_settled, landed)?;
            collect(self.lake.filtered(&context, &self.filter).await?.sort(by_time())?).await
        };
        match read.await {
            Ok(found) => records(&found),
            Err(error) if is_gone(&error) => {
                Err(LakeError::Store { action: "read", place: TABLE.to_owned(), source: error.into() })
            }
            Err(error) => Err(self.lake.explain(error).await),
        }
    }
}

fn names(files: &[ObjectMeta]) -> BTreeSet<Path> {
    files.iter().map(|file| file.location.clone()).collect()
}
