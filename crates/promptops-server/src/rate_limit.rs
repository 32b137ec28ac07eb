//! How often one client may ask: a bucket of tokens each, filled at a steady rate.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use promptops_registry::keys::KeyId;

/// Parts of the table, so that requests of different clients seldom wait for each other.
const PARTS: usize = 16;
/// Clients of one part before those with full buckets are forgotten; a full bucket is what a new client starts with.
const CLIENTS_PER_PART: usize = 4_096;
/// Requests that a client may save up, in seconds of its rate.
const BURST_S: f64 = 2.;

/// Whom a bucket belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    /// The holder of a key, from wherever.
    Key(KeyId),
    /// Whoever asks without a key from an address; of IPv6 the /64 that a line of the internet has.
    Address(IpAddr),
}

impl Client {
    pub(crate) fn of_address(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => Self::Address(IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into())),
            address => Self::Address(address),
        }
    }
}

struct Bucket {
    tokens: f64,
    filled: Instant,
}

/// The buckets of all clients.
pub(crate) struct RateLimit {
    per_second: f64,
    hasher: RandomState,
    parts: [Mutex<HashMap<Client, Bucket>>; PARTS],
}

impl RateLimit {
    /// Lets each client ask `per_second` times a second; 0 is no limit.
    pub(crate) fn new(per_second: u32) -> Self {
        Self { per_second: per_second.into(), hasher: RandomState::new(), parts: Default::default() }
    }

    /// Takes a token from the client's bucket, or says in how many seconds there will be one.
    pub(crate) fn take(&self, client: &Client, now: Instant) -> Result<(), u64> {
        if self.per_second == 0. {
            return Ok(());
        }
        let full = self.per_second * BURST_S;
        let tokens_now = |bucket: &Bucket| {
            let gained = now.saturating_duration_since(bucket.filled).as_secs_f64() * self.per_second;
            (bucket.tokens + gained).min(full)
        };
        let part = usize::try_from(self.hasher.hash_one(client) % PARTS as u64).unwrap_or(0);
        let mut clients = self.parts[part].lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= CLIENTS_PER_PART && !clients.contains_key(client) {
            clients.retain(|_, bucket| tokens_now(bucket) < full);
        }
        let bucket = clients.entry(client.clone()).or_insert(Bucket { tokens: full, filled: now });
        bucket.tokens = tokens_now(bucket);
        bucket.filled = now;
        if bucket.tokens >= 1. {
            bucket.tokens -= 1.;
            return Ok(());
        }
        // At least a second, since that is what `Retry-After` can say.
        Err(((1. - bucket.tokens) / self.per_second).ceil() as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn address(text: &str) -> Client {
        Client::of_address(text.parse().unwrap())
    }

    #[test]
    fn a_client_has_its_burst_and_then_its_rate() {
        let (limit, start) = (RateLimit::new(10), Instant::now());
        let one = address("192.0.2.1");
        for _ in 0..20 {
            assert_eq!(limit.take(&one, start), Ok(()));
        }
        assert_eq!(limit.take(&one, start), Err(1));
        assert_eq!(limit.take(&address("192.0.2.2"), start), Ok(()), "others have their own");
        let later = start + Duration::from_millis(250);
        assert_eq!((limit.take(&one, later), limit.take(&one, later)), (Ok(()), Ok(())));
        assert_eq!(limit.take(&one, later), Err(1));
        assert_eq!(RateLimit::new(0).take(&one, start), Ok(()));
    }

    #[test]
    fn addresses_of_one_line_are_one_client() {
        assert_eq!(address("2001:db8::1"), address("2001:db8::ffff:1"));
        assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
        assert_eq!(address("::ffff:192.0.2.1"), address("192.0.2.1"));
        assert_ne!(address("192.0.2.1"), address("192.0.2.2"));
    }

    #[test]
    fn clients_are_forgotten_when_their_buckets_are_full_again() {
        let (limit, start) = (RateLimit::new(1), Instant::now());
        for number in 0..u32::try_from(PARTS * CLIENTS_PER_PART * 2).unwrap() {
            let now = start + Duration::from_millis(number.into());
            limit.take(&Client::Address(IpAddr::V4(number.into())), now).unwrap();
        }
        let held: usize = limit.parts.iter().map(|part| part.lock().unwrap().len()).sum();
        assert!(held <= PARTS * CLIENTS_PER_PART, "{held}");
    }
}
