//! What a registry stores about a version, and how every stored object is written: wire format 1.
//!
//! Every object is RFC 8785 JSON with a field `format`, so that equal objects are equal bytes and a digest names them.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use promptops_prompt::digest::canonical_json;
use promptops_prompt::{Digest, Metadata, PromptId, PromptRef, Version};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::compatibility::BreakingRecord;
use crate::error::{RegistryError, Result};
use crate::layout::Key;

/// The format of every object that this version writes and reads.
pub const FORMAT: u32 = 1;

/// What marks a folder as a registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FormatRecord {
    pub(crate) format: u32,
}

/// A published version. Its bytes never change; a lock pins their digest as `record`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VersionRecord {
    /// [`FORMAT`].
    pub format: u32,
    /// The prompt.
    pub id: PromptId,
    /// Its version.
    pub version: Version,
    /// The version it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<PromptRef>,
    /// The digest of its content (G1); includes are covered by it.
    pub digest: Digest,
    /// Digests of parts, for telling what a change touched.
    pub digests: PartDigests,
    /// What it breaks of the versions before it, where that was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaking: Option<BreakingRecord>,
    /// Metadata as it was when the version was published; later changes are records of their own.
    pub metadata: Metadata,
    /// Where it was written.
    pub provenance: Provenance,
    /// When and by whom it was published.
    pub published: Published,
}

/// Digests of parts of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartDigests {
    /// Inputs and output: what callers depend on.
    pub interface: Digest,
    /// The prompt's own text, model and parameters, without its includes.
    pub own: Digest,
    /// The metadata.
    pub metadata: Digest,
}

/// Where a version was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The commit, as a hexadecimal name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The author's e-mail address.
    pub author: String,
    /// When it was written, UTC.
    pub time: DateTime<Utc>,
    /// The source repository, as [`repository_name`] spells it.
    pub source: String,
    /// The file in it.
    pub path: String,
    /// The run of the pipeline that published it, as a URL or the name its system gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// When and by whom something was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// When, UTC.
    pub time: DateTime<Utc>,
    /// By whom.
    pub by: String,
}

/// A change of metadata that makes no new version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetadataRecord {
    /// [`FORMAT`].
    pub format: u32,
    /// The prompt.
    pub id: PromptId,
    /// The number of the change, from 1, over all versions of the prompt.
    pub sequence: u64,
    /// The version it is about.
    pub version: Version,
    /// All metadata after the change.
    pub metadata: Metadata,
    /// Where it was written.
    pub provenance: Provenance,
    /// When and by whom it was published.
    pub published: Published,
}

/// To whom a namespace belongs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamespaceRecord {
    /// [`FORMAT`].
    pub format: u32,
    /// The namespace.
    pub namespace: String,
    /// The source repository that may publish into it.
    pub source: String,
}

impl VersionRecord {
    /// Returns `id@version`.
    pub fn reference(&self) -> PromptRef {
        self.id.at(self.version)
    }

    /// Returns the digest of the record's own bytes, which a lock pins.
    pub fn record_digest(&self) -> Digest {
        Digest::of(&to_bytes(self))
    }
}

/// Returns the digest of `metadata`.
pub fn metadata_digest(metadata: &Metadata) -> Digest {
    Digest::of(&to_bytes(metadata))
}

/// Spells the URL of a source repository so that every way to reach it has one name: `host/path`, without scheme,
/// credentials, port and `.git`.
///
/// `git@github.com:acme/prompts.git` and `https://token@github.com/acme/prompts/` are both `github.com/acme/prompts`.
/// What has no host stays as it is.
pub fn repository_name(url: &str) -> String {
    let trimmed = url.trim().trim_end_matches('/');
    let trimmed = trimmed.strip_suffix(".git").unwrap_or(trimmed);
    let (authority, path) = if let Some((scheme, rest)) = trimmed.split_once("://") {
        match rest.split_once('/') {
            Some((authority, path)) if scheme != "file" && !authority.is_empty() => (authority, path),
            _ => return trimmed.to_owned(),
        }
    } else {
        // The form `user@host:path` of SSH; a `/` before the colon means a local path.
        match trimmed.split_once(':') {
            Some((authority, path)) if !authority.contains('/') && !path.is_empty() => (authority, path),
            _ => return trimmed.to_owned(),
        }
    };
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    format!("{}/{}", host.to_lowercase(), path.trim_start_matches('/'))
}

/// Writes an object in its canonical form.
pub(crate) fn to_bytes(object: &impl Serialize) -> Bytes {
    let value = serde_json::to_value(object).expect("wire types have only string keys and finite numbers");
    canonical_json(&value).into()
}

/// Reads an object and refuses a format it does not know.
pub(crate) fn from_bytes<T: DeserializeOwned>(key: &Key, bytes: &[u8]) -> Result<T> {
    let corrupt = |reason: String| RegistryError::Corrupt { key: key.to_string(), reason };
    let value: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|error| corrupt(format!("the object is not JSON ({error})")))?;
    match value.get("format").and_then(serde_json::Value::as_u64) {
        Some(1) => {}
        Some(found) => return Err(RegistryError::Newer { key: key.to_string(), found }),
        None => return Err(corrupt("the object has no field `format`".to_owned())),
    }
    serde_json::from_value(value).map_err(|error| corrupt(format!("the object has another shape ({error})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_a_repository_has_one_name() {
        for url in [
            "git@github.com:acme/prompts.git",
            "https://github.com/acme/prompts.git",
            "https://token:x@GitHub.com/acme/prompts/",
            "ssh://git@github.com:22/acme/prompts.git",
            "git+ssh://git@github.com/acme/prompts",
        ] {
            assert_eq!(repository_name(url), "github.com/acme/prompts", "{url}");
        }
        for local in ["/srv/prompts", "../prompts", "file:///srv/prompts", "/srv/a:b"] {
            assert_eq!(repository_name(local), local);
        }
    }

    #[test]
    fn a_newer_format_is_named_and_no_format_is_corrupt() {
        let newer = from_bytes::<NamespaceRecord>(&Key::Format, br#"{"format":2}"#).unwrap_err();
        assert_eq!(newer.to_string(), "the object has format `2`, this version reads format 1: `format.json`");
        for bad in [&b"{}"[..], b"x", br#"{"format":1}"#, b"\xff"] {
            let error = from_bytes::<NamespaceRecord>(&Key::Format, bad).unwrap_err();
            assert!(matches!(error, RegistryError::Corrupt { .. }), "{error}");
        }
    }
}
