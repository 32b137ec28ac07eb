//! A registry behind a network, for callers that block.

use std::sync::{Mutex, PoisonError};

use promptops_store::{Store, StoreError, StoreOptions};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::Error;

/// Reads objects of a store from blocking code.
///
/// Nothing is opened before the first read, so a service whose cache has everything makes no call and has no runtime.
pub(crate) struct RemoteStore {
    url: String,
    options: StoreOptions,
    connection: Mutex<Option<Connection>>,
}

struct Connection {
    /// The process that opened it. A child of `fork` shares the sockets and must not use them.
    process: u32,
    runtime: Runtime,
    store: Store,
}

impl std::fmt::Debug for RemoteStore {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The settings hold credentials.
        out.debug_struct("RemoteStore").field("url", &self.url).finish_non_exhaustive()
    }
}

impl RemoteStore {
    /// Checks the URL; makes no call.
    pub(crate) fn new(url: &str, options: StoreOptions) -> Result<Self, Error> {
        Store::open(url, &options).map_err(|error| Error::Setting {
            setting: "the registry's URL",
            place: url.to_owned(),
            source: error.into(),
        })?;
        Ok(Self { url: url.to_owned(), options, connection: Mutex::new(None) })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Reads an object; nothing when there is none. Blocks, also inside an async runtime.
    pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        if Handle::try_current().is_err() {
            return self.get_on_this_thread(key);
        }
        // A runtime refuses to be entered twice on one thread, so another thread does it.
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| self.get_on_this_thread(key));
            reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn get_on_this_thread(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let mut slot = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let process = std::process::id();
        if slot.as_ref().is_some_and(|connection| connection.process != process) {
            // Dropping it would shut down sockets that the parent still uses.
            std::mem::forget(slot.take());
        }
        let connection = match &mut *slot {
            Some(connection) => connection,
            empty => empty.insert(self.connect(process)?),
        };
        let bytes = connection.runtime.block_on(connection.store.get(key)).map_err(|error| self.unavailable(error))?;
        Ok(bytes.map(Into::into))
    }

    fn connect(&self, process: u32) -> Result<Connection, Error> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| self.unavailable(error))?;
        let store = Store::open(&self.url, &self.options).map_err(|error: StoreError| self.unavailable(error))?;
        Ok(Connection { process, runtime, store })
    }

    fn unavailable(&self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::Unavailable { place: self.url.clone(), source: error.into() }
    }
}

impl Drop for RemoteStore {
    /// Ends the runtime without waiting, since a runtime must not be waited for inside another.
    fn drop(&mut self) {
        let Some(connection) = self.connection.get_mut().unwrap_or_else(PoisonError::into_inner).take() else { return };
        if connection.process == std::process::id() {
            connection.runtime.shutdown_background();
        } else {
            // As above: the sockets are the parent's.
            std::mem::forget(connection);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_inside_and_outside_of_a_runtime() {
        let store = RemoteStore::new("memory://", StoreOptions::default()).unwrap();
        assert_eq!(store.get("format.json").unwrap(), None);
        let runtime = Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(async { store.get("format.json") }).unwrap(), None);
        runtime.block_on(async { drop(store) });
    }

    #[test]
    fn refuses_a_url_that_names_no_store() {
        let error = RemoteStore::new("ftp://host", StoreOptions::default()).unwrap_err();
        assert_eq!(error.code(), "invalid-setting");
        assert!(error.full_message().contains("unknown scheme"), "{}", error.full_message());
    }
}
