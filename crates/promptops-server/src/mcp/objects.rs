//! Where published objects are read from, and their verification against a pin.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use promptops_prompt::lock::{BundleHeader, LOCK_FORMAT, LockError, LockedPrompt, LoggedSet, PinSet};
use promptops_prompt::{Closure, Content, Digest, Lock, PromptRef};
use promptops_registry::layout::Key;
use promptops_registry::{RegistryError, VersionRecord};
use promptops_store::Bundle;

/// Contents that one prompt may include, directly or not.
const MAX_INCLUDES: usize = 1_000;

/// A registry or a bundle.
pub(crate) enum Objects {
    Registry(Box<promptops_registry::Registry>),
    Bundle(Arc<Bundle>),
}

impl Objects {
    /// Reads the version that a pin names, with everything it includes. Each byte is covered by the pin.
    ///
    /// # Errors
    /// [`RegistryError::Corrupt`] when something is missing or is not what is pinned; otherwise as the store fails.
    pub(crate) async fn read(
        &self,
        reference: &PromptRef,
        pin: &LockedPrompt,
    ) -> Result<(VersionRecord, Closure), RegistryError> {
        let key = self.record_key(reference);
        let corrupt = |reason: &str| RegistryError::Corrupt { key: key.clone(), reason: reason.to_owned() };
        let bytes = self.get(&key).await?.ok_or_else(|| corrupt("a pinned version is missing"))?;
        if Digest::of(&bytes) != pin.record {
            return Err(corrupt("the version record is not the one that is pinned"));
        }
        let record: VersionRecord = serde_json::from_slice(&bytes)
            .map_err(|error| corrupt(&format!("the version record has another shape ({error})")))?;
        if record.reference() != *reference || record.digest != pin.digest {
            return Err(corrupt("the version record is of another version or content"));
        }
        let mut closure = Closure::of(self.content(pin.digest).await?);
        // A digest covers the digests of its includes, so there is no cycle and this ends.
        loop {
            let missing = closure.missing();
            if missing.is_empty() {
                return Ok((record, closure));
            }
            if closure.includes.len() + missing.len() > MAX_INCLUDES {
                return Err(corrupt("too many contents are included"));
            }
            for (reference, digest) in missing {
                let content = self.content(digest).await?;
                closure.includes.insert(reference, content);
            }
        }
    }

    /// Reads the record of a version that is not pinned, for its place in a lineage; nothing where it is not at hand.
    pub(crate) async fn find_version(&self, reference: &PromptRef) -> Result<Option<VersionRecord>, RegistryError> {
        match self {
            Self::Registry(registry) => registry.find_version(reference).await,
            Self::Bundle(_) => Ok(None),
        }
    }

    async fn content(&self, digest: Digest) -> Result<Content, RegistryError> {
        let key = Key::Blob(digest).to_string();
        let corrupt = |reason: String| RegistryError::Corrupt { key: key.clone(), reason };
        let bytes = self.get(&key).await?.ok_or_else(|| corrupt("the content is missing".to_owned()))?;
        Content::from_verified_bytes(&bytes, digest).map_err(|error| corrupt(error.to_string()))
    }

    fn record_key(&self, reference: &PromptRef) -> String {
        match self {
            Self::Registry(_) => Key::Version(reference.clone()).to_string(),
            Self::Bundle(_) => format!("records/{}/{}.json", reference.id, reference.version),
        }
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>, RegistryError> {
        match self {
            Self::Registry(registry) => Ok(registry.store().get(key).await?),
            Self::Bundle(bundle) => Ok(bundle.get(key)?),
        }
    }
}

/// Reads everything a bundle pins, and checks that it was logged.
///
/// # Errors
/// [`RegistryError::Corrupt`] when it is unreadable or was altered.
pub(crate) fn lock_of(bundle: &Bundle) -> Result<Lock, RegistryError> {
    let unreadable = |key: &str, error: LockError| RegistryError::Corrupt { key: key.to_owned(), reason: error.to_string() };
    let missing = || RegistryError::Corrupt { key: BundleHeader::NAME.to_owned(), reason: "the bundle has no header".to_owned() };
    let header = bundle.get(BundleHeader::NAME)?.ok_or_else(missing)?;
    let header = BundleHeader::from_bytes(&header).map_err(|error| unreadable(BundleHeader::NAME, error))?;
    let (mut prompts, mut logged) = (BTreeMap::new(), BTreeMap::new());
    let names: Vec<String> = bundle.names().map(str::to_owned).collect();
    for name in &names {
        let is_pins = name.starts_with("pins/");
        if !is_pins && !name.starts_with("logged/") {
            continue;
        }
        let bytes = bundle.get(name)?.unwrap_or_default();
        if is_pins {
            prompts.extend(PinSet::from_bytes(&bytes).map_err(|error| unreadable(name, error))?.prompts);
        } else {
            logged.extend(LoggedSet::from_bytes(&bytes).map_err(|error| unreadable(name, error))?.prompts);
        }
    }
    let lock = Lock { format: LOCK_FORMAT, registry: header.registry, release: header.release, prompts, logged };
    lock.check_proofs().map_err(|error| {
        let reason = format!("the bundle does not fit its log proof: {error}");
        RegistryError::Corrupt { key: BundleHeader::NAME.to_owned(), reason }
    })?;
    Ok(lock)
}
