//! What is pinned now: the release that is live in an environment, looked for again and again, or a lock that never moves.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use futures::{StreamExt as _, TryStreamExt as _};
use promptops_prompt::lock::LockedPrompt;
use promptops_prompt::{Digest, Lock, PromptId};
use promptops_registry::{EnvironmentName, Registry, RegistryError};
use tokio::sync::watch;

use super::objects::Objects;
use super::pinned_prompt::PinnedPrompt;

/// How long a look may take once something was seen: a registry that does not answer must not hold agents up.
const LOOK_TIME: Duration = Duration::from_secs(2);
/// Prompts read at the same time.
const CONCURRENT_READS: usize = 16;

/// The pins that are live.
#[derive(Debug, Default)]
pub(crate) struct Live {
    /// The number of the release; nothing before the first, or where the pins are of no release.
    pub(crate) release: Option<u64>,
    pub(crate) pins: BTreeMap<PromptId, LockedPrompt>,
}

/// Pins that may move, and the prompts that they name.
pub(crate) struct Followed {
    environment: Option<String>,
    objects: Objects,
    moving: Option<Moving>,
    /// What was seen last, which changes when the pins do.
    seen: watch::Sender<Arc<Live>>,
    /// By the digest of the version record.
    prompts: Mutex<HashMap<Digest, Arc<PinnedPrompt>>>,
}

/// How the pins of an environment are looked for.
struct Moving {
    registry: Registry,
    environment: EnvironmentName,
    poll: Duration,
    looked: tokio::sync::Mutex<Looked>,
}

/// Why a look saw nothing.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Registry(RegistryError),
    #[error("the registry did not answer in {} seconds", LOOK_TIME.as_secs())]
    TooSlow,
}

/// The last look.
#[derive(Default)]
struct Looked {
    /// When it was; nothing before the first that succeeded.
    at: Option<Instant>,
    is_failing: bool,
}

impl Followed {
    /// Follows the releases of an environment.
    pub(crate) fn environment(registry: Registry, environment: EnvironmentName, poll: Duration) -> Arc<Self> {
        let moving = Moving { registry: registry.clone(), environment: environment.clone(), poll, looked: Default::default() };
        let followed =
            Self::new(Some(environment.to_string()), Objects::Registry(Box::new(registry)), Some(moving), Live::default());
        tokio::spawn(look_on(Arc::downgrade(&followed), poll));
        followed
    }

    /// Holds what a lock pins.
    pub(crate) fn fixed(lock: Lock, objects: Objects) -> Arc<Self> {
        let release = lock.release;
        let live = Live { release: release.as_ref().map(|release| release.sequence), pins: lock.prompts };
        Self::new(release.map(|release| release.environment), objects, None, live)
    }

    fn new(environment: Option<String>, objects: Objects, moving: Option<Moving>, live: Live) -> Arc<Self> {
        let (seen, _) = watch::channel(Arc::new(live));
        Arc::new(Self { environment, objects, moving, seen, prompts: Mutex::default() })
    }

    /// Returns the environment that the pins are of, if they are of one.
    pub(crate) fn environment_name(&self) -> Option<&str> {
        self.environment.as_deref()
    }

    /// Returns what tells of every change of the pins. While somebody has it, the environment is looked at.
    pub(crate) fn changes(&self) -> watch::Receiver<Arc<Live>> {
        self.seen.subscribe()
    }

    /// Returns where the objects come from.
    pub(crate) fn objects(&self) -> &Objects {
        &self.objects
    }

    /// Returns what is live, as it was seen no longer ago than the environment is looked at. When the registry does not
    /// answer, what was seen before stays.
    ///
    /// # Errors
    /// As the registry fails, as long as nothing was ever seen.
    pub(crate) async fn live(&self) -> Result<Arc<Live>, RegistryError> {
        if let Some(moving) = &self.moving {
            self.look(moving, moving.poll).await?;
        }
        Ok(Arc::clone(&self.seen.borrow()))
    }

    /// Looks, unless the last look is younger than `age`, or one is under way and something was seen before.
    async fn look(&self, moving: &Moving, age: Duration) -> Result<(), RegistryError> {
        let mut looked = match moving.looked.try_lock() {
            Ok(looked) => looked,
            Err(_) if self.seen.borrow().release.is_some() => return Ok(()),
            Err(_) => moving.looked.lock().await,
        };
        if looked.at.is_some_and(|at| at.elapsed() < age) {
            return Ok(());
        }
        let found = match looked.at {
            None => self.find(moving).await.map_err(LookError::Registry),
            Some(_) => match tokio::time::timeout(LOOK_TIME, self.find(moving)).await {
                Ok(found) => found.map_err(LookError::Registry),
                Err(_) => Err(LookError::TooSlow),
            },
        };
        match found {
            Ok(found) => {
                *looked = Looked { at: Some(Instant::now()), is_failing: false };
                if let Some(live) = found {
                    self.keep_only(&live);
                    // A release that pins what the one before did is no change of the list.
                    self.seen.send_if_modified(|seen| {
                        let has_moved = seen.pins != live.pins;
                        *seen = Arc::new(live);
                        has_moved
                    });
                }
                Ok(())
            }
            Err(LookError::Registry(error)) if looked.at.is_none() => Err(error),
            Err(error) => {
                if !looked.is_failing {
                    tracing::warn!(environment = %moving.environment, %error, "cannot look for a deploy; what was live stays");
                }
                *looked = Looked { at: Some(Instant::now()), is_failing: true };
                Ok(())
            }
        }
    }

    /// Returns the pins that are live, unless they are those that were seen before.
    async fn find(&self, moving: &Moving) -> Result<Option<Live>, RegistryError> {
        let Some(release) = moving.registry.current(&moving.environment).await? else { return Ok(None) };
        if self.seen.borrow().release == Some(release.sequence) {
            return Ok(None);
        }
        let pins = moving.registry.pins(&release).await?.prompts;
        tracing::info!(environment = %moving.environment, release = release.sequence, "a release is live");
        Ok(Some(Live { release: Some(release.sequence), pins }))
    }

    /// Forgets the prompts that are pinned no more.
    fn keep_only(&self, live: &Live) {
        let pinned: HashSet<Digest> = live.pins.values().map(|pin| pin.record).collect();
        self.prompts.lock().unwrap_or_else(PoisonError::into_inner).retain(|record, _| pinned.contains(record));
    }

    /// Returns a pinned prompt with all that it includes: read and verified at most once while it is pinned.
    ///
    /// # Errors
    /// As [`Objects::read`].
    pub(crate) async fn prompt(&self, id: &PromptId, pin: &LockedPrompt) -> Result<Arc<PinnedPrompt>, RegistryError> {
        let known = self.prompts.lock().unwrap_or_else(PoisonError::into_inner).get(&pin.record).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let (record, closure) = self.objects.read(&id.at(pin.version), pin).await?;
        let prompt = Arc::new(PinnedPrompt::new(record, closure));
        let mut prompts = self.prompts.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(prompts.entry(pin.record).or_insert(prompt)))
    }

    /// Returns several of the pinned prompts, in their order. One that cannot be read is left out, and logged: the others must
    /// not suffer for it.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn prompts<'a>(
        &self,
        pins: impl Iterator<Item = (&'a PromptId, &'a LockedPrompt)>,
    ) -> Result<Vec<Arc<PinnedPrompt>>, RegistryError> {
        // Made before they are awaited: a stream that makes them from borrowed pins could not be sent to another thread.
        let reads: Vec<_> = pins.map(|(id, pin)| self.readable_prompt(id.clone(), pin.clone())).collect();
        let read: Vec<_> = futures::stream::iter(reads).buffered(CONCURRENT_READS).try_collect().await?;
        Ok(read.into_iter().flatten().collect())
    }

    async fn readable_prompt(&self, id: PromptId, pin: LockedPrompt) -> Result<Option<Arc<PinnedPrompt>>, RegistryError> {
        match self.prompt(&id, &pin).await {
            Ok(prompt) => Ok(Some(prompt)),
            Err(error @ RegistryError::Corrupt { .. }) => {
                tracing::error!(prompt = %id.at(pin.version), %error, "a pinned prompt is left out");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Looks at an environment for as long as it is followed, while somebody waits for changes.
async fn look_on(followed: Weak<Followed>, poll: Duration) {
    loop {
        tokio::time::sleep(poll).await;
        let Some(followed) = followed.upgrade() else { return };
        if let Some(moving) = followed.moving.as_ref().filter(|_| followed.seen.receiver_count() > 0)
            && let Err(error) = followed.look(moving, Duration::ZERO).await
        {
            tracing::warn!(environment = %moving.environment, %error, "cannot look for a deploy");
        }
    }
}
