//! The loader: one source, one cache, one place to record.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use chrono::{DateTime, Utc};
use promptops_prompt::PromptId;
use promptops_prompt::lock::LockedPrompt;
use promptops_prompt::rollout::Arm;

use crate::call::Recorder;
use crate::end;
use crate::environment::settings_from_env;
use crate::error::Error;
use crate::follow::{Age, Flight, Follower, FoundRelease, Freshness, Known, NEVER, PATIENCE};
use crate::kept::{Ask, Entry, Kept, KeptPrompts, Slot};
use crate::prompt::Prompt;
use crate::settings::Settings;
use crate::sink::open_sinks;
use crate::source::{Followed, Source};
use crate::warning::{Warning, Warnings};

/// Loads prompts from one source and keeps them.
///
/// Make one for the life of the process and share it: it is safe to use from any thread, and in the children of a `fork`. A prompt
/// is read, verified and compiled on its first load; after that a load is a look-up. What a lock pins does not change while the
/// loader lives. A prompt from a folder of files is read again when its file, or that of an include, has changed.
///
/// Of a followed environment what is pinned changes with its releases. The first load after [`Settings::refresh`] has the registry
/// asked, on a thread that ends with that, and takes what is known; what was loaded is loaded anew before the next release
/// takes its place, so that it takes it for all prompts at once and costs no load anything. When the registry does not answer, or a
/// release cannot be used, the last one that could is used on.
///
/// Everything here blocks. The network is used only for a remote registry, and only for what is not in the cache on disk, and for
/// what is live in a followed environment.
pub struct Loader {
    inner: Arc<Inner>,
}

/// A release that says what is pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Release {
    /// The environment.
    pub environment: String,
    /// The number of the release.
    pub sequence: u64,
    /// When it was last seen to be the latest, UTC; none where the environment is not followed, or was not seen yet.
    pub checked: Option<DateTime<Utc>>,
}

/// What a loader shares with the thread of a refresh.
struct Inner {
    /// None only before a followed environment was seen for the first time.
    state: ArcSwapOption<State>,
    follower: Option<Follower>,
    strict: bool,
    recorder: Arc<Recorder>,
    warnings: Arc<Warnings>,
}

/// A source, and what was loaded from it. A followed environment has another for each release.
struct State {
    source: Source,
    kept: KeptPrompts,
    /// The release, where an environment is followed.
    known: Option<Known>,
}

impl State {
    fn new(source: Source, known: Option<Known>) -> Arc<Self> {
        Arc::new(Self { source, kept: KeptPrompts::new(), known })
    }
}

impl std::fmt::Debug for Loader {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.inner.state.load();
        out.debug_struct("Loader").field("source", &state.as_ref().map(|state| &state.source)).finish_non_exhaustive()
    }
}

impl Loader {
    /// Opens the source that `settings` name. Reads the lock or the bundle's index, and no prompt yet; of a followed environment
    /// the last release that is known on this machine. Makes no call.
    ///
    /// # Errors
    /// [`Error::NoSource`] when none is set, [`Error::Setting`] when lock, bundle, registry URL or environment cannot be used.
    pub fn from_settings(settings: &Settings) -> Result<Self, Error> {
        let warnings = Arc::new(Warnings::new(Arc::clone(&settings.warn)));
        let (state, follower) = match &settings.follow {
            Some(environment) => {
                let (state, follower) = open_followed(settings, environment, &warnings)?;
                (state, Some(follower))
            }
            None => (Some(State::new(Source::open(settings)?, None)), None),
        };
        let released = state.as_ref().and_then(|state| state.source.release()).map(|(environment, _)| environment.to_owned());
        let recorder = Recorder {
            sinks: open_sinks(settings, &warnings),
            environment: settings.environment.clone().or_else(|| settings.follow.clone()).or(released),
            service: settings.service.clone(),
            runtime: settings.runtime.clone(),
            clock: Arc::clone(&settings.clock),
            warnings: Arc::clone(&warnings),
            failures: AtomicU64::new(0),
            flush_limit: settings.flush_limit,
        };
        let recorder = Arc::new(recorder);
        end::remember(&recorder);
        let (state, strict) = (ArcSwapOption::from(state), settings.is_strict());
        Ok(Self { inner: Arc::new(Inner { state, follower, strict, recorder, warnings }) })
    }

    /// Opens the source that the environment names, see [`settings_from_env`].
    ///
    /// # Errors
    /// As [`Loader::from_settings`].
    pub fn from_env() -> Result<Self, Error> {
        Self::from_settings(&settings_from_env())
    }

    /// Loads a prompt: the pinned version, or the one that is named. [`Settings`] says which versions may load.
    ///
    /// While a rollout of the prompt is under way, its control is loaded; see [`Loader::load_for`].
    ///
    /// # Errors
    /// See [`Error`]. A failure is not kept: the next call tries again.
    pub fn load(&self, id: &str, version: Option<u32>) -> Result<Arc<Prompt>, Error> {
        self.inner.load(id, version.map_or(Ask::Pinned, Ask::Version))
    }

    /// Loads the pinned version of a prompt; while a rollout of it is under way, the version of the side that `key` is on.
    ///
    /// The key says who must always get the same, as the id of a user or a session. It is hashed with the id and the candidate's
    /// version, see `docs/reference/rollouts.md`, and neither kept nor recorded. An empty key is none.
    ///
    /// # Errors
    /// As [`Loader::load`].
    pub fn load_for(&self, id: &str, key: &str) -> Result<Arc<Prompt>, Error> {
        self.inner.load(id, Ask::Key(key))
    }

    /// Returns a prompt that was loaded before, if it is still current. Never blocks on a disk or the network, except
    /// for looking at the time of the file when prompts come from a folder.
    pub fn kept(&self, id: &str, version: Option<u32>) -> Option<Arc<Prompt>> {
        self.inner.kept(id, version.map_or(Ask::Pinned, Ask::Version))
    }

    /// Returns what [`Loader::load_for`] would, if it was loaded before, as [`Loader::kept`] does.
    pub fn kept_for(&self, id: &str, key: &str) -> Option<Arc<Prompt>> {
        self.inner.kept(id, Ask::Key(key))
    }

    /// Returns the release that says what is pinned: that of the lock or bundle, or the one of a followed environment that is used.
    pub fn release(&self) -> Option<Release> {
        let state = self.inner.state.load();
        let state = state.as_ref()?;
        let (environment, sequence) = state.source.release()?;
        let checked = state.known.as_ref().map_or(NEVER, |known| known.checked.load(Ordering::Relaxed));
        Some(Release { environment: environment.to_owned(), sequence, checked: DateTime::from_timestamp_millis(checked) })
    }

    /// Asks the registry for the next release of a followed environment, now, and waits for it. Says whether what is used changed.
    /// Without a followed environment it does nothing.
    ///
    /// # Errors
    /// As [`Loader::load`]; what was known is then used on.
    pub fn refresh(&self) -> Result<bool, Error> {
        match &self.inner.follower {
            Some(follower) => self.inner.refresh(follower),
            None => Ok(false),
        }
    }

    /// Has every record that was taken delivered, and waits for that, but no longer than [`Settings::flush_limit`] for each sink.
    pub fn flush(&self) {
        for sink in &self.inner.recorder.sinks {
            sink.flush();
        }
    }

    /// Returns how many invocations could not be recorded.
    pub fn dropped(&self) -> u64 {
        self.inner.recorder.dropped()
    }
}

impl Inner {
    fn kept(self: &Arc<Self>, id: &str, ask: Ask<'_>) -> Option<Arc<Prompt>> {
        let state = self.state.load();
        let state = state.as_ref()?;
        if let (Some(follower), Some(known)) = (&self.follower, &state.known) {
            match follower.age(known) {
                Age::Fresh => {}
                Age::Due => drop(self.refresh_in_background(follower)),
                // The load that follows waits, or says why it cannot be served.
                Age::Stale | Age::Refused => return None,
            }
        }
        let prompt = state.kept.get(id, ask)?;
        self.warn_of_missing_key(&prompt);
        Some(prompt)
    }

    /// Says that a key is missing, once for each prompt.
    fn warn_of_missing_key(&self, prompt: &Prompt) {
        if prompt.arm() == Some(Arm::Unkeyed) {
            self.warnings.say(Warning::Unkeyed(prompt.id().to_owned()));
        }
    }

    fn load(self: &Arc<Self>, id: &str, ask: Ask<'_>) -> Result<Arc<Prompt>, Error> {
        if let Some(prompt) = self.kept(id, ask) {
            return Ok(prompt);
        }
        let prompt_id: PromptId = id.parse()?;
        let state = self.current()?;
        // After waiting for a release it may be there.
        let prompt = match state.kept.get(id, ask) {
            Some(prompt) => prompt,
            None => self.load_from(&state, &prompt_id, ask)?,
        };
        self.warn_of_missing_key(&prompt);
        Ok(prompt)
    }

    /// Loads what is not kept yet, and keeps it.
    fn load_from(&self, state: &State, id: &PromptId, ask: Ask<'_>) -> Result<Arc<Prompt>, Error> {
        let mut loaded = state.source.load(id, ask, &self.warnings)?;
        let (files, rollout) = (std::mem::take(&mut loaded.files).into(), loaded.rollout.take());
        let prompt = Arc::new(Prompt::new(loaded, Arc::clone(&self.recorder))?);
        Ok(state.kept.keep(id, ask, rollout.as_ref(), &Kept { prompt, files }))
    }

    /// Returns what is to be loaded from, after waiting for the registry where that has to be.
    fn current(self: &Arc<Self>) -> Result<Arc<State>, Error> {
        let Some(follower) = &self.follower else {
            return Ok(self.state.load_full().expect("only a followed environment begins without a state"));
        };
        let Some(state) = self.state.load_full() else {
            // Nothing is known: there is nothing to serve meanwhile, so whoever asks, waits.
            self.refresh(follower)?;
            return Ok(self.state.load_full().expect("a refresh that went well leaves a state"));
        };
        let Some(known) = &state.known else { return Ok(state) };
        match follower.age(known) {
            Age::Fresh | Age::Due => return Ok(state),
            Age::Refused => return Err(stale(follower, known, "it was tried a moment ago")),
            Age::Stale => {}
        }
        let reason = match self.refresh_in_background(follower).wait(PATIENCE) {
            Some(Ok(())) => None,
            Some(Err(reason)) => Some(reason),
            None => Some(format!("no answer within {} seconds", PATIENCE.as_secs())),
        };
        match reason {
            None => Ok(self.state.load_full().unwrap_or(state)),
            Some(reason) => {
                // What takes too long has not failed yet, and nobody else shall wait for it.
                follower.failed(known.sequence, &reason);
                if follower.freshness.refuse_stale { Err(stale(follower, known, &reason)) } else { Ok(state) }
            }
        }
    }

    /// Has a thread ask the registry, unless one does already.
    fn refresh_in_background(self: &Arc<Self>, follower: &Follower) -> Arc<Flight> {
        follower.join(|flight| {
            let (inner, landing) = (Arc::clone(self), Arc::clone(&flight));
            let refresh = move || {
                let outcome = match &inner.follower {
                    Some(follower) => inner.refresh(follower).map(drop),
                    None => Ok(()),
                };
                landing.land(outcome.map_err(|error| error.full_message()));
            };
            if let Err(error) = std::thread::Builder::new().name("promptops-refresh".to_owned()).spawn(refresh) {
                let reason = format!("no thread could be started: {error}");
                if let Some(known) = self.state.load().as_ref().and_then(|state| state.known.as_ref()) {
                    follower.failed(known.sequence, &reason);
                }
                flight.land(Err(reason));
            }
        })
    }

    /// Asks the registry, and puts a later release in the place of the one that is used. Says whether it did.
    fn refresh(&self, follower: &Follower) -> Result<bool, Error> {
        let current = self.state.load_full();
        let known = current.as_ref().and_then(|state| state.known.as_ref());
        // What is found is as old as the question.
        let asked = (follower.clock)();
        let moved = self.move_on(follower, current.as_ref(), known, asked);
        match (&moved, known) {
            (Ok(_), _) => follower.succeeded(),
            (Err(error), Some(known)) => follower.failed(known.sequence, &error.full_message()),
            (Err(_), None) => {}
        }
        moved
    }

    fn move_on(
        &self,
        follower: &Follower,
        current: Option<&Arc<State>>,
        known: Option<&Known>,
        asked: DateTime<Utc>,
    ) -> Result<bool, Error> {
        let Some(FoundRelease { record, text, digest }) = follower.find(known)? else {
            if let Some(known) = known {
                // Also when that is earlier than what stands there: the clock was set back, and counts from here.
                known.checked.store(asked.timestamp_millis(), Ordering::Relaxed);
                follower.confirm(known, asked);
            }
            return Ok(false);
        };
        let sequence = record.sequence;
        let next = Known { sequence, digest: Some(digest), checked: AtomicI64::new(asked.timestamp_millis()) };
        let next = State::new(Source::of_release(&follower.objects, record, self.strict), Some(next));
        for entry in current.map(|state| state.kept.entries()).unwrap_or_default() {
            self.carry_over(&entry, current.map(|state| &state.source), &next)?;
        }
        follower.keep(sequence, &text, asked);
        // Of two refreshes the one that found the later release counts, whichever ends first.
        let before = self.state.rcu(|there| match there {
            Some(there) if there.known.as_ref().is_some_and(|known| known.sequence >= sequence) => Some(Arc::clone(there)),
            _ => Some(Arc::clone(&next)),
        });
        Ok(before.as_ref().and_then(|state| state.known.as_ref()).is_none_or(|known| known.sequence < sequence))
    }

    /// Loads what is kept of an id from the next release, so that no load waits for that.
    fn carry_over(&self, entry: &Entry, from: Option<&Source>, next: &Arc<State>) -> Result<(), Error> {
        let pin = |source: &Source| match source {
            Source::Published(published) => published.pin(&entry.id, &self.warnings),
            Source::Folder(_) => Ok(None),
        };
        let (before, after) = (from.map(pin).transpose()?.flatten(), pin(&next.source)?);
        if before == after {
            next.kept.keep_entry(entry.clone());
            return Ok(());
        }
        // A version that was loaded by its number is what it was, whether it is pinned on or not.
        let by_number = entry.slots.iter().filter(|(slot, _)| matches!(slot, Slot::Version(_))).cloned().collect();
        let rollout = after.as_ref().and_then(|pin| pin.rollout.clone());
        next.kept.keep_entry(Entry { id: entry.id.clone(), rollout, slots: by_number });
        if after.is_none() || entry.slots.iter().all(|(slot, _)| matches!(slot, Slot::Version(_))) {
            return Ok(());
        }
        // Whoever loads with a key may be on either side, and what is kept does not tell who does.
        let asks: &[Ask<'_>] = match &after {
            Some(LockedPrompt { rollout: Some(_), .. }) => &[Ask::Pinned, Ask::Arm(Arm::Control), Ask::Arm(Arm::Candidate)],
            _ => &[Ask::Pinned],
        };
        for ask in asks {
            self.load_from(next, &entry.id, *ask)?;
        }
        Ok(())
    }
}

fn stale(follower: &Follower, known: &Known, reason: &str) -> Error {
    Error::Stale {
        environment: follower.environment.clone(),
        release: known.sequence,
        checked: DateTime::from_timestamp_millis(known.checked.load(Ordering::Relaxed)),
        reason: reason.to_owned(),
    }
}

/// Opens a followed environment: with the later of the release that is locked and the last one that is known on this machine.
fn open_followed(
    settings: &Settings,
    environment: &str,
    warnings: &Arc<Warnings>,
) -> Result<(Option<Arc<State>>, Follower), Error> {
    let Followed { objects, last_good, locked } = Followed::open(settings, environment)?;
    let kept = last_good.as_ref().and_then(|file| file.read());
    let kept = kept.filter(|kept| locked.as_ref().is_none_or(|locked| kept.release.sequence >= locked.sequence));
    let state = match (kept, locked) {
        (Some(kept), _) => {
            let checked = AtomicI64::new(kept.checked.timestamp_millis());
            let known = Known { sequence: kept.release.sequence, digest: Some(kept.digest), checked };
            let source = Source::of_release(&objects, kept.release, settings.is_strict());
            Some(State::new(source, Some(known)))
        }
        (None, Some(locked)) => {
            let known = Known { sequence: locked.sequence, digest: locked.digest, checked: AtomicI64::new(NEVER) };
            Some(State::new(locked.source, Some(known)))
        }
        (None, None) => None,
    };
    let freshness = Freshness {
        refresh: settings.refresh,
        // What is not asked for yet is not too old.
        max_stale: settings.max_stale.max(settings.refresh),
        refuse_stale: settings.refuse_stale,
    };
    let clock = Arc::clone(&settings.clock);
    let follower = Follower::new(environment.to_owned(), objects, freshness, last_good, clock, Arc::clone(warnings));
    Ok((state, follower))
}
