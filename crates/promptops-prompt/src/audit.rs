//! Entries of a registry's audit log, and the proof that one is in it.
//!
//! The log is a Merkle tree ([`crate::merkle`]); the data of a leaf is the RFC 8785 JSON of an entry.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::digest::{Digest, canonical_json};
use crate::merkle::{InclusionProof, leaf_hash};

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
#[serde(deny_unknown_fields)]
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

impl AuditEntry {
    /// Returns its hash in the tree.
    pub fn leaf(&self) -> Digest {
        let json = serde_json::to_value(self).expect("an entry has only string keys");
        leaf_hash(&canonical_json(&json))
    }
}

/// An entry with the proof that it is in the log.
///
/// The tree is the log right after the entry was appended with those of the same command, so that equal deeds have equal proofs,
/// whatever was logged since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogProof {
    /// The entry.
    pub entry: AuditEntry,
    /// Its place in the tree.
    pub proof: InclusionProof,
}

impl LogProof {
    /// Tells whether the tree that it names has the entry. Whether the registry has that tree, only the registry can show.
    pub fn holds(&self) -> bool {
        self.proof.holds(&self.entry.leaf())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::CompactRange;

    fn entry(actor: &str) -> AuditEntry {
        AuditEntry {
            time: "2026-05-01T08:00:00Z".parse().unwrap(),
            actor: actor.to_owned(),
            action: AuditAction::Publish,
            subject: "prompts/a.b/0000000001.json".to_owned(),
            digest: Digest::of(b"record"),
            details: BTreeMap::from([("prompt".to_owned(), "a.b@1".to_owned())]),
        }
    }

    #[test]
    fn the_leaf_is_the_hash_of_the_canonical_entry() {
        let canonical = format!(
            "\0{{\"action\":\"publish\",\"actor\":\"ada\",\"details\":{{\"prompt\":\"a.b@1\"}},\"digest\":\"{}\",\"subject\":{}}}",
            Digest::of(b"record"),
            "\"prompts/a.b/0000000001.json\",\"time\":\"2026-05-01T08:00:00Z\"",
        );
        assert_eq!(entry("ada").leaf(), Digest::of(canonical.as_bytes()));
    }

    #[test]
    fn a_proof_holds_for_its_entry_alone() {
        let leaves = [entry("ada").leaf(), entry("bob").leaf(), entry("cyd").leaf()];
        let proof = CompactRange::default().prove(&leaves, 1).unwrap();
        assert!(LogProof { entry: entry("bob"), proof: proof.clone() }.holds());
        assert!(!LogProof { entry: entry("eve"), proof }.holds());
    }
}
