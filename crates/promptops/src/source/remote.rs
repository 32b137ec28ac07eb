//! A registry behind a network, for callers that block.
//!
//! **Invariant.** No lock is held while the network is waited for, or at all: a thread that hangs holds up no other, and the child
//! of a `fork` finds nothing locked by a thread that it does not have.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use promptops_store::{Sequence, Store, StoreError, StoreOptions};
use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::Error;
use crate::settings::Clock;

/// A connection that was not used for longer, by the wall clock, is not used again: what lies between may have dropped it, as
/// while a process was frozen.
const MAX_IDLE: Duration = Duration::from_secs(50);

/// Reads objects of a store from blocking code.
///
/// Nothing is opened before the first read, so a service whose cache has everything makes no call and has no runtime.
pub(crate) struct RemoteStore {
    url: String,
    options: StoreOptions,
    clock: Clock,
    connection: ArcSwapOption<Connection>,
}

struct Connection {
    /// The process that opened it. A child of `fork` shares the sockets and must not use them.
    process: u32,
    /// When it was last used, milliseconds since 1970.
    used: AtomicI64,
    runtime: Option<Runtime>,
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
    pub(crate) fn new(url: &str, options: StoreOptions, clock: Clock) -> Result<Self, Error> {
        Store::open(url, &options).map_err(|error| Error::Setting {
            setting: "the registry's URL",
            place: url.to_owned(),
            source: error.into(),
        })?;
        Ok(Self { url: url.to_owned(), options, clock, connection: ArcSwapOption::empty() })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Reads an object; nothing when there is none. Blocks, also inside an async runtime.
    pub(crate) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.block_on(async |store| Ok(store.get(key).await?.map(Into::into)))
    }

    /// Reads the entry of a sequence that has the highest number; nothing when there is none. `after` is one that exists.
    pub(crate) fn latest(&self, folder: &str, after: Option<u64>) -> Result<Option<(u64, Vec<u8>)>, Error> {
        self.block_on(async |store| {
            let sequence = Sequence::new(store, folder)?;
            let found = match after {
                Some(after) => Some(sequence.latest_from(after).await?),
                None => sequence.latest().await?,
            };
            Ok(found.map(|(number, bytes)| (number, bytes.into())))
        })
    }

    fn block_on<T: Send>(&self, work: impl AsyncFnOnce(&Store) -> Result<T, StoreError> + Send) -> Result<T, Error> {
        if Handle::try_current().is_err() {
            return self.block_on_this_thread(work);
        }
        // A runtime refuses to be entered twice on one thread, so another thread does it.
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| self.block_on_this_thread(work));
            reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn block_on_this_thread<T>(&self, work: impl AsyncFnOnce(&Store) -> Result<T, StoreError>) -> Result<T, Error> {
        let connection = self.connect()?;
        let runtime = connection.runtime.as_ref().expect("only a connection that is dropped has none");
        let result = runtime.block_on(work(&connection.store)).map_err(|error| self.unavailable(error));
        connection.used.store(self.now(), Ordering::Relaxed);
        result
    }

    /// Returns the connection of this process. Of several threads that open one at the same time, each uses its own first.
    fn connect(&self) -> Result<Arc<Connection>, Error> {
        let (process, now) = (std::process::id(), self.now());
        let current = self.connection.load_full();
        if let Some(connection) = &current {
            let idle = now.saturating_sub(connection.used.load(Ordering::Relaxed));
            if connection.process == process && u128::try_from(idle).is_ok_and(|idle| idle < MAX_IDLE.as_millis()) {
                return Ok(Arc::clone(connection));
            }
        }
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| self.unavailable(error))?;
        let store = Store::open(&self.url, &self.options).map_err(|error: StoreError| self.unavailable(error))?;
        let connection = Arc::new(Connection { process, used: AtomicI64::new(now), runtime: Some(runtime), store });
        self.connection.store(Some(Arc::clone(&connection)));
        Ok(connection)
    }

    fn now(&self) -> i64 {
        (self.clock)().timestamp_millis()
    }

    fn unavailable(&self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::Unavailable { place: self.url.clone(), source: error.into() }
    }
}

impl Drop for Connection {
    /// Ends the runtime without waiting, since a runtime must not be waited for inside another.
    fn drop(&mut self) {
        let Some(runtime) = self.runtime.take() else { return };
        if self.process == std::process::id() {
            runtime.shutdown_background();
        } else {
            // Dropping it would shut down sockets that the parent still uses; so would dropping the store, which is cheap to keep.
            std::mem::forget(runtime);
            std::mem::forget(self.store.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        Arc::new(|| chrono::DateTime::UNIX_EPOCH)
    }

    #[test]
    fn answers_inside_and_outside_of_a_runtime() {
        let store = RemoteStore::new("memory://", StoreOptions::default(), clock()).unwrap();
        assert_eq!(store.get("format.json").unwrap(), None);
        let runtime = Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(async { store.get("format.json") }).unwrap(), None);
        runtime.block_on(async { drop(store) });
    }

    #[test]
    fn refuses_a_url_that_names_no_store() {
        let error = RemoteStore::new("ftp://host", StoreOptions::default(), clock()).unwrap_err();
        assert_eq!(error.code(), "invalid-setting");
        assert!(error.full_message().contains("unknown scheme"), "{}", error.full_message());
    }
}
