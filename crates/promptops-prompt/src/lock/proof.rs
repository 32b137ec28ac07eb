//! What a lock proves by itself, with no registry at hand: that what it pins was logged.
//!
//! A release names its pins by digest, the entry of the log names the release by digest, and the tree of the log holds the entry. So
//! one proof covers every pin of a release. What was named version by version has a proof for each.
//!
//! What it does not prove: that the registry still has that tree. Whoever holds the registry against the lock sees that
//! (`promptops audit verify --lock`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Lock, LockedPrompt, LockedRelease, PinSet};
use crate::audit::{AuditAction, LogProof};
use crate::digest::Digest;
use crate::id::{PromptId, PromptRef};
use crate::merkle::TreeHead;

/// A release as the registry holds it, and the proof that it was logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedRelease {
    /// The release. The digest of its RFC 8785 form is the one that was logged.
    pub record: Value,
    /// The proof of its entry.
    pub proof: LogProof,
}

/// What a lock proves.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proofs {
    /// The trees that the proofs are about, smallest first, each once. A registry that did not lose or rewrite anything has all.
    pub trees: Vec<TreeHead>,
    /// Pinned prompts of which nothing proves that they were logged.
    pub unproven: Vec<PromptId>,
}

/// Says what in a lock or a bundle does not fit its log proof: it was altered, or put together from several.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The hashes do not lead from the entry to the root.
    #[error("the tree of the log that the proof names does not hold the entry about `{0}`")]
    Tree(String),
    /// The proof is about something else.
    #[error("the log proof of `{of}` is about {about}")]
    Other {
        /// What should be proven.
        of: String,
        /// What is.
        about: String,
    },
    /// The record of the release is none.
    #[error("the record of the release has another shape: {0}")]
    Record(String),
    /// The pins are not those of the release.
    #[error("the pins are not those of release {sequence} of `{environment}`, first `{differing}`")]
    Pins {
        /// The environment.
        environment: String,
        /// The number of the release.
        sequence: u64,
        /// A shard of the pins that differs, or the pins of it.
        differing: String,
    },
}

/// What a release says of itself, as far as a proof needs it.
#[derive(Deserialize)]
struct ReleaseRecord {
    environment: String,
    sequence: u64,
    pins: BTreeMap<String, Digest>,
}

impl Lock {
    /// Checks the log proofs: that they hold, and that what they prove is what the lock pins. Costs a digest of all pins and a
    /// few dozen hashes for each proof.
    ///
    /// # Errors
    /// [`ProofError`]: the lock was altered.
    pub fn check_proofs(&self) -> Result<Proofs, ProofError> {
        let mut trees = Vec::new();
        let mut unproven: Vec<PromptId> = Vec::new();
        let release = match &self.release {
            Some(release) => release.logged_pins()?.map(|pins| (release, pins)),
            None => None,
        };
        if let Some((release, pins)) = &release {
            compare_pins(release, pins, &self.prompts)?;
            trees.extend(release.logged.iter().map(|logged| logged.proof.proof.tree));
        }
        for (id, pin) in &self.prompts {
            match self.logged.get(id) {
                Some(proof) => {
                    check_publication(&id.at(pin.version), pin, proof)?;
                    trees.push(proof.proof.tree);
                }
                None if release.is_none() => unproven.push(id.clone()),
                None => {}
            }
        }
        if let Some((id, proof)) = self.logged.iter().find(|(id, _)| !self.prompts.contains_key(*id)) {
            return Err(ProofError::Other { of: format!("{id}, which is not pinned"), about: about(proof) });
        }
        trees.sort_by_key(|tree| tree.size);
        trees.dedup();
        Ok(Proofs { trees, unproven })
    }
}

impl LockedRelease {
    /// Checks the proof that the release was logged, and returns the digests of the shards of its pins, by name. Nothing when there is
    /// no proof.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn logged_pins(&self) -> Result<Option<BTreeMap<String, Digest>>, ProofError> {
        let Some(LoggedRelease { record, proof }) = &self.logged else { return Ok(None) };
        let subject = format!("environments/{}/{:020}.json", self.environment, self.sequence);
        let is_release = matches!(proof.entry.action, AuditAction::Deploy | AuditAction::Rollback);
        if !is_release || proof.entry.subject != subject || proof.entry.digest != Digest::of_json(record) {
            return Err(ProofError::Other { of: subject, about: about(proof) });
        }
        if !proof.holds() {
            return Err(ProofError::Tree(subject));
        }
        let read: ReleaseRecord =
            serde_json::from_value(record.clone()).map_err(|error| ProofError::Record(error.to_string()))?;
        if (&read.environment, read.sequence) != (&self.environment, self.sequence) {
            return Err(ProofError::Other { of: subject, about: format!("release {} of `{}`", read.sequence, read.environment) });
        }
        Ok(Some(read.pins))
    }

    /// Says that a shard of the pins is not the one that the release names.
    pub fn other_pins(&self, differing: impl Into<String>) -> ProofError {
        ProofError::Pins { environment: self.environment.clone(), sequence: self.sequence, differing: differing.into() }
    }
}

/// Checks the proof that a version was published with the record that is pinned.
///
/// # Errors
/// [`ProofError`].
pub fn check_publication(reference: &PromptRef, pin: &LockedPrompt, proof: &LogProof) -> Result<(), ProofError> {
    // Only a release splits a prompt, so a rollout that a proof of one publication stands beside was put there.
    if let Some(rollout) = &pin.rollout {
        let of = format!("{} beside {reference}", reference.id.at(rollout.version));
        return Err(ProofError::Other { of, about: about(proof) });
    }
    let subject = format!("prompts/{}/{:010}.json", reference.id, reference.version.number());
    let is_publication = proof.entry.action == AuditAction::Publish;
    if !is_publication || proof.entry.subject != subject || proof.entry.digest != pin.record {
        return Err(ProofError::Other { of: reference.to_string(), about: about(proof) });
    }
    if proof.holds() { Ok(()) } else { Err(ProofError::Tree(subject)) }
}

fn about(proof: &LogProof) -> String {
    let entry = &proof.entry;
    format!("`{}` of `{}` with {}", entry.action.name(), entry.subject, entry.digest.short())
}

fn compare_pins(
    release: &LockedRelease,
    expected: &BTreeMap<String, Digest>,
    prompts: &BTreeMap<PromptId, LockedPrompt>,
) -> Result<(), ProofError> {
    let mut shards: BTreeMap<String, PinSet> = BTreeMap::new();
    for (id, pin) in prompts {
        shards.entry(PinSet::shard_name(id)).or_default().prompts.insert(id.clone(), pin.clone());
    }
    for (name, set) in &shards {
        if expected.get(name) != Some(&set.digest()) {
            let ids: Vec<&str> = set.prompts.keys().map(PromptId::as_str).collect();
            return Err(release.other_pins(ids.join("`, `")));
        }
    }
    match expected.keys().find(|name| !shards.contains_key(*name)) {
        Some(missing) => Err(release.other_pins(format!("shard {missing}, of which nothing is pinned"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
