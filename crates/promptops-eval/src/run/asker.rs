//! Coming by one answer: from the recording where it is there, else from the model.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::{BoxFuture, FutureExt as _};
use promptops_prompt::PromptRef;
use tokio::sync::{OnceCell, Semaphore};

use super::{Failure, Served, Settings};
use crate::client::{Answer, Call, ClientError, ErrorClass, Exchange, decode, retry};
use crate::error::EvalError;
use crate::recording::{Key, Replay};
use crate::scorer::Ask;

/// An answer that is under way: whoever needs the same one waits for it.
type Flight = Arc<OnceCell<Result<Exchange, Failure>>>;

/// Asks, on behalf of versions and judges, with one recording, budget and number of calls under way.
///
/// Calls that are equal share their answers: each is asked for once per repeat. What ends the whole run (a refused key, an empty
/// purse, a missing recording) is kept, and [`Asker::end`] tells it; the answer itself is then a failure that nobody looks at.
pub struct Asker<'a> {
    settings: &'a Settings<'a>,
    permits: Semaphore,
    flights: Mutex<HashMap<Key, Flight>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    served: Served,
    /// What no further call would change.
    fatal: Option<EvalError>,
    is_broke: bool,
    missing: HashSet<Key>,
    /// Requests that were refused in this run, so that nobody need ask once more.
    refused: HashSet<Key>,
    /// Where the first missing answer was needed: the version, and the case.
    first_missing: Option<(PromptRef, String)>,
}

/// On whose behalf a call is made.
#[derive(Clone, Copy)]
pub(super) struct OnBehalfOf<'a> {
    pub(super) reference: &'a PromptRef,
    pub(super) case: &'a str,
}

impl<'a> Asker<'a> {
    /// Begins; nothing is asked yet.
    pub fn new(settings: &'a Settings<'a>) -> Self {
        let permits = Semaphore::new(settings.concurrency.clamp(1, Semaphore::MAX_PERMITS));
        Self { settings, permits, flights: Mutex::default(), state: Mutex::default() }
    }

    /// Returns how the answers so far were come by.
    pub fn served(&self) -> Served {
        self.state().served
    }

    /// Tells whether it is no use to go on.
    pub fn has_ended(&self) -> bool {
        let state = self.state();
        state.fatal.is_some() || state.is_broke
    }

    /// Ends the asking.
    ///
    /// # Errors
    /// [`EvalError::Client`], [`EvalError::Budget`], [`EvalError::MissingRecordings`], [`EvalError::RecordingFile`].
    pub fn end(self) -> Result<Served, EvalError> {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = state.fatal {
            return Err(error);
        }
        if state.is_broke {
            return Err(self.settings.purse.error());
        }
        let recording = self.settings.recording;
        match state.first_missing {
            Some((reference, case)) => {
                let missing = state.missing.len();
                let needed = missing + usize::try_from(state.served.replayed).unwrap_or(usize::MAX);
                Err(EvalError::MissingRecordings { missing, needed, reference, case, path: recording.path().to_owned() })
            }
            None => Ok(state.served),
        }
    }

    /// Returns the answer to a call and what it cost, or why there is none.
    pub(super) async fn answer(&self, call: &Call, key: Key, behalf: OnBehalfOf<'_>) -> (Result<Answer, Failure>, Option<f64>) {
        let exchange = match self.recorded(&key) {
            Some(exchange) => Ok(exchange),
            None => self.flown(call, key, behalf).await,
        };
        let answer = exchange.and_then(|exchange| match decode(&exchange) {
            Ok(mut answer) => {
                // Bedrock and programs need not tell which model answered.
                if answer.model.is_empty() {
                    answer.model.clone_from(&call.model);
                }
                Ok(answer)
            }
            // One that was recorded before something was to be redacted still has it.
            Err(error) => Err(self.failure(self.settings.recording.redacted(exchange, error), behalf)),
        });
        let usage = answer.as_ref().ok().and_then(|answer| answer.usage);
        let cost = self.settings.prices.get(&call.model).zip(usage).map(|(price, usage)| price.cost(&usage.into()));
        (answer, cost)
    }

    /// Takes an answer that is recorded; one that this run put there itself is not counted as replayed.
    fn recorded(&self, key: &Key) -> Option<Exchange> {
        match self.settings.recording.get(key) {
            Ok(Some((exchange, is_first))) => {
                if self.is_worth_asking_again(key, &exchange) {
                    return None;
                }
                self.state().served.replayed += u64::from(is_first);
                Some(exchange)
            }
            Ok(None) => None,
            Err(error) => {
                self.stop(error);
                None
            }
        }
    }

    /// Tells whether a recorded answer is a refusal of an earlier run, and somebody can be asked once more: a provider refuses for
    /// reasons of the day as well, and one that was recorded then must not count for ever.
    fn is_worth_asking_again(&self, key: &Key, exchange: &Exchange) -> bool {
        let may_ask = self.settings.client.is_some() && self.settings.recording.mode() == Replay::Auto;
        may_ask && is_refusal(exchange) && !self.state().refused.contains(key)
    }

    /// Asks for an answer, or waits for another that has asked for the same one.
    async fn flown(&self, call: &Call, key: Key, behalf: OnBehalfOf<'_>) -> Result<Exchange, Failure> {
        let flight = Arc::clone(self.flights().entry(key).or_default());
        let result = flight.get_or_init(|| self.asked(call, key, behalf)).await.clone();
        if result.as_ref().is_ok_and(is_refusal) {
            self.state().refused.insert(key);
        }
        // Where an answer was kept the recording has it from now on; a failure is for those alone who waited.
        let mut flights = self.flights();
        if flights.get(&key).is_some_and(|other| Arc::ptr_eq(other, &flight)) {
            flights.remove(&key);
        }
        result
    }

    async fn asked(&self, call: &Call, key: Key, behalf: OnBehalfOf<'_>) -> Result<Exchange, Failure> {
        let Some(client) = self.settings.client.filter(|_| self.settings.recording.mode() != Replay::Only) else {
            let mut state = self.state();
            state.missing.insert(key);
            state.first_missing.get_or_insert_with(|| (behalf.reference.clone(), behalf.case.to_owned()));
            return Err(Failure::not_asked("it is not recorded"));
        };
        let Ok(_permit) = self.permits.acquire().await else { return Err(Failure::not_asked("the run is over")) };
        // Others may have ended the run while this one waited.
        if self.has_ended() {
            return Err(Failure::not_asked("the run is over"));
        }
        if !self.settings.purse.open() {
            self.state().is_broke = true;
            return Err(Failure::not_asked("the budget is used up"));
        }
        let retry::Sent { result, attempts } = retry::send(client, call, &self.settings.retry).await;
        self.settings.purse.spend(attempts);
        self.state().served.sent += u64::from(attempts);
        let mut exchange = result.map_err(|error| self.failure(error, behalf))?;
        if let Err(error) = self.settings.recording.put(key, &mut exchange) {
            self.stop(error);
        }
        if let (Some(price), Ok(answer)) = (self.settings.prices.get(&call.model), decode(&exchange)) {
            match answer.usage {
                Some(usage) => self.settings.purse.pay(price.cost(&usage.into())),
                // Nobody knows what was spent, so nobody can stop before more is.
                None if self.settings.purse.is_limited_in_usd() => self.stop(EvalError::Uncounted { model: call.model.clone() }),
                None => {}
            }
        }
        Ok(exchange)
    }

    fn failure(&self, error: ClientError, behalf: OnBehalfOf<'_>) -> Failure {
        let failure = Failure::from(&error);
        if error.class().is_fatal() {
            self.stop(EvalError::Client { reference: behalf.reference.clone(), source: error });
        }
        failure
    }

    /// Ends the run; the first reason is the one that is told.
    fn stop(&self, error: EvalError) {
        self.state().fatal.get_or_insert(error);
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<Key, Flight>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere cannot leave the counts half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells whether a provider refused a request. Only a stream may do so with a status of 200.
fn is_refusal(exchange: &Exchange) -> bool {
    (exchange.status != 200 || exchange.is_stream) && decode(exchange).is_err_and(|error| error.class() == ErrorClass::BadRequest)
}

/// An asker for the scorers of one case.
pub struct ForScorers<'a> {
    asker: &'a Asker<'a>,
    behalf: OnBehalfOf<'a>,
}

impl<'a> ForScorers<'a> {
    /// Asks on behalf of a version; `case` is what the answer is needed for.
    pub fn new(asker: &'a Asker<'a>, reference: &'a PromptRef, case: &'a str) -> Self {
        Self { asker, behalf: OnBehalfOf { reference, case } }
    }
}

impl Ask for ForScorers<'_> {
    fn ask<'b>(&'b self, call: &'b Call, repeat: u32) -> BoxFuture<'b, Result<Answer, Failure>> {
        async move { self.asker.answer(call, Key { request: call.digest(), repeat }, self.behalf).await.0 }.boxed()
    }
}
