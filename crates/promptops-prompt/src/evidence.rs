//! Evidence about a version: statements that the registry's policy can demand.
//!
//! `eval` and `drift` return evidence; `registry` stores and demands it. The form is an in-toto Statement v1 over the
//! digest of the content, so any changed byte voids it (G5).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::{Digest, canonical_json};
use crate::id::PromptRef;

/// The `_type` of every statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The predicate of an eval run.
pub const EVAL_PREDICATE: &str = "https://promptops.dev/eval/v1";
/// The predicate of an approval.
pub const APPROVAL_PREDICATE: &str = "https://promptops.dev/approval/v1";

/// One statement about one version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// [`STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    pub kind: String,
    /// What it is about: exactly one subject.
    pub subject: Vec<Subject>,
    /// What it says: [`EVAL_PREDICATE`] or [`APPROVAL_PREDICATE`].
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// The saying, by its type.
    pub predicate: Value,
}

/// The version that a statement is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// `id@version`.
    pub name: PromptRef,
    /// The digest of its content.
    pub digest: SubjectDigest,
}

/// A digest in the form in-toto wants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectDigest {
    /// 64 hexadecimal digits.
    pub sha256: String,
}

impl Statement {
    /// Returns a statement about one version.
    pub fn new(name: PromptRef, digest: Digest, predicate_type: &str, predicate: Value) -> Self {
        Self {
            kind: STATEMENT_TYPE.to_owned(),
            subject: vec![Subject { name, digest: SubjectDigest { sha256: digest.hex() } }],
            predicate_type: predicate_type.to_owned(),
            predicate,
        }
    }

    /// Tells whether the statement is about the content with `digest`.
    pub fn is_about(&self, digest: &Digest) -> bool {
        self.kind == STATEMENT_TYPE && self.subject.len() == 1 && self.subject[0].digest.sha256 == digest.hex()
    }

    /// Returns the canonical bytes: what is stored and what is signed.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical_json(&serde_json::to_value(self).expect("a statement has only string keys"))
    }
}
