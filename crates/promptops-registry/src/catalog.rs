//! What data catalogs read about prompts: [`openlineage`] events and [`odcs`] data contracts.
//!
//! Both say what the registry holds and decide nothing. The modules are pure: the registry gathers, they write.

pub mod odcs;
pub mod openlineage;
pub mod yaml;

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _};
use promptops_prompt::evidence::EVAL_PREDICATE;
use promptops_prompt::lock::LockedPrompt;
use promptops_prompt::{Content, PromptId, PromptRef};

use crate::environment::Release;
use crate::error::{RegistryError, Result};
use crate::evidence::StoredStatement;
use crate::index::VersionEntry;
use crate::record::VersionRecord;
use crate::registry::Registry;

/// Versions and shards read at the same time.
const CONCURRENT_READS: usize = 16;

/// A version with all that a catalog is told about it.
#[derive(Debug, Clone, PartialEq)]
pub struct CatalogVersion {
    /// As it was published.
    pub record: VersionRecord,
    /// As the index has it: with the metadata that holds.
    pub entry: VersionEntry,
    /// Its content.
    pub content: Content,
    /// The latest run of each eval file.
    pub evals: BTreeMap<String, EvalRun>,
}

/// The latest run of an eval on a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvalRun {
    /// What it said: `pass`, `regressed` or `inconclusive`.
    pub verdict: String,
    /// When it was stored, UTC.
    pub time: chrono::DateTime<chrono::Utc>,
}

impl CatalogVersion {
    /// Returns `id@version`.
    pub fn reference(&self) -> PromptRef {
        self.record.reference()
    }
}

/// How a release changed what is pinned for a prompt: before and after.
pub type PinChange = (Option<LockedPrompt>, Option<LockedPrompt>);

impl Registry {
    /// Gathers what a catalog is told about versions. For each its record, its content, a listing of its evidence, and that.
    ///
    /// # Errors
    /// [`RegistryError::VersionNotFound`]; [`RegistryError::Corrupt`] when a content is missing or altered.
    pub async fn catalog_versions(&self, versions: &[(PromptRef, VersionEntry)]) -> Result<Vec<CatalogVersion>> {
        futures::stream::iter(versions)
            .map(|(reference, entry)| async move {
                let record = self.version(reference).await?;
                let content = self.content(&record.digest).await?;
                let statements = self.statements(&record.digest).await?;
                let evals = latest_evals(reference, &statements);
                Ok::<_, RegistryError>(CatalogVersion { record, entry: entry.clone(), content, evals })
            })
            .buffered(CONCURRENT_READS)
            .try_collect()
            .await
    }

    /// Returns what a release changed against the one before it. Reads the shards of pins that differ.
    ///
    /// # Errors
    /// [`RegistryError::Corrupt`] when a shard is missing or altered.
    pub async fn release_changes(&self, release: &Release, before: Option<&Release>) -> Result<BTreeMap<PromptId, PinChange>> {
        let mut changes: BTreeMap<PromptId, PinChange> = BTreeMap::new();
        let none = BTreeMap::new();
        let old = before.map_or(&none, |before| &before.pins);
        for (name, digest) in old.iter().filter(|(name, digest)| release.pins.get(*name) != Some(digest)) {
            for (id, pin) in self.read_shard(name, digest).await?.prompts {
                changes.entry(id).or_default().0 = Some(pin);
            }
        }
        for (name, digest) in release.pins.iter().filter(|(name, digest)| old.get(*name) != Some(digest)) {
            for (id, pin) in self.read_shard(name, digest).await?.prompts {
                changes.entry(id).or_default().1 = Some(pin);
            }
        }
        changes.retain(|_, (before, after)| before != after);
        Ok(changes)
    }
}

/// Statements come oldest first, so the last of each file stays.
fn latest_evals(reference: &PromptRef, statements: &[StoredStatement]) -> BTreeMap<String, EvalRun> {
    let mut evals = BTreeMap::new();
    for stored in statements {
        let statement = &stored.statement;
        let is_own =
            statement.predicate_type == EVAL_PREDICATE && statement.subject.iter().any(|subject| subject.name == *reference);
        let field = |name: &str| statement.predicate.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
        if let (true, Some(file), Some(verdict)) = (is_own, field("eval"), field("verdict")) {
            evals.insert(file, EvalRun { verdict, time: stored.recorded.time });
        }
    }
    evals
}
