//! Retries: bounded, spread by jitter, and never sooner than the provider asks.

use std::time::Duration;

use promptops_prompt::Digest;

use crate::client::{Call, ClientError, Exchange, ModelClient};

/// How often and how long to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Times a call is sent at most; at least 1.
    pub attempts: u32,
    /// The pause after the first failure; it doubles with every further one.
    pub first_pause: Duration,
    /// The longest pause. A provider that asks for a longer one is not waited for.
    pub longest_pause: Duration,
    /// Decides the jitter. The same seed, call and attempt always give the same pause.
    pub seed: u64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { attempts: 5, first_pause: Duration::from_millis(500), longest_pause: Duration::from_secs(60), seed: 0 }
    }
}

impl RetryPolicy {
    /// Returns how long to wait after failure number `attempt` (from 1) of the call with `digest`, or nothing to give up.
    pub fn pause(&self, error: &ClientError, attempt: u32, digest: &Digest) -> Option<Duration> {
        if !error.is_transient() || attempt >= self.attempts {
            return None;
        }
        let doubled = self.first_pause.saturating_mul(1 << (attempt - 1).min(20));
        let pause = doubled.min(self.longest_pause).mul_f64(self.jitter(attempt, digest));
        match error {
            ClientError::RateLimit { retry_after: Some(wait), .. } if *wait > self.longest_pause => None,
            ClientError::RateLimit { retry_after: Some(wait), .. } => Some(pause.max(*wait)),
            _ => Some(pause),
        }
    }

    /// Returns a factor from one half to 1, so that calls that failed together do not come back together.
    fn jitter(&self, attempt: u32, digest: &Digest) -> f64 {
        let mut bytes = self.seed.to_le_bytes().to_vec();
        bytes.extend_from_slice(&attempt.to_le_bytes());
        bytes.extend_from_slice(digest.bytes());
        let hash = Digest::of(&bytes);
        let number = u32::from_le_bytes([hash.bytes()[0], hash.bytes()[1], hash.bytes()[2], hash.bytes()[3]]);
        0.5 + 0.5 * f64::from(number) / f64::from(u32::MAX)
    }
}

/// What came back in the end, and how often it was tried.
#[derive(Debug)]
pub struct Sent {
    /// The last answer or error.
    pub result: Result<Exchange, ClientError>,
    /// Times the call was sent.
    pub attempts: u32,
}

/// Sends a call until it is answered or `policy` gives up.
pub async fn send(client: &dyn ModelClient, call: &Call, policy: &RetryPolicy) -> Sent {
    let digest = call.digest();
    let mut attempts = 1;
    loop {
        let result = client.send(call).await;
        let pause = match &result {
            Ok(_) => None,
            Err(error) => policy.pause(error, attempts, &digest),
        };
        let Some(pause) = pause else { return Sent { result, attempts } };
        tracing::debug!(attempts, pause_ms = pause.as_millis() as u64, "a call failed and is sent again");
        tokio::time::sleep(pause).await;
        attempts += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> RetryPolicy {
        RetryPolicy { attempts: 4, first_pause: Duration::from_millis(100), longest_pause: Duration::from_millis(300), seed: 1 }
    }

    fn server() -> ClientError {
        ClientError::Server { status: 500, message: String::new() }
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_end() {
        let digest = Digest::of(b"call");
        let pauses: Vec<u128> = (1..=3).map(|attempt| policy().pause(&server(), attempt, &digest).unwrap().as_millis()).collect();
        assert!((50..=100).contains(&pauses[0]), "{pauses:?}");
        assert!((100..=200).contains(&pauses[1]), "{pauses:?}");
        assert!((150..=300).contains(&pauses[2]), "{pauses:?}");
        assert_eq!(policy().pause(&server(), 4, &digest), None);
    }

    #[test]
    fn the_seed_decides_the_jitter() {
        let digest = Digest::of(b"call");
        let other = RetryPolicy { seed: 2, ..policy() };
        assert_eq!(policy().pause(&server(), 1, &digest), policy().pause(&server(), 1, &digest));
        assert_ne!(policy().pause(&server(), 1, &digest), other.pause(&server(), 1, &digest));
        assert_ne!(policy().pause(&server(), 1, &digest), policy().pause(&server(), 1, &Digest::of(b"other")));
    }

    #[test]
    fn the_provider_is_never_asked_sooner_than_it_wants() {
        let digest = Digest::of(b"call");
        let limited = |ms| ClientError::RateLimit { retry_after: Some(Duration::from_millis(ms)), message: String::new() };
        assert_eq!(policy().pause(&limited(250), 1, &digest), Some(Duration::from_millis(250)));
        assert_eq!(policy().pause(&limited(301), 1, &digest), None);
    }

    #[test]
    fn a_refusal_is_final() {
        let refused = ClientError::BadRequest { status: 400, message: String::new() };
        assert_eq!(policy().pause(&refused, 1, &Digest::of(b"call")), None);
    }
}
