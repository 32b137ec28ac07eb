//! Coming by the answers: from the recording where they are there, else from the model, a bounded number at a time.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

use futures::StreamExt as _;
use futures::stream;
use promptops_prompt::Digest;

use super::{Failure, Progress, Question, Served, Settings};
use crate::client::retry::{self, Sent};
use crate::client::{Answer, Call, ClientError, Exchange, decode};
use crate::error::EvalError;
use crate::price::Price;
use crate::recording::{Key, Replay};

/// A call and its digest.
pub(super) struct Planned {
    pub(super) digest: Digest,
    pub(super) call: Call,
}

/// Answers after which the recording is written, so that a run that is killed loses few of them.
const SAVE_EVERY: usize = 50;

type Results = HashMap<Key, Result<Answer, Failure>>;

/// Returns an answer, or the reason why there is none, for every planned call and repeat.
pub(super) async fn collect(
    question: &Question<'_>,
    planned: &[Result<Planned, Failure>],
    price: Option<Price>,
    settings: &Settings<'_>,
    purse: &Purse,
) -> Result<(Results, Served), EvalError> {
    let (mut results, missing) = replay(question, planned, settings)?;
    let mut served = Served { sent: 0, replayed: results.len() as u64 };
    let total = results.len() + missing.len();
    let mut failed = results.values().filter(|result| result.is_err()).count();
    (settings.progress)(Progress { done: results.len(), total, failed });
    if missing.is_empty() {
        return Ok((results, served));
    }
    let client = match settings.client {
        Some(client) if settings.recording.mode() != Replay::Only => client,
        _ => {
            return Err(EvalError::MissingRecordings {
                missing: missing.len(),
                needed: total,
                reference: question.subject.reference.clone(),
                case: missing[0].case.to_owned(),
                path: settings.recording.path().to_owned(),
            });
        }
    };
    let mut is_broke = false;
    let mut sending = stream::iter(&missing)
        .map(|missing| async move {
            let sent = if purse.open() { Some(retry::send(client, missing.call, &settings.retry).await) } else { None };
            (missing.key, sent)
        })
        .buffer_unordered(settings.concurrency.max(1));
    while let Some((key, sent)) = sending.next().await {
        let Some(Sent { result, attempts }) = sent else {
            // Calls that are under way are paid for: they are waited for and recorded.
            is_broke = true;
            continue;
        };
        purse.spend(attempts);
        served.sent += u64::from(attempts);
        let result = match result.map(|exchange| keep(key, exchange, settings)) {
            Ok(Ok(answer)) => {
                purse.pay(price.zip(answer.usage).map_or(0.0, |(price, usage)| price.cost(&usage)));
                Ok(answer)
            }
            Ok(Err(error)) | Err(error) if error.class().is_fatal() => return Err(fatal(question, error)),
            Ok(Err(error)) | Err(error) => Err(Failure::from(&error)),
        };
        failed += usize::from(result.is_err());
        results.insert(key, result);
        if results.len() % SAVE_EVERY == 0 {
            settings.recording.save()?;
        }
        (settings.progress)(Progress { done: results.len(), total, failed });
    }
    if is_broke { Err(purse.error()) } else { Ok((results, served)) }
}

fn fatal(question: &Question<'_>, source: ClientError) -> EvalError {
    EvalError::Client { reference: question.subject.reference.clone(), source }
}

/// Records what came back and reads the answer out of it.
pub(super) fn keep(key: Key, exchange: Exchange, settings: &Settings<'_>) -> Result<Answer, ClientError> {
    let answer = decode(&exchange);
    settings.recording.put(key, exchange);
    answer
}

/// An answer that is not recorded.
struct Missing<'a> {
    key: Key,
    call: &'a Call,
    /// The first case that needs it.
    case: &'a str,
}

/// Takes what is recorded; returns the rest in the order of the cases, each call once per repeat.
fn replay<'a>(
    question: &'a Question<'_>,
    planned: &'a [Result<Planned, Failure>],
    settings: &Settings<'_>,
) -> Result<(Results, Vec<Missing<'a>>), EvalError> {
    let (mut results, mut missing, mut seen) = (Results::new(), Vec::new(), HashSet::new());
    for (planned, case) in planned.iter().zip(&question.dataset.heads) {
        let Ok(planned) = planned else { continue };
        for repeat in 0..question.repeats {
            let key = Key { request: planned.digest, repeat };
            if !seen.insert(key) {
                continue;
            }
            match settings.recording.get(&key).map(|exchange| decode(&exchange)) {
                Some(Ok(answer)) => drop(results.insert(key, Ok(answer))),
                Some(Err(error)) if error.class().is_fatal() => return Err(fatal(question, error)),
                Some(Err(error)) => drop(results.insert(key, Err(Failure::from(&error)))),
                None => missing.push(Missing { key, call: &planned.call, case: &case.name }),
            }
        }
    }
    Ok((results, missing))
}

/// What is left of the budget.
pub(super) struct Purse {
    calls_limit: Option<u64>,
    usd_limit: Option<f64>,
    started: AtomicU64,
    calls: AtomicU64,
    micro_usd: AtomicU64,
}

impl Purse {
    pub(super) fn new(settings: &Settings<'_>) -> Self {
        let zero = || AtomicU64::new(0);
        let budget = settings.budget;
        Self { calls_limit: budget.calls, usd_limit: budget.usd, started: zero(), calls: zero(), micro_usd: zero() }
    }

    /// Tells whether one more call may be started, and counts it.
    pub(super) fn open(&self) -> bool {
        let started = self.started.fetch_add(1, Ordering::Relaxed);
        let spent = self.micro_usd.load(Ordering::Relaxed) as f64 / 1e6;
        // Retries are known only when they have happened, so both counts bound the next call.
        let calls = started.max(self.calls.load(Ordering::Relaxed));
        self.calls_limit.is_none_or(|limit| calls < limit) && self.usd_limit.is_none_or(|limit| spent < limit)
    }

    pub(super) fn spend(&self, attempts: u32) {
        self.calls.fetch_add(u64::from(attempts), Ordering::Relaxed);
    }

    pub(super) fn pay(&self, usd: f64) {
        self.micro_usd.fetch_add((usd * 1e6).ceil() as u64, Ordering::Relaxed);
    }

    pub(super) fn error(&self) -> EvalError {
        let budget = match (self.calls_limit, self.usd_limit) {
            (Some(calls), Some(usd)) => format!("{calls} calls or {usd} USD"),
            (Some(calls), None) => format!("{calls} calls"),
            (None, usd) => format!("{} USD", usd.unwrap_or_default()),
        };
        EvalError::Budget { budget, calls: self.calls.load(Ordering::Relaxed) }
    }
}
