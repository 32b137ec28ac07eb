//! Names of prompts: the id, the version, and the two together.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest id that is accepted, in bytes.
pub const MAX_ID_BYTES: usize = 200;

/// Says why a text is not an id, a version or a pinned reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The id breaks the pattern `[a-z0-9-]+(\.[a-z0-9-]+)*`.
    #[error("an id is lower-case letters, digits and `-`, in parts joined by `.`; got `{0}`")]
    Id(String),
    /// The id is longer than [`MAX_ID_BYTES`].
    #[error("an id has at most {MAX_ID_BYTES} bytes; got {0}")]
    LongId(usize),
    /// The version is not an integer from 1 to 4294967295.
    #[error("a version is a whole number from 1; got `{0}`")]
    Version(String),
    /// The reference lacks its `@version`.
    #[error("a pinned reference is `id@version`; got `{0}`")]
    Unpinned(String),
}

/// The name of a prompt, as `customer-support.intent-classifier`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PromptId(String);

impl PromptId {
    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the path of the prompt's file below the prompts folder, as `customer-support/intent-classifier.yaml`.
    pub fn file_path(&self) -> String {
        format!("{}.yaml", self.0.replace('.', "/"))
    }

    /// Returns the namespace: all parts but the last, or the empty text for an id of one part.
    pub fn namespace(&self) -> &str {
        self.0.rsplit_once('.').map_or("", |(namespace, _)| namespace)
    }

    /// Returns the reference that pins `version` of this prompt.
    pub fn at(&self, version: Version) -> PromptRef {
        PromptRef { id: self.clone(), version }
    }
}

impl FromStr for PromptId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.len() > MAX_ID_BYTES {
            return Err(NameError::LongId(text.len()));
        }
        let part_is_valid = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        if text.split('.').all(part_is_valid) { Ok(Self(text.to_owned())) } else { Err(NameError::Id(text.to_owned())) }
    }
}

impl TryFrom<String> for PromptId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<PromptId> for String {
    fn from(id: PromptId) -> Self {
        id.0
    }
}

impl fmt::Display for PromptId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// The version of a prompt: a whole number from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Version(u32);

impl Version {
    /// The version that needs no parent.
    pub const FIRST: Self = Self(1);

    /// Returns the version `number`, or nothing for zero.
    pub fn new(number: u32) -> Option<Self> {
        (number > 0).then_some(Self(number))
    }

    /// Returns the version as a number.
    pub fn number(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Version {
    type Error = NameError;

    fn try_from(number: u32) -> Result<Self, NameError> {
        Self::new(number).ok_or_else(|| NameError::Version(number.to_string()))
    }
}

impl From<Version> for u32 {
    fn from(version: Version) -> Self {
        version.0
    }
}

impl FromStr for Version {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let digits_only = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        let number = if digits_only { text.parse().ok() } else { None };
        number.and_then(Self::new).ok_or_else(|| NameError::Version(text.to_owned()))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// A pinned prompt: `id@version`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PromptRef {
    /// The prompt.
    pub id: PromptId,
    /// Its version.
    pub version: Version,
}

impl FromStr for PromptRef {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (id, version) = text.split_once('@').ok_or_else(|| NameError::Unpinned(text.to_owned()))?;
        Ok(Self { id: id.parse()?, version: version.parse()? })
    }
}

impl TryFrom<String> for PromptRef {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<PromptRef> for String {
    fn from(reference: PromptRef) -> Self {
        reference.to_string()
    }
}

impl fmt::Display for PromptRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}@{}", self.id, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_only_the_documented_pattern() {
        for good in ["a", "customer-support.intent-classifier", "a.b.c", "0-1"] {
            assert_eq!(good.parse::<PromptId>().unwrap().as_str(), good);
        }
        for bad in ["", "A", "a..b", ".a", "a.", "a_b", "a/b", "ä", "a b", "../a"] {
            assert!(bad.parse::<PromptId>().is_err(), "{bad}");
        }
        assert_eq!("x".repeat(MAX_ID_BYTES + 1).parse::<PromptId>(), Err(NameError::LongId(MAX_ID_BYTES + 1)));
    }

    #[test]
    fn reads_a_pinned_reference() {
        let reference: PromptRef = "shared.tone@3".parse().unwrap();
        assert_eq!((reference.id.as_str(), reference.version.number()), ("shared.tone", 3));
        for bad in ["shared.tone", "shared.tone@", "shared.tone@0", "shared.tone@03", "shared.tone@latest", "@3", "a@1@2", "a@+1"]
        {
            assert!(bad.parse::<PromptRef>().is_err(), "{bad}");
        }
    }

    #[test]
    fn knows_its_file_and_namespace() {
        let id: PromptId = "customer-support.eu.intent".parse().unwrap();
        assert_eq!(id.file_path(), "customer-support/eu/intent.yaml");
        assert_eq!(id.namespace(), "customer-support.eu");
        assert_eq!("tone".parse::<PromptId>().unwrap().namespace(), "");
    }
}
