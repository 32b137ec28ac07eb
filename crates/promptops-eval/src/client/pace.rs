//! The pace of calls to one provider: as many at the same time as it bears, and no more a minute than it allows.
//!
//! The number of calls under way grows by one for every round of answers and is halved when the provider limits the rate, as
//! TCP does it (additive increase, multiplicative decrease). It begins at what the user allows. What the provider says of its
//! limits (`Retry-After`, `x-ratelimit-…`) holds all calls back, not only the one that was refused.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Call, ClientError, Exchange, ModelClient, decode};

/// Characters of a text that make a token, about; used until the provider has counted.
const CHARACTERS_PER_TOKEN: usize = 4;
/// The part of a minute's allowance that may be used at once.
const BURST: f64 = 0.1;

/// What a provider bears.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limits {
    /// Calls under way at the same time; without it as many as come.
    pub concurrency: Option<usize>,
    /// Calls a minute.
    pub requests_per_minute: Option<u32>,
    /// Tokens a minute, those of the answers included.
    pub tokens_per_minute: Option<u32>,
}

/// Holds calls to one provider back until their time has come.
pub struct Paced {
    client: Box<dyn ModelClient>,
    most: f64,
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    /// Calls that may be under way.
    allowed: f64,
    under_way: usize,
    /// Calls that were started before this have told what they had to tell about the rate.
    halved_at: Option<Instant>,
    held_until: Option<Instant>,
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
}

impl Paced {
    /// Wraps the client of a provider.
    pub fn new(client: Box<dyn ModelClient>, limits: Limits) -> Self {
        let most = limits.concurrency.unwrap_or(usize::MAX).max(1) as f64;
        let state = State {
            allowed: most,
            under_way: 0,
            halved_at: None,
            held_until: None,
            requests: limits.requests_per_minute.map(Bucket::new),
            tokens: limits.tokens_per_minute.map(Bucket::new),
        };
        Self { client, most, state: Mutex::new(state), changed: Notify::new() }
    }

    /// Waits until a call of about so many tokens may be sent.
    async fn enter(&self, tokens: f64) -> UnderWay<'_> {
        loop {
            // Asked for before the state is looked at, so that no change in between is missed.
            let changed = self.changed.notified();
            let turn = self.state().turn(tokens, Instant::now());
            match turn {
                Turn::Now => return UnderWay { paced: self, started: Instant::now() },
                Turn::At(time) => tokio::select! {
                    () = tokio::time::sleep_until(time) => {}
                    () = changed => {}
                },
                Turn::AfterAnother => changed.await,
            }
        }
    }

    /// Takes note of what a call told about the pace.
    fn learn(&self, started: Instant, estimated: f64, result: &Result<Exchange, ClientError>) {
        let now = Instant::now();
        let mut state = self.state();
        match result {
            Ok(exchange) => {
                state.allowed = (state.allowed + 1.0 / state.allowed).min(self.most);
                state.hold(exchange.hold, now);
                if let Some(tokens) = &mut state.tokens
                    && let Some(usage) = decode(exchange).ok().and_then(|answer| answer.usage)
                {
                    tokens.settle(estimated, (usage.input + usage.output) as f64);
                }
            }
            Err(error) if is_too_fast(error) => {
                // Calls that were under way together are refused together: that is one sign, not many.
                if state.halved_at.is_none_or(|halved_at| started > halved_at) {
                    let reached = state.allowed.min(state.under_way.max(1) as f64);
                    state.allowed = (reached / 2.0).max(1.0);
                    state.halved_at = Some(now);
                    tracing::debug!(allowed = state.allowed, "the provider limits the rate: fewer calls at the same time");
                }
                if let ClientError::RateLimit { retry_after, .. } = error {
                    state.hold(*retry_after, now);
                }
            }
            Err(_) => {}
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere cannot leave the state half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ModelClient for Paced {
    fn send<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Exchange, ClientError>> {
        async move {
            let tokens = estimate(call);
            let under_way = self.enter(tokens).await;
            let result = self.client.send(call).await;
            self.learn(under_way.started, tokens, &result);
            result
        }
        .boxed()
    }
}

/// Counts as under way until it is dropped, also when nobody waits for the answer any more.
struct UnderWay<'a> {
    paced: &'a Paced,
    started: Instant,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.paced.state().under_way -= 1;
        self.paced.changed.notify_waiters();
    }
}

/// When a call may be sent.
enum Turn {
    Now,
    At(Instant),
    AfterAnother,
}

impl State {
    fn turn(&mut self, tokens: f64, now: Instant) -> Turn {
        if let Some(until) = self.held_until.filter(|until| *until > now) {
            return Turn::At(until);
        }
        if self.under_way as f64 >= self.allowed.floor() {
            return Turn::AfterAnother;
        }
        let wanted = [(&mut self.requests, 1.0), (&mut self.tokens, tokens)];
        let ready = wanted.into_iter().filter_map(|(bucket, amount)| bucket.as_mut()?.ready_at(amount, now)).max();
        if let Some(time) = ready {
            return Turn::At(time);
        }
        for (bucket, amount) in [(&mut self.requests, 1.0), (&mut self.tokens, tokens)] {
            if let Some(bucket) = bucket {
                bucket.level -= amount;
            }
        }
        self.under_way += 1;
        Turn::Now
    }

    fn hold(&mut self, length: Option<Duration>, now: Instant) {
        let until = length.and_then(|length| now.checked_add(length));
        self.held_until = self.held_until.max(until);
    }
}

/// A token bucket: it fills steadily, and each call takes its part.
#[derive(Debug)]
struct Bucket {
    per_second: f64,
    capacity: f64,
    level: f64,
    filled_at: Option<Instant>,
}

impl Bucket {
    fn new(per_minute: u32) -> Self {
        let per_minute = f64::from(per_minute.max(1));
        let capacity = (per_minute * BURST).max(1.0);
        Self { per_second: per_minute / 60.0, capacity, level: capacity, filled_at: None }
    }

    /// Returns when `amount` can be taken; nothing where it can be now. What is more than the bucket holds must only wait for
    /// a full one, and leaves a debt.
    fn ready_at(&mut self, amount: f64, now: Instant) -> Option<Instant> {
        let passed = self.filled_at.map_or(0.0, |filled_at| now.duration_since(filled_at).as_secs_f64());
        self.level = (self.level + passed * self.per_second).min(self.capacity);
        self.filled_at = Some(now);
        let lacking = amount.min(self.capacity) - self.level;
        (lacking > 1e-9).then(|| now + Duration::from_secs_f64(lacking / self.per_second))
    }

    fn settle(&mut self, estimated: f64, used: f64) {
        self.level = (self.level + estimated - used).min(self.capacity);
    }
}

fn is_too_fast(error: &ClientError) -> bool {
    matches!(error, ClientError::RateLimit { .. } | ClientError::Server { status: 503 | 529, .. })
}

/// Estimates the tokens of a call and its answer.
fn estimate(call: &Call) -> f64 {
    let characters: usize = call.messages.iter().map(|message| message.content.len()).sum();
    let names = ["max_tokens", "max_completion_tokens", "max_output_tokens"];
    let answer = names.iter().find_map(|name| call.parameters.get(*name)?.as_f64()).unwrap_or(0.0);
    (characters / CHARACTERS_PER_TOKEN) as f64 + answer
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use promptops_prompt::{Message, Role};
    use serde_json::{Map, json};

    use super::super::Api;
    use super::*;

    fn call() -> Call {
        let messages = vec![Message { role: Role::User, content: "x".repeat(400) }];
        Call { model: "m".into(), messages, parameters: Map::new(), tools: None }
    }

    /// Bears `bears` calls at the same time, each for a second.
    struct Provider {
        bears: usize,
        under_way: Arc<AtomicUsize>,
        most: Arc<AtomicUsize>,
        retry_after: Option<Duration>,
    }

    impl ModelClient for Provider {
        fn send<'a>(&'a self, _: &'a Call) -> BoxFuture<'a, Result<Exchange, ClientError>> {
            async move {
                let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
                self.most.fetch_max(under_way, Ordering::SeqCst);
                let result = if under_way > self.bears {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    Err(ClientError::RateLimit { retry_after: self.retry_after, message: String::new() })
                } else {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    let body = json!({"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": 100}});
                    Ok(Exchange::document(Api::OpenaiChat, 200, body.to_string(), 1000))
                };
                self.under_way.fetch_sub(1, Ordering::SeqCst);
                result
            }
            .boxed()
        }
    }

    fn provider(bears: usize) -> (Provider, Arc<AtomicUsize>) {
        let most = Arc::new(AtomicUsize::new(0));
        (Provider { bears, under_way: Arc::default(), most: Arc::clone(&most), retry_after: None }, most)
    }

    async fn rounds(paced: &Paced, count: usize) -> usize {
        let call = call();
        let results = futures::future::join_all((0..count).map(|_| paced.send(&call))).await;
        results.iter().filter(|result| result.is_err()).count()
    }

    #[tokio::test(start_paused = true)]
    async fn never_more_calls_are_under_way_than_allowed() {
        let (provider, most) = provider(100);
        let paced = Paced::new(Box::new(provider), Limits { concurrency: Some(7), ..Limits::default() });
        let started = Instant::now();
        assert_eq!(rounds(&paced, 70).await, 0);
        assert_eq!(most.load(Ordering::SeqCst), 7);
        assert_eq!(started.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn the_number_settles_around_what_the_provider_bears() {
        let (provider, _) = provider(10);
        let paced = Paced::new(Box::new(provider), Limits { concurrency: Some(64), ..Limits::default() });
        let refused_first = rounds(&paced, 64).await;
        let refused_later = rounds(&paced, 1000).await;
        assert!(refused_first >= 20, "{refused_first}");
        // One refusal for every few rounds of growing by one.
        assert!(refused_later < 100, "{refused_later}");
        assert!((5.0..=12.0).contains(&paced.state().allowed), "{}", paced.state().allowed);
    }

    #[tokio::test(start_paused = true)]
    async fn all_calls_wait_as_long_as_the_provider_says() {
        let (mut provider, _) = provider(1);
        provider.retry_after = Some(Duration::from_secs(30));
        let paced = Paced::new(Box::new(provider), Limits { concurrency: Some(2), ..Limits::default() });
        assert_eq!(rounds(&paced, 2).await, 1);
        let started = Instant::now();
        assert_eq!(rounds(&paced, 1).await, 0);
        assert!(started.elapsed() >= Duration::from_secs(29), "{:?}", started.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_calls_are_sent_a_minute_than_allowed() {
        let (provider, _) = provider(1000);
        let limits = Limits { requests_per_minute: Some(60), ..Limits::default() };
        let paced = Paced::new(Box::new(provider), limits);
        let started = Instant::now();
        rounds(&paced, 126).await;
        // Six at once, then one a second, and a second for the last one.
        assert_eq!(started.elapsed().as_secs(), 121);
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_are_estimated_first_and_settled_by_the_count() {
        let (provider, _) = provider(1000);
        let limits = Limits { concurrency: Some(1), tokens_per_minute: Some(6000), ..Limits::default() };
        let paced = Paced::new(Box::new(provider), limits);
        let started = Instant::now();
        // 100 tokens each by estimate and by count: one a second, which is how long a call takes.
        rounds(&paced, 20).await;
        assert_eq!(started.elapsed().as_secs(), 20);
        let mut call = call();
        call.parameters = Map::from_iter([("max_tokens".to_owned(), json!(5_900))]);
        let started = Instant::now();
        // Estimated at ten times what the bucket holds; what it did not use is given back.
        paced.send(&call).await.unwrap();
        paced.send(&call).await.unwrap();
        assert!(started.elapsed() <= Duration::from_secs(8), "{:?}", started.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_nobody_waits_for_makes_room() {
        let (provider, _) = provider(10);
        let paced = Paced::new(Box::new(provider), Limits { concurrency: Some(1), ..Limits::default() });
        let call = call();
        assert!(tokio::time::timeout(Duration::from_millis(10), paced.send(&call)).await.is_err());
        assert_eq!(rounds(&paced, 1).await, 0);
    }
}
