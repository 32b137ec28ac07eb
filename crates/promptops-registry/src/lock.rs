//! Locks: what an application takes along.

use futures::{StreamExt as _, TryStreamExt as _};
use promptops_prompt::PromptRef;
use promptops_prompt::lock::{LOCK_FORMAT, Lock, LockedRelease};

use crate::environment::{EnvironmentName, Release, release_act};
use crate::error::{RegistryError, Result};
use crate::registry::Registry;

/// Versions read at the same time.
const CONCURRENT_READS: usize = 16;

impl Registry {
    /// Returns the lock of what is live in an environment. `url` is how the application reaches the registry.
    ///
    /// # Errors
    /// [`RegistryError::NothingDeployed`].
    pub async fn lock_environment(&self, environment: &EnvironmentName, url: &str) -> Result<Lock> {
        let nothing = || RegistryError::NothingDeployed { environment: environment.clone() };
        let release = self.current(environment).await?.ok_or_else(nothing)?;
        self.lock_release(&release, url).await
    }

    /// Returns the lock of one release, with the place of that release in the audit log.
    ///
    /// # Errors
    /// [`RegistryError::Corrupt`] when its pins are missing or altered.
    pub async fn lock_release(&self, release: &Release, url: &str) -> Result<Lock> {
        let logged = self.log.find(&release_act(release)).await?;
        let locked = LockedRelease { environment: release.environment.to_string(), sequence: release.sequence, logged };
        let prompts = self.pins(release).await?.prompts;
        Ok(Lock { format: LOCK_FORMAT, registry: url.to_owned(), release: Some(locked), prompts })
    }

    /// Returns the lock of versions that are named one by one.
    ///
    /// # Errors
    /// [`RegistryError::VersionNotFound`]; [`RegistryError::TwoVersions`] when two are of one prompt.
    pub async fn lock_versions(&self, references: &[PromptRef], url: &str) -> Result<Lock> {
        let records: Vec<_> = futures::stream::iter(references)
            .map(|reference| self.version(reference))
            .buffered(CONCURRENT_READS)
            .try_collect()
            .await?;
        let mut lock = Lock { format: LOCK_FORMAT, registry: url.to_owned(), release: None, prompts: Default::default() };
        for record in records {
            let pin = self.pin_of(&record);
            if let Some(other) = lock.prompts.insert(record.id.clone(), pin.clone())
                && other.version != pin.version
            {
                return Err(RegistryError::TwoVersions { first: record.id.at(other.version), second: record.reference() });
            }
        }
        Ok(lock)
    }
}
