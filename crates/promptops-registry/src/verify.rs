//! Verification: everything is read again and compared with what names it.

mod index;
mod log;
mod objects;

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use promptops_store::probe;
use serde::{Deserialize, Serialize};

use crate::audit::TreeHead;
use crate::error::Result;
use crate::layout::{ENVIRONMENTS, KEYS, Key, LOG, PROMPTS};
use crate::registry::Registry;

/// Objects read at the same time.
const CONCURRENT_READS: usize = 32;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The index does not say what the objects say. It is derived: building it anew mends it.
    Index,
    /// An interrupted command left it; repeating the command, or the next one, completes it. Nothing is lost or wrong.
    Unfinished,
    /// Something is altered, removed, or was written past the registry.
    Damage,
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// The object.
    pub key: String,
    /// What is wrong with it.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

/// What verification found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// How many objects were read.
    pub objects: usize,
    /// The head of the audit log's tree.
    pub head: Option<TreeHead>,
    /// Every problem, sorted by key.
    pub problems: Vec<Problem>,
}

impl Report {
    /// Tells whether nothing is altered, removed, or written past the registry.
    pub fn is_accepted(&self) -> bool {
        self.problems.iter().all(|problem| problem.severity != Severity::Damage)
    }
}

/// Every object that was read, by key.
type Objects = BTreeMap<Key, Bytes>;

/// The problems so far.
#[derive(Debug, Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn damage(&mut self, key: impl ToString, what: impl Into<String>, remedy: &str) {
        self.add(Severity::Damage, key, what, remedy);
    }

    fn unfinished(&mut self, key: impl ToString, what: impl Into<String>, remedy: &str) {
        self.add(Severity::Unfinished, key, what, remedy);
    }

    fn index(&mut self, key: impl ToString, what: impl Into<String>, remedy: &str) {
        self.add(Severity::Index, key, what, remedy);
    }

    fn add(&mut self, severity: Severity, key: impl ToString, what: impl Into<String>, remedy: &str) {
        self.0.push(Problem { severity, key: key.to_string(), what: what.into(), remedy: remedy.to_owned() });
    }

    fn report(self, objects: &Objects, head: Option<TreeHead>) -> Report {
        let mut problems = self.0;
        problems.sort_by(|one, other| (&one.key, &one.what).cmp(&(&other.key, &other.what)));
        problems.dedup();
        Report { objects: objects.len(), head, problems }
    }
}

impl Registry {
    /// Asks the store again whether it keeps create-only writes. Writes a small object of its own. Behind a server nothing is
    /// asked: the server did so when it started.
    ///
    /// # Errors
    /// [`promptops_store::StoreError::IgnoresCreateOnly`] when it does not.
    pub async fn probe(&self) -> Result<()> {
        if self.is_behind_server() {
            return Ok(());
        }
        Ok(probe(&self.store, "verify").await?)
    }

    /// Reads every object and checks it: digests of contents, records, pins and statements; missing, altered and orphaned
    /// objects; lineage; what environments pin; the index; and the audit log as [`Registry::verify_log`] does. Writes nothing.
    ///
    /// Holds the whole registry in memory; makes one call per object.
    ///
    /// # Errors
    /// As the store fails. What is wrong with the registry is in the report.
    pub async fn verify(&self, expected: &[TreeHead]) -> Result<Report> {
        let (objects, mut problems) = self.scan(&[""]).await?;
        objects::check(&objects, &mut problems);
        index::check(&objects, &mut problems);
        let head = log::check(&objects, expected, &mut problems);
        Ok(problems.report(&objects, head))
    }

    /// Checks the audit log: that no entry is altered, removed or reordered, that what entries name is there and unchanged,
    /// and that every version, change of metadata or status, statement and release has its entry. Writes nothing.
    ///
    /// That entries were cut off the end, or all written anew from some entry on, shows only against `expected`: heads that were kept
    /// elsewhere.
    ///
    /// # Errors
    /// As the store fails. What is wrong with the log is in the report.
    pub async fn verify_log(&self, expected: &[TreeHead]) -> Result<Report> {
        let (mut objects, mut problems) = self.scan(&[LOG, PROMPTS, ENVIRONMENTS, "evidence", KEYS]).await?;
        if let Some(bytes) = self.store.get(&Key::Format.to_string()).await? {
            objects.insert(Key::Format, bytes);
        }
        let head = log::check(&objects, expected, &mut problems);
        Ok(problems.report(&objects, head))
    }

    async fn scan(&self, folders: &[&str]) -> Result<(Objects, Problems)> {
        // What a server remembers of an object says nothing about what lies there.
        let store = &self.store.anew();
        let (mut objects, mut problems) = (Objects::new(), Problems::default());
        let mut keys = Vec::new();
        for folder in folders {
            for text in store.list(folder).await? {
                match Key::parse(&text) {
                    Some(key) => keys.push(key),
                    None => problems.damage(text, "the object is not of a registry", "find out who else writes to this store"),
                }
            }
        }
        let mut read = futures::stream::iter(keys)
            .map(|key| async move {
                let bytes = store.get(&key.to_string()).await?;
                Ok::<_, crate::error::RegistryError>((key, bytes))
            })
            .buffer_unordered(CONCURRENT_READS);
        while let Some((key, bytes)) = read.try_next().await? {
            match bytes {
                Some(bytes) => {
                    objects.insert(key, bytes);
                }
                None => problems.damage(key, "the object was listed but cannot be read", "check the store, and verify again"),
            }
        }
        drop(read);
        Ok((objects, problems))
    }
}
