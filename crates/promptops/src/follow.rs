//! Following an environment: how old what is served may be, and who asks the registry for what is newer.
//!
//! Age is judged by the wall clock. Other clocks stand still while a process is frozen, as between two invocations of a Lambda
//! function, and what they call a second old may be a day old.
//!
//! **Invariants.** No thread exists before a refresh is due, and none outlives its refresh. A flight belongs to the process that
//! began it: the child of a `fork`, in which its thread does not exist, begins its own.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use chrono::{DateTime, Utc};
use promptops_prompt::Digest;

use crate::error::{Error, FOLLOWED};
use crate::last_good::LastGoodFile;
use crate::release_record::{ReleaseRecordV1, release_key};
use crate::settings::Clock;
use crate::source::Objects;
use crate::warning::{Warning, Warnings};

/// How long a load waits for a registry when what it has is older than it may be.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// How long a failed refresh keeps the next from being tried, at most.
const RETRY: Duration = Duration::from_secs(10);
/// After this long, by the wall clock, a flight counts as lost: its thread was frozen or its connection is dead.
const LOST: Duration = Duration::from_secs(60);
/// Of what was never seen to be the latest.
pub(crate) const NEVER: i64 = i64::MIN;

/// How old what is served may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Freshness {
    pub(crate) refresh: Duration,
    pub(crate) max_stale: Duration,
    pub(crate) refuse_stale: bool,
}

/// What is known of a release that is served.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) sequence: u64,
    /// The digest of its record, where that is known.
    pub(crate) digest: Option<Digest>,
    /// When it was last seen to be the latest, milliseconds since 1970 or [`NEVER`].
    pub(crate) checked: AtomicI64,
}

/// What a load has to do first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    /// Nothing.
    Fresh,
    /// Have the registry asked, without waiting.
    Due,
    /// Have the registry asked, and wait for it.
    Stale,
    /// Fail: it is older than it may be, and the registry was just asked in vain.
    Refused,
}

/// Follows one environment of one registry.
pub(crate) struct Follower {
    pub(crate) environment: String,
    pub(crate) objects: Arc<Objects>,
    pub(crate) freshness: Freshness,
    pub(crate) last_good: Option<LastGoodFile>,
    pub(crate) clock: Clock,
    pub(crate) warnings: Arc<Warnings>,
    /// When a refresh last failed, milliseconds since 1970 or [`NEVER`].
    failed: AtomicI64,
    flight: ArcSwapOption<Flight>,
}

/// A refresh that is under way or over.
pub(crate) struct Flight {
    process: u32,
    started: i64,
    is_over: AtomicBool,
    outcome: Mutex<Option<Result<(), String>>>,
    landed: Condvar,
}

/// A release that was found, with its bytes.
pub(crate) struct FoundRelease {
    pub(crate) record: ReleaseRecordV1,
    pub(crate) text: String,
    pub(crate) digest: Digest,
}

impl Follower {
    pub(crate) fn new(
        environment: String,
        objects: Arc<Objects>,
        freshness: Freshness,
        last_good: Option<LastGoodFile>,
        clock: Clock,
        warnings: Arc<Warnings>,
    ) -> Self {
        let (failed, flight) = (AtomicI64::new(NEVER), ArcSwapOption::empty());
        Self { environment, objects, freshness, last_good, clock, warnings, failed, flight }
    }

    /// Says what a load has to do before it takes what is known. Costs a look at the clock.
    pub(crate) fn age(&self, known: &Known) -> Age {
        let Freshness { refresh, max_stale, refuse_stale } = self.freshness;
        let now = self.now();
        let age = now.saturating_sub(known.checked.load(Ordering::Relaxed));
        if is_within(age, refresh) {
            return Age::Fresh;
        }
        // A clock that was set back says nothing of the age, so nobody has to wait for that.
        let is_stale = age >= 0 && !is_within(age, max_stale);
        let since_failure = now.saturating_sub(self.failed.load(Ordering::Relaxed));
        if is_within(since_failure, refresh.min(RETRY)) {
            return if is_stale && refuse_stale { Age::Refused } else { Age::Fresh };
        }
        // One load waits when an outage is noticed, and none after it while it lasts: it may hang, and what is known is served.
        let is_outage = is_within(since_failure, max_stale);
        if is_stale && (refuse_stale || !is_outage) { Age::Stale } else { Age::Due }
    }

    /// Asks the registry for a release that is later than what is known; nothing when there is none.
    ///
    /// Two calls when there is none: whether the next exists, and whether the one that is known is still what it was. A registry
    /// that has lost or changed that is not believed.
    pub(crate) fn find(&self, known: Option<&Known>) -> Result<Option<FoundRelease>, Error> {
        let (environment, place) = (&self.environment, || self.objects.place());
        let mut after = None;
        if let Some(known) = known {
            let next = known.sequence + 1;
            if self.objects.get(&release_key(environment, next))?.is_none() {
                let key = release_key(environment, known.sequence);
                let bytes = self.objects.required(&key)?;
                let found = Digest::of(&bytes);
                return match known.digest {
                    Some(expected) if expected != found => {
                        Err(Error::Integrity { place: format!("`{key}` in {}", place()), expected, found })
                    }
                    _ => Ok(None),
                };
            }
            after = Some(next);
        }
        let Some((sequence, bytes)) = self.objects.latest(&format!("environments/{environment}"), after)? else {
            let source = format!("nothing was released to it in {}", place()).into();
            return Err(Error::Setting { setting: FOLLOWED, place: environment.clone(), source });
        };
        let corrupt = |source: Box<dyn std::error::Error + Send + Sync>| Error::Corrupt {
            place: format!("`{}` in {}", release_key(environment, sequence), place()),
            source,
        };
        let record = ReleaseRecordV1::read(&bytes, environment, sequence).map_err(|error| corrupt(error.into()))?;
        let digest = Digest::of(&bytes);
        let text = String::from_utf8(bytes).map_err(|error| corrupt(error.into()))?;
        Ok(Some(FoundRelease { record, text, digest }))
    }

    /// Keeps on disk that a release was seen to be the latest, for the next start of a process.
    pub(crate) fn keep(&self, sequence: u64, text: &str, checked: DateTime<Utc>) {
        let Some(last_good) = &self.last_good else { return };
        if let Err(error) = last_good.write(sequence, text, checked) {
            let folder = last_good.cache().folder().clone();
            self.warnings.say(Warning::Cache { folder, reason: error.to_string() });
        }
    }

    /// Keeps on disk that the release that is used was seen to be the latest once more.
    pub(crate) fn confirm(&self, known: &Known, checked: DateTime<Utc>) {
        let Some(last_good) = &self.last_good else { return };
        if let Err(error) = last_good.confirm(known.sequence, checked) {
            let folder = last_good.cache().folder().clone();
            self.warnings.say(Warning::Cache { folder, reason: error.to_string() });
        }
    }

    /// Notes that a refresh went well, so that the next failure is said anew.
    pub(crate) fn succeeded(&self) {
        if self.failed.swap(NEVER, Ordering::Relaxed) != NEVER {
            self.warnings.forget(|warning| matches!(warning, Warning::Refresh { .. }));
        }
    }

    /// Notes that a refresh failed while a release is served.
    pub(crate) fn failed(&self, sequence: u64, reason: &str) {
        self.failed.store(self.now(), Ordering::Relaxed);
        let (environment, release, reason) = (self.environment.clone(), sequence, reason.to_owned());
        self.warnings.say(Warning::Refresh { environment, release, reason });
    }

    /// Joins the refresh that is under way in this process, or begins one by `start`, which is given a flight to land.
    pub(crate) fn join(&self, start: impl FnOnce(Arc<Flight>)) -> Arc<Flight> {
        let (process, now) = (std::process::id(), self.now());
        let current = self.flight.load_full();
        if let Some(flight) = &current
            && flight.process == process
            && !flight.is_over.load(Ordering::Acquire)
            && is_within(now.saturating_sub(flight.started), LOST)
        {
            return Arc::clone(flight);
        }
        let new = Arc::new(Flight {
            process,
            started: now,
            is_over: AtomicBool::new(false),
            outcome: Mutex::new(None),
            landed: Condvar::new(),
        });
        let before = self.flight.compare_and_swap(&current, Some(Arc::clone(&new)));
        match (&*before, &current) {
            (Some(other), Some(expected)) if !Arc::ptr_eq(other, expected) => return Arc::clone(other),
            (Some(other), None) => return Arc::clone(other),
            _ => {}
        }
        start(Arc::clone(&new));
        new
    }

    pub(crate) fn now(&self) -> i64 {
        (self.clock)().timestamp_millis()
    }
}

impl Flight {
    /// Says that the refresh is over.
    pub(crate) fn land(&self, outcome: Result<(), String>) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        self.is_over.store(true, Ordering::Release);
        self.landed.notify_all();
    }

    /// Waits until the refresh is over; nothing when that takes longer than `patience`.
    pub(crate) fn wait(&self, patience: Duration) -> Option<Result<(), String>> {
        let outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.landed.wait_timeout_while(outcome, patience, |outcome| outcome.is_none());
        waited.unwrap_or_else(PoisonError::into_inner).0.clone()
    }
}

/// Says whether an age in milliseconds is at least nothing and less than a limit.
fn is_within(age: i64, limit: Duration) -> bool {
    u128::try_from(age).is_ok_and(|age| age < limit.as_millis())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const MINUTE: i64 = 60_000;

    fn follower(now: &Arc<AtomicI64>, refuse_stale: bool) -> Follower {
        let freshness = Freshness { refresh: Duration::from_secs(60), max_stale: Duration::from_secs(600), refuse_stale };
        let objects = Arc::new(Objects::LocalFolder { folder: PathBuf::from("/nowhere") });
        let clock = Arc::clone(now);
        let clock: Clock = Arc::new(move || DateTime::from_timestamp_millis(clock.load(Ordering::Relaxed)).unwrap());
        Follower::new("prod".into(), objects, freshness, None, clock, Arc::new(Warnings::new(Arc::new(|_| {}))))
    }

    fn known(checked: i64) -> Known {
        Known { sequence: 1, digest: None, checked: AtomicI64::new(checked) }
    }

    #[test]
    fn age_is_judged_by_the_wall_clock() {
        let now = Arc::new(AtomicI64::new(1000 * MINUTE));
        let follower = follower(&now, false);
        for (minutes, age) in [(0, Age::Fresh), (1, Age::Due), (9, Age::Due), (10, Age::Stale), (999, Age::Stale)] {
            assert_eq!(follower.age(&known((1000 - minutes) * MINUTE)), age, "{minutes} minutes old");
        }
        assert_eq!(follower.age(&known(NEVER)), Age::Stale);
        assert_eq!(follower.age(&known(1001 * MINUTE)), Age::Due, "the clock was set back");
    }

    #[test]
    fn after_a_failure_nobody_waits_again_at_once() {
        for (refuses, at_once) in [(false, Age::Fresh), (true, Age::Refused)] {
            let now = Arc::new(AtomicI64::new(1000 * MINUTE));
            let follower = follower(&now, refuses);
            follower.failed(1, "no answer");
            assert_eq!(follower.age(&known(NEVER)), at_once);
            assert_eq!(follower.age(&known(995 * MINUTE)), Age::Fresh, "not stale yet, so nothing is refused");
            now.fetch_add(10_000, Ordering::Relaxed);
            let tried_again = if refuses { Age::Stale } else { Age::Due };
            assert_eq!(follower.age(&known(NEVER)), tried_again, "after ten seconds, and nobody waits for what is served anyway");
            now.fetch_add(10 * MINUTE, Ordering::Relaxed);
            assert_eq!(follower.age(&known(NEVER)), Age::Stale, "of an outage that long ago nothing is known any more");
            follower.failed(1, "no answer");
            follower.succeeded();
            assert_eq!(follower.age(&known(NEVER)), Age::Stale);
        }
    }

    #[test]
    fn one_flight_is_shared_until_it_lands_or_is_lost() {
        let now = Arc::new(AtomicI64::new(1000 * MINUTE));
        let follower = follower(&now, false);
        let begun = std::cell::Cell::new(0);
        let join = || follower.join(|_| begun.set(begun.get() + 1));
        let first = join();
        assert!(Arc::ptr_eq(&first, &join()));
        assert_eq!(first.wait(Duration::from_millis(1)), None, "nobody waits for longer than is wanted");
        // A process that was frozen in the middle of it.
        now.fetch_add(5 * MINUTE, Ordering::Relaxed);
        let second = join();
        assert!(!Arc::ptr_eq(&first, &second));
        second.land(Err("no answer".into()));
        assert_eq!(second.wait(PATIENCE), Some(Err("no answer".into())));
        first.land(Ok(()));
        assert!(!Arc::ptr_eq(&second, &join()));
        assert_eq!(begun.get(), 3);
    }
}
