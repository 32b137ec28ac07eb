//! Locks: what an application takes along.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _};
use promptops_prompt::PromptRef;
use promptops_prompt::lock::{LOCK_FORMAT, Lock, LockedRelease, LoggedRelease};

use crate::audit::Act;
use crate::environment::{EnvironmentName, Release, release_act};
use crate::error::{RegistryError, Result};
use crate::publish::publish_act;
use crate::record::to_bytes;
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

    /// Returns the lock of one release, with the proof that the release was logged: of all its pins, since it names them by digest.
    ///
    /// Reads the log from its end back to the entry of the release.
    ///
    /// # Errors
    /// [`RegistryError::Corrupt`] when its pins are missing or altered.
    pub async fn lock_release(&self, release: &Release, url: &str) -> Result<Lock> {
        let proof = self.log.prove(&[release_act(release)]).await?.pop().flatten();
        let record = serde_json::from_slice(&to_bytes(release)).expect("what was just written is JSON");
        let logged = proof.map(|proof| LoggedRelease { record, proof });
        let locked = LockedRelease { environment: release.environment.to_string(), sequence: release.sequence, logged };
        let prompts = self.pins(release).await?.prompts;
        Ok(Lock { format: LOCK_FORMAT, registry: url.to_owned(), release: Some(locked), prompts, logged: BTreeMap::new() })
    }

    /// Returns the lock of versions that are named one by one, with the proofs that they were published.
    ///
    /// Reads the log from its end back to the earliest of their entries.
    ///
    /// # Errors
    /// [`RegistryError::VersionNotFound`]; [`RegistryError::TwoVersions`] when two are of one prompt.
    pub async fn lock_versions(&self, references: &[PromptRef], url: &str) -> Result<Lock> {
        let records: Vec<_> = futures::stream::iter(references)
            .map(|reference| self.version(reference))
            .buffered(CONCURRENT_READS)
            .try_collect()
            .await?;
        let mut lock = Lock {
            format: LOCK_FORMAT,
            registry: url.to_owned(),
            release: None,
            prompts: BTreeMap::new(),
            logged: BTreeMap::new(),
        };
        let acts: Vec<Act> = records.iter().map(|record| publish_act(record, &to_bytes(record))).collect();
        let proofs = self.log.prove(&acts).await?;
        for (record, proof) in records.into_iter().zip(proofs) {
            let pin = self.pin_of(&record);
            lock.logged.extend(proof.map(|proof| (record.id.clone(), proof)));
            if let Some(other) = lock.prompts.insert(record.id.clone(), pin.clone())
                && other.version != pin.version
            {
                return Err(RegistryError::TwoVersions { first: record.id.at(other.version), second: record.reference() });
            }
        }
        Ok(lock)
    }
}
