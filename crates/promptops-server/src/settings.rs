//! How a server behaves.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::ingest::Ingest;
use crate::mcp::AgentSettings;
use crate::rules::RulesReader;
use crate::tls::TlsIdentity;

/// Who may do what without an API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nobody anything.
    Keys,
    /// Everybody may read, but for what is stored about API keys. Writing takes a key.
    PublicRead,
    /// Everybody may do everything, in the name of this actor. For a loopback address and one person only: requests are
    /// refused whose `Host` is not a loopback name, so that a page in a browser cannot reach it under a name of its own.
    Trusted {
        /// Who acts in records.
        actor: String,
    },
}

/// What a server does at most.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest body of a request, in bytes.
    pub body_bytes: usize,
    /// Time for a request that reads, from its head to its answer.
    pub read_time: Duration,
    /// Time for a request that writes. What was begun then goes on, and repeating the request finds it done.
    pub write_time: Duration,
    /// Time for the head of a request to arrive, also of the first after connecting.
    pub header_time: Duration,
    /// Requests per second of one key, or of one address without a key; 0 for no limit.
    pub requests_per_second: u32,
    /// Requests at the same time; further ones are answered 503.
    pub concurrent_requests: usize,
    /// Open connections; further ones wait to be accepted.
    pub connections: usize,
    /// Time that requests under way have to end in when the server shuts down.
    pub drain_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 16 << 20,
            read_time: Duration::from_secs(30),
            write_time: Duration::from_secs(150),
            header_time: Duration::from_secs(10),
            requests_per_second: 2_000,
            concurrent_requests: 1_024,
            connections: 4_096,
            drain_time: Duration::from_secs(30),
        }
    }
}

/// How a server behaves.
#[derive(Clone)]
pub struct Settings {
    /// Who may do what without an API key.
    pub access: Access,
    /// What it does at most.
    pub limits: Limits,
    /// Bytes of objects that it remembers.
    pub cache_bytes: u64,
    /// Certificate and key; without them connections are not encrypted.
    pub tls: Option<TlsIdentity>,
    /// Whether the last address of `X-Forwarded-For` is that of the client, as behind a proxy that sets it.
    pub is_behind_proxy: bool,
    /// How old may be what the server knows of API keys and rules: so long after a key was revoked it may still be taken.
    pub hold: Duration,
    /// Whose rules hold for what writes; without them nothing is written through this server.
    pub rules: Option<RulesReader>,
    /// How agents are served, at `/mcp`; without it they are not.
    pub agents: Option<AgentSettings>,
    /// Whether the registry is served as well. Without it there are only agents, health and metrics.
    pub serves_registry: bool,
    /// Where invocations are recorded; without it none are taken.
    pub ingest: Option<Ingest>,
    /// The clock, UTC.
    pub clock: fn() -> DateTime<Utc>,
}

impl Settings {
    /// Returns settings that take a key for everything and write nothing.
    pub fn new(clock: fn() -> DateTime<Utc>) -> Self {
        Self {
            access: Access::Keys,
            limits: Limits::default(),
            cache_bytes: 256 << 20,
            tls: None,
            is_behind_proxy: false,
            hold: Duration::from_secs(5),
            rules: None,
            agents: None,
            serves_registry: true,
            ingest: None,
            clock,
        }
    }
}
