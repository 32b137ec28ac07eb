//! Reading what is published.

use std::collections::BTreeMap;

use promptops_prompt::content::ContentError;
use promptops_prompt::{Closure, Content, Digest, PromptId, PromptRef, Version};

use crate::error::{RegistryError, Result};
use crate::layout::{self, Key};
use crate::record::VersionRecord;
use crate::registry::Registry;

impl Registry {
    /// Returns a published version. One call.
    ///
    /// # Errors
    /// [`RegistryError::VersionNotFound`]; [`RegistryError::Corrupt`] when the slot holds another version.
    pub async fn version(&self, reference: &PromptRef) -> Result<VersionRecord> {
        self.find_version(reference).await?.ok_or_else(|| RegistryError::VersionNotFound { reference: reference.clone() })
    }

    /// Returns a published version, or nothing. One call.
    ///
    /// # Errors
    /// [`RegistryError::Corrupt`] when the slot holds another version.
    pub async fn find_version(&self, reference: &PromptRef) -> Result<Option<VersionRecord>> {
        let key = Key::Version(reference.clone());
        let Some((record, _)) = self.read::<VersionRecord>(&key).await? else { return Ok(None) };
        if record.reference() != *reference {
            let reason = format!("the object is the version `{}`", record.reference());
            return Err(RegistryError::Corrupt { key: key.to_string(), reason });
        }
        Ok(Some(record))
    }

    /// Returns the published versions of a prompt, ascending. One listing.
    ///
    /// # Errors
    /// [`RegistryError::PromptNotFound`] when there is none.
    pub async fn versions(&self, id: &PromptId) -> Result<Vec<Version>> {
        let keys = self.store.list(&layout::versions(id)).await?;
        let versions: Vec<Version> = keys
            .iter()
            .filter_map(|key| match Key::parse(key)? {
                Key::Version(reference) => Some(reference.version),
                _ => None,
            })
            .collect();
        if versions.is_empty() { Err(RegistryError::PromptNotFound { id: id.clone() }) } else { Ok(versions) }
    }

    /// Returns the highest published version of a prompt. One listing and one call.
    ///
    /// # Errors
    /// [`RegistryError::PromptNotFound`] when there is none.
    pub async fn latest(&self, id: &PromptId) -> Result<VersionRecord> {
        let versions = self.versions(id).await?;
        let not_found = || RegistryError::PromptNotFound { id: id.clone() };
        self.version(&id.at(*versions.last().ok_or_else(not_found)?)).await
    }

    /// Returns every published prompt with its versions, ascending. One listing of everything below `prompts/`.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn list(&self) -> Result<BTreeMap<PromptId, Vec<Version>>> {
        let mut prompts: BTreeMap<PromptId, Vec<Version>> = BTreeMap::new();
        for key in self.store.list(layout::PROMPTS).await? {
            if let Some(Key::Version(reference)) = Key::parse(&key) {
                prompts.entry(reference.id).or_default().push(reference.version);
            }
        }
        Ok(prompts)
    }

    /// Returns the content with a digest, after checking that its bytes have it.
    ///
    /// # Errors
    /// [`RegistryError::Corrupt`] when it is missing, altered or unreadable.
    pub async fn content(&self, digest: &Digest) -> Result<Content> {
        let key = Key::Blob(*digest).to_string();
        let corrupt = |reason: String| RegistryError::Corrupt { key: key.clone(), reason };
        let bytes = self.store.get(&key).await?.ok_or_else(|| corrupt("the content is missing".to_owned()))?;
        Content::from_verified_bytes(&bytes, *digest).map_err(|error| {
            corrupt(match error {
                ContentError::Digest { found, .. } => format!("the content was altered, it has digest `{found}`"),
                other => other.to_string(),
            })
        })
    }

    /// Returns a published version with its content and everything that includes, directly or not.
    ///
    /// # Errors
    /// [`RegistryError::VersionNotFound`]; [`RegistryError::Corrupt`] when a content is missing or altered.
    pub async fn closure(&self, reference: &PromptRef) -> Result<(VersionRecord, Closure)> {
        let record = self.version(reference).await?;
        let closure = self.closure_of(&record.digest).await?;
        Ok((record, closure))
    }

    /// Returns a content with everything it includes, directly or not.
    ///
    /// # Errors
    /// [`RegistryError::Corrupt`] when a content is missing or altered.
    pub async fn closure_of(&self, digest: &Digest) -> Result<Closure> {
        self.complete(Closure::of(self.content(digest).await?)).await
    }

    /// Adds every content that a closure lacks.
    pub(crate) async fn complete(&self, mut closure: Closure) -> Result<Closure> {
        // A digest covers the digests of its includes, so there is no cycle and this ends.
        loop {
            let missing = closure.missing();
            if missing.is_empty() {
                return Ok(closure);
            }
            for (reference, digest) in missing {
                let content = self.content(&digest).await?;
                closure.includes.insert(reference, content);
            }
        }
    }
}
