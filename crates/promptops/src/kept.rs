//! The prompts that a loader has in memory.
//!
//! **Invariant.** Nobody waits here, neither readers nor writers: a thread that is stopped, or that does not exist in the child of
//! a `fork`, holds up no load.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use arc_swap::ArcSwap;
use promptops_prompt::PromptId;
use promptops_prompt::rollout::{Arm, Rollout};

use crate::prompt::Prompt;
use crate::source::FileStamp;

/// Into how many maps ids are divided. A new id copies one of them, so that loading many stays cheap.
const SHARDS: usize = 64;

/// What is asked for, beside the id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask<'a> {
    /// What is pinned; of a rollout the control.
    Pinned,
    /// A version by its number.
    Version(u32),
    /// What is pinned; of a rollout the side that the key is on.
    Key(&'a str),
    /// That side of a rollout.
    Arm(Arm),
}

/// What a prompt is kept under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// What is loaded without a version.
    Pinned,
    /// What is loaded by its number.
    Version(u32),
    /// What is loaded by a key.
    Arm(Arm),
}

/// A prompt that was loaded.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) prompt: Arc<Prompt>,
    /// The files it was read from, when those may change under way.
    pub(crate) files: Arc<[FileStamp]>,
}

/// What is kept of one id.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) id: PromptId,
    /// The rollout of the id, which says what a key asks for.
    pub(crate) rollout: Option<Rollout>,
    pub(crate) slots: Vec<(Slot, Kept)>,
}

impl Entry {
    /// Says where the answer is kept.
    fn slot(&self, ask: Ask<'_>) -> Slot {
        match (ask, &self.rollout) {
            (Ask::Version(number), _) => Slot::Version(number),
            (Ask::Key(key), Some(rollout)) if !key.is_empty() => Slot::Arm(rollout.arm(&self.id, key)),
            (Ask::Arm(arm @ (Arm::Control | Arm::Candidate)), Some(_)) => Slot::Arm(arm),
            (Ask::Pinned | Ask::Key(_) | Ask::Arm(_), _) => Slot::Pinned,
        }
    }

    fn get(&self, slot: Slot) -> Option<&Kept> {
        self.slots.iter().find(|(of, _)| *of == slot).map(|(_, kept)| kept)
    }

    /// Puts a prompt into its slot and returns the one that is kept: of equal ones, the first.
    fn put(&mut self, slot: Slot, new: Kept) -> Arc<Prompt> {
        let same = |kept: &Kept| kept.prompt.is_same(&new.prompt);
        if let Some(old) = self.get(slot).filter(|old| same(old) && old.files == new.files) {
            return Arc::clone(&old.prompt);
        }
        // A version that was already loaded by its number is the same object when it is loaded by its pin.
        let known = self.slots.iter().find(|(of, kept)| *of != slot && same(kept)).map(|(_, kept)| Arc::clone(&kept.prompt));
        let prompt = known.unwrap_or(new.prompt);
        self.slots.retain(|(of, _)| *of != slot);
        self.slots.push((slot, Kept { prompt: Arc::clone(&prompt), files: new.files }));
        prompt
    }
}

type Shard = HashMap<Arc<str>, Arc<Entry>>;

/// Prompts by id.
pub(crate) struct KeptPrompts {
    shards: Box<[ArcSwap<Shard>]>,
    hasher: RandomState,
}

impl KeptPrompts {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| ArcSwap::default()).collect(), hasher: RandomState::new() }
    }

    /// Returns a prompt, if it is kept and its files are as they were.
    pub(crate) fn get(&self, id: &str, ask: Ask<'_>) -> Option<Arc<Prompt>> {
        let shard = self.shard(id).load();
        let entry = shard.get(id)?;
        let kept = entry.get(entry.slot(ask))?;
        kept.files.iter().all(FileStamp::is_current).then(|| Arc::clone(&kept.prompt))
    }

    /// Keeps a prompt. Of several threads that loaded the same content, the first wins and all return its prompt.
    pub(crate) fn keep(&self, id: &PromptId, ask: Ask<'_>, rollout: Option<&Rollout>, new: &Kept) -> Arc<Prompt> {
        let mut prompt = Arc::clone(&new.prompt);
        self.shard(id.as_str()).rcu(|shard| {
            let mut entry = match shard.get(id.as_str()) {
                // A folder has no rollouts and a registry's pins never change, so what is known of the id still holds.
                Some(entry) => Entry::clone(entry),
                None => Entry { id: id.clone(), rollout: rollout.cloned(), slots: Vec::new() },
            };
            prompt = entry.put(entry.slot(ask), new.clone());
            with(shard, entry)
        });
        prompt
    }

    /// Keeps all that is kept of an id elsewhere.
    pub(crate) fn keep_entry(&self, entry: Entry) {
        let shard = self.shard(entry.id.as_str());
        shard.rcu(|shard| with(shard, entry.clone()));
    }

    /// Returns what is kept of every id, in no order.
    pub(crate) fn entries(&self) -> Vec<Arc<Entry>> {
        self.shards.iter().flat_map(|shard| shard.load().values().cloned().collect::<Vec<_>>()).collect()
    }

    fn shard(&self, id: &str) -> &ArcSwap<Shard> {
        // The remainder is less than the number of shards, whatever is lost of the hash.
        &self.shards[self.hasher.hash_one(id) as usize % SHARDS]
    }
}

/// Returns a map with an entry more, or in the place of another.
fn with(shard: &Shard, entry: Entry) -> Shard {
    let mut shard = shard.clone();
    shard.insert(entry.id.as_str().into(), Arc::new(entry));
    shard
}
