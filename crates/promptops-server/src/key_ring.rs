//! The API keys as a server knows them: a key itself never changes, whether it was revoked is asked again and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use promptops_registry::keys::{ApiKey, KeyId, Token};
use promptops_registry::{Registry, RegistryError};
use quick_cache::sync::Cache;
use tokio::sync::Mutex;

use crate::refusal::Refusal;

/// The part of the time that what is known holds, after which a key in use is asked about again while the old answer still
/// serves.
const REFRESH_AFTER: f64 = 0.4;
/// Keys that are known at the same time, including ids that are none.
const MAX_KEYS: usize = 10_000;

/// What is known of one id.
struct Held {
    key: Option<Arc<ApiKey>>,
    is_revoked: AtomicBool,
    /// When this was last asked, in milliseconds since the ring was made.
    asked_ms: AtomicU64,
    /// Held by the one who asks again.
    asking: Mutex<()>,
}

/// Every key that was used lately.
pub(crate) struct KeyRing {
    registry: Registry,
    hold: Duration,
    made: Instant,
    keys: Cache<KeyId, Arc<Held>>,
}

impl KeyRing {
    /// Keeps what is known of a key for `hold`.
    pub(crate) fn new(registry: Registry, hold: Duration) -> Self {
        Self { registry, hold, made: Instant::now(), keys: Cache::new(MAX_KEYS) }
    }

    /// Returns the key of a token, or refuses one that does not count.
    ///
    /// When the store does not answer, what was known before does not count any more: the key may have been revoked.
    pub(crate) async fn key(self: &Arc<Self>, token: &Token, now: DateTime<Utc>) -> Result<Arc<ApiKey>, Refusal> {
        let held = self.held(token.id()).await?;
        let Some(key) = held.key.as_ref().filter(|key| key.matches(token)) else {
            tracing::warn!(key = %token.id(), "a key that is not known, or a wrong secret");
            return Err(Refusal::unauthenticated("the API key is not known"));
        };
        if held.is_revoked.load(Ordering::Acquire) {
            tracing::warn!(key = %key.id, name = key.name, "a revoked key");
            return Err(Refusal::unauthenticated("the API key was revoked"));
        }
        if now >= key.expires {
            tracing::warn!(key = %key.id, name = key.name, "an expired key");
            return Err(Refusal::unauthenticated("the API key has expired"));
        }
        Ok(Arc::clone(key))
    }

    /// Tells whether an id was asked about lately, so that asking costs nothing.
    pub(crate) fn is_known(&self, id: &KeyId) -> bool {
        self.keys.peek(id).is_some()
    }

    async fn held(self: &Arc<Self>, id: &KeyId) -> Result<Arc<Held>, RegistryError> {
        let Some(held) = self.keys.get(id) else {
            return self.keys.get_or_insert_async(id, self.read(id)).await;
        };
        let age = self.age(&held);
        if age >= self.hold {
            let _asking = held.asking.lock().await;
            // Somebody else may have asked while this waited.
            if self.age(&held) < self.hold {
                return Ok(self.keys.get(id).unwrap_or_else(|| Arc::clone(&held)));
            }
            return self.ask_again(id, &held).await;
        }
        if age >= self.hold.mul_f64(REFRESH_AFTER) && held.asking.try_lock().is_ok() {
            let (ring, id, held) = (Arc::clone(self), id.clone(), Arc::clone(&held));
            tokio::spawn(async move {
                let Ok(_asking) = held.asking.try_lock() else { return };
                if let Err(error) = ring.ask_again(&id, &held).await {
                    tracing::warn!(key = %id, %error, "cannot tell whether a key was revoked");
                }
            });
        }
        Ok(held)
    }

    /// Asks what can have changed: of a key whether it was revoked, of an id that was none whether it is one now.
    async fn ask_again(&self, id: &KeyId, held: &Arc<Held>) -> Result<Arc<Held>, RegistryError> {
        if held.key.is_none() {
            let read = self.read(id).await?;
            self.keys.insert(id.clone(), Arc::clone(&read));
            return Ok(read);
        }
        // What was revoked stays so.
        if !held.is_revoked.load(Ordering::Acquire) {
            let asked_ms = self.now_ms();
            let is_revoked = self.registry.revocation(id).await?.is_some();
            held.is_revoked.store(is_revoked, Ordering::Release);
            held.asked_ms.store(asked_ms, Ordering::Release);
        } else {
            held.asked_ms.store(self.now_ms(), Ordering::Release);
        }
        Ok(Arc::clone(held))
    }

    async fn read(&self, id: &KeyId) -> Result<Arc<Held>, RegistryError> {
        let asked_ms = self.now_ms();
        let key = self.registry.key(id).await?.map(Arc::new);
        let is_revoked = key.is_some() && self.registry.revocation(id).await?.is_some();
        Ok(Arc::new(Held { key, is_revoked: is_revoked.into(), asked_ms: asked_ms.into(), asking: Mutex::new(()) }))
    }

    fn age(&self, held: &Held) -> Duration {
        Duration::from_millis(self.now_ms().saturating_sub(held.asked_ms.load(Ordering::Acquire)))
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.made.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
