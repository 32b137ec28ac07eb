//! The audit log: who did what, in an order that cannot be changed unnoticed.
//!
//! The log is a Merkle tree of entries ([`promptops_prompt::merkle`]), kept in batches: a create-only sequence of objects. A batch says
//! what must be known of the tree before it in order to append, its entries, and the root after them. So one object is all
//! that an append reads, and all that the proof of one of its entries needs. What one command did is logged together: a
//! thousand versions cost a handful of objects, since a log can only grow one object after the other.
//!
//! Whoever alters, removes or reorders an entry leaves a tree that does not fit what its batches say, at a place that
//! [`Registry::verify_log`](crate::Registry::verify_log) names. Who can write to the store can also write all batches from some
//! entry on anew, or cut them off. Only a [`TreeHead`] kept elsewhere (in a lock, which is in Git, in a ticket, with a second
//! party) shows that; verification takes any number of them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::lock::Mutex;
use futures::{StreamExt as _, TryStreamExt as _};
use promptops_prompt::Digest;
pub use promptops_prompt::audit::{AuditAction, AuditEntry, LogProof};
pub use promptops_prompt::merkle::{CompactRange, TreeHead};
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

/// Entries that were logged together: one object of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditBatch {
    /// [`FORMAT`].
    pub format: u32,
    /// Its number, from 1.
    pub sequence: u64,
    /// The tree before it.
    pub before: CompactRange,
    /// The entries, in order; never none.
    pub entries: Vec<AuditEntry>,
    /// The root of the tree after it.
    pub root: Digest,
}

impl AuditBatch {
    fn new(sequence: u64, before: CompactRange, entries: Vec<AuditEntry>) -> Self {
        let mut batch = Self { format: FORMAT, sequence, before, entries, root: Digest::of(b"") };
        batch.root = batch.after().head().root;
        batch
    }

    /// Returns the tree after it, made from what stands in it.
    pub(crate) fn after(&self) -> CompactRange {
        let mut range = self.before.clone();
        self.entries.iter().for_each(|entry| range.append(entry.leaf()));
        range
    }

    /// Returns the proof of one of its entries.
    fn prove(&self, position: usize) -> Option<LogProof> {
        let entry = self.entries.get(position)?.clone();
        let leaves: Vec<Digest> = self.entries.iter().map(AuditEntry::leaf).collect();
        Some(LogProof { entry, proof: self.before.prove(&leaves, position)? })
    }
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

/// What was read of the log: every batch from `low` to `end`.
#[derive(Debug, Default)]
struct Known {
    /// The number of the last batch; 0 when there is none.
    end: u64,
    /// The tree after it.
    tree: CompactRange,
    low: u64,
    acts: HashSet<ActName>,
}

impl Known {
    fn add(&mut self, batch: AuditBatch) {
        self.acts.extend(batch.entries.into_iter().map(|entry| (entry.action, entry.subject, entry.digest)));
    }

    /// Takes the batch that follows the end.
    fn advance(&mut self, batch: AuditBatch) {
        if self.end == 0 {
            self.low = batch.sequence;
        }
        self.end = batch.sequence;
        self.tree = batch.after();
        self.add(batch);
    }
}

impl Log {
    pub(crate) fn new(store: &Store) -> Result<Self> {
        Ok(Self { store: store.clone(), sequence: Sequence::new(store, LOG)?, known: Arc::default() })
    }

    /// Returns the head of the tree; nothing when the log is empty.
    pub(crate) async fn head(&self) -> Result<Option<TreeHead>> {
        let mut known = self.known.lock().await;
        self.advance(&mut known).await?;
        Ok((known.end > 0).then(|| known.tree.head()))
    }

    /// Returns the number of the last batch; 0 when the log is empty.
    pub(crate) async fn end(&self) -> Result<u64> {
        let mut known = self.known.lock().await;
        self.advance(&mut known).await?;
        Ok(known.end)
    }

    /// Appends entries, in as few batches as they fit in. Racing writers are put one after the other.
    pub(crate) async fn append(&self, acts: impl IntoIterator<Item = Act>) -> Result<()> {
        let mut known = self.known.lock().await;
        if known.end == 0 {
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

    /// Returns the proofs of those acts that have an entry, in the order of `acts`.
    ///
    /// Reads the log from its end back to the earliest of them, and to its beginning when one has none.
    pub(crate) async fn prove(&self, acts: &[Act]) -> Result<Vec<Option<LogProof>>> {
        let mut wanted: HashMap<ActName, usize> = acts.iter().enumerate().map(|(place, act)| (act.name(), place)).collect();
        let mut proofs = vec![None; acts.len()];
        let mut high = self.end().await?;
        // What is asked for is mostly recent.
        while high > 0 && !wanted.is_empty() {
            let low = high.saturating_sub(BATCHES_PER_STEP) + 1;
            for batch in self.read_all(low..=high).await? {
                for (position, entry) in batch.entries.iter().enumerate() {
                    if let Some(place) = wanted.remove(&(entry.action, entry.subject.clone(), entry.digest)) {
                        proofs[place] = batch.prove(position);
                    }
                }
            }
            high = low - 1;
        }
        Ok(proofs)
    }

    /// Reads batches from number `first` on, at most `limit` of them, in order.
    pub(crate) async fn batches(&self, first: u64, limit: usize) -> Result<Vec<AuditBatch>> {
        let end = self.end().await?;
        self.read_all((first.max(1)..=end).take(limit)).await
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
            let entries = acts.iter().cloned().map(Act::into_entry).collect();
            let batch = AuditBatch::new(known.end + 1, known.tree.clone(), entries);
            match self.store.create(&self.sequence.key(batch.sequence), to_bytes(&batch)).await {
                Ok(_) => {
                    known.advance(batch);
                    return Ok(());
                }
                Err(StoreError::Conflict { .. }) => self.advance(known).await?,
                Err(error) => return Err(error.into()),
            }
        }
        Err(RegistryError::Busy { key: Key::Log(known.end + 1).to_string(), attempts: APPEND_ATTEMPTS })
    }

    /// Reads what was appended since the last time. The first time finds the end.
    async fn advance(&self, known: &mut Known) -> Result<()> {
        let mut next = match known.end {
            0 => self.sequence.latest().await?,
            end => self.sequence.read(end + 1).await?.map(|bytes| (end + 1, bytes)),
        };
        while let Some((sequence, bytes)) = next {
            known.advance(read_batch(sequence, &bytes)?);
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
