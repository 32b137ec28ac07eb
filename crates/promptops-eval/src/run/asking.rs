//! Questions of scorers: judges are asked by the same recording, retries and budget as what is judged.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::answers::{Purse, keep};
use super::{Failure, Served, Settings};
use crate::client::retry::{self, Sent};
use crate::client::{Answer, Call, ClientError, ErrorClass, decode};
use crate::error::EvalError;
use crate::recording::{Key, Replay};
use crate::scorer::Ask;

/// Asks on behalf of the scorers of one run.
pub(super) struct Asking<'a> {
    settings: &'a Settings<'a>,
    purse: &'a Purse,
    sent: AtomicU64,
    replayed: AtomicU64,
    missing: AtomicU64,
    /// The first error that every further question would meet too.
    fatal: Mutex<Option<ClientError>>,
    is_broke: Mutex<bool>,
}

impl<'a> Asking<'a> {
    pub(super) fn new(settings: &'a Settings<'a>, purse: &'a Purse) -> Self {
        let zero = || AtomicU64::new(0);
        let (fatal, is_broke) = (Mutex::new(None), Mutex::new(false));
        Self { settings, purse, sent: zero(), replayed: zero(), missing: zero(), fatal, is_broke }
    }

    /// Returns how the answers were come by, or why the run cannot go on without those that are missing.
    ///
    /// # Errors
    /// [`EvalError::Judge`], [`EvalError::Budget`], [`EvalError::MissingJudgements`].
    pub(super) fn end(self) -> Result<Served, EvalError> {
        let missing = self.missing.into_inner();
        if let Some(source) = self.fatal.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(EvalError::Judge { source });
        }
        if self.is_broke.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(self.purse.error());
        }
        if missing > 0 {
            return Err(EvalError::MissingJudgements { missing, path: self.settings.recording.path().to_owned() });
        }
        Ok(Served { sent: self.sent.into_inner(), replayed: self.replayed.into_inner() })
    }

    async fn answer(&self, call: &Call, repeat: u32) -> Result<Answer, Failure> {
        let (settings, key) = (self.settings, Key { request: call.digest(), repeat });
        if let Some(exchange) = settings.recording.get(&key) {
            self.replayed.fetch_add(1, Ordering::Relaxed);
            return decode(&exchange).map_err(|error| self.failure(error));
        }
        let unavailable = |message: &str| Failure { class: ErrorClass::Unreachable, message: message.to_owned() };
        let client = match settings.client {
            Some(client) if settings.recording.mode() != Replay::Only => client,
            _ => {
                self.missing.fetch_add(1, Ordering::Relaxed);
                return Err(unavailable("its answer is not recorded"));
            }
        };
        if !self.purse.open() {
            *self.is_broke.lock().unwrap_or_else(PoisonError::into_inner) = true;
            return Err(unavailable("the budget is used up"));
        }
        let Sent { result, attempts } = retry::send(client, call, &settings.retry).await;
        self.purse.spend(attempts);
        self.sent.fetch_add(u64::from(attempts), Ordering::Relaxed);
        let answer = result.and_then(|exchange| keep(key, exchange, settings)).map_err(|error| self.failure(error))?;
        let price = settings.prices.get(&call.model);
        self.purse.pay(price.zip(answer.usage).map_or(0.0, |(price, usage)| price.cost(&usage)));
        Ok(answer)
    }

    fn failure(&self, error: ClientError) -> Failure {
        let failure = Failure::from(&error);
        if error.class().is_fatal() {
            self.fatal.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
        failure
    }
}

impl Ask for Asking<'_> {
    fn ask<'a>(&'a self, call: &'a Call, repeat: u32) -> BoxFuture<'a, Result<Answer, Failure>> {
        self.answer(call, repeat).boxed()
    }
}
