//! Opening a registry.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use promptops_prompt::Digest;
use promptops_store::{Created, Store, probe};
use serde::de::DeserializeOwned;

use crate::audit::{Act, AuditAction, AuditBatch, Log, TreeHead};
use crate::error::{RegistryError, Result};
use crate::index::Known;
use crate::layout::Key;
use crate::record::{FORMAT, FormatRecord, from_bytes, to_bytes};

/// A registry: published versions, environments, evidence and the log of all that, as objects in a store.
///
/// **Invariant:** nothing here overwrites or deletes. Every write is a create-only object, the deciding one (a version slot,
/// a release) comes after all it names, and its audit entry after it. So a process that dies at any point leaves a
/// registry that [`Registry::verify`] accepts, and repeating the call completes it.
///
/// Time and actor are arguments of whatever writes. Clones share the store.
///
/// Opened at the URL of a server (`https://…`), all that reads is the same; what writes goes to the server, which decides
/// by its own rules and clock, and records the actor of the API key whatever is given here. What a server does not offer is
/// refused with [`RegistryError::NotThroughServer`].
#[derive(Debug, Clone)]
pub struct Registry {
    pub(crate) store: Store,
    pub(crate) log: Log,
    pub(crate) index: Known,
}

impl Registry {
    /// Makes the registry of a store, or opens the one that is there. Repeating it is safe.
    ///
    /// Refuses a store that does not keep create-only writes, since published versions would not be immutable in it.
    ///
    /// # Errors
    /// [`RegistryError::Newer`] when a newer version made it; otherwise as the store fails.
    pub async fn init(store: Store, actor: &str, now: DateTime<Utc>) -> Result<(Self, Created)> {
        if store.connection().is_some() {
            return Err(RegistryError::NotThroughServer { what: "making a registry", url: store.url().to_owned() });
        }
        probe(&store, "init").await?;
        let bytes = to_bytes(&FormatRecord { format: FORMAT });
        let created = match store.create(&Key::Format.to_string(), bytes.clone()).await {
            Ok(created) => created,
            Err(promptops_store::StoreError::Conflict { .. }) => {
                Self::open(store).await?;
                return Err(RegistryError::Corrupt { key: Key::Format.to_string(), reason: "unexpected content".to_owned() });
            }
            Err(error) => return Err(error.into()),
        };
        let registry = Self { log: Log::new(&store)?, index: Known::default(), store };
        let act = Act {
            time: now,
            actor: actor.to_owned(),
            action: AuditAction::Init,
            subject: Key::Format,
            digest: Digest::of(&bytes),
            details: BTreeMap::new(),
        };
        match created {
            Created::New => registry.log.append([act]).await?,
            Created::Same => registry.log.complete([act], actor).await?,
        }
        Ok((registry, created))
    }

    /// Opens the registry of a store. One call.
    ///
    /// # Errors
    /// [`RegistryError::NotInitialised`] when there is none; [`RegistryError::Newer`] when a newer version made it.
    pub async fn open(store: Store) -> Result<Self> {
        let Some(bytes) = store.get(&Key::Format.to_string()).await? else {
            return Err(RegistryError::NotInitialised { url: store.url().to_owned() });
        };
        let _: FormatRecord = from_bytes(&Key::Format, &bytes)?;
        Ok(Self { log: Log::new(&store)?, index: Known::default(), store })
    }

    /// Returns the store. What is created in it past the registry is damage.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Returns the URL of the store.
    pub fn url(&self) -> &str {
        self.store.url()
    }

    /// Returns the head of the audit log's tree; nothing when it is empty.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn log_head(&self) -> Result<Option<TreeHead>> {
        self.log.head().await
    }

    /// Returns batches of the audit log from number `first` on, at most `limit` of them.
    ///
    /// # Errors
    /// [`RegistryError::Corrupt`] when one is missing or unreadable.
    pub async fn log_batches(&self, first: u64, limit: usize) -> Result<Vec<AuditBatch>> {
        self.log.batches(first, limit).await
    }

    /// Reads an object; nothing when there is none.
    pub(crate) async fn read<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<(T, Bytes)>> {
        match self.store.get(&key.to_string()).await? {
            Some(bytes) => Ok(Some((from_bytes(key, &bytes)?, bytes))),
            None => Ok(None),
        }
    }
}
