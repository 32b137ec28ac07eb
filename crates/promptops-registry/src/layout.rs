//! Where everything lies in the store.
//!
//! ```text
//! format.json                                 {"format": 1}
//! namespaces/<namespace>.json                 create-only; which source repository publishes into it
//! blobs/sha256/<hex>                          canonical content
//! prompts/<id>/<version:010>.json             create-only; writing it is the publish
//! prompts/<id>/metadata/<number:020>.json     create-only sequence of changes that make no new version
//! prompts/<id>/status/<number:020>.json       create-only sequence of what becomes of its versions: yanked, deprecated, restored
//! environments/<name>/<number:020>.json       create-only sequence of releases
//! pins/sha256/<hex>                           shards of pin sets
//! evidence/<content hex>/<object hex>.json    statements about a content
//! log/<number:020>.json                       create-only sequence of batches of audit entries
//! keys/<key id>/key.json                      an API key of the server, without its secret
//! keys/<key id>/revoked.json                  that it holds no more
//! index/<number:020>.json                     create-only sequence of snapshots of the index, which is derived
//! index/shards/<hex>                          shards of snapshots
//! probes/<name>                               left by the store's own probe
//! ```

use std::fmt;

use promptops_prompt::{Digest, PromptId, PromptRef, Version};

use crate::environment::EnvironmentName;
use crate::keys::KeyId;

/// The key of one object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// What marks a folder as a registry.
    Format,
    /// The claim on a namespace; the empty text is the namespace of ids of one part.
    Namespace(String),
    /// Canonical content.
    Blob(Digest),
    /// A published version.
    Version(PromptRef),
    /// A change of metadata.
    Metadata(PromptId, u64),
    /// A change of the status of a version.
    Status(PromptId, u64),
    /// A release of an environment.
    Release(EnvironmentName, u64),
    /// A shard of a pin set.
    Pins(Digest),
    /// A statement about a content.
    Evidence {
        /// The content.
        subject: Digest,
        /// The stored object itself.
        object: Digest,
    },
    /// An entry of the audit log.
    Log(u64),
    /// An API key.
    ApiKey(KeyId),
    /// The revocation of an API key.
    Revocation(KeyId),
    /// A snapshot of the index.
    Index(u64),
    /// A shard of snapshots.
    IndexShard(Digest),
    /// Left by the probe of the store.
    Probe(String),
}

/// Stands for the empty namespace; `_` is in no id.
const ROOT_NAMESPACE: &str = "_";

impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format => write!(out, "format.json"),
            Self::Namespace(name) if name.is_empty() => write!(out, "namespaces/{ROOT_NAMESPACE}.json"),
            Self::Namespace(name) => write!(out, "namespaces/{name}.json"),
            Self::Blob(digest) => write!(out, "blobs/sha256/{}", digest.hex()),
            Self::Version(reference) => write!(out, "{}/{:010}.json", versions(&reference.id), reference.version.number()),
            Self::Metadata(id, number) => write!(out, "{}/{number:020}.json", metadata(id)),
            Self::Status(id, number) => write!(out, "{}/{number:020}.json", statuses(id)),
            Self::Release(name, number) => write!(out, "{}/{number:020}.json", releases(name)),
            Self::Pins(digest) => write!(out, "pins/sha256/{}", digest.hex()),
            Self::Evidence { subject, object } => write!(out, "{}/{}.json", evidence(subject), object.hex()),
            Self::Log(number) => write!(out, "{LOG}/{number:020}.json"),
            Self::ApiKey(id) => write!(out, "{KEYS}/{id}/key.json"),
            Self::Revocation(id) => write!(out, "{KEYS}/{id}/revoked.json"),
            Self::Index(number) => write!(out, "{INDEX}/{number:020}.json"),
            Self::IndexShard(digest) => write!(out, "{INDEX}/shards/{}", digest.hex()),
            Self::Probe(name) => write!(out, "probes/{name}"),
        }
    }
}

/// The folder of the audit log.
pub(crate) const LOG: &str = "log";
/// The folder of all API keys.
pub const KEYS: &str = "keys";
/// The folder of the index.
pub(crate) const INDEX: &str = "index";
/// The folder of all prompts.
pub(crate) const PROMPTS: &str = "prompts";
/// The folder of all environments.
pub(crate) const ENVIRONMENTS: &str = "environments";

/// Returns the folder of a prompt's versions.
pub(crate) fn versions(id: &PromptId) -> String {
    format!("{PROMPTS}/{id}")
}

/// Returns the folder of a prompt's metadata changes.
pub(crate) fn metadata(id: &PromptId) -> String {
    format!("{PROMPTS}/{id}/metadata")
}

/// Returns the folder of the changes of status of a prompt's versions.
pub(crate) fn statuses(id: &PromptId) -> String {
    format!("{PROMPTS}/{id}/status")
}

/// Returns the folder of an environment's releases.
pub(crate) fn releases(name: &EnvironmentName) -> String {
    format!("{ENVIRONMENTS}/{name}")
}

/// Returns the folder of the statements about a content.
pub(crate) fn evidence(subject: &Digest) -> String {
    format!("evidence/{}", subject.hex())
}

impl Key {
    /// Reads a key; nothing for what this software does not write.
    pub fn parse(text: &str) -> Option<Self> {
        let key = match text.split('/').collect::<Vec<_>>().as_slice() {
            ["format.json"] => Self::Format,
            ["namespaces", file] => match file.strip_suffix(".json")? {
                ROOT_NAMESPACE => Self::Namespace(String::new()),
                name => Self::Namespace(name.parse::<PromptId>().ok()?.to_string()),
            },
            ["blobs", "sha256", hex] => Self::Blob(digest(hex)?),
            [PROMPTS, id, file] => {
                let version = Version::new(u32::try_from(number(file)?).ok()?)?;
                Self::Version(id.parse::<PromptId>().ok()?.at(version))
            }
            [PROMPTS, id, "metadata", file] => Self::Metadata(id.parse().ok()?, number(file)?),
            [PROMPTS, id, "status", file] => Self::Status(id.parse().ok()?, number(file)?),
            [ENVIRONMENTS, name, file] => Self::Release(name.parse().ok()?, number(file)?),
            ["pins", "sha256", hex] => Self::Pins(digest(hex)?),
            ["evidence", subject, file] => {
                Self::Evidence { subject: digest(subject)?, object: digest(file.strip_suffix(".json")?)? }
            }
            [LOG, file] => Self::Log(number(file)?),
            [KEYS, id, "key.json"] => Self::ApiKey(id.parse().ok()?),
            [KEYS, id, "revoked.json"] => Self::Revocation(id.parse().ok()?),
            [INDEX, "shards", hex] => Self::IndexShard(digest(hex)?),
            [INDEX, file] => Self::Index(number(file)?),
            ["probes", name] => Self::Probe((*name).to_owned()),
            _ => return None,
        };
        // One key has one spelling: whatever is written otherwise is not ours.
        (key.to_string() == text).then_some(key)
    }
}

fn digest(hex: &str) -> Option<Digest> {
    format!("sha256:{hex}").parse().ok()
}

fn number(file: &str) -> Option<u64> {
    file.strip_suffix(".json")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read_back() {
        let digest = Digest::of(b"x");
        let id: PromptId = "customer-support.intent".parse().unwrap();
        let name: EnvironmentName = "prod".parse().unwrap();
        for key in [
            Key::Format,
            Key::Namespace(String::new()),
            Key::Namespace("customer-support".into()),
            Key::Blob(digest),
            Key::Version(id.at(Version::new(u32::MAX).unwrap())),
            Key::Metadata(id.clone(), 3),
            Key::Status(id, 4),
            Key::Release(name, u64::MAX),
            Key::Pins(digest),
            Key::Evidence { subject: digest, object: Digest::of(b"y") },
            Key::Log(1),
            Key::ApiKey("0123456789abcdef".parse().unwrap()),
            Key::Revocation("0123456789abcdef".parse().unwrap()),
            Key::Index(7),
            Key::IndexShard(digest),
            Key::Probe("init".into()),
        ] {
            assert_eq!(Key::parse(&key.to_string()), Some(key));
        }
    }

    #[test]
    fn versions_sort_as_numbers() {
        let id: PromptId = "a".parse().unwrap();
        let key = |number| Key::Version(id.at(Version::new(number).unwrap())).to_string();
        assert!(key(9) < key(10) && key(99) < key(1000));
        assert_eq!(key(2), "prompts/a/0000000002.json");
    }

    #[test]
    fn other_spellings_are_not_ours() {
        for foreign in [
            "",
            "prompts/a/2.json",
            "prompts/a/0000000000.json",
            "log/1.json",
            "log/+0000000000000000001.json",
            "prompts/A/0000000001.json",
            "blobs/sha256/abc",
            "x",
            "keys/0123456789abcdef/other.json",
            "keys/0123456789ABCDEF/key.json",
            "environments/Prod/00000000000000000001.json",
        ] {
            assert_eq!(Key::parse(foreign), None, "{foreign}");
        }
    }
}
