//! The audit log: who did what, in an order that cannot be changed unnoticed.
//!
//! Entries lie in batches, a create-only sequence of objects, and each batch names the SHA-256 of the bytes of the one before
//! it. So whoever alters, removes or reorders an entry breaks the chain at a place that
//! [`Registry::verify_log`](crate::Registry::verify_log) names. What one command did is logged together: a thousand versions
//! cost a handful of objects, since a chain can only grow one object after the other.
//!
//! What a chain alone does not prove: that its end is still there. Whoever can delete objects can cut entries off the end,
//! or rewrite the log from some entry on, and leave a chain that fits. Only a [`Head`] kept elsewhere (in Git, in a
//! ticket, with a second party) shows that; verification takes one. A Merkle tree in C2SP tiles replaces this list in a
//! later step: it gives short proofs that one entry is in the log, and checkpoints that witnesses can sign.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::lock::Mutex;
use futures::{StreamExt as _, TryStreamExt as _};
use promptops_prompt::Digest;
pub use promptops_prompt::lock::LogHead as Head;
use promptops_store::{Sequence, Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::error::{RegistryError, Result};
use crate::layout::{Key, LOG};
use crate::record::{FORMAT, from_bytes, to_bytes};

/// How often an append starts again because somebody else took the number.
const APPEND_ATTEMPTS: u32 = 1000;
/// Entries in one batch, so that a batch stays small enough to be read whole.
const MAX_BATCH_ENTRIES: usize = 256;
/// Batches read at the same time.
const CONCURRENT_READS: usize = 32;
/// Batches read before looking again, when looking back.
const BATCHES_PER_STEP: u64 = 256;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditAction {
    /// The registry was made.
    Init,
    /// A version was published.
    Publish,
    /// Metadata of a published version was changed.
    Metadata,
    /// Evidence about a version was stored.
    Evidence,
    /// An approval was stored.
    Approve,
    /// A plan was deployed.
    Deploy,
    /// An environment went back to an earlier release.
    Rollback,
    /// An API key was made.
    Key,
    /// An API key was revoked.
    Revoke,
    /// A version was withdrawn.
    Yank,
    /// A version was withdrawn from a day on.
    Deprecate,
    /// A version that was withdrawn is in use again.
    Restore,
}

impl AuditAction {
    /// Returns the name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Publish => "publish",
            Self::Metadata => "metadata",
            Self::Evidence => "evidence",
            Self::Approve => "approve",
            Self::Deploy => "deploy",
            Self::Rollback => "rollback",
            Self::Key => "key",
            Self::Revoke => "revoke",
            Self::Yank => "yank",
            Self::Deprecate => "deprecate",
            Self::Restore => "restore",
        }
    }
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// When it was done, UTC.
    pub time: DateTime<Utc>,
    /// Who did it.
    pub actor: String,
    /// What was done.
    pub action: AuditAction,
    /// The key of the object that was written by it.
    pub subject: String,
    /// The SHA-256 of that object.
    pub digest: Digest,
    /// What a reader wants to know without opening the object.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
}

/// Entries that were logged together: one object of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditBatch {
    /// [`FORMAT`].
    pub format: u32,
    /// Its number, from 1.
    pub sequence: u64,
    /// The entries, in order; never none.
    pub entries: Vec<AuditEntry>,
    /// The SHA-256 of the bytes of the batch before; none only for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
}

/// An entry before it has a place in the log.
#[derive(Debug, Clone)]
pub(crate) struct Act {
    pub(crate) time: DateTime<Utc>,
    pub(crate) actor: String,
    pub(crate) action: AuditAction,
    pub(crate) subject: Key,
    pub(crate) digest: Digest,
    pub(crate) details: BTreeMap<String, String>,
}

impl Act {
    fn name(&self) -> ActName {
        (self.action, self.subject.to_string(), self.digest)
    }

    fn into_entry(self) -> AuditEntry {
        let Self { time, actor, action, subject, digest, details } = self;
        AuditEntry { time, actor, action, subject: subject.to_string(), digest, details }
    }
}

/// What tells an act from any other: two entries with one name are about the same deed.
type ActName = (AuditAction, String, Digest);

/// The log of one registry. Clones share what they have read of it: batches never change.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    store: Store,
    sequence: Sequence,
    known: Arc<Mutex<Known>>,
}

/// What was read of the log: every batch from `low` to `head`.
#[derive(Debug, Default)]
struct Known {
    head: Option<Head>,
    low: u64,
    acts: HashSet<ActName>,
}

impl Known {
    fn add(&mut self, batch: AuditBatch) {
        self.acts.extend(batch.entries.into_iter().map(|entry| (entry.action, entry.subject, entry.digest)));
    }

    /// Takes the batch that follows the end.
    fn advance(&mut self, batch: AuditBatch, bytes: &[u8]) {
        let head = Head { sequence: batch.sequence, digest: Digest::of(bytes) };
        if self.head.is_none() {
            self.low = head.sequence;
        }
        self.head = Some(head);
        self.add(batch);
    }
}

impl Log {
    pub(crate) fn new(store: &Store) -> Result<Self> {
        Ok(Self { store: store.clone(), sequence: Sequence::new(store, LOG)?, known: Arc::default() })
    }

    /// Returns the end of the log; nothing when it is empty.
    pub(crate) async fn head(&self) -> Result<Option<Head>> {
        let mut known = self.known.lock().await;
        self.advance(&mut known).await?;
        Ok(known.head)
    }

    /// Appends entries, in as few batches as they fit in. Racing writers are put one after the other.
    pub(crate) async fn append(&self, acts: impl IntoIterator<Item = Act>) -> Result<()> {
        let mut known = self.known.lock().await;
        if known.head.is_none() {
            self.advance(&mut known).await?;
        }
        self.append_to(&mut known, acts.into_iter().collect()).await
    }

    /// Appends those entries of which there is none yet with their action, subject and digest.
    ///
    /// Completes what a killed process began: the object was written, its entry was not. The entry says who completed it,
    /// since what the object says about its maker was not logged at the time.
    pub(crate) async fn complete(&self, acts: impl IntoIterator<Item = Act>, completer: &str) -> Result<()> {
        let mut known = self.known.lock().await;
        self.advance(&mut known).await?;
        let mut missing = Vec::new();
        for mut act in acts {
            if !self.contains(&mut known, &act).await? {
                act.details.insert("completed_by".to_owned(), completer.to_owned());
                missing.push(act);
            }
        }
        self.append_to(&mut known, missing).await
    }

    /// Tells whether an entry with this action, subject and digest is there.
    pub(crate) async fn has(&self, act: &Act) -> Result<bool> {
        let mut known = self.known.lock().await;
        self.advance(&mut known).await?;
        self.contains(&mut known, act).await
    }

    /// Returns the log up to the batch that has an entry with this action, subject and digest: its number and digest.
    pub(crate) async fn find(&self, act: &Act) -> Result<Option<Head>> {
        let Some(head) = self.head().await? else { return Ok(None) };
        let wanted = act.name();
        let is_wanted = |entry: &AuditEntry| (entry.action, &entry.subject, entry.digest) == (wanted.0, &wanted.1, wanted.2);
        let mut high = head.sequence;
        // What is asked for is mostly recent.
        while high > 0 {
            let low = high.saturating_sub(BATCHES_PER_STEP) + 1;
            let batches = self.read_all(low..=high).await?;
            if let Some(batch) = batches.iter().find(|batch| batch.entries.iter().any(is_wanted)) {
                return Ok(Some(Head { sequence: batch.sequence, digest: Digest::of(&to_bytes(batch)) }));
            }
            high = low - 1;
        }
        Ok(None)
    }

    /// Reads batches from number `first` on, at most `limit` of them, in order.
    pub(crate) async fn batches(&self, first: u64, limit: usize) -> Result<Vec<AuditBatch>> {
        let Some(head) = self.head().await? else { return Ok(Vec::new()) };
        self.read_all((first.max(1)..=head.sequence).take(limit)).await
    }

    async fn append_to(&self, known: &mut Known, mut acts: Vec<Act>) -> Result<()> {
        while !acts.is_empty() {
            let rest = acts.split_off(acts.len().min(MAX_BATCH_ENTRIES));
            self.append_batch(known, acts).await?;
            acts = rest;
        }
        Ok(())
    }

    /// Claims the number after the end that is known. Only when somebody else has it is the log read again: whoever appended
    /// meanwhile stands in the way.
    async fn append_batch(&self, known: &mut Known, mut acts: Vec<Act>) -> Result<()> {
        for _ in 0..APPEND_ATTEMPTS {
            // Somebody who came across an object meanwhile took it for interrupted and completed it.
            acts.retain(|act| !known.acts.contains(&act.name()));
            if acts.is_empty() {
                return Ok(());
            }
            let batch = batch(&acts, known.head);
            let bytes = to_bytes(&batch);
            match self.store.create(&self.sequence.key(batch.sequence), bytes.clone()).await {
                Ok(_) => {
                    known.advance(batch, &bytes);
                    return Ok(());
                }
                Err(StoreError::Conflict { .. }) => self.advance(known).await?,
                Err(error) => return Err(error.into()),
            }
        }
        let next = known.head.map_or(1, |head| head.sequence + 1);
        Err(RegistryError::Busy { key: Key::Log(next).to_string(), attempts: APPEND_ATTEMPTS })
    }

    /// Reads what was appended since the last time. The first time finds the end.
    async fn advance(&self, known: &mut Known) -> Result<()> {
        let mut next = match known.head {
            Some(head) => self.sequence.read(head.sequence + 1).await?.map(|bytes| (head.sequence + 1, bytes)),
            None => self.sequence.latest().await?,
        };
        while let Some((sequence, bytes)) = next {
            known.advance(read_batch(sequence, &bytes)?, &bytes);
            next = self.sequence.read(sequence + 1).await?.map(|bytes| (sequence + 1, bytes));
        }
        Ok(())
    }

    /// Reads backwards until the act is found: what is asked for is mostly recent.
    async fn contains(&self, known: &mut Known, act: &Act) -> Result<bool> {
        let wanted = act.name();
        while !known.acts.contains(&wanted) {
            if known.low <= 1 {
                return Ok(false);
            }
            let low = known.low.saturating_sub(BATCHES_PER_STEP).max(1);
            for batch in self.read_all(low..known.low).await? {
                known.add(batch);
            }
            known.low = low;
        }
        Ok(true)
    }

    async fn read_all(&self, numbers: impl Iterator<Item = u64>) -> Result<Vec<AuditBatch>> {
        futures::stream::iter(numbers)
            .map(|number| async move {
                let reason = "a batch of the log is missing".to_owned();
                let missing = || RegistryError::Corrupt { key: Key::Log(number).to_string(), reason };
                read_batch(number, &self.sequence.read(number).await?.ok_or_else(missing)?)
            })
            .buffered(CONCURRENT_READS)
            .try_collect()
            .await
    }
}

/// Reads a batch and refuses one that stands under another's number.
pub(crate) fn read_batch(number: u64, bytes: &[u8]) -> Result<AuditBatch> {
    let key = Key::Log(number);
    let batch: AuditBatch = from_bytes(&key, bytes)?;
    if batch.sequence != number {
        let reason = format!("the batch was number {}", batch.sequence);
        return Err(RegistryError::Corrupt { key: key.to_string(), reason });
    }
    Ok(batch)
}

fn batch(acts: &[Act], head: Option<Head>) -> AuditBatch {
    AuditBatch {
        format: FORMAT,
        sequence: head.map_or(1, |head| head.sequence + 1),
        entries: acts.iter().cloned().map(Act::into_entry).collect(),
        previous: head.map(|head| head.digest),
    }
}
